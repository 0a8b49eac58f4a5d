//! One run's view of the cache: what it reuses and what it keeps.
//!
//! A result is kept under the key that the node turns out to have, which may be another than was planned: the image
//! that a build starts from may have been pulled meanwhile. What reads a file that changed while it ran is not kept
//! at all, since nobody can say which of the two contents it saw.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rpk_planner::graph::{Node, NodeId};
use rpk_planner::key::{CacheKey, Input};
use rpk_planner::plan::{Action, LastRun, Plan};

use super::{Cache, FileDigests, LastRuns, StoredResult, StoredResults};
use crate::artifact::Artifact;
use crate::budget::SnapshotPolicy;
use crate::builder::Snapshot;
use crate::cache::result::Made;

/// What a run reuses and keeps.
pub struct Ledger {
    /// None for a run that keeps nothing.
    cache: Option<Cache>,
    digests: Arc<FileDigests>,
    stored: Option<StoredResults>,
    /// When machines' states are kept.
    pub snapshots: SnapshotPolicy,
    plan: Mutex<Plan>,
    /// Builds of which nothing is kept any more.
    distrusted: Mutex<HashSet<usize>>,
    news: Mutex<LastRuns>,
    has_complained: AtomicBool,
}

impl Ledger {
    /// Opens the ledger of a run.
    #[must_use]
    pub fn new(
        cache: Cache,
        digests: Arc<FileDigests>,
        stored: StoredResults,
        plan: &Plan,
        snapshots: SnapshotPolicy,
    ) -> Self {
        let news = stored.last_runs().news();
        Self {
            cache: Some(cache),
            digests,
            stored: Some(stored),
            snapshots,
            plan: Mutex::new(plan.clone()),
            distrusted: Mutex::default(),
            news: Mutex::new(news),
            has_complained: AtomicBool::new(false),
        }
    }

    /// Opens the ledger of a run that reuses and keeps nothing.
    #[must_use]
    pub fn none(plan: &Plan) -> Self {
        Self {
            cache: None,
            digests: Arc::default(),
            stored: None,
            snapshots: SnapshotPolicy::Never,
            plan: Mutex::new(plan.clone()),
            distrusted: Mutex::default(),
            news: Mutex::default(),
            has_complained: AtomicBool::new(false),
        }
    }

    /// Returns the stored artifact of a node that is reused.
    #[must_use]
    pub fn artifact(&self, key: Option<CacheKey>) -> Option<Artifact> {
        let result = self.stored.as_ref()?.result(&key?)?;
        // What another node has taken away is not there to be given, or to be taken away once more.
        result.artifact.clone().filter(|_| !result.is_consumed)
    }

    /// Returns the stored state of a machine as a node left it.
    #[must_use]
    pub fn snapshot(&self, key: Option<CacheKey>) -> Option<Snapshot> {
        self.stored.as_ref()?.result(&key?)?.snapshot.clone()
    }

