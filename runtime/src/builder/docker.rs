//! `docker`: starts a container from an image and captures it as an image or a file.
//!
//! Everything goes through the engine's API; no Docker client is needed. What a build leaves in an image equals what
//! Packer leaves, down to the empty `container_dir`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bollard::auth::DockerCredentials;
use bollard::models::{ContainerConfig, ContainerInspectResponse, ImageInspect};
use bollard::query_parameters::{CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, TopOptions};
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use rpk_planner::catalog::{
    ArtifactKind, Caching, ComponentKind, ComponentSpec, Moment, Problem, Recipe, Rendering, Settings, boolean, string,
    string_list, string_map,
};
use rpk_planner::key::{Input, InputValue};
use serde::{Deserialize, Serialize};

use super::{Builder, BuilderType, Machine, Snapshot};
use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::communicator::docker::DockerCommunicator;
use crate::communicator::options;
use crate::context::NodeContext;
use crate::docker::{
    EXPORT_BUILDER_ID, Engine, IMAGE_BUILDER_ID, ImageName, LazyEngine, PullPolicy, RunOptions, RunSpec, explain,
    remove_image,
};
use crate::failure::{Failure, Outcome};
use crate::journal::{self, Entry};

/// The `docker` builder type.
pub struct Docker;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    image: String,
    pull: Option<bool>,
    platform: Option<String>,
    #[serde(default)]
    commit: bool,
    export_path: Option<PathBuf>,
    #[serde(default)]
    changes: Vec<String>,
    author: Option<String>,
    message: Option<String>,
    #[serde(default = "default_run_command")]
    run_command: Vec<String>,
    #[serde(default)]
    privileged: bool,
    #[serde(default)]
    cap_add: Vec<String>,
    #[serde(default)]
    cap_drop: Vec<String>,
    #[serde(default)]
    device: Vec<String>,
    #[serde(default)]
    tmpfs: Vec<String>,
    #[serde(default)]
    volumes: BTreeMap<String, String>,
    runtime: Option<String>,
    #[serde(default = "default_container_dir")]
    container_dir: String,
    exec_user: Option<String>,
    #[serde(default)]
    pty: bool,
    #[serde(default = "yes")]
    fix_upload_owner: bool,
    #[serde(default)]
    login: bool,
    login_username: Option<String>,
    login_password: Option<String>,
    login_server: Option<String>,
}

fn default_run_command() -> Vec<String> {
    ["-d", "-i", "-t", "--entrypoint=/bin/sh", "--", "{{.Image}}"].map(str::to_owned).to_vec()
}

fn default_container_dir() -> String {
    "/packer-files".to_owned()
}

fn yes() -> bool {
    true
}

impl BuilderType for Docker {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Builder, "docker")
            .options([
                string("image", "The image that the container starts from."),
                boolean("commit", "Captures the container as an image."),
                string("export_path", "Captures the container's file system as a tar file at this path."),
                boolean("discard", "Captures nothing: the container is thrown away."),
                string_list("changes", "Dockerfile instructions that change the image's configuration."),
                string("author", "The author recorded in the image."),
                string("message", "The message recorded in the image."),
                boolean("pull", "Pulls the image even if the engine has it."),
                string("platform", "The platform of the image, such as `linux/arm64`."),
                string_list("run_command", "The words after `docker run`.").rendering(Rendering::Late),
                boolean("privileged", "Gives the container the host's privileges."),
                string_list("cap_add", "Capabilities to add."),
                string_list("cap_drop", "Capabilities to drop."),
                string_list("device", "Devices of the host to give to the container."),
                string_list("tmpfs", "Paths at which the container has a memory file system."),
                string_map("volumes", "Host paths to mount, each at a path of the container."),
                string("runtime", "The engine's runtime for the container."),
                string("container_dir", "An empty folder that the container has while it is built."),
                string("exec_user", "The user that commands run as."),
                boolean("pty", "Gives commands a terminal."),
                boolean("fix_upload_owner", "Gives uploaded files to the container's user."),
                boolean("login", "Logs in to the registry for pulling."),
                string("login_username", "The user name at the registry."),
                string("login_password", "The password at the registry.").sensitive(),
                string("login_server", "The registry to log in to."),
                string("docker_path", "Accepted for Packer's sake: rpk needs no Docker client."),
            ])
            .options(options::options())
            .check(check)
            .describe(describe)
            .captures(|settings| {
                if is_on(settings, "commit") {
                    ArtifactKind::Image
                } else if settings.contains_key("export_path") {
                    ArtifactKind::Files
                } else {
                    ArtifactKind::Nothing
                }
            })
            .uses_engine()
            .build_data(&["ImageSha256", "SourceImageDigest"])
            .recipe(
                Recipe::judged(1, |settings, _| {
                    match settings.get("volumes").and_then(|volumes| volumes.as_object()) {
                        Some(volumes) if !volumes.is_empty() => Caching::Never(
                            "mounts folders of this machine, whose contents are no part of the image".to_owned(),
                        ),
                        _ => Caching::Cacheable,
                    }
                })
                .immaterial(&["pull", "login", "login_username", "login_password", "login_server", "docker_path"])
                .capture_only(&["commit", "export_path", "discard", "changes", "author", "message"])
                .boot_only(&[
                    "image",
                    "platform",
                    "run_command",
                    "privileged",
                    "cap_add",
                    "cap_drop",
                    "device",
                    "tmpfs",
                    "volumes",
                    "runtime",
                    "container_dir",
                    "exec_user",
                    "pty",
                    "fix_upload_owner",
                ])
                .image_option("image"),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(DockerBuilder { config: Arc::new(config) }))
    }
}

