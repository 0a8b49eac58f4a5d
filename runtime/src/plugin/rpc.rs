//! Calls over streams: the broker, which numbers streams, and Go's `net/rpc` on top of it.
//!
//! The side that offers an object allocates a number, sends it in a call and accepts; the other side dials it. See
//! [`Broker::expect`] and [`Broker::dial`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::msgpack::{Malformed, Value};
use super::mux::{Lost, Mux, MuxStream};

/// How long a dialled number is kept for somebody to accept it, and how long a dial waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// More than this in one message is not waited for.
const MAX_MESSAGE: usize = 256 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands out numbers for streams, and streams for numbers.
pub struct Broker {
    mux: Mux,
    next: AtomicU32,
    slots: Mutex<HashMap<u32, Slot>>,
    handle: Handle,
}

enum Slot {
    Expected(oneshot::Sender<MuxStream>),
    Arrived(MuxStream),
}

/// A number that was given away, to be dialled by the other side.
pub struct Expected {
    /// The number.
    pub id: u32,
    broker: Arc<Broker>,
    arrives: Option<oneshot::Receiver<MuxStream>>,
}

impl Broker {
    /// Starts to take streams from a connection.
    #[must_use]
    pub fn start(mux: Mux, mut incoming: mpsc::UnboundedReceiver<MuxStream>, handle: &Handle) -> Arc<Self> {
        let broker =
            Arc::new(Self { mux, next: AtomicU32::new(1), slots: Mutex::new(HashMap::new()), handle: handle.clone() });
        let weak = Arc::downgrade(&broker);
        handle.spawn(async move {
            while let Some(stream) = incoming.recv().await {
                let Some(broker) = weak.upgrade() else { return };
                // A stream that says nothing must not hold up the others.
                broker.handle.clone().spawn(async move { broker.arrived(stream).await });
            }
        });
        broker
    }

    /// Returns the connection.
    #[must_use]
    pub fn mux(&self) -> &Mux {
        &self.mux
    }

