//! A file to an SFTP server.
//!
//! What has arrived of a file stands beside its place, under a name that holds the beginning of the file's digest,
//! until all is there and is seen to be the file. So nobody takes half a file for a whole one, and what one run has
//! sent the next one need not send again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rpk_planner::catalog::{Problem, Settings};
use sha2::{Digest as _, Sha256};

use super::digest::Digests;
use super::options::Config;
use super::place::{percent_decoded, shown};
use crate::communicator::ssh::config::expanded;
use crate::communicator::ssh::{FileServer, Login, SshConfig, read_identity};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::guest::quote;
use crate::hex::hex;

/// The first pause between two attempts; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Where host keys stand if the template does not say.
const KNOWN_HOSTS: &str = "~/.ssh/known_hosts";

/// Tells whether an address is an SFTP server's.
pub(super) fn is_meant(url: &str) -> bool {
    url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sftp://"))
}

/// Finds what is wrong with the options of an upload to such an address.
pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let text = |option: &str| settings.get(option).and_then(|value| value.as_str()).unwrap_or_default();
    let mut problems = Vec::new();
    if let Err(failure) = Address::parse(text("url")) {
        let problem = Problem::with("url", failure.to_string());
        problems.push(problem.help("write sftp://USER@HOST/PATH; a path below the user's folder begins with /~/"));
    }
    let key = text("private_key_file");
    if !key.is_empty()
        && let Err(failure) = read_identity(&expanded(key))
    {
        let problem = Problem::with("private_key_file", format!("the key {key} cannot be used: {failure}"));
        problems.push(match failure.help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }
    problems
}

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    user: String,
    password: String,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    fn parse(url: &str) -> Outcome<Self> {
        let rest = url.get(7..).filter(|_| is_meant(url)).ok_or_else(|| Failure::new("it is no SFTP address"))?;
        let (authority, path) = rest.split_once('/').ok_or_else(|| Failure::new("the address names no path"))?;
        let (login, host) = authority.rsplit_once('@').ok_or_else(|| Failure::new("the address names no user"))?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let is_bare = host.ends_with(']') || !host.contains(':');
        let (host, port) = if is_bare { (host, "22") } else { host.rsplit_once(':').unwrap_or((host, "22")) };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port =
            port.parse().ok().filter(|port| *port > 0).ok_or_else(|| Failure::new(format!("`{port}` is no port")))?;
        if user.is_empty() || host.is_empty() {
            return Err(Failure::new("the address names no user or no host"));
        }
        let path = percent_decoded(path);
        Ok(Self {
            user: percent_decoded(user),
            password: percent_decoded(password),
            host: host.to_owned(),
            port,
            path: path.strip_prefix("~/").map_or_else(|| format!("/{path}"), str::to_owned),
        })
    }
}

/// Sends files, each of them until it is there or cannot be.
///
/// # Errors
///
/// Fails if the server refuses, is out of reach in each attempt, or has something else in the end.
pub(super) async fn put_all(ctx: &NodeContext, url: &str, files: &[PathBuf], config: &Config) -> Outcome<()> {
    let address = Address::parse(url)?;
    let ssh = ssh_config(&address, config)?;
    let mut server = None;
    for file in files {
        let path = match address.path.as_str() {
            folder if folder.is_empty() || folder.ends_with('/') => {
                format!("{folder}{}", file.file_name().unwrap_or_default().to_string_lossy())
            }
            path => path.to_owned(),
        };
        let cancel = ctx.cancel.clone();
        let local = file.clone();
        let digests = tokio::task::spawn_blocking(move || Digests::of_file(&local, &cancel)).await;
        let digests = digests
            .map_err(|error| Failure::new(error.to_string()))
            .and_then(|digests| digests.map_err(|error| Failure::new(error.to_string())))
            .map_err(|failure| failure.context(format!("reading {}", file.display())))?;
        let sending = Sending { ctx, file, path: &path, digests: &digests };
        ctx.say(format!("Uploading {} ({} bytes) to {}", file.display(), digests.size, shown(url))).await;
        sending.persistently(&mut server, &ssh, config.attempts()).await.map_err(|failure| {
            failure.context(format!("uploading {} to {path} on {}", file.display(), address.host))
        })?;
    }
    Ok(())
}

fn ssh_config(address: &Address, config: &Config) -> Outcome<SshConfig> {
    let password = if config.password.is_empty() { &address.password } else { &config.password };
    let identities = match config.private_key_file.as_str() {
        "" => Vec::new(),
        path => vec![read_identity(&expanded(path)).map_err(|failure| failure.context(format!("reading {path}")))?],
    };
    let login = Login {
        host: address.host.clone(),
        port: address.port,
        user: address.user.clone(),
        uses_agent: password.is_empty() && identities.is_empty(),
        password: password.clone(),
        identities,
        is_interactive: false,
    };
    let known = Some(config.known_hosts_file.as_str()).filter(|path| !path.is_empty()).unwrap_or(KNOWN_HOSTS);
    Ok(SshConfig::of_login(login, expanded(known), config.silence()))
}

