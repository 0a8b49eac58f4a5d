//! An archive that was taken in, put together again byte for byte.
//!
//! A layer's digest is that of its archive, and no archive can be made again from files alone: order, headers and
//! filling are its maker's. So what is no file's content is kept, compressed, with a remark in each place where a
//! file's content belongs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::embedded::trouble::Doing as _;
use crate::failure::Outcome;

const BYTES: u8 = 0;
const CONTENT: u8 = 1;

/// How many bytes are collected before they are written as one part.
const PART_BYTES: usize = 64 * 1024;

/// Writes parts down while an archive is read.
pub struct Recorder {
    out: GzEncoder<File>,
    pending: Vec<u8>,
}

impl Recorder {
    /// Begins a file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: GzEncoder::new(File::create(path)?, Compression::new(1)), pending: Vec::new() })
    }

    /// Takes bytes that are no file's content.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PART_BYTES { self.flush() } else { Ok(()) }
    }

    /// Takes note of a file's content.
    pub fn content(&mut self, path: &[u8], size: u64) -> io::Result<()> {
        self.flush()?;
        self.out.write_all(&[CONTENT])?;
        self.out.write_all(&size.to_le_bytes())?;
        self.out.write_all(&u32::try_from(path.len()).map_err(io::Error::other)?.to_le_bytes())?;
        self.out.write_all(path)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.out.write_all(&[BYTES])?;
        self.out.write_all(&u32::try_from(self.pending.len()).map_err(io::Error::other)?.to_le_bytes())?;
        self.out.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.finish().map(drop)
    }
}

/// Puts an archive together again.
pub struct Parts<'a> {
    /// The file that a [`Recorder`] has written.
    pub parts: &'a Path,
    /// The layer's files.
    pub diff: &'a Path,
    /// Where contents stand, by their number, that a later file of the archive took the place of.
    pub aside: &'a Path,
    /// Their numbers.
    pub kept_aside: &'a [u64],
}

impl Parts<'_> {
    /// Writes the archive.
    pub fn write(&self, out: &mut impl Write) -> Outcome<()> {
        self.copy(out).doing(|| format!("putting together the archive of {}", self.diff.display()))
    }

    fn copy(&self, out: &mut impl Write) -> io::Result<()> {
        let mut parts = io::BufReader::with_capacity(PART_BYTES, GzDecoder::new(File::open(self.parts)?));
        let (mut number, mut buffer) = (0, vec![0; 256 * 1024]);
        let mut kind = [0];
        while parts.read(&mut kind)? == 1 {
            match kind[0] {
                BYTES => {
                    let mut length = [0; 4];
                    parts.read_exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    copy_exactly(&mut (&mut parts).take(length), length, out, &mut buffer)?;
                }
                CONTENT => {
                    let (mut size, mut length) = ([0; 8], [0; 4]);
                    parts.read_exact(&mut size)?;
                    parts.read_exact(&mut length)?;
                    let mut path = Vec::new();
                    (&mut parts).take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut path)?;
                    let path: PathBuf = if self.kept_aside.contains(&number) {
                        self.aside.join(number.to_string())
                    } else {
                        self.diff.join(std::ffi::OsStr::from_bytes(&path))
                    };
                    number += 1;
                    let size = u64::from_le_bytes(size);
                    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
                    let file = rustix::fs::open(&path, flags, rustix::fs::Mode::empty())?;
                    copy_exactly(&mut File::from(file), size, out, &mut buffer)?;
                }
                _ => return Err(io::Error::other("the record of the archive is damaged")),
            }
        }
        Ok(())
    }
}

fn copy_exactly(from: &mut impl Read, length: u64, out: &mut impl Write, buffer: &mut [u8]) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = from.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    Ok(())
}