    /// Takes note of what a boot has found to start from.
    pub fn learn(&self, node: &NodeId, inputs: Vec<Input>) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        for input in inputs {
            plan.learn(node, input);
        }
    }

    /// Returns the key under which a node's result is kept; none if it is not.
    #[must_use]
    pub fn key(&self, node: &NodeId) -> Option<CacheKey> {
        self.cache.as_ref()?;
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let step = plan.step(node)?;
        if self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).contains(&step.node.build) {
            return None;
        }
        plan.key_at(step.place).filter(|_| step.decision.is_reusable)
    }

    /// Keeps nothing more of a node's build: something went wrong that the build goes on in spite of.
    pub fn distrust(&self, node: &NodeId) {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = plan.step(node) {
            self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).insert(step.node.build);
        }
    }

    /// Returns the name under which a machine's state is kept.
    #[must_use]
    pub fn state_name(&self, key: &CacheKey) -> String {
        self.cache.as_ref().map_or_else(String::new, |cache| cache.state_name(key))
    }

    /// Keeps what a node has made and takes note of its run. Reads files, so it must not be called where others wait.
    ///
    /// Returns a remark if the result could not be kept.
    pub fn keep(&self, node: &Node, made: Made) -> Option<String> {
        let cache = self.cache.as_ref()?;
        let key = self.key(&node.id);
        let (inputs, template) = {
            let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
            // What is never reused needs no reasons, and there may be thousands of such nodes.
            (key.map_or_else(Vec::new, |_| plan.inputs(&node.id)), plan.template.clone())
        };
        if key.is_some()
            && let Some(changed) = self.changed(node, &inputs)
        {
            return Some(format!("{changed} changed while {} ran: its result is not kept", node.id));
        }
        let last = LastRun { key, inputs, took: made.took };
        self.news.lock().unwrap_or_else(PoisonError::into_inner).set(node.id.clone(), last);
        let key = key?;
        if made.artifact.is_none() && made.snapshot.is_none() {
            return None;
        }
        let title = self.plan.lock().unwrap_or_else(PoisonError::into_inner).graph.redactor.redact(&node.title);
        let stored = StoredResult::new(node.id.as_str(), &template, &title, made, &self.digests)
            // Stored before its copies, so that nobody who tidies up takes these for forgotten.
            .and_then(|result| result.store(cache, &key).and_then(|()| result.keep_copies(cache, self.snapshots)));
        self.complain(&stored.err()?)
    }

    /// Finds a file that is no longer what was planned with.
    fn changed(&self, node: &Node, planned: &[Input]) -> Option<String> {
        let now = self.digests.inputs(&node.reads);
        let changed = now
            .into_iter()
            .flatten()
            .find(|input| !planned.iter().any(|known| known.path == input.path && known.value == input.value));
        changed.map(|input| input.path.trim_start_matches("file:").to_owned())
    }

    /// Puts back the files of reused nodes that were changed or deleted and of which there are copies. Copies files,
    /// so it must not be called where others wait.
    ///
    /// # Errors
    ///
    /// Fails if a copy turns out to be damaged, or if a file cannot be written.
    pub fn put_back(&self) -> io::Result<()> {
        let (Some(cache), Some(stored)) = (&self.cache, &self.stored) else { return Ok(()) };
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = plan.steps().filter(|step| step.action == Action::Reuse).filter_map(|step| step.decision.key);
        stored.restorable(reused).try_for_each(|result| result.put_back(cache, &self.digests))
    }

    /// Takes note that a node's artifact was taken away on purpose.
    pub fn consumed(&self, node: &NodeId) {
        let Some((cache, key)) = self.cache.as_ref().zip(self.key(node)) else { return };
        if let Some(mut result) = StoredResult::load(cache, &key) {
            result.is_consumed = true;
            // At worst the artifact counts as deleted.
            let _ = result.store(cache, &key);
        }
    }

    /// Adds to a stored result the machine's state that came of a later node.
    pub fn add_snapshot(&self, node: &Node, snapshot: Snapshot) {
        let Some((cache, key)) =
            self.cache.as_ref().zip(self.key(&node.id)).filter(|_| self.snapshots != SnapshotPolicy::Never)
        else {
            return;
        };
        if StoredResult::load(cache, &key).is_some_and(|known| known.snapshot.is_some()) {
            return;
        }
        let took = self.news.lock().unwrap_or_else(PoisonError::into_inner).get(&node.id).map(|last| last.took);
        let Some(took) = took.or_else(|| Some(self.stored.as_ref()?.last_runs().get(&node.id)?.took)) else { return };
        let template = self.plan.lock().unwrap_or_else(PoisonError::into_inner).template.clone();
        let made = Made { snapshot: Some(snapshot), took, ..Made::default() };
        let stored = StoredResult::new(node.id.as_str(), &template, &node.title, made, &self.digests)
            .and_then(|result| result.store(cache, &key));
        // It was to be had for nothing, so its loss costs nothing.
        let _ = stored;
    }

    /// Says once that results cannot be kept: a full disk must not fail a build.
    fn complain(&self, error: &io::Error) -> Option<String> {
        let is_first = !self.has_complained.swap(true, Ordering::Relaxed);
        let root = self.cache.as_ref()?.root();
        is_first.then(|| format!("results are not kept: cannot write to the cache folder {}: {error}", root.display()))
    }

    /// Stores the last runs of the template's nodes. Nodes that were reused with other inputs than those of their
    /// last run count as run with today's.
    pub fn store(&self) -> Option<String> {
        let cache = self.cache.as_ref()?;
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.stored.as_ref()?;
        for step in plan.steps().filter(|step| step.action == Action::Reuse) {
            if let Some(key) = step.decision.key.filter(|key| stored.result(key).is_some()) {
                // At worst it is pruned too early.
                let _ = StoredResult::touch(cache, &key, SystemTime::now());
            }
            let last = stored.last_runs().get(&step.node.id);
            if last.is_none_or(|last| last.key != step.decision.key) {
                let took = step.decision.took.unwrap_or_default();
                let inputs = plan.inputs(&step.node.id);
                news.set(step.node.id.clone(), LastRun { key: step.decision.key, inputs, took });
            }
        }
        self.digests.store(cache);
        if news.is_empty() {
            return None;
        }
        self.complain(&news.store(cache).err()?)
    }
}
