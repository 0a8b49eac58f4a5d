//! One source of one build into what all template languages come down to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Evaluated;
use super::builds::{BuildBlock, SourceUse, Step, unique_ids};
use super::select::{Selection, full_name};
use crate::blocks::{ComponentBody, Globals, Place};
use crate::catalog::{Catalog, ComponentKind, ComponentSpec};
use crate::diagnostic::Diagnostics;
use crate::expression::value::Value;
use crate::graph::{Build, Exclusion};
use crate::late::Deferred;
use crate::lower::nodes::{Blueprint, OptionSource, Options, Part, PostProcess, Provision, Settled};
use crate::span::{Sources, Span};
use crate::value::functions::build_data_names;

/// Lays out every use of a source, in the order of the template.
pub(super) fn blueprints<'a>(
    evaluated: &'a Evaluated,
    selection: &Selection,
    also: &BTreeSet<String>,
    catalog: &dyn Catalog,
    sources: &'a Sources,
) -> Vec<Blueprint<'a>> {
    let uses = || evaluated.builds.iter().flat_map(|block| block.sources.iter().map(move |source| (block, source)));
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
            let is_open = spec.is_some_and(|spec| spec.is_open);
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
    announced: &'s [&'s str],
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
            options: self.options(Cow::Borrowed(body), None, self.source.span),
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
            options: self.options(body, Some(self.build_values()), step.span),
            excluded,
        }
    }

    fn options(
        &self,
        body: Cow<'a, ComponentBody>,
        build: Option<BTreeMap<Arc<str>, Value>>,
        span: Span,
    ) -> Options<'a> {
        let place = Place {
            source_type: self.source.kind.clone(),
            source_name: self.source.local_name.clone(),
            build,
            build_is_open: self.is_open,
        };
        let globals = &self.evaluated.globals;
        Options::Body(Box::new(BlockOptions { body, place, globals, sources: self.sources, span }))
    }

    /// What `build` has before the machine is there: the name, and a word for everything else.
    fn build_values(&self) -> BTreeMap<Arc<str>, Value> {
        let unknown = || Value::string("<unknown>");
        let names = build_data_names().iter().chain(self.announced).map(|name| (Arc::from(*name), unknown()));
        names.chain([(Arc::from("name"), Value::string(&self.block.name))]).collect()
    }
}

/// The options of a component as its block has them.
struct BlockOptions<'a> {
    body: Cow<'a, ComponentBody>,
    place: Place,
    globals: &'a Arc<Globals>,
    sources: &'a Sources,
    span: Span,
}

impl OptionSource for BlockOptions<'_> {
    fn settle(&self, spec: &ComponentSpec, problems: &mut Diagnostics) -> Settled {
        let settled = self.body.settle(spec, self.globals, &self.place, Some(self.sources), problems);
        let deferred = settled.needs_machine.then(|| {
            Arc::new(Deferred {
                body: self.body.clone().into_owned(),
                place: self.place.clone(),
                globals: self.globals.clone(),
                span: self.span,
            })
        });
        Settled { options: settled.options, deferred, origins: settled.origins }
    }
}
