//! `docker`: starts a container from an image and captures it as an image or a file.
//!
//! Everything goes through the engine's API; no Docker client is needed. What a build leaves in an image equals what
//! Packer leaves, down to the empty `container_dir`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
};
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryStreamExt as _};
use rpk_planner::catalog::{
    ArtifactKind, ComponentKind, ComponentSpec, Moment, Problem, Rendering, Settings, boolean, string, string_list,
    string_map,
};
use serde::Deserialize;

use super::{Builder, BuilderType, Machine};
use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::communicator::docker::DockerCommunicator;
use crate::communicator::options;
use crate::context::NodeContext;
use crate::docker::{
    EXPORT_BUILDER_ID, Engine, IMAGE_BUILDER_ID, PullPolicy, RunOptions, RunSpec, explain, remove_image,
};
use crate::failure::{Failure, Outcome};

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
            let machine = boot(ctx, self.config.clone()).await?;
            Ok(Arc::new(machine) as Arc<dyn Machine>)
        }
        .boxed()
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

async fn boot(ctx: &NodeContext, config: Arc<Config>) -> Outcome<DockerMachine> {
    let engine = ctx.services.engine().await?.clone();
    let credentials = config.login.then(|| DockerCredentials {
        username: config.login_username.clone(),
        password: config.login_password.clone(),
        serveraddress: config.login_server.clone(),
        ..DockerCredentials::default()
    });
    let pull = match config.pull {
        Some(true) => PullPolicy::Always,
        Some(false) | None => PullPolicy::IfMissing,
    };
    let image = engine.resolve_image(ctx, &config.image, pull, config.platform.as_deref(), credentials).await?;
    let source = SourceImage {
        cmd: image.config.as_ref().and_then(|config| config.cmd.clone()).unwrap_or_default(),
        entrypoint: image.config.as_ref().and_then(|config| config.entrypoint.clone()).unwrap_or_default(),
        digest: image.repo_digests.and_then(|digests| digests.into_iter().next()).unwrap_or_default(),
    };

    let mut words = Vec::new();
    for word in &config.run_command {
        words.push(ctx.render(word, &[("Image", &config.image)])?);
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
    let user = spec.body.user.clone().or_else(|| image.config.and_then(|config| config.user)).unwrap_or_default();
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
        container: created.id,
        config,
        source,
    };
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
    if let Err(leftover) = machine.remove().await {
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
struct SourceImage {
    cmd: Vec<String>,
    entrypoint: Vec<String>,
    digest: String,
}

struct DockerMachine {
    engine: Engine,
    container: String,
    config: Arc<Config>,
    communicator: DockerCommunicator,
    source: SourceImage,
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

    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        async move {
            ctx.say(format!("Killing the container: {}", self.container)).await;
            self.remove().await
        }
        .boxed()
    }
}

impl DockerMachine {
    /// Kills and removes the container with its anonymous volumes; one that is gone already is no failure.
    async fn remove(&self) -> Outcome<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.engine.client().remove_container(&self.container, Some(options)).await {
            Ok(()) | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(explain(&error).context(format!("removing container {}", self.container))),
        }
    }

    async fn commit(&self, ctx: &NodeContext) -> Outcome<Artifact> {
        ctx.say("Committing the container").await;
        let client = self.engine.client();
        // The engine takes a configuration with the request for the image's; Docker's client sends none and gets the
        // container's, so that is what is sent.
        let container = client
            .inspect_container(&self.container, None)
            .await
            .map_err(|error| explain(&error).context("inspecting the container"))?;
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
        let commit = client.commit_container(options.build(), container.config.unwrap_or_default());
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
