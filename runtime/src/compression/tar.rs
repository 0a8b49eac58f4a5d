//! Files into a tar archive.
//!
//! The form is GNU's, which all readers take, with modes and owners and without times: the same files give the same
//! archive.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;

use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

/// Puts a file into an archive under a name, with its mode and owner.
///
/// # Errors
///
/// Fails if the file cannot be read or the archive cannot be written.
pub(crate) fn add_file(
    archive: &mut Builder<impl Write>,
    path: &Path,
    name: &str,
    cancel: &CancellationToken,
) -> io::Result<()> {
    let (file, metadata) = open(path)?;
    let mut header = header(metadata.len());
    describe(&mut header, &metadata);
    append(archive, header, file, name, cancel)
}

/// Puts what a reader gives into an archive under a name, readable for everybody.
///
/// # Errors
///
/// Fails if reading or writing does.
pub(crate) fn add(
    archive: &mut Builder<impl Write>,
    reader: impl Read,
    size: u64,
    name: &str,
    cancel: &CancellationToken,
) -> io::Result<()> {
    append(archive, header(size), reader, name, cancel)
}

fn append(
    archive: &mut Builder<impl Write>,
    mut header: Header,
    reader: impl Read,
    name: &str,
    cancel: &CancellationToken,
) -> io::Result<()> {
    let size = header.size()?;
    let mut content = Watched { reader: reader.take(size), left: size, cancel };
    if header.set_path(name).is_ok() {
        seal(&mut header)?;
        archive.append(&header, &mut content)?;
    } else {
        // The name is too long for its field and goes before the header.
        archive.append_data(&mut header, name, &mut content)?;
    }
    // What shrinks meanwhile would leave an archive that cannot be read.
    if content.left > 0 {
        return Err(io::Error::other("the file has become shorter while it was read"));
    }
    Ok(())
}

/// Opens a file that has content to read.
///
/// # Errors
///
/// Fails if it cannot be opened or is something else, such as a folder.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    Ok((file, metadata))
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(0o644);
    for set in [Header::set_device_major, Header::set_device_minor] {
        // Headers of this form have the fields.
        let _ = set(&mut header, 0);
    }
    header
}

/// Writes the checksum of a header in the digits that other programs use, so that archives can be compared.
fn seal(header: &mut Header) -> io::Result<()> {
    header.set_cksum();
    let digits = format!("{:06o}\0 ", header.cksum()?);
    header.as_mut_bytes()[148..156].copy_from_slice(digits.as_bytes());
    Ok(())
}

#[cfg(unix)]
fn describe(header: &mut Header, metadata: &Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    // A name that does not fit into its field is left out; the number stands beside it.
    if let Some(name) = name_of("/etc/passwd", metadata.uid()) {
        let _ = header.set_username(&name);
    }
    if let Some(name) = name_of("/etc/group", metadata.gid()) {
        let _ = header.set_groupname(&name);
    }
}

#[cfg(not(unix))]
fn describe(_: &mut Header, _: &Metadata) {}

/// Finds the name of a number in a table of users or groups.
#[cfg(unix)]
fn name_of(table: &str, id: u32) -> Option<String> {
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// A reader that stops with the run, and counts what is still to come.
struct Watched<'c, R> {
    reader: R,
    left: u64,
    cancel: &'c CancellationToken,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = self.reader.read(buffer)?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_archive_whatever_the_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        let long = "n".repeat(150);
        let packed = || {
            std::fs::write(&path, "hello").expect("is writable");
            let mut archive = Builder::new(Vec::new());
            add_file(&mut archive, &path, &long, &CancellationToken::new()).expect("is readable");
            add(&mut archive, &b"{}"[..], 2, "b.json", &CancellationToken::new()).expect("memory is writable");
            archive.into_inner().expect("memory is writable")
        };
        let first = packed();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert!(first == packed());
        let mut archive = tar::Archive::new(first.as_slice());
        let entries: Vec<(String, u64)> = archive
            .entries()
            .expect("is an archive")
            .map(|entry| {
                let entry = entry.expect("is whole");
                (entry.path().expect("has a name").display().to_string(), entry.header().mtime().expect("has a time"))
            })
            .collect();
        assert_eq!(entries, [(long.clone(), 0), ("b.json".to_owned(), 0)]);
    }

    #[test]
    fn a_folder_and_a_cancelled_run_are_failures() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "hello").expect("is writable");
        let cancel = CancellationToken::new();
        let mut archive = Builder::new(Vec::new());
        assert!(add_file(&mut archive, folder.path(), "a", &cancel).is_err());
        cancel.cancel();
        let error = add_file(&mut archive, &path, "a", &cancel).expect_err("is cancelled");
        assert_eq!(error.to_string(), "cancelled");
    }
}
