//! `rpk shell`: a shell in a machine as it is before one of its nodes.
//!
//! The machine starts from its stored state. Where that is not stored, everything up to it is run first.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpk_planner::graph::{Edge, Graph, Node, NodeId, NodeKind};
use rpk_planner::plan::{self, Plan};
use rpk_runtime::artifact::Artifact;
use rpk_runtime::budget::SnapshotPolicy;
use rpk_runtime::builder::{Machine, Snapshot};
use rpk_runtime::cache::{Ledger, StoredResult, StoredResults};
use rpk_runtime::context::{NodeContext, Output};
use rpk_runtime::event::{Event, RunStatus};
use rpk_runtime::failure::{Failure, Outcome};
use tokio::sync::mpsc;

use super::plan::find;
use crate::cli::ShellArguments;
use crate::decide::{Grounds, threads};
use crate::execution::{Execution, decide_alone, execute, prepare, services};
use crate::exit::Exit;
use crate::prompt::Nobody;
use crate::report::{Screen, human::Human, write_err};
use crate::{input, plugins, report};

/// Opens the shell.
pub fn run(arguments: &ShellArguments) -> Exit {
    let mut read = input::read(&arguments.template);
    let registry = plugins::registry(&mut read, &arguments.template, plugins::Conduct::default());
    read.ask_data_sources();
    let graph = read.lower(&arguments.template, &registry, report::now_nanoseconds());
    let screen = Screen::new(&arguments.output);
    let engine = arguments.template.engine.map(Into::into);
    match graph.as_ref().map(|graph| crate::decide::run_inside(graph, engine)) {
        Some(Ok(Some(0))) => return Exit::Success,
        Some(Ok(Some(_))) => return Exit::Failure,
        Some(Err(failure)) => {
            screen.failure(&failure);
            return Exit::Failure;
        }
        Some(Ok(None)) | None => {}
    }
    read.report_unasked(true);
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    let Some(node) = find(&graph, &arguments.node, &screen) else {
        return Exit::Failure;
    };
    let ended = Grounds::new(registry, false, engine).and_then(|mut grounds| {
        let runtime = threads()?;
        let ended = runtime.block_on(async {
            prepare(&mut grounds, &screen).await?;
            open(&node, graph, &read.name, &grounds, &screen).await
        });
        // Reading the terminal cannot be cut short.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(0) => Exit::Success,
        Ok(_) => Exit::Failure,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

/// Opens a shell in a node's machine as it is before the node; returns the shell's exit status.
pub(super) async fn open(
    id: &NodeId,
    graph: Graph,
    template: &str,
    grounds: &Grounds,
    screen: &Screen,
) -> Outcome<i64> {
    let before = graph.inputs(id).find(|(edge, _)| *edge == Edge::Machine).map(|(_, node)| node.clone());
    let before = before.ok_or_else(|| {
        Failure::new(format!("{id} works on no machine that was started before"))
            .help("name a provisioner or a capture: `rpk plan` lists all nodes")
    })?;
    let options = plan::Options { template: template.to_owned(), ..plan::Options::default() };
    let (mut plan, mut stored) = grounds.decide(graph.clone(), options.clone()).await;
    if before.kind != NodeKind::Boot && state(&plan, &stored, &before).is_none() {
        let targets = vec![before.id.clone()];
        let (up_to, found, _locks) =
            decide_alone(grounds, graph.clone(), plan::Options { targets, ..options.clone() }, screen).await?;
        let always = SnapshotPolicy::Always;
        let ledger = Ledger::new(grounds.cache.clone(), grounds.digests.clone(), found, &up_to, always);
        let reporter = Box::new(Human::new(&up_to, screen, false));
        let report = execute(&up_to, grounds, ledger, Box::new(Nobody), reporter, Execution::default()).await?;
        if report.status != RunStatus::Succeeded {
            return Err(Failure::new(format!("what comes before {id} did not succeed")));
        }
        (plan, stored) = grounds.decide(graph, options).await;
    }
    let start = match (before.kind == NodeKind::Boot, state(&plan, &stored, &before)) {
        (true, _) => None,
        (false, Some(snapshot)) => Some(snapshot),
        (false, None) => {
            return Err(Failure::new(format!("the state of the machine before {id} cannot be kept"))
                .help("a node before it runs each time, or leaves something running; `rpk explain` tells more"));
        }
    };
    in_machine(&plan, &before, start, grounds).await
}

/// Finds the stored state of a machine as a node left it.
fn state(plan: &Plan, stored: &StoredResults, node: &Node) -> Option<Snapshot> {
    let key = plan.step(&node.id)?.decision.key?;
    stored.state(&key).cloned()
}

async fn in_machine(plan: &Plan, before: &Node, start: Option<Snapshot>, grounds: &Grounds) -> Outcome<i64> {
    let boot = plan.graph.nodes().find(|node| node.build == before.build && node.kind == NodeKind::Boot);
    let boot = boot.ok_or_else(|| Failure::new("the build has no machine"))?;
    let services = services(plan, grounds, Box::new(Nobody), false);
    let (events, mut incoming) = mpsc::channel(16);
    let ctx = NodeContext {
        node: boot.id.clone(),
        build: plan.graph.build_of(boot).clone(),
        cancel: tokio_util::sync::CancellationToken::new(),
        services: services.clone(),
        data: Arc::default(),
        taken: Arc::new(stored_artifacts(plan, boot, grounds)),
        output: Output::new(boot.id.clone(), events, services.clone()),
    };
    let shown = tokio::spawn(async move {
        while let Some(event) = incoming.recv().await {
            if let Event::NodeOutput { line, .. } = event {
                write_err(&format!("{line}\n"));
            }
        }
    });
    let settings = grounds.registry.settings(boot, &ctx)?;
    let builder = grounds.registry.builder(&boot.component, &settings)?;
    let machine: Arc<dyn Machine> = match &start {
        Some(snapshot) => builder.resume(&ctx, snapshot).await?,
        None => builder.boot(&ctx).await?,
    };
    let ended = machine.shell().await;
    let removed = machine.destroy(&ctx).await;
    services.journal.end();
    drop(ctx);
    shown.abort();
    removed?;
    ended
}

/// Finds the artifacts of other builds that a boot takes.
fn stored_artifacts(plan: &Plan, boot: &Node, grounds: &Grounds) -> BTreeMap<String, Artifact> {
    let taken = boot.chained.iter().filter_map(|chained| {
        let key = plan.step(&chained.from)?.decision.key?;
        let result = StoredResult::load(&grounds.cache, &key)?;
        Some((chained.written.clone(), result.artifact?))
    });
    taken.collect()
}
