//! The language of `docker run`, for the builder's `run_command`.
//!
//! Packer hands `run_command` to Docker's client; rpk talks to the engine itself and so reads the same words. Flags
//! follow the client's rules: short booleans may be joined (`-dit`), values follow with `=`, a blank or directly
//! after a short flag, and the first word that is no flag is the image.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, DeviceMapping, HostConfig, ResourcesUlimits};

use crate::failure::{Failure, Outcome};

/// What the builder's own options add to the command.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// `device`.
    pub devices: Vec<String>,
    /// `cap_add`.
    pub cap_add: Vec<String>,
    /// `cap_drop`.
    pub cap_drop: Vec<String>,
    /// `privileged`.
    pub is_privileged: bool,
    /// `runtime`.
    pub runtime: Option<String>,
    /// `platform`.
    pub platform: Option<String>,
    /// `tmpfs`.
    pub tmpfs: Vec<String>,
    /// `volumes`: host path to container path.
    pub volumes: Vec<(String, String)>,
}

/// A container to create.
#[derive(Clone, Debug, Default)]
pub struct RunSpec {
    /// Its name, if `--name` gives one.
    pub name: Option<String>,
    /// Its platform.
    pub platform: Option<String>,
    /// Its configuration.
    pub body: ContainerCreateBody,
}

/// Flags without a value: name, short form.
const BOOLEANS: &[(&str, char)] = &[
    ("detach", 'd'),
    ("interactive", 'i'),
    ("tty", 't'),
    ("privileged", ' '),
    ("init", ' '),
    ("rm", ' '),
    ("read-only", ' '),
    ("publish-all", 'P'),
    ("oom-kill-disable", ' '),
];

/// Flags with a value: name, short form.
const VALUES: &[(&str, char)] = &[
    ("add-host", ' '),
    ("cap-add", ' '),
    ("cap-drop", ' '),
    ("cgroupns", ' '),
    ("cpu-shares", 'c'),
    ("cpus", ' '),
    ("cpuset-cpus", ' '),
    ("device", ' '),
    ("dns", ' '),
    ("dns-search", ' '),
    ("domainname", ' '),
    ("entrypoint", ' '),
    ("env", 'e'),
    ("env-file", ' '),
    ("expose", ' '),
    ("group-add", ' '),
    ("hostname", 'h'),
    ("ipc", ' '),
    ("label", 'l'),
    ("link", ' '),
    ("memory", 'm'),
    ("memory-swap", ' '),
    ("name", ' '),
    ("net", ' '),
    ("network", ' '),
    ("pid", ' '),
    ("pids-limit", ' '),
    ("platform", ' '),
    ("publish", 'p'),
    ("pull", ' '),
    ("runtime", ' '),
    ("security-opt", ' '),
    ("shm-size", ' '),
    ("stop-signal", ' '),
    ("stop-timeout", ' '),
    ("sysctl", ' '),
    ("tmpfs", ' '),
    ("ulimit", ' '),
    ("user", 'u'),
    ("userns", ' '),
    ("uts", ' '),
    ("volume", 'v'),
    ("volumes-from", ' '),
    ("workdir", 'w'),
];

impl RunSpec {
    /// Reads the words after `docker run`, the builder's options first as Packer puts them.
    ///
    /// # Errors
    ///
    /// Fails on a flag that is unknown here, a value that is malformed, or when no image follows.
    pub fn parse(words: &[String], options: &RunOptions) -> Outcome<Self> {
        let mut spec = Self::default();
        for device in &options.devices {
            spec.value("device", device)?;
        }
        for capability in &options.cap_add {
            spec.value("cap-add", capability)?;
        }
        for capability in &options.cap_drop {
            spec.value("cap-drop", capability)?;
        }
        if options.is_privileged {
            spec.switch("privileged", true);
        }
        for (flag, value) in [("runtime", &options.runtime), ("platform", &options.platform)] {
            if let Some(value) = value {
                spec.value(flag, value)?;
            }
        }
        for tmpfs in &options.tmpfs {
            spec.value("tmpfs", tmpfs)?;
        }
        for (host, container) in &options.volumes {
            spec.value("volume", &format!("{host}:{container}"))?;
        }
        spec.words(words)?;
        // Docker's client opens standard input once only for a container that it stays attached to.
        Ok(spec)
    }

