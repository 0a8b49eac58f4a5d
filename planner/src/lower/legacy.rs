//! Legacy JSON templates to builds: names rendered, filters applied, overrides laid over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::nodes::{Blueprint, Options, Part, PostProcess, Provision};
use super::rendering::Renderer;
use super::{Selection, overrides};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::{Build, Conduct, Exclusion};
use crate::template::{Builder, Nanoseconds, PostProcessor, Provisioner, Template};
use crate::value::Map;

/// Renders the names of all builders and sorts the builds by them.
pub(super) fn name_builds<'a>(
    template: &'a Template,
    selection: &Selection,
    renderer: &Renderer,
    problems: &mut Diagnostics,
) -> Vec<(Build, &'a Builder)> {
    let mut builds: BTreeMap<String, (Build, &Builder)> = BTreeMap::new();
    for builder in &template.builders {
        let name = match renderer.core_text(&builder.raw_name) {
            Ok(name) => name,
            Err(reason) => {
                problems.push(
                    Diagnostic::error(
                        "rpk::lower::name",
                        format!("the name of builder `{}` cannot be rendered: {reason}", builder.raw_name),
                    )
                    .at(builder.span, "this builder"),
                );
                continue;
            }
        };
        let display =
            if builder.raw_name == builder.component { name.clone() } else { format!("{}.{name}", builder.component) };
        let build = Build {
            is_selected: selection.includes(&name),
            id: name.clone(),
            source_name: name.clone(),
            name: name.clone(),
            display,
            builder_type: builder.component.clone(),
        };
        if let Some((_, first)) = builds.get(&name) {
            problems.push(
                Diagnostic::error("rpk::lower::name", format!("two builders end up with the name `{name}`"))
                    .at(builder.span, "the second one")
                    .at(first.span, "the first one")
                    .help("give one of them another `name`; Packer would silently build just one"),
            );
        } else {
            builds.insert(name, (build, builder));
        }
    }
    builds.into_values().collect()
}

/// What turns one builder of a template into a build.
pub(super) struct Legacy<'a, 'p> {
    pub template: &'a Template,
    pub selection: &'p Selection,
    pub renderer: &'p Renderer,
    pub problems: &'p mut Diagnostics,
}

impl<'a> Legacy<'a, '_> {
    /// Lays out a build.
    pub fn blueprint(&mut self, build: Build, builder: &'a Builder) -> Blueprint<'a> {
        let excluded = (!build.is_selected).then_some(Exclusion::Build);
        let template = self.template;
        Blueprint {
            builder: Part {
                component: Cow::Borrowed(&builder.component),
                component_span: builder.component_span,
                span: builder.span,
                options: Options::Values(Cow::Borrowed(&builder.settings)),
                excluded,
            },
            provisioners: template
                .provisioners
                .iter()
                .map(|provisioner| {
                    let is_filtered = !provisioner.filter.includes(&builder.raw_name);
                    self.provision(builder, provisioner, excluded.or(is_filtered.then_some(Exclusion::Filter)))
                })
                .collect(),
            // Packer neither checks nor applies the filter of an error-cleanup provisioner.
            error_cleanup: template
                .error_cleanup
                .as_ref()
                .map(|provisioner| self.provision(builder, provisioner, excluded)),
            sequences: template.post_processors.iter().map(|steps| self.sequence(&build, builder, steps)).collect(),
            build,
        }
    }

    fn provision(
        &mut self,
        builder: &Builder,
        provisioner: &'a Provisioner,
        excluded: Option<Exclusion>,
    ) -> Provision<'a> {
        let overrides =
            provisioner.overrides.iter().filter(|over| over.build == builder.raw_name && excluded.is_none());
        let laid_over = overrides.fold(None, |base: Option<Map>, over| {
            let base = base.as_ref().unwrap_or(&provisioner.settings);
            Some(overrides::merge(base, &over.settings, self.problems))
        });
        Provision {
            part: Part {
                component: Cow::Borrowed(&provisioner.component),
                component_span: provisioner.component_span,
                span: provisioner.span,
                options: Options::Values(laid_over.map_or(Cow::Borrowed(&provisioner.settings), Cow::Owned)),
                excluded,
            },
            conduct: self.conduct(provisioner, excluded.is_some()),
        }
    }

    fn conduct(&mut self, provisioner: &Provisioner, is_excluded: bool) -> Conduct {
        let mut max_retries = 0;
        if let Some((text, span)) = &provisioner.max_retries
            && !is_excluded
        {
            let rendered = self.renderer.core_text(text);
            match rendered.as_ref().map(|text| text.trim().parse::<i64>()) {
                Ok(Ok(count)) => max_retries = u32::try_from(count.max(0)).unwrap_or(u32::MAX),
                _ => self.problems.push(
                    Diagnostic::error(
                        "rpk::lower::max_retries",
                        format!(
                            "`max_retries` must be a whole number, `{}` is none",
                            rendered.as_ref().unwrap_or(text)
                        ),
                    )
                    .at(*span, "not a whole number"),
                ),
            }
        }
        Conduct {
            pause_before: provisioner.pause_before.map(Nanoseconds::as_duration).filter(|wait| !wait.is_zero()),
            timeout: provisioner.timeout.map(Nanoseconds::as_duration).filter(|limit| !limit.is_zero()),
            max_retries,
            continue_on_error: false,
        }
    }

    fn sequence(&self, build: &Build, builder: &Builder, steps: &'a [PostProcessor]) -> Vec<PostProcess<'a>> {
        let mut is_cut = false;
        let mut sequence = Vec::new();
        for step in steps {
            let is_filtered = !step.filter.includes(&builder.raw_name);
            // `-except` cuts the rest of the sequence, but not by a step that is left out anyway.
            is_cut |= !is_filtered && self.selection.except.contains(&step.name);
            let excluded = if !build.is_selected {
                Some(Exclusion::Build)
            } else if is_filtered {
                Some(Exclusion::Filter)
            } else {
                is_cut.then_some(Exclusion::Except)
            };
            sequence.push(PostProcess {
                part: Part {
                    component: Cow::Borrowed(&step.component),
                    component_span: step.component_span,
                    span: step.span,
                    options: Options::Values(Cow::Borrowed(&step.settings)),
                    excluded,
                },
                keep_input_artifact: step.keep_input_artifact,
            });
        }
        sequence
    }
}