fn is_on(settings: &Settings, name: &str) -> bool {
    settings.get(name).and_then(serde_json::Value::as_bool).unwrap_or(false)
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if settings.get("image").and_then(|image| image.as_str()).is_none_or(str::is_empty) {
        problems.push(Problem::of_block("`image` is missing").help("name the image that the container starts from"));
    }
    let communicator = settings.get("communicator").and_then(|name| name.as_str()).unwrap_or_default();
    if !["", "docker"].contains(&communicator) {
        problems.push(
            Problem::with("communicator", format!("rpk reaches containers by `docker`, not by `{communicator}`"))
                .help("leave `communicator` out"),
        );
    }
    let export_path = settings.get("export_path").and_then(|path| path.as_str()).filter(|path| !path.is_empty());
    let ways = [
        ("commit", is_on(settings, "commit")),
        ("discard", is_on(settings, "discard")),
        ("export_path", export_path.is_some()),
    ];
    let chosen: Vec<&str> = ways.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
    match chosen.as_slice() {
        [] => problems.push(
            Problem::of_block("it is not said what to make of the container")
                .help("set one of `commit`, `export_path` and `discard`"),
        ),
        [_] => {}
        [_, second, ..] => problems.push(
            Problem::with(second, format!("`{}` exclude each other", chosen.join("` and `")))
                .help("keep one of `commit`, `export_path` and `discard`"),
        ),
    }
    if export_path.is_some_and(|path| Path::new(path).is_dir()) {
        problems.push(Problem::with("export_path", "the path is an existing folder").help("name a file"));
    }
    problems
}

fn describe(settings: &Settings, moment: Moment) -> String {
    let text = |name: &str| settings.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let changes = settings.get("changes").and_then(|changes| changes.as_array()).map_or(0, Vec::len);
    match moment {
        Moment::Capture if is_on(settings, "commit") => match changes {
            0 => "commit the container as an image".to_owned(),
            1 => "commit the container as an image with 1 change".to_owned(),
            count => format!("commit the container as an image with {count} changes"),
        },
        Moment::Capture if settings.contains_key("export_path") => {
            format!("export the container to {}", text("export_path"))
        }
        Moment::Capture => "throw the container away".to_owned(),
        _ => format!("start a container from image {}", text("image")),
    }
}

struct DockerBuilder {
    config: Arc<Config>,
}

impl Builder for DockerBuilder {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let source = self.config.find_source(ctx).await?;
            let machine = start(ctx, self.config.clone(), source, &self.config.image).await?;
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
            let machine = start(ctx, self.config.clone(), source, &snapshot.id).await?;
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

impl Config {
    fn credentials(&self) -> Option<DockerCredentials> {
        self.login.then(|| DockerCredentials {
            username: self.login_username.clone(),
            password: self.login_password.clone(),
            serveraddress: self.login_server.clone(),
            ..DockerCredentials::default()
        })
    }

    /// Finds the image to start from, pulling it if need be.
    async fn find_source(&self, ctx: &NodeContext) -> Outcome<SourceImage> {
        let engine = ctx.services.engine().await?;
        let pull = match self.pull {
            Some(true) => PullPolicy::Always,
            Some(false) | None => PullPolicy::IfMissing,
        };
        let image = engine.resolve_image(ctx, &self.image, pull, self.platform.as_deref(), self.credentials()).await?;
        Ok(SourceImage::of(image))
    }

