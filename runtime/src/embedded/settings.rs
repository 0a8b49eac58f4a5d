//! What `docker run` was told, in the terms of this engine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bollard::models::ContainerCreateBody;
use serde_json::json;

use super::image::RunConfig;
use super::sandbox::confine;
use super::sandbox::protocol::{Bind, Spec};
use crate::failure::{Failure, Outcome};

/// What a container is called, and what it is to know other machines by.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Its id.
    pub id: String,
    /// Further hosts, `name:address`.
    pub hosts: Vec<String>,
    /// Servers to ask for names; none means those of this machine.
    pub dns: Vec<String>,
}

/// What the run command's own options make of an image's configuration: the container's.
pub fn run_config(image: &RunConfig, body: &ContainerCreateBody) -> RunConfig {
    let mut config = image.clone();
    if let Some(user) = &body.user {
        config.user.clone_from(user);
    }
    if let Some(folder) = &body.working_dir {
        config.working_dir.clone_from(folder);
    }
    let given = body.env.clone().unwrap_or_default();
    let name = |entry: &String| entry.split('=').next().unwrap_or_default().to_owned();
    let inherited = image.env.iter().filter(|entry| !given.iter().any(|known| name(known) == name(entry)));
    config.env = given.iter().cloned().chain(inherited.cloned()).collect();
    config.labels.extend(body.labels.iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    let nothing = || json!({});
    config.exposed_ports.extend(body.exposed_ports.iter().flatten().map(|port| (port.clone(), nothing())));
    config.volumes.extend(body.volumes.iter().flatten().map(|folder| (folder.clone(), nothing())));
    if let Some(signal) = &body.stop_signal {
        config.stop_signal.clone_from(signal);
    }
    // An entrypoint of its own takes the image's command away with the image's entrypoint.
    if let Some(entrypoint) = &body.entrypoint {
        config.entrypoint = Some(entrypoint.iter().filter(|word| !word.is_empty()).cloned().collect());
        config.cmd.clone_from(&body.cmd);
    } else if body.cmd.is_some() {
        config.cmd.clone_from(&body.cmd);
    }
    config
}

/// What a sandbox is to be, but for its folders.
pub fn spec(body: &ContainerCreateBody, config: &RunConfig, id: &str) -> Outcome<Spec> {
    let host = body.host_config.clone().unwrap_or_default();
    let is_privileged = host.privileged == Some(true);
    let add = if is_privileged { vec!["ALL".to_owned()] } else { host.cap_add.unwrap_or_default() };
    let tmpfs: BTreeMap<String, String> = host.tmpfs.unwrap_or_default().into_iter().collect();
    let mut spec = Spec {
        hostname: body.hostname.clone().unwrap_or_else(|| id.chars().take(12).collect()),
        is_offline: is_offline(host.network_mode.as_deref())?,
        is_privileged,
        capabilities: confine::capabilities(&add, &host.cap_drop.unwrap_or_default())?,
        tmpfs: tmpfs.into_iter().collect(),
        shm_bytes: host.shm_size.and_then(|size| u64::try_from(size).ok()),
        ..Spec::default()
    };
    for limit in host.ulimits.unwrap_or_default() {
        let (soft, hard) = (limit.soft.unwrap_or(-1), limit.hard.unwrap_or(-1));
        spec.limits.push((limit.name.unwrap_or_default(), soft, hard));
    }
    for device in host.devices.unwrap_or_default() {
        let (Some(source), Some(target)) = (device.path_on_host, device.path_in_container) else { continue };
        spec.devices.push(Bind { source: PathBuf::from(source), target, is_read_only: false });
    }
    for bind in host.binds.unwrap_or_default() {
        spec.binds.push(read_bind(&bind)?);
    }
    let is_taken = |folder: &String| {
        spec.binds.iter().any(|bind| bind.target == *folder) || spec.tmpfs.iter().any(|(target, _)| target == folder)
    };
    let free: Vec<String> = config.volumes.keys().filter(|folder| !is_taken(folder)).cloned().collect();
    spec.volumes =
        free.into_iter().map(|target| Bind { source: PathBuf::new(), target, is_read_only: false }).collect();
    Ok(spec)
}

fn is_offline(network: Option<&str>) -> Outcome<bool> {
    match network.unwrap_or_default() {
        // What the usual engines route, this one shares: the machine's own network.
        "" | "default" | "bridge" | "host" => Ok(false),
        "none" => Ok(true),
        other => Err(Failure::new(format!("the embedded engine has no network `{other}`"))
            .help("use `host` or `none`, or build with Docker: `-engine=docker`")),
    }
}

/// Reads `FOLDER:TARGET[:OPTIONS]`.
fn read_bind(text: &str) -> Outcome<Bind> {
    let mut parts = text.splitn(3, ':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err(Failure::new(format!("`{text}` is no volume: expected FOLDER:TARGET")));
    };
    if !source.starts_with('/') {
        return Err(Failure::new(format!("the embedded engine has no volume of the name `{source}`"))
            .help("name a folder by its absolute path, or build with Docker: `-engine=docker`"));
    }
    let is_read_only = parts.next().is_some_and(|options| options.split(',').any(|word| word == "ro"));
    Ok(Bind { source: PathBuf::from(source), target: target.to_owned(), is_read_only })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{RunOptions, RunSpec};

    fn body(text: &str) -> ContainerCreateBody {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        RunSpec::parse(&words, &RunOptions::default()).expect("is valid").body
    }

    #[test]
    fn the_run_command_covers_what_the_image_says() {
        let image = RunConfig {
            env: vec!["A=1".to_owned(), "B=2".to_owned()],
            cmd: Some(vec!["c".to_owned()]),
            entrypoint: Some(vec!["/e".to_owned()]),
            ..RunConfig::default()
        };
        let config = run_config(&image, &body("-d -e B=3 -u app --entrypoint=/bin/sh -- img"));
        assert_eq!(config.env, ["B=3", "A=1"]);
        assert_eq!((config.user.as_str(), config.cmd), ("app", None));
        assert_eq!(config.entrypoint, Some(vec!["/bin/sh".to_owned()]));
        let config = run_config(&image, &body("-d img x"));
        assert_eq!((config.cmd, config.entrypoint), (Some(vec!["x".to_owned()]), Some(vec!["/e".to_owned()])));
    }

    #[test]
    fn what_only_a_daemon_has_is_refused() {
        for text in ["--net mine img", "-v name:/a img"] {
            assert!(spec(&body(text), &RunConfig::default(), "id").is_err(), "{text}");
        }
        let spec = spec(&body("--net none -v /a:/b:ro -v /c img"), &RunConfig::default(), "id").expect("is possible");
        assert!(spec.is_offline && spec.binds[0].is_read_only);
    }
}
