//! Post-processors: each takes an artifact and gives one.
//!
//! | file | type |
//! | --- | --- |
//! | `artifice.rs` | `artifice`: puts files in place of the artifact |
//! | `checksum.rs` | `checksum`: digests of the artifact's files |
//! | `compress/` | `compress`: the artifact's files become one archive |
//! | `docker_import.rs` | `docker-import`: a file becomes an image |
//! | `docker_push.rs` | `docker-push`: an image goes to a registry |
//! | `docker_save.rs` | `docker-save`: an image becomes a file beside it |
//! | `docker_tag.rs` | `docker-tag`: an image gets names |
//! | `manifest.rs` | `manifest`: a record of artifacts |
//! | `shell_local.rs` | `shell-local`: runs scripts on this machine |
//! | `upload/` | `upload`: the artifact's files go to a server |
//! | `vagrant/` | `vagrant`: a box of the artifact |

pub mod artifice;
pub mod checksum;
pub mod compress;
pub mod docker_import;
pub mod docker_push;
pub mod docker_save;
pub mod docker_tag;
pub mod manifest;
pub mod shell_local;
pub mod upload;
pub mod vagrant;

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentSpec, Settings};

use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::engine::LazyEngine;
use crate::failure::Outcome;

/// The post-processors that rpk has.
pub static POST_PROCESSORS: &[&dyn PostProcessorType] = &[
    &artifice::Artifice,
    &checksum::Checksum,
    &compress::Compress,
    &docker_import::DockerImport,
    &docker_push::DockerPush,
    &docker_save::DockerSave,
    &docker_tag::DockerTag,
    &manifest::Manifest,
    &shell_local::ShellLocal,
    &upload::Upload,
    &vagrant::Vagrant,
];

/// A type of post-processor, as templates name it.
pub trait PostProcessorType: Send + Sync {
    /// Describes it to the planner.
    fn spec(&self) -> ComponentSpec;

    /// Makes a post-processor of checked options.
    ///
    /// # Errors
    ///
    /// Fails if the options do not fit the component, which the planner's check should have found.
    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>>;
}

/// A post-processor with its options.
pub trait PostProcessor: Send + Sync {
    /// Makes an artifact of the one that is given.
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>>;

    /// Names the files that it writes beside those of its artifact.
    fn outputs(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Tells what an artifact of this post-processor is, beside its files, such as an image's id; none if it is no
    /// more.
    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        crate::engine::identity(engine, artifact).boxed()
    }

    /// Takes note that what was made is known to whoever asks later.
    fn kept(&self, ctx: &NodeContext) {
        let _ = ctx;
    }

    /// Destroys an artifact that this post-processor made. By default, deletes its files.
    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        let _ = ctx;
        artifact.delete_files().boxed()
    }
}
