//! The one loop: start what is ready, join what has ended, until nothing is left.
//!
//! The loop owns all state; tasks get what they need and hand back what came of it. Only here tasks are spawned, and
//! only here events are reported, in the order in which the loop sees them.
//!
//! | file | holds |
//! | --- | --- |
//! | `task.rs` | what the tasks of nodes do |
//! | `ending.rs` | how builds end: artifacts and reports |
//!
//! # When a machine's node fails
//!
//! What depends on it ends as cancelled. The error-cleanup provisioner runs if there is one, then the machine is
//! removed, unless `-on-error` says to leave it. A cancelled run removes machines without the provisioner. Other
//! builds go on.

mod ending;
mod task;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::Load;
use rpk_planner::graph::{Edge, Graph, Node, NodeId, NodeKind};
use rpk_planner::plan::{Action, Plan};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::artifact::Artifact;
use crate::budget::Budget;
use crate::builder::Machine;
use crate::cache::Ledger;
use crate::cancel::Cancellation;
use crate::context::{NodeContext, OnError, Output, Services};
use crate::event::{BuildReport, Event, NodeError, NodeStatus, Reporter, RunReport, RunStatus};
use crate::failure::{Failure, FailureKind, Outcome};
use crate::keeping;
use crate::lane::{self, Maker};
use crate::registry::Registry;
use crate::state::{Room, States, has_work};
use task::{Again, Ended, MachineWork, Product, Start, Task, machine_task, settle};

/// How many events may wait before the nodes that send them do.
const EVENT_BUFFER: usize = 1024;

/// How a plan is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How many builds may run at a time; none means all.
    pub parallel_builds: Option<usize>,
    /// What to do when a node of a machine fails.
    pub on_error: OnError,
}

/// How many nodes may run at once that keep the same thing busy.
///
/// Work for the processors gains nothing from more tasks than there are processors. An engine works on several requests
/// at once and is slowed down by very many; a process may be one that waits.
fn limit(load: Load) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match load {
        Load::Elsewhere => usize::MAX,
        Load::Engine => (4 * processors).max(16),
        Load::Processor => processors,
        Load::Process => (8 * processors).max(64),
    }
}

/// Runs a plan to its end and reports what happened.
///
/// Returns when every node has ended and every machine is gone, or is left on purpose.
pub async fn apply(
    plan: &Plan,
    registry: Arc<Registry>,
    services: Arc<Services>,
    ledger: Arc<Ledger>,
    options: Options,
    cancellation: &Cancellation,
    reporter: &mut dyn Reporter,
) -> RunReport {
    let (events, incoming) = mpsc::channel(EVENT_BUFFER);
    let data = Arc::new(lane::common_data(&services.run_id));
    let lanes = plan.graph.builds.iter().map(|_| Lane { data: data.clone(), ..Lane::default() }).collect();
    let mut run = Run {
        plan,
        registry,
        services,
        ledger,
        options,
        cancellation,
        reporter,
        events,
        states: States::new(plan),
        lanes,
        running: JoinSet::new(),
        work_of: HashMap::new(),
        reports: Vec::new(),
        active: 0,
        busy: Default::default(),
        limits: Load::ALL.map(limit),
        own: own_nodes(&plan.graph),
        touched: (0..plan.graph.builds.len()).collect(),
    };
    run.drive(incoming).await
}

/// What the loop knows of one build.
#[derive(Default)]
struct Lane {
    started: Option<Instant>,
    machine: Option<Arc<dyn Machine>>,
    data: Arc<BTreeMap<String, String>>,
    budget: Arc<Mutex<Budget>>,
    artifacts: HashMap<NodeId, Artifact>,
    errors: Vec<NodeError>,
    was_cancelled: bool,
    /// Whether the error-cleanup provisioner has run.
    cleanup_has_run: bool,
    /// How many of its tasks run.
    running: usize,
    has_ended: bool,
}

