//! Files and folders of this machine as transfers need them.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Outcome};

/// A step through a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A folder begins.
    Enter {
        /// Its mode.
        mode: u32,
        /// Its name.
        name: String,
    },
    /// A file.
    File {
        /// Where it is here.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Its length.
        size: u64,
        /// Its name.
        name: String,
    },
    /// The folder that began last ends.
    Leave,
}

/// Walks through a folder, in the order of names. Links are followed.
///
/// # Errors
///
/// Fails if something cannot be read, or a link leads back to a folder that it is in.
pub(super) async fn walk(folder: &str) -> Outcome<Vec<Step>> {
    let folder = PathBuf::from(folder);
    let walked = tokio::task::spawn_blocking(move || {
        let mut steps = Vec::new();
        enter(&folder, &mut Vec::new(), &mut steps)?;
        Ok(steps)
    });
    walked.await.map_err(|error| Failure::new(error.to_string()))?
}

fn enter(folder: &Path, above: &mut Vec<PathBuf>, steps: &mut Vec<Step>) -> Outcome<()> {
    let there = |error: io::Error| Failure::new(error.to_string()).context(format!("reading {}", folder.display()));
    let real = folder.canonicalize().map_err(there)?;
    if above.contains(&real) {
        return Err(Failure::new(format!("{} is a link to a folder that it is in", folder.display())));
    }
    let mode = real.metadata().map_err(there)?.permissions().mode() & 0o7777;
    let name = folder.file_name().or(real.file_name()).unwrap_or_default().to_string_lossy().into_owned();
    steps.push(Step::Enter { mode, name });
    above.push(real);
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(there)? {
        paths.push(entry.map_err(there)?.path());
    }
    paths.sort();
    for path in paths {
        let there = |error: io::Error| Failure::new(error.to_string()).context(format!("reading {}", path.display()));
        let metadata = path.metadata().map_err(there)?;
        if metadata.is_dir() {
            enter(&path, above, steps)?;
        } else if metadata.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mode = metadata.permissions().mode() & 0o7777;
            steps.push(Step::File { mode, size: metadata.len(), name, path });
        } else {
            let failure = Failure::new(format!("{} is neither a file nor a folder", path.display()));
            return Err(failure.help("take it out of the folder"));
        }
    }
    above.pop();
    steps.push(Step::Leave);
    Ok(())
}

/// Tells a file's mode and length.
pub(super) async fn mode_and_size(path: &Path) -> Outcome<(u32, u64)> {
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| Failure::new(error.to_string()).context(format!("reading {}", path.display())))?;
    Ok((metadata.permissions().mode() & 0o7777, metadata.len()))
}

/// Makes a folder with a mode, unless it is there.
pub(super) async fn make_folder(path: &Path, mode: u32) -> Outcome<()> {
    let made = std::fs::DirBuilder::new().mode(mode | 0o700).create(path);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(Failure::new(error.to_string()).context(format!("making {}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Creates a file with a mode, or empties the one that is there.
pub(super) fn create(path: &Path, mode: u32) -> Outcome<Sink> {
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode & 0o777).open(path);
    let file =
        opened.map_err(|error| Failure::new(error.to_string()).context(format!("writing {}", path.display())))?;
    Ok(Sink::new(file))
}

/// The mode that any new file has, less what the user's mask takes away.
pub(super) const ORDINARY_MODE: u32 = 0o666;

/// How many pieces may wait to be written.
const WAITING_PIECES: usize = 64;

/// How much of a file is read at once: each time costs a change of threads.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// Reads a file in large pieces.
pub(super) fn reader(mut file: tokio::fs::File) -> BufReader<tokio::fs::File> {
    file.set_max_buf_size(PIECE_BYTES);
    BufReader::with_capacity(PIECE_BYTES, file)
}

/// A file that a thread of its own writes, so that the disk and the network do not wait for each other.
pub(super) struct Sink {
    pieces: mpsc::Sender<Bytes>,
    writing: JoinHandle<io::Result<()>>,
}

impl Sink {
    /// Starts the thread.
    pub(super) fn new(mut file: File) -> Self {
        let (pieces, mut received) = mpsc::channel::<Bytes>(WAITING_PIECES);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(piece) = received.blocking_recv() {
                file.write_all(&piece)?;
            }
            file.flush()
        });
        Self { pieces, writing }
    }

    /// Takes the next piece; false if the file takes no more, which [`Sink::finish`] explains.
    pub(super) async fn take(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// Waits until all is written.
    pub(super) async fn finish(self) -> Outcome<()> {
        drop(self.pieces);
        let written = self.writing.await.map_err(|error| Failure::new(error.to_string()))?;
        written.map_err(|error| Failure::new(error.to_string()).context("writing to this machine"))
    }
}

/// Makes a path of the bytes that a Unix machine calls a file by.
pub(super) fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn links_are_followed_but_not_in_circles() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("d");
        std::fs::create_dir_all(root.join("sub")).expect("is writable");
        std::fs::write(root.join("sub/a"), "x").expect("is writable");
        std::os::unix::fs::symlink("sub", root.join("link")).expect("is writable");
        let steps = walk(&root.display().to_string()).await.expect("is readable");
        let names: Vec<&str> = steps
            .iter()
            .map(|step| match step {
                Step::Enter { name, .. } | Step::File { name, .. } => name.as_str(),
                Step::Leave => "..",
            })
            .collect();
        assert_eq!(names, ["d", "link", "a", "..", "sub", "a", "..", ".."]);
        std::os::unix::fs::symlink("..", root.join("sub/up")).expect("is writable");
        let failure = walk(&root.display().to_string()).await.expect_err("goes round");
        assert!(failure.to_string().contains("a folder that it is in"), "{failure}");
    }
}
