//! Many streams over one socket: yamux, as plugins speak it.
//!
//! Two tasks own the socket, one for each direction. Whoever holds a [`MuxStream`] works on a queue in memory, so
//! that a slow reader never keeps pings from being answered. A stream ends with exactly one FIN: a second one makes
//! Go drop the whole connection.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// How many bytes may be on their way in one stream and direction.
const WINDOW: u32 = 256 * 1024;

/// The longest piece of data that is sent at once.
const PIECE: usize = 32 * 1024;

/// How often the other side is asked whether it is alive.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// For how long it may stay silent.
const PATIENCE: Duration = Duration::from_secs(60);

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const PING: u8 = 2;
const GO_AWAY: u8 = 3;

const SYN: u16 = 1;
const ACK: u16 = 2;
const FIN: u16 = 4;
const RST: u16 = 8;

/// The connection is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// Which end of a connection this is; it decides on the numbers of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Has connected; odd numbers.
    Client,
    /// Was connected to; even numbers.
    Server,
}

/// A connection.
#[derive(Clone)]
pub struct Mux {
    shared: Arc<Shared>,
}

struct Shared {
    streams: Mutex<Streams>,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    closed: CancellationToken,
    reason: Mutex<Option<String>>,
}

struct Streams {
    open: HashMap<u32, Arc<StreamState>>,
    next: u32,
}

struct StreamState {
    id: u32,
    queue: Mutex<Queue>,
    readable: Notify,
    writable: Notify,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// Bytes that were read and not granted anew.
    consumed: u32,
    /// Bytes that the other side may still send.
    granted: u32,
    /// Bytes that may be sent.
    window: u32,
    has_ended: bool,
    was_reset: bool,
    fin_sent: bool,
    /// Nobody reads any more; what comes is let through.
    is_abandoned: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn frame(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut frame = Vec::with_capacity(12);
    frame.extend([0, kind]);
    frame.extend(flags.to_be_bytes());
    frame.extend(stream.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame
}

impl Mux {
    /// Takes a socket over; what the other side opens comes out of the second value.
    pub fn start<R, W>(reader: R, writer: W, side: Side, on: &Handle) -> (Self, mpsc::UnboundedReceiver<MuxStream>)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (frames, outgoing) = mpsc::unbounded_channel();
        let (opened, incoming) = mpsc::unbounded_channel();
        let next = if side == Side::Client { 1 } else { 2 };
        let shared = Arc::new(Shared {
            streams: Mutex::new(Streams { open: HashMap::new(), next }),
            frames,
            closed: CancellationToken::new(),
            reason: Mutex::new(None),
        });
        on.spawn(write_frames(writer, outgoing, shared.clone()));
        on.spawn(read_frames(reader, opened, shared.clone()));
        (Self { shared }, incoming)
    }

    /// Opens a stream.
    ///
    /// # Errors
    ///
    /// Fails if the connection is gone.
    pub fn open(&self) -> Result<MuxStream, Lost> {
        self.shared.check()?;
        let state = {
            let mut streams = lock(&self.shared.streams);
            let id = streams.next;
            streams.next = id.wrapping_add(2);
            let state = Arc::new(StreamState::new(id));
            streams.open.insert(id, state.clone());
            state
        };
        self.shared.send(frame(WINDOW_UPDATE, SYN, state.id, 0));
        Ok(MuxStream { state, shared: self.shared.clone() })
    }

    /// Ends the connection.
    pub fn close(&self, reason: &str) {
        self.shared.close(reason);
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        self.shared.closed.cancelled().await;
    }

    /// Tells whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }
}

impl Shared {
    fn send(&self, frame: Vec<u8>) {
        // The writer goes away only with the connection.
        let _ = self.frames.send(frame);
    }

    fn close(&self, reason: &str) {
        lock(&self.reason).get_or_insert_with(|| reason.to_owned());
        self.closed.cancel();
        for state in lock(&self.streams).open.values() {
            state.readable.notify_one();
            state.writable.notify_one();
        }
    }

