//! The container of a build: started from an image, kept, captured, removed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bollard::models::{ContainerConfig, ContainerInspectResponse};
use bollard::query_parameters::{CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, TopOptions};
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use rpk_planner::key::Input;

use super::options::Config;
use super::run;
use super::source::SourceImage;
use crate::artifact::Artifact;
use crate::builder::{Machine, Snapshot};
use crate::communicator::Communicator;
use crate::communicator::docker::DockerCommunicator;
use crate::context::NodeContext;
use crate::docker::{Engine, IMAGE_BUILDER_ID, ImageName, explain};
use crate::failure::{Failure, Outcome};
use crate::journal::{self, Entry};

/// Starts a container from an image: the builder's, or a state that a container of such a build was left in.
pub(super) async fn start(
    ctx: &NodeContext,
    engine: &Engine,
    config: Arc<Config>,
    source: SourceImage,
    image: &str,
) -> Outcome<DockerMachine> {
    let engine = engine.clone();
    let (words, mut spec) = run::spec(ctx, &config, image)?;
    let tmpfs = spec.body.host_config.iter().flat_map(|host| &host.tmpfs).flatten();
    let memory = tmpfs.map(|(path, _)| path.clone()).collect();

    ctx.say("Starting docker container...").await;
    ctx.say(format!("Run command: docker run {}", words.join(" "))).await;
    if ctx.cancel.is_cancelled() {
        return Err(Failure::cancelled());
    }
    let name = spec.name.take().unwrap_or_else(|| container_name(&ctx.services.run_id));
    let mut create = CreateContainerOptionsBuilder::default().name(&name);
    if let Some(platform) = &spec.platform {
        create = create.platform(platform);
    }
    let user = spec.body.user.clone().or_else(|| source.user.clone()).unwrap_or_default();
    ctx.services.journal.write(&Entry::Container { name: name.clone(), at: journal::now() });
    // From here on, cancelling must not lose the container: creating is awaited in any case.
    let created = engine
        .client()
        .create_container(Some(create.build()), spec.body)
        .await
        .map_err(|error| explain(&error).context("creating the container"))?;
    let machine = DockerMachine {
        communicator: DockerCommunicator::new(
            engine.clone(),
            created.id.clone(),
            config.exec_user.clone(),
            config.fix_upload_owner.then_some(user),
            config.pty,
            memory,
        ),
        engine,
        container: created.id.clone(),
        config,
        source,
        image_is_state: AtomicBool::new(false),
    };
    ctx.services.journal.write(&Entry::ContainerMade { name, id: created.id });
    let started = machine.engine.client().start_container(&machine.container, None).await;
    let failure = match started {
        Ok(()) if !ctx.cancel.is_cancelled() => {
            ctx.say(format!("Container ID: {}", machine.container)).await;
            ctx.say("Using docker communicator to connect").await;
            return Ok(machine);
        }
        Ok(()) => Failure::cancelled(),
        Err(error) => explain(&error).context("starting the container"),
    };
    // A failure to remove is said, but it is not why the boot failed.
    if let Err(leftover) = machine.remove(ctx).await {
        ctx.complain(leftover.to_string()).await;
    }
    Err(failure)
}

/// Makes a container's name, by which a later run can tell whose it is.
fn container_name(run_id: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("rpk-{run_id}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A running container.
pub(super) struct DockerMachine {
    engine: Engine,
    container: String,
    config: Arc<Config>,
    communicator: DockerCommunicator,
    source: SourceImage,
    /// Whether the captured image is the machine's state, from which another machine can go on.
    image_is_state: AtomicBool,
}

impl Machine for DockerMachine {
    fn communicator(&self) -> &dyn Communicator {
        &self.communicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        run::data(&self.container, &self.source)
    }

    fn source(&self) -> Vec<Input> {
        super::inputs(self.source.content(), false)
    }

    fn snapshot<'a>(&'a self, ctx: &'a NodeContext, name: &'a str) -> BoxFuture<'a, Outcome<Option<Snapshot>>> {
        self.keep(ctx, name).boxed()
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
        crate::docker::shell(&self.engine, &self.container, self.config.exec_user.clone()).boxed()
    }

    fn release(&self, ctx: &NodeContext) {
        self.settle(ctx);
    }

    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say(format!("Killing the container: {}", self.container)).await;
            self.remove(ctx).await
        }
        .boxed()
    }
}

impl DockerMachine {
    /// Writes down that nothing of the container has to be taken away any more.
    fn settle(&self, ctx: &NodeContext) {
        // A journal that tells too much is no harm: a container that is gone cannot be removed.
        ctx.services.journal.write(&Entry::ContainerSettled { id: self.container.clone() });
        ctx.services.journal.write(&Entry::CommitSettled { container: self.container.clone() });
    }

    /// Kills and removes the container with its anonymous volumes; one that is gone already is no failure.
    async fn remove(&self, ctx: &NodeContext) -> Outcome<()> {
        self.engine.remove_container(&self.container).await?;
        self.settle(ctx);
        Ok(())
    }

