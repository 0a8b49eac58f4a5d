//! What goes into a box, and how it is packed.
//!
//! Nothing is copied on the way: disks are read from where they are, straight into the box.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::compression::tar;

/// Where the bytes of a file in a box come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// A part of a file.
    Inside {
        /// The file.
        path: PathBuf,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        size: u64,
    },
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Source {
    /// Opens it for reading.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(self.sized()?.1)
    }

    fn sized(&self) -> io::Result<(u64, Box<dyn Read + Send + '_>)> {
        Ok(match self {
            Self::File(path) => {
                let (file, metadata) = tar::open(path)?;
                (metadata.len(), Box::new(file))
            }
            Self::Inside { path, offset, size } => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                (*size, Box::new(file.take(*size)))
            }
            Self::Bytes(bytes) => (bytes.len() as u64, Box::new(bytes.as_slice())),
        })
    }

    fn origin(&self, name: &str) -> String {
        match self {
            Self::File(path) | Self::Inside { path, .. } => path.display().to_string(),
            Self::Bytes(_) => name.to_owned(),
        }
    }
}

/// The last part of a path, as a name in a box.
pub(super) fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a box.
#[derive(Debug, Default)]
pub(super) struct Contents {
    files: std::collections::BTreeMap<String, Source>,
}

impl Contents {
    /// Adds a file; one that has the name already gives way.
    pub(super) fn add(&mut self, name: String, source: Source) {
        self.files.insert(name, source);
    }

    /// Adds a text unless there is a file of that name.
    pub(super) fn add_unless_there(&mut self, name: &str, text: String) {
        self.files.entry(name.to_owned()).or_insert_with(|| Source::Bytes(text.into_bytes()));
    }

    /// Lists the names in the order in which they stand in the box.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Packs all into a tar archive.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or the archive cannot be written.
    pub(super) fn pack(&self, out: &mut (dyn Write + Send), cancel: &CancellationToken) -> io::Result<()> {
        let mut archive = ::tar::Builder::new(out);
        for (name, source) in &self.files {
            let blame =
                |error: io::Error| io::Error::new(error.kind(), format!("packing {}: {error}", source.origin(name)));
            let (size, reader) = source.sized().map_err(blame)?;
            tar::add(&mut archive, reader, size, name, cancel).map_err(blame)?;
        }
        archive.finish()
    }
}
