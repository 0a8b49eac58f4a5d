//! Files into a sandbox and out of it, by processes that stand inside: no path of the image is resolved elsewhere.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::lchown;
use std::path::Path;

use super::protocol::{FILE, FOLDER, NOTHING};
use super::users::Identity;
use crate::embedded::trouble::Doing as _;
use crate::failure::Outcome;

/// Unpacks an archive into a folder; returns the exit status.
pub fn put(folder: &str, owner: Option<&(String, String)>, [input, _, error]: &[OwnedFd; 3]) -> i32 {
    let put = || -> Outcome<()> {
        let file = File::from(input.try_clone().doing(|| "taking the archive")?);
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, file));
        archive.set_preserve_permissions(true);
        archive.set_preserve_ownerships(true);
        archive.set_preserve_mtime(true);
        fs::metadata(folder).doing(|| format!("looking for the folder {folder}"))?;
        archive.unpack(folder).doing(|| format!("writing to {folder}"))?;
        if let Some((path, user)) = owner {
            let user = Identity::find(user, &[])?.user;
            give(Path::new(path), user).doing(|| format!("giving {path} to its user"))?;
        }
        Ok(())
    };
    complain(put(), error)
}

/// Gives a path with all that is below it to a user; groups stay.
fn give(path: &Path, user: u32) -> io::Result<()> {
    lchown(path, Some(user), None)?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Packs a file or a folder's contents; returns the exit status.
pub fn get(path: &str, is_folder: bool, [_, output, error]: &[OwnedFd; 3]) -> i32 {
    let get = || -> Outcome<()> {
        let file = File::from(output.try_clone().doing(|| "taking the way out")?);
        let mut archive = tar::Builder::new(io::BufWriter::with_capacity(256 * 1024, file));
        archive.follow_symlinks(false);
        let found = fs::metadata(path).doing(|| format!("looking for {path}"))?;
        let added = if is_folder || found.is_dir() {
            archive.append_dir_all(".", path)
        } else {
            File::open(path).and_then(|mut file| archive.append_file("file", &mut file))
        };
        added.and_then(|()| archive.into_inner()?.flush()).doing(|| format!("reading {path}"))
    };
    complain(get(), error)
}

/// Tells what stands at a path, as an exit status.
pub fn look(path: &str) -> i32 {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => FOLDER,
        Ok(_) => FILE,
        // A link that leads nowhere is something all the same.
        Err(_) if fs::symlink_metadata(path).is_ok() => FILE,
        Err(_) => NOTHING,
    }
}

fn complain(done: Outcome<()>, error: &OwnedFd) -> i32 {
    match done {
        Ok(()) => 0,
        Err(failure) => {
            if let Ok(error) = error.try_clone() {
                let _ = write!(File::from(error), "{failure}");
            }
            1
        }
    }
}
