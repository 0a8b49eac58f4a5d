//! What outlives a run: results by key, last runs by template, digests by file, journals by run.
//!
//! ```text
//! facts.rs  --> planner --> index.rs (what is stored) --> Plan --> executor --> ledger.rs (what is kept)
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `copies.rs` | copies of files, put back where they were lost |
//! | `digest.rs` | digests of files, remembered by what the file system says of them |
//! | `disk.rs` | files that appear whole or not at all |
//! | `facts.rs` | what the world says of a graph's nodes |
//! | `housekeeping.rs` | listing, checking and pruning what is stored |
//! | `index.rs` | the planner's questions, answered |
//! | `ledger.rs` | one run's view: what it reuses and what it keeps |
//! | `lock.rs` | one process at a time for one build |
//! | `result.rs` | one stored result |
//! | `template.rs` | the last runs of a template's nodes |
//!
//! # Why plain files
//!
//! Every entry stands for itself, is small, and is written once: a rename puts it in place, so that a process that
//! dies leaves an old entry or a new one, never half of one, and any number of processes may share the folder. An
//! entry that cannot be read counts as not there. A database would have to be opened, locked and repaired for less.
//!
//! # Layout
//!
//! ```text
//! secret                  keys the digests of sensitive values
//! results/KEY.json        a result
//! templates/DIGEST.json   the last runs of a template's nodes
//! digests.json            digests of files
//! locks/NAME              held while a build runs
//! runs/ID/                a run's journal, record and events
//! ```

mod copies;
mod digest;
mod disk;
mod facts;
mod housekeeping;
mod index;
mod ledger;
mod lock;
mod result;
mod template;

use std::io;
use std::path::{Path, PathBuf};

pub use digest::FileDigests;
pub use facts::gather;
pub use housekeeping::{Entry, Fault, Limits, check, entries, keep_within_limit, parse_size, prune, size_limit};
pub use index::{StoredResults, look_up};
pub use ledger::Ledger;
pub use lock::BuildLocks;
pub use result::{Made, StoredFile, StoredResult};
pub use template::LastRuns;

use rpk_planner::key::CacheKey;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, Outcome};

/// The repository of machines' states in an engine's store.
const STATE_REPOSITORY: &str = "rpk/cache";

/// The folder of everything that outlives a run.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
    secret: [u8; 32],
}

impl Cache {
    /// Finds the folder: `RPK_CACHE_DIR`, or `rpk` in the user's cache folder. Nothing is written.
    ///
    /// # Errors
    ///
    /// Fails if there is no folder to take, or its secret cannot be read.
    pub fn find() -> Outcome<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("RPK_CACHE_DIR")
            .or_else(|| set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|folder| folder.join("rpk")))
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache/rpk")))
            .ok_or_else(|| Failure::new("there is no home folder to keep the cache in").help("set RPK_CACHE_DIR"))?;
        Self::at(root)
    }

    /// Takes a folder, which need not exist.
    ///
    /// # Errors
    ///
    /// Fails if its secret cannot be read.
    pub fn at(root: PathBuf) -> Outcome<Self> {
        let path = root.join("secret");
        let secret = match std::fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| {
                Failure::new(format!("{} is not a secret that rpk wrote", path.display()))
                    .help("remove the file; every stored result that has to do with sensitive values is lost then")
            })?,
            // As long as nothing is stored, any secret will do.
            Err(error) if error.kind() == io::ErrorKind::NotFound => new_secret(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        Ok(Self { root, secret })
    }

    /// Makes the folder ready to be written to.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made or written.
    pub fn prepare(&mut self) -> Outcome<()> {
        let path = self.root.join("secret");
        let made = disk::make_private_folder(&self.root)
            .and_then(|()| {
                ["results", "templates", "locks", "runs"]
                    .iter()
                    .try_for_each(|name| std::fs::create_dir_all(self.root.join(name)))
            })
            .and_then(|()| disk::write_new(&path, &self.secret));
        made.map_err(|error| unusable(&self.root, &error))?;
        // Another process may have been first.
        *self = Self::at(self.root.clone())?;
        Ok(())
    }

    /// Returns the name under which an engine's store keeps the state of a machine: several caches may share one.
    #[must_use]
    pub fn state_name(&self, key: &CacheKey) -> String {
        format!("{}{}", self.state_prefix(), &key.to_string()[..32])
    }

    /// Returns what the names of this cache's states begin with.
    fn state_prefix(&self) -> String {
        let digest = Sha256::digest(self.secret);
        let id: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{STATE_REPOSITORY}:{id}-")
    }

    /// Returns the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the secret that keys the digests of sensitive values.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(error.to_string())
        .context(format!("cannot use the cache folder {}", path.display()))
        .help("set RPK_CACHE_DIR to a folder that rpk can write to")
}

fn new_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    // Two random UUIDs are the randomness that is at hand without a further dependency.
    secret[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret
}
