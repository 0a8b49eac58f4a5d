//! A layer's folder into an archive, always the same one for the same folder.
//!
//! Names are sorted, folders come before what is in them, times are whole seconds, owners are numbers alone. What an
//! overlay file system says in its own way about the layers below is said in the way of archives.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::writer::{Entry, Kind, padding, write_end, write_header};
use super::{OPAQUE, WHITEOUT};
use crate::embedded::copy::{attributes, is_overlays};
use crate::embedded::trouble::Doing as _;
use crate::failure::Outcome;

/// How large the pieces are in which contents are read.
const PIECE_BYTES: usize = 256 * 1024;

/// What becomes of files that say that something of the layers below is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The archive says it too: it is a layer.
    Layer,
    /// The archive is a whole file system: what is gone is not there.
    Flat,
}

/// Packs what is in folders that lie over each other, the topmost first; returns the bytes of its files.
///
/// No file's time is later than `latest`, if there is one.
pub fn pack(folders: &[PathBuf], way: Way, latest: Option<i64>, out: &mut impl Write) -> Outcome<u64> {
    let buffer = vec![0; PIECE_BYTES];
    let mut packer = Packer { out, way, latest, first_names: HashMap::new(), bytes: 0, buffer };
    let first = folders.first().map(|folder| folder.display().to_string()).unwrap_or_default();
    packer.folder(folders, &[]).and_then(|()| write_end(packer.out)).doing(|| format!("packing {first}"))?;
    Ok(packer.bytes)
}

struct Packer<'a, W> {
    out: &'a mut W,
    way: Way,
    latest: Option<i64>,
    first_names: HashMap<(u64, u64), Vec<u8>>,
    bytes: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Packer<'_, W> {
    fn folder(&mut self, folders: &[PathBuf], path: &[u8]) -> io::Result<()> {
        let mut names = BTreeMap::new();
        for folder in folders {
            for entry in fs::read_dir(folder)? {
                names.entry(entry?.file_name()).or_insert_with(Vec::new).push(folder.as_path());
            }
        }
        for (name, folders) in names {
            let path = [path, name.as_bytes()].concat();
            let files: Vec<PathBuf> = folders.into_iter().map(|folder| folder.join(&name)).collect();
            self.entry(&files, &path)?;
        }
        Ok(())
    }

    /// Packs the topmost of the files that stand at a path.
    fn entry(&mut self, files: &[PathBuf], path: &[u8]) -> io::Result<()> {
        let Some(file) = files.first() else { return Ok(()) };
        let found = fs::symlink_metadata(file)?;
        let kind = found.file_type();
        let mut time = found.mtime();
        if let Some(latest) = self.latest {
            time = time.min(latest);
        }
        let mut entry = Entry {
            path,
            kind: Kind::File,
            mode: found.mode(),
            user: found.uid(),
            group: found.gid(),
            size: 0,
            time,
            target: &[],
            device: (0, 0),
            attributes: &[],
        };
        // This comes before hard links: the kernel makes all of these one file with many names.
        if kind.is_char_device() && found.rdev() == 0 {
            if self.way == Way::Flat {
                return Ok(());
            }
            let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
            let path = [&path[..start], WHITEOUT.as_bytes(), &path[start..]].concat();
            let gone = Entry { path: &path, mode: 0, user: 0, group: 0, time: self.gone_time(time), ..entry };
            return write_header(self.out, &gone);
        }
        if kind.is_socket() {
            return Ok(());
        }
        if !kind.is_dir() && found.nlink() > 1 {
            let id = (found.dev(), found.ino());
            if let Some(first) = self.first_names.get(&id) {
                let link = Entry { kind: Kind::Link, target: first, ..entry };
                return write_header(self.out, &link);
            }
            self.first_names.insert(id, path.to_vec());
        }
        let attributes = attributes(file)?;
        entry.attributes = &attributes;
        if kind.is_dir() {
            refuse_redirects(file)?;
            let path = [path, b"/"].concat();
            write_header(self.out, &Entry { kind: Kind::Folder, path: &path, ..entry })?;
            let mut folders = Vec::new();
            for folder in files {
                // Whatever else stands there covers what is below.
                if !fs::symlink_metadata(folder)?.is_dir() {
                    break;
                }
                folders.push(folder.clone());
                if is_opaque(folder) {
                    break;
                }
            }
            if self.way == Way::Layer && folders.last().is_some_and(|folder| is_opaque(folder)) {
                let marker = [path.as_slice(), OPAQUE.as_bytes()].concat();
                let time = self.gone_time(time);
                let gone = Entry { path: &marker, mode: 0, user: 0, group: 0, time, attributes: &[], ..entry };
                write_header(self.out, &gone)?;
            }
            return self.folder(&folders, &path);
        }
        if kind.is_symlink() {
            let target = fs::read_link(file)?;
            let target = target.as_os_str().as_bytes();
            return write_header(self.out, &Entry { kind: Kind::Symlink, target, ..entry });
        }
        if kind.is_file() {
            refuse_redirects(file)?;
            entry.size = found.len();
            write_header(self.out, &entry)?;
            return self.contents(file, found.len());
        }
        let kind = if kind.is_fifo() {
            Kind::Pipe
        } else if kind.is_char_device() {
            Kind::Characters
        } else {
            Kind::Blocks
        };
        let device = (rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()));
        write_header(self.out, &Entry { kind, device, ..entry })
    }

    /// When something went is nobody's concern where archives are to be the same.
    fn gone_time(&self, time: i64) -> i64 {
        if self.latest.is_some() { 0 } else { time }
    }

    fn contents(&mut self, file: &Path, size: u64) -> io::Result<()> {
        let mut contents = File::open(file)?.take(size);
        let mut left = size;
        while left > 0 {
            let count = contents.read(&mut self.buffer)?;
            if count == 0 {
                return Err(io::Error::other(format!("{} has become shorter", file.display())));
            }
            self.out.write_all(&self.buffer[..count])?;
            left -= count as u64;
        }
        self.bytes += size;
        self.out.write_all(padding(size))
    }
}

/// Refuses a file whose contents are elsewhere.
fn refuse_redirects(file: &Path) -> io::Result<()> {
    for name in ["redirect", "metacopy"] {
        for space in ["trusted", "user"] {
            let mut value = [0; 1];
            let found = rustix::fs::lgetxattr(file, format!("{space}.overlay.{name}"), value.as_mut_slice());
            if matches!(found, Ok(_) | Err(rustix::io::Errno::RANGE)) {
                let message = format!("{} stands for contents of another layer (overlay {name})", file.display());
                return Err(io::Error::other(message));
            }
        }
    }
    Ok(())
}

/// Tells whether nothing of a folder in the layers below is left.
pub fn is_opaque(folder: &Path) -> bool {
    ["trusted.overlay.opaque", "user.overlay.opaque"].iter().any(|name| {
        debug_assert!(is_overlays(name), "it is the overlay's own");
        let mut value = [0; 4];
        rustix::fs::lgetxattr(folder, *name, value.as_mut_slice()).is_ok_and(|count| &value[..count] == b"y")
    })
}
