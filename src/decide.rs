//! Deciding on a graph, for `plan` and `apply` alike: look at the world, look at what is stored, decide.

use std::sync::Arc;

use rpk_planner::graph::Graph;
use rpk_planner::plan::{Options, Plan, plan};
use rpk_runtime::cache::{Cache, FileDigests, StoredResults, gather, look_up};
use rpk_runtime::engine::{EngineChoice, LazyEngine};
use rpk_runtime::failure::Outcome;
use rpk_runtime::registry::Registry;

/// What decisions are made with.
pub struct Grounds {
    /// What is stored.
    pub cache: Cache,
    /// Digests of files.
    pub digests: Arc<FileDigests>,
    /// The container engine.
    pub engine: LazyEngine,
    /// The components.
    pub registry: Arc<Registry>,
}

impl Grounds {
    /// Opens the cache; nothing is written.
    pub fn new(registry: Arc<Registry>, is_offline: bool, engine: Option<EngineChoice>) -> Outcome<Self> {
        let cache = Cache::find()?;
        let digests = Arc::new(FileDigests::load(&cache));
        let engine = engine_of(&cache, engine)?;
        let engine = if is_offline { engine.offline() } else { engine };
        Ok(Self { cache, digests, engine, registry })
    }

    /// Decides what is done with a graph's nodes.
    pub async fn decide(&self, graph: Graph, options: Options) -> (Plan, StoredResults) {
        let needs_engine = graph.nodes().any(|node| node.uses_engine && node.excluded.is_none());
        let engine = if needs_engine { Some(self.engine.describe().await) } else { None };
        let options = Options { engine, ..options };
        let facts = gather(&graph, &self.registry, &self.engine, &self.digests).await;
        let template = &options.template;
        let stored = look_up(&self.cache, &graph, &facts, &self.registry, &self.engine, &self.digests, template).await;
        (plan(graph, &facts, &stored, options), stored)
    }
}

/// Returns the engine that the command line or else the environment says.
pub fn engine_of(cache: &Cache, choice: Option<EngineChoice>) -> Outcome<LazyEngine> {
    let choice = choice.map_or_else(EngineChoice::of_environment, Ok)?;
    Ok(LazyEngine::new(choice, cache.root()))
}

/// Runs rpk anew as root of a user namespace, if the graph's nodes take the embedded engine and this user is not root;
/// returns how that ended.
#[cfg(target_os = "linux")]
pub fn run_inside(graph: &Graph, engine: Option<EngineChoice>) -> Outcome<Option<i32>> {
    use rpk_runtime::embedded::rootless;
    let needs_engine = graph.nodes().any(|node| node.uses_engine && node.excluded.is_none());
    if !needs_engine || !rootless::is_needed() {
        return Ok(None);
    }
    let engine = engine_of(&Cache::find()?, engine)?;
    threads()?.block_on(async {
        if !engine.is_embedded().await? {
            return Ok(None);
        }
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        rootless::run_inside(&arguments).await.map(Some)
    })
}

/// There is no embedded engine on this system.
#[cfg(not(target_os = "linux"))]
pub fn run_inside(_: &Graph, _: Option<EngineChoice>) -> Outcome<Option<i32>> {
    Ok(None)
}

/// Starts the threads that everything asynchronous runs on.
pub fn threads() -> Outcome<tokio::runtime::Runtime> {
    // Nodes wait most of the time: one thread serves them all without waking another for each step; what computes for
    // long or blocks has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| rpk_runtime::failure::Failure::new(format!("cannot start threads: {error}")))
}
