//! One machine's life: boot, provision, capture, clean up, destroy; and what happens to its artifacts.
//!
//! Each function runs one node to its end and hands back what came of it. The executor decides what runs when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rpk_planner::graph::{Conduct, Node};
use rpk_planner::value::duration;
use tokio_util::sync::CancellationToken;

use crate::artifact::Artifact;
use crate::builder::{Builder, Machine};
use crate::context::NodeContext;
use crate::failure::{Failure, FailureKind, Outcome};
use crate::post_processor::PostProcessor;
use crate::provisioner::Provisioner;
use crate::registry::Registry;

/// How long a provisioner may go on after it was told that its time is up.
const TIMEOUT_GRACE: Duration = Duration::from_secs(10);

/// How long removing a machine may take.
const DESTROY_LIMIT: Duration = Duration::from_secs(120);

/// The build data that every builder has, for those that do not say better.
pub(crate) fn common_data(run_id: &str) -> BTreeMap<String, String> {
    [
        ("ID", "ERR_ID_NOT_IMPLEMENTED_BY_BUILDER"),
        ("PackerHTTPIP", "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER"),
        ("PackerHTTPPort", "ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER"),
        ("PackerHTTPAddr", "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER"),
        ("PackerRunUUID", run_id),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// How a provisioner ended that the build goes on after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provisioned {
    /// It succeeded.
    Well,
    /// It failed, but `continue_on_error` says to go on.
    InSpiteOfFailure,
}

/// Runs a provisioner as its conduct says: pause, time limit, further attempts.
///
/// The pause and the limit hold for each attempt. After the last one, its failure is the one that is reported.
pub(crate) async fn provision(
    ctx: &NodeContext,
    provisioner: &dyn Provisioner,
    machine: &dyn Machine,
    conduct: &Conduct,
) -> Outcome<Provisioned> {
    match attempts(ctx, provisioner, machine, conduct).await {
        Err(failure) if failure.kind == FailureKind::Failed && conduct.continue_on_error => {
            ctx.complain(format!("Provisioner failed with \"{failure}\"; going on all the same")).await;
            Ok(Provisioned::InSpiteOfFailure)
        }
        ended => ended.map(|()| Provisioned::Well),
    }
}

async fn attempts(
    ctx: &NodeContext,
    provisioner: &dyn Provisioner,
    machine: &dyn Machine,
    conduct: &Conduct,
) -> Outcome<()> {
    let mut attempts_left = conduct.max_retries;
    loop {
        match attempt(ctx, provisioner, machine, conduct).await {
            Err(failure) if failure.kind == FailureKind::Failed && attempts_left > 0 => {
                ctx.say(format!("Provisioner failed with \"{failure}\", retrying with {attempts_left} trie(s) left"))
                    .await;
                attempts_left -= 1;
            }
            Err(failure) if failure.kind == FailureKind::Failed && conduct.max_retries > 0 => {
                ctx.say("retry limit reached.").await;
                return Err(failure);
            }
            ended => return ended,
        }
    }
}

async fn attempt(
    ctx: &NodeContext,
    provisioner: &dyn Provisioner,
    machine: &dyn Machine,
    conduct: &Conduct,
) -> Outcome<()> {
    if let Some(pause) = conduct.pause_before {
        ctx.say(format!("Pausing {} before the next provisioner...", duration::format(pause))).await;
        ctx.sleep(pause).await?;
    }
    let Some(limit) = conduct.timeout else {
        return provisioner.provision(ctx, machine.communicator()).await;
    };
    ctx.say(format!("Setting a {} timeout for the next provisioner...", duration::format(limit))).await;
    let limited = NodeContext { cancel: ctx.cancel.child_token(), ..ctx.clone() };
    let mut running = provisioner.provision(&limited, machine.communicator());
    tokio::select! {
        ended = &mut running => ended,
        () = tokio::time::sleep(limit) => {
            ctx.complain("Cancelling provisioner after a timeout...").await;
            limited.cancel.cancel();
            // Dropping it would leave what it started; it is asked first and given a moment.
            let _ = tokio::time::timeout(TIMEOUT_GRACE, running).await;
            Err(Failure::new(format!("the provisioner took longer than its timeout of {}", duration::format(limit))))
        }
    }
}

/// Removes a machine; neither a cancelled run nor a failure before it keeps it from that.
pub(crate) async fn destroy(ctx: &NodeContext, machine: &dyn Machine) -> Outcome<()> {
    let ctx = NodeContext { cancel: CancellationToken::new(), ..ctx.clone() };
    match tokio::time::timeout(DESTROY_LIMIT, machine.destroy(&ctx)).await {
        Ok(destroyed) => destroyed,
        Err(_) => Err(Failure::new(format!(
            "removing the machine took longer than {}; it may still be there",
            duration::format(DESTROY_LIMIT)
        ))),
    }
}

/// Who made an artifact, and so knows how to destroy it.
pub(crate) enum Maker {
    /// A builder.
    Builder(Arc<dyn Builder>),
    /// A post-processor.
    PostProcessor(Arc<dyn PostProcessor>),
}

impl Maker {
    /// Finds the maker of a node's artifact.
    pub fn of(node: &Node, registry: &Registry) -> Outcome<Self> {
        Ok(if node.kind == rpk_planner::graph::NodeKind::Capture {
            Self::Builder(registry.builder(&node.component, &node.settings)?.into())
        } else {
            Self::PostProcessor(registry.post_processor(&node.component, &node.settings)?.into())
        })
    }

    /// Destroys an artifact, except for what `successor` still consists of.
    pub async fn discard(&self, ctx: &NodeContext, artifact: &Artifact, successor: Option<&Artifact>) -> Outcome<()> {
        let mut rest = artifact.clone();
        rest.files.retain(|file| !successor.is_some_and(|successor| successor.files.contains(file)));
        match self {
            Self::Builder(builder) => builder.discard(ctx, &rest).await,
            Self::PostProcessor(post_processor) => post_processor.discard(ctx, &rest).await,
        }
    }
}
