//! Listing, checking and pruning what is stored.
//!
//! What is pruned is what the cache owns: its records, and the states of machines in an engine's store, each by the
//! name that the cache gave it. An engine keeps the layers that another image still needs.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, SystemTime};

use rpk_planner::key::CacheKey;
use rpk_planner::plan::StoredState;

use super::{Cache, FileDigests, STATE_REPOSITORY, StoredResult, copies};
use crate::engine::LazyEngine;
use crate::failure::{Failure, Outcome};

/// How many bytes the states of machines may take if nobody says otherwise.
const DEFAULT_LIMIT: u64 = 20 << 30;

/// A stored result with what is known about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its key.
    pub key: CacheKey,
    /// The result.
    pub result: StoredResult,
    /// When it was last used.
    pub used: SystemTime,
    /// The bytes of the copies of its files.
    pub copied_bytes: u64,
}

impl Entry {
    /// Returns the bytes that pruning it gives back: those of the machine's state and of the copies of its files, if
    /// no other result has the same. Artifacts belong to the user.
    #[must_use]
    pub fn owned_bytes(&self) -> u64 {
        self.copied_bytes + self.result.snapshot.as_ref().map_or(0, |snapshot| snapshot.size)
    }
}

/// Lists what is stored, what was used last first.
#[must_use]
pub fn entries(cache: &Cache) -> Vec<Entry> {
    let keys = StoredResult::keys(cache).into_iter();
    let mut entries: Vec<Entry> = keys
        .filter_map(|key| {
            let used = StoredResult::used(cache, &key).ok()?;
            let result = StoredResult::load(cache, &key)?;
            Some(Entry { key, copied_bytes: copies::bytes(cache, &result.files), result, used })
        })
        .collect();
    entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
    entries
}

/// What is to be pruned. With no limit at all, nothing is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// What was not used for this long.
    pub unused_for: Option<Duration>,
    /// What was not used longest, until the rest takes no more than these bytes.
    pub bytes: Option<u64>,
    /// What is damaged: whose files or images are gone or were changed.
    pub damaged: bool,
    /// Everything.
    pub all: bool,
}

/// Something that is wrong with an entry.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The entry.
    pub entry: Entry,
    /// What is wrong, in words.
    pub words: String,
}

/// Checks all entries: reads every file that belongs to one, and looks for every state of a machine.
///
/// # Errors
///
/// Fails if there are states of machines and no engine answers.
pub async fn check(cache: &Cache, engine: &LazyEngine) -> Outcome<Vec<Fault>> {
    // Nothing that was remembered counts: the contents are read.
    let digests = FileDigests::default();
    let mut faults = Vec::new();
    for entry in entries(cache) {
        if let StoredState::Damaged(words) = entry.result.files_state(cache, &digests) {
            faults.push(Fault { entry, words });
            continue;
        }
        if let Err(error) = entry.result.check_copies(cache, &digests) {
            faults.push(Fault { entry, words: error.to_string() });
            continue;
        }
        let mut images: Vec<&String> = entry.result.identity.iter().filter(|_| !entry.result.is_consumed).collect();
        images.extend(entry.result.snapshot.iter().map(|snapshot| &snapshot.id));
        let mut gone = None;
        for image in images {
            if !engine.has_image(image).await? {
                gone = Some(format!("image {image} is gone"));
            }
        }
        if let Some(words) = gone {
            faults.push(Fault { entry, words });
        }
    }
    Ok(faults)
}

/// Removes what the limits say; returns the entries that went.
///
/// # Errors
///
/// Fails if an entry cannot be removed, or if a machine's state is to go and no engine answers.
pub async fn prune(cache: &Cache, engine: &LazyEngine, limits: Limits) -> Outcome<Vec<Entry>> {
    let damaged: HashSet<CacheKey> = if limits.damaged {
        check(cache, engine).await?.into_iter().map(|fault| fault.entry.key).collect()
    } else {
        HashSet::new()
    };
    if limits.all || limits.damaged {
        remove_unknown_states(cache, engine).await?;
    }
    let now = SystemTime::now();
    let (mut kept_bytes, mut gone, mut kept) = (0, Vec::new(), Vec::new());
    for entry in entries(cache) {
        let age = now.duration_since(entry.used).unwrap_or_default();
        let bytes = entry.owned_bytes();
        let goes = limits.all
            || damaged.contains(&entry.key)
            || limits.unused_for.is_some_and(|limit| age >= limit)
            || bytes > 0 && limits.bytes.is_some_and(|limit| kept_bytes + bytes > limit);
        if goes {
            remove(cache, engine, &entry).await?;
            gone.push(entry);
        } else {
            kept_bytes += bytes;
            kept.push(entry);
        }
    }
    if !gone.is_empty() || limits.all || limits.damaged {
        copies::sweep(cache, kept.iter().flat_map(|entry| &entry.result.files))
            .map_err(|error| Failure::new(error.to_string()).context("removing copies of files"))?;
    }
    Ok(gone)
}

