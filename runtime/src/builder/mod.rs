//! Builders: each makes a machine from a source, and an artifact from the machine.
//!
//! | file | type |
//! | --- | --- |
//! | `docker/` | `docker`: a container, captured as an image or a file |
//! | `file.rs` | `file`: a file, for trying post-processors |
//! | `null.rs` | `null`: no machine of its own |

pub mod docker;
pub mod file;
pub mod null;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rpk_planner::catalog::{ComponentSpec, Settings};
use rpk_planner::key::Input;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::engine::LazyEngine;
use crate::failure::{Failure, Outcome};

/// The builders that rpk has.
pub static BUILDERS: &[&dyn BuilderType] = &[&docker::Docker, &file::File, &null::Null];

/// A type of builder, as templates name it.
pub trait BuilderType: Send + Sync {
    /// Describes it to the planner.
    fn spec(&self) -> ComponentSpec;

    /// Makes a builder of checked options.
    ///
    /// # Errors
    ///
    /// Fails if the options do not fit the component, which the planner's check should have found.
    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>>;
}

/// A machine's state, kept so that another machine can start from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the builder finds it by, such as an image's id.
    pub id: String,
    /// The name that it is kept under; empty if it is an artifact, which is not the cache's.
    pub name: String,
    /// The bytes that it takes beside what it was made from.
    pub size: u64,
    /// What else the builder needs to go on from it.
    pub data: serde_json::Value,
}

/// A builder with its options.
pub trait Builder: Send + Sync {
    /// Tells what a boot would start from, such as the digest of an image, without touching anything.
    fn source<'a>(&'a self, engine: &'a LazyEngine) -> BoxFuture<'a, Outcome<Vec<Input>>> {
        let _ = engine;
        ready(Ok(Vec::new())).boxed()
    }

    /// Starts a machine from a state that a machine of a builder with the same options was left in. On failure
    /// nothing of it is left.
    fn resume<'a>(&'a self, ctx: &'a NodeContext, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        let _ = (ctx, snapshot);
        ready(Err(Failure::new("this builder cannot go on from a stored state"))).boxed()
    }

    /// Tells whether a machine's state is still there.
    fn has_snapshot<'a>(&'a self, engine: &'a LazyEngine, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<bool>> {
        let _ = (engine, snapshot);
        ready(Ok(false)).boxed()
    }

    /// Tells what an artifact of this builder is, beside its files, such as an image's id; none if it is no more.
    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        let _ = (engine, artifact);
        ready(Ok(None)).boxed()
    }

    /// Starts the machine. On failure nothing of it is left.
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>>;

    /// Destroys an artifact that this builder captured. By default, deletes its files.
    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        let _ = ctx;
        artifact.delete_files().boxed()
    }
}

/// A running machine. The executor sees to it that one node at a time uses it.
pub trait Machine: Send + Sync {
    /// Returns the way to its shell and files.
    fn communicator(&self) -> &dyn Communicator;

    /// Returns what templates may ask of it, such as `ID`.
    fn data(&self) -> BTreeMap<String, String>;

    /// Tells what it was started from, in the form of [`Builder::source`].
    fn source(&self) -> Vec<Input> {
        Vec::new()
    }

    /// Takes note that a provisioner has ended: what it has left running may end with it.
    fn settle<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        let _ = ctx;
        ready(Ok(())).boxed()
    }

    /// Tells whether keeping its state costs next to nothing, so that nobody has to think about whether it pays.
    fn keeps_at_no_cost(&self) -> bool {
        false
    }

    /// Keeps its state under a name, so that another machine can start from it; none if that would not be the same
    /// machine, for example since something runs on it.
    fn snapshot<'a>(&'a self, ctx: &'a NodeContext, name: &'a str) -> BoxFuture<'a, Outcome<Option<Snapshot>>> {
        let _ = (ctx, name);
        ready(Ok(None)).boxed()
    }

    /// Takes a captured artifact for the machine's state, if it is just that.
    fn snapshot_of(&self, artifact: &Artifact) -> Option<Snapshot> {
        let _ = artifact;
        None
    }

    /// Captures its state as an artifact.
    fn capture<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>>;

    /// Opens a shell in it on the user's terminal; returns the shell's exit status.
    fn shell(&self) -> BoxFuture<'_, Outcome<i64>> {
        ready(Err(Failure::new("there is no way to open a shell in a machine of this builder"))).boxed()
    }

    /// Leaves it to the user as it is: nobody removes it later.
    fn release(&self, ctx: &NodeContext) {
        let _ = ctx;
    }

    /// Removes it. Called once, whatever happened before, and not cut short by cancellation.
    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>>;
}
