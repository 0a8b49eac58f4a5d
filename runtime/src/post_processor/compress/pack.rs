//! Files into an archive.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rawzip::path::EntryPath;
use rawzip::{CompressionMethod, DataDescriptorOutput, ZipArchiveWriter};
use tokio_util::sync::CancellationToken;

use super::format::{Archive, Format};
use crate::compression::{blocks, codec, compress, copy, tar};

/// Packs files in a form.
///
/// # Errors
///
/// Fails if a file cannot be read or the archive cannot be written, naming the file.
pub(super) fn pack(
    files: &[PathBuf],
    format: Format,
    level: Option<u32>,
    target: &mut File,
    cancel: &CancellationToken,
) -> io::Result<()> {
    compress(format.algorithm, level, target, |out| match format.archive {
        Archive::None => files.iter().try_for_each(|path| {
            let (file, _) = tar::open(path).map_err(|error| blame(path, &error))?;
            copy(file, out, cancel).map(drop)
        }),
        Archive::Tar => {
            let mut archive = ::tar::Builder::new(out);
            for path in files {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                tar::add_file(&mut archive, path, &name, cancel).map_err(|error| blame(path, &error))?;
            }
            archive.finish()
        }
        Archive::Zip => zip(files, out, cancel),
    })
}

/// Says which file a failure is about, without hiding its kind.
fn blame(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("packing {}: {error}", path.display()))
}

fn zip(files: &[PathBuf], out: &mut (dyn Write + Send), cancel: &CancellationToken) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(out);
    for path in files {
        let (file, _) = tar::open(path).map_err(|error| blame(path, &error))?;
        // Names stand in the archive as they are given; what is not ASCII is UTF-8 and marked as such.
        let name = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        let entry_path = if name.is_ascii() { EntryPath::verbatim(name.into_bytes()) } else { name.into() };
        let new = archive.new_file(entry_path).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, _) = new.start().map_err(io::Error::other)?;
        let mut size = 0;
        let sum = blocks::compress(&codec::Deflate(6), &mut entry, |out| {
            size = copy(file, out, cancel)?;
            Ok(())
        })
        .map_err(|error| blame(path, &error))?;
        entry.finish(DataDescriptorOutput::new(sum.sum(), size)).map_err(io::Error::other)?;
    }
    archive.finish().map(drop).map_err(io::Error::other)
}
