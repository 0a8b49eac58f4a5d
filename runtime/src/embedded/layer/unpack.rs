//! An archive into a layer's folder.
//!
//! Archives come from anywhere. No path of one leads out of the folder: the kernel resolves each folder below it
//! without following links, and what is written replaces what stands there. Extended attributes by which an overlay
//! file system would look elsewhere are left out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::parts::Recorder;
use super::{OPAQUE, WHITEOUT, opaque_attribute};
use crate::embedded::copy::{allow_one_id, is_overlays};
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// How many files an archive may have.
const MAX_ENTRIES: u64 = 20_000_000;

/// How large the pieces are in which contents are copied.
const PIECE_BYTES: usize = 256 * 1024;

/// Where an archive goes.
pub struct Target<'a> {
    /// An empty folder for its files.
    pub diff: &'a Path,
    /// A folder for contents that later files take the place of.
    pub aside: &'a Path,
    /// Where to write what is no file's content.
    pub parts: &'a Path,
    /// The layers below, the topmost first: hard links may lead there.
    pub below: &'a [PathBuf],
    /// Whether this happens without root's rights.
    pub is_rootless: bool,
}

/// What an archive was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// The digest of the archive: `sha256:…`.
    pub diff_id: String,
    /// The length of the archive.
    pub archive_size: u64,
    /// The bytes of its files.
    pub size: u64,
    /// The numbers of the contents that were kept aside.
    pub kept_aside: Vec<u64>,
}

/// Unpacks an archive that is not compressed.
pub fn unpack(archive: impl Read, target: &Target<'_>) -> Outcome<Unpacked> {
    let root = rustix::fs::open(target.diff, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing(|| format!("opening {}", target.diff.display()))?;
    let recorder = Recorder::create(target.parts).doing(|| format!("writing {}", target.parts.display()))?;
    let state = Rc::new(RefCell::new(Tape { recorder, content: None, hash: Sha256::new(), length: 0 }));
    let mut archive = tar::Archive::new(Tapped { inner: archive, tape: state.clone() });
    let mut unpacker = Unpacker {
        target,
        root,
        folder: None,
        folder_times: Vec::new(),
        contents: HashMap::new(),
        count: 0,
        tape: state.clone(),
        buffer: vec![0; PIECE_BYTES],
        unpacked: Unpacked::default(),
    };
    let mut number = 0;
    for entry in archive.entries().doing(|| "reading the archive")? {
        let mut entry = entry.doing(|| "reading the archive")?;
        number += 1;
        if number > MAX_ENTRIES {
            return Err(Failure::new(format!("the archive has more than {MAX_ENTRIES} files")));
        }
        let path = entry.path_bytes().into_owned();
        unpacker
            .entry(&mut entry, &path)
            .map_err(|failure| failure.context(format!("unpacking `{}`", String::from_utf8_lossy(&path))))?;
    }
    unpacker.finish_folders().doing(|| "setting the times of folders")?;
    let mut unpacked = std::mem::take(&mut unpacker.unpacked);
    drop(unpacker);
    // Whatever comes behind the end counts for the digest all the same.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).doing(|| "reading the archive")?;
    drop(rest);
    let tape = Rc::into_inner(state).ok_or_else(|| Failure::new("the archive is still being read"))?.into_inner();
    tape.recorder.finish().doing(|| format!("writing {}", target.parts.display()))?;
    unpacked.archive_size = tape.length;
    unpacked.diff_id = format!("sha256:{}", hex(&tape.hash.finalize()));
    Ok(unpacked)
}

/// What is made of an archive's bytes as they pass.
struct Tape {
    recorder: Recorder,
    /// The path of the file whose content passes, and how much of it has.
    content: Option<(Vec<u8>, u64)>,
    hash: Sha256,
    length: u64,
}

struct Tapped<R> {
    inner: R,
    tape: Rc<RefCell<Tape>>,
}

impl<R: Read> Read for Tapped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut tape = self.tape.borrow_mut();
        tape.hash.update(&buffer[..count]);
        tape.length += count as u64;
        match &mut tape.content {
            Some((_, passed)) => *passed += count as u64,
            None => tape.recorder.bytes(&buffer[..count])?,
        }
        Ok(count)
    }
}

