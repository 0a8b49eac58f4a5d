//! What a run has made in the world and must not leave behind, written down before it is made.
//!
//! A run that ends in order takes away what it made. One that is killed cannot; the next run reads its journal and
//! does it in its place (`recovery.rs`). The journal's lock tells a dead run from a living one: the system lets go of
//! it when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

/// The journal's file within its run's folder.
const JOURNAL: &str = "journal";

/// Something that a run makes, or what has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A container of this name is about to be made.
    Container {
        /// Its name.
        name: String,
        /// When, in Unix seconds: an older container of this name is somebody else's.
        at: u64,
    },
    /// A container was made.
    ContainerMade {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// A container is gone, or stays because the user wants it so.
    ContainerSettled {
        /// Its id.
        id: String,
    },
    /// An image of this name is about to be made; it stays if a stored result needs it.
    Image {
        /// Its name.
        name: String,
    },
    /// An image without name is about to be made of a container.
    Commit {
        /// The container's id.
        container: String,
        /// When, in Unix seconds.
        at: u64,
    },
    /// What was made of a container is known to somebody.
    CommitSettled {
        /// The container's id.
        container: String,
    },
    /// An image of this name is about to be imported.
    Import {
        /// Its name.
        name: String,
        /// When, in Unix seconds.
        at: u64,
    },
    /// What was imported is known to somebody.
    ImportSettled {
        /// Its name.
        name: String,
    },
    /// A file is about to be written that will get another name once it is whole.
    File {
        /// Where; absolute.
        path: PathBuf,
    },
}

/// The journal of a run that goes on.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<Mutex<File>>,
    folder: PathBuf,
    problem: OnceLock<String>,
}

impl Journal {
    /// Begins the journal of a run in a folder of its own, which is made.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = File::options().create(true).append(true).open(folder.join(JOURNAL))?;
        file.lock()?;
        Ok(Self { file: Some(Mutex::new(file)), folder: folder.to_owned(), problem: OnceLock::new() })
    }

    /// Returns the run's folder; none for a run that keeps no journal.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.file.is_some().then_some(self.folder.as_path())
    }

    /// Writes an entry. One that cannot be written is no reason for a build to fail: see [`Journal::problem`].
    pub fn write(&self, entry: &Entry) {
        if let Err(error) = self.try_write(entry) {
            // The first reason is the one that is told.
            let _ = self.problem.set(error.to_string());
        }
    }

    /// Says why entries could not be written, if so: a crash would have left something behind.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.get().map(String::as_str)
    }

    fn try_write(&self, entry: &Entry) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)?;
        file.sync_data()
    }

    /// Ends the journal: it goes, unless something is left to be taken away.
    pub fn end(&self) {
        if self.file.is_some() && Open::of(&read(&self.folder)).is_empty() {
            // What stays is looked at by the next run, and found to be empty.
            let _ = fs::remove_file(self.folder.join(JOURNAL));
        }
    }
}

/// The journal of a run that has died, held so that no other process works on it.
#[derive(Debug)]
pub struct DeadRun {
    folder: PathBuf,
    _lock: File,
    /// What it has left.
    pub open: Open,
}

impl DeadRun {
    /// Finds the dead runs among the runs of a folder.
    #[must_use]
    pub fn find(runs: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
        let folders = entries.filter_map(Result::ok).map(|entry| entry.path());
        folders.filter_map(Self::in_folder).collect()
    }

    fn in_folder(folder: PathBuf) -> Option<Self> {
        let lock = File::options().append(true).open(folder.join(JOURNAL)).ok()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
        let open = Open::of(&read(&folder));
        Some(Self { folder, _lock: lock, open })
    }

    /// Ends the journal: everything that it told of is taken away.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be removed.
    pub fn end(self) -> io::Result<()> {
        fs::remove_file(self.folder.join(JOURNAL))
    }
}

/// Returns the time in Unix seconds, as entries have it.
#[must_use]
pub fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

/// What a journal tells of that nobody has taken away yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Containers: name, id if one was made, and when it was about to be made, in Unix seconds.
    pub containers: Vec<(String, Option<String>, u64)>,
    /// Names of images.
    pub images: Vec<String>,
    /// Ids of containers of which an image was about to be made, and when, in Unix seconds.
    pub commits: Vec<(String, u64)>,
    /// Names of images that were about to be imported, and when, in Unix seconds.
    pub imports: Vec<(String, u64)>,
    /// Files that are not whole.
    pub files: Vec<PathBuf>,
}

