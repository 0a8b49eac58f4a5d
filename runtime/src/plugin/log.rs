//! What a plugin says on its standard error: a file, which stays if the plugin ends badly.
//!
//! It is no pipe to rpk: if rpk died, the plugin's next word would end it before it has cleaned up.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many logs stay in the folder.
const KEPT_FILES: usize = 200;

/// How many of the last lines an error message repeats.
const TOLD: usize = 5;

/// How much of the end of a log is looked at.
const TAIL: u64 = 64 * 1024;

/// Makes names of one process differ.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The log of a plugin; it goes with this, unless it is to be kept.
#[derive(Debug, Default)]
pub struct Log {
    path: Option<PathBuf>,
    is_kept: AtomicBool,
}

impl Log {
    /// Makes a log in a folder. Where that cannot be, what the plugin says is lost.
    #[must_use]
    pub fn begin(folder: &Path, name: &str) -> (Self, Stdio) {
        let seconds = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{seconds}-{}-{count}-{name}.log", std::process::id()));
        let made = std::fs::create_dir_all(folder).and_then(|()| {
            forget_old(folder);
            File::create_new(&path)
        });
        match made {
            Ok(file) => (Self { path: Some(path), is_kept: AtomicBool::new(false) }, file.into()),
            Err(_) => (Self::default(), Stdio::null()),
        }
    }

    /// Returns the last lines that say what went wrong: from a panic on, or just the last ones.
    #[must_use]
    pub fn last_words(&self) -> Vec<String> {
        let text = self.path.as_deref().and_then(|path| tail(path).ok()).unwrap_or_default();
        let said: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let panicked = said.iter().position(|line| line.contains("panic:"));
        let from = panicked.unwrap_or_else(|| said.len().saturating_sub(TOLD));
        said[from..].iter().take(TOLD).map(|line| (*line).to_owned()).collect()
    }

    /// Lets the file stay, if there is anything in it, and returns its path.
    #[must_use]
    pub fn keep(&self) -> Option<&Path> {
        let path = self.path.as_deref()?;
        std::fs::metadata(path).ok().filter(|found| found.len() > 0)?;
        self.is_kept.store(true, Ordering::Relaxed);
        Some(path)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_deref().filter(|_| !self.is_kept.load(Ordering::Relaxed)) {
            // One that stays is forgotten later.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn tail(path: &Path) -> std::io::Result<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes all but the latest logs; their names begin with the time.
fn forget_old(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut names: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    names.sort();
    let surplus = names.len().saturating_sub(KEPT_FILES);
    for old in names.into_iter().take(surplus) {
        // One that cannot be removed stays.
        let _ = std::fs::remove_file(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_from_its_beginning() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (log, _) = Log::begin(folder.path(), "docker");
        let path = log.path.clone().expect("is made");
        assert_eq!(log.keep(), None, "nothing was said");
        std::fs::write(&path, "starting\n\npanic: runtime error\ngoroutine 1\na\nb\nc\nd\n").expect("is writable");
        assert_eq!(log.last_words(), ["panic: runtime error", "goroutine 1", "a", "b", "c"]);
        assert_eq!(log.keep(), Some(path.as_path()));
        drop(log);
        assert!(path.exists());
        let (other, _) = Log::begin(folder.path(), "docker");
        let path = other.path.clone().expect("is made");
        drop(other);
        assert!(!path.exists(), "it ended well");
    }
}
