//! Which host keys are trusted.
//!
//! Packer trusts any, and so does rpk unless `ssh_known_hosts_file` names a file in the form of OpenSSH's
//! `known_hosts`: then a host must have one of the keys that stand there. Without such a file a host's key must stay
//! what it was when the run first logged in, so that a machine cannot be exchanged for another half-way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac as _};
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, KnownHosts, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use sha1::Sha1;

use crate::failure::{Failure, Outcome};

/// What is known of the hosts' keys.
pub(super) struct HostKeys {
    file: Option<PathBuf>,
    seen: Mutex<HashMap<(String, u16), PublicKey>>,
}

/// Reads a file of host keys.
///
/// # Errors
///
/// Fails if it cannot be read, or a line is malformed.
pub(super) fn read(path: &Path) -> Outcome<Vec<Entry>> {
    let help = "make it with `ssh-keyscan HOST >FILE`, and compare the keys' fingerprints with the host's";
    let text = std::fs::read_to_string(path).map_err(|error| Failure::new(error.to_string()).help(help))?;
    KnownHosts::new(&text)
        .collect::<Result<Vec<Entry>, _>>()
        .map_err(|error| Failure::new(format!("it is no file of host keys: {error}")).help(help))
}

impl HostKeys {
    /// Knows what stands in a file, or nothing yet.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, seen: Mutex::default() }
    }

    /// Lists the kinds of key to ask a host for, so that it shows one that is known; none means any.
    pub(super) fn algorithms(&self, host: &str, port: u16) -> Option<Vec<Algorithm>> {
        let entries = read(self.file.as_ref()?).ok()?;
        let mut algorithms = Vec::new();
        for entry in entries.iter().filter(|entry| entry.marker().is_none() && is_for(entry, host, port)) {
            match entry.public_key().algorithm() {
                Algorithm::Rsa { .. } => algorithms
                    .extend([Some(HashAlg::Sha512), Some(HashAlg::Sha256)].map(|hash| Algorithm::Rsa { hash })),
                algorithm => algorithms.push(algorithm),
            }
        }
        Some(algorithms).filter(|algorithms| !algorithms.is_empty())
    }

    /// Judges the key that a host has shown.
    ///
    /// # Errors
    ///
    /// Fails if it is not one to trust; the failure is for the user.
    pub(super) fn judge(&self, host: &str, port: u16, key: &PublicKey) -> Outcome<()> {
        let shown = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let Some(file) = &self.file else {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            return match seen.get(&(host.to_owned(), port)) {
                Some(before) if before.key_data() != key.key_data() => {
                    let before = before.fingerprint(HashAlg::Sha256);
                    Err(Failure::new(format!("the host key of {host}:{port} has changed: it was {before}, and is {shown} now"))
                        .help("see who answers there; if the change is meant, list both keys in a file and name it with `ssh_known_hosts_file`"))
                }
                _ => Ok(()),
            };
        };
        let entries = read(file).map_err(|failure| failure.context(format!("reading {}", file.display())))?;
        let ours: Vec<&Entry> = entries.iter().filter(|entry| is_for(entry, host, port)).collect();
        let is_same = |entry: &&&Entry| entry.public_key().key_data() == key.key_data();
        if ours.iter().filter(|entry| entry.marker() == Some(&Marker::Revoked)).any(|entry| is_same(&entry)) {
            return Err(Failure::new(format!(
                "the host key of {host}:{port} is revoked in {}: {shown}",
                file.display()
            )));
        }
        let plain: Vec<&&Entry> = ours.iter().filter(|entry| entry.marker().is_none()).collect();
        if plain.iter().any(|entry| entry.public_key().key_data() == key.key_data()) {
            return Ok(());
        }
        Err(match plain.first() {
            Some(entry) => Failure::new(format!(
                "the host key of {host}:{port} is not the one in {}: it is {shown}, and was to be {} {}",
                file.display(),
                entry.public_key().algorithm(),
                entry.public_key().fingerprint(HashAlg::Sha256)
            ))
            .help("see who answers there; if the change is meant, correct the file"),
            None => {
                Failure::new(format!("there is no host key of {host}:{port} in {}; it shows {shown}", file.display()))
                    .help("compare the fingerprint with the host's, then add the key with `ssh-keyscan`")
            }
        })
    }

    /// Takes note of the key of a host that let us in.
    pub(super) fn remember(&self, host: &str, port: u16, key: &PublicKey) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((host.to_owned(), port), key.clone());
    }
}

fn is_for(entry: &Entry, host: &str, port: u16) -> bool {
    let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
    match entry.host_patterns() {
        HostPatterns::Patterns(patterns) => {
            let matches = |pattern: &str| is_like(&name.to_lowercase(), &pattern.to_lowercase());
            let excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(&matches);
            !excluded && patterns.iter().any(|pattern| matches(pattern))
        }
        HostPatterns::HashedName { salt, hash } => {
            let Ok(mac) = Hmac::<Sha1>::new_from_slice(salt) else { return false };
            mac.chain_update(&name).verify_slice(hash).is_ok()
        }
    }
}

/// Tells whether a name fits a pattern with `*` and `?`.
fn is_like(name: &str, pattern: &str) -> bool {
    match (name.chars().next(), pattern.chars().next()) {
        (_, Some('*')) => {
            let rest = &pattern[1..];
            is_like(name, rest) || name.chars().next().is_some_and(|first| is_like(&name[first.len_utf8()..], pattern))
        }
        (Some(one), Some(other)) if one == other || other == '?' => {
            is_like(&name[one.len_utf8()..], &pattern[other.len_utf8()..])
        }
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        PublicKey::from_openssh(text).expect("is a key")
    }

    #[test]
    fn a_file_names_hosts_in_all_of_opensshs_ways() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("known");
        let keys = HostKeys::new(Some(path.clone()));
        for (line, host, port, is_trusted) in [
            (format!("h {ONE}"), "h", 22, true),
            (format!("h {ONE}"), "h", 2222, false),
            (format!("[h]:2222 {ONE}"), "h", 2222, true),
            (format!("*.example,!b.example {ONE}"), "a.example", 22, true),
            (format!("*.example,!b.example {ONE}"), "b.example", 22, false),
            (format!("@revoked * {ONE}\nh {ONE}"), "h", 22, false),
            (format!("h {OTHER}"), "h", 22, false),
            (format!("# comment\n\nh {OTHER}\nh {ONE}"), "h", 22, true),
        ] {
            std::fs::write(&path, format!("{line}\n")).expect("is writable");
            assert_eq!(keys.judge(host, port, &key(ONE)).is_ok(), is_trusted, "{line} {host}");
        }
    }

    #[test]
    fn without_a_file_a_key_may_not_change() {
        let keys = HostKeys::new(None);
        assert!(keys.judge("h", 22, &key(ONE)).is_ok() && keys.judge("h", 22, &key(OTHER)).is_ok());
        keys.remember("h", 22, &key(ONE));
        assert!(keys.judge("h", 22, &key(ONE)).is_ok() && keys.judge("h", 23, &key(OTHER)).is_ok());
        let failure = keys.judge("h", 22, &key(OTHER)).expect_err("is another");
        assert!(failure.to_string().contains("has changed"), "{failure}");
    }
}
