//! Makes the nodes and edges of one build.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::frame;
use super::rendering::Renderer;
use crate::catalog::{
    ArtifactKind, Caching, Catalog, ComponentKind, ComponentSpec, Decoding, Load, Moment, Reads, Recipe, Settings,
    decode,
};
use crate::chain::is_marked;
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::graph::{Build, Conduct, Edge, Exclusion, Graph, Node, NodeId, NodeKind, Origin};
use crate::late::Deferred;
use crate::span::Span;
use crate::value::Map;

/// One build with all that happens to it: what both template languages come down to.
pub(super) struct Blueprint<'a> {
    pub build: Build,
    pub builder: Part<'a>,
    pub provisioners: Vec<Provision<'a>>,
    pub error_cleanup: Option<Provision<'a>>,
    /// Each sequence starts from the builder's artifact.
    pub sequences: Vec<Vec<PostProcess<'a>>>,
}

impl Blueprint<'_> {
    /// Counts the nodes that it comes to.
    pub fn node_count(&self) -> usize {
        let steps: usize = self.sequences.iter().map(Vec::len).sum();
        2 + self.provisioners.len() + usize::from(self.error_cleanup.is_some()) + steps
    }
}

/// A component in its place in a build.
pub(super) struct Part<'a> {
    /// The component type, such as `docker`.
    pub component: Cow<'a, str>,
    pub component_span: Span,
    /// Where the whole stands.
    pub span: Span,
    pub options: Options<'a>,
    /// Why it does not take part, if so.
    pub excluded: Option<Exclusion>,
}

/// A component's options as a template language has them.
pub(super) enum Options<'a> {
    /// Values with `{{ … }}` in their texts.
    Values(Cow<'a, Map>),
    /// The body of a block, of which the component's table says how to read it.
    Body(Box<dyn OptionSource + 'a>),
}

/// Works out options once it is known of which component.
pub(super) trait OptionSource {
    /// Returns the place in memory of what the options come from, if they are the same in any build.
    fn shared(&self) -> Option<usize>;

    fn settle(&self, spec: &ComponentSpec, problems: &mut Diagnostics) -> Settled;
}

/// Options that were worked out.
#[derive(Default)]
pub(super) struct Settled {
    pub options: Map,
    /// What has to be worked out again when the machine is there, if anything.
    pub deferred: Option<Arc<Deferred>>,
    pub origins: Vec<Origin>,
}

/// A provisioner in a build.
pub(super) struct Provision<'a> {
    pub part: Part<'a>,
    pub conduct: Conduct,
}

/// A post-processor in a build.
pub(super) struct PostProcess<'a> {
    pub part: Part<'a>,
    /// The user's word on keeping the artifact that goes in.
    pub keep_input_artifact: Option<bool>,
}

/// One build on its way into the graph.
pub(super) struct BuildLowering<'a, 'b> {
    pub catalog: &'a dyn Catalog,
    pub renderer: &'b Renderer,
    pub problems: &'b mut Diagnostics,
    pub secrets: &'b mut Vec<String>,
    pub index: usize,
    pub blueprint: &'b Blueprint<'a>,
    pub shelf: &'b mut Shelf<'a>,
    /// The build data that the builder has announced for its options.
    pub announced: Vec<String>,
}

/// Components that were prepared for one build and serve others, too: a template for many builds has each provisioner
/// once.
#[derive(Default)]
pub(super) struct Shelf<'a> {
    /// By the place in memory of the options, which outlive the shelf, and the builder's component.
    prepared: HashMap<(usize, &'a str), Rc<Prepared<'a>>>,
}

/// A component's description and checked options.
#[derive(Default)]
struct Prepared<'a> {
    component: Arc<str>,
    settings: Arc<Settings>,
    spec: Option<&'a ComponentSpec>,
    is_excluded: bool,
    deferred: Option<Arc<Deferred>>,
    origins: Arc<[Origin]>,
    /// What it comes to at [`Moment::Run`], which most components have only.
    run: OnceCell<Described>,
}

