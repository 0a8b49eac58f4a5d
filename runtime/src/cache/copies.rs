//! Copies of the files that nodes wrote, named by their digests, so that a lost file need not be made again.
//!
//! A copy shares its blocks with the file where the file system can do that. Where it cannot, copying takes time and
//! room, so that large files are copied only if the node took much longer. What a copy holds is checked when it is used.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::disk::TEMPORARY;
use super::{Cache, StoredFile};
use crate::budget::SnapshotPolicy;
use crate::hex::hex;

/// A file up to this many bytes is copied whatever its node cost: it takes no time worth speaking of.
const SMALL: u64 = 4 << 20;

/// How many bytes are copied in a second on a machine that is not fast.
const BYTES_A_SECOND: u64 = 400 << 20;

/// Copying may take this share of the node's own time.
const SHARE: f64 = 0.04;

fn path(cache: &Cache, digest: &str) -> PathBuf {
    cache.root().join("files").join(digest.trim_start_matches("sha256:"))
}

/// Keeps a copy of a file that a node took so long to make, if that pays.
///
/// # Errors
///
/// Fails if the copy cannot be written; none is left then.
pub(super) fn keep(cache: &Cache, file: &StoredFile, took: Duration, policy: SnapshotPolicy) -> io::Result<()> {
    let target = path(cache, &file.digest);
    if policy == SnapshotPolicy::Never || target.exists() {
        return Ok(());
    }
    let folder = cache.root().join("files");
    fs::create_dir_all(&folder)?;
    let mut copy = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&folder)?;
    let mut source = File::open(&file.path)?;
    if !share_blocks(&source, copy.as_file()) {
        let seconds = file.size as f64 / BYTES_A_SECOND as f64;
        let pays = file.size <= SMALL || seconds <= SHARE * took.as_secs_f64();
        if !pays && policy != SnapshotPolicy::Always {
            return Ok(());
        }
        io::copy(&mut source, &mut copy)?;
    }
    copy.persist(target).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn share_blocks(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share_blocks(_: &File, _: &File) -> bool {
    false
}

/// Tells whether there is a copy, without reading it.
pub(super) fn has(cache: &Cache, file: &StoredFile) -> bool {
    fs::metadata(path(cache, &file.digest)).is_ok_and(|found| found.is_file() && found.len() == file.size)
}

/// Returns the bytes that the copies of these files take.
pub(super) fn bytes(cache: &Cache, files: &[StoredFile]) -> u64 {
    files.iter().filter(|file| has(cache, file)).map(|file| file.size).sum()
}

/// Puts a file back where it was. The copy is read and checked on the way; a wrong one is removed.
///
/// # Errors
///
/// Fails if there is no such copy, if it is damaged, or if the file cannot be written; what was there stays then.
pub(super) fn put_back(cache: &Cache, file: &StoredFile) -> io::Result<()> {
    let folder = file.path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut target = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    check(cache, file, |bytes| target.write_all(bytes))?;
    #[cfg(unix)]
    if let Some(mode) = file.mode {
        use std::os::unix::fs::PermissionsExt as _;
        target.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    }
    target.persist(&file.path).map_err(|error| error.error)?;
    Ok(())
}

/// Reads a copy and compares it with its digest; a wrong one is removed.
///
/// # Errors
///
/// Fails if there is none, if it is damaged, or if `each` fails for a piece of it.
pub(super) fn check(cache: &Cache, file: &StoredFile, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let path = path(cache, &file.digest);
    let mut copy = File::open(&path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = copy.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        each(&buffer[..count])?;
    }
    if format!("sha256:{}", hex(&hasher.finalize())) == file.digest {
        return Ok(());
    }
    fs::remove_file(&path)?;
    Err(io::Error::new(io::ErrorKind::InvalidData, "the stored copy was damaged and is removed"))
}

/// Removes the copies that no result speaks of.
///
/// # Errors
///
/// Fails if one cannot be removed.
pub(super) fn sweep<'a>(cache: &Cache, files: impl Iterator<Item = &'a StoredFile>) -> io::Result<()> {
    let known: std::collections::HashSet<PathBuf> = files.map(|file| path(cache, &file.digest)).collect();
    let entries = match fs::read_dir(cache.root().join("files")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let is_unfinished = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY));
        if !known.contains(&path) && !is_unfinished {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{FileDigests, Made, StoredResult};

    #[test]
    fn a_lost_file_is_put_back_and_a_damaged_copy_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut cache = Cache::at(folder.path().join("cache")).expect("can be made");
        cache.prepare().expect("can be made");
        let path = folder.path().join("out/image.txt");
        fs::create_dir(folder.path().join("out")).expect("is writable");
        fs::write(&path, "content").expect("is writable");
        let made = Made { outputs: vec![path.clone()], ..Made::default() };
        let result = StoredResult::new("n", "t", "", made, &FileDigests::default()).expect("is readable");
        let file = &result.files[0];
        assert!(!has(&cache, file));
        keep(&cache, file, Duration::ZERO, SnapshotPolicy::Never).expect("does nothing");
        assert!(!has(&cache, file));
        keep(&cache, file, Duration::ZERO, SnapshotPolicy::Auto).expect("is writable");
        assert_eq!(bytes(&cache, &result.files), 7);

        fs::remove_dir_all(folder.path().join("out")).expect("is there");
        put_back(&cache, file).expect("is stored");
        assert_eq!(fs::read_to_string(&path).expect("is back"), "content");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("is back").permissions().mode();
            assert_eq!(Some(mode & 0o7777), file.mode);
        }

        sweep(&cache, result.files.iter()).expect("is readable");
        assert!(has(&cache, file));
        fs::write(super::path(&cache, &file.digest), "CONTENT").expect("is writable");
        let error = put_back(&cache, file).expect_err("is damaged");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!has(&cache, file));
        assert_eq!(fs::read_to_string(&path).expect("stays"), "content");

        keep(&cache, file, Duration::ZERO, SnapshotPolicy::Auto).expect("is writable");
        sweep(&cache, std::iter::empty()).expect("is readable");
        assert!(!has(&cache, file));
    }
}
