//! Compressing streams and packing files, as fast as the machine's processors allow and in little memory.
//!
//! | file | holds |
//! | --- | --- |
//! | `blocks.rs` | a stream cut into blocks that threads compress, put together again in order |
//! | `codec.rs` | the forms made of such blocks: gzip, bare DEFLATE, BGZF, LZ4, bzip2 |
//! | `target.rs` | a file that is there when it is whole |
//! | `tar.rs` | files into a tar archive, the same bytes for the same files |
//!
//! What comes out depends on what goes in alone, never on the number of processors: archives are compared and kept.

pub(crate) mod blocks;
pub(crate) mod codec;
pub(crate) mod tar;
pub(crate) mod target;

use std::io::{self, Read, Write};

use tokio_util::sync::CancellationToken;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Not at all.
    Stored,
    /// A gzip stream.
    Gzip,
    /// Gzip members of at most 64 KiB, as genome tools read them at any place.
    Bgzf,
    /// An LZ4 frame.
    Lz4,
    /// An xz stream.
    Xz,
    /// One bzip2 stream after another.
    Bzip2,
}

/// Compresses what `produce` writes; `level` is from 1 to 9, or none for the form's own default.
///
/// # Errors
///
/// Fails if producing, compressing or writing does.
pub(crate) fn compress(
    algorithm: Algorithm,
    level: Option<u32>,
    mut target: impl Write + Send,
    produce: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<()> {
    let deflate_level = level.unwrap_or(6);
    match algorithm {
        Algorithm::Stored => {
            let mut buffered = io::BufWriter::with_capacity(COPY_BYTES, &mut target);
            produce(&mut buffered)?;
            buffered.flush()
        }
        Algorithm::Gzip => blocks::compress(&codec::Gzip(deflate_level), target, produce).map(drop),
        Algorithm::Bgzf => blocks::compress(&codec::Bgzf(deflate_level), target, produce).map(drop),
        Algorithm::Lz4 => blocks::compress(&codec::Lz4(level), target, produce).map(drop),
        Algorithm::Bzip2 => blocks::compress(&codec::Bzip2(level.unwrap_or(9)), target, produce).map(drop),
        Algorithm::Xz => {
            let threads = u32::try_from(blocks::threads()).unwrap_or(1);
            let encoder = liblzma::stream::MtStreamBuilder::new()
                .threads(threads)
                .preset(level.unwrap_or(6))
                .check(liblzma::stream::Check::Crc64)
                .encoder()
                .map_err(io::Error::other)?;
            let encoder = liblzma::write::XzEncoder::new_stream(target, encoder);
            let mut buffered = io::BufWriter::with_capacity(COPY_BYTES, encoder);
            produce(&mut buffered)?;
            let encoder = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
            encoder.finish()?.flush()
        }
    }
}

/// How much is read at once.
const COPY_BYTES: usize = 256 * 1024;

/// Copies a stream; stops with an error when told to.
///
/// # Errors
///
/// Fails if reading or writing does, or the run is cancelled.
pub(crate) fn copy(mut from: impl Read, to: &mut dyn Write, cancel: &CancellationToken) -> io::Result<u64> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut copied = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..count])?;
        copied += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes bytes that compress somewhat and nowhere repeat far back.
    pub(crate) fn sample(length: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.extend_from_slice(format!("line {} of {}\n", state >> 20, bytes.len() / 100).as_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    fn packed(algorithm: Algorithm, level: Option<u32>, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        compress(algorithm, level, &mut packed, |out| out.write_all(bytes)).expect("memory is writable");
        packed
    }

    fn unpacked(algorithm: Algorithm, packed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = match algorithm {
            Algorithm::Stored => return packed.to_vec(),
            Algorithm::Gzip => flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes),
            Algorithm::Bgzf => flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut bytes),
            Algorithm::Lz4 => lz4::Decoder::new(packed).and_then(|mut decoder| decoder.read_to_end(&mut bytes)),
            Algorithm::Xz => liblzma::read::XzDecoder::new(packed).read_to_end(&mut bytes),
            Algorithm::Bzip2 => bzip2::read::MultiBzDecoder::new(packed).read_to_end(&mut bytes),
        };
        read.unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
        bytes
    }

    #[test]
    fn every_form_gives_back_what_went_in() {
        let all =
            [Algorithm::Stored, Algorithm::Gzip, Algorithm::Bgzf, Algorithm::Lz4, Algorithm::Xz, Algorithm::Bzip2];
        for algorithm in all {
            for length in [0, 1, 65_280, 1_200_001] {
                let bytes = sample(length);
                for level in [None, Some(1), Some(9)].into_iter().take(if length > 100_000 { 1 } else { 3 }) {
                    let packed = packed(algorithm, level, &bytes);
                    assert!(unpacked(algorithm, &packed) == bytes, "{algorithm:?} {length} {level:?}");
                    assert!(algorithm == Algorithm::Stored || length < 1000 || packed.len() < length, "{algorithm:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_compressed_hardly_grows() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .take(1_100_000)
        .collect();
        for algorithm in [Algorithm::Gzip, Algorithm::Bgzf, Algorithm::Lz4, Algorithm::Xz, Algorithm::Bzip2] {
            let packed = packed(algorithm, None, &noise);
            assert!(unpacked(algorithm, &packed) == noise, "{algorithm:?}");
            assert!(packed.len() < noise.len() / 100 * 102, "{algorithm:?}: {}", packed.len());
        }
    }

    #[test]
    fn a_failing_producer_and_a_full_disk_are_failures() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for algorithm in [Algorithm::Gzip, Algorithm::Lz4, Algorithm::Xz, Algorithm::Stored] {
            let failed = compress(algorithm, None, Vec::new(), |_| Err(io::Error::other("gone")));
            assert_eq!(failed.expect_err("fails").to_string(), "gone", "{algorithm:?}");
            let bytes = sample(4_000_000);
            let failed = compress(algorithm, None, Full, |out| out.write_all(&bytes));
            assert_eq!(failed.expect_err("fails").kind(), io::ErrorKind::StorageFull, "{algorithm:?}");
        }
    }
}