    /// Returns where tasks of this connection run.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    async fn arrived(&self, stream: MuxStream) {
        let Ok(Ok(id)) = tokio::time::timeout(PATIENCE, read_id(&stream)).await else { return };
        {
            let mut slots = lock(&self.slots);
            match slots.remove(&id) {
                Some(Slot::Expected(waiting)) => {
                    let _ = waiting.send(stream);
                    return;
                }
                Some(Slot::Arrived(_)) | None => slots.insert(id, Slot::Arrived(stream)),
            };
        }
        tokio::time::sleep(PATIENCE).await;
        let mut slots = lock(&self.slots);
        if matches!(slots.get(&id), Some(Slot::Arrived(_))) {
            slots.remove(&id);
        }
    }

    /// Allocates a number that the other side will dial.
    #[must_use]
    pub fn expect(self: &Arc<Self>) -> Expected {
        self.expect_as(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for a number that both sides know.
    #[must_use]
    pub fn expect_as(self: &Arc<Self>, id: u32) -> Expected {
        let (sender, receiver) = oneshot::channel();
        let mut slots = lock(&self.slots);
        match slots.remove(&id) {
            Some(Slot::Arrived(stream)) => {
                let _ = sender.send(stream);
            }
            _ => {
                slots.insert(id, Slot::Expected(sender));
            }
        }
        Expected { id, broker: self.clone(), arrives: Some(receiver) }
    }

    /// Reaches what the other side offers under a number.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer or the connection is gone.
    pub async fn dial(&self, id: u32) -> Result<MuxStream, Lost> {
        let stream = self.mux.open()?;
        stream.write(&id.to_le_bytes()).await?;
        match tokio::time::timeout(PATIENCE, read_id(&stream)).await {
            Ok(Ok(echo)) if echo == id => Ok(stream),
            Ok(Ok(_)) => Err(Lost("the other side answered for another stream".to_owned())),
            Ok(Err(lost)) => Err(lost),
            Err(_) => Err(Lost("the other side did not answer on a stream".to_owned())),
        }
    }
}

impl Expected {
    /// Waits for the dial and answers it.
    ///
    /// # Errors
    ///
    /// Fails if the connection is gone.
    pub async fn accept(mut self) -> Result<MuxStream, Lost> {
        let arrives = self.arrives.take().ok_or_else(|| Lost("nothing is expected".to_owned()))?;
        let stream = tokio::select! {
            stream = arrives => stream.map_err(|_| Lost("the stream is gone".to_owned()))?,
            () = self.broker.mux.closed() => return Err(Lost("the connection is closed".to_owned())),
        };
        stream.write(&self.id.to_le_bytes()).await?;
        Ok(stream)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut slots = lock(&self.broker.slots);
        if matches!(slots.get(&self.id), Some(Slot::Expected(_))) {
            slots.remove(&self.id);
        }
    }
}

async fn read_id(stream: &MuxStream) -> Result<u32, Lost> {
    let mut id: Vec<u8> = Vec::new();
    while id.len() < 4 {
        let piece = stream.read().await?.ok_or_else(|| Lost("a stream ended before it began".to_owned()))?;
        let wanted = piece.len().min(4 - id.len());
        id.extend(&piece[..wanted]);
        stream.unread(piece.slice(wanted..));
    }
    Ok(id.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// Reads values from a stream, however they were cut up. To stop waiting loses nothing.
struct Values<'a> {
    stream: &'a MuxStream,
    buffer: BytesMut,
    /// A header whose body has yet to come.
    header: Option<Value>,
}

impl<'a> Values<'a> {
    fn of(stream: &'a MuxStream) -> Self {
        Self { stream, buffer: BytesMut::new(), header: None }
    }

    /// Returns the next header with its body; none at a clean end of the stream.
    async fn next_message(&mut self) -> Result<Option<(Value, Value)>, Lost> {
        if self.header.is_none() {
            self.header = self.next().await?;
            if self.header.is_none() {
                return Ok(None);
            }
        }
        let body = self.next().await?.ok_or_else(|| Lost("a message was cut off".to_owned()))?;
        Ok(self.header.take().map(|header| (header, body)))
    }

    async fn next(&mut self) -> Result<Option<Value>, Lost> {
        loop {
            if !self.buffer.is_empty() {
                match Value::read(&self.buffer) {
                    Ok((value, length)) => {
                        let _ = self.buffer.split_to(length);
                        return Ok(Some(value));
                    }
                    Err(Malformed::Incomplete) if self.buffer.len() < MAX_MESSAGE => {}
                    Err(_) => return Err(Lost("the other side sent something unreadable".to_owned())),
                }
            }
            match self.stream.read().await? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Lost("a message was cut off".to_owned())),
            }
        }
    }
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The other side says no.
    #[error("{0}")]
    Refused(String),
    /// The other side is gone.
    #[error("{0}")]
    Lost(#[from] Lost),
}

type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Result<Value, CallError>>>>>>;

/// Calls what is served at the other end of a stream.
pub struct Client {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    pending: Pending,
    sequence: AtomicU64,
}

impl Client {
    /// Takes a stream over. When the client is dropped, the other side sees the end of the stream.
    #[must_use]
    pub fn new(stream: MuxStream, handle: &Handle) -> Self {
        let (requests, mut outgoing) = mpsc::unbounded_channel::<Vec<u8>>();
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let answers = pending.clone();
        handle.spawn(async move {
            let write = async {
                // A request must go out as a whole, whatever becomes of its caller.
                while let Some(request) = outgoing.recv().await {
                    stream.write(&request).await?;
                }
                stream.finish();
                Ok::<(), Lost>(())
            };
            let read = read_answers(&stream, &answers);
            // Without a writer, nobody waits for an answer either.
            let lost = tokio::select! {
                written = write => written.err(),
                read = read => read.err(),
            };
            let lost = lost.unwrap_or_else(|| Lost("the stream was closed".to_owned()));
            for (_, waiting) in lock(&answers).take().into_iter().flatten() {
                let _ = waiting.send(Err(lost.clone().into()));
            }
        });
        Self { requests, pending, sequence: AtomicU64::new(0) }
    }

    /// Calls a method, such as `Builder.Run`.
    ///
    /// # Errors
    ///
    /// Fails if the other side says no, or is gone.
    pub async fn call(&self, method: &str, body: &Value) -> Result<Value, CallError> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        match lock(&self.pending).as_mut() {
            Some(pending) => pending.insert(sequence, answer),
            None => return Err(Lost("the stream was closed".to_owned()).into()),
        };
        let mut request = Vec::new();
        Value::map([("ServiceMethod", Value::str(method)), ("Seq", Value::Uint(sequence))]).write(&mut request);
        body.write(&mut request);
        let closed = || CallError::from(Lost("the stream was closed".to_owned()));
        self.requests.send(request).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

async fn read_answers(stream: &MuxStream, pending: &Pending) -> Result<(), Lost> {
    let mut values = Values::of(stream);
    while let Some((header, body)) = values.next_message().await? {
        let sequence = header.get("Seq").and_then(Value::as_u32).map(u64::from);
        let error = header.get("Error").and_then(Value::as_str).unwrap_or_default();
        let answer = if error.is_empty() { Ok(body) } else { Err(CallError::Refused(error.to_owned())) };
        let waiting = sequence.and_then(|sequence| lock(pending).as_mut()?.remove(&sequence));
        if let Some(waiting) = waiting {
            // Whoever has asked may have gone.
            let _ = waiting.send(answer);
        }
    }
    Ok(())
}

/// Answers calls.
pub trait Service: Send + Sync {
    /// Answers one; the method comes with its service, as in `Ui.Say`.
    fn call<'a>(&'a self, method: &'a str, body: Value) -> BoxFuture<'a, Result<Value, String>>;
}

/// Answers calls on a stream until it ends. Several are answered at the same time.
///
/// # Errors
///
/// Fails if the connection breaks.
pub async fn serve(stream: &MuxStream, service: &dyn Service) -> Result<(), Lost> {
    let mut values = Values::of(stream);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            message = values.next_message() => {
                let Some((header, body)) = message? else { break };
                let method = header.get("ServiceMethod").and_then(Value::as_str).unwrap_or_default().to_owned();
                let sequence = header.get("Seq").cloned().unwrap_or(Value::Uint(0));
                running.push(async move {
                    let answer = service.call(&method, body).await;
                    (method, sequence, answer)
                });
            }
            Some((method, sequence, answer)) = running.next() => {
                let (error, body) = match answer {
                    Ok(body) => (String::new(), body),
                    // An empty text would be success.
                    Err(error) if error.is_empty() => ("failed".to_owned(), Value::Map(Vec::new())),
                    Err(error) => (error, Value::Map(Vec::new())),
                };
                let mut answer = Vec::new();
                let header = [
                    ("ServiceMethod", Value::Str(method)),
                    ("Seq", sequence),
                    ("Error", Value::Str(error)),
                ];
                Value::map(header).write(&mut answer);
                body.write(&mut answer);
                stream.write(&answer).await?;
            }
        }
    }
    stream.finish();
    Ok(())
}

