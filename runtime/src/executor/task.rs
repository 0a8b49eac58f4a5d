//! What the tasks of nodes do: one machine node or one post-processor, from its options to what is kept of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::graph::{Node, NodeKind};
use tokio::time::Instant;

use crate::artifact::Artifact;
use crate::budget::{Budget, Use};
use crate::builder::{Machine, Snapshot};
use crate::cache::{Ledger, Made};
use crate::context::{NodeContext, OnError};
use crate::failure::{Failure, FailureKind, Outcome};
use crate::keeping;
use crate::lane::{self, Provisioned};
use crate::registry::Registry;

/// What a task hands back.
pub(super) enum Product {
    Nothing,
    Machine(Arc<dyn Machine>),
    Artifact(Artifact),
}

pub(super) struct Ended {
    pub result: Outcome<Product>,
    /// What the user chose when asked about the failure.
    pub decision: Option<OnError>,
}

pub(super) type Task = BoxFuture<'static, Outcome<Product>>;

/// A stored state, and the boot in whose place a machine is started from it.
#[derive(Clone)]
pub(super) struct Start {
    pub snapshot: Snapshot,
    pub boot: Node,
    /// The artifacts of other builds that the boot takes.
    pub takes: BTreeMap<String, Artifact>,
}

/// What a node that starts, changes or captures a machine works with.
pub(super) struct MachineWork {
    pub registry: Arc<Registry>,
    pub ledger: Arc<Ledger>,
    pub machine: Option<Arc<dyn Machine>>,
    /// The stored state to go on from, for a node that is there for it.
    pub start: Option<Start>,
    /// For a capture: the provisioner before it.
    pub before_capture: Option<Node>,
    pub budget: Arc<Mutex<Budget>>,
    /// Whether a provisioner's failure is to be put up with.
    pub goes_on: bool,
    pub purpose: Use,
}

/// Makes the task of a node that starts, changes or captures a machine.
pub(super) fn machine_task(node: &Node, ctx: &NodeContext, work: &MachineWork) -> Outcome<Task> {
    let (ctx, node, registry, ledger) = (ctx.clone(), node.clone(), &work.registry, work.ledger.clone());
    if let Some(Start { snapshot, boot, takes }) = work.start.clone() {
        let as_boot = NodeContext { taken: Arc::new(takes), ..ctx.clone() };
        let builder = registry.builder(&boot.component, &*registry.settings(&boot, &as_boot)?)?;
        return Ok(async move { builder.resume(&ctx, &snapshot).await.map(Product::Machine) }.boxed());
    }
    if node.kind == NodeKind::Boot {
        let builder = registry.builder(&node.component, &*registry.settings(&node, &ctx)?)?;
        return Ok(async move {
            let began = Instant::now();
            let machine = builder.boot(&ctx).await?;
            // What another build made counts as that, whatever the engine calls it.
            if node.chained.is_empty() {
                ledger.learn(&node.id, machine.source());
            }
            keeping::keep(&ctx, &ledger, &node, Made { took: began.elapsed(), ..Made::default() }).await;
            Ok(Product::Machine(machine))
        }
        .boxed());
    }
    let machine = work.machine.clone().ok_or_else(|| Failure::new("there is no machine to work on"))?;
    if node.kind == NodeKind::Capture {
        let builder = registry.builder(&node.component, &node.settings)?;
        let before = work.before_capture.clone();
        return Ok(async move {
            let began = Instant::now();
            let artifact = machine.capture(&ctx).await?;
            let took = began.elapsed();
            let identity = builder.identity(&ctx.services.engine, &artifact);
            keeping::keep_artifact(&ctx, &ledger, &node, &artifact, identity, Vec::new(), took).await;
            if ledger.key(&node.id).is_some()
                && let Some((before, snapshot)) = before.zip(machine.snapshot_of(&artifact))
            {
                ledger.add_snapshot(&before, snapshot);
            }
            Ok(Product::Artifact(artifact))
        }
        .boxed());
    }
    let settings = registry.settings(&node, &ctx)?;
    let provisioner = registry.provisioner(&node.component, &settings)?;
    let (budget, purpose) = (work.budget.clone(), work.purpose);
    let mut conduct = node.conduct.clone();
    conduct.continue_on_error |= work.goes_on && matches!(node.kind, NodeKind::Provision { .. });
    Ok(async move {
        let began = Instant::now();
        let ended = lane::provision(&ctx, provisioner.as_ref(), machine.as_ref(), &conduct).await?;
        // A failure that was put up with is no result, and neither is what comes after it.
        if ended == Provisioned::InSpiteOfFailure {
            ledger.distrust(&node.id);
        }
        let took = began.elapsed();
        keeping::keep_provision(&ctx, &ledger, &node, machine.as_ref(), took, &budget, purpose).await;
        Ok(Product::Nothing)
    }
    .boxed())
}

/// What it takes to ask about a failure and to try again.
pub(super) struct Again {
    pub ctx: NodeContext,
    pub make: Box<dyn Fn() -> Outcome<Task> + Send>,
}

/// Runs a task to its end; with `again`, asks the user about a failure.
pub(super) async fn settle(task: Task, again: Option<Again>) -> Ended {
    let mut result = task.await;
    let Some(again) = again else {
        return Ended { result, decision: None };
    };
    loop {
        let failure = match result {
            Err(failure) if failure.kind == FailureKind::Failed => failure,
            ended => {
                return Ended { result: ended, decision: None };
            }
        };
        again.ctx.complain(failure.to_string()).await;
        let question =
            format!("{} failed: [c] clean up and exit, [a] abort without cleanup, or [r] retry?", again.ctx.node);
        let answer = tokio::select! {
            answer = again.ctx.services.prompt.ask(&question) => answer,
            () = again.ctx.cancel.cancelled() => None,
        };
        let decision = match answer.as_deref().map(|line| line.trim().to_ascii_lowercase()) {
            Some(word) if word.starts_with('r') => {
                result = match (again.make)() {
                    Ok(task) => task.await,
                    Err(failure) => Err(failure),
                };
                continue;
            }
            Some(word) if word.starts_with('a') => OnError::Abort,
            // Nobody to ask counts as the ordinary way.
            None => OnError::Cleanup,
            Some(word) if word.is_empty() || word.starts_with('c') => OnError::Cleanup,
            Some(word) => {
                again.ctx.complain(format!("Incorrect input: \"{word}\"")).await;
                result = Err(failure);
                continue;
            }
        };
        return Ended { result: Err(failure), decision: Some(decision) };
    }
}
