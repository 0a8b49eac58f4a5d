//! What the `ssh_*` options ask for: defaults filled in, keys read, and what is wrong with them.
//!
//! The check of a template and the communicator read the options by the same functions, so that what passes the one
//! is what the other uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rpk_planner::catalog::{Problem, Settings};
use rpk_planner::value::duration as go_duration;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use russh::{cipher, kex};
use serde::Deserialize;

use super::identity::{self, Identity};
use super::tunnel::Tunnel;
use crate::failure::{Failure, Outcome};

/// How long to wait for a machine when the template says nothing.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How often logging in may fail when the template says nothing.
const HANDSHAKE_ATTEMPTS: u64 = 10;

/// How often to show that the connection is alive when the template says nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The ciphers that are offered when the template says nothing: Packer's, fastest first.
const CIPHERS: [cipher::Name; 6] = [
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

/// The options as they are written.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    ssh_host: String,
    ssh_port: i64,
    ssh_username: String,
    ssh_password: String,
    ssh_private_key_file: String,
    ssh_certificate_file: String,
    ssh_agent_auth: bool,
    ssh_timeout: String,
    ssh_handshake_attempts: i64,
    ssh_pty: bool,
    ssh_ciphers: Vec<String>,
    ssh_key_exchange_algorithms: Vec<String>,
    ssh_disable_agent_forwarding: bool,
    ssh_file_transfer_method: String,
    ssh_keep_alive_interval: String,
    ssh_read_write_timeout: String,
    ssh_bastion_host: String,
    ssh_bastion_port: i64,
    ssh_bastion_username: String,
    ssh_bastion_password: String,
    ssh_bastion_private_key_file: String,
    ssh_bastion_certificate_file: String,
    ssh_bastion_agent_auth: bool,
    ssh_bastion_interactive: bool,
    ssh_proxy_host: String,
    ssh_proxy_port: i64,
    ssh_proxy_username: String,
    ssh_proxy_password: String,
    ssh_local_tunnels: Vec<String>,
    ssh_remote_tunnels: Vec<String>,
    ssh_private_key: Vec<i64>,
    ssh_public_key: Vec<i64>,
    ssh_known_hosts_file: String,
    pause_before_connecting: String,
}

/// A host with a way to log in to it.
#[derive(Clone)]
pub(crate) struct Login {
    /// The host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// The user.
    pub(crate) user: String,
    /// Empty if there is none.
    pub(crate) password: String,
    /// Keys, in the order in which they are tried.
    pub(crate) identities: Vec<Identity>,
    /// Whether the agent's keys are tried.
    pub(crate) uses_agent: bool,
    /// Whether the user is asked what the host asks.
    pub(crate) is_interactive: bool,
}

/// A SOCKS5 proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// The proxy's host.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// User name and password, if it wants them.
    pub(crate) credentials: Option<(String, String)>,
}

/// The way to the machine.
#[derive(Clone)]
pub(crate) enum Route {
    /// Straight on.
    Direct,
    /// Through a SOCKS5 proxy.
    Proxy(Proxy),
    /// Through another host's server.
    Bastion(Box<Login>),
}

/// How files travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// By the machine's `scp`.
    Scp,
    /// By the server's SFTP subsystem.
    Sftp,
}

/// Everything that the communicator has to know.
#[derive(Clone)]
pub(crate) struct SshConfig {
    /// The machine.
    pub(crate) target: Login,
    /// The way to it.
    pub(crate) route: Route,
    /// How long to wait for it; none means without end.
    pub(crate) timeout: Option<Duration>,
    /// How often logging in may fail; none means as often as time allows.
    pub(crate) attempts: Option<u64>,
    /// Whether commands get a terminal.
    pub(crate) has_terminal: bool,
    /// The ciphers to offer.
    pub(crate) ciphers: Vec<cipher::Name>,
    /// The key exchange algorithms to offer; empty means the library's.
    pub(crate) key_exchange: Vec<kex::Name>,
    /// Whether this machine's agent may be used from the other.
    pub(crate) forwards_agent: bool,
    /// How files travel.
    pub(crate) transfer: Transfer,
    /// How often to show that the connection is alive.
    pub(crate) keep_alive: Option<Duration>,
    /// How long one read or write may take.
    pub(crate) silence: Option<Duration>,
    /// Ports of this machine that lead into the other.
    pub(crate) local_tunnels: Vec<Tunnel>,
    /// Ports of the machine that lead here.
    pub(crate) remote_tunnels: Vec<Tunnel>,
    /// The file of host keys to hold the hosts' against.
    pub(crate) known_hosts: Option<PathBuf>,
    /// How long to wait once the machine answers.
    pub(crate) pause: Option<Duration>,
    /// What templates may ask of the connection.
    data: BTreeMap<String, String>,
}

