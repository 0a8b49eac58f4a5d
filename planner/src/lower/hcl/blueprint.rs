//! One source of one build into what all template languages come down to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Evaluated;
use super::builds::{BuildBlock, SourceUse, Step, unique_ids};
use super::select::{Selection, full_name};
use crate::blocks::{ComponentBody, Place};
use crate::catalog::{Catalog, ComponentKind, ComponentSpec};
use crate::diagnostic::Diagnostics;
use crate::expression::value::Value;
use crate::graph::{Build, Exclusion};
use crate::late::Deferred;
use crate::lower::nodes::{Blueprint, OptionSource, Options, Part, PostProcess, Provision, Settled};
use crate::span::{Sources, Span};
use crate::template::hcl::place;
use crate::value::functions::build_data_names;

/// Lays out every use of a source, in the order of the template.
pub(super) fn blueprints<'a>(
    evaluated: &'a Evaluated,
    selection: &Selection,
    also: &BTreeSet<String>,
    catalog: &dyn Catalog,
    sources: &'a Sources,
) -> Vec<Blueprint<'a>> {
    let uses = || {
        evaluated.builds.iter().flat_map(|block| {
            block.sources.iter().filter(|source| source.is_known()).map(move |source| (block, source))
        })
    };
    let names: Vec<String> =
        uses().map(|(block, source)| full_name(&block.name, &source.kind, &source.local_name)).collect();
    let ids = unique_ids(names.iter().cloned());
    uses()
        .zip(names.into_iter().zip(ids))
        .map(|((block, source), (name, id))| {
            let build = Build {
                is_selected: selection.includes(&name) || also.contains(&id),
                display: id.clone(),
                id,
                name,
                source_name: source.name.clone(),
                builder_type: source.kind.clone(),
            };
            let spec = catalog.find(ComponentKind::Builder, &source.kind);
            let announced = spec.map_or(&[][..], |spec| spec.build_data);
            let is_open = spec.is_some_and(|spec| spec.is_open || spec.is_plugin);
            Layout { evaluated, selection, sources, block, source, announced, is_open }.blueprint(build)
        })
        .collect()
}

struct Layout<'a, 's> {
    evaluated: &'a Evaluated,
    selection: &'s Selection,
    sources: &'a Sources,
    block: &'a BuildBlock,
    source: &'a SourceUse,
    announced: &'static [&'static str],
    /// Whether the builder may give more data than is known here.
    is_open: bool,
}

impl<'a> Layout<'a, '_> {
    fn blueprint(&self, build: Build) -> Blueprint<'a> {
        let excluded = (!build.is_selected).then_some(Exclusion::Build);
        let body = &self.source.body;
        let builder = Part {
            component: Cow::Borrowed(&self.source.kind),
            component_span: self.source.span,
            span: self.source.span,
            options: self.options(Cow::Borrowed(body), false, self.source.span),
            excluded,
        };
        let provision = |step: &'a Step, is_filtered: bool| Provision {
            part: self.part(step, excluded.or(is_filtered.then_some(Exclusion::Filter))),
            conduct: step.conduct.clone(),
        };
        Blueprint {
            builder,
            provisioners: self.block.provisioners.iter().map(|step| provision(step, self.is_filtered(step))).collect(),
            error_cleanup: self.block.error_cleanup.as_ref().map(|step| provision(step, self.is_filtered(step))),
            sequences: self.block.sequences.iter().map(|steps| self.sequence(steps, excluded)).collect(),
            build,
        }
    }

    fn is_filtered(&self, step: &Step) -> bool {
        !step.includes(&format!("{}.{}", self.source.kind, self.source.local_name))
    }

    fn sequence(&self, steps: &'a [Step], excluded: Option<Exclusion>) -> Vec<PostProcess<'a>> {
        let mut is_cut = false;
        let mut sequence = Vec::new();
        for step in steps {
            is_cut |= self.selection.cuts(step.name_or_type());
            let own =
                if is_cut { Some(Exclusion::Except) } else { self.is_filtered(step).then_some(Exclusion::Filter) };
            sequence.push(PostProcess {
                part: self.part(step, excluded.or(own)),
                keep_input_artifact: step.keep_input_artifact,
            });
        }
        sequence
    }

    fn part(&self, step: &'a Step, excluded: Option<Exclusion>) -> Part<'a> {
        let body = match step.overrides.get(&self.source.local_name) {
            Some(over) => Cow::Owned(ComponentBody { overrides: Some(over.clone()), ..step.body.clone() }),
            None => Cow::Borrowed(&step.body),
        };
        Part {
            component: Cow::Borrowed(&step.component),
            component_span: step.component_span,
            span: step.span,
            options: self.options(body, true, step.span),
            excluded,
        }
    }

    fn options(&self, body: Cow<'a, ComponentBody>, has_build: bool, span: Span) -> Options<'a> {
        Options::Body(Box::new(BlockOptions {
            body,
            evaluated: self.evaluated,
            block: self.block,
            source: self.source,
            announced: self.announced,
            is_open: self.is_open,
            has_build,
            sources: self.sources,
            span,
        }))
    }
}

/// What makes options differ from build to build: names of what is in them, and functions whose answer is another at
/// each call. Escapes in a JSON file may spell any of them.
const OWN_TO_A_BUILD: [&str; 5] = ["build", "source", "uuid", "bcrypt", "\\u"];

/// The options of a component as its block has them.
struct BlockOptions<'a> {
    body: Cow<'a, ComponentBody>,
    evaluated: &'a Evaluated,
    block: &'a BuildBlock,
    source: &'a SourceUse,
    announced: &'static [&'static str],
    is_open: bool,
    /// Whether there is a `build` to ask: not for a builder's own options.
    has_build: bool,
    sources: &'a Sources,
    span: Span,
}

impl BlockOptions<'_> {
    fn place(&self) -> Place {
        Place {
            source_type: self.source.kind.clone(),
            source_name: self.source.local_name.clone(),
            build: self.has_build.then(|| self.build_values()),
            build_is_open: self.is_open,
        }
    }

    /// What `build` has before the machine is there: the name, and a word for everything else.
    fn build_values(&self) -> BTreeMap<Arc<str>, Value> {
        let unknown = || Value::string("<unknown>");
        let names = build_data_names().iter().chain(self.announced).map(|name| (Arc::from(*name), unknown()));
        names.chain([(Arc::from("name"), Value::string(&self.block.name))]).collect()
    }
}

impl OptionSource for BlockOptions<'_> {
    fn shared(&self) -> Option<usize> {
        // A use of any of the words will do, be it in a text: what it costs is time.
        let is_own = |text: &str| OWN_TO_A_BUILD.iter().any(|word| text.contains(word));
        let is_shared = self.body.parts.iter().all(|(file, body)| {
            let text = self.sources.file(*file).text.get(place(*file, body.span).range());
            text.is_some_and(|text| !is_own(text))
        });
        match &self.body {
            Cow::Borrowed(body) if is_shared => Some(std::ptr::from_ref::<ComponentBody>(body).addr()),
            _ => None,
        }
    }

    fn settle(&self, spec: &ComponentSpec, problems: &mut Diagnostics) -> Settled {
        let (place, globals) = (self.place(), &self.evaluated.globals);
        let settled = self.body.settle(spec, globals, &place, Some(self.sources), problems);
        let deferred = settled.needs_machine.then(|| {
            Arc::new(Deferred {
                body: self.body.clone().into_owned(),
                place,
                globals: globals.clone(),
                span: self.span,
            })
        });
        Settled { options: settled.options, deferred, origins: settled.origins }
    }
}
