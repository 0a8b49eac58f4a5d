//! Running a plan, for `apply` and `shell` alike: alone, with a journal and a record, and as signals say.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpk_planner::graph::{Graph, NodeKind};
use rpk_planner::plan::{self, Action, Plan};
use rpk_runtime::cache::{BuildLocks, Ledger, StoredResults};
use rpk_runtime::cancel::{CancelReason, Cancellation};
use rpk_runtime::context::{Prompt, Services};
use rpk_runtime::event::{Reporter, RunReport};
use rpk_runtime::executor::{self, Options};
use rpk_runtime::failure::{Failure, Outcome};
use rpk_runtime::journal::Journal;
use rpk_runtime::recovery;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::decide::Grounds;
use crate::report::record::{self, All, Record};
use crate::report::{Screen, timeline, write_err};

/// Makes the cache ready and takes away what killed runs have left.
pub async fn prepare(grounds: &mut Grounds, screen: &Screen) -> Outcome<()> {
    grounds.cache.prepare()?;
    told(recovery::clean_up(&grounds.cache, &grounds.engine).await, screen);
    Ok(())
}

/// Says what was taken away.
pub fn told(removed: Vec<String>, screen: &Screen) {
    for left in removed {
        screen.note(Some(&format!("Removed what a run that was killed has left: {left}")));
    }
}

/// Decides what is done and sees to it that no other process does the same at the same time: the second one waits,
/// and decides again in view of what the first has done.
pub async fn decide_alone(
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

/// How a plan is run, beside what it says.
#[derive(Clone, Copy, Default)]
pub struct Execution<'a> {
    pub options: Options,
    pub force: bool,
    pub trace: Option<&'a Path>,
}

/// Makes what the nodes of a run share, the run's journal among it.
pub fn services(plan: &Plan, grounds: &Grounds, prompt: Box<dyn Prompt>, force: bool) -> Arc<Services> {
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
pub async fn execute(
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
    let returning = ledger.clone();
    let put_back = tokio::task::spawn_blocking(move || returning.put_back()).await;
    put_back.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| {
        Failure::new(error.to_string())
            .context("putting a file back from the cache")
            .help("run `rpk apply` again: what cannot be put back is made again")
    })?;
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