struct Unpacker<'a> {
    target: &'a Target<'a>,
    root: OwnedFd,
    /// The last folder that something was put in, since the next file most often goes there too.
    folder: Option<(Vec<u8>, Rc<OwnedFd>)>,
    folder_times: Vec<(Vec<u8>, i64)>,
    /// The number of the content of each file that has one.
    contents: HashMap<Vec<u8>, u64>,
    count: u64,
    tape: Rc<RefCell<Tape>>,
    buffer: Vec<u8>,
    unpacked: Unpacked,
}

/// What a header says of owner, mode and time.
struct Attributes {
    user: u32,
    group: u32,
    mode: u32,
    time: i64,
    extended: Vec<(String, Vec<u8>)>,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, path: &[u8]) -> Outcome<()> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = plain(path)?;
        let attributes = attributes(entry)?;
        let Some((folder, name)) = split(&path) else {
            // The root folder itself.
            let root = PathBuf::from(format!("/proc/self/fd/{}", self.root.as_raw_fd()));
            set_attributes(&root, &attributes, false).doing(|| "setting the root folder's attributes")?;
            self.folder_times.push((Vec::new(), attributes.time));
            return Ok(());
        };
        if name == OPAQUE.as_bytes() {
            let folder = self.folder(folder)?;
            let place = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let attribute = opaque_attribute(self.target.is_rootless);
            return rustix::fs::setxattr(place, attribute, b"y", XattrFlags::empty())
                .doing(|| "covering a folder of the layers below");
        }
        let parent = self.folder(folder)?;
        if let Some(gone) = name.strip_prefix(WHITEOUT.as_bytes()) {
            // Other marks of that kind are one program's own.
            if gone.starts_with(WHITEOUT.as_bytes()) || gone.is_empty() || gone == b".." || gone == b"." {
                return Ok(());
            }
            self.clear(&parent, gone, &join(folder, gone), false)?;
            return rustix::fs::mknodat(&*parent, gone, FileType::CharacterDevice, Mode::empty(), 0)
                .doing(|| "marking a file of the layers below as gone");
        }
        self.clear(&parent, name, &path, kind == EntryType::Directory)?;
        let place =
            PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(std::ffi::OsStr::from_bytes(name));
        match kind {
            EntryType::Directory => {
                match rustix::fs::mkdirat(&*parent, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                    Err(error) => return Err(error).doing(|| "making the folder"),
                }
                self.folder_times.push((path.clone(), attributes.time));
            }
            EntryType::Link => return self.link(entry, &parent, name),
            EntryType::Symlink => {
                let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
                rustix::fs::symlinkat(target.as_slice(), &*parent, name).doing(|| "making the link")?;
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let node = match kind {
                    EntryType::Char => FileType::CharacterDevice,
                    EntryType::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let number = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or_default();
                let (major, minor) = (number(entry.header().device_major()), number(entry.header().device_minor()));
                let device = rustix::fs::makedev(major, minor);
                if kind == EntryType::Char && device == 0 {
                    return Err(Failure::new("a device of this number stands for a file that is gone"));
                }
                match rustix::fs::mknodat(&*parent, name, node, Mode::from_raw_mode(0o600), device) {
                    // Devices take root's rights. The archive, kept in its parts, still has them.
                    Err(rustix::io::Errno::PERM) if self.target.is_rootless => return Ok(()),
                    made => made.doing(|| "making the device")?,
                }
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(entry, &parent, name, &path)?;
            }
            // Of what no file system has, nothing is made.
            _ => return Ok(()),
        }
        let is_link = kind == EntryType::Symlink;
        set_attributes(&place, &attributes, is_link).doing(|| "setting owner, mode and attributes")?;
        if kind != EntryType::Directory {
            set_time(&place, attributes.time).doing(|| "setting the time")?;
        }
        Ok(())
    }

    /// Opens a folder of the layer; what is missing of it is made.
    fn folder(&mut self, path: &[u8]) -> Outcome<Rc<OwnedFd>> {
        if let Some((known, folder)) = &self.folder
            && known == path
        {
            return Ok(folder.clone());
        }
        let folder = Rc::new(self.open_folder(path, true)?);
        self.folder = Some((path.to_vec(), folder.clone()));
        Ok(folder)
    }

    fn open_folder(&self, path: &[u8], is_made: bool) -> Outcome<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let open = |path: &[u8]| {
            let path = if path.is_empty() { b".".as_slice() } else { path };
            rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)
        };
        match open(path) {
            Err(rustix::io::Errno::NOENT) if is_made && !path.is_empty() => {
                let (above, name) = split(path).unwrap_or((&[], path));
                let parent = self.open_folder(above, true)?;
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)).doing(|| "making a folder above it")?;
                open(path).doing(|| "opening the folder")
            }
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
                Err(Failure::new("a folder above it is no folder in this layer"))
            }
            opened => opened.doing(|| "opening the folder"),
        }
    }

    /// Makes room for a file: removes what stands there, unless both are folders.
    fn clear(&mut self, parent: &Rc<OwnedFd>, name: &[u8], path: &[u8], is_folder: bool) -> Outcome<()> {
        let Ok(found) = rustix::fs::statat(&**parent, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
        let was_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        if was_folder && is_folder {
            return Ok(());
        }
        let place =
            PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(std::ffi::OsStr::from_bytes(name));
        if was_folder {
            if self.contents.keys().any(|known| known.starts_with(path) && known.get(path.len()) == Some(&b'/')) {
                return Err(Failure::new("a file takes the place of a folder that the same archive has filled"));
            }
            self.folder = None;
            return fs::remove_dir_all(&place).doing(|| "removing what stood there");
        }
        match self.contents.remove(path) {
            // Its content is needed to put the archive together again.
            Some(number) => {
                fs::create_dir_all(self.target.aside).doing(|| "keeping what stood there")?;
                let kept = self.target.aside.join(number.to_string());
                fs::rename(&place, kept).doing(|| "keeping what stood there")?;
                self.unpacked.kept_aside.push(number);
                Ok(())
            }
            None => fs::remove_file(&place).doing(|| "removing what stood there"),
        }
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
    ) -> Outcome<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600)).doing(|| "making the file")?;
        let mut file = File::from(file);
        let size = entry.size();
        // A sparse file's content is not what the archive has: that is kept with the rest.
        let is_plain = entry.header().entry_type() != EntryType::GNUSparse && !is_pax_sparse(entry);
        if is_plain && size > 0 {
            self.tape.borrow_mut().content = Some((path.to_vec(), 0));
        }
        let mut copied = 0;
        let copy = loop {
            match entry.read(&mut self.buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    copied += count as u64;
                    if let Err(error) = file.write_all(&self.buffer[..count]) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        let content = self.tape.borrow_mut().content.take();
        copy.doing(|| "writing the file")?;
        if copied != size {
            return Err(Failure::new("the archive ends in the middle of a file"));
        }
        if let Some((path, passed)) = content {
            self.tape.borrow_mut().recorder.content(&path, passed).doing(|| "writing the archive's parts")?;
            self.contents.insert(path, self.count);
            self.count += 1;
        }
        self.unpacked.size += copied;
        Ok(())
    }

    /// Makes another name of a file of this layer, or a copy of one of the layers below.
    fn link<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, parent: &OwnedFd, name: &[u8]) -> Outcome<()> {
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let target = plain(&target)?;
        let Some((folder, target_name)) = split(&target) else { return Err(Failure::new("a link to no file")) };
        if let Ok(folder) = self.open_folder(folder, false)
            && rustix::fs::linkat(&folder, target_name, parent, name, AtFlags::empty()).is_ok()
        {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&target).into_owned();
        let (below, found) = super::look::look(self.target.below, &text)
            .ok_or_else(|| Failure::new(format!("it is a link to `{text}`, which is not there")))?;
        if !found.is_file() {
            return Err(Failure::new(format!("it is a link to `{text}` of a layer below, which is no file")));
        }
        let place =
            PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(std::ffi::OsStr::from_bytes(name));
        let copy = || -> io::Result<()> {
            io::copy(&mut File::open(&below)?, &mut File::create_new(&place)?)?;
            crate::embedded::copy::copy_attributes(&below, &place)
        };
        copy().doing(|| "copying a file of a layer below")
    }

    /// Sets the folders' times, which change as long as something is put into them.
    fn finish_folders(&mut self) -> io::Result<()> {
        self.folder = None;
        for (path, time) in std::mem::take(&mut self.folder_times).into_iter().rev() {
            let Ok(folder) = self.open_folder(&path, false) else { continue };
            set_time(Path::new(&format!("/proc/self/fd/{}/.", folder.as_raw_fd())), time)?;
        }
        Ok(())
    }
}

