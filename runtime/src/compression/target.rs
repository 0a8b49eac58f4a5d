//! A file that is there when it is whole, and not before.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::journal::Entry;

/// Writes a file beside its place on a thread of its own, and puts it there when that has ended well.
///
/// # Errors
///
/// Fails if `write` does, the place cannot be written, or the run is cancelled; the place is then as it was.
pub(crate) async fn write_file(
    ctx: &NodeContext,
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()> + Send + 'static,
) -> Outcome<()> {
    let failed = |error: io::Error| Failure::new(error.to_string()).context(format!("writing {}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let mut temporary = temporary(folder).map_err(failed)?;
    ctx.services.journal.write(&Entry::File { path: std::path::absolute(temporary.path()).map_err(failed)? });
    let written = tokio::task::spawn_blocking(move || write(temporary.as_file_mut()).map(|()| temporary));
    match written.await.map_err(|error| Failure::new(error.to_string()))? {
        _ if ctx.cancel.is_cancelled() => Err(Failure::cancelled()),
        Ok(temporary) => temporary.persist(path).map(drop).map_err(|error| failed(error.error)),
        Err(error) => Err(failed(error)),
    }
}

/// Makes a file that has the mode of any new file, not that of a secret.
fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
