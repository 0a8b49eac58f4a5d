//! `docker-push`: sends an image to its registry.

use bollard::auth::DockerCredentials;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Recipe, Settings, boolean, string,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::IMAGE_BUILDER_ID;
use crate::failure::Outcome;

/// The `docker-push` post-processor type.
pub struct DockerPush;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default)]
    login: bool,
    login_username: Option<String>,
    login_password: Option<String>,
    login_server: Option<String>,
}

impl PostProcessorType for DockerPush {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "docker-push")
            .options([
                boolean("login", "Logs in to the registry."),
                string("login_username", "The user name at the registry."),
                string("login_password", "The password at the registry.").sensitive(),
                string("login_server", "The registry to log in to."),
                string("docker_path", "Accepted for Packer's sake: rpk needs no Docker client."),
            ])
            .recipe(Recipe::never("sends to a registry, where others may write as well"))
            .describe(|_, _| "push the image to its registry".to_owned())
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
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            crate::docker::expect_image(input)?;
            let mut names = vec![input.id.clone()];
            names.extend(input.tags.iter().filter(|tag| **tag != input.id).cloned());
            for name in &names {
                self.push(ctx, name).await?;
            }
            Ok(Artifact { builder_id: IMAGE_BUILDER_ID.to_owned(), ..input.clone() })
        }
        .boxed()
    }
}

impl Config {
    async fn push(&self, ctx: &NodeContext, name: &str) -> Outcome<()> {
        let engine = ctx.services.engine().await?;
        let credentials = self.login.then(|| DockerCredentials {
            username: self.login_username.clone(),
            password: self.login_password.clone(),
            serveraddress: self.login_server.clone(),
            ..DockerCredentials::default()
        });
        ctx.say(format!("Pushing: {name}")).await;
        engine.push(ctx, name, credentials).await.map_err(|failure| {
            failure
                .context(format!("pushing {name}"))
                .help("check the name, the registry and the login (`login`, or `docker login`)")
        })
    }
}
