//! Digests of what is sent.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::hex::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

/// What identifies a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    /// How long it is.
    pub size: u64,
    /// Its MD5, which servers give back as an entity tag.
    pub md5: [u8; 16],
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

impl Digests {
    /// Reads a file to its end.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or the run is cancelled.
    pub(super) fn of_file(path: &Path, cancel: &CancellationToken) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut md5, mut sha256, mut size) = (Md5::new(), Sha256::new(), 0);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            if cancel.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(Self { size, md5: md5.finalize().into(), sha256: sha256.finalize().into() });
            }
            md5.update(&buffer[..count]);
            sha256.update(&buffer[..count]);
            size += count as u64;
        }
    }

    /// Takes bytes that are at hand.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, md5: Md5::digest(bytes).into(), sha256: Sha256::digest(bytes).into() }
    }

    /// Tells whether an entity tag is the MD5.
    pub(super) fn is_tagged(&self, tag: &str) -> bool {
        tag.trim_start_matches("W/").trim_matches('"').eq_ignore_ascii_case(&hex(&self.md5))
    }

    /// Writes the MD5 as headers do.
    pub(super) fn md5_base64(&self) -> String {
        STANDARD.encode(self.md5)
    }

    /// Writes the SHA-256 as headers do.
    pub(super) fn sha256_base64(&self) -> String {
        STANDARD.encode(self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_have_the_same_digests() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "hello\n").expect("is writable");
        let digests = Digests::of_file(&path, &CancellationToken::new()).expect("is readable");
        assert_eq!(digests, Digests::of(b"hello\n"));
        assert!(digests.is_tagged("\"b1946ac92492d2347c6235b4d2611184\"") && !digests.is_tagged("\"abc\""));
        assert_eq!(digests.md5_base64(), "sZRqySSS0jR8YjW00mERhA==");
    }
}
