//! `docker-import`: makes an image of an exported file system.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Recipe, Settings, string, string_list,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::{EXPORT_BUILDER_ID, IMAGE_BUILDER_ID};
use crate::failure::{Failure, Outcome};
use crate::journal::{self, Entry};

/// The `docker-import` post-processor type.
pub struct DockerImport;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default)]
    repository: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    changes: Vec<String>,
    platform: Option<String>,
}

impl PostProcessorType for DockerImport {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "docker-import")
            .options([
                string("repository", "The name of the image, without tag."),
                string("tag", "The tag to give it."),
                string_list("changes", "Dockerfile instructions that change the image's configuration."),
                string("platform", "The platform of the image."),
                string("docker_path", "Accepted for Packer's sake: rpk needs no Docker client."),
            ])
            .recipe(Recipe::cacheable(1).immaterial(&["docker_path"]))
            .describe(|settings, _| {
                let config: Result<Config, _> = crate::settings::read_settings(settings);
                config.map_or_else(|_| "import as an image".to_owned(), |config| format!("import as {}", config.name()))
            })
            .uses_engine()
            .flow(ArtifactFlow {
                takes: &[ArtifactKind::Files],
                gives: Some(ArtifactKind::Image),
                keeps_input: false,
                keep_is_forced: false,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl Config {
    fn name(&self) -> String {
        if self.tag.is_empty() { self.repository.clone() } else { format!("{}:{}", self.repository, self.tag) }
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            if ![EXPORT_BUILDER_ID, "packer.post-processor.artifice"].contains(&input.builder_id.as_str()) {
                return Err(Failure::new(format!("an artifact of kind `{}` cannot be imported", input.builder_id))
                    .help("set `export_path` on the docker builder"));
            }
            let file = input.files.first().ok_or_else(|| Failure::new("the artifact has no file"))?;
            let name = self.name();
            ctx.say(format!("Importing image from {}", file.display())).await;
            ctx.say(format!("Repository: {name}")).await;
            let engine = ctx.services.engine().await?;
            if !self.repository.is_empty() && engine.as_docker().is_some() {
                ctx.services.journal.write(&Entry::Import { name: name.clone(), at: journal::now() });
            }
            let id = engine.import(ctx, file, &name, &self.changes, self.platform.as_deref()).await?;
            ctx.say(format!("Imported ID: {id}")).await;
            Ok(Artifact {
                builder_id: IMAGE_BUILDER_ID.to_owned(),
                description: format!("Imported Docker image: {name}"),
                id: if name.is_empty() { id } else { name },
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }

    fn kept(&self, ctx: &NodeContext) {
        ctx.services.journal.write(&Entry::ImportSettled { name: self.name() });
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move { ctx.services.engine().await?.remove_image(&artifact.id).await }.boxed()
    }
}