/// One file on its way.
struct Sending<'s> {
    ctx: &'s NodeContext,
    file: &'s Path,
    path: &'s str,
    digests: &'s Digests,
}

impl Sending<'_> {
    /// Tries until the file is there; a connection that still stands is used for the next file.
    async fn persistently(&self, server: &mut Option<FileServer>, ssh: &SshConfig, attempts: u32) -> Outcome<()> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let sent = async {
                let current = match server.take() {
                    Some(current) => server.insert(current),
                    None => server.insert(FileServer::connect(self.ctx, ssh).await?),
                };
                self.send(current).await
            };
            match sent.await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.may_pass && attempt < attempts => {
                    *server = None;
                    let seconds = pause.as_secs_f64();
                    self.ctx.say(format!("{failure}; trying again in {seconds:.1} s")).await;
                    self.ctx.sleep(pause).await?;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                Err(failure) if failure.may_pass => {
                    self.ctx.say("What has arrived stays: the next run goes on from there").await;
                    return Err(if attempt == 1 {
                        failure
                    } else {
                        failure.context(format!("{attempt} attempts have failed"))
                    });
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::cancelled())
    }

    async fn send(&self, server: &FileServer) -> Outcome<()> {
        let (sftp, size) = (&server.sftp, self.digests.size);
        match sftp.look(self.path).await? {
            Some(there) if there.is_folder => {
                let failure = Failure::new(format!("{} is a folder", self.path));
                return Err(failure.help("let `url` end with / so that the file keeps its name"));
            }
            Some(there) if there.size == size && told_digest(server, self.path).await == Some(self.digests.sha256) => {
                self.ctx.say(format!("{} is there already: it has the SHA-256 of the file", self.file.display())).await;
                return Ok(());
            }
            _ => {}
        }
        self.make_folders(server).await?;
        let part = format!("{}.{}.part", self.path, &hex(&self.digests.sha256)[..8]);
        let begun = sftp.look(&part).await?.map(|there| there.size).filter(|sent| *sent > 0 && *sent <= size);
        let mut is_whole = false;
        if let Some(offset) = begun {
            self.ctx.say(format!("{offset} of {size} bytes were there from an earlier run")).await;
            sftp.upload_from(self.file, offset, size, &part).await?;
            is_whole = self.digest_of(server, &part).await? == self.digests.sha256;
        }
        if !is_whole {
            sftp.upload_from(self.file, 0, size, &part).await?;
            if self.digest_of(server, &part).await? != self.digests.sha256 {
                sftp.remove(&part).await?;
                return Err(Failure::new("the server has other bytes now than the file"));
            }
        }
        sftp.rename(&part, self.path).await?;
        self.ctx.say(format!("Uploaded {}: the server has its SHA-256", self.file.display())).await;
        Ok(())
    }

    async fn make_folders(&self, server: &FileServer) -> Outcome<()> {
        let Some((folder, _)) = self.path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) else {
            return Ok(());
        };
        if server.sftp.look(folder).await?.is_some() {
            return Ok(());
        }
        for (end, _) in folder.match_indices('/').chain([(folder.len(), "")]).filter(|(end, _)| *end > 0) {
            server.sftp.make_folder(&folder[..end], None).await?;
        }
        Ok(())
    }

    /// Has the server work out a digest, or else reads the file back.
    async fn digest_of(&self, server: &FileServer, path: &str) -> Outcome<[u8; 32]> {
        if let Some(digest) = told_digest(server, path).await {
            return Ok(digest);
        }
        let mut reading = server.sftp.read(path).await?;
        let mut digest = Sha256::new();
        while let Some(piece) = reading.next().await? {
            digest.update(&piece);
        }
        Ok(digest.finalize().into())
    }
}

/// Asks the server for a file's digest; none if it does not run commands.
async fn told_digest(server: &FileServer, path: &str) -> Option<[u8; 32]> {
    let told = server.ask(&format!("sha256sum < {}", quote(path))).await?;
    let word = told.split_whitespace().next().filter(|word| word.len() == 64 && word.is_ascii())?;
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&word[at..at + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = |user: &str, password: &str, host: &str, port, path: &str| Address {
            user: user.to_owned(),
            password: password.to_owned(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        };
        for (url, expected) in [
            ("sftp://u@h/a/b%20c/", address("u", "", "h", 22, "/a/b c/")),
            ("SFTP://u:p%40ss@h:2222/~/x", address("u", "p@ss", "h", 2222, "x")),
            ("sftp://u@[::1]:2222/", address("u", "", "::1", 2222, "/")),
            ("sftp://u@[::1]/~/", address("u", "", "::1", 22, "")),
        ] {
            assert_eq!(Address::parse(url), Ok(expected), "{url}");
        }
        for url in ["sftp://h/a", "sftp://u@h", "sftp://u@h:0/a", "sftp://@h/a", "sftp://u@/a"] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }
}
