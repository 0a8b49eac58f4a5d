//! `docker-push`: sends an image to its registry.

use std::collections::HashSet;

use bollard::auth::DockerCredentials;
use bollard::query_parameters::PushImageOptionsBuilder;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Recipe, Settings, boolean, string,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::{IMAGE_BUILDER_ID, ImageName, explain, stored_credentials};
use crate::failure::{Failure, Outcome};

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
        let image = ImageName::parse(name);
        let credentials = if self.login {
            Some(DockerCredentials {
                username: self.login_username.clone(),
                password: self.login_password.clone(),
                serveraddress: self.login_server.clone(),
                ..DockerCredentials::default()
            })
        } else {
            stored_credentials(image.registry())
        };
        ctx.say(format!("Pushing: {name}")).await;
        let options = PushImageOptionsBuilder::default().tag(&image.reference).build();
        let mut progress = engine.client().push_image(&image.repository, Some(options), credentials);
        let mut shown = HashSet::new();
        loop {
            let message = tokio::select! {
                message = progress.next() => message,
                () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
            };
            let failed = |failure: Failure| {
                failure
                    .context(format!("pushing {name}"))
                    .help("check the name, the registry and the login (`login`, or `docker login`)")
            };
            match message {
                None => return Ok(()),
                Some(Ok(info)) => {
                    if let Some(detail) = info.error_detail.and_then(|detail| detail.message) {
                        return Err(failed(Failure::new(detail)));
                    }
                    // The client keeps no layer ids; a status that is repeated for each layer is said once.
                    let status = info.status.unwrap_or_default();
                    if !status.is_empty() && shown.insert(status.clone()) {
                        ctx.say(status).await;
                    }
                }
                Some(Err(error)) => return Err(failed(explain(&error))),
            }
        }
    }
}
