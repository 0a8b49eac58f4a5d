//! What the planner asks a store of results.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::graph::NodeId;
use crate::key::{CacheKey, Input};

/// In which state a stored result is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredState {
    /// All of it is there.
    Available,
    /// A post-processor has taken the artifact on purpose (`keep_input_artifact` is false); it is made again only if
    /// one that reads it runs.
    Consumed,
    /// Some of its files were changed or deleted, and the store has copies of these; the words say which, as in
    /// "out.tar was deleted".
    Restorable(String),
    /// Something of it was changed or deleted; the words say what, as in "out.tar was deleted".
    Damaged(String),
}

/// A stored result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// In which state it is.
    pub state: StoredState,
    /// Whether the machine as the node left it is stored too, so that its lane can go on from there.
    pub has_snapshot: bool,
    /// How long the node ran.
    pub took: Duration,
}

/// The last successful run of a node, whatever its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its key then; none for a node that is never reused.
    pub key: Option<CacheKey>,
    /// Its inputs then, as [`Plan::inputs`](super::Plan::inputs) gave them.
    pub inputs: Vec<Input>,
    /// How long it ran.
    pub took: Duration,
}

/// Answers for a store of results. Everything is loaded before planning: an answer costs no more than a look-up.
pub trait CacheIndex {
    /// Returns what is stored under a key.
    fn stored(&self, key: &CacheKey) -> Option<Stored>;

    /// Returns the last successful run of a node of this template.
    fn last(&self, node: &NodeId) -> Option<&LastRun>;

    /// Tells whether nothing is stored at all.
    fn is_empty(&self) -> bool;

    /// Returns the store's secret, which keys the digests of sensitive values.
    fn secret(&self) -> &[u8; 32];
}

/// A store that holds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyIndex;

impl CacheIndex for EmptyIndex {
    fn stored(&self, _: &CacheKey) -> Option<Stored> {
        None
    }

    fn last(&self, _: &NodeId) -> Option<&LastRun> {
        None
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn secret(&self) -> &[u8; 32] {
        &[0; 32]
    }
}
