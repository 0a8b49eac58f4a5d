//! Stand-ins at rpk's own traits, for tests of the executor: components that take a stated time and keep a diary.
//!
//! With tokio's paused clock hours pass in no time. The options of each fake say how it behaves; see [`FakeBuilder`],
//! [`FakeProvisioner`] and [`FakePostProcessor`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Load, Settings, boolean, duration, integer, string,
};
use rpk_planner::graph::NodeId;
use rpk_planner::key::CacheKey;
use rpk_planner::plan::{CacheIndex, LastRun, Stored};
use serde::Deserialize;

use crate::artifact::Artifact;
use crate::builder::{Builder, BuilderType, Machine};
use crate::communicator::Communicator;
use crate::communicator::none::PretendingCommunicator;
use crate::context::{NodeContext, Prompt};
use crate::event::{Event, Reporter};
use crate::failure::{Failure, Outcome};
use crate::post_processor::{PostProcessor, PostProcessorType};
use crate::provisioner::{Provisioner, ProvisionerType};
use crate::registry::Registry;
use crate::settings::{optional_duration, read_settings};

/// A registry of the fakes: builder `fake`, provisioner `fake`, post-processors `fake` and `heavy`.
#[must_use]
pub fn registry() -> Registry {
    Registry::new(&[&FakeBuilder], &[&FakeProvisioner], &[&FakePostProcessor, &HeavyPostProcessor])
}

/// How a fake behaves.
#[derive(Clone, Debug, Default, Deserialize)]
struct Behaviour {
    /// How long it takes.
    #[serde(default, deserialize_with = "optional_duration")]
    takes: Option<Duration>,
    /// Whether it fails in the end.
    #[serde(default)]
    fails: bool,
    /// Whether it fails just this many times; needs a `key`.
    #[serde(default)]
    fails_times: usize,
    /// Names the count of failures.
    #[serde(default)]
    key: String,
    /// Whether it panics.
    #[serde(default)]
    panics: bool,
    /// A line to print.
    #[serde(default)]
    prints: String,
    /// For a builder: whether its capture fails.
    #[serde(default)]
    capture_fails: bool,
}

fn behaviour(kind: ComponentKind) -> ComponentSpec {
    ComponentSpec::new(kind, "fake").options([
        duration("takes", "How long it takes."),
        boolean("fails", "Fails."),
        integer("fails_times", "Fails so often."),
        string("key", "Names the count of failures."),
        boolean("panics", "Panics."),
        string("prints", "A line to print."),
        boolean("capture_fails", "Fails to capture."),
    ])
}

/// How often each key has failed. Keys are unique to a test.
static FAILURES: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

impl Behaviour {
    async fn run(&self, ctx: &NodeContext) -> Outcome<()> {
        if !self.prints.is_empty() {
            let mut output = ctx.output.command();
            output.stdout(self.prints.as_bytes()).await;
            output.finish().await;
        }
        if let Some(takes) = self.takes {
            ctx.sleep(takes).await?;
        }
        assert!(!self.panics, "as it was told");
        let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(self.key.clone()).or_default();
        if self.fails || *count < self.fails_times {
            *count += 1;
            return Err(Failure::new("failed as it was told").exit_status(3));
        }
        Ok(())
    }
}

/// A builder whose machine does nothing. Option `takes` is the time of booting.
pub struct FakeBuilder;

impl BuilderType for FakeBuilder {
    fn spec(&self) -> ComponentSpec {
        behaviour(ComponentKind::Builder).captures(|_| ArtifactKind::Files)
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        Ok(Box::new(read_settings::<Behaviour>(settings)?))
    }
}

impl Builder for Behaviour {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            self.run(ctx).await?;
            ctx.say("booted").await;
            Ok(Arc::new(FakeMachine { behaviour: self.clone() }) as Arc<dyn Machine>)
        }
        .boxed()
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say(format!("discarded {}", artifact.id)).await;
            Ok(())
        }
        .boxed()
    }
}

struct FakeMachine {
    behaviour: Behaviour,
}

impl Machine for FakeMachine {
    fn communicator(&self) -> &dyn Communicator {
        &PretendingCommunicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("ID".to_owned(), "fake-machine".to_owned())])
    }

    fn capture<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            if self.behaviour.capture_fails {
                return Err(Failure::new("capture failed as it was told"));
            }
            Ok(Artifact {
                builder_id: "fake".to_owned(),
                id: format!("artifact of {}", ctx.build.name),
                description: format!("artifact of {}", ctx.build.name),
                ..Artifact::default()
            })
        }
        .boxed()
    }

    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say("destroyed").await;
            Ok(())
        }
        .boxed()
    }
}

/// A provisioner that takes its time.
pub struct FakeProvisioner;

impl ProvisionerType for FakeProvisioner {
    fn spec(&self) -> ComponentSpec {
        behaviour(ComponentKind::Provisioner)
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(read_settings::<Behaviour>(settings)?))
    }
}

impl Provisioner for Behaviour {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, _: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx).boxed()
    }
}

