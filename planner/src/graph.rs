//! The lowered template: nodes that do one thing each, edges that say what travels between them.
//!
//! Node ids, their order and what the edges mean are public: plans print them, command lines name them. `petgraph`
//! holds the graph and stays inside this file.

mod data;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use crate::catalog::{Caching, Load, Moment, Reads, Recipe, Settings};
use crate::late::{BuildNames, Deferred, LateRenderer};
use crate::span::Span;
use crate::value::redactor::Redactor;
pub use crate::value::usage::Origin;
pub use data::DataSource;

/// Names a node: a path such as `docker/provision/2`, the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct NodeId(Arc<str>);

impl From<String> for NodeId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl NodeId {
    /// Makes the id of a build's node.
    #[must_use]
    pub fn new(build: &str, kind: &NodeKind) -> Self {
        // Written without `format!`, as large plans have very many.
        let mut id = String::with_capacity(build.len() + 24);
        id.push_str(build);
        id.push('/');
        id.push_str(match kind {
            NodeKind::Boot => "boot",
            NodeKind::Provision { .. } => "provision/",
            NodeKind::ErrorCleanup => "error-cleanup",
            NodeKind::Capture => "capture",
            NodeKind::PostProcess { .. } => "post-process/",
        });
        match kind {
            NodeKind::Boot | NodeKind::ErrorCleanup | NodeKind::Capture => {}
            NodeKind::Provision { index } => push_number(&mut id, *index),
            NodeKind::PostProcess { sequence, step } => {
                push_number(&mut id, *sequence);
                id.push('.');
                push_number(&mut id, *step);
            }
        }
        Self(id.into())
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn push_number(text: &mut String, number: usize) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b"0123456789"[number % 10]));
}

/// What a node does in its build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The builder starts its machine.
    Boot,
    /// A provisioner changes the machine.
    Provision {
        /// Its place among the template's provisioners, from 0.
        index: usize,
    },
    /// A provisioner that runs only when provisioning failed.
    ErrorCleanup,
    /// The builder captures the machine as an artifact.
    Capture,
    /// A post-processor takes an artifact and gives one.
    PostProcess {
        /// Its sequence's place among the template's sequences, from 0.
        sequence: usize,
        /// Its place within the sequence, from 0.
        step: usize,
    },
}

impl NodeKind {
    /// Returns which node of its component it is.
    #[must_use]
    pub fn moment(&self) -> Moment {
        match self {
            Self::Boot => Moment::Boot,
            Self::Capture => Moment::Capture,
            Self::Provision { .. } | Self::ErrorCleanup | Self::PostProcess { .. } => Moment::Run,
        }
    }

    /// Returns the word that machines read.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Boot | Self::Capture => "build",
            Self::Provision { .. } => "provision",
            Self::ErrorCleanup => "error-cleanup",
            Self::PostProcess { .. } => "post-process",
        }
    }
}

/// What travels along an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A running machine, to exactly one reader at a time.
    Machine,
    /// An immutable result, to any number of readers.
    Artifact,
    /// Nothing: the target starts after the source has ended, however it ended.
    Order,
}

/// Why a node does not take part in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Its build was not chosen on the command line.
    Build,
    /// The template's own `only` or `except` leaves it out.
    Filter,
    /// `-except` on the command line names it, or one before it in its sequence.
    Except,
}

/// How a provisioner is run, beside what it does. None of it changes the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// How long to wait before each attempt.
    pub pause_before: Option<Duration>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How many attempts may follow a failed one.
    pub max_retries: u32,
    /// Whether a failure, once no attempt is left, is a warning only.
    pub continue_on_error: bool,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it does.
    pub kind: NodeKind,
    /// The build that it belongs to, as an index into [`Graph::builds`].
    pub build: usize,
    /// The component that does it, such as `shell`.
    pub component: Arc<str>,
    /// What it does, in a line for people.
    pub title: Arc<str>,
    /// The component's options, checked. Boot and capture share their builder's.
    pub settings: Arc<Settings>,
    /// What of the options has to be worked out again when the node starts, if anything.
    pub deferred: Option<Arc<Deferred>>,
    /// How to run it.
    pub conduct: Conduct,
    /// For a post-processor: whether the artifact that goes in is kept.
    pub keeps_input: bool,
    /// Whether it needs a container engine.
    pub uses_engine: bool,
    /// What it keeps busy while it runs.
    pub load: Load,
    /// Why it does not take part, if so.
    pub excluded: Option<Exclusion>,
    /// Whether and when its result may be reused.
    pub recipe: Recipe,
    /// Whether its result may stand in for running it another time.
    pub caching: Caching,
    /// The files that it reads.
    pub reads: Vec<Reads>,
    /// Which of its options were worked out from other things, and from which. Options that are not listed stand in
    /// the template as they are in [`Node::settings`].
    pub origins: Arc<[Origin]>,
    /// The artifacts of other builds that its options speak of.
    pub chained: Vec<Chained>,
    /// Where it stands in the template.
    pub span: Span,
}

/// An artifact of another build that a node takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chained {
    /// The build's name as it is written, by which marks in the options speak of it.
    pub written: String,
    /// The node that gives the artifact.
    pub from: NodeId,
}

/// One build: a source with all that happens to it.
#[derive(Clone, Debug)]
pub struct Build {
    /// What node ids call it: the name, with a number if it is not the first of that name.
    pub id: String,
    /// What command lines and scripts call it.
    pub name: String,
    /// What its texts and scripts are told as the build's name: in HCL2 the name of its source alone.
    pub source_name: String,
    /// What people see: `type.name`, or the type alone.
    pub display: String,
    /// The type of its builder.
    pub builder_type: String,
    /// Whether it takes part in this run.
    pub is_selected: bool,
}

