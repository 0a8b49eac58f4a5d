//! Digests of files, remembered by what the file system says of them, so that a second look reads no file again.
//!
//! A file counts as the one that was read if device, inode, size and the times of its last change are the same. The
//! change time cannot be set by hand, so that not even a tool that puts back modification times goes unnoticed. A
//! file that changed at about the time it was read may change again within one tick of the clock: such a digest is
//! not remembered.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use dashmap::DashMap;
use rpk_planner::catalog::Reads;
use rpk_planner::key::{Input, InputValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Cache, disk};
use crate::hex::hex;

/// How old a file's last change must be for its digest to be remembered: longer than a tick of any file system.
const SETTLED: Duration = Duration::from_secs(2);

/// After how long a digest that nobody asked for is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the file system says of a file's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let modified_ns = modified.map_or(0, |time| i128::try_from(time.as_nanos()).unwrap_or_default());
        Self { device: 0, inode: 0, size: metadata.len(), modified_ns, changed_ns: modified_ns }
    }

    fn is_settled(&self, now_ns: i128) -> bool {
        let limit = now_ns - i128::try_from(SETTLED.as_nanos()).unwrap_or_default();
        self.modified_ns < limit && self.changed_ns < limit
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    stamp: Stamp,
    digest: String,
    /// When somebody last asked, in Unix seconds.
    asked: u64,
}

/// The digests of files.
#[derive(Debug, Default)]
pub struct FileDigests {
    remembered: DashMap<PathBuf, Remembered>,
    has_changed: AtomicBool,
    read: AtomicUsize,
}

impl FileDigests {
    /// Loads what was remembered.
    #[must_use]
    pub fn load(cache: &Cache) -> Self {
        let remembered: HashMap<PathBuf, Remembered> = disk::read_json(&path(cache)).unwrap_or_default();
        Self { remembered: remembered.into_iter().collect(), ..Self::default() }
    }

    /// Stores what is remembered, if there is news and the cache's folder exists. A failure costs just time later.
    pub fn store(&self, cache: &Cache) {
        if !self.has_changed.swap(false, Ordering::Relaxed) || !cache.root().is_dir() {
            return;
        }
        let oldest = now().as_secs().saturating_sub(FORGOTTEN.as_secs());
        let entries: HashMap<PathBuf, Remembered> = self
            .remembered
            .iter()
            .filter(|entry| entry.asked >= oldest)
            .map(|entry| (entry.key().clone(), entry.value().clone()))
            .collect();
        let _ = disk::write_json(&path(cache), &entries, false);
    }

    /// Counts the files whose contents were read.
    #[must_use]
    pub fn files_read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// Digests a file's content.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn content(&self, path: &Path) -> io::Result<(String, u64)> {
        let key = std::path::absolute(path)?;
        let mut file = fs::File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let asked = now();
        if let Some(mut known) = self.remembered.get_mut(&key)
            && known.stamp == stamp
        {
            if asked.as_secs().saturating_sub(known.asked) > FORGOTTEN.as_secs() / 2 {
                known.asked = asked.as_secs();
                self.has_changed.store(true, Ordering::Relaxed);
            }
            return Ok((known.digest.clone(), stamp.size));
        }
        self.read.fetch_add(1, Ordering::Relaxed);
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => hasher.update(&buffer[..count]),
            }
        }
        let digest = format!("sha256:{}", hex(&hasher.finalize()));
        let after = Stamp::of(&file.metadata()?);
        if after == stamp && stamp.is_settled(i128::try_from(asked.as_nanos()).unwrap_or_default()) {
            self.remembered.insert(key, Remembered { stamp, digest: digest.clone(), asked: asked.as_secs() });
            self.has_changed.store(true, Ordering::Relaxed);
        }
        Ok((digest, after.size))
    }

    /// Digests everything that is to be read, on as many threads as there are processors.
    ///
    /// The inputs have the names that [`NodeFacts`](rpk_planner::key::NodeFacts) gives them.
    #[must_use]
    pub fn inputs(&self, reads: &[Reads]) -> Vec<Vec<Input>> {
        let mut items = Vec::new();
        for (of, read) in reads.iter().enumerate() {
            list(read, of, &mut items);
        }
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
        let work = || {
            let mut done = Vec::new();
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push((item.of, item.input(self)));
            }
            done
        };
        let mut found: Vec<Vec<Input>> = vec![Vec::new(); reads.len()];
        let done = if threads < 2 {
            work()
        } else {
            std::thread::scope(|scope| {
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
            })
        };
        for (of, input) in done {
            found[of].push(input);
        }
        for inputs in &mut found {
            inputs.sort_by(|a, b| a.path.cmp(&b.path));
        }
        found
    }
}

fn path(cache: &Cache) -> PathBuf {
    cache.root().join("digests.json")
}

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// One thing to look at.
struct Item {
    /// Which of the asked-for reads it belongs to.
    of: usize,
    name: String,
    path: PathBuf,
    /// What it is, if it is no file with content.
    shown: Option<String>,
    /// Its permissions, if they matter.
    mode: Option<u32>,
}

