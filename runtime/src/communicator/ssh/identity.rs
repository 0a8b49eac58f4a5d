//! Keys and certificates to log in with, from files.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, Error as KeyError, PrivateKey, decode_secret_key};

use crate::failure::{Failure, Outcome};

/// A private key, with the certificate that speaks for it.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The key.
    pub(crate) key: Arc<PrivateKey>,
    /// Its certificate.
    pub(crate) certificate: Option<Certificate>,
}

impl Identity {
    /// Takes a key without a certificate.
    pub(super) fn of(key: PrivateKey) -> Self {
        Self { key: Arc::new(key), certificate: None }
    }
}

/// Reads a key without a certificate.
///
/// # Errors
///
/// Fails like [`read_key`].
pub(crate) fn read_identity(path: &Path) -> Outcome<Identity> {
    read_key(path).map(Identity::of)
}

/// Reads a private key in OpenSSH's form or in PEM.
///
/// # Errors
///
/// Fails if the file is none, or needs a passphrase.
pub(super) fn read_key(path: &Path) -> Outcome<PrivateKey> {
    let content = std::fs::read(path).map_err(|error| {
        Failure::new(error.to_string()).help("paths are relative to the working directory, not to the template")
    })?;
    parse(&content)
}

/// Reads a private key that is at hand.
///
/// # Errors
///
/// Fails like [`read_key`].
pub(super) fn parse(content: &[u8]) -> Outcome<PrivateKey> {
    let text = std::str::from_utf8(content).map_err(|_| unreadable("it is no text"))?;
    if text.trim_start().starts_with("ssh-") || text.trim_start().starts_with("ecdsa-") {
        return Err(Failure::new("it is a public key").help("name the file of the private key, without `.pub`"));
    }
    let is_encrypted = text.contains("ENCRYPTED");
    match decode_secret_key(text, None) {
        Ok(key) if key.is_encrypted() => Err(encrypted()),
        Ok(key) => Ok(key),
        Err(KeyError::KeyIsEncrypted) => Err(encrypted()),
        Err(_) if is_encrypted => Err(encrypted()),
        Err(KeyError::CouldNotReadKey) => Err(unreadable("it is no private key in a form that rpk knows")),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

fn encrypted() -> Failure {
    Failure::new("it is protected by a passphrase")
        .help("load it into an agent and set `ssh_agent_auth`, or take the passphrase off with `ssh-keygen -p`")
}

fn unreadable(reason: &str) -> Failure {
    Failure::new(reason).help("use a key in OpenSSH's form or in PEM, such as `ssh-keygen -t ed25519` makes")
}

/// Reads a certificate and sees that it is the key's, a user's, and valid now.
///
/// # Errors
///
/// Fails if it is not.
pub(super) fn read_certificate(path: &Path, key: &PrivateKey) -> Outcome<Certificate> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::new(error.to_string()))?;
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|error| Failure::new(format!("it is no certificate of OpenSSH's: {error}")))?;
    if certificate.public_key() != key.public_key().key_data() {
        return Err(Failure::new("it certifies another key"));
    }
    if certificate.cert_type() != CertType::User {
        return Err(Failure::new("it is a host's").help("sign the key without `-h`"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now < certificate.valid_after() {
        return Err(Failure::new("it is not valid yet"));
    }
    if now >= certificate.valid_before() {
        return Err(Failure::new("it is no longer valid").help("have the key signed anew"));
    }
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_private_key_is_told_apart() {
        for (content, words) in [
            (&b"ssh-ed25519 AAAA x"[..], "it is a public key"),
            (b"\xff\xfe", "it is no text"),
            (b"hello", "it is no private key"),
            (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "protected by a passphrase"),
        ] {
            let failure = parse(content).expect_err("is no key");
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }
}