impl Open {
    fn of(entries: &[Entry]) -> Self {
        let mut open = Self::default();
        for entry in entries {
            match entry.clone() {
                Entry::Container { name, at } => open.containers.push((name, None, at)),
                Entry::ContainerMade { name, id } => {
                    if let Some(known) = open.containers.iter_mut().rev().find(|(known, ..)| *known == name) {
                        known.1 = Some(id);
                    }
                }
                Entry::ContainerSettled { id } => open.containers.retain(|(_, known, _)| known.as_ref() != Some(&id)),
                Entry::Image { name } => open.images.push(name),
                Entry::Commit { container, at } => open.commits.push((container, at)),
                Entry::CommitSettled { container } => open.commits.retain(|(known, _)| *known != container),
                Entry::Import { name, at } => open.imports.push((name, at)),
                Entry::ImportSettled { name } => open.imports.retain(|(known, _)| *known != name),
                Entry::File { path } => open.files.push(path),
            }
        }
        open.files.retain(|path| path.exists());
        open
    }

    /// Tells whether nothing is left. Names of images are no matter: a stored result may need them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.commits.is_empty() && self.imports.is_empty() && self.files.is_empty()
    }
}

/// Reads a journal as far as it is whole: the last line may have been cut off.
fn read(folder: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(folder.join(JOURNAL)).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_run_is_found_with_what_it_left_and_a_living_one_is_not() {
        let runs = tempfile::tempdir().expect("a temporary folder");
        let left = runs.path().join("left.tmp");
        fs::write(&left, "").expect("is writable");
        let journal = Journal::begin(&runs.path().join("one")).expect("is writable");
        let container = |name: &str| Entry::Container { name: name.to_owned(), at: 5 };
        let made = |name: &str, id: &str| Entry::ContainerMade { name: name.to_owned(), id: id.to_owned() };
        for entry in [
            container("a"),
            made("a", "ida"),
            container("b"),
            container("c"),
            made("c", "idc"),
            Entry::ContainerSettled { id: "ida".to_owned() },
            Entry::Commit { container: "idc".to_owned(), at: 6 },
            Entry::Image { name: "rpk/cache:1".to_owned() },
            Entry::File { path: left.clone() },
            Entry::File { path: runs.path().join("gone.tmp") },
        ] {
            journal.write(&entry);
        }
        assert!(DeadRun::find(runs.path()).is_empty(), "it lives");
        drop(journal);
        let dead = DeadRun::find(runs.path()).pop().expect("it is dead");
        let expected = Open {
            containers: vec![("b".to_owned(), None, 5), ("c".to_owned(), Some("idc".to_owned()), 5)],
            images: vec!["rpk/cache:1".to_owned()],
            commits: vec![("idc".to_owned(), 6)],
            imports: Vec::new(),
            files: vec![left],
        };
        assert_eq!(dead.open, expected);
        assert!(DeadRun::find(runs.path()).is_empty(), "one process works on it");
        dead.end().expect("is there");
        assert!(DeadRun::find(runs.path()).is_empty());
    }

    #[test]
    fn a_line_that_was_cut_off_is_overlooked() {
        let runs = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::begin(runs.path()).expect("is writable");
        journal.write(&Entry::Commit { container: "c".to_owned(), at: 1 });
        drop(journal);
        let mut file = File::options().append(true).open(runs.path().join(JOURNAL)).expect("is there");
        file.write_all(b"{\"commit").expect("is writable");
        assert_eq!(read(runs.path()), [Entry::Commit { container: "c".to_owned(), at: 1 }]);
    }

    #[test]
    fn a_run_that_took_away_everything_leaves_no_journal() {
        let runs = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::begin(runs.path()).expect("is writable");
        journal.write(&Entry::Commit { container: "c".to_owned(), at: 1 });
        journal.write(&Entry::CommitSettled { container: "c".to_owned() });
        journal.end();
        assert!(!runs.path().join(JOURNAL).exists());
    }
}
