//! The forms that are made of blocks compressed on their own: gzip, bare DEFLATE, BGZF, LZ4, bzip2.

use std::hash::Hasher as _;
use std::io::{self, Write as _};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use lz4::block::CompressionMode;
use twox_hash::XxHash32;

use super::blocks::BlockCodec;

/// How far back DEFLATE looks.
const WINDOW_BYTES: usize = 32 * 1024;

/// One DEFLATE stream, as in a zip archive.
pub(crate) struct Deflate(pub u32);

impl BlockCodec for Deflate {
    type Worker = Compress;
    type Tally = Crc;

    fn block_bytes(&self) -> usize {
        512 * 1024
    }

    fn dictionary_bytes(&self) -> usize {
        WINDOW_BYTES
    }

    fn worker(&self) -> Compress {
        Compress::new(Compression::new(self.0), false)
    }

    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    fn count(&self, tally: &mut Crc, block: &[u8]) {
        tally.update(block);
    }

    fn compress(&self, worker: &mut Compress, dictionary: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        worker.reset();
        if !dictionary.is_empty() {
            worker.set_dictionary(dictionary)?;
        }
        // A block ends at a whole byte without ending the stream.
        deflate(worker, block, FlushCompress::Sync)
    }

    fn tail(&self, _: &Crc) -> io::Result<Vec<u8>> {
        // The last block of the stream, which is empty.
        Ok(vec![3, 0])
    }
}

fn deflate(worker: &mut Compress, bytes: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(bytes.len() / 2 + 64);
    let begun = worker.total_in();
    loop {
        let done = usize::try_from(worker.total_in() - begun).unwrap_or(bytes.len());
        let status = worker.compress_vec(&bytes[done..], &mut packed, flush)?;
        let is_read = worker.total_in() - begun == bytes.len() as u64;
        // Room that is left over tells that nothing waits to be written.
        if status == Status::StreamEnd || is_read && packed.len() < packed.capacity() {
            return Ok(packed);
        }
        packed.reserve(bytes.len() / 4 + 64);
    }
}

/// One gzip member.
pub(crate) struct Gzip(pub u32);

impl BlockCodec for Gzip {
    type Worker = Compress;
    type Tally = Crc;

    fn block_bytes(&self) -> usize {
        Deflate(self.0).block_bytes()
    }

    fn dictionary_bytes(&self) -> usize {
        WINDOW_BYTES
    }

    fn worker(&self) -> Compress {
        Deflate(self.0).worker()
    }

    fn head(&self) -> Vec<u8> {
        // Neither name nor time, from an unknown system.
        vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    }

    fn count(&self, tally: &mut Crc, block: &[u8]) {
        tally.update(block);
    }

    fn compress(&self, worker: &mut Compress, dictionary: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        Deflate(self.0).compress(worker, dictionary, block)
    }

    fn tail(&self, tally: &Crc) -> io::Result<Vec<u8>> {
        let mut tail = Deflate(self.0).tail(tally)?;
        tail.extend(tally.sum().to_le_bytes());
        tail.extend(tally.amount().to_le_bytes());
        Ok(tail)
    }
}

/// Gzip members that are short enough to be found by their place.
pub(crate) struct Bgzf(pub u32);

/// What a BGZF member holds at most: what does not compress must fit into 64 KiB with head and tail.
const BGZF_BYTES: usize = 65_280;

/// What stands in a BGZF member beside its DEFLATE stream.
const BGZF_FRAME_BYTES: usize = 26;

impl BlockCodec for Bgzf {
    type Worker = Compress;
    type Tally = ();

    fn block_bytes(&self) -> usize {
        BGZF_BYTES * 16
    }

    fn worker(&self) -> Compress {
        Deflate(self.0).worker()
    }

    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    fn count(&self, (): &mut (), _: &[u8]) {}

    fn compress(&self, worker: &mut Compress, _: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        let mut members = Vec::with_capacity(block.len() / 2);
        for part in block.chunks(BGZF_BYTES) {
            worker.reset();
            member(worker, part, &mut members)?;
        }
        Ok(members)
    }

