//! Why and how a run is told to stop.
//!
//! The first signal asks every running node to end and clean up. Further signals change nothing: cleaning up always
//! goes on, since a container that is left behind costs more than a few seconds.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

/// What ended a run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Ctrl-C, or SIGINT from elsewhere.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl CancelReason {
    /// Returns the word for the closing report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Terminate => "terminated",
            Self::HangUp => "hangup",
        }
    }
}

/// The one switch by which a run is cancelled.
#[derive(Debug, Default)]
pub struct Cancellation {
    token: CancellationToken,
    reason: OnceLock<CancelReason>,
}

impl Cancellation {
    /// Cancels the run; only the first reason counts.
    pub fn cancel(&self, reason: CancelReason) {
        // Losing the race means that a reason stands already.
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Returns the reason, once there is one.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied()
    }

    /// Returns the token that running nodes wait on.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}