    /// Tells by its content which image a build would start from now.
    async fn image_content(&self, engine: &Engine) -> Outcome<InputValue> {
        let local = engine.local_image(&self.image).await?;
        if self.pull == Some(true) {
            let digest = engine.registry_digest(&self.image, self.credentials()).await?;
            let has_it = |image: &ImageInspect| {
                image.repo_digests.iter().flatten().any(|known| known.ends_with(&format!("@{digest}")))
            };
            if !local.as_ref().is_some_and(has_it) {
                // What it is called here is known once it has been pulled.
                return Ok(InputValue::Content { digest, size_bytes: None });
            }
        }
        Ok(match local {
            Some(image) => SourceImage::of(image).content(),
            None => InputValue::Text("not pulled yet".to_owned()),
        })
    }
}

/// Starts a container from an image: the builder's, or a state that a container of such a build was left in.
async fn start(ctx: &NodeContext, config: Arc<Config>, source: SourceImage, image: &str) -> Outcome<DockerMachine> {
    let engine = ctx.services.engine().await?.clone();
    let mut words = Vec::new();
    for word in &config.run_command {
        words.push(ctx.render(word, &[("Image", image)])?);
    }
    let home = std::env::home_dir();
    let volumes = config.volumes.iter().map(|(host, container)| {
        let host = match (host.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest).display().to_string(),
            _ => host.clone(),
        };
        (host, container.clone())
    });
    let options = RunOptions {
        devices: config.device.clone(),
        cap_add: config.cap_add.clone(),
        cap_drop: config.cap_drop.clone(),
        is_privileged: config.privileged,
        runtime: config.runtime.clone(),
        platform: config.platform.clone(),
        tmpfs: config.tmpfs.clone(),
        volumes: volumes.collect(),
    };
    let mut spec = RunSpec::parse(&words, &options)?;
    // Packer mounts a folder here; the empty mount point stays in the image, and so it must with rpk.
    let tmpfs = spec.body.host_config.get_or_insert_default().tmpfs.get_or_insert_default();
    tmpfs.entry(config.container_dir.clone()).or_default();
    let memory = tmpfs.keys().cloned().collect();

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

/// What the build needs to know of the image that it started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SourceImage {
    id: String,
    size: Option<u64>,
    cmd: Vec<String>,
    entrypoint: Vec<String>,
    user: Option<String>,
    digest: String,
}

impl SourceImage {
    fn of(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        Self {
            id: image.id.unwrap_or_default(),
            size: image.size.and_then(|size| u64::try_from(size).ok()),
            cmd: config.cmd.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            user: config.user,
            digest: image.repo_digests.and_then(|digests| digests.into_iter().next()).unwrap_or_default(),
        }
    }

    fn content(&self) -> InputValue {
        InputValue::Content { digest: self.id.clone(), size_bytes: self.size }
    }
}

struct DockerMachine {
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
        [
            ("ID", self.container.as_str()),
            ("ConnType", "docker"),
            ("Host", ""),
            ("User", ""),
            ("Password", ""),
            ("Port", ""),
            ("ImageSha256", "ERR_IMAGE_SHA256_NOT_FOUND"),
            ("SourceImageDigest", &self.source.digest),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    fn source(&self) -> Vec<Input> {
        vec![Input::new("image", self.source.content())]
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
                Ok(Artifact {
                    builder_id: EXPORT_BUILDER_ID.to_owned(),
                    id: "Container".to_owned(),
                    description: "Exported Docker file: ".to_owned(),
                    data: self.data(),
                    ..Artifact::default()
                })
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
        let changes = changes_with_defaults(&self.config.changes, &self.source.cmd, &self.source.entrypoint);
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
        let mut data = self.data();
        data.insert("ImageSha256".to_owned(), id.clone());
        Ok(Artifact {
            builder_id: IMAGE_BUILDER_ID.to_owned(),
            description: format!("Imported Docker image: {id}"),
            id,
            data,
            ..Artifact::default()
        })
    }

    async fn export(&self, ctx: &NodeContext, path: &Path) -> Outcome<Artifact> {
        ctx.say(format!("Exporting the container to {}", path.display())).await;
        let stream = self.engine.client().export_container(&self.container).map_err(|error| explain(&error));
        crate::docker::write_stream(ctx, stream, path)
            .await
            .map_err(|failure| failure.context(format!("exporting the container to {}", path.display())))?;
        Ok(Artifact {
            builder_id: EXPORT_BUILDER_ID.to_owned(),
            id: "Container".to_owned(),
            files: vec![path.to_owned()],
            description: format!("Exported Docker file: {}", path.display()),
            data: self.data(),
            ..Artifact::default()
        })
    }
}

/// Adds the source image's command and entrypoint, which the run command covered up, unless a change sets them.
///
/// An absent one becomes a list of one empty text: the engine takes an empty list for no change at all.
fn changes_with_defaults(changes: &[String], cmd: &[String], entrypoint: &[String]) -> Vec<String> {
    let restore = |instruction: &str, words: &[String]| {
        let nothing = [String::new()];
        let words = if words.is_empty() { &nothing } else { words };
        format!("{instruction} {}", serde_json::json!(words))
    };
    let has = |instruction: &str| changes.iter().any(|change| change.starts_with(instruction));
    let mut all = changes.to_vec();
    if !has("CMD") {
        all.push(restore("CMD", cmd));
    }
    if !has("ENTRYPOINT") {
        all.push(restore("ENTRYPOINT", entrypoint));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_the_run_command_covered_up_comes_back_unless_a_change_sets_it() {
        let cmd = words(&["node"]);
        for (changes, entrypoint, expected) in [
            (words(&["EXPOSE 1"]), words(&["/e"]), words(&["EXPOSE 1", "CMD [\"node\"]", "ENTRYPOINT [\"/e\"]"])),
            (words(&[]), words(&[]), words(&["CMD [\"node\"]", "ENTRYPOINT [\"\"]"])),
            (words(&["CMD x", "ENTRYPOINT y"]), words(&["/e"]), words(&["CMD x", "ENTRYPOINT y"])),
        ] {
            assert_eq!(changes_with_defaults(&changes, &cmd, &entrypoint), expected);
        }
    }
}