/// What a component's description says of its options.
#[derive(Clone)]
struct Described {
    title: Arc<str>,
    caching: Caching,
    reads: Vec<Reads>,
}

impl Prepared<'_> {
    fn describe(&self, moment: Moment) -> Described {
        match moment {
            Moment::Run => self.run.get_or_init(|| self.describe_anew(moment)).clone(),
            Moment::Boot | Moment::Capture => self.describe_anew(moment),
        }
    }

    fn describe_anew(&self, moment: Moment) -> Described {
        let title = match self.spec {
            Some(spec) if !self.is_excluded => spec.title(&self.settings, moment).into(),
            // Options that were not looked at have nothing to tell.
            _ => self.component.clone(),
        };
        let unknown = Recipe::default();
        let recipe = self.spec.map_or(&unknown, |spec| &spec.recipe);
        Described {
            title,
            caching: recipe.caching(&self.settings, moment),
            reads: if self.is_excluded { Vec::new() } else { files(recipe, &self.settings, moment) },
        }
    }
}

/// What a node has beside what its component says.
struct Particulars {
    kind: NodeKind,
    conduct: Conduct,
    keeps_input: bool,
}

impl Particulars {
    fn of(kind: NodeKind) -> Self {
        Self { kind, conduct: Conduct::default(), keeps_input: true }
    }
}

