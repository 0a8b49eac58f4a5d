//! Why a node failed, as its component tells it.

use std::fmt;

/// What kind of end a node came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Something went wrong.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

/// A component's failure: what it was doing, what came of it, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of end.
    pub kind: FailureKind,
    /// What happened, outermost first: an action, then its causes.
    pub chain: Vec<String>,
    /// The exit status of the command that failed, if one did.
    pub exit_status: Option<i64>,
    /// What to do, as an imperative.
    pub help: Option<String>,
    /// Whether the same may succeed later, since the machine was out of reach.
    pub may_pass: bool,
}

impl Failure {
    /// Makes a failure of one line.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Failed, chain: vec![message.into()], exit_status: None, help: None, may_pass: false }
    }

    /// Makes the end of a node that was told to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self { kind: FailureKind::Cancelled, ..Self::new("cancelled") }
    }

    /// Puts what was being done before what went wrong.
    #[must_use]
    pub fn context(mut self, action: impl Into<String>) -> Self {
        if self.kind == FailureKind::Failed {
            self.chain.insert(0, action.into());
        }
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says that the same may succeed later, since the machine was out of reach.
    #[must_use]
    pub fn may_pass(mut self) -> Self {
        self.may_pass = true;
        self
    }

    /// Names the exit status.
    #[must_use]
    pub fn exit_status(mut self, status: i64) -> Self {
        self.exit_status = Some(status);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain.join(": "))
    }
}

impl std::error::Error for Failure {}

/// What components return.
pub type Outcome<T> = Result<T, Failure>;
