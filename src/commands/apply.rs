//! `rpk apply` and `rpk build`

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpk_planner::graph::{Graph, NodeKind};
use rpk_planner::plan::{self, Action, Plan};
use rpk_runtime::budget::SnapshotPolicy;
use rpk_runtime::cache::{BuildLocks, Ledger, StoredResults, keep_within_limit, size_limit};
use rpk_runtime::cancel::{CancelReason, Cancellation};
use rpk_runtime::context::{OnError, Prompt, Services};
use rpk_runtime::event::{Reporter, RunReport, RunStatus};
use rpk_runtime::executor::{self, Options};
use rpk_runtime::failure::{Failure, Outcome};
use rpk_runtime::journal::Journal;
use rpk_runtime::recovery;
use rpk_runtime::registry::Registry;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::plan::{find, nodes_named};
use super::saved::SavedPlan;
use crate::cli::{self, ApplyArguments, Format};
use crate::decide::{self, Grounds};
use crate::exit::Exit;
use crate::prompt::{Nobody, Terminal};
use crate::report::record::{self, All, Record};
use crate::report::{Screen, human::Human, json::JsonLines, machine::Machine, timeline, write_err};
use crate::{input, report};

/// Runs what the plan says.
pub fn run(arguments: &ApplyArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let saved = match SavedPlan::named(&arguments.template) {
        Ok(Some(_)) if arguments.no_cache || arguments.force || !arguments.no_cache_from.is_empty() => {
            screen.error("a saved plan runs as it is, without `-no-cache`, `-no-cache-from` and `-force`", None);
            return Exit::Failure;
        }
        Ok(saved) => saved,
        Err(message) => {
            screen.error(&message, None);
            return Exit::Failure;
        }
    };
    let template =
        saved.as_ref().map_or_else(|| arguments.template.clone(), |saved| saved.arguments(&arguments.template));
    let mut read = input::read(&template);
    read.seed = saved.as_ref().map_or(read.seed, |saved| saved.seed);
    let now = saved.as_ref().map_or_else(report::now_nanoseconds, SavedPlan::now_nanoseconds);
    let registry = Arc::new(Registry::default());
    read.warn_of_undeclared(arguments.warn_on_undeclared_var);
    read.ask_data_sources();
    let graph = read.lower(&template, &registry, now);
    read.report_unasked(true);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    let ended = Grounds::new(registry, false).and_then(|mut grounds| {
        let runtime = decide::threads()?;
        let status = runtime.block_on(apply(arguments, graph, &read.name, saved.as_ref(), &mut grounds, &screen));
        // A question that nobody answers must not keep the program from ending.
        runtime.shutdown_background();
        status
    });
    match ended {
        Ok(RunStatus::Succeeded) => Exit::Success,
        Ok(RunStatus::Failed | RunStatus::Cancelled) => Exit::Failure,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

async fn apply(
    arguments: &ApplyArguments,
    graph: Graph,
    template: &str,
    saved: Option<&SavedPlan>,
    grounds: &mut Grounds,
    screen: &Screen,
) -> Outcome<RunStatus> {
    prepare(grounds, screen).await?;
    let ids = |names: &[String]| names.iter().map(|name| find(&graph, name, screen)).collect::<Option<Vec<_>>>();
    let (Some(no_cache_from), Some(targets)) = (ids(&arguments.no_cache_from), ids(&arguments.target)) else {
        return Ok(RunStatus::Failed);
    };
    let options = plan::Options {
        template: template.to_owned(),
        no_cache: arguments.no_cache || arguments.force,
        no_cache_from,
        targets: saved.map_or(targets, |saved| nodes_named(&graph, saved.targets())),
        ..plan::Options::default()
    };
    let (plan, stored, locks) = decide_alone(grounds, graph.clone(), options, screen).await?;
    if saved.is_some_and(|saved| !saved.holds(&plan, screen)) {
        return Ok(RunStatus::Failed);
    }
    let summary = plan.summary();
    if summary.total == summary.skipped {
        screen.error(
            "there is nothing to build",
            Some("check `-only` and `-except`: they leave out every build of the template"),
        );
        return Ok(RunStatus::Failed);
    }
    if !check_components(&plan, &grounds.registry, screen) {
        return Ok(RunStatus::Failed);
    }
    let is_for_machines = arguments.output.machine_readable || arguments.format == Format::Json;
    let reporter: Box<dyn Reporter> = if arguments.output.machine_readable {
        Box::new(Machine::new(&plan))
    } else if arguments.format == Format::Json {
        Box::new(JsonLines::new(&plan))
    } else {
        Box::new(Human::new(&plan, screen, arguments.timestamp_ui))
    };
    let prompt: Box<dyn Prompt> = if is_for_machines { Box::new(Nobody) } else { Box::new(Terminal) };
    let snapshots = match arguments.snapshots {
        _ if arguments.no_cache => SnapshotPolicy::Never,
        cli::Snapshots::Auto => SnapshotPolicy::Auto,
        cli::Snapshots::Always => SnapshotPolicy::Always,
        cli::Snapshots::Never => SnapshotPolicy::Never,
    };
    let ledger = Ledger::new(grounds.cache.clone(), grounds.digests.clone(), stored, &plan, snapshots);
    let on_error = match arguments.on_error {
        cli::OnError::Cleanup | cli::OnError::Shell => OnError::Cleanup,
        cli::OnError::Abort => OnError::Abort,
        cli::OnError::Ask => OnError::Ask,
        cli::OnError::RunCleanupProvisioner => OnError::RunCleanupProvisioner,
        cli::OnError::Continue => OnError::Continue,
    };
    let parallel_builds = usize::try_from(arguments.parallel_builds).ok().filter(|count| *count > 0);
    let run = Execution {
        options: Options { parallel_builds, on_error },
        force: arguments.force,
        trace: arguments.trace.as_deref(),
    };
    let report = execute(&plan, grounds, ledger, prompt, reporter, run).await?;
    drop(locks);
    told(recovery::clean_up_late(&grounds.cache, &grounds.engine).await, screen);
    record::forget_old(grounds.cache.root());
    keep_within_limit(&grounds.cache, &grounds.engine, size_limit()?).await;
    if arguments.on_error == cli::OnError::Shell
        && let Some(failed) = report.builds.iter().flat_map(|build| &build.errors).next()
    {
        screen.note(Some(&format!("Opening a shell in the machine as it was before {}...", failed.node)));
        super::shell::open(&failed.node, graph, template, grounds, screen).await?;
    }
    Ok(report.status)
}

/// Makes the cache ready and takes away what killed runs have left.
pub(super) async fn prepare(grounds: &mut Grounds, screen: &Screen) -> Outcome<()> {
    grounds.cache.prepare()?;
    told(recovery::clean_up(&grounds.cache, &grounds.engine).await, screen);
    Ok(())
}

fn told(removed: Vec<String>, screen: &Screen) {
    for left in removed {
        screen.note(Some(&format!("Removed what a run that was killed has left: {left}")));
    }
}

/// Decides what is done and sees to it that no other process does the same at the same time: the second one waits,
/// and decides again in view of what the first has done.
pub(super) async fn decide_alone(
    grounds: &Grounds,
    graph: Graph,
    options: plan::Options,
    screen: &Screen,
) -> Outcome<(Plan, StoredResults, BuildLocks)> {
    loop {
        let (plan, stored) = grounds.decide(graph.clone(), options.clone()).await;
        let names = lock_names(&plan);
        let waiting = || screen.note(Some("Waiting for another rpk that builds the same..."));
        let (locks, has_waited) = BuildLocks::take(&grounds.cache, names, waiting).await?;
        if !has_waited {
            return Ok((plan, stored, locks));
        }
    }
}

/// Names what no other process may make at the same time: the machines that run, each by the key of its artifact.
fn lock_names(plan: &Plan) -> Vec<String> {
    let running = plan.steps().filter(|step| matches!(step.action, Action::Run | Action::Unknown));
    let builds: BTreeSet<usize> = running.map(|step| step.node.build).collect();
    let captures = plan.steps().filter(|step| step.node.kind == NodeKind::Capture && builds.contains(&step.node.build));
    captures
        .filter_map(|step| step.decision.key.filter(|_| step.decision.is_reusable))
        .map(|key| key.to_string())
        .collect()
}

/// Refuses a plan with components that rpk cannot run, before anything is started.
fn check_components(plan: &Plan, registry: &Registry, screen: &Screen) -> bool {
    let mut reported: Vec<String> = Vec::new();
    for step in plan.steps() {
        let may_run =
            step.action == Action::Run || step.node.kind == NodeKind::ErrorCleanup && step.node.excluded.is_none();
        if !may_run {
            continue;
        }
        let node = step.node;
        let made = match node.kind {
            NodeKind::Boot | NodeKind::Capture => registry.builder(&node.component, &node.settings).map(|_| ()),
            NodeKind::Provision { .. } | NodeKind::ErrorCleanup => {
                registry.provisioner(&node.component, &node.settings).map(|_| ())
            }
            NodeKind::PostProcess { .. } => registry.post_processor(&node.component, &node.settings).map(|_| ()),
        };
        if let Err(failure) = made {
            let message = failure.to_string();
            if !reported.contains(&message) {
                screen.error(&message, failure.help.as_deref());
                reported.push(message);
            }
        }
    }
    reported.is_empty()
}

/// How a plan is run, beside what it says.
#[derive(Clone, Copy, Default)]
pub(super) struct Execution<'a> {
    pub options: Options,
    pub force: bool,
    pub trace: Option<&'a Path>,
}

/// Makes what the nodes of a run share, the run's journal among it.
pub(super) fn services(plan: &Plan, grounds: &Grounds, prompt: Box<dyn Prompt>, force: bool) -> Arc<Services> {
    let run_id = uuid::Uuid::new_v4().to_string();
    let folder = grounds.cache.root().join("runs").join(&run_id);
    let journal = Journal::begin(&folder).unwrap_or_else(|error| {
        write_err(&format!("the run goes on without a journal: cannot write in {}: {error}\n", folder.display()));
        Journal::default()
    });
    Arc::new(Services {
        run_id,
        force,
        late: plan.graph.late.clone(),
        redactor: plan.graph.redactor.clone(),
        prompt,
        engine: grounds.engine.clone(),
        journal,
    })
}

/// Runs a plan, with a record of it.
pub(super) async fn execute(
    plan: &Plan,
    grounds: &Grounds,
    ledger: Ledger,
    prompt: Box<dyn Prompt>,
    reporter: Box<dyn Reporter>,
    execution: Execution<'_>,
) -> Outcome<RunReport> {
    let cancellation = Arc::new(Cancellation::default());
    let stop_now = Arc::new(Notify::new());
    let listener = listen(cancellation.clone(), stop_now.clone())
        .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let services = services(plan, grounds, prompt, execution.force);
    let root = grounds.cache.root();
    let folder = root.join("runs").join(&services.run_id);
    let mut reporters = All(vec![reporter]);
    match Record::begin(&folder, &services.run_id, plan) {
        Ok(record) => reporters.0.push(Box::new(record)),
        Err(error) => write_err(&format!("the run is not recorded: cannot write in {}: {error}\n", folder.display())),
    }
    let ledger = Arc::new(ledger);
    let registry = grounds.registry.clone();
    let options = execution.options;
    let report = {
        let run =
            executor::apply(plan, registry, services.clone(), ledger.clone(), options, &cancellation, &mut reporters);
        tokio::select! {
            report = run => report,
            () = stop_now.notified() => {
                // What is left stands in the journal, which stays for the next run.
                services.journal.end();
                return Err(Failure::new("stopped at once, without cleaning up")
                    .help("the next `rpk apply` removes what is left"));
            }
        }
    };
    listener.abort();
    if let Some(remark) = ledger.store() {
        write_err(&format!("{remark}\n"));
    }
    if let Some(problem) = services.journal.problem() {
        write_err(&format!("the run's journal cannot be written, a crash would have left something: {problem}\n"));
    }
    services.journal.end();
    if let Some(path) = execution.trace {
        let events = record::events(root, &services.run_id).map_err(|error| {
            Failure::new(error.to_string()).context(format!("cannot read the run's record in {}", folder.display()))
        })?;
        std::fs::write(path, timeline::trace(&timeline::spans(&events))).map_err(|error| {
            Failure::new(error.to_string()).context(format!("cannot write the trace to {}", path.display()))
        })?;
    }
    Ok(report)
}

/// How long after the first signal another one means to stop at once: keys bounce, and some shells signal twice.
const SECOND_THOUGHT: Duration = Duration::from_secs(1);

/// Turns signals into a cancellation. Another interrupt, a moment later, stops everything at once.
///
/// The handlers stand when this returns, so that no signal can end rpk once a machine may exist.
#[cfg(unix)]
fn listen(cancellation: Arc<Cancellation>, stop_now: Arc<Notify>) -> std::io::Result<JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => CancelReason::Interrupt,
                _ = terminate.recv() => CancelReason::Terminate,
                _ = hang_up.recv() => CancelReason::HangUp,
            };
            let first = *first.get_or_insert_with(Instant::now);
            if reason == CancelReason::Interrupt && first.elapsed() >= SECOND_THOUGHT {
                stop_now.notify_one();
            }
            cancellation.cancel(reason);
        }
    }))
}

#[cfg(not(unix))]
fn listen(cancellation: Arc<Cancellation>, stop_now: Arc<Notify>) -> std::io::Result<JoinHandle<()>> {
    Ok(tokio::spawn(async move {
        let mut first: Option<Instant> = None;
        while tokio::signal::ctrl_c().await.is_ok() {
            if first.get_or_insert_with(Instant::now).elapsed() >= SECOND_THOUGHT {
                stop_now.notify_one();
            }
            cancellation.cancel(CancelReason::Interrupt);
        }
    }))
}
