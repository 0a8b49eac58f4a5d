//! Copies trees with all that their files carry: owners, modes, times, links, devices, extended attributes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use super::trouble::Doing as _;
use crate::failure::Outcome;

/// Copies what is in a folder into another one, which takes on the first one's owner, mode and time.
pub fn copy_contents(source: &Path, target: &Path) -> Outcome<()> {
    if !source.is_dir() {
        return Ok(());
    }
    let mut links = HashMap::new();
    copy_folder(source, target, &mut links).doing(|| format!("copying {}", source.display()))
}

fn copy_folder(source: &Path, target: &Path, links: &mut HashMap<(u64, u64), PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        copy_entry(&entry.path(), &target.join(entry.file_name()), links)?;
    }
    copy_attributes(source, target)
}

fn copy_entry(source: &Path, target: &Path, links: &mut HashMap<(u64, u64), PathBuf>) -> io::Result<()> {
    let found = fs::symlink_metadata(source)?;
    let kind = found.file_type();
    if kind.is_dir() {
        fs::create_dir(target)?;
        return copy_folder(source, target, links);
    }
    if found.nlink() > 1 {
        if let Some(first) = links.get(&(found.dev(), found.ino())) {
            return fs::hard_link(first, target);
        }
        links.insert((found.dev(), found.ino()), target.to_owned());
    }
    if kind.is_symlink() {
        symlink(fs::read_link(source)?, target)?;
    } else if kind.is_file() {
        io::copy(&mut File::open(source)?, &mut File::create_new(target)?)?;
    } else if kind.is_socket() {
        return Ok(());
    } else {
        let node = if kind.is_fifo() {
            FileType::Fifo
        } else if kind.is_char_device() {
            FileType::CharacterDevice
        } else {
            FileType::BlockDevice
        };
        rustix::fs::mknodat(CWD, target, node, Mode::from_raw_mode(0o600), found.rdev())?;
    }
    copy_attributes(source, target)
}

/// Gives a file another one's owner, mode, extended attributes and times.
pub fn copy_attributes(source: &Path, target: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(source)?;
    allow_one_id(lchown(target, Some(found.uid()), Some(found.gid())))?;
    if !found.file_type().is_symlink() {
        fs::set_permissions(target, fs::Permissions::from_mode(found.mode() & 0o7777))?;
    }
    for (name, value) in attributes(source)? {
        match rustix::fs::lsetxattr(target, name.as_str(), &value, XattrFlags::empty()) {
            // What this file system or this user cannot keep is left out.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => {}
            set => set?,
        }
    }
    let time = |seconds: i64, nanoseconds: i64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(found.mtime(), found.mtime_nsec()),
        last_modification: time(found.mtime(), found.mtime_nsec()),
    };
    rustix::fs::utimensat(CWD, target, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Lets a change of owner fail where there is one user alone, to whom everything belongs.
pub fn allow_one_id(changed: io::Result<()>) -> io::Result<()> {
    match changed {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput && super::rootless::has_one_id() => Ok(()),
        changed => changed,
    }
}

/// Reads a file's extended attributes, those of an overlay left out, sorted by name.
pub fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0; 1024];
    let count = loop {
        match rustix::fs::llistxattr(path, names.as_mut_slice()) {
            Ok(count) => break count,
            Err(rustix::io::Errno::RANGE) => names.resize(names.len() * 4, 0),
            Err(rustix::io::Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    };
    let mut found = Vec::new();
    for name in names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if is_overlays(name) {
            continue;
        }
        let mut value = vec![0; 65536];
        let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice())?;
        value.truncate(length);
        found.push((name.to_owned(), value));
    }
    found.sort_unstable();
    Ok(found)
}

/// Tells whether an extended attribute is an overlay's own.
pub fn is_overlays(name: &str) -> bool {
    name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")
}