impl<'a> BuildLowering<'a, '_> {
    /// Adds the build's nodes: boot, provisioners, error cleanup, capture, post-processors.
    pub fn lower_into(&mut self, graph: &mut Graph) {
        let blueprint = self.blueprint;
        let errors_before = self.problems.errors_found();
        let builder = self.prepare(ComponentKind::Builder, &blueprint.builder);
        if let Some(announces) = builder.spec.and_then(|spec| spec.announces.as_ref()) {
            self.announced = announces(&builder.settings);
        }
        let builder_is_sound = self.problems.errors_found() == errors_before;
        let particulars = Particulars::of(NodeKind::Boot);
        let mut machine = self.add(graph, particulars, &blueprint.builder, &builder, Moment::Boot);
        for (index, provision) in blueprint.provisioners.iter().enumerate() {
            let id = self.provision(graph, NodeKind::Provision { index }, provision);
            // Nodes of a build that was not chosen keep their edges: they are a part of the picture, just not of the
            // run.
            if provision.part.excluded != Some(Exclusion::Filter) {
                graph.connect(machine, id, Edge::Machine);
                machine = id;
            }
        }
        if let Some(provision) = &blueprint.error_cleanup {
            let id = self.provision(graph, NodeKind::ErrorCleanup, provision);
            graph.connect(machine, id, Edge::Order);
        }
        let particulars = Particulars::of(NodeKind::Capture);
        let capture = self.add(graph, particulars, &blueprint.builder, &builder, Moment::Capture);
        graph.connect(machine, capture, Edge::Machine);

        let captured = builder
            .spec
            .and_then(|spec| spec.captures.as_ref())
            // Options that were refused say nothing about the artifact.
            .filter(|_| builder_is_sound)
            .map_or(ArtifactKind::Unknown, |captures| captures(&builder.settings));
        let mut previous_sequence = None;
        for (sequence, steps) in blueprint.sequences.iter().enumerate() {
            previous_sequence = self.sequence(graph, sequence, steps, capture, captured, previous_sequence);
        }
    }

    fn provision(&mut self, graph: &mut Graph, kind: NodeKind, provision: &Provision<'a>) -> usize {
        let prepared = self.prepare(ComponentKind::Provisioner, &provision.part);
        let particulars = Particulars { conduct: provision.conduct.clone(), ..Particulars::of(kind) };
        self.add(graph, particulars, &provision.part, &prepared, Moment::Run)
    }

    /// Adds a sequence's nodes and returns the last one that takes part.
    fn sequence(
        &mut self,
        graph: &mut Graph,
        sequence: usize,
        steps: &[PostProcess<'a>],
        capture: usize,
        captured: ArtifactKind,
        previous_sequence: Option<usize>,
    ) -> Option<usize> {
        let builder = &self.blueprint.builder;
        let mut source = capture;
        let mut given = (captured, builder.component_span, builder.component.as_ref());
        let mut last = None;
        for (step, post_processor) in steps.iter().enumerate() {
            let part = &post_processor.part;
            let prepared = self.prepare(ComponentKind::PostProcessor, part);
            let flow = prepared.spec.and_then(|spec| spec.flow.as_ref());
            let keeps_input = flow.is_none_or(|flow| match post_processor.keep_input_artifact {
                Some(keep) => keep || flow.keep_is_forced && flow.keeps_input,
                None => flow.keeps_input,
            });
            let particulars = Particulars { keeps_input, ..Particulars::of(NodeKind::PostProcess { sequence, step }) };
            let id = self.add(graph, particulars, part, &prepared, Moment::Run);
            if matches!(part.excluded, Some(Exclusion::Filter | Exclusion::Except)) {
                continue;
            }
            graph.connect(source, id, Edge::Artifact);
            if last.is_none()
                && let Some(previous) = previous_sequence
            {
                graph.connect(previous, id, Edge::Order);
            }
            if let Some(flow) = flow {
                if part.excluded.is_none() {
                    self.check_flow(part, given, flow.takes);
                }
                given = (flow.gives.unwrap_or(given.0), part.component_span, part.component.as_ref());
            }
            source = id;
            last = Some(id);
        }
        last.or(previous_sequence)
    }

    /// Checks that a post-processor can take what the one before it, or the builder, gives.
    fn check_flow(&mut self, part: &Part<'_>, given: (ArtifactKind, Span, &str), takes: &[ArtifactKind]) {
        let (kind, from_span, from) = given;
        if kind == ArtifactKind::Unknown || takes.is_empty() || takes.contains(&kind) {
            return;
        }
        let wanted: Vec<String> = takes.iter().map(ToString::to_string).collect();
        let wanted = wanted.join(" or ");
        self.problems.push(
            Diagnostic::error(
                "rpk::lower::artifact_mismatch",
                format!("post-processor `{}` takes {wanted}, but `{from}` gives {kind}", part.component),
            )
            .at(part.component_span, format!("needs {wanted}"))
            .at(from_span, format!("gives {kind}"))
            .help(mismatch_help(from, takes)),
        );
    }

    /// Renders and checks a component's options, or takes what was made of the same ones for another build.
    fn prepare(&mut self, kind: ComponentKind, part: &Part<'a>) -> Rc<Prepared<'a>> {
        let place = match &part.options {
            _ if part.excluded.is_some() => None,
            Options::Values(Cow::Borrowed(values)) => Some(std::ptr::from_ref::<Map>(values).addr()),
            Options::Values(Cow::Owned(_)) => None,
            Options::Body(body) => body.shared(),
        };
        let key = match self.blueprint.builder.component {
            Cow::Borrowed(builder) => place.map(|place| (place, builder)),
            Cow::Owned(_) => None,
        };
        if let Some(known) = key.and_then(|key| self.shelf.prepared.get(&key)) {
            return known.clone();
        }
        let found_before = self.problems.count();
        let (prepared, is_of_any_build) = self.prepare_anew(kind, part);
        let prepared = Rc::new(prepared);
        // Each build says its own problems.
        if is_of_any_build
            && self.problems.count() == found_before
            && let Some(key) = key
        {
            self.shelf.prepared.insert(key, prepared.clone());
        }
        prepared
    }

    /// Renders and checks a component's options; tells whether they would be the same in any build. An excluded
    /// component is not checked, as in Packer.
    fn prepare_anew(&mut self, kind: ComponentKind, part: &Part<'a>) -> (Prepared<'a>, bool) {
        let is_excluded = part.excluded.is_some();
        let component = part.component.as_ref();
        let unprepared = Prepared { component: component.into(), is_excluded, ..Prepared::default() };
        let Some(spec) = self.catalog.find(kind, component) else {
            if !is_excluded {
                let mut problem =
                    Diagnostic::error("rpk::lower::unknown_component", format!("there is no {kind} `{component}`"))
                        .at(part.component_span, format!("unknown {kind}"));
                problem.help = Some(match closest(component, self.catalog.names(kind)) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("rpk knows neither a {kind} of its own nor one of Packer's by this name"),
                });
                self.problems.push(problem);
            }
            return (unprepared, false);
        };
        if is_excluded {
            return (Prepared { spec: Some(spec), ..unprepared }, false);
        }
        let (mut settled, syntax) = match &part.options {
            Options::Values(values) => {
                (Settled { options: values.as_ref().clone(), ..Settled::default() }, Decoding::Weak)
            }
            Options::Body(body) => (body.settle(spec, self.problems), Decoding::Strict),
        };
        let builder = self.catalog.find(ComponentKind::Builder, &self.blueprint.builder.component);
        let known = builder.map_or(&[][..], |builder| builder.build_data);
        let announced: Vec<&str> = known.iter().copied().chain(self.announced.iter().map(String::as_str)).collect();
        let (rendered, is_of_any_build) = self.renderer.options(
            &settled.options,
            spec,
            &self.blueprint.build,
            &announced,
            &mut settled.origins,
            self.problems,
        );
        let (rendered, is_of_any_build) = if spec.is_plugin {
            (frame::around(rendered, self.renderer, &self.blueprint.build, &announced, part.span), false)
        } else {
            (rendered, is_of_any_build)
        };
        let settings = decode(spec, &rendered, head(part.span), syntax, self.problems);
        let sensitive = spec.options.iter().filter(|option| option.is_sensitive);
        self.secrets.extend(
            sensitive
                .filter_map(|option| settings.get(option.name.as_ref()))
                .filter_map(|value| value.as_str().map(str::to_owned))
                // What is rendered later is no secret yet.
                .filter(|text| !text.contains("{{")),
        );
        let prepared = Prepared {
            settings: Arc::new(settings),
            spec: Some(spec),
            deferred: settled.deferred,
            origins: settled.origins.into(),
            ..unprepared
        };
        (prepared, is_of_any_build)
    }

    /// Adds a node; returns its place.
    fn add(
        &self,
        graph: &mut Graph,
        particulars: Particulars,
        part: &Part<'_>,
        prepared: &Prepared<'_>,
        moment: Moment,
    ) -> usize {
        let Particulars { kind, conduct, keeps_input } = particulars;
        let Described { title, caching, reads } = prepared.describe(moment);
        graph.add(Node {
            id: NodeId::new(&self.blueprint.build.id, &kind),
            caching,
            reads,
            recipe: prepared.spec.map(|spec| spec.recipe.clone()).unwrap_or_default(),
            kind,
            build: self.index,
            component: prepared.component.clone(),
            title,
            settings: prepared.settings.clone(),
            deferred: prepared.deferred.clone(),
            conduct,
            keeps_input,
            uses_engine: prepared.spec.is_some_and(|spec| spec.uses_engine),
            load: prepared.spec.map_or(Load::Elsewhere, |spec| spec.load),
            excluded: part.excluded,
            origins: prepared.origins.clone(),
            chained: Vec::new(),
            span: part.span,
        })
    }
}

/// Lists the files that are read and that are there before anything is run.
fn files(recipe: &Recipe, settings: &Settings, moment: Moment) -> Vec<Reads> {
    let mut files = recipe.files(settings, moment);
    files.retain(|read| !is_marked(&read.path));
    files
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
