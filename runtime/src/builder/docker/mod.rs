//! `docker`: starts a container from an image and captures it as an image or a file.
//!
//! Everything goes through the engine's API; no Docker client is needed. What a build leaves in an image equals what
//! Packer leaves, down to the empty `container_dir`.
//!
//! | file | holds |
//! | --- | --- |
//! | `machine.rs` | the container |
//! | `options.rs` | the options |
//! | `source.rs` | the image that it starts from |

mod machine;
mod options;
mod source;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentSpec, Settings};
use rpk_planner::key::Input;

use self::options::Config;
use self::source::SourceImage;
use super::{Builder, BuilderType, Machine, Snapshot};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::{IMAGE_BUILDER_ID, LazyEngine, remove_image};
use crate::failure::{Failure, Outcome};

/// The `docker` builder type.
pub struct Docker;

impl BuilderType for Docker {
    fn spec(&self) -> ComponentSpec {
        options::spec()
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(DockerBuilder { config: Arc::new(config) }))
    }
}

struct DockerBuilder {
    config: Arc<Config>,
}

impl Builder for DockerBuilder {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let source = self.config.find_source(ctx).await?;
            let machine = machine::start(ctx, self.config.clone(), source, &self.config.image).await?;
            Ok(Arc::new(machine) as Arc<dyn Machine>)
        }
        .boxed()
    }

    fn source<'a>(&'a self, engine: &'a LazyEngine) -> BoxFuture<'a, Outcome<Vec<Input>>> {
        async move { Ok(vec![Input::new("image", self.config.image_content(engine.get().await?).await?)]) }.boxed()
    }

    fn resume<'a>(&'a self, ctx: &'a NodeContext, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let source: SourceImage = serde_json::from_value(snapshot.data.clone())
                .map_err(|error| Failure::new(error.to_string()).context("reading a stored state"))?;
            let machine = machine::start(ctx, self.config.clone(), source, &snapshot.id).await?;
            Ok(Arc::new(machine) as Arc<dyn Machine>)
        }
        .boxed()
    }

    fn has_snapshot<'a>(&'a self, engine: &'a LazyEngine, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<bool>> {
        async move { Ok(engine.get().await?.local_image(&snapshot.id).await?.is_some()) }.boxed()
    }

    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        crate::docker::identity(engine, artifact).boxed()
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move {
            if artifact.builder_id == IMAGE_BUILDER_ID {
                remove_image(ctx, &artifact.id).await
            } else {
                artifact.delete_files().await
            }
        }
        .boxed()
    }
}