impl SshConfig {
    /// Returns what templates may ask of the connection.
    pub(crate) fn data(&self) -> BTreeMap<String, String> {
        self.data.clone()
    }

    /// Asks for nothing but a login to a host whose key stands in a file.
    pub(crate) fn of_login(target: Login, known_hosts: PathBuf, silence: Duration) -> Self {
        let options = Options { ssh_username: target.user.clone(), ..Options::default() };
        let plain = options.interpret(&mut Vec::new());
        Self { target, known_hosts: Some(known_hosts), silence: Some(silence), forwards_agent: false, ..plain }
    }

    /// Reads checked options.
    ///
    /// # Errors
    ///
    /// Fails if a file that they name cannot be used, or they do not fit, which the check should have found.
    pub(crate) fn of(settings: &Settings) -> Outcome<Self> {
        let options: Options = crate::settings::read_settings(settings)?;
        let mut problems = Vec::new();
        let config = options.interpret(&mut problems);
        match problems.into_iter().find(|problem| problem.is_error) {
            None => Ok(config),
            Some(problem) => {
                let failure = Failure::new(problem.message);
                Err(match problem.help {
                    Some(help) => failure.help(help),
                    None => failure,
                })
            }
        }
    }
}

/// Finds what is wrong with the options.
pub(crate) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    match crate::settings::read_settings::<Options>(settings) {
        Ok(options) => drop(options.interpret(&mut problems)),
        Err(failure) => problems.push(Problem::of_block(failure.to_string())),
    }
    problems
}

impl Options {
    fn interpret(self, problems: &mut Vec<Problem>) -> SshConfig {
        if self.ssh_username.is_empty() {
            let problem = Problem::of_block("`ssh_username` is missing");
            problems.push(problem.help("name the user to log in as, or set `communicator` to `none`"));
        }
        let mut identities = Vec::new();
        if !self.ssh_private_key_file.is_empty() {
            let certificate = &self.ssh_certificate_file;
            let files = ("ssh_private_key_file", self.ssh_private_key_file.as_str());
            identities.extend(read_identity(files, ("ssh_certificate_file", certificate), problems));
        } else if !self.ssh_certificate_file.is_empty() {
            problems.push(lone_certificate("ssh_certificate_file", "ssh_private_key_file"));
        }
        if !self.ssh_private_key.is_empty() {
            match bytes(&self.ssh_private_key).ok_or_else(no_bytes).and_then(|pem| identity::parse(&pem)) {
                Ok(key) => identities.push(Identity::of(key)),
                Err(failure) => problems.push(problem("ssh_private_key", "`ssh_private_key` is no key", &failure)),
            }
        }
        if !self.ssh_public_key.is_empty() {
            let text = bytes(&self.ssh_public_key).and_then(|text| String::from_utf8(text).ok());
            if text.and_then(|text| PublicKey::from_openssh(&text).ok()).is_none() {
                problems.push(Problem::with("ssh_public_key", "`ssh_public_key` is no key in OpenSSH's form"));
            }
        }
        let route = self.route(problems);
        // One given without the other lifts the other's limit, as in Packer.
        let timeout = length(&self.ssh_timeout);
        let attempts = u64::try_from(self.ssh_handshake_attempts).ok().filter(|attempts| *attempts > 0);
        let (timeout, attempts) = match (timeout, attempts) {
            (None, None) => (Some(TIMEOUT), Some(HANDSHAKE_ATTEMPTS)),
            given => given,
        };
        if self.ssh_handshake_attempts < 0 {
            let message = format!("{} is no number of attempts", self.ssh_handshake_attempts);
            problems.push(Problem::with("ssh_handshake_attempts", message).help("use a number from 1 on"));
        }
        let known_hosts = Some(&self.ssh_known_hosts_file).filter(|path| !path.is_empty()).map(|path| expanded(path));
        if let Some(path) = &known_hosts
            && let Err(failure) = super::host_key::read(path)
        {
            let message = "`ssh_known_hosts_file` cannot be used";
            problems.push(problem("ssh_known_hosts_file", message, &failure));
        }
        let port = port("ssh_port", self.ssh_port, 22, problems);
        let key_text = |numbers: &[i64]| String::from_utf8_lossy(&bytes(numbers).unwrap_or_default()).into_owned();
        let data = [
            ("Host", self.ssh_host.clone()),
            ("Port", port.to_string()),
            ("User", self.ssh_username.clone()),
            ("Password", self.ssh_password.clone()),
            ("ConnType", "ssh".to_owned()),
            ("SSHPublicKey", key_text(&self.ssh_public_key)),
            ("SSHPrivateKey", key_text(&self.ssh_private_key)),
            ("SSHPrivateKeyFile", self.ssh_private_key_file.clone()),
            ("SSHAgentAuth", self.ssh_agent_auth.to_string()),
        ];
        SshConfig {
            data: data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            timeout,
            attempts,
            has_terminal: self.ssh_pty,
            ciphers: names("ssh_ciphers", "cipher", &self.ssh_ciphers, &CIPHERS, problems),
            key_exchange: names(
                "ssh_key_exchange_algorithms",
                "key exchange algorithm",
                &self.ssh_key_exchange_algorithms,
                &[],
                problems,
            ),
            forwards_agent: !self.ssh_disable_agent_forwarding,
            transfer: if self.ssh_file_transfer_method == "sftp" { Transfer::Sftp } else { Transfer::Scp },
            keep_alive: match go_duration::parse(&self.ssh_keep_alive_interval) {
                Ok(nanoseconds) if nanoseconds < 0 => None,
                Ok(nanoseconds) if nanoseconds > 0 => Some(Duration::from_nanos(nanoseconds.unsigned_abs())),
                _ => Some(KEEP_ALIVE),
            },
            silence: length(&self.ssh_read_write_timeout),
            local_tunnels: tunnels("ssh_local_tunnels", &self.ssh_local_tunnels, problems),
            remote_tunnels: tunnels("ssh_remote_tunnels", &self.ssh_remote_tunnels, problems),
            pause: length(&self.pause_before_connecting),
            known_hosts,
            route,
            target: Login {
                port,
                host: self.ssh_host,
                user: self.ssh_username,
                password: self.ssh_password,
                identities,
                uses_agent: self.ssh_agent_auth,
                is_interactive: false,
            },
        }
    }

