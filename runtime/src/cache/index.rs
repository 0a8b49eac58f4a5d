//! The planner's questions, answered: what is stored for a graph's nodes, and is it still there?

use std::collections::{HashMap, HashSet};

use futures::stream::{self, StreamExt as _};
use rpk_planner::catalog::Caching;
use rpk_planner::graph::{Graph, Node, NodeId, NodeKind};
use rpk_planner::key::{CacheKey, NodeFacts};
use rpk_planner::plan::{CacheIndex, LastRun, Stored, StoredState, keys};

use super::{Cache, FileDigests, LastRuns, StoredResult};
use crate::builder::Snapshot;
use crate::engine::LazyEngine;
use crate::registry::Registry;

/// How many results are looked at at a time.
const AT_A_TIME: usize = 16;

/// What is stored for the nodes of one graph, verified.
#[derive(Clone, Debug)]
pub struct StoredResults {
    results: HashMap<CacheKey, (StoredResult, Stored)>,
    last: LastRuns,
    is_empty: bool,
    secret: [u8; 32],
}

impl StoredResults {
    /// Returns the result of a key.
    #[must_use]
    pub fn result(&self, key: &CacheKey) -> Option<&StoredResult> {
        self.results.get(key).map(|(result, _)| result)
    }

    /// Finds the results whose lost files the cache has copies of, among these keys.
    pub fn restorable<'a>(
        &'a self,
        keys: impl Iterator<Item = CacheKey> + 'a,
    ) -> impl Iterator<Item = &'a StoredResult> {
        keys.filter_map(|key| self.results.get(&key))
            .filter(|(_, stored)| matches!(stored.state, StoredState::Restorable(_)))
            .map(|(result, _)| result)
    }

    /// Returns the state of a machine that is stored under a key, and still there.
    #[must_use]
    pub fn state(&self, key: &CacheKey) -> Option<&Snapshot> {
        let (result, stored) = self.results.get(key)?;
        result.snapshot.as_ref().filter(|_| stored.has_snapshot)
    }

    /// Returns the last runs of the template's nodes.
    #[must_use]
    pub fn last_runs(&self) -> &LastRuns {
        &self.last
    }
}

impl CacheIndex for StoredResults {
    fn stored(&self, key: &CacheKey) -> Option<Stored> {
        self.results.get(key).map(|(_, stored)| stored.clone())
    }

    fn last(&self, node: &NodeId) -> Option<&LastRun> {
        self.last.get(node)
    }

    fn is_empty(&self) -> bool {
        self.is_empty
    }

    fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

/// Finds what is stored for the nodes of a graph and looks whether it is still there.
pub async fn look_up(
    cache: &Cache,
    graph: &Graph,
    facts: &HashMap<NodeId, NodeFacts>,
    registry: &Registry,
    engine: &LazyEngine,
    digests: &FileDigests,
    template: &str,
) -> StoredResults {
    let stored: HashSet<CacheKey> = StoredResult::keys(cache).into_iter().collect();
    let is_empty = stored.is_empty();
    let keys = if is_empty { Vec::new() } else { keys(graph, facts, cache.secret()) };
    let wanted = graph.nodes().zip(keys).filter_map(|(node, key)| {
        let key = key.filter(|key| stored.contains(key) && node.caching == Caching::Cacheable)?;
        Some((node, key))
    });
    let boots: HashMap<usize, &Node> =
        graph.nodes().filter(|node| node.kind == NodeKind::Boot).map(|boot| (boot.build, boot)).collect();
    let found = stream::iter(wanted)
        .map(async |(node, key)| {
            let result = StoredResult::load(cache, &key)?;
            let boot = boots.get(&node.build).copied();
            let stored = verify(cache, boot, node, &result, registry, engine, digests).await;
            Some((key, (result, stored)))
        })
        .buffer_unordered(AT_A_TIME)
        .filter_map(std::future::ready)
        .collect()
        .await;
    StoredResults { results: found, last: LastRuns::load(cache, template), is_empty, secret: *cache.secret() }
}

/// Looks whether a result is still there.
async fn verify(
    cache: &Cache,
    boot: Option<&Node>,
    node: &Node,
    result: &StoredResult,
    registry: &Registry,
    engine: &LazyEngine,
    digests: &FileDigests,
) -> Stored {
    let mut state = result.files_state(cache, digests);
    if matches!(state, StoredState::Available | StoredState::Restorable(_))
        && let (Some(artifact), Some(identity)) = (&result.artifact, &result.identity)
    {
        let now = match node.kind {
            NodeKind::PostProcess { .. } => match registry.post_processor(&node.component, &node.settings) {
                Ok(maker) => maker.identity(engine, artifact).await,
                Err(failure) => Err(failure),
            },
            _ => match registry.builder(&node.component, &node.settings) {
                Ok(maker) => maker.identity(engine, artifact).await,
                Err(failure) => Err(failure),
            },
        };
        match now {
            Ok(Some(now)) if now == *identity => {}
            Ok(Some(_)) => state = StoredState::Damaged(format!("{} is another than it was", artifact.id)),
            Ok(None) => state = StoredState::Damaged(format!("{} was removed", artifact.id)),
            Err(failure) => state = StoredState::Damaged(format!("nobody can say whether it is there: {failure}")),
        }
    }
    let has_snapshot = match &result.snapshot {
        None => false,
        Some(snapshot) => match boot.map(|boot| registry.builder(&boot.component, &boot.settings)) {
            Some(Ok(builder)) => builder.has_snapshot(engine, snapshot).await.unwrap_or(false),
            _ => false,
        },
    };
    Stored { state, has_snapshot, took: result.took }
}