fn is_pax_sparse<R: Read>(entry: &mut tar::Entry<'_, R>) -> bool {
    let Ok(Some(extensions)) = entry.pax_extensions() else { return false };
    extensions.filter_map(Result::ok).any(|extension| extension.key_bytes().starts_with(b"GNU.sparse."))
}

/// Takes a path apart: `.` and slashes that mean nothing go, and it must not lead up.
fn plain(path: &[u8]) -> Outcome<Vec<u8>> {
    let mut names = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Failure::new("its path leads up with `..`")),
            name => names.push(name),
        }
    }
    Ok(names.join(&b'/'))
}

/// Splits a path into folder and name; none for the root folder.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    Some(match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    })
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> Outcome<Attributes> {
    let header = entry.header();
    let id = |id: io::Result<u64>| -> Outcome<u32> {
        let id = id.doing(|| "reading the owner")?;
        u32::try_from(id).map_err(|_| Failure::new("its owner has too large a number"))
    };
    let mut found = Attributes {
        user: id(header.uid())?,
        group: id(header.gid())?,
        mode: header.mode().doing(|| "reading the mode")? & 0o7777,
        // Before 1970, the field holds what is no number for this library.
        time: header.mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or_default(),
        extended: Vec::new(),
    };
    let Some(extensions) = entry.pax_extensions().doing(|| "reading the records")? else { return Ok(found) };
    for extension in extensions {
        // The library cuts records at line ends, so that it takes a value with one in it for two records, neither of
        // them well-formed. The file goes without it here; the archive's parts still have it.
        let Ok(extension) = extension else { continue };
        let number = || std::str::from_utf8(extension.value_bytes()).ok().and_then(|text| text.parse::<u32>().ok());
        match extension.key_bytes() {
            b"uid" => found.user = number().unwrap_or(found.user),
            b"gid" => found.group = number().unwrap_or(found.group),
            b"mtime" => {
                let text = std::str::from_utf8(extension.value_bytes()).unwrap_or_default();
                let seconds = text.split_once('.').map_or(text, |(seconds, _)| seconds);
                found.time = seconds.parse().unwrap_or(found.time);
            }
            key => {
                let Some(name) = key.strip_prefix(b"SCHILY.xattr.") else { continue };
                let Ok(name) = std::str::from_utf8(name) else { continue };
                if !is_overlays(name) {
                    found.extended.push((name.to_owned(), extension.value_bytes().to_vec()));
                }
            }
        }
    }
    Ok(found)
}

fn set_attributes(place: &Path, attributes: &Attributes, is_link: bool) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(attributes.user), Gid::from_raw(attributes.group));
    let flags = if is_link { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
    allow_one_id(rustix::fs::chownat(CWD, place, Some(user), Some(group), flags).map_err(io::Error::from))?;
    if !is_link {
        rustix::fs::chmodat(CWD, place, Mode::from_raw_mode(attributes.mode), AtFlags::empty())?;
    }
    for (name, value) in &attributes.extended {
        let set = rustix::fs::lsetxattr(place, name.as_str(), value, XattrFlags::empty());
        match set {
            // What this file system or this user cannot keep, the archive's parts do.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => {}
            set => set?,
        }
    }
    Ok(())
}

fn set_time(place: &Path, time: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: time, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