/// What a task is for.
#[derive(Clone, Debug)]
enum Work {
    Node(NodeId),
    ErrorCleanup { build: usize, keep_machine: bool },
    Destroy { build: usize },
    DiscardArtifact,
}

struct Started {
    work: Work,
    build: usize,
    node: NodeId,
    since: Instant,
    output: Output,
}

struct Run<'a> {
    plan: &'a Plan,
    registry: Arc<Registry>,
    services: Arc<Services>,
    ledger: Arc<Ledger>,
    options: Options,
    cancellation: &'a Cancellation,
    reporter: &'a mut dyn Reporter,
    events: mpsc::Sender<Event>,
    states: States,
    lanes: Vec<Lane>,
    running: JoinSet<Ended>,
    work_of: HashMap<tokio::task::Id, Started>,
    reports: Vec<BuildReport>,
    /// How many builds have begun and not ended.
    active: usize,
    /// How many nodes run of each kind of load, and how many may.
    busy: [usize; Load::ALL.len()],
    limits: [usize; Load::ALL.len()],
    /// Where each build's nodes are.
    own: Vec<OwnNodes>,
    /// Builds that may have ended since somebody looked.
    touched: BTreeSet<usize>,
}

/// Where the nodes of one build are in the graph.
struct OwnNodes {
    boot: usize,
    capture: usize,
    cleanup: Option<usize>,
    places: Range<usize>,
}

/// Finds the nodes of each build; a build's nodes stand side by side.
fn own_nodes(graph: &Graph) -> Vec<OwnNodes> {
    let mut own: Vec<OwnNodes> =
        graph.builds.iter().map(|_| OwnNodes { boot: 0, capture: 0, cleanup: None, places: 0..0 }).collect();
    for (place, node) in graph.nodes().enumerate() {
        let own = &mut own[node.build];
        if own.places.is_empty() {
            own.places = place..place;
        }
        own.places.end = place + 1;
        match node.kind {
            NodeKind::Boot => own.boot = place,
            NodeKind::Capture => own.capture = place,
            NodeKind::ErrorCleanup => own.cleanup = Some(place),
            NodeKind::Provision { .. } | NodeKind::PostProcess { .. } => {}
        }
    }
    own
}

impl<'a> Run<'a> {
    async fn drive(&mut self, mut incoming: mpsc::Receiver<Event>) -> RunReport {
        let began = Instant::now();
        self.reporter.report(&Event::RunStarted { run: self.services.run_id.clone() });
        for data in &self.plan.graph.data {
            // It was asked before there was a plan; without an answer there would be no run.
            let duration = data.asked.unwrap_or_default();
            self.reporter.report(&Event::NodeStarted { node: data.id.clone() });
            let status = NodeStatus::Ran;
            self.reporter.report(&Event::NodeFinished { node: data.id.clone(), status, duration, error: None });
        }
        for step in self.plan.steps().filter(|step| step.action == Action::Skip) {
            // An error-cleanup provisioner may still run; it ends with its build.
            if step.node.excluded.is_some() {
                self.finish_node(&step.node.id, NodeStatus::Skipped, Duration::ZERO, None);
            }
        }
        for step in self.plan.steps().filter(|step| step.action == Action::Reuse) {
            if let Some(artifact) = self.ledger.artifact(step.decision.key) {
                self.lanes[step.node.build].artifacts.insert(step.node.id.clone(), artifact);
            }
            if !has_work(&step) {
                self.finish_node(&step.node.id, NodeStatus::Cached, Duration::ZERO, None);
            }
        }
        let mut is_cancelling = false;
        loop {
            // A build that has ended makes room for another, so this comes first.
            self.finish_builds();
            if !is_cancelling {
                self.start_ready();
            }
            if self.running.is_empty() && self.states.all_ended() {
                break;
            }
            if incoming.is_empty() {
                self.reporter.settle();
            }
            tokio::select! {
                biased;
                Some(event) = incoming.recv() => self.reporter.report(&event),
                () = self.cancellation.token().cancelled(), if !is_cancelling => {
                    is_cancelling = true;
                    self.cancel();
                }
                Some(joined) = self.running.join_next_with_id() => {
                    // What a task printed comes before its end.
                    while let Ok(event) = incoming.try_recv() {
                        self.reporter.report(&event);
                    }
                    self.joined(joined);
                }
            }
        }
        let status = if self.cancellation.reason().is_some() {
            RunStatus::Cancelled
        } else if self.reports.iter().any(|build| build.status != RunStatus::Succeeded) {
            RunStatus::Failed
        } else {
            RunStatus::Succeeded
        };
        self.reports.sort_by_key(|report| report.build);
        let report = RunReport {
            status,
            cancelled: self.cancellation.reason(),
            builds: std::mem::take(&mut self.reports),
            duration: began.elapsed(),
        };
        self.reporter.report(&Event::RunFinished { report: report.clone() });
        self.reporter.settle();
        report
    }

