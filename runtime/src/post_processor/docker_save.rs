//! `docker-save`: writes an image to a file that `docker load` reads.

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Recipe, Settings, string};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::Outcome;

/// The `docker-save` post-processor type.
pub struct DockerSave;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    path: PathBuf,
}

impl PostProcessorType for DockerSave {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "docker-save")
            .options([
                string("path", "The file to write.").required(),
                string("docker_path", "Accepted for Packer's sake: rpk needs no Docker client."),
            ])
            .recipe(Recipe::cacheable(1).immaterial(&["docker_path"]))
            .describe(|settings, _| {
                let path = settings.get("path").and_then(|path| path.as_str()).unwrap_or_default();
                format!("save the image to {path}")
            })
            .uses_engine()
            .flow(ArtifactFlow {
                takes: &[ArtifactKind::Image],
                gives: Some(ArtifactKind::Image),
                keeps_input: true,
                keep_is_forced: false,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl PostProcessor for Config {
    fn outputs(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            crate::docker::expect_image(input)?;
            let engine = ctx.services.engine().await?;
            ctx.say(format!("Saving image: {}", input.id)).await;
            ctx.say(format!("Path: {}", self.path.display())).await;
            engine
                .save(ctx, &input.id, &self.path)
                .await
                .map_err(|failure| failure.context(format!("saving {} to {}", input.id, self.path.display())))?;
            Ok(input.clone())
        }
        .boxed()
    }
}
