//! Files that appear whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file under a name of its own and renames it into place, so that readers see the old or the new one.
///
/// With `is_durable` it outlasts a loss of power, too.
pub(super) fn write(path: &Path, bytes: &[u8], is_durable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if is_durable {
        file.as_file().sync_data()?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// What the names of files begin with that are not yet in their place.
pub(super) const TEMPORARY: &str = ".rpk-";

/// Writes a file unless there is one of that name.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

/// Writes a value as JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize, is_durable: bool) -> io::Result<()> {
    write(path, &serde_json::to_vec(value).map_err(io::Error::other)?, is_durable)
}

/// Reads a value from JSON; what is missing or not readable is not there.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Makes a folder that is its owner's alone; logs and journals may tell of a build what is nobody else's business.
pub(super) fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_new_one_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.json");
        write_json(&path, &[1, 2], false).expect("is writable");
        write_json(&path, &[3], true).expect("is writable");
        assert_eq!(read_json::<Vec<i32>>(&path), Some(vec![3]));
        write_new(&path, b"[4]").expect("is writable");
        assert_eq!(read_json::<Vec<i32>>(&path), Some(vec![3]));
        write(&path, b"{", false).expect("is writable");
        assert_eq!(read_json::<Vec<i32>>(&path), None);
        assert_eq!(fs::read_dir(folder.path()).expect("is there").count(), 1);
    }
}