/// A post-processor that takes its time and gives an artifact named after its node.
pub struct FakePostProcessor;

impl PostProcessorType for FakePostProcessor {
    fn spec(&self) -> ComponentSpec {
        behaviour(ComponentKind::PostProcessor).flow(ArtifactFlow {
            takes: &[],
            gives: Some(ArtifactKind::Files),
            keeps_input: false,
            keep_is_forced: false,
        })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(read_settings::<Behaviour>(settings)?))
    }
}

/// The same, with a name of its own, keeping the processors busy.
pub struct HeavyPostProcessor;

impl PostProcessorType for HeavyPostProcessor {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec { name: "heavy".into(), ..FakePostProcessor.spec() }.load(Load::Processor)
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        FakePostProcessor.configure(settings)
    }
}

impl PostProcessor for Behaviour {
    fn process<'a>(&'a self, ctx: &'a NodeContext, _: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            self.run(ctx).await?;
            Ok(Artifact {
                builder_id: "fake".to_owned(),
                id: format!("artifact of {}", ctx.node),
                description: format!("artifact of {}", ctx.node),
                ..Artifact::default()
            })
        }
        .boxed()
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say(format!("discarded {}", artifact.id)).await;
            Ok(())
        }
        .boxed()
    }
}

/// Keeps all events.
#[derive(Default)]
pub struct Recorder {
    /// The events so far.
    pub events: Vec<Event>,
}

impl Reporter for Recorder {
    fn report(&mut self, event: &Event) {
        self.events.push(event.clone());
    }
}

impl Recorder {
    /// Writes the events as lines without times, for recorded output.
    #[must_use]
    pub fn diary(&self) -> String {
        let mut lines = String::new();
        for event in &self.events {
            let line = match event {
                Event::RunStarted { .. } => "run started".to_owned(),
                Event::NodeStarted { node } => format!("{node} started"),
                Event::NodeOutput { node, stream, line } => format!("{node} {stream:?}: {line}"),
                Event::NodeFinished { node, status, error, .. } => {
                    let error = error.as_ref().map_or_else(String::new, |error| format!(": {}", error.failure));
                    format!("{node} {}{error}", status.word())
                }
                Event::BuildFinished { report } => {
                    let artifacts: Vec<&str> = report.artifacts.iter().map(|artifact| artifact.id.as_str()).collect();
                    format!("build {} {} [{}]", report.build, report.status.word(), artifacts.join(", "))
                }
                Event::Cancelling { reason } => format!("cancelling: {}", reason.word()),
                Event::RunFinished { report } => format!("run {}", report.status.word()),
            };
            lines.push_str(&line);
            lines.push('\n');
        }
        lines
    }
}

/// Gives prepared answers, then none.
#[derive(Default)]
pub struct Answers(Mutex<Vec<String>>);

impl Answers {
    /// Prepares answers in their order.
    #[must_use]
    pub fn new(answers: &[&str]) -> Self {
        Self(Mutex::new(answers.iter().rev().map(|answer| (*answer).to_owned()).collect()))
    }
}

impl Prompt for Answers {
    fn ask<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        std::future::ready(answer).boxed()
    }
}

/// Reads a legacy template's text and plans it with the fakes.
///
/// # Panics
///
/// Panics if the template has problems, with all of them.
#[must_use]
pub fn plan(text: &str) -> rpk_planner::plan::Plan {
    plan_after(text, &[])
}

/// The same, once these nodes have taken so long.
///
/// # Panics
///
/// Panics if the template has problems, with all of them.
#[must_use]
pub fn plan_after(text: &str, took: &[(&str, Duration)]) -> rpk_planner::plan::Plan {
    use rpk_planner::{lower, plan, span::Sources, template::json};
    let mut sources = Sources::default();
    let file = sources.add("test", text);
    let (template, problems) = json::read(&sources, file);
    let template = template.unwrap_or_else(|| panic!("{problems:?}"));
    let inputs = lower::Inputs { working_directory: Path::new("/").display().to_string(), ..lower::Inputs::default() };
    let (graph, problems) = lower::lower(&template, &inputs, &lower::Selection::default(), &registry());
    let graph = graph.unwrap_or_else(|| panic!("{problems:?}"));
    let options = plan::Options { template: "test".to_owned(), ..plan::Options::default() };
    let last = |(id, took): &(&str, Duration)| {
        (NodeId::from((*id).to_owned()), LastRun { key: None, inputs: Vec::new(), took: *took })
    };
    let index = History(took.iter().map(last).collect());
    plan::plan(graph, &rpk_planner::key::NoFacts, &index, options)
}

/// A store that knows how long nodes took and has kept nothing of them.
struct History(BTreeMap<NodeId, LastRun>);

impl CacheIndex for History {
    fn stored(&self, _: &CacheKey) -> Option<Stored> {
        None
    }

    fn last(&self, node: &NodeId) -> Option<&LastRun> {
        self.0.get(node)
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn secret(&self) -> &[u8; 32] {
        &[0; 32]
    }
}