impl Item {
    fn input(&self, digests: &FileDigests) -> Input {
        let name = format!("file:{}", self.name);
        if let Some(shown) = &self.shown {
            return Input::new(name, InputValue::Text(shown.clone()));
        }
        let value = match digests.content(&self.path) {
            Ok((digest, size)) => InputValue::Content {
                digest: match self.mode {
                    Some(mode) => format!("{digest} mode {mode:o}"),
                    None => digest,
                },
                size_bytes: Some(size),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => InputValue::Text("missing".to_owned()),
            Err(error) => InputValue::Text(format!("not readable: {error}")),
        };
        Input::new(name, value)
    }
}

/// Lists what there is to look at for one read: the file, or the folder with everything below.
fn list(read: &Reads, of: usize, items: &mut Vec<Item>) {
    let path = PathBuf::from(&read.path);
    let Ok(metadata) = fs::metadata(&path) else {
        items.push(Item { of, name: read.path.clone(), path, shown: Some("missing".to_owned()), mode: None });
        return;
    };
    if !metadata.is_dir() && !metadata.is_file() {
        items.push(Item { of, name: read.path.clone(), path, shown: Some("no ordinary file".to_owned()), mode: None });
        return;
    }
    if !metadata.is_dir() {
        let mode = read.is_tree.then(|| permissions(&metadata));
        items.push(Item { of, name: read.path.clone(), path, shown: None, mode });
        return;
    }
    let shown = Some(format!("folder mode {:o}", permissions(&metadata)));
    let name = read.path.trim_end_matches('/').to_owned();
    items.push(Item { of, name: read.path.clone(), path: path.clone(), shown, mode: None });
    list_folder(&path, &name, of, items);
}

fn list_folder(folder: &Path, name: &str, of: usize, items: &mut Vec<Item>) {
    let mut entries: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(Result::ok).collect(),
        Err(error) => {
            let shown = Some(format!("not readable: {error}"));
            items.push(Item { of, name: format!("{name}/"), path: folder.to_owned(), shown, mode: None });
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        // A link is put somewhere as a link, wherever it leads.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let item = |shown: Option<String>, mode| Item { of, name: name.clone(), path: path.clone(), shown, mode };
        if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap_or_default();
            items.push(item(Some(format!("link to {}", target.display())), None));
        } else if metadata.is_dir() {
            items.push(item(Some(format!("folder mode {:o}", permissions(&metadata))), None));
            list_folder(&path, &name, of, items);
        } else if metadata.is_file() {
            items.push(item(None, Some(permissions(&metadata))));
        } else {
            // Reading a pipe or a device would not end.
            items.push(item(Some("no ordinary file".to_owned()), None));
        }
    }
}

#[cfg(unix)]
fn permissions(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn permissions(metadata: &Metadata) -> u32 {
    if metadata.permissions().readonly() { 0o444 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(path: &Path) {
        let file = fs::File::options().write(true).open(path).expect("is there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("is ours");
    }

    fn values(digests: &FileDigests, path: &Path, is_tree: bool) -> Vec<(String, String)> {
        let read = Reads { path: path.display().to_string(), is_tree };
        let root = path.display().to_string();
        let inputs = digests.inputs(&[read]).remove(0);
        inputs.into_iter().map(|input| (input.path.replace(&root, "R"), input.value.to_string())).collect()
    }

    #[test]
    fn every_change_of_a_tree_is_seen_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        fs::create_dir(root.join("sub")).expect("is writable");
        fs::write(root.join("sub/a"), "one").expect("is writable");
        std::os::unix::fs::symlink("sub/a", root.join("link")).expect("is writable");
        let digests = FileDigests::default();
        let before = values(&digests, root, true);
        let names: Vec<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["file:R", "file:R/link", "file:R/sub", "file:R/sub/a"]);
        age(&root.join("sub/a"));
        assert_eq!(values(&digests, root, true), before, "times do not matter");
        fs::write(root.join("sub/a"), "two").expect("is writable");
        assert_ne!(values(&digests, root, true), before, "a size of its own is not needed");
        fs::write(root.join("sub/a"), "one").expect("is writable");
        assert_eq!(values(&digests, root, true), before);
        fs::rename(root.join("sub/a"), root.join("sub/b")).expect("is writable");
        assert_ne!(values(&digests, root, true), before);
    }

    #[test]
    fn what_is_missing_is_said() {
        let digests = FileDigests::default();
        assert_eq!(values(&digests, Path::new("/no/such"), false)[0].1, "missing");
    }

    #[test]
    fn what_changed_just_now_is_read_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        fs::write(&path, "one").expect("is writable");
        let digests = FileDigests::default();
        for count in 1..3 {
            digests.content(&path).expect("is readable");
            assert_eq!(digests.files_read(), count);
        }
    }

    #[test]
    fn what_is_remembered_outlives_the_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::at(folder.path().to_owned()).expect("can be made");
        // The program that runs this test is a file that did not change just now.
        let program = std::env::current_exe().expect("it runs");
        let digests = FileDigests::default();
        let (digest, _) = digests.content(&program).expect("is readable");
        digests.store(&cache);
        let again = FileDigests::load(&cache);
        assert_eq!(again.content(&program).expect("is readable").0, digest);
        assert_eq!(again.files_read(), usize::from(digests.remembered.is_empty()));
    }
}
