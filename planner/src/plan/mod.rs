//! Graph to plan: what will be done with each node, and why.
//!
//! | file | holds |
//! | --- | --- |
//! | `index.rs` | what the planner asks a store of results |
//! | `reason.rs` | why an action was chosen, as data and in words |
//! | `decide.rs` | the decision on every node |
//! | `changes.rs` | which inputs of a node are others than last time |
//! | `record.rs` | a plan as data that is saved and compared |
//! | `compare.rs` | what a change does to a plan |
//! | `estimate.rs` | how long a run will take |
//! | `departures.rs` | why a saved plan must not be run any more |
//!
//! A plan is plain data: it is printed, compared in code review and run. Apply runs what the plan says and nothing
//! else, so every choice is made here.

mod changes;
mod compare;
mod decide;
mod departures;
mod estimate;
mod index;
mod reason;
mod record;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Node, NodeId};
use crate::key::{self, CacheKey, Facts, Input, NodeFacts, Subject};
pub use changes::changes;
pub use compare::{Comparison, Difference, NodeDifference, compare};
pub use departures::departures;
pub use estimate::Estimate;
pub use index::{CacheIndex, EmptyIndex, LastRun, Stored, StoredState};
pub use reason::{Change, Reason};
pub use record::{NodeRecord, PlanRecord};

/// What is done with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is run.
    Run,
    /// Its stored result stands in for running it.
    #[serde(rename = "cached")]
    Reuse,
    /// It is left out.
    #[serde(rename = "skipped")]
    Skip,
    /// It is run or its result reused, depending on what another node will give.
    Unknown,
}

impl Action {
    /// Returns the word that people and machines read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Reuse => "cached",
            Self::Skip => "skipped",
            Self::Unknown => "unknown",
        }
    }

    /// Finds an action by its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Run, Self::Reuse, Self::Skip, Self::Unknown].into_iter().find(|action| action.word() == word)
    }
}

/// What was decided on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done with it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Its key, once everything that it depends on is known.
    pub key: Option<CacheKey>,
    /// Whether its result may be stored: it is the same each time, and so is all that it is made from.
    pub is_reusable: bool,
    /// Whether the machine as this node left it is stored, and the lane goes on from there.
    pub is_start: bool,
    /// How long it took when it was last run.
    pub took: Option<Duration>,
}

/// One node with its decision.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The node.
    pub node: &'a Node,
    /// Its place in the graph.
    pub place: usize,
    /// What is done with it.
    pub action: Action,
    /// What was decided.
    pub decision: &'a Decision,
    /// Why.
    pub reason: &'a Reason,
}

impl Step<'_> {
    /// Tells whether the node's result may be stored and reused.
    #[must_use]
    pub fn is_cacheable(&self) -> bool {
        decide::is_cacheable(self.node)
    }
}

/// What a user asks of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The template's path as the user gave it.
    pub template: String,
    /// The container engine that will be used, if any node needs one.
    pub engine: Option<Engine>,
    /// How many builds may run at a time; none means all.
    pub parallel_builds: Option<usize>,
    /// Whether no stored result is used.
    pub no_cache: bool,
    /// Nodes whose stored results are not used, nor those of what depends on them.
    pub no_cache_from: Vec<NodeId>,
    /// If any: just these nodes and what they depend on.
    pub targets: Vec<NodeId>,
}

/// The decided graph.
#[derive(Clone)]
pub struct Plan {
    /// The template's path as the user gave it.
    pub template: String,
    /// The container engine that will be used, if any node needs one.
    pub engine: Option<Engine>,
    /// The nodes and edges.
    pub graph: Graph,
    /// How many builds may run at a time; none means all.
    pub parallel_builds: Option<usize>,
    decisions: Vec<Decision>,
    keys: Vec<Option<CacheKey>>,
    facts: Vec<Option<NodeFacts>>,
    secret: [u8; 32],
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("template", &self.template)
            .field("decisions", &self.decisions)
            .finish_non_exhaustive()
    }
}

/// How many nodes meet which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All nodes.
    pub total: usize,
    /// Those that are run.
    pub run: usize,
    /// Those whose stored results are used.
    pub cached: usize,
    /// Those that are left out.
    pub skipped: usize,
    /// Those that are run or not, as will turn out.
    pub unknown: usize,
    /// The data sources, which are no steps and not counted above.
    pub data: usize,
}