    /// Returns what the engine says of the container.
    async fn inspect(&self) -> Outcome<ContainerInspectResponse> {
        let inspected = self.engine.client().inspect_container(&self.container, None).await;
        inspected.map_err(|error| explain(&error).context("inspecting the container"))
    }

    /// Returns the configuration that an image of the container gets.
    ///
    /// The engine takes a configuration with the request for the image's; Docker's client sends none and gets the
    /// container's, so that is what is sent: just as if it had been started from the builder's image.
    fn image_config(&self, container: ContainerInspectResponse) -> ContainerConfig {
        ContainerConfig { image: Some(self.config.image.clone()), ..container.config.unwrap_or_default() }
    }

    /// Tells whether folders of the container are no part of an image of it: another machine would not have them.
    fn has_mounts(&self, container: &ContainerInspectResponse) -> bool {
        !self.config.tmpfs.is_empty() || container.mounts.as_ref().is_some_and(|mounts| !mounts.is_empty())
    }

    /// Tells whether nothing but the container's own process runs: another machine would not run it.
    async fn is_idle(&self) -> bool {
        let listed = self.engine.client().top_processes(&self.container, None::<TopOptions>).await;
        listed.is_ok_and(|listed| listed.processes.is_some_and(|processes| processes.len() == 1))
    }

    /// Commits the container as it is, under a name, and lets it go on; not where another machine would not be the
    /// same.
    async fn keep(&self, ctx: &NodeContext, name: &str) -> Outcome<Option<Snapshot>> {
        let client = self.engine.client();
        let (container, is_idle) = tokio::join!(self.inspect(), self.is_idle());
        let container = container?;
        if !is_idle || self.has_mounts(&container) {
            return Ok(None);
        }
        ctx.services.journal.write(&Entry::Image { name: name.to_owned() });
        let image = ImageName::parse(name);
        let options = CommitContainerOptionsBuilder::default()
            .container(&self.container)
            .repo(&image.repository)
            .tag(&image.reference)
            .pause(true);
        let committed = client
            .commit_container(options.build(), self.image_config(container))
            .await
            .map_err(|error| explain(&error).context("keeping the state of the container"))?;
        let id = if committed.id.contains(':') { committed.id } else { format!("sha256:{}", committed.id) };
        let layers = client.image_history(&id).await.unwrap_or_default();
        let size = layers.first().and_then(|layer| u64::try_from(layer.size).ok()).unwrap_or_default();
        let data = serde_json::to_value(&self.source).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Some(Snapshot { id, name: name.to_owned(), size, data }))
    }

    async fn commit(&self, ctx: &NodeContext) -> Outcome<Artifact> {
        ctx.say("Committing the container").await;
        let client = self.engine.client();
        let container = if self.config.changes.is_empty() {
            let (container, is_idle) = tokio::join!(self.inspect(), self.is_idle());
            let container = container?;
            self.image_is_state.store(is_idle && !self.has_mounts(&container), Ordering::Relaxed);
            container
        } else {
            self.inspect().await?
        };
        let config = self.image_config(container);
        ctx.services.journal.write(&Entry::Commit { container: self.container.clone(), at: journal::now() });
        let changes = run::changes_with_defaults(&self.config.changes, &self.source.cmd, &self.source.entrypoint);
        let mut options = CommitContainerOptionsBuilder::default()
            .container(&self.container)
            .pause(false)
            .changes(&changes.join("\n"));
        if let Some(author) = &self.config.author {
            options = options.author(author);
        }
        if let Some(message) = &self.config.message {
            options = options.comment(message);
        }
        // Nothing may change under the commit, so the container is paused for it, as Packer has it. Killing a paused
        // container wakes nothing up: so it can be done meanwhile, and the engine takes down its network in the time
        // of the commit. Where pausing is not to be had, the container is killed before.
        let kill = || client.kill_container(&self.container, None);
        let commit = client.commit_container(options.build(), config);
        let committed = if client.pause_container(&self.container).await.is_ok() {
            // A container that survives this is removed by force later.
            let (committed, _) = tokio::join!(commit, kill());
            committed
        } else {
            kill().await.map_err(|error| explain(&error).context("stopping the container"))?;
            commit.await
        };
        let image = committed.map_err(|error| explain(&error).context("committing the container"))?;
        let id = if image.id.contains(':') { image.id } else { format!("sha256:{}", image.id) };
        ctx.say(format!("Image ID: {id}")).await;
        Ok(run::image_artifact(id, self.data()))
    }

    async fn export(&self, ctx: &NodeContext, path: &Path) -> Outcome<Artifact> {
        ctx.say(format!("Exporting the container to {}", path.display())).await;
        let stream = self.engine.client().export_container(&self.container).map_err(|error| explain(&error));
        crate::docker::write_stream(ctx, stream, path)
            .await
            .map_err(|failure| failure.context(format!("exporting the container to {}", path.display())))?;
        Ok(run::export_artifact(Some(path), self.data()))
    }
}