/// What one says to a call of something that does not exist, as Go words it.
#[must_use]
pub fn unknown(method: &str) -> String {
    format!("rpc: can't find method {method}")
}

/// Copies a stream into a channel until its end.
pub async fn forward(stream: &MuxStream, to: &mpsc::Sender<Bytes>) {
    while let Ok(Some(piece)) = stream.read().await {
        if to.send(piece).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::super::mux::Side;
    use super::*;

    struct Echo;

    impl Service for Echo {
        fn call<'a>(&'a self, method: &'a str, body: Value) -> BoxFuture<'a, Result<Value, String>> {
            async move {
                match method {
                    "Echo.Say" => Ok(body),
                    "Echo.Wait" => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        Ok(body)
                    }
                    _ => Err(unknown(method)),
                }
            }
            .boxed()
        }
    }

    fn brokers() -> (Arc<Broker>, Arc<Broker>) {
        let (one, other) = tokio::io::duplex(4096);
        let handle = Handle::current();
        let start = |socket: tokio::io::DuplexStream, side| {
            let (reader, writer) = tokio::io::split(socket);
            let (mux, incoming) = Mux::start(reader, writer, side, &handle);
            Broker::start(mux, incoming, &handle)
        };
        (start(one, Side::Client), start(other, Side::Server))
    }

    #[tokio::test]
    async fn calls_run_beside_each_other_and_errors_are_told() {
        let (one, other) = brokers();
        let expected = other.expect();
        let id = expected.id;
        tokio::spawn(async move {
            let stream = expected.accept().await.expect("is dialled");
            serve(&stream, &Echo).await
        });
        let client = Client::new(one.dial(id).await.expect("is served"), one.handle());
        let long = Value::str("x".repeat(500_000));
        let short = Value::str("slow");
        let (slow, quick, bad) = tokio::join!(
            client.call("Echo.Wait", &short),
            client.call("Echo.Say", &long),
            client.call("Echo.None", &Value::Nil),
        );
        assert_eq!(slow, Ok(short.clone()));
        assert_eq!(quick, Ok(long));
        assert_eq!(bad, Err(CallError::Refused("rpc: can't find method Echo.None".to_owned())));
    }

    #[tokio::test]
    async fn calls_end_with_the_connection() {
        let (one, other) = brokers();
        let expected = other.expect();
        let id = expected.id;
        let accepted = tokio::spawn(async move { expected.accept().await });
        let client = Client::new(one.dial(id).await.expect("is served"), one.handle());
        let call = client.call("Echo.Say", &Value::Nil);
        other.mux().close("crashed");
        assert!(matches!(call.await, Err(CallError::Lost(_))));
        drop(accepted);
    }
}
