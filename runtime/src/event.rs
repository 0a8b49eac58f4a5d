//! What happens in a run, as one typed stream.
//!
//! Everything that is shown or recorded of a run (terminal, plain log, machine-readable lines, JSON) is made from
//! these events and nothing else.

use std::time::Duration;

use rpk_planner::graph::NodeId;

use crate::artifact::Artifact;
use crate::cancel::CancelReason;
use crate::failure::Failure;

/// Where a line of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A command's standard output.
    Stdout,
    /// A command's standard error.
    Stderr,
    /// The component itself: what it is doing.
    Ui,
    /// The component itself: what went wrong.
    UiError,
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStatus {
    /// It ran and succeeded.
    Ran,
    /// Its stored result stands in for running it.
    Cached,
    /// It ran and failed.
    Failed,
    /// The plan leaves it out.
    Skipped,
    /// It was told to stop, or what it needs did not come to be.
    Cancelled,
}

impl NodeStatus {
    /// Tells whether what depends on the node can go on.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Ran | Self::Cached)
    }

    /// Returns the word that machines read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Cached => "cached",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a build or a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Everything that was planned was done.
    Succeeded,
    /// Something failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// Returns the word that machines read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A node's failure with what its commands printed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeError {
    /// The node.
    pub node: NodeId,
    /// What went wrong.
    pub failure: Failure,
    /// The last lines that the node's commands printed.
    pub last_lines: Vec<String>,
}

/// How one build ended.
#[derive(Clone, Debug)]
pub struct BuildReport {
    /// The build, as an index into the graph's builds.
    pub build: usize,
    /// How it ended.
    pub status: RunStatus,
    /// The failures of its nodes.
    pub errors: Vec<NodeError>,
    /// What it left: the builder's artifact if kept, then those of the post-processors.
    pub artifacts: Vec<Artifact>,
    /// How long it took.
    pub duration: Duration,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// How it ended.
    pub status: RunStatus,
    /// Why it was cancelled, if so.
    pub cancelled: Option<CancelReason>,
    /// The selected builds.
    pub builds: Vec<BuildReport>,
    /// How long it took.
    pub duration: Duration,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// The run's id, a UUID.
        run: String,
    },
    /// A node begins.
    NodeStarted {
        /// The node.
        node: NodeId,
    },
    /// A node prints a line, without its line break.
    NodeOutput {
        /// The node.
        node: NodeId,
        /// Where the line came from.
        stream: Stream,
        /// The line, sensitive values replaced.
        line: String,
    },
    /// A node has ended; every node of the plan does exactly once.
    NodeFinished {
        /// The node.
        node: NodeId,
        /// How it ended.
        status: NodeStatus,
        /// How long it took.
        duration: Duration,
        /// Why it failed, if so.
        error: Option<NodeError>,
    },
    /// All nodes of a build have ended and its machine is gone.
    BuildFinished {
        /// How it ended.
        report: BuildReport,
    },
    /// The run was told to stop.
    Cancelling {
        /// Why.
        reason: CancelReason,
    },
    /// The run has ended.
    RunFinished {
        /// How it ended.
        report: RunReport,
    },
}

/// Shows or records events.
pub trait Reporter: Send {
    /// Takes note of an event; called in order, from one task.
    fn report(&mut self, event: &Event);

    /// Shows what was reported so far: for the moment nothing more is to come.
    fn settle(&mut self) {}
}