/// The container engine of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Which one, in a word: `docker` or `embedded`.
    pub name: String,
    /// Where it is, or why it was taken, as in "at unix:///run/other.sock"; empty if there is nothing to say.
    pub detail: String,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ", {}", self.detail) }
    }
}

impl Plan {
    /// Iterates over all steps, each after everything that it depends on.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.graph.nodes().zip(&self.decisions).enumerate().map(|(place, (node, decision))| Step {
            node,
            place,
            action: decision.action,
            decision,
            reason: &decision.reason,
        })
    }

    /// Finds a node's step.
    #[must_use]
    pub fn step(&self, id: &NodeId) -> Option<Step<'_>> {
        let place = self.graph.place(id)?;
        let decision = &self.decisions[place];
        Some(Step { node: self.graph.at(place), place, action: decision.action, decision, reason: &decision.reason })
    }

    /// Lists the inputs of a node, in the form that may be shown and stored.
    #[must_use]
    pub fn inputs(&self, id: &NodeId) -> Vec<Input> {
        self.graph.place(id).map_or_else(Vec::new, |place| key::inputs(self.subject(place)))
    }

    /// Lists the inputs of the node at a place.
    #[must_use]
    pub fn inputs_at(&self, place: usize) -> Vec<Input> {
        key::inputs(self.subject(place))
    }

    /// Returns the key of the node at a place, as far as it is known by now.
    #[must_use]
    pub fn key_at(&self, place: usize) -> Option<CacheKey> {
        self.keys[place]
    }

    /// Takes note of what running a node has shown of what it reads, and works out anew the keys that depend on it.
    ///
    /// What is done with the nodes stays as it was decided.
    pub fn learn(&mut self, id: &NodeId, input: Input) {
        let Some(place) = self.graph.place(id) else { return };
        let contents = &mut self.facts[place].get_or_insert_default().contents;
        match contents.iter_mut().find(|known| known.path == input.path) {
            Some(known) if *known == input => return,
            Some(known) => *known = input,
            None => contents.push(input),
        }
        let build = self.graph.at(place).build;
        for place in place..self.graph.node_count() {
            if self.graph.at(place).build == build && self.decisions[place].action != Action::Skip {
                self.keys[place] = key::key(self.subject(place));
            }
        }
    }

    fn subject(&self, place: usize) -> Subject<'_> {
        Subject { graph: &self.graph, place, facts: self.facts[place].as_ref(), keys: &self.keys, secret: &self.secret }
    }

    /// Counts the steps.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { total: self.decisions.len(), data: self.graph.data.len(), ..Summary::default() };
        for decision in &self.decisions {
            match decision.action {
                Action::Run => summary.run += 1,
                Action::Reuse => summary.cached += 1,
                Action::Skip => summary.skipped += 1,
                Action::Unknown => summary.unknown += 1,
            }
        }
        summary
    }
}

/// Works out the keys of a graph's nodes, by place, for whoever has to look up what is stored under them.
#[must_use]
pub fn keys(graph: &Graph, facts: &dyn Facts, secret: &[u8; 32]) -> Vec<Option<CacheKey>> {
    let mut keys = Vec::with_capacity(graph.node_count());
    for (place, node) in graph.nodes().enumerate() {
        let key = match node.excluded {
            Some(_) => None,
            None => key::key(Subject { graph, place, facts: facts.node(&node.id), keys: &keys, secret }),
        };
        keys.push(key);
    }
    keys
}

/// Decides what is done with a graph's nodes.
#[must_use]
pub fn plan(graph: Graph, facts: &dyn Facts, index: &dyn CacheIndex, options: Options) -> Plan {
    let facts: Vec<Option<NodeFacts>> = graph.nodes().map(|node| facts.node(&node.id).cloned()).collect();
    let (decisions, keys) = decide::decide(&graph, &facts, index, &options);
    Plan {
        template: options.template,
        engine: options.engine,
        graph,
        parallel_builds: options.parallel_builds,
        decisions,
        keys,
        facts,
        secret: *index.secret(),
    }
}

#[cfg(test)]
mod tests;