    fn words(&mut self, words: &[String]) -> Outcome<()> {
        let mut words = words.iter();
        let image = loop {
            let Some(word) = words.next() else {
                return Err(Failure::new("no image in the run command").help("end `run_command` with `{{.Image}}`"));
            };
            if word == "--" {
                break words.next().ok_or_else(|| Failure::new("no image after `--` in the run command"))?;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                if BOOLEANS.iter().any(|(known, _)| *known == name) {
                    let is_on = matches!(value, None | Some("1" | "t" | "T" | "true" | "TRUE" | "True"));
                    self.switch(name, is_on);
                } else if VALUES.iter().any(|(known, _)| *known == name) {
                    let value = match value {
                        Some(value) => value,
                        None => words.next().ok_or_else(|| missing_value(word))?,
                    };
                    self.value(name, value)?;
                } else {
                    return Err(unknown(word));
                }
            } else if word.len() > 1 && word.starts_with('-') {
                let mut rest = &word[1..];
                while let Some(short) = rest.chars().next() {
                    rest = &rest[short.len_utf8()..];
                    let find = |table: &[(&'static str, char)]| {
                        table.iter().find(|(_, known)| *known == short).map(|(name, _)| *name)
                    };
                    if let Some(name) = find(BOOLEANS) {
                        self.switch(name, true);
                    } else if let Some(name) = find(VALUES) {
                        let value = match rest.strip_prefix('=').unwrap_or(rest) {
                            "" => words.next().ok_or_else(|| missing_value(word))?,
                            value => value,
                        };
                        self.value(name, value)?;
                        break;
                    } else {
                        return Err(unknown(word));
                    }
                }
            } else {
                break word;
            }
        };
        self.body.image = Some(image.clone());
        let command: Vec<String> = words.cloned().collect();
        if !command.is_empty() {
            self.body.cmd = Some(command);
        }
        Ok(())
    }

    fn host(&mut self) -> &mut HostConfig {
        self.body.host_config.get_or_insert_default()
    }

    fn switch(&mut self, name: &str, is_on: bool) {
        match name {
            "interactive" => self.body.open_stdin = Some(is_on),
            "tty" => self.body.tty = Some(is_on),
            "privileged" => self.host().privileged = Some(is_on),
            "init" => self.host().init = Some(is_on),
            "read-only" => self.host().readonly_rootfs = Some(is_on),
            "publish-all" => self.host().publish_all_ports = Some(is_on),
            "oom-kill-disable" => self.host().oom_kill_disable = Some(is_on),
            // The container is always detached, and rpk removes it itself.
            _ => {}
        }
    }

    fn value(&mut self, name: &str, value: &str) -> Outcome<()> {
        let text = value.to_owned();
        let malformed = |what: &str| Failure::new(format!("`--{name} {value}` in the run command: {what}"));
        match name {
            "add-host" => self.host().extra_hosts.get_or_insert_default().push(text),
            "cap-add" => self.host().cap_add.get_or_insert_default().push(text),
            "cap-drop" => self.host().cap_drop.get_or_insert_default().push(text),
            "cgroupns" => {
                let mode = text.parse().map_err(|_| malformed("expected `private` or `host`"))?;
                self.host().cgroupns_mode = Some(mode);
            }
            "cpu-shares" => {
                self.host().cpu_shares = Some(text.parse().map_err(|_| malformed("not a whole number"))?);
            }
            "cpus" => {
                let cpus: f64 = text.parse().map_err(|_| malformed("not a number"))?;
                #[expect(clippy::cast_possible_truncation, reason = "a double out of range saturates")]
                let nano = (cpus * 1e9) as i64;
                self.host().nano_cpus = Some(nano);
            }
            "cpuset-cpus" => self.host().cpuset_cpus = Some(text),
            "device" => {
                let mut parts = value.split(':');
                let host = parts.next().unwrap_or_default();
                let (container, permissions) = match (parts.next(), parts.next()) {
                    (None, _) => (host, "rwm"),
                    // The second part may be permissions right away.
                    (Some(second), None) if second.chars().all(|c| "rwm".contains(c)) => (host, second),
                    (Some(second), None) => (second, "rwm"),
                    (Some(second), Some(third)) => (second, third),
                };
                let mapping = DeviceMapping {
                    path_on_host: Some(host.to_owned()),
                    path_in_container: Some(container.to_owned()),
                    cgroup_permissions: Some(permissions.to_owned()),
                };
                self.host().devices.get_or_insert_default().push(mapping);
            }
            "dns" => self.host().dns.get_or_insert_default().push(text),
            "dns-search" => self.host().dns_search.get_or_insert_default().push(text),
            "domainname" => self.body.domainname = Some(text),
            // An empty entrypoint takes the image's away.
            "entrypoint" => self.body.entrypoint = Some(vec![text]),
            "env" => self.environment(&text),
            "env-file" => {
                let lines = std::fs::read_to_string(value).map_err(|error| malformed(&error.to_string()))?;
                for line in lines.lines().map(str::trim_start) {
                    if !line.is_empty() && !line.starts_with('#') {
                        self.environment(line);
                    }
                }
            }
            "expose" => self.expose(&text),
            "group-add" => self.host().group_add.get_or_insert_default().push(text),
            "hostname" => self.body.hostname = Some(text),
            "ipc" => self.host().ipc_mode = Some(text),
            "label" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                self.body.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
            }
            "link" => self.host().links.get_or_insert_default().push(text),
            "memory" => self.host().memory = Some(bytes(value).ok_or_else(|| malformed("not a size"))?),
            "memory-swap" if value == "-1" => self.host().memory_swap = Some(-1),
            "memory-swap" => self.host().memory_swap = Some(bytes(value).ok_or_else(|| malformed("not a size"))?),
            "name" => self.name = Some(text),
            "net" | "network" => self.host().network_mode = Some(text),
            "pid" => self.host().pid_mode = Some(text),
            "pids-limit" => {
                self.host().pids_limit = Some(text.parse().map_err(|_| malformed("not a whole number"))?);
            }
            "platform" => self.platform = Some(text),
            "publish" => self.publish(value).ok_or_else(|| malformed("expected HOST-PORT:PORT"))?,
            // The builder decides on pulling.
            "pull" => {}
            "runtime" => self.host().runtime = Some(text),
            "security-opt" => self.host().security_opt.get_or_insert_default().push(text),
            "shm-size" => self.host().shm_size = Some(bytes(value).ok_or_else(|| malformed("not a size"))?),
            "stop-signal" => self.body.stop_signal = Some(text),
            "stop-timeout" => {
                self.body.stop_timeout = Some(text.parse().map_err(|_| malformed("not a whole number"))?);
            }
            "sysctl" => {
                let (key, value) = value.split_once('=').ok_or_else(|| malformed("expected KEY=VALUE"))?;
                self.host().sysctls.get_or_insert_default().insert(key.to_owned(), value.to_owned());
            }
            "tmpfs" => {
                let (path, options) = value.split_once(':').unwrap_or((value, ""));
                self.host().tmpfs.get_or_insert_default().insert(path.to_owned(), options.to_owned());
            }
            "ulimit" => {
                let limit = ulimit(value).ok_or_else(|| malformed("expected NAME=SOFT[:HARD]"))?;
                self.host().ulimits.get_or_insert_default().push(limit);
            }
            "user" => self.body.user = Some(text),
            "userns" => self.host().userns_mode = Some(text),
            "uts" => self.host().uts_mode = Some(text),
            "volume" if value.contains(':') => self.host().binds.get_or_insert_default().push(absolute_bind(value)),
            "volume" => self.body.volumes.get_or_insert_default().push(text),
            "volumes-from" => self.host().volumes_from.get_or_insert_default().push(text),
            "workdir" => self.body.working_dir = Some(text),
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    /// Takes `K=V`, or `K` alone for the value that rpk's own environment has.
    fn environment(&mut self, word: &str) {
        let entry = if word.contains('=') {
            Some(word.to_owned())
        } else {
            std::env::var(word).ok().map(|value| format!("{word}={value}"))
        };
        self.body.env.get_or_insert_default().extend(entry);
    }

    fn expose(&mut self, port: &str) {
        let port = if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
        let ports = self.body.exposed_ports.get_or_insert_default();
        if !ports.contains(&port) {
            ports.push(port);
        }
    }

    /// Reads `[[IP:]HOST-PORT:]PORT[/PROTOCOL]`.
    fn publish(&mut self, value: &str) -> Option<()> {
        let (ports, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
        let mut parts = ports.rsplitn(3, ':');
        let container: u16 = parts.next()?.parse().ok()?;
        let host_port = parts.next().map(str::to_owned);
        let host_ip = parts.next().map(|ip| ip.trim_matches(['[', ']']).to_owned());
        let port = format!("{container}/{protocol}");
        let binding = bollard::models::PortBinding { host_ip, host_port };
        self.expose(&port);
        self.host()
            .port_bindings
            .get_or_insert_with(HashMap::new)
            .entry(port)
            .or_insert_with(|| Some(Vec::new()))
            .get_or_insert_default()
            .push(binding);
        Some(())
    }
}

/// Makes a relative host path absolute, as Docker's client does for paths that start with a dot.
fn absolute_bind(value: &str) -> String {
    let (host, rest) = value.split_once(':').unwrap_or((value, ""));
    if host.starts_with('.')
        && let Ok(absolute) = std::path::absolute(host)
    {
        return format!("{}:{rest}", absolute.display());
    }
    value.to_owned()
}

fn missing_value(word: &str) -> Failure {
    Failure::new(format!("`{word}` in the run command needs a value"))
}

fn unknown(word: &str) -> Failure {
    Failure::new(format!("`{word}` in the run command is not a flag that rpk understands"))
        .help("leave the flag out, or ask for it to be added")
}

/// Reads a size such as `512m`, in bytes.
fn bytes(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let trimmed = lower.trim_end_matches("ib").trim_end_matches('b');
    let (digits, scale) = match trimmed.as_bytes().last()? {
        b'k' => (&trimmed[..trimmed.len() - 1], 1 << 10),
        b'm' => (&trimmed[..trimmed.len() - 1], 1 << 20),
        b'g' => (&trimmed[..trimmed.len() - 1], 1 << 30),
        b't' => (&trimmed[..trimmed.len() - 1], 1_i64 << 40),
        _ => (trimmed, 1),
    };
    let number: f64 = digits.parse().ok().filter(|number: &f64| *number >= 0.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let size = (number * scale as f64) as i64;
    Some(size)
}

fn ulimit(text: &str) -> Option<ResourcesUlimits> {
    let (name, limits) = text.split_once('=')?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Some(ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(soft.parse().ok()?),
        hard: Some(hard.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Outcome<RunSpec> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        RunSpec::parse(&words, &RunOptions::default())
    }

    #[test]
    fn packers_default_command_is_understood() {
        let spec = parse("-d -i -t --entrypoint=/bin/sh -- node").expect("is valid");
        assert_eq!(spec.body.image.as_deref(), Some("node"));
        assert_eq!(spec.body.entrypoint, Some(vec!["/bin/sh".to_owned()]));
        assert_eq!((spec.body.tty, spec.body.open_stdin), (Some(true), Some(true)));
        assert_eq!(spec.body.cmd, None);
    }

    #[test]
    fn flags_take_their_values_in_every_form() {
        let spec = parse("-dit -e A=1 -eB=2 --env C=3 --name web -u app -w=/srv -m 512m --net host img /bin/bash -c x")
            .expect("is valid");
        let env = spec.body.env.expect("has variables");
        assert_eq!(env, ["A=1", "B=2", "C=3"]);
        assert_eq!(spec.name.as_deref(), Some("web"));
        assert_eq!(spec.body.user.as_deref(), Some("app"));
        assert_eq!(spec.body.working_dir.as_deref(), Some("/srv"));
        assert_eq!(spec.body.cmd, Some(vec!["/bin/bash".to_owned(), "-c".to_owned(), "x".to_owned()]));
        let host = spec.body.host_config.expect("has host options");
        assert_eq!(host.memory, Some(512 << 20));
        assert_eq!(host.network_mode.as_deref(), Some("host"));
    }

    #[test]
    fn ports_and_volumes_reach_the_engine_in_its_own_form() {
        let spec = parse("-p 127.0.0.1:80:3000 -v /a:/b:ro -v /data --device /dev/fuse:rw img").expect("is valid");
        let host = spec.body.host_config.expect("has host options");
        let bindings = host.port_bindings.expect("has ports");
        let binding = bindings["3000/tcp"].as_ref().expect("is bound")[0].clone();
        assert_eq!((binding.host_ip.as_deref(), binding.host_port.as_deref()), (Some("127.0.0.1"), Some("80")));
        assert_eq!(host.binds, Some(vec!["/a:/b:ro".to_owned()]));
        assert_eq!(spec.body.volumes, Some(vec!["/data".to_owned()]));
        let device = &host.devices.expect("has a device")[0];
        assert_eq!(device.cgroup_permissions.as_deref(), Some("rw"));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, message) in [
            ("-d --gpus all img", "`--gpus` in the run command is not a flag that rpk understands"),
            ("-d", "no image in the run command"),
            ("--memory x img", "`--memory x` in the run command: not a size"),
            ("img --", ""),
        ] {
            match parse(text) {
                Err(failure) => assert_eq!(failure.to_string(), message),
                Ok(_) => assert_eq!(message, "", "{text}"),
            }
        }
    }
}
