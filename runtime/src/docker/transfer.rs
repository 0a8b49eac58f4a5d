//! Files and tar streams to and from the engine, without holding them in memory.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::journal::Entry;

/// The size of a piece of a tar stream.
const PIECE_BYTES: usize = 256 * 1024;

/// Collects what a tar builder writes into pieces and sends them on.
pub(crate) struct PieceWriter {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    pending: Vec<u8>,
}

impl io::Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.pending));
        self.pieces
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading"))
    }
}

/// Makes a stream of the tar archive that `write` builds on a thread of its own.
///
/// An error of `write` becomes the stream's, so that the request fails in place of ending early; its text is kept in
/// the cell too, since the request's error buries it.
pub(crate) fn tar_stream(
    write: impl FnOnce(&mut tar::Builder<PieceWriter>) -> io::Result<()> + Send + 'static,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, Arc<OnceLock<String>>) {
    let (sender, mut receiver) = mpsc::channel(4);
    let problem = Arc::new(OnceLock::new());
    let kept = problem.clone();
    tokio::task::spawn_blocking(move || {
        let mut builder = tar::Builder::new(PieceWriter { pieces: sender.clone(), pending: Vec::new() });
        // A link stays a link, wherever it leads.
        builder.follow_symlinks(false);
        let written = write(&mut builder)
            .and_then(|()| builder.into_inner())
            .and_then(|mut writer| io::Write::flush(&mut writer));
        if let Err(error) = written {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = kept.set(error.to_string());
            }
            // Nobody listens if the request has failed already.
            let _ = sender.blocking_send(Err(error));
        }
    });
    (futures::stream::poll_fn(move |context| receiver.poll_recv(context)), problem)
}

/// Reads a tar archive that the engine sends, on a thread of its own.
pub(crate) async fn read_tar<T: Send + 'static>(
    ctx: &NodeContext,
    stream: impl Stream<Item = Result<Bytes, bollard::errors::Error>> + Send + Unpin + 'static,
    read: impl FnOnce(tar::Archive<Box<dyn io::Read + Send>>) -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    // The thread's reader reports just "other error"; the engine's own words are kept for the message.
    let stream = stream.map_err(|error| io::Error::other(super::explain(&error).to_string()));
    let reader = SyncIoBridge::new(StreamReader::new(stream));
    let task = tokio::task::spawn_blocking(move || read(tar::Archive::new(Box::new(reader))));
    tokio::select! {
        joined = task => joined.map_err(|error| Failure::new(error.to_string()))?,
        () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
    }
}

/// Writes a stream to a file that appears under its name only when it is whole.
pub(crate) async fn write_stream(
    ctx: &NodeContext,
    mut stream: impl Stream<Item = Outcome<Bytes>> + Unpin,
    path: &Path,
) -> Outcome<()> {
    let failed = |error: io::Error| Failure::new(error.to_string());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    ctx.services.journal.write(&Entry::File { path: std::path::absolute(temporary.path()).map_err(failed)? });
    let mut file = tokio::fs::File::create(temporary.path()).await.map_err(failed)?;
    loop {
        let piece = tokio::select! {
            piece = stream.next() => piece,
            () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
        };
        match piece {
            Some(piece) => file.write_all(&piece?).await.map_err(failed)?,
            None => break,
        }
    }
    file.flush().await.map_err(failed)?;
    let file = temporary.persist(path).map_err(|error| failed(error.error))?;
    set_ordinary_mode(&file).map_err(failed)
}

/// Temporary files are their owner's alone; a result has the mode that any new file has.
#[cfg(unix)]
fn set_ordinary_mode(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_ordinary_mode(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}