    fn lost(&self) -> Lost {
        Lost(lock(&self.reason).clone().unwrap_or_else(|| "the connection is closed".to_owned()))
    }

    fn check(&self) -> Result<(), Lost> {
        if self.closed.is_cancelled() { Err(self.lost()) } else { Ok(()) }
    }

    fn stream(&self, id: u32) -> Option<Arc<StreamState>> {
        lock(&self.streams).open.get(&id).cloned()
    }

    /// Forgets a stream that has ended in both directions.
    fn settle(&self, state: &StreamState) {
        let queue = lock(&state.queue);
        if queue.was_reset || queue.has_ended && queue.fin_sent {
            drop(queue);
            lock(&self.streams).open.remove(&state.id);
        }
    }
}

impl StreamState {
    fn new(id: u32) -> Self {
        let queue = Queue { granted: WINDOW, window: WINDOW, ..Queue::default() };
        Self { id, queue: Mutex::new(queue), readable: Notify::new(), writable: Notify::new() }
    }
}

/// One stream. When it is dropped, the other side sees the end of it.
pub struct MuxStream {
    state: Arc<StreamState>,
    shared: Arc<Shared>,
}

impl MuxStream {
    /// Returns the next bytes; none at the end of the stream.
    ///
    /// # Errors
    ///
    /// Fails if the connection is gone or the other side has broken the stream off.
    pub async fn read(&self) -> Result<Option<Bytes>, Lost> {
        loop {
            {
                let mut queue = lock(&self.state.queue);
                if let Some(piece) = queue.pieces.pop_front() {
                    queue.consumed += u32::try_from(piece.len()).unwrap_or(WINDOW);
                    if queue.consumed >= WINDOW / 2 {
                        let grant = std::mem::take(&mut queue.consumed);
                        queue.granted += grant;
                        self.shared.send(frame(WINDOW_UPDATE, 0, self.state.id, grant));
                    }
                    return Ok(Some(piece));
                }
                if queue.was_reset {
                    return Err(Lost("the other side broke off".to_owned()));
                }
                if queue.has_ended {
                    return Ok(None);
                }
            }
            self.shared.check()?;
            self.state.readable.notified().await;
        }
    }

    /// Puts bytes back, to be read again first.
    pub fn unread(&self, bytes: Bytes) {
        if !bytes.is_empty() {
            let mut queue = lock(&self.state.queue);
            queue.consumed = queue.consumed.saturating_sub(u32::try_from(bytes.len()).unwrap_or(WINDOW));
            queue.pieces.push_front(bytes);
        }
    }

