//! Makes the nodes and edges of one build.

use std::sync::Arc;

use super::rendering::Renderer;
use super::{Selection, overrides};
use crate::catalog::{ArtifactKind, Catalog, ComponentKind, ComponentSpec, Moment, Settings, decode};
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::graph::{Build, Conduct, Edge, Exclusion, Graph, Node, NodeId, NodeKind};
use crate::span::Span;
use crate::template::{Builder, PostProcessor, Provisioner, Template};
use crate::value::Map;

/// One build on its way into the graph.
pub(super) struct BuildLowering<'a> {
    pub template: &'a Template,
    pub selection: &'a Selection,
    pub catalog: &'a dyn Catalog,
    pub renderer: &'a Renderer,
    pub problems: &'a mut Diagnostics,
    pub secrets: &'a mut Vec<String>,
    pub index: usize,
    pub build: &'a Build,
    pub builder: &'a Builder,
}

/// A component's description and checked options.
struct Prepared<'a> {
    settings: Arc<Settings>,
    spec: Option<&'a ComponentSpec>,
    is_excluded: bool,
}

impl Prepared<'_> {
    fn title(&self, component: &str, moment: Moment) -> String {
        match self.spec {
            Some(spec) if !self.is_excluded => spec.title(&self.settings, moment),
            // Options that were not looked at have nothing to tell.
            _ => component.to_owned(),
        }
    }
}

impl<'a> BuildLowering<'a> {
    /// Adds the build's nodes: boot, provisioners, error cleanup, capture, post-processors.
    pub fn lower_into(&mut self, graph: &mut Graph) {
        let excluded = (!self.build.is_selected).then_some(Exclusion::Build);
        let errors_before = self.problems.error_count();
        let builder = self.prepare(
            ComponentKind::Builder,
            &self.builder.component,
            self.builder.component_span,
            &self.builder.settings,
            self.builder.span,
            excluded.is_some(),
        );
        let builder_is_sound = self.problems.error_count() == errors_before;
        let boot = self.add(graph, NodeKind::Boot, &self.builder.component, self.builder.span, &builder, Moment::Boot);
        let mut machine = boot.clone();
        for (index, provisioner) in self.template.provisioners.iter().enumerate() {
            let kind = NodeKind::Provision { index };
            if let Some(id) = self.provisioner(graph, kind, provisioner, excluded) {
                graph.connect(&machine, &id, Edge::Machine);
                machine = id;
            }
        }
        if let Some(provisioner) = &self.template.error_cleanup
            && let Some(id) = self.provisioner(graph, NodeKind::ErrorCleanup, provisioner, excluded)
        {
            graph.connect(&machine, &id, Edge::Order);
        }
        let kind = NodeKind::Capture;
        let capture = self.add(graph, kind, &self.builder.component, self.builder.span, &builder, Moment::Capture);
        graph.connect(&machine, &capture, Edge::Machine);

        let captured = builder
            .spec
            .and_then(|spec| spec.captures.as_ref())
            // Options that were refused say nothing about the artifact.
            .filter(|_| builder_is_sound)
            .map_or(ArtifactKind::Unknown, |captures| captures(&builder.settings));
        let mut previous_sequence = None;
        for (sequence, steps) in self.template.post_processors.iter().enumerate() {
            previous_sequence = self.sequence(graph, sequence, steps, &capture, captured, previous_sequence);
        }
    }

