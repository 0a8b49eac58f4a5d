//! Builders: each makes a machine from a source, and an artifact from the machine.
//!
//! | file | type |
//! | --- | --- |
//! | `docker.rs` | `docker`: a container, captured as an image or a file |
//! | `file.rs` | `file`: a file, for trying post-processors |
//! | `null.rs` | `null`: no machine of its own |

pub mod docker;
pub mod file;
pub mod null;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentSpec, Settings};

use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;

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

/// A builder with its options.
pub trait Builder: Send + Sync {
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

    /// Captures its state as an artifact.
    fn capture<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>>;

    /// Removes it. Called once, whatever happened before, and not cut short by cancellation.
    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>>;
}