    /// Sends bytes, as fast as the other side takes them.
    ///
    /// # Errors
    ///
    /// Fails if the connection or the stream is gone.
    pub async fn write(&self, mut bytes: &[u8]) -> Result<(), Lost> {
        while !bytes.is_empty() {
            self.shared.check()?;
            let room = {
                let mut queue = lock(&self.state.queue);
                if queue.was_reset || queue.fin_sent {
                    return Err(Lost("the stream is closed".to_owned()));
                }
                let room = bytes.len().min(PIECE).min(queue.window as usize);
                queue.window -= u32::try_from(room).unwrap_or_default();
                room
            };
            if room == 0 {
                self.state.writable.notified().await;
                continue;
            }
            let (now, later) = bytes.split_at(room);
            let mut data = frame(DATA, 0, self.state.id, u32::try_from(room).unwrap_or_default());
            data.extend(now);
            self.shared.send(data);
            bytes = later;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        {
            let mut queue = lock(&self.state.queue);
            if queue.fin_sent || queue.was_reset {
                return;
            }
            queue.fin_sent = true;
            // Under the lock, so that no data can follow.
            self.shared.send(frame(WINDOW_UPDATE, FIN, self.state.id, 0));
        }
        self.shared.settle(&self.state);
    }
}

impl Drop for MuxStream {
    fn drop(&mut self) {
        self.finish();
        let mut queue = lock(&self.state.queue);
        queue.is_abandoned = true;
        let unread: usize = queue.pieces.drain(..).map(|piece| piece.len()).sum();
        let grant = std::mem::take(&mut queue.consumed) + u32::try_from(unread).unwrap_or_default();
        if grant > 0 && !queue.has_ended && !queue.was_reset {
            queue.granted += grant;
            self.shared.send(frame(WINDOW_UPDATE, 0, self.state.id, grant));
        }
    }
}

async fn write_frames(
    mut writer: impl AsyncWrite + Unpin,
    mut frames: mpsc::UnboundedReceiver<Vec<u8>>,
    shared: Arc<Shared>,
) {
    loop {
        let first = tokio::select! {
            biased;
            frame = frames.recv() => frame,
            () = shared.closed.cancelled() => break,
        };
        let Some(mut batch) = first else { break };
        while batch.len() < 2 * PIECE
            && let Ok(more) = frames.try_recv()
        {
            batch.extend(more);
        }
        let written = tokio::select! {
            written = async { writer.write_all(&batch).await?; writer.flush().await } => written,
            () = shared.closed.cancelled() => break,
        };
        if let Err(error) = written {
            shared.close(&format!("the connection broke: {error}"));
            break;
        }
    }
    let _ = writer.shutdown().await;
}

async fn read_frames(
    mut reader: impl AsyncRead + Unpin,
    opened: mpsc::UnboundedSender<MuxStream>,
    shared: Arc<Shared>,
) {
    let mut heard = tokio::time::Instant::now();
    let mut ping = tokio::time::interval_at(heard + PING_INTERVAL, PING_INTERVAL);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut buffer = bytes::BytesMut::with_capacity(2 * PIECE);
    let mut count = 0_u32;
    let reason = loop {
        match take_frame(&mut buffer) {
            Err(reason) => break reason,
            Ok(Some(frame)) => {
                if let Err(reason) = handle(frame, &opened, &shared) {
                    break reason;
                }
                continue;
            }
            Ok(None) => {}
        }
        tokio::select! {
            read = reader.read_buf(&mut buffer) => match read {
                Ok(0) => break "the connection was closed by the other side".to_owned(),
                Ok(_) => heard = tokio::time::Instant::now(),
                Err(error) => break format!("the connection broke: {error}"),
            },
            _ = ping.tick() => {
                if heard.elapsed() > PATIENCE {
                    break format!("the other side has not answered for {} seconds", PATIENCE.as_secs());
                }
                count = count.wrapping_add(1);
                shared.send(frame(PING, SYN, 0, count));
            }
            () = shared.closed.cancelled() => break "the connection is closed".to_owned(),
        }
    };
    shared.close(&reason);
}

struct Frame {
    kind: u8,
    flags: u16,
    stream: u32,
    length: u32,
    data: Bytes,
}

/// Takes a whole frame from the front; none if there is not one yet.
fn take_frame(buffer: &mut bytes::BytesMut) -> Result<Option<Frame>, String> {
    let Some(header) = buffer.first_chunk::<12>() else { return Ok(None) };
    let [version, kind, flags1, flags2, s1, s2, s3, s4, l1, l2, l3, l4] = *header;
    let length = u32::from_be_bytes([l1, l2, l3, l4]);
    if version != 0 || kind > GO_AWAY || kind == DATA && length > 16 * WINDOW {
        return Err("the other side does not speak the protocol".to_owned());
    }
    let size = if kind == DATA { length as usize } else { 0 };
    if buffer.len() < 12 + size {
        buffer.reserve(12 + size - buffer.len());
        return Ok(None);
    }
    let mut whole = buffer.split_to(12 + size);
    let data = whole.split_off(12).freeze();
    let (flags, stream) = (u16::from_be_bytes([flags1, flags2]), u32::from_be_bytes([s1, s2, s3, s4]));
    Ok(Some(Frame { kind, flags, stream, length, data }))
}

fn handle(frame: Frame, opened: &mpsc::UnboundedSender<MuxStream>, shared: &Arc<Shared>) -> Result<(), String> {
    match frame.kind {
        PING => {
            if frame.flags & SYN != 0 {
                shared.send(self::frame(PING, ACK, 0, frame.length));
            }
            return Ok(());
        }
        GO_AWAY => return if frame.length == 0 { Ok(()) } else { Err("the other side gave up".to_owned()) },
        _ => {}
    }
    let state = if frame.flags & SYN != 0 {
        let state = Arc::new(StreamState::new(frame.stream));
        lock(&shared.streams).open.insert(frame.stream, state.clone());
        shared.send(self::frame(WINDOW_UPDATE, ACK, frame.stream, 0));
        // A receiver that is gone drops the stream, which closes it.
        let _ = opened.send(MuxStream { state: state.clone(), shared: shared.clone() });
        state
    } else {
        match shared.stream(frame.stream) {
            Some(state) => state,
            // What comes late for a stream that is gone.
            None => return Ok(()),
        }
    };
    {
        let mut queue = lock(&state.queue);
        if frame.kind == WINDOW_UPDATE {
            queue.window = queue.window.saturating_add(frame.length);
        } else if !frame.data.is_empty() {
            queue.granted = queue.granted.checked_sub(frame.length).ok_or("the other side sends too much")?;
            if queue.is_abandoned {
                queue.granted += frame.length;
                shared.send(self::frame(WINDOW_UPDATE, 0, state.id, frame.length));
            } else {
                queue.pieces.push_back(frame.data);
            }
        }
        queue.has_ended |= frame.flags & FIN != 0;
        queue.was_reset |= frame.flags & RST != 0;
    }
    state.readable.notify_one();
    state.writable.notify_one();
    shared.settle(&state);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Mux, mpsc::UnboundedReceiver<MuxStream>, Mux, mpsc::UnboundedReceiver<MuxStream>) {
        let (one, other) = tokio::io::duplex(4096);
        let ((one_reads, one_writes), (other_reads, other_writes)) = (tokio::io::split(one), tokio::io::split(other));
        let handle = Handle::current();
        let (client, from_server) = Mux::start(one_reads, one_writes, Side::Client, &handle);
        let (server, from_client) = Mux::start(other_reads, other_writes, Side::Server, &handle);
        (client, from_server, server, from_client)
    }