    /// Tells whether a node is there to go on from its stored state.
    fn is_start(&self, node: &Node) -> bool {
        self.plan.step(&node.id).is_some_and(|step| step.decision.is_start)
    }

    fn start_ready(&mut self) {
        loop {
            let room = Room {
                build: self.active < self.options.parallel_builds.unwrap_or(usize::MAX),
                load: Load::ALL.map(|load| self.busy[load as usize] < self.limits[load as usize]),
            };
            let Some((id, load)) = self.states.start_next(room) else { return };
            self.busy[load as usize] += 1;
            self.start_node(&id);
        }
    }

    fn node(&self, id: &NodeId) -> &'a Node {
        self.plan.graph.node(id).expect("every id of the run is from its graph")
    }

    fn context(&self, node: &Node) -> NodeContext {
        let build = self.plan.graph.build_of(node).clone();
        NodeContext {
            node: node.id.clone(),
            build,
            cancel: self.cancellation.token().child_token(),
            services: self.services.clone(),
            data: self.lanes[node.build].data.clone(),
            taken: Arc::new(self.taken(node)),
            output: Output::new(node.id.clone(), self.events.clone(), self.services.clone()),
        }
    }

    /// Finds the artifacts of other builds that a node takes.
    fn taken(&self, node: &Node) -> BTreeMap<String, Artifact> {
        let found = node.chained.iter().filter_map(|chained| {
            let artifact = self.lanes[self.node(&chained.from).build].artifacts.get(&chained.from)?;
            Some((chained.written.clone(), artifact.clone()))
        });
        found.collect()
    }

    fn spawn(&mut self, work: Work, node: &Node, ctx: &NodeContext, task: BoxFuture<'static, Ended>) {
        let lane = &mut self.lanes[node.build];
        lane.running += 1;
        if lane.started.is_none() {
            lane.started = Some(Instant::now());
            self.active += 1;
        }
        let handle = self.running.spawn(task);
        let started = Started {
            work,
            build: node.build,
            node: node.id.clone(),
            since: Instant::now(),
            output: ctx.output.clone(),
        };
        self.work_of.insert(handle.id(), started);
    }

    fn start_node(&mut self, id: &NodeId) {
        let node = self.node(id);
        if !self.is_start(node) {
            self.reporter.report(&Event::NodeStarted { node: id.clone() });
        }
        let ctx = self.context(node);
        let task = match self.task(node, &ctx) {
            Ok(task) => task,
            Err(failure) => futures::future::ready(Err(failure)).boxed(),
        };
        let may_ask = self.options.on_error == OnError::Ask && !matches!(node.kind, NodeKind::PostProcess { .. });
        let again = may_ask.then(|| Again { ctx: ctx.clone(), make: self.maker(node, &ctx) });
        let ended = settle(task, again).boxed();
        self.spawn(Work::Node(id.clone()), node, &ctx, ended);
    }

    /// Makes a function that makes a node's task anew, for a user who chooses to try again.
    fn maker(&self, node: &Node, ctx: &NodeContext) -> Box<dyn Fn() -> Outcome<Task> + Send> {
        let (node, ctx) = (node.clone(), ctx.clone());
        let work = self.machine_work(&node);
        Box::new(move || machine_task(&node, &ctx, &work))
    }

    fn machine_work(&self, node: &Node) -> MachineWork {
        let start = self.is_start(node).then(|| {
            let key = self.plan.step(&node.id).and_then(|step| step.decision.key);
            let boot = self.boot_of(node.build);
            Some(Start { snapshot: self.ledger.snapshot(key)?, boot: boot.clone(), takes: self.taken(boot) })
        });
        MachineWork {
            registry: self.registry.clone(),
            ledger: self.ledger.clone(),
            machine: self.lanes[node.build].machine.clone(),
            start: start.flatten(),
            before_capture: self.before(node),
            budget: self.lanes[node.build].budget.clone(),
            goes_on: self.options.on_error == OnError::Continue,
            purpose: keeping::purpose(self.plan, node),
        }
    }

    /// Returns the provisioner that leaves the machine to a capture, if there is one.
    fn before(&self, node: &Node) -> Option<Node> {
        let mut given = self.plan.graph.inputs(&node.id).filter(|_| node.kind == NodeKind::Capture);
        let (_, before) = given.find(|(edge, _)| *edge == Edge::Machine)?;
        matches!(before.kind, NodeKind::Provision { .. }).then(|| before.clone())
    }

    fn task(&self, node: &Node, ctx: &NodeContext) -> Outcome<Task> {
        let NodeKind::PostProcess { .. } = node.kind else {
            return machine_task(node, ctx, &self.machine_work(node));
        };
        let source = self.artifact_source(&node.id);
        let input = source.and_then(|source| self.lanes[node.build].artifacts.get(&source.id)).cloned();
        let (Some(source), Some(input)) = (source, input) else {
            return Err(Failure::new("there is no artifact to work on"));
        };
        // What goes in is destroyed right away, except for the builder's artifact, which other sequences share, and
        // what its maker has just passed on and keeps, as a manifest does.
        let discards = !node.keeps_input && source.kind != NodeKind::Capture && !self.keeps_what_it_passes_on(source);
        let maker = if discards { Some(Maker::of(source, &self.registry)?) } else { None };
        let mut data = (*ctx.data).clone();
        data.extend(input.data.clone());
        let ctx = NodeContext { data: Arc::new(data), ..ctx.clone() };
        let settings = self.registry.settings(node, &ctx)?;
        let post_processor = self.registry.post_processor(&node.component, &settings)?;
        let (ledger, node, source) = (self.ledger.clone(), node.clone(), source.id.clone());
        Ok(async move {
            let began = Instant::now();
            let output = post_processor.process(&ctx, &input).await?;
            let took = began.elapsed();
            let identity = post_processor.identity(&ctx.services.engine, &output);
            keeping::keep_artifact(&ctx, &ledger, &node, &output, identity, post_processor.outputs(), took).await;
            post_processor.kept(&ctx);
            if let Some(maker) = maker {
                maker.discard(&ctx, &input, Some(&output)).await?;
                ledger.consumed(&source);
            }
            Ok(Product::Artifact(output))
        }
        .boxed())
    }

    /// Tells whether a post-processor's artifact is the one that it was given, and is to be kept as its input.
    ///
    /// Packer destroys it then if the next step does not keep its input, and lists it all the same.
    fn keeps_what_it_passes_on(&self, node: &Node) -> bool {
        let artifact_of = |node: &Node| self.lanes[node.build].artifacts.get(&node.id);
        let input = self.artifact_source(&node.id).and_then(artifact_of);
        node.keeps_input
            && input
                .zip(artifact_of(node))
                .is_some_and(|(input, output)| input.id == output.id && input.files == output.files)
    }

    /// Finds the node whose artifact a post-processor works on; it may take those of other builds beside.
    fn artifact_source(&self, id: &NodeId) -> Option<&'a Node> {
        let build = self.node(id).build;
        let mut given = self.plan.graph.inputs(id);
        given.find(|(edge, node)| *edge == Edge::Artifact && node.build == build).map(|(_, node)| node)
    }

    fn joined(&mut self, joined: Result<(tokio::task::Id, Ended), tokio::task::JoinError>) {
        let (id, ended) = match joined {
            Ok((id, ended)) => (id, ended),
            Err(error) => {
                let failure = Failure::new(error.to_string())
                    .context("rpk itself failed")
                    .help("please report this with the template and the output");
                let ended = Ended { result: Err(failure), decision: None };
                (error.id(), ended)
            }
        };
        let started = self.work_of.remove(&id).expect("every task is registered at its spawn");
        self.lanes[started.build].running -= 1;
        self.touched.insert(started.build);
        match started.work.clone() {
            Work::Node(node) => {
                self.busy[self.node(&node).load as usize] -= 1;
                self.node_ended(&node, &started, ended);
            }
            Work::ErrorCleanup { build, keep_machine } => {
                self.lanes[build].cleanup_has_run = true;
                self.conclude(&started, ended.result);
                self.leave_machine(build, keep_machine);
            }
            Work::Destroy { build } => {
                if let Err(failure) = ended.result {
                    let error = self.error(&started, failure);
                    self.lanes[build].errors.push(error);
                }
            }
            Work::DiscardArtifact => {
                if let Err(failure) = ended.result {
                    let error = self.error(&started, failure);
                    self.lanes[started.build].errors.push(error);
                }
            }
        }
    }

    fn error(&self, started: &Started, failure: Failure) -> NodeError {
        let redact = |text: &String| self.services.redactor.redact(text);
        NodeError {
            node: started.node.clone(),
            failure: Failure {
                chain: failure.chain.iter().map(redact).collect(),
                help: failure.help.as_ref().map(redact),
                ..failure
            },
            last_lines: started.output.last_lines(),
        }
    }

    /// Reports a node's end and returns its status.
    fn conclude(&mut self, started: &Started, result: Outcome<Product>) -> NodeStatus {
        let success = if self.is_start(self.node(&started.node)) { NodeStatus::Cached } else { NodeStatus::Ran };
        let lane = &mut self.lanes[started.build];
        let (status, error) = match result {
            Ok(product) => {
                match product {
                    Product::Machine(machine) => {
                        let mut data = (*lane.data).clone();
                        data.extend(machine.data());
                        lane.data = Arc::new(data);
                        lane.machine = Some(machine);
                    }
                    Product::Artifact(artifact) => {
                        lane.artifacts.insert(started.node.clone(), artifact);
                    }
                    Product::Nothing => {}
                }
                (success, None)
            }
            Err(failure) if failure.kind == FailureKind::Cancelled => {
                lane.was_cancelled = true;
                (NodeStatus::Cancelled, None)
            }
            Err(failure) => (NodeStatus::Failed, Some(self.error(started, failure))),
        };
        self.lanes[started.build].errors.extend(error.clone());
        self.finish_node(&started.node, status, started.since.elapsed(), error);
        status
    }

    fn node_ended(&mut self, id: &NodeId, started: &Started, ended: Ended) {
        let status = self.conclude(started, ended.result);
        for cancelled in self.states.end(id, status) {
            self.touched.insert(self.node(&cancelled).build);
            self.finish_node(&cancelled, NodeStatus::Cancelled, Duration::ZERO, None);
        }
        let node = self.node(id);
        match (&node.kind, status) {
            (NodeKind::PostProcess { .. }, _) => {}
            (NodeKind::Capture, NodeStatus::Ran) => self.leave_machine(node.build, false),
            (_, NodeStatus::Ran | NodeStatus::Cached) if self.cancellation.reason().is_none() => {
                if !self.is_followed(node) {
                    self.leave_machine(node.build, false);
                }
            }
            (_, NodeStatus::Failed) if self.cancellation.reason().is_none() => {
                self.machine_failed(node, ended.decision.unwrap_or(self.options.on_error));
            }
            _ => self.leave_machine(node.build, false),
        }
    }

    /// Tells whether another node of the plan works on the machine that a node leaves.
    fn is_followed(&self, node: &Node) -> bool {
        let mut next = self.plan.graph.outputs(&node.id).filter(|(edge, _)| *edge == Edge::Machine);
        next.any(|(_, next)| self.plan.step(&next.id).is_some_and(|step| has_work(&step)))
    }

    /// Runs the error-cleanup provisioner and removes the machine, as far as `-on-error` says.
    fn machine_failed(&mut self, node: &Node, on_error: OnError) {
        let build = node.build;
        if self.lanes[build].machine.is_none() {
            return;
        }
        let keep_machine = matches!(on_error, OnError::Abort | OnError::RunCleanupProvisioner);
        let cleanup = self.cleanup_of(build);
        match cleanup {
            Some(cleanup) if on_error != OnError::Abort => {
                self.reporter.report(&Event::NodeStarted { node: cleanup.id.clone() });
                let ctx = self.context(cleanup);
                let task = machine_task(cleanup, &ctx, &self.machine_work(cleanup));
                let task = task.unwrap_or_else(|failure| futures::future::ready(Err(failure)).boxed());
                self.spawn(Work::ErrorCleanup { build, keep_machine }, cleanup, &ctx, settle(task, None).boxed());
            }
            _ => self.leave_machine(build, keep_machine),
        }
    }

    /// Removes a build's machine, if it has one, or says that it stays.
    fn leave_machine(&mut self, build: usize, keep: bool) {
        let Some(machine) = self.lanes[build].machine.take() else {
            return;
        };
        let boot = self.boot_of(build);
        let ctx = self.context(boot);
        let task = async move {
            let result = if keep {
                machine.release(&ctx);
                let id = machine.data().remove("ID").unwrap_or_default();
                ctx.say(format!("aborted: the machine is left as it is: {id}")).await;
                Ok(())
            } else {
                lane::destroy(&ctx, machine.as_ref()).await
            };
            Ended { result: result.map(|()| Product::Nothing), decision: None }
        };
        let ctx = self.context(boot);
        self.spawn(Work::Destroy { build }, boot, &ctx, task.boxed());
    }

    fn boot_of(&self, build: usize) -> &'a Node {
        self.plan.graph.at(self.own[build].boot)
    }

    /// Returns a build's error-cleanup provisioner, if it takes part.
    fn cleanup_of(&self, build: usize) -> Option<&'a Node> {
        let cleanup = self.own[build].cleanup?;
        Some(self.plan.graph.at(cleanup)).filter(|node| node.excluded.is_none())
    }

    fn cancel(&mut self) {
        if let Some(reason) = self.cancellation.reason() {
            self.reporter.report(&Event::Cancelling { reason });
        }
        self.touched.extend(0..self.lanes.len());
        for id in self.states.cancel_waiting() {
            let build = self.node(&id).build;
            self.lanes[build].was_cancelled = true;
            self.finish_node(&id, NodeStatus::Cancelled, Duration::ZERO, None);
        }
        // Where a node of the machine runs, the machine goes when that node has ended.
        for build in 0..self.lanes.len() {
            let is_busy = self.work_of.values().any(|started| {
                started.build == build && !matches!(self.node(&started.node).kind, NodeKind::PostProcess { .. })
            });
            if !is_busy {
                self.leave_machine(build, false);
            }
        }
    }

    fn finish_node(&mut self, node: &NodeId, status: NodeStatus, duration: Duration, error: Option<NodeError>) {
        self.reporter.report(&Event::NodeFinished { node: node.clone(), status, duration, error });
    }
}