/// Lets go of the states that were not used longest until the rest stays within the limit.
pub async fn keep_within_limit(cache: &Cache, engine: &LazyEngine, bytes: u64) {
    // What cannot be done now is done by a later run.
    let _ = prune(cache, engine, Limits { bytes: Some(bytes), ..Limits::default() }).await;
}

/// Returns how many bytes the states of machines may take: `RPK_CACHE_LIMIT`, such as `500M` or `20G`.
///
/// # Errors
///
/// Fails if the variable is no size.
pub fn size_limit() -> Outcome<u64> {
    match std::env::var("RPK_CACHE_LIMIT") {
        Ok(text) if !text.is_empty() => parse_size(&text).ok_or_else(|| {
            Failure::new(format!("RPK_CACHE_LIMIT is `{text}`, which is no size")).help("write it like 500M or 20G")
        }),
        _ => Ok(DEFAULT_LIMIT),
    }
}

/// Reads a size: a number, with `K`, `M`, `G` or `T` behind it for powers of 1024.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['b', 'B']).trim_end_matches(['i', 'I']);
    let shift = match text.chars().last()?.to_ascii_uppercase() {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { &text[..text.len() - 1] };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Removes states of machines that no entry tells of: their entry could not be written, or was removed by hand.
async fn remove_unknown_states(cache: &Cache, engine: &LazyEngine) -> Outcome<()> {
    let entries = entries(cache);
    let known: HashSet<&str> =
        entries.iter().filter_map(|entry| Some(entry.result.snapshot.as_ref()?.name.as_str())).collect();
    let prefix = cache.state_prefix();
    for name in engine.states(STATE_REPOSITORY).await {
        let plain = name.rsplit_once(STATE_REPOSITORY).map_or("", |(_, tag)| tag);
        if format!("{STATE_REPOSITORY}{plain}").starts_with(&prefix) && !known.contains(name.as_str()) {
            engine.remove_state(&name).await?;
        }
    }
    Ok(())
}

async fn remove(cache: &Cache, engine: &LazyEngine, entry: &Entry) -> Outcome<()> {
    let state = entry.result.snapshot.as_ref().map(|snapshot| &snapshot.name).filter(|name| !name.is_empty());
    // The record goes first: a state that nobody knows of is found by its name, a record without state misleads.
    match StoredResult::remove(cache, &entry.key) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::new(error.to_string()).context(format!("removing the entry {}", entry.key)));
        }
        _ => {}
    }
    if let Some(name) = state {
        engine.remove_state(name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Made;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("7", Some(7)),
            ("2K", Some(2048)),
            ("1GiB", Some(1 << 30)),
            ("3 mb", Some(3 << 20)),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse_size(text), size, "{text}");
        }
    }

    #[tokio::test]
    async fn what_was_not_used_longest_goes_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut cache = Cache::at(folder.path().to_owned()).expect("can be made");
        cache.prepare().expect("can be made");
        for byte in 0..4u8 {
            let key = CacheKey::from_bytes([byte; 32]);
            // A state without a name is none of the cache's, so that no engine is needed here.
            let snapshot =
                crate::builder::Snapshot { id: "i".to_owned(), name: String::new(), size: 10, data: ().into() };
            let made = Made { snapshot: Some(snapshot), ..Made::default() };
            let result = StoredResult::new("n", "t", "", made, &FileDigests::default()).expect("has no files");
            result.store(&cache, &key).expect("is writable");
            let used = SystemTime::now() - Duration::from_secs(1000 * u64::from(byte));
            StoredResult::touch(&cache, &key, used).expect("is ours");
        }
        let keys = |entries: &[Entry]| entries.iter().map(|entry| entry.key.as_bytes()[0]).collect::<Vec<_>>();
        let engine = LazyEngine::default().offline();
        assert_eq!(keys(&prune(&cache, &engine, Limits::default()).await.expect("nothing to do")), [0u8; 0]);
        let limits = Limits { bytes: Some(25), ..Limits::default() };
        assert_eq!(keys(&prune(&cache, &engine, limits).await.expect("can be removed")), [2, 3]);
        let limits = Limits { unused_for: Some(Duration::from_secs(500)), ..Limits::default() };
        assert_eq!(keys(&prune(&cache, &engine, limits).await.expect("can be removed")), [1]);
        assert_eq!(keys(&entries(&cache)), [0]);
    }
}
