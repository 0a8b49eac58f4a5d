//! The builder's options: what templates may say, what is checked of it, and how plans speak of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bollard::auth::DockerCredentials;
use rpk_planner::catalog::{
    ArtifactKind, Caching, ComponentKind, ComponentSpec, Moment, Problem, Recipe, Rendering, Settings, boolean, string,
    string_list, string_map,
};
use serde::Deserialize;

use crate::communicator::options;

/// The options of one source.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    pub image: String,
    pub pull: Option<bool>,
    pub platform: Option<String>,
    #[serde(default)]
    pub commit: bool,
    pub export_path: Option<PathBuf>,
    #[serde(default)]
    pub changes: Vec<String>,
    pub author: Option<String>,
    pub message: Option<String>,
    #[serde(default = "default_run_command")]
    pub run_command: Vec<String>,
    #[serde(default)]
    pub privileged: bool,
    #[serde(default)]
    pub cap_add: Vec<String>,
    #[serde(default)]
    pub cap_drop: Vec<String>,
    #[serde(default)]
    pub device: Vec<String>,
    #[serde(default)]
    pub tmpfs: Vec<String>,
    #[serde(default)]
    pub volumes: BTreeMap<String, String>,
    pub runtime: Option<String>,
    #[serde(default = "default_container_dir")]
    pub container_dir: String,
    pub exec_user: Option<String>,
    #[serde(default)]
    pub pty: bool,
    #[serde(default = "yes")]
    pub fix_upload_owner: bool,
    #[serde(default)]
    pub login: bool,
    pub login_username: Option<String>,
    pub login_password: Option<String>,
    pub login_server: Option<String>,
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

impl Config {
    /// Returns what to log in to the registry with, if the template says so.
    pub fn credentials(&self) -> Option<DockerCredentials> {
        self.login.then(|| DockerCredentials {
            username: self.login_username.clone(),
            password: self.login_password.clone(),
            serveraddress: self.login_server.clone(),
            ..DockerCredentials::default()
        })
    }
}

/// Describes the builder to the planner.
pub(super) fn spec() -> ComponentSpec {
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
            Recipe::judged(1, |settings, _| match settings.get("volumes").and_then(|volumes| volumes.as_object()) {
                Some(volumes) if !volumes.is_empty() => {
                    Caching::Never("mounts folders of this machine, whose contents are no part of the image".to_owned())
                }
                _ => Caching::Cacheable,
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
