//! One stored result: what a node made, and how to tell whether it is still there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rpk_planner::key::CacheKey;
use rpk_planner::plan::StoredState;
use serde::{Deserialize, Serialize};

use super::{Cache, FileDigests, copies, disk};
use crate::artifact::Artifact;
use crate::budget::SnapshotPolicy;
use crate::builder::Snapshot;

/// Raised when older results can no longer be read.
const FORMAT: u32 = 1;

/// A file that belongs to a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Where it is; absolute, so that it is found from any folder.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: String,
    /// Its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// What a node made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResult {
    format: u32,
    /// The node, as the plan of that run named it.
    pub node: String,
    /// The template of that run.
    pub template: String,
    /// What it does, in a line.
    pub title: String,
    /// When it was made, in Unix seconds.
    pub made: u64,
    /// How long the node ran.
    pub took: Duration,
    /// The artifact, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// What identifies the artifact beside its files, such as the id of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// All files that it wrote: those of the artifact, and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<StoredFile>,
    /// The machine as the node left it, if that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Whether another node has taken the artifact away, as it should.
    #[serde(default)]
    pub is_consumed: bool,
}

/// What a node has made, before it is looked at.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The artifact, if it gives one.
    pub artifact: Option<Artifact>,
    /// What identifies the artifact beside its files.
    pub identity: Option<String>,
    /// Files that it wrote beside those of the artifact.
    pub outputs: Vec<PathBuf>,
    /// The machine as the node left it.
    pub snapshot: Option<Snapshot>,
    /// How long the node ran.
    pub took: Duration,
}

impl StoredResult {
    /// Describes what a node has just made; reads its files.
    ///
    /// # Errors
    ///
    /// Fails if one of its files cannot be read.
    pub fn new(node: &str, template: &str, title: &str, made: Made, digests: &FileDigests) -> io::Result<Self> {
        let artifact_files = made.artifact.iter().flat_map(|artifact| &artifact.files);
        let mut files = Vec::new();
        for path in artifact_files.chain(&made.outputs) {
            let (digest, size) = digests.content(path)?;
            files.push(StoredFile { path: std::path::absolute(path)?, size, digest, mode: mode(path)? });
        }
        Ok(Self {
            format: FORMAT,
            node: node.to_owned(),
            template: template.to_owned(),
            title: title.to_owned(),
            made: std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs(),
            took: made.took,
            artifact: made.artifact.map(without_secrets),
            identity: made.identity,
            files,
            snapshot: made.snapshot,
            is_consumed: false,
        })
    }

    /// Loads the result of a key.
    #[must_use]
    pub fn load(cache: &Cache, key: &CacheKey) -> Option<Self> {
        disk::read_json::<Self>(&path(cache, key)).filter(|result| result.format == FORMAT)
    }

    /// Stores it under a key.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written; what was there before is still there then.
    pub fn store(&self, cache: &Cache, key: &CacheKey) -> io::Result<()> {
        disk::write_json(&path(cache, key), self, true)
    }

    /// Forgets what is stored under a key.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be removed.
    pub fn remove(cache: &Cache, key: &CacheKey) -> io::Result<()> {
        std::fs::remove_file(path(cache, key))
    }