    /// Adds a provisioner's node; returns its id if the provisioner takes part in this build.
    fn provisioner(
        &mut self,
        graph: &mut Graph,
        kind: NodeKind,
        provisioner: &Provisioner,
        excluded: Option<Exclusion>,
    ) -> Option<NodeId> {
        // Packer neither checks nor applies the filter of an error-cleanup provisioner.
        let is_filtered = kind != NodeKind::ErrorCleanup && !provisioner.filter.includes(&self.builder.raw_name);
        let exclusion = excluded.or(is_filtered.then_some(Exclusion::Filter));
        let laid_over = provisioner
            .overrides
            .iter()
            .filter(|over| over.build == self.builder.raw_name && exclusion.is_none())
            .fold(None, |base: Option<Map>, over| {
                let base = base.as_ref().unwrap_or(&provisioner.settings);
                Some(overrides::merge(base, &over.settings, self.problems))
            });
        let prepared = self.prepare(
            ComponentKind::Provisioner,
            &provisioner.component,
            provisioner.component_span,
            laid_over.as_ref().unwrap_or(&provisioner.settings),
            provisioner.span,
            exclusion.is_some(),
        );
        let conduct = self.conduct(provisioner, exclusion.is_some());
        let id = self.add(graph, kind, &provisioner.component, provisioner.span, &prepared, Moment::Run);
        graph.amend(&id, |node| {
            node.conduct = conduct;
            node.excluded = exclusion;
        });
        // Nodes of a build that was not chosen keep their edges: they are a part of the picture, just not of the run.
        (!is_filtered).then_some(id)
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
            pause_before: provisioner
                .pause_before
                .map(crate::template::Nanoseconds::as_duration)
                .filter(|wait| !wait.is_zero()),
            timeout: provisioner
                .timeout
                .map(crate::template::Nanoseconds::as_duration)
                .filter(|limit| !limit.is_zero()),
            max_retries,
        }
    }

    /// Adds a sequence's nodes and returns the last one that takes part.
    fn sequence(
        &mut self,
        graph: &mut Graph,
        sequence: usize,
        steps: &[PostProcessor],
        capture: &NodeId,
        captured: ArtifactKind,
        previous_sequence: Option<NodeId>,
    ) -> Option<NodeId> {
        let mut source = capture.clone();
        let mut given = (captured, self.builder.component_span, self.builder.component.as_str());
        let mut is_cut = false;
        let mut last = None;
        for (step, post_processor) in steps.iter().enumerate() {
            let is_filtered = !post_processor.filter.includes(&self.builder.raw_name);
            // `-except` cuts the rest of the sequence, but not by a step that is left out anyway.
            is_cut |= !is_filtered && self.selection.except.contains(&post_processor.name);
            let exclusion = if !self.build.is_selected {
                Some(Exclusion::Build)
            } else if is_filtered {
                Some(Exclusion::Filter)
            } else {
                is_cut.then_some(Exclusion::Except)
            };
            let prepared = self.prepare(
                ComponentKind::PostProcessor,
                &post_processor.component,
                post_processor.component_span,
                &post_processor.settings,
                post_processor.span,
                exclusion.is_some(),
            );
            let flow = prepared.spec.and_then(|spec| spec.flow.as_ref());
            let kind = NodeKind::PostProcess { sequence, step };
            let id = self.add(graph, kind, &post_processor.component, post_processor.span, &prepared, Moment::Run);
            let keeps_input = flow.is_none_or(|flow| match post_processor.keep_input_artifact {
                Some(keep) => keep || flow.keep_is_forced && flow.keeps_input,
                None => flow.keeps_input,
            });
            graph.amend(&id, |node| {
                node.keeps_input = keeps_input;
                node.excluded = exclusion;
            });
            if matches!(exclusion, Some(Exclusion::Filter | Exclusion::Except)) {
                continue;
            }
            graph.connect(&source, &id, Edge::Artifact);
            if last.is_none()
                && let Some(previous) = &previous_sequence
            {
                graph.connect(previous, &id, Edge::Order);
            }
            if let Some(flow) = flow {
                let (kind, from_span, from) = given;
                if exclusion.is_none()
                    && kind != ArtifactKind::Unknown
                    && !flow.takes.is_empty()
                    && !flow.takes.contains(&kind)
                {
                    let wanted: Vec<String> = flow.takes.iter().map(ToString::to_string).collect();
                    self.problems.push(
                        Diagnostic::error(
                            "rpk::lower::artifact_mismatch",
                            format!(
                                "post-processor `{}` takes {}, but `{from}` gives {kind}",
                                post_processor.component,
                                wanted.join(" or ")
                            ),
                        )
                        .at(post_processor.component_span, format!("needs {}", wanted.join(" or ")))
                        .at(from_span, format!("gives {kind}"))
                        .help(mismatch_help(from, flow.takes)),
                    );
                }
                given = (flow.gives.unwrap_or(kind), post_processor.component_span, post_processor.component.as_str());
            }
            source = id.clone();
            last = Some(id);
        }
        last.or(previous_sequence)
    }

    /// Renders and checks a component's options. An excluded component is not checked, as in Packer.
    fn prepare(
        &mut self,
        kind: ComponentKind,
        component: &str,
        component_span: Span,
        settings: &Map,
        span: Span,
        is_excluded: bool,
    ) -> Prepared<'a> {
        let Some(spec) = self.catalog.find(kind, component) else {
            if !is_excluded {
                let mut problem =
                    Diagnostic::error("rpk::lower::unknown_component", format!("there is no {kind} `{component}`"))
                        .at(component_span, format!("unknown {kind}"));
                problem.help = Some(match closest(component, self.catalog.names(kind)) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("rpk knows neither a {kind} of its own nor one of Packer's by this name"),
                });
                self.problems.push(problem);
            }
            return Prepared { settings: Arc::default(), spec: None, is_excluded };
        };
        let settings = if is_excluded {
            Settings::new()
        } else {
            let builder = self.catalog.find(ComponentKind::Builder, &self.builder.component);
            let announced = builder.map_or(&[][..], |builder| builder.build_data);
            let rendered = self.renderer.options(settings, spec, self.build, announced, self.problems);
            let settings = decode(spec, &rendered, head(span), self.problems);
            let sensitive = spec.options.iter().filter(|option| option.is_sensitive);
            self.secrets.extend(
                sensitive
                    .filter_map(|option| settings.get(option.name.as_ref()))
                    .filter_map(|value| value.as_str().map(str::to_owned)),
            );
            settings
        };
        Prepared { settings: Arc::new(settings), spec: Some(spec), is_excluded }
    }

    fn add(
        &self,
        graph: &mut Graph,
        kind: NodeKind,
        component: &str,
        span: Span,
        prepared: &Prepared<'_>,
        moment: Moment,
    ) -> NodeId {
        graph.add(Node {
            id: NodeId::new(&self.build.name, &kind),
            kind,
            build: self.index,
            component: component.to_owned(),
            title: prepared.title(component, moment),
            settings: prepared.settings.clone(),
            conduct: Conduct::default(),
            keeps_input: true,
            uses_engine: prepared.spec.is_some_and(|spec| spec.uses_engine),
            excluded: (!self.build.is_selected).then_some(Exclusion::Build),
            origins: Vec::new(),
            span,
        })
    }
}

/// Marks the opening brace of a block, since a whole block is too much to underline.
fn head(span: Span) -> Span {
    Span { end: span.end.min(span.start + 1), ..span }
}

fn mismatch_help(from: &str, wanted: &[ArtifactKind]) -> &'static str {
    match (from, wanted) {
        ("docker", [ArtifactKind::Files]) => "set `export_path` on the builder, or leave the post-processor out",
        ("docker", [ArtifactKind::Image]) => "set `commit` to true on the builder, or put `docker-import` before it",
        _ => "put a post-processor between them that makes one of the other, or leave this one out",
    }
}
