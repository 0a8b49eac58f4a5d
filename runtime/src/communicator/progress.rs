//! Word from long transfers, so that nobody takes them for stuck.

use std::time::Duration;

use tokio::time::Instant;

use crate::context::NodeContext;

/// How often there is word.
const EVERY: Duration = Duration::from_secs(10);

/// How far one file has come.
pub(crate) struct Progress<'p> {
    ctx: &'p NodeContext,
    name: &'p str,
    done: u64,
    total: u64,
    last: Instant,
}

impl<'p> Progress<'p> {
    /// Begins with a file of so many bytes, of which some are there already.
    pub(crate) fn new(ctx: &'p NodeContext, name: &'p str, done: u64, total: u64) -> Self {
        Self { ctx, name, done, total, last: Instant::now() }
    }

    /// Takes note of bytes that have moved.
    pub(crate) async fn advance(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.last.elapsed() >= EVERY && self.done < self.total {
            self.last = Instant::now();
            self.ctx.say(format!("{}: {} of {} MB", self.name, self.done / 1_000_000, self.total / 1_000_000)).await;
        }
    }
}