    #[tokio::test]
    async fn more_than_a_window_travels_both_ways() {
        let (client, _keep, _server, mut from_client) = pair();
        let stream = client.open().expect("is open");
        let data = vec![7; 1_000_000];
        let echo = tokio::spawn(async move {
            let stream = from_client.recv().await.expect("was opened");
            while let Some(piece) = stream.read().await.expect("is open") {
                stream.write(&piece).await.expect("is open");
            }
        });
        let write = async {
            stream.write(&data).await.expect("is open");
            stream.finish();
        };
        let read = async {
            let mut count = 0;
            while let Some(piece) = stream.read().await.expect("is open") {
                count += piece.len();
            }
            count
        };
        let ((), count) = tokio::join!(write, read);
        assert_eq!(count, data.len());
        echo.await.expect("does not panic");
    }

    #[tokio::test]
    async fn a_stream_that_nobody_reads_does_not_hold_up_its_writer() {
        let (client, _keep, _server, mut from_client) = pair();
        let stream = client.open().expect("is open");
        drop(from_client.recv().await);
        stream.write(&vec![1; 3 * WINDOW as usize]).await.expect("goes through");
    }

    #[tokio::test]
    async fn the_end_of_the_connection_ends_everything() {
        let (client, _keep, server, _from_client) = pair();
        let stream = client.open().expect("is open");
        server.close("enough");
        assert!(stream.read().await.is_err());
        client.closed().await;
        assert!(client.open().is_err());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut garbage = bytes::BytesMut::from(&b"panic: runtime error"[..]);
        assert!(take_frame(&mut garbage).is_err());
        let mut short = bytes::BytesMut::from(&[0, 0, 0][..]);
        assert!(matches!(take_frame(&mut short), Ok(None)));
    }
}