impl Build {
    /// Returns what its texts may ask about it.
    #[must_use]
    pub fn names(&self) -> BuildNames<'_> {
        BuildNames { name: &self.source_name, builder_type: &self.builder_type }
    }
}

/// A user variable's value, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The value.
    pub value: String,
    /// Whether it must not be shown.
    pub is_sensitive: bool,
}

/// A template lowered to nodes and edges.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    inner: DiGraph<Node, Edge>,
    /// The nodes by their names; made when it is first asked for, as large plans are made without.
    index: OnceLock<HashMap<NodeId, NodeIndex>>,
    /// The builds, in the order in which they start.
    pub builds: Vec<Build>,
    /// The data sources, each after those that it needs.
    pub data: Vec<DataSource>,
    /// The user variables that the template has, by name.
    pub variables: std::collections::BTreeMap<String, Variable>,
    /// Keeps sensitive values out of what is shown.
    pub redactor: Redactor,
    /// Renders what can be rendered only while nodes run.
    pub late: LateRenderer,
}

impl Graph {
    /// Makes room for this many nodes, in chains.
    pub(crate) fn reserve(&mut self, nodes: usize) {
        self.inner.reserve_exact_nodes(nodes);
        self.inner.reserve_exact_edges(nodes);
    }

    /// Adds a node; its id must be new. Returns its place.
    pub(crate) fn add(&mut self, node: Node) -> usize {
        self.index.take();
        self.inner.add_node(node).index()
    }

    /// Adds an edge between the nodes at two places, the source added before the target.
    pub(crate) fn connect(&mut self, from: usize, to: usize, edge: Edge) {
        debug_assert!(from < to, "edges lead forward, so that the order of addition is a topological one");
        self.inner.add_edge(NodeIndex::new(from), NodeIndex::new(to), edge);
    }

    /// Changes the node at a place, but for its id.
    pub(crate) fn amend(&mut self, place: usize, change: impl FnOnce(&mut Node)) {
        change(&mut self.inner[NodeIndex::new(place)]);
    }

    fn index(&self) -> &HashMap<NodeId, NodeIndex> {
        self.index.get_or_init(|| self.inner.node_indices().map(|at| (self.inner[at].id.clone(), at)).collect())
    }

    /// Iterates over all nodes, each after everything that it depends on.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.inner.node_weights()
    }

    /// Counts the nodes.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.inner.node_count()
    }

    /// Finds a node by its name.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.index().get(id).map(|index| &self.inner[*index])
    }

    /// Iterates over the edges that lead to a node, with the nodes they come from, in the order of the nodes.
    pub fn inputs(&self, id: &NodeId) -> impl Iterator<Item = (Edge, &Node)> {
        self.neighbours(id, Direction::Incoming)
    }

    /// Iterates over the edges that lead away from a node, with the nodes they go to, in the order of the nodes.
    pub fn outputs(&self, id: &NodeId) -> impl Iterator<Item = (Edge, &Node)> {
        self.neighbours(id, Direction::Outgoing)
    }

    fn neighbours(&self, id: &NodeId, direction: Direction) -> impl Iterator<Item = (Edge, &Node)> {
        let mut found: Vec<(NodeIndex, Edge)> = self
            .index()
            .get(id)
            .into_iter()
            .flat_map(|index| self.inner.edges_directed(*index, direction))
            .map(|edge| {
                let other = match direction {
                    Direction::Incoming => edge.source(),
                    Direction::Outgoing => edge.target(),
                };
                (other, *edge.weight())
            })
            .collect();
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(index, edge)| (edge, &self.inner[index]))
    }

    /// Finds a node's place in [`Graph::nodes`].
    #[must_use]
    pub fn place(&self, id: &NodeId) -> Option<usize> {
        self.index().get(id).map(|index| index.index())
    }

    /// Iterates over the edges that lead to the node at a place, with the places that they come from; in no
    /// particular order.
    pub fn inputs_at(&self, place: usize) -> impl Iterator<Item = (Edge, usize)> {
        self.inner
            .edges_directed(NodeIndex::new(place), Direction::Incoming)
            .map(|edge| (*edge.weight(), edge.source().index()))
    }

    /// Iterates over the edges that lead away from the node at a place, with the places that they go to; in no
    /// particular order.
    pub fn outputs_at(&self, place: usize) -> impl Iterator<Item = (Edge, usize)> {
        self.inner
            .edges_directed(NodeIndex::new(place), Direction::Outgoing)
            .map(|edge| (*edge.weight(), edge.target().index()))
    }

    /// Returns the node at a place.
    ///
    /// # Panics
    ///
    /// Panics if there is no such place; those of [`Graph::place`] and [`Graph::inputs_at`] exist.
    #[must_use]
    pub fn at(&self, place: usize) -> &Node {
        &self.inner[NodeIndex::new(place)]
    }

    /// Returns the build of a node.
    #[must_use]
    pub fn build_of(&self, node: &Node) -> &Build {
        &self.builds[node.build]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_paths_of_the_contract() {
        for (kind, id) in [
            (NodeKind::Boot, "web/boot"),
            (NodeKind::Provision { index: 2 }, "web/provision/2"),
            (NodeKind::Provision { index: 1050 }, "web/provision/1050"),
            (NodeKind::ErrorCleanup, "web/error-cleanup"),
            (NodeKind::Capture, "web/capture"),
            (NodeKind::PostProcess { sequence: 1, step: 0 }, "web/post-process/1.0"),
        ] {
            assert_eq!(NodeId::new("web", &kind).as_str(), id);
        }
    }
}