    fn route(&self, problems: &mut Vec<Problem>) -> Route {
        if !self.ssh_bastion_host.is_empty() && !self.ssh_proxy_host.is_empty() {
            problems.push(
                Problem::with("ssh_proxy_host", "`ssh_bastion_host` and `ssh_proxy_host` exclude each other")
                    .help("keep one of them"),
            );
        }
        if !self.ssh_bastion_host.is_empty() {
            return Route::Bastion(Box::new(self.bastion(problems)));
        }
        if !self.ssh_proxy_host.is_empty() {
            let (user, password) = (&self.ssh_proxy_username, &self.ssh_proxy_password);
            if user.len() > 255 || password.len() > 255 {
                let message = "a SOCKS5 proxy takes no user name or password of more than 255 bytes";
                problems.push(Problem::with("ssh_proxy_username", message));
            }
            return Route::Proxy(Proxy {
                host: self.ssh_proxy_host.clone(),
                port: port("ssh_proxy_port", self.ssh_proxy_port, 1080, problems),
                credentials: Some((user.clone(), password.clone())).filter(|_| !user.is_empty()),
            });
        }
        Route::Direct
    }

    fn bastion(&self, problems: &mut Vec<Problem>) -> Login {
        let (mut key, mut certificate) = (&self.ssh_bastion_private_key_file, &self.ssh_bastion_certificate_file);
        let is_inherited = key.is_empty() && !self.ssh_private_key_file.is_empty();
        if is_inherited {
            key = &self.ssh_private_key_file;
            if certificate.is_empty() {
                certificate = &self.ssh_certificate_file;
            }
        }
        let has_way = !self.ssh_bastion_password.is_empty()
            || !key.is_empty()
            || self.ssh_bastion_agent_auth
            || self.ssh_bastion_interactive;
        if !has_way {
            problems.push(
                Problem::with("ssh_bastion_host", "there is no way to log in to the bastion host")
                    .help("set `ssh_bastion_password`, `ssh_bastion_private_key_file` or `ssh_bastion_agent_auth`"),
            );
        }
        let mut identities = Vec::new();
        if is_inherited && certificate == &self.ssh_certificate_file {
            // What is wrong with these files has been told.
            let files = ("", key.as_str());
            identities.extend(read_identity(files, ("", certificate), &mut Vec::new()));
        } else if !key.is_empty() {
            let files = ("ssh_bastion_private_key_file", key.as_str());
            identities.extend(read_identity(files, ("ssh_bastion_certificate_file", certificate), problems));
        } else if !certificate.is_empty() {
            problems.push(lone_certificate("ssh_bastion_certificate_file", "ssh_bastion_private_key_file"));
        }
        Login {
            host: self.ssh_bastion_host.clone(),
            port: port("ssh_bastion_port", self.ssh_bastion_port, 22, problems),
            // Go's client takes the name as it is, and an empty one is nobody's.
            user: self.ssh_bastion_username.clone(),
            password: self.ssh_bastion_password.clone(),
            identities,
            uses_agent: self.ssh_bastion_agent_auth,
            is_interactive: self.ssh_bastion_interactive,
        }
    }
}

