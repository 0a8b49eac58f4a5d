//! The builder's machine on the engine within rpk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::key::{Input, InputValue};

use super::options::Config;
use super::run;
use super::source::SourceImage;
use crate::artifact::Artifact;
use crate::builder::{Machine, Snapshot};
use crate::communicator::Communicator;
use crate::communicator::embedded::EmbeddedCommunicator;
use crate::context::NodeContext;
use crate::docker::IMAGE_BUILDER_ID;
use crate::embedded::container::{Captured, Container};
use crate::embedded::{Engine, Image, settings};
use crate::engine::embedded_state;
use crate::failure::{Failure, Outcome};

/// Starts a container from an image, or over the layers of a state that a container of such a build was left in.
pub(super) async fn start(
    ctx: &NodeContext,
    engine: &Engine,
    config: Arc<Config>,
    source: SourceImage,
    state: Option<&str>,
) -> Outcome<EmbeddedMachine> {
    let base = engine.find(&source.id).ok_or_else(|| {
        Failure::new(format!("the image {} is not there any more", source.id))
            .help("run it again without its stored state")
    })?;
    let layers = match state {
        None => base.image.layers.clone(),
        Some(state) => {
            engine.find(state).ok_or_else(|| Failure::new("the stored state is not there any more"))?.image.layers
        }
    };
    let (words, spec) = run::spec(ctx, &config, state.unwrap_or(&config.image))?;
    ctx.say("Starting container in the embedded engine...").await;
    ctx.say(format!("Run command: docker run {}", words.join(" "))).await;
    if ctx.cancel.is_cancelled() {
        return Err(Failure::cancelled());
    }
    let body = spec.body;
    let id = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let run_config = settings::run_config(&base.image.config.config, &body);
    let sandbox = settings::spec(&body, &run_config, &id)?;
    let host = body.host_config.unwrap_or_default();
    let (hosts, dns) = (host.extra_hosts.unwrap_or_default(), host.dns.unwrap_or_default());
    let user = run_config.user.clone();
    let named = settings::Names { id, hosts, dns };
    let container = Arc::new(Container::start(engine.clone(), named, base, layers, run_config, sandbox).await?);
    ctx.say(format!("Container ID: {}", container.id())).await;
    let communicator =
        EmbeddedCommunicator::new(container.clone(), config.exec_user.clone(), config.fix_upload_owner.then_some(user));
    Ok(EmbeddedMachine { container, communicator, config, source, image_is_state: AtomicBool::new(false) })
}

/// Finds the image to start from, taking it in if need be.
pub(super) async fn find_source(ctx: &NodeContext, engine: &Engine, config: &Config) -> Outcome<SourceImage> {
    let pull = config.pull_policy();
    let image = engine.resolve(ctx, &config.image, pull, config.platform.as_deref(), config.credentials()).await?;
    Ok(source_image(engine, &image))
}

/// Tells by its content which image a build would start from now.
pub(super) async fn content(engine: &Engine, config: &Config) -> Outcome<InputValue> {
    let known = engine.known(&config.image, config.platform.as_deref());
    // What comes from a file is looked at each time anyway.
    if config.pull == Some(true) && engine.is_of_registry(&config.image) {
        let digest = engine.registry_digest(&config.image, config.credentials()).await?;
        let has_it = |found: &Image| found.image.digests.iter().any(|known| known.ends_with(&format!("@{digest}")));
        if !known.as_ref().is_some_and(has_it) {
            return Ok(InputValue::Content { digest, size_bytes: None });
        }
    }
    Ok(match known {
        Some(found) => source_image(engine, &found).content(),
        None => InputValue::Text("not pulled yet".to_owned()),
    })
}

/// Tells what the builder needs to know of an image.
fn source_image(engine: &Engine, found: &Image) -> SourceImage {
    let config = &found.image.config.config;
    SourceImage {
        id: found.id.clone(),
        size: Some(found.size(engine)),
        cmd: config.cmd.clone().unwrap_or_default(),
        entrypoint: config.entrypoint.clone().unwrap_or_default(),
        user: Some(config.user.clone()),
        digest: found.image.digests.first().cloned().unwrap_or_default(),
    }
}

/// A container of the embedded engine.
pub(super) struct EmbeddedMachine {
    container: Arc<Container>,
    communicator: EmbeddedCommunicator,
    config: Arc<Config>,
    source: SourceImage,
    /// Whether the captured image is the machine's state, from which another machine can go on.
    image_is_state: AtomicBool,
}

impl EmbeddedMachine {
    fn is_whole(&self) -> bool {
        !self.container.has_mounts(&self.config.container_dir)
    }

    async fn commit(&self, ctx: &NodeContext) -> Outcome<Artifact> {
        ctx.say("Committing the container").await;
        self.image_is_state.store(self.config.changes.is_empty() && self.is_whole(), Ordering::Relaxed);
        let changes = run::changes_with_defaults(&self.config.changes, &self.source.cmd, &self.source.entrypoint);
        let captured = Captured {
            changes: &changes,
            author: self.config.author.as_deref(),
            message: self.config.message.as_deref(),
        };
        let id =
            self.container.commit(&captured).await.map_err(|failure| failure.context("committing the container"))?;
        ctx.say(format!("Image ID: {id}")).await;
        Ok(run::image_artifact(id, self.data()))
    }

    async fn export(&self, ctx: &NodeContext, path: &Path) -> Outcome<Artifact> {
        ctx.say(format!("Exporting the container to {}", path.display())).await;
        self.container
            .export(ctx, path)
            .await
            .map_err(|failure| failure.context(format!("exporting the container to {}", path.display())))?;
        Ok(run::export_artifact(Some(path), self.data()))
    }
}

impl Machine for EmbeddedMachine {
    fn communicator(&self) -> &dyn Communicator {
        &self.communicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        run::data(self.container.id(), &self.source)
    }

    fn source(&self) -> Vec<Input> {
        super::inputs(self.source.content(), true)
    }

    fn settle<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        self.container.settle().boxed()
    }

    fn keeps_at_no_cost(&self) -> bool {
        true
    }

    fn snapshot<'a>(&'a self, _: &'a NodeContext, name: &'a str) -> BoxFuture<'a, Outcome<Option<Snapshot>>> {
        async move {
            if !self.is_whole() {
                return Ok(None);
            }
            let (id, size) = self.container.keep(name).await?;
            let data = serde_json::to_value(&self.source).map_err(|error| Failure::new(error.to_string()))?;
            Ok(Some(Snapshot { id, name: embedded_state(name), size, data }))
        }
        .boxed()
    }

    fn snapshot_of(&self, artifact: &Artifact) -> Option<Snapshot> {
        if artifact.builder_id != IMAGE_BUILDER_ID || !self.image_is_state.load(Ordering::Relaxed) {
            return None;
        }
        let data = serde_json::to_value(&self.source).ok()?;
        Some(Snapshot { id: artifact.id.clone(), name: String::new(), size: 0, data })
    }

    fn capture<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            if self.config.commit {
                self.commit(ctx).await
            } else if let Some(path) = &self.config.export_path {
                self.export(ctx, path).await
            } else {
                Ok(run::export_artifact(None, self.data()))
            }
        }
        .boxed()
    }

    fn shell(&self) -> BoxFuture<'_, Outcome<i64>> {
        self.container.attach(vec!["/bin/sh".to_owned()], self.config.exec_user.as_deref()).boxed()
    }

    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say(format!("Killing the container: {}", self.container.id())).await;
            self.container.end().await
        }
        .boxed()
    }
}
