//! One process at a time for one build: the second finds the work done.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::Arc;

use super::Cache;
use crate::failure::{Failure, Outcome};

/// Locks that are held as long as this lives. The system lets go of them when the process ends, however it ends.
#[derive(Debug, Default)]
pub struct BuildLocks {
    held: Vec<File>,
}

impl BuildLocks {
    /// Takes the locks of these names, one after the other in the order of their names, so that two processes never
    /// wait for each other.
    ///
    /// Returns whether it had to wait for another process, whose results may change what is to be done; `waiting` is
    /// called before it does.
    ///
    /// # Errors
    ///
    /// Fails if a lock cannot be made.
    pub async fn take(cache: &Cache, mut names: Vec<String>, mut waiting: impl FnMut()) -> Outcome<(Self, bool)> {
        names.sort();
        names.dedup();
        let mut locks = Self::default();
        let mut has_waited = false;
        for name in names {
            let path = cache.root().join("locks").join(&name);
            let failed = |error: &io::Error| {
                Failure::new(error.to_string()).context(format!("cannot take the lock {}", path.display()))
            };
            let file = File::options().create(true).append(true).open(&path).map_err(|error| failed(&error))?;
            let file = match file.try_lock() {
                Ok(()) => file,
                Err(TryLockError::WouldBlock) => {
                    if !has_waited {
                        waiting();
                    }
                    has_waited = true;
                    let file = Arc::new(file);
                    let waits = file.clone();
                    let locked = tokio::task::spawn_blocking(move || waits.lock()).await;
                    locked.map_err(io::Error::other).flatten().map_err(|error| failed(&error))?;
                    Arc::into_inner(file).ok_or_else(|| failed(&io::Error::other("the lock is in use")))?
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            };
            locks.held.push(file);
        }
        Ok((locks, has_waited))
    }

    /// Counts the locks that are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut cache = Cache::at(folder.path().to_owned()).expect("can be made");
        cache.prepare().expect("can be made");
        let names = || vec!["b".to_owned(), "a".to_owned(), "a".to_owned()];
        let (first, has_waited) = BuildLocks::take(&cache, names(), || {}).await.expect("is free");
        assert!(!has_waited && first.count() == 2);
        let waits = Arc::new(AtomicBool::new(false));
        let (said, cache_of_second) = (waits.clone(), cache.clone());
        let second = tokio::spawn(async move {
            BuildLocks::take(&cache_of_second, vec!["a".to_owned()], || said.store(true, Ordering::Relaxed)).await
        });
        while !waits.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        drop(first);
        let (_, has_waited) = second.await.expect("does not panic").expect("is free now");
        assert!(has_waited);
    }
}