/// Reads a key file and its certificate's; each comes with the name of its option.
fn read_identity(key: (&str, &str), certificate: (&str, &str), problems: &mut Vec<Problem>) -> Option<Identity> {
    let private: Arc<PrivateKey> = match identity::read_key(&expanded(key.1)) {
        Ok(private) => Arc::new(private),
        Err(failure) => {
            problems.push(problem(key.0, &format!("the key {} cannot be used", key.1), &failure));
            return None;
        }
    };
    if certificate.1.is_empty() {
        return Some(Identity { key: private, certificate: None });
    }
    match identity::read_certificate(&expanded(certificate.1), &private) {
        Ok(read) => Some(Identity { key: private, certificate: Some::<Certificate>(read) }),
        Err(failure) => {
            problems.push(problem(
                certificate.0,
                &format!("the certificate {} cannot be used", certificate.1),
                &failure,
            ));
            None
        }
    }
}

fn problem(option: &str, what: &str, failure: &Failure) -> Problem {
    let problem = Problem::with(option, format!("{what}: {failure}"));
    match &failure.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}

fn lone_certificate(option: &str, key: &str) -> Problem {
    Problem::with(option, format!("`{option}` without `{key}`")).help("name the file of the key that it certifies")
}

fn no_bytes() -> Failure {
    Failure::new("some numbers are no bytes")
}

fn bytes(numbers: &[i64]) -> Option<Vec<u8>> {
    numbers.iter().map(|number| u8::try_from(*number).ok()).collect()
}

fn port(option: &str, number: i64, default: u16, problems: &mut Vec<Problem>) -> u16 {
    match u16::try_from(number) {
        Ok(0) => default,
        Ok(port) => port,
        Err(_) => {
            problems.push(Problem::with(option, format!("{number} is no port")).help("use a number from 1 to 65535"));
            default
        }
    }
}

fn tunnels(option: &str, texts: &[String], problems: &mut Vec<Problem>) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    for text in texts {
        match Tunnel::parse(text) {
            Some(tunnel) => tunnels.push(tunnel),
            None => problems.push(
                Problem::with(option, format!("`{text}` is no tunnel"))
                    .help("write PORT:HOST:PORT: where it listens, where it leads"),
            ),
        }
    }
    tunnels
}

fn names<N: Copy + for<'t> TryFrom<&'t str>>(
    option: &str,
    noun: &str,
    texts: &[String],
    defaults: &[N],
    problems: &mut Vec<Problem>,
) -> Vec<N> {
    if texts.is_empty() {
        return defaults.to_vec();
    }
    let mut names = Vec::new();
    for text in texts {
        match N::try_from(text.as_str()) {
            // The library takes these words for names as well, and would not protect anything.
            Ok(name) if !["none", "clear"].contains(&text.as_str()) => names.push(name),
            _ => problems.push(
                Problem::with(option, format!("rpk has no {noun} `{text}`"))
                    .help("use a name of OpenSSH's, or leave it out"),
            ),
        }
    }
    names
}

/// Reads a length of time that passed the check of its type; none if it is not given or not positive.
fn length(text: &str) -> Option<Duration> {
    let nanoseconds = go_duration::parse(text).ok()?;
    u64::try_from(nanoseconds).ok().filter(|nanoseconds| *nanoseconds > 0).map(Duration::from_nanos)
}

/// Puts the user's folder in place of `~`.
pub(crate) fn expanded(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match path.strip_prefix('~').map(|rest| rest.trim_start_matches('/')) {
        Some(rest) if path == "~" || path.starts_with("~/") => {
            home().map_or_else(|| path.into(), |home| home.join(rest))
        }
        _ => Path::new(path).to_owned(),
    }
}

#[cfg(test)]
mod tests;
