//! What a plugin says on its standard error: its last lines in memory, written to a file if it ends badly.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How many lines are kept.
const KEPT: usize = 2000;

/// How many logs stay in the folder.
const KEPT_FILES: usize = 50;

/// How many of the last lines an error message repeats.
const TOLD: usize = 5;

/// The last lines of a plugin.
#[derive(Debug, Default)]
pub struct Log {
    lines: Mutex<VecDeque<String>>,
}

impl Log {
    /// Takes a line.
    pub fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Returns the last lines that say what went wrong: from a panic on, or just the last ones.
    #[must_use]
    pub fn last_words(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
        let panicked = said.iter().position(|line| line.contains("panic:"));
        let from = panicked.unwrap_or_else(|| said.len().saturating_sub(TOLD));
        said[from..].iter().take(TOLD).map(|line| line.trim().to_owned()).collect()
    }

    /// Writes the lines into a folder and returns the file's path; none if there are none or they cannot be written.
    #[must_use]
    pub fn keep(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            return None;
        }
        std::fs::create_dir_all(folder).ok()?;
        forget_old(folder);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let path = folder.join(format!("{}-{:06}-{name}.log", now.as_secs(), now.subsec_micros()));
        let mut text = String::new();
        for line in lines.iter() {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(&path, text).ok()?;
        Some(path)
    }
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
        let log = Log::default();
        for line in ["starting", "", "panic: runtime error", "goroutine 1", "a", "b", "c", "d"] {
            log.push(line.to_owned());
        }
        assert_eq!(log.last_words(), ["panic: runtime error", "goroutine 1", "a", "b", "c"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = log.keep(folder.path(), "docker").expect("is written");
        assert!(std::fs::read_to_string(path).expect("is there").starts_with("starting\n\npanic:"));
        assert_eq!(Log::default().keep(folder.path(), "docker"), None);
    }
}
