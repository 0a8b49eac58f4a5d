//! What the world says of a graph's nodes before anything is run: contents of files, images by content.

use std::collections::HashMap;

use futures::future::join_all;
use rpk_planner::catalog::Reads;
use rpk_planner::graph::{Graph, Node, NodeId, NodeKind};
use rpk_planner::key::{Input, NodeFacts};

use super::FileDigests;
use crate::engine::LazyEngine;
use crate::registry::Registry;

/// Looks at everything that the selected nodes read. What cannot be found out stays unknown.
pub async fn gather(
    graph: &Graph,
    registry: &Registry,
    engine: &LazyEngine,
    digests: &FileDigests,
) -> HashMap<NodeId, NodeFacts> {
    let nodes: Vec<&Node> = graph.nodes().filter(|node| node.excluded.is_none()).collect();
    let sources = nodes.iter().filter(|node| {
        // What another build makes is known by the key of the node that makes it.
        node.kind == NodeKind::Boot && node.recipe.image_option.is_some() && node.chained.is_empty()
    });
    let sources = join_all(sources.map(async |node| (node.id.clone(), source(node, registry, engine).await))).await;
    let mut facts: HashMap<NodeId, NodeFacts> =
        sources.into_iter().map(|(id, contents)| (id, NodeFacts { contents })).collect();
    // A file that several nodes read is looked at once.
    let mut reads: Vec<Reads> = nodes.iter().flat_map(|node| node.reads.iter().cloned()).collect();
    reads.sort();
    reads.dedup();
    let found: HashMap<&Reads, Vec<Input>> = reads.iter().zip(digests.inputs(&reads)).collect();
    for node in nodes.iter().filter(|node| !node.reads.is_empty()) {
        let contents = &mut facts.entry(node.id.clone()).or_default().contents;
        for read in &node.reads {
            contents.extend(found.get(read).into_iter().flatten().cloned());
        }
    }
    facts
}

async fn source(node: &Node, registry: &Registry, engine: &LazyEngine) -> Vec<Input> {
    let Ok(builder) = registry.builder(&node.component, &node.settings) else { return Vec::new() };
    builder.source(engine).await.unwrap_or_default()
}
