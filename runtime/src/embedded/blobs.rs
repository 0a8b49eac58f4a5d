//! The pieces of an image as archives and layouts hold them: by name, each a stretch of bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::store::Store;
use super::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// How large a text such as a manifest may be.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Where pieces come from.
pub enum Blobs {
    /// A folder.
    Folder(PathBuf),
    /// A tar file, and where each of its files begins and how long it is.
    Archive(Archive),
}

/// A tar file that is read in any order.
pub struct Archive {
    path: PathBuf,
    places: HashMap<String, Place>,
    /// The file that was decompressed for this, which lives as long.
    _plain: Option<tempfile::TempPath>,
}

enum Place {
    Bytes { start: u64, length: u64 },
    Link(String),
}

impl Blobs {
    /// Opens a folder or a tar file, compressed or not.
    pub fn open(path: &Path, store: &Store) -> Outcome<Self> {
        let reading = || format!("reading {}", path.display());
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let mut file = File::open(path).doing(reading)?;
        let mut start = [0; 4];
        let count = file.read(&mut start).doing(reading)?;
        let compression = Compression::of(&start[..count])?;
        file.rewind().doing(reading)?;
        if compression == Compression::None {
            let places = index(file).doing(reading)?;
            return Ok(Self::Archive(Archive { path: path.to_owned(), places, _plain: None }));
        }
        // Its files are wanted in another order than it has them.
        let folder = store.root().join("tmp");
        let mut plain =
            tempfile::NamedTempFile::new_in(&folder).doing(|| format!("writing in {}", folder.display()))?;
        io::copy(&mut MultiGzDecoder::new(io::BufReader::new(file)), plain.as_file_mut()).doing(reading)?;
        let places = index(plain.reopen().doing(reading)?).doing(reading)?;
        let plain = plain.into_temp_path();
        Ok(Self::Archive(Archive { path: plain.to_path_buf(), places, _plain: Some(plain) }))
    }

    /// Opens a piece; none if there is none of that name.
    pub fn piece(&self, name: &str) -> Outcome<Option<Box<dyn Read + Send>>> {
        match self {
            Self::Folder(folder) => {
                if name.split('/').any(|part| part == "..") {
                    return Err(Failure::new(format!("`{name}` leads out of the folder")));
                }
                match File::open(folder.join(name)) {
                    Ok(file) => Ok(Some(Box::new(file))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error).doing(|| format!("reading {name} in {}", folder.display())),
                }
            }
            Self::Archive(archive) => archive.piece(name),
        }
    }

    /// Reads a piece that is a text; none if there is none of that name.
    pub fn text(&self, name: &str) -> Outcome<Option<String>> {
        let Some(piece) = self.piece(name)? else { return Ok(None) };
        let mut text = String::new();
        piece.take(MAX_TEXT_BYTES).read_to_string(&mut text).doing(|| format!("reading {name}"))?;
        Ok(Some(text))
    }
}

impl Archive {
    fn piece(&self, name: &str) -> Outcome<Option<Box<dyn Read + Send>>> {
        let mut name = plain(name);
        // Some archives have each layer once and lead to it from elsewhere.
        for _ in 0..8 {
            match self.places.get(&name) {
                None => return Ok(None),
                Some(Place::Link(target)) => name = target.clone(),
                Some(Place::Bytes { start, length }) => {
                    let opened = File::open(&self.path).and_then(|mut file| {
                        file.seek(SeekFrom::Start(*start))?;
                        Ok(file.take(*length))
                    });
                    return opened
                        .map(|file| Some(Box::new(file) as Box<dyn Read + Send>))
                        .doing(|| format!("reading {}", self.path.display()));
                }
            }
        }
        Err(Failure::new(format!("`{name}` of the archive leads around in a circle")))
    }
}

fn index(file: File) -> io::Result<HashMap<String, Place>> {
    let mut places = HashMap::new();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = plain(&String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        if kind.is_file() {
            places.insert(name, Place::Bytes { start: entry.raw_file_position(), length: entry.size() });
        } else if kind.is_symlink() || kind.is_hard_link() {
            let target = String::from_utf8_lossy(&entry.link_name_bytes().unwrap_or_default()).into_owned();
            let target = match name.rsplit_once('/') {
                Some((folder, _)) if kind.is_symlink() => format!("{folder}/{target}"),
                _ => target,
            };
            places.insert(name, Place::Link(plain(&target)));
        }
    }
    Ok(places)
}

/// Takes `.` and `..` out of a path.
fn plain(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
}

impl Compression {
    /// Tells it by the first bytes.
    pub fn of(start: &[u8]) -> Outcome<Self> {
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                Err(Failure::new("it is compressed with zstd, which the engine cannot read")
                    .help("decompress it, or have it compressed with gzip"))
            }
            _ => Ok(Self::None),
        }
    }
}

/// Decompresses what is compressed, as its first bytes tell.
pub fn decompressed(mut bytes: impl Read + Send + 'static) -> Outcome<Box<dyn Read + Send>> {
    let mut start = Vec::new();
    (&mut bytes).take(4).read_to_end(&mut start).doing(|| "reading the first bytes")?;
    let compression = Compression::of(&start)?;
    let whole = io::Cursor::new(start).chain(bytes);
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(256 * 1024, whole))),
    })
}
