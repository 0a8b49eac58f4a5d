//! A connection that can be ended from outside, and that notices when nothing moves any more.
//!
//! The protocol's own task reads until its peer says something; one that never does would be read from for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A stream under watch.
pub(super) struct Watched<S> {
    stream: S,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    reading: Limit,
    writing: Limit,
}

impl<S> Watched<S> {
    /// Watches a stream: it ends when `stop` is cancelled, or when one read or write takes longer than `silence`.
    pub(super) fn new(stream: S, stop: CancellationToken, silence: Option<Duration>) -> Self {
        let limit = || Limit { silence, timer: None };
        Self { stream, stop: Box::pin(stop.cancelled_owned()), reading: limit(), writing: limit() }
    }

    fn poll_stop(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.stop.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was given up")),
            Poll::Pending => Ok(()),
        }
    }
}

/// The time that one operation may take.
struct Limit {
    silence: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    /// Passes on what an operation came to, unless it has been pending for too long.
    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(silence) = self.silence else { return polled };
        if polled.is_ready() {
            self.timer = None;
            return polled;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + silence)));
        match timer.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let text = format!("nothing has moved for {} s", silence.as_secs_f64());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_stop(context)?;
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.reading.watch(polled, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_stop(context)?;
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.watch(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.writing.watch(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up_and_a_slow_one_is_not() {
        let (near, far) = tokio::io::duplex(64);
        let mut watched = Watched::new(near, CancellationToken::new(), Some(Duration::from_secs(2)));
        let slow = tokio::spawn(async move {
            let mut far = far;
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                tokio::io::AsyncWriteExt::write_all(&mut far, b"x").await.expect("is open");
            }
            std::future::pending::<()>().await;
        });
        let mut text = Vec::new();
        let error = watched.read_to_end(&mut text).await.expect_err("it falls silent");
        assert_eq!((text.as_slice(), error.kind()), (&b"xxx"[..], io::ErrorKind::TimedOut));
        slow.abort();
    }

    #[tokio::test]
    async fn it_ends_when_it_is_told_to() {
        let (near, _far) = tokio::io::duplex(64);
        let stop = CancellationToken::new();
        let mut watched = Watched::new(near, stop.clone(), None);
        let end = async {
            tokio::task::yield_now().await;
            stop.cancel();
        };
        let (read, ()) = tokio::join!(watched.read_u8(), end);
        assert_eq!(read.expect_err("is ended").kind(), io::ErrorKind::ConnectionAborted);
    }
}
