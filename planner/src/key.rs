//! Cache keys: when may an earlier result stand in for running a node?
//!
//! A key covers what a node is told (its component, the component's version, its options, resolved), what it reads
//! (digests of the files it names, of the image it starts from) and what it is given (the keys of its inputs). Names
//! shown to people, timeouts, retries and parallelism stay out.

use std::fmt;
use std::str::FromStr;

/// Identifies the result of a node: equal keys, interchangeable results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cache key is 64 hexadecimal digits")]
pub struct NoKey;

impl FromStr for CacheKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoKey);
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| NoKey)?;
        }
        Ok(Self(bytes))
    }
}

/// One thing that a node's result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is: `inline[0]`, `file:app/server.js`, `var:tag`, `image`, `upstream:web/provision/0`.
    pub path: String,
    /// Its value, as far as it may be told.
    pub value: InputValue,
}

/// The value of an input, in the form in which it is compared, shown and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputValue {
    /// A value that may be shown: JSON, or a text as it is.
    Text(String),
    /// The content of a file or of an image.
    Content {
        /// Its digest, such as `sha256:…`.
        digest: String,
        /// Its size, where there is one.
        size_bytes: Option<u64>,
    },
    /// A value that must not be shown: a keyed digest, so that a guess cannot be checked against a stolen cache.
    Sensitive {
        /// The digest, keyed with the store's own secret.
        digest: String,
    },
    /// Not known before another node has run.
    Unknown,
}

/// What the world says about one node before anything is run; gathered by whoever can look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Contents that the node reads, by input path (`file:app/server.js`, `image`); unknown ones are
    /// [`InputValue::Unknown`].
    pub contents: Vec<Input>,
}
