//! `rpk apply` and `rpk build`

use std::collections::BTreeSet;
use std::sync::Arc;

use rpk_planner::graph::{Graph, NodeKind};
use rpk_planner::plan::{self, Action, Plan};
use rpk_runtime::budget::SnapshotPolicy;
use rpk_runtime::cache::{BuildLocks, Ledger, StoredResults, keep_within_limit, size_limit};
use rpk_runtime::cancel::{CancelReason, Cancellation};
use rpk_runtime::context::{OnError, Prompt, Services};
use rpk_runtime::event::{Reporter, RunStatus};
use rpk_runtime::executor::{self, Options};
use rpk_runtime::failure::{Failure, Outcome};
use rpk_runtime::journal::Journal;
use rpk_runtime::recovery;
use rpk_runtime::registry::Registry;
use tokio::task::JoinHandle;

use super::plan::find;
use crate::cli::{self, ApplyArguments, Format};
use crate::decide::{self, Grounds};
use crate::exit::Exit;
use crate::prompt::{Nobody, Terminal};
use crate::report::record::{self, All, Record};
use crate::report::{Screen, human::Human, json::JsonLines, machine::Machine, timeline};
use crate::{input, report};

/// Runs what the plan says.
pub fn run(arguments: &ApplyArguments) -> Exit {
    let mut read = input::read(&arguments.template);
    let registry = Arc::new(Registry::default());
    read.warn_of_undeclared(arguments.warn_on_undeclared_var);
    read.ask_data_sources();
    let graph = read.lower(&arguments.template, &registry, report::now_nanoseconds());
    read.report_unasked(true);
    let screen = Screen::new(&arguments.output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    let ended = Grounds::new(registry, false).and_then(|grounds| {
        let runtime = decide::threads()?;
        let status = runtime.block_on(apply(arguments, graph, &read.name, grounds, &screen));
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
    mut grounds: Grounds,
    screen: &Screen,
) -> Outcome<RunStatus> {
    grounds.cache.prepare()?;
    for left in recovery::clean_up(&grounds.cache, &grounds.engine).await {
        screen.note(Some(&format!("Removed what a run that was killed has left: {left}")));
    }
    let no_cache_from = arguments.no_cache_from.iter().map(|name| find(&graph, name, screen)).collect::<Option<_>>();
    let Some(no_cache_from) = no_cache_from else { return Ok(RunStatus::Failed) };
    let options = plan::Options {
        template: template.to_owned(),
        no_cache: arguments.no_cache || arguments.force,
        no_cache_from,
        ..plan::Options::default()
    };
    let (plan, stored, _locks) = decide_alone(&grounds, graph, options, screen).await?;
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
    let status = execute(arguments, &plan, &grounds, ledger, prompt, reporter).await?;
    record::forget_old(grounds.cache.root());
    keep_within_limit(&grounds.cache, &grounds.engine, size_limit()?).await;
    Ok(status)
}

/// Decides what is done and sees to it that no other process does the same at the same time: the second one waits,
/// and decides again in view of what the first has done.
async fn decide_alone(
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

async fn execute(
    arguments: &ApplyArguments,
    plan: &Plan,
    grounds: &Grounds,
    ledger: Ledger,
    prompt: Box<dyn Prompt>,
    reporter: Box<dyn Reporter>,
) -> Outcome<RunStatus> {
    let cancellation = Arc::new(Cancellation::default());
    let listener =
        listen(cancellation.clone()).map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let run_id = uuid::Uuid::new_v4().to_string();
    let folder = grounds.cache.root().join("runs").join(&run_id);
    let journal = Journal::begin(&folder).map_err(|error| {
        Failure::new(error.to_string())
            .context(format!("cannot write the run's journal in {}", folder.display()))
            .help("make room on the disk, or set RPK_CACHE_DIR to another folder")
    })?;
    let unwritable = |error: std::io::Error| {
        Failure::new(error.to_string()).context(format!("cannot write the run's record in {}", folder.display()))
    };
    let mut reporters = All(vec![reporter, Box::new(Record::begin(&folder, &run_id, plan).map_err(unwritable)?)]);
    let services = Arc::new(Services {
        run_id: run_id.clone(),
        force: arguments.force,
        late: plan.graph.late.clone(),
        redactor: plan.graph.redactor.clone(),
        prompt,
        engine: grounds.engine.clone(),
        journal,
    });
    let options = Options {
        parallel_builds: usize::try_from(arguments.parallel_builds).ok().filter(|count| *count > 0),
        on_error: match arguments.on_error {
            cli::OnError::Cleanup => OnError::Cleanup,
            cli::OnError::Abort => OnError::Abort,
            cli::OnError::Ask => OnError::Ask,
            cli::OnError::RunCleanupProvisioner => OnError::RunCleanupProvisioner,
        },
    };
    let ledger = Arc::new(ledger);
    let (registry, kept) = (grounds.registry.clone(), ledger.clone());
    let report = executor::apply(plan, registry, services.clone(), kept, options, &cancellation, &mut reporters).await;
    listener.abort();
    if let Some(remark) = ledger.store() {
        crate::report::write_err(&format!("{remark}\n"));
    }
    services.journal.end();
    if let Some(path) = &arguments.trace {
        let events = record::events(grounds.cache.root(), &run_id).map_err(unwritable)?;
        std::fs::write(path, timeline::trace(&timeline::spans(&events))).map_err(|error| {
            Failure::new(error.to_string()).context(format!("cannot write the trace to {}", path.display()))
        })?;
    }
    Ok(report.status)
}

/// Turns signals into a cancellation. Further signals change nothing: cleaning up goes on.
///
/// The handlers stand when this returns, so that no signal can end rpk once a machine may exist.
#[cfg(unix)]
fn listen(cancellation: Arc<Cancellation>) -> std::io::Result<JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => CancelReason::Interrupt,
                _ = terminate.recv() => CancelReason::Terminate,
                _ = hang_up.recv() => CancelReason::HangUp,
            };
            cancellation.cancel(reason);
        }
    }))
}

#[cfg(not(unix))]
fn listen(cancellation: Arc<Cancellation>) -> std::io::Result<JoinHandle<()>> {
    Ok(tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            cancellation.cancel(CancelReason::Interrupt);
        }
    }))
}
