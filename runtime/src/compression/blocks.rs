//! A stream cut into blocks that threads compress, put together again in order.
//!
//! Three parts work at once: the caller produces the stream, workers compress blocks, a writer puts results in their
//! order. A few blocks a worker are under way, so memory stays flat however long the stream is.

use std::io::{self, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// A form whose blocks can be compressed on their own.
pub(crate) trait BlockCodec: Sync {
    /// What a thread keeps from block to block, such as tables that are costly to make.
    type Worker: Send;
    /// What the end of the stream says about all of it.
    type Tally: Default + Send;

    /// Returns how long blocks are.
    fn block_bytes(&self) -> usize;

    /// Returns how much of what comes before a block helps to compress it.
    fn dictionary_bytes(&self) -> usize {
        0
    }

    /// Makes what a thread keeps.
    fn worker(&self) -> Self::Worker;

    /// Returns what stands before the first block.
    fn head(&self) -> Vec<u8>;

    /// Takes note of a block; called in their order.
    fn count(&self, tally: &mut Self::Tally, block: &[u8]);

    /// Compresses a block.
    ///
    /// # Errors
    ///
    /// Fails if the compressor does, which no input should make it do.
    fn compress(&self, worker: &mut Self::Worker, dictionary: &[u8], block: &[u8]) -> io::Result<Vec<u8>>;

    /// Returns what stands after the last block.
    ///
    /// # Errors
    ///
    /// Fails as [`BlockCodec::compress`] does.
    fn tail(&self, tally: &Self::Tally) -> io::Result<Vec<u8>>;
}

/// Returns how many threads compress.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Blocks under way for each worker: one at work, one that waits, one on its way to the file.
const BLOCKS_A_WORKER: usize = 3;

struct Job {
    dictionary: Vec<u8>,
    block: Vec<u8>,
    result: SyncSender<io::Result<Vec<u8>>>,
}

/// Compresses what `produce` writes and returns the tally of it.
///
/// # Errors
///
/// Fails if producing, compressing or writing does; what was written by then is no whole stream.
pub(crate) fn compress<C: BlockCodec>(
    codec: &C,
    mut target: impl Write + Send,
    produce: impl FnOnce(&mut (dyn Write + Send)) -> io::Result<()>,
) -> io::Result<C::Tally> {
    let threads = threads();
    target.write_all(&codec.head())?;
    let (jobs, waiting) = sync_channel::<Job>(threads);
    let (ordered, results) = sync_channel::<Receiver<io::Result<Vec<u8>>>>(threads * BLOCKS_A_WORKER);
    let waiting = Mutex::new(waiting);
    let (tally, mut target) = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(codec, &waiting));
        }
        let writer = scope.spawn(move || -> io::Result<_> {
            for result in results {
                let block = result.recv().map_err(|_| io::Error::other("a compressing thread has died"))??;
                target.write_all(&block)?;
            }
            Ok(target)
        });
        let mut cutter = Cutter {
            codec,
            block: Vec::with_capacity(codec.block_bytes()),
            dictionary: Vec::new(),
            tally: C::Tally::default(),
            jobs,
            ordered,
        };
        let produced = produce(&mut cutter).and_then(|()| cutter.send());
        // The threads end when nothing more can come.
        let Cutter { tally, jobs, ordered, .. } = cutter;
        drop((jobs, ordered));
        let written = writer.join().map_err(|_| io::Error::other("the writing thread has died"))?;
        // Where writing fails, producing fails as well, for want of a writer: the cause is of interest.
        let target = match (written, produced) {
            (Err(error), Err(end)) if is_hung_up(&end) => return Err(error),
            (_, Err(error)) | (Err(error), Ok(())) => return Err(error),
            (Ok(target), Ok(())) => target,
        };
        Ok((tally, target))
    })?;
    target.write_all(&codec.tail(&tally)?)?;
    target.flush()?;
    Ok(tally)
}

fn work<C: BlockCodec>(codec: &C, waiting: &Mutex<Receiver<Job>>) {
    let mut worker = codec.worker();
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The writer may have given up.
        let _ = job.result.send(codec.compress(&mut worker, &job.dictionary, &job.block));
    }
}

/// Cuts what is written into blocks and hands them out.
struct Cutter<'c, C: BlockCodec> {
    codec: &'c C,
    block: Vec<u8>,
    dictionary: Vec<u8>,
    tally: C::Tally,
    jobs: SyncSender<Job>,
    ordered: SyncSender<Receiver<io::Result<Vec<u8>>>>,
}

impl<C: BlockCodec> Cutter<'_, C> {
    fn send(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(self.codec.block_bytes()));
        self.codec.count(&mut self.tally, &block);
        let tail = block.len().saturating_sub(self.codec.dictionary_bytes());
        let dictionary = std::mem::replace(&mut self.dictionary, block[tail..].to_vec());
        let (result, receiver) = sync_channel(1);
        self.ordered.send(receiver).map_err(|_| hung_up())?;
        self.jobs.send(Job { dictionary, block, result }).map_err(|_| hung_up())
    }
}

fn hung_up() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

fn is_hung_up(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

impl<C: BlockCodec> Write for Cutter<'_, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.codec.block_bytes() - self.block.len();
        let count = room.min(bytes.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == self.codec.block_bytes() {
            self.send()?;
        }
        Ok(count)
    }

    /// Blocks are sent when they are full: what the stream becomes does not depend on when its producer flushes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