    /// Tells when the result of a key was last used.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn used(cache: &Cache, key: &CacheKey) -> io::Result<SystemTime> {
        std::fs::metadata(path(cache, key))?.modified()
    }

    /// Takes note that the result of a key was used.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or it is not ours.
    pub fn touch(cache: &Cache, key: &CacheKey, when: SystemTime) -> io::Result<()> {
        std::fs::File::options().append(true).open(path(cache, key))?.set_modified(when)
    }

    /// Lists the keys of all results, in no particular order.
    #[must_use]
    pub fn keys(cache: &Cache) -> Vec<CacheKey> {
        let Ok(entries) = std::fs::read_dir(cache.root().join("results")) else {
            return Vec::new();
        };
        let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.strip_suffix(".json")?.parse().ok()).collect()
    }

    /// Tells in which state its files are: whether they are there, and what they were.
    #[must_use]
    pub fn files_state(&self, cache: &Cache, digests: &FileDigests) -> StoredState {
        if self.is_consumed {
            return StoredState::Consumed;
        }
        let mut first = None;
        for (file, words) in self.lost(digests) {
            if !copies::has(cache, file) {
                return StoredState::Damaged(words);
            }
            first.get_or_insert(words);
        }
        first.map_or(StoredState::Available, StoredState::Restorable)
    }

    /// Finds the files that are not what they were, with words for what became of them.
    fn lost<'a>(&'a self, digests: &'a FileDigests) -> impl Iterator<Item = (&'a StoredFile, String)> {
        self.files.iter().filter_map(|file| {
            let name = shown(&file.path);
            let words = match digests.content(&file.path) {
                Ok((digest, _)) if digest == file.digest => return None,
                Ok(_) => format!("{name} was changed"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => format!("{name} was deleted"),
                Err(error) => format!("{name} cannot be read: {error}"),
            };
            Some((file, words))
        })
    }

    /// Keeps copies of its files, as far as that pays.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be written.
    pub fn keep_copies(&self, cache: &Cache, policy: SnapshotPolicy) -> io::Result<()> {
        self.files.iter().try_for_each(|file| copies::keep(cache, file, self.took, policy))
    }

    /// Puts back the files that are not what they were.
    ///
    /// # Errors
    ///
    /// Fails if a copy is missing or damaged, or if a file cannot be written; the message names the file.
    pub fn put_back(&self, cache: &Cache, digests: &FileDigests) -> io::Result<()> {
        for (file, _) in self.lost(digests) {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", shown(&file.path)));
            copies::put_back(cache, file).map_err(named)?;
        }
        Ok(())
    }

    /// Reads the copies that stand in for lost files.
    ///
    /// # Errors
    ///
    /// Fails if one is missing or damaged.
    pub fn check_copies(&self, cache: &Cache, digests: &FileDigests) -> io::Result<()> {
        self.lost(digests).try_for_each(|(file, _)| copies::check(cache, file, |_| Ok(())))
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(Some(std::fs::metadata(path)?.permissions().mode() & 0o7777))
}

#[cfg(not(unix))]
fn mode(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Shows a path as the user would write it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_ref().and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}

/// Leaves out build data by which a machine could be entered.
fn without_secrets(mut artifact: Artifact) -> Artifact {
    artifact.data.retain(|name, _| !["Password", "SSHPrivateKey", "WinRMPassword"].contains(&name.as_str()));
    artifact
}

fn path(cache: &Cache, key: &CacheKey) -> PathBuf {
    cache.root().join("results").join(format!("{key}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_a_file_is_noticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("out.tar");
        std::fs::write(&file, "content").expect("is writable");
        let mut cache = Cache::at(folder.path().join("cache")).expect("can be made");
        cache.prepare().expect("can be made");
        let (digests, key) = (FileDigests::default(), CacheKey::from_bytes([7; 32]));
        let artifact = Artifact { files: vec![file.clone()], ..Artifact::default() };
        let made = Made { artifact: Some(artifact), ..Made::default() };
        let result = StoredResult::new("web/capture", "t.json", "export", made, &digests).expect("is readable");
        result.store(&cache, &key).expect("is writable");
        let mut loaded = StoredResult::load(&cache, &key).expect("is stored");
        assert_eq!(loaded, result);
        assert_eq!(StoredResult::keys(&cache), [key]);
        assert_eq!(loaded.files_state(&cache, &digests), StoredState::Available);
        std::fs::write(&file, "CONTENT").expect("is writable");
        let words = |what: &str| StoredState::Damaged(format!("{} was {what}", file.display()));
        assert_eq!(loaded.files_state(&cache, &digests), words("changed"));
        std::fs::remove_file(&file).expect("is there");
        assert_eq!(loaded.files_state(&cache, &digests), words("deleted"));
        loaded.is_consumed = true;
        assert_eq!(loaded.files_state(&cache, &digests), StoredState::Consumed);
        std::fs::write(cache.root().join(format!("results/{key}.json")), "{half").expect("is writable");
        assert_eq!(StoredResult::load(&cache, &key), None);
    }

    #[test]
    fn passwords_are_not_stored() {
        let data = [("ID", "c"), ("Password", "hunter2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let artifact = Artifact { data: data.into(), ..Artifact::default() };
        let made = Made { artifact: Some(artifact), ..Made::default() };
        let result = StoredResult::new("n", "t", "", made, &FileDigests::default()).expect("has no files");
        assert!(!serde_json::to_string(&result).expect("is JSON").contains("hunter2"));
    }
}
