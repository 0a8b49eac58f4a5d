//! `docker`: starts a container from an image and captures it as an image or a file.
//!
//! The container is one of an engine that speaks Docker's API, for which no Docker client is needed, or of the engine
//! within rpk. Which one is asked here, once. What a build leaves in an image equals what Packer leaves, down to the
//! empty `container_dir`.
//!
//! | file | holds |
//! | --- | --- |
//! | `embedded.rs` | the container on the engine within rpk |
//! | `machine.rs` | the container on an engine that speaks Docker's API |
//! | `options.rs` | the options |
//! | `run.rs` | what both have in common |
//! | `source.rs` | the image that it starts from |

#[cfg(target_os = "linux")]
mod embedded;
mod machine;
mod options;
mod run;
mod source;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentSpec, Settings};
use rpk_planner::key::{Input, InputValue};

use self::options::Config;
use self::source::SourceImage;
use super::{Builder, BuilderType, Machine, Snapshot};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::IMAGE_BUILDER_ID;
use crate::engine::{Engine, LazyEngine};
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
            let config = self.config.clone();
            match ctx.services.engine().await? {
                Engine::Docker(engine) => {
                    let source = config.find_source(ctx, engine).await?;
                    let machine = machine::start(ctx, engine, config, source, &self.config.image).await?;
                    Ok(Arc::new(machine) as Arc<dyn Machine>)
                }
                #[cfg(target_os = "linux")]
                Engine::Embedded(engine) => {
                    let source = embedded::find_source(ctx, engine, &config).await?;
                    let machine = embedded::start(ctx, engine, config, source, None).await?;
                    Ok(Arc::new(machine) as Arc<dyn Machine>)
                }
            }
        }
        .boxed()
    }

    fn source<'a>(&'a self, engine: &'a LazyEngine) -> BoxFuture<'a, Outcome<Vec<Input>>> {
        async move {
            match engine.get().await? {
                Engine::Docker(engine) => Ok(inputs(self.config.image_content(engine).await?, false)),
                #[cfg(target_os = "linux")]
                Engine::Embedded(engine) => {
                    let content = embedded::content(engine, &self.config).await?;
                    Ok(inputs(content, true))
                }
            }
        }
        .boxed()
    }

    fn resume<'a>(&'a self, ctx: &'a NodeContext, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let source: SourceImage = serde_json::from_value(snapshot.data.clone())
                .map_err(|error| Failure::new(error.to_string()).context("reading a stored state"))?;
            let config = self.config.clone();
            match ctx.services.engine().await? {
                Engine::Docker(engine) => {
                    let machine = machine::start(ctx, engine, config, source, &snapshot.id).await?;
                    Ok(Arc::new(machine) as Arc<dyn Machine>)
                }
                #[cfg(target_os = "linux")]
                Engine::Embedded(engine) => {
                    let machine = embedded::start(ctx, engine, config, source, Some(&snapshot.id)).await?;
                    Ok(Arc::new(machine) as Arc<dyn Machine>)
                }
            }
        }
        .boxed()
    }

    fn has_snapshot<'a>(&'a self, engine: &'a LazyEngine, snapshot: &'a Snapshot) -> BoxFuture<'a, Outcome<bool>> {
        async move { Ok(engine.get().await?.image_id(&snapshot.id).await?.is_some()) }.boxed()
    }

    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        crate::engine::identity(engine, artifact).boxed()
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move {
            if artifact.builder_id == IMAGE_BUILDER_ID {
                ctx.services.engine().await?.remove_image(&artifact.id).await
            } else {
                artifact.delete_files().await
            }
        }
        .boxed()
    }
}

/// Tells what a boot starts from: the image, and the engine where it is another one than results were always made with.
fn inputs(image: InputValue, is_embedded: bool) -> Vec<Input> {
    let mut inputs = vec![Input::new("image", image)];
    if is_embedded {
        inputs.push(Input::new("engine", InputValue::Text("embedded".to_owned())));
    }
    inputs
}
