//! After a node has succeeded: what of it is kept for later runs.
//!
//! Nothing here can fail a node: what cannot be kept is said and made again next time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpk_planner::graph::{Edge, Node, NodeKind};
use rpk_planner::plan::{Action, Plan, Reason};
use tokio::time::Instant;

use crate::artifact::Artifact;
use crate::budget::{Budget, SnapshotPolicy, Use};
use crate::builder::Machine;
use crate::cache::{Ledger, Made};
use crate::context::NodeContext;
use crate::failure::Outcome;

/// Keeps a result and says what went wrong about it.
pub(crate) async fn keep(ctx: &NodeContext, ledger: &Arc<Ledger>, node: &Node, made: Made) {
    let remark = if ledger.key(&node.id).is_none() {
        // Just the run is taken note of.
        ledger.keep(node, made)
    } else {
        let (ledger, node) = (ledger.clone(), node.clone());
        // Digesting a large file takes its time.
        tokio::task::spawn_blocking(move || ledger.keep(&node, made)).await.ok().flatten()
    };
    if let Some(remark) = remark {
        ctx.complain(remark).await;
    }
}

/// Keeps the run of a provisioner, and the machine's state if that pays.
pub(crate) async fn keep_provision(
    ctx: &NodeContext,
    ledger: &Arc<Ledger>,
    node: &Node,
    machine: &dyn Machine,
    took: Duration,
    budget: &Mutex<Budget>,
    purpose: Use,
) {
    let pays = {
        let mut budget = budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.earn(took);
        let is_free = machine.keeps_at_no_cost() && ledger.snapshots != SnapshotPolicy::Never;
        is_free || budget.allows(purpose, ledger.snapshots)
    };
    if let Err(failure) = machine.settle(ctx).await {
        ctx.complain(format!("the provisioner's changes are not set apart from the next one's: {failure}")).await;
    }
    let key = ledger.key(&node.id).filter(|_| pays && !ctx.cancel.is_cancelled());
    let mut snapshot = None;
    if let Some(key) = key {
        let began = Instant::now();
        let name = ledger.state_name(&key);
        match machine.snapshot(ctx, &name).await {
            Ok(found) => snapshot = found,
            Err(failure) => ctx.complain(format!("the machine's state is not kept: {failure}")).await,
        }
        budget.lock().unwrap_or_else(PoisonError::into_inner).spend(began.elapsed());
    }
    keep(ctx, ledger, node, Made { snapshot, took, ..Made::default() }).await;
}

/// Keeps an artifact, or just the run if nothing of the node is reused; `identity` tells, where somebody wants to know,
/// what the artifact is beside its files.
pub(crate) async fn keep_artifact(
    ctx: &NodeContext,
    ledger: &Arc<Ledger>,
    node: &Node,
    artifact: &Artifact,
    identity: impl Future<Output = Outcome<Option<String>>>,
    outputs: Vec<std::path::PathBuf>,
    took: Duration,
) {
    if ledger.key(&node.id).is_none() {
        return keep(ctx, ledger, node, Made { took, ..Made::default() }).await;
    }
    let identity = match identity.await {
        Ok(identity) => identity,
        Err(failure) => return ctx.complain(format!("the result is not kept: {failure}")).await,
    };
    let made = Made { artifact: Some(artifact.clone()), identity, outputs, took, ..Made::default() };
    keep(ctx, ledger, node, made).await;
}

/// Tells what the state after a node would be good for.
pub(crate) fn purpose(plan: &Plan, node: &Node) -> Use {
    let next =
        |node: &Node| plan.graph.outputs(&node.id).find(|(edge, _)| *edge == Edge::Machine).map(|(_, next)| next);
    let Some(following) = next(node) else { return Use::Late };
    if plan.step(&following.id).is_some_and(|step| {
        step.action == Action::Run
            && match step.reason {
                Reason::InputChanged(_) => true,
                // A node that was added to a build that was run before.
                Reason::NeverBuilt => plan.step(&node.id).is_some_and(|step| step.decision.took.is_some()),
                _ => false,
            }
    }) {
        return Use::WorkedOn;
    }
    let is_late =
        following.kind == NodeKind::Capture || next(following).is_none_or(|node| node.kind == NodeKind::Capture);
    if is_late { Use::Late } else { Use::Inner }
}