    fn tail(&self, (): &()) -> io::Result<Vec<u8>> {
        // An empty member tells that the file is whole.
        let mut end = Vec::new();
        member(&mut self.worker(), &[], &mut end)?;
        Ok(end)
    }
}

fn member(worker: &mut Compress, part: &[u8], members: &mut Vec<u8>) -> io::Result<()> {
    let packed = deflate(worker, part, FlushCompress::Finish)?;
    let size = u16::try_from(packed.len() + BGZF_FRAME_BYTES - 1)
        .map_err(|_| io::Error::other("a block has grown beyond 64 KiB"))?;
    members.extend([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 6, 0, b'B', b'C', 2, 0]);
    members.extend(size.to_le_bytes());
    members.extend(packed);
    let mut sum = Crc::new();
    sum.update(part);
    members.extend(sum.sum().to_le_bytes());
    members.extend(sum.amount().to_le_bytes());
    Ok(())
}

/// One LZ4 frame of independent blocks.
pub(crate) struct Lz4(pub Option<u32>);

impl BlockCodec for Lz4 {
    type Worker = ();
    type Tally = Xxh32;

    fn block_bytes(&self) -> usize {
        1024 * 1024
    }

    fn worker(&self) {}

    fn head(&self) -> Vec<u8> {
        // Version 1, independent blocks, a checksum of the content; blocks of 1 MiB.
        let descriptor = [0b0110_0100, 6 << 4];
        let check = XxHash32::oneshot(0, &descriptor).to_le_bytes()[1];
        [&0x184D_2204_u32.to_le_bytes()[..], &descriptor, &[check]].concat()
    }

    fn count(&self, tally: &mut Xxh32, block: &[u8]) {
        tally.0.write(block);
    }

    fn compress(&self, (): &mut (), _: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        // Below 3 the better way of searching is no better.
        let mode = match self.0 {
            Some(level @ 3..) => CompressionMode::HIGHCOMPRESSION(i32::try_from(level).unwrap_or(9)),
            _ => CompressionMode::DEFAULT,
        };
        let mut packed = vec![0; 4 + lz4::block::compress_bound(block.len())?];
        let count = lz4::block::compress_to_buffer(block, Some(mode), false, &mut packed[4..])?;
        let size = |count: usize| u32::try_from(count).map_err(io::Error::other);
        if count < block.len() {
            packed.truncate(4 + count);
            packed[..4].copy_from_slice(&size(count)?.to_le_bytes());
        } else {
            // The highest bit says that the block is not compressed.
            packed.truncate(4);
            packed.copy_from_slice(&(size(block.len())? | 1 << 31).to_le_bytes());
            packed.extend_from_slice(block);
        }
        Ok(packed)
    }

    fn tail(&self, tally: &Xxh32) -> io::Result<Vec<u8>> {
        Ok([[0; 4], tally.0.finish_32().to_le_bytes()].concat())
    }
}

/// The checksum of an LZ4 frame's content.
pub(crate) struct Xxh32(XxHash32);

impl Default for Xxh32 {
    fn default() -> Self {
        Self(XxHash32::with_seed(0))
    }
}

/// One bzip2 stream after another, which every reader takes for one.
pub(crate) struct Bzip2(pub u32);

impl BlockCodec for Bzip2 {
    type Worker = ();
    /// Whether there was anything.
    type Tally = bool;

    fn block_bytes(&self) -> usize {
        // As much as one of bzip2's own blocks holds: a little more would make a second one that is almost empty.
        self.0.clamp(1, 9) as usize * 100_000 - 20
    }

    fn worker(&self) {}

    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    fn count(&self, tally: &mut bool, _: &[u8]) {
        *tally = true;
    }

    fn compress(&self, (): &mut (), _: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        let packed = Vec::with_capacity(block.len() / 2);
        let mut encoder = bzip2::write::BzEncoder::new(packed, bzip2::Compression::new(self.0.clamp(1, 9)));
        encoder.write_all(block)?;
        encoder.finish()
    }

    fn tail(&self, tally: &bool) -> io::Result<Vec<u8>> {
        if *tally { Ok(Vec::new()) } else { self.compress(&mut (), &[], &[]) }
    }
}
