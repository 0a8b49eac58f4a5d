//! The decision on every node.
//!
//! # Demand
//!
//! Captures and post-processes are wanted for their results; provisioners and boots only for the state of the machine
//! that a later node of their lane needs. So a lane of which everything wanted is stored does not run, whatever became
//! of its snapshots. If one of its nodes runs, the lane starts from the nearest node before it whose snapshot is
//! stored, or boots, and everything from there on runs, as provisioners share one machine.
//!
//! # Two rules, until nothing changes
//!
//! Forward: a node runs if its result is not stored, if it is never reused, or if something that it is given is made
//! anew. Backward: a node that runs makes those run whose result it needs and which is not stored. Each rule only
//! ever adds nodes that run, so that this ends.

use super::changes::changes;
use super::index::{CacheIndex, Stored, StoredState};
use super::reason::Reason;
use super::{Action, Decision, Options};
use crate::catalog::Caching;
use crate::graph::{Edge, Graph, Node, NodeKind};
use crate::key::{self, CacheKey, NodeFacts, Subject};

/// Why a node is set to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The user wants it so.
    Forced,
    /// It is run each time.
    Always,
    /// Its result is wanted and not there.
    Wanted,
    /// This one is made anew, and it is given to it.
    Given(usize),
    /// This one runs and needs what it makes.
    Needed(usize),
}

struct Deciding<'a> {
    graph: &'a Graph,
    facts: &'a [Option<NodeFacts>],
    index: &'a dyn CacheIndex,
    options: &'a Options,
    inputs: Inputs,
    keys: Vec<Option<CacheKey>>,
    stored: Vec<Option<Stored>>,
    skipped: Vec<Option<Reason>>,
    causes: Vec<Option<Cause>>,
    reusable: Vec<bool>,
    /// For each node that is made anew: the first node on the way that runs for a reason of its own.
    origins: Vec<usize>,
}

/// The edges that lead to each node, in one piece of memory.
struct Inputs {
    edges: Vec<(Edge, usize)>,
    /// Where the edges of each node begin, and where the last one's end.
    begins: Vec<usize>,
}

impl Inputs {
    fn of(graph: &Graph) -> Self {
        let mut inputs = Self { edges: Vec::new(), begins: Vec::with_capacity(graph.node_count() + 1) };
        for place in 0..graph.node_count() {
            inputs.begins.push(inputs.edges.len());
            inputs.edges.extend(graph.inputs_at(place));
        }
        inputs.begins.push(inputs.edges.len());
        inputs
    }

    fn at(&self, place: usize) -> &[(Edge, usize)] {
        &self.edges[self.begins[place]..self.begins[place + 1]]
    }
}

/// Decides on all nodes; returns their keys beside, by place.
pub(super) fn decide(
    graph: &Graph,
    facts: &[Option<NodeFacts>],
    index: &dyn CacheIndex,
    options: &Options,
) -> (Vec<Decision>, Vec<Option<CacheKey>>) {
    let count = graph.node_count();
    let mut deciding = Deciding {
        graph,
        facts,
        index,
        options,
        inputs: Inputs::of(graph),
        keys: Vec::with_capacity(count),
        stored: Vec::with_capacity(count),
        skipped: vec![None; count],
        causes: vec![None; count],
        reusable: Vec::with_capacity(count),
        origins: Vec::with_capacity(count),
    };
    deciding.skip();
    deciding.look_up();
    while deciding.forward() | deciding.backward() {}
    for place in 0..count {
        let origin = deciding.origin(place);
        deciding.origins.push(origin);
    }
    let unknown = deciding.unknown();
    let decisions = (0..count).map(|place| deciding.decision(place, &unknown)).collect();
    (decisions, deciding.keys)
}

/// Tells whether a node may be reused, as far as it is up to the node itself.
pub(super) fn is_cacheable(node: &Node) -> bool {
    // Most nodes use nothing at all.
    let uses_nothing = node.origins.is_empty() && node.deferred.is_none();
    node.caching == Caching::Cacheable && (uses_nothing || volatile(node).is_empty())
}

/// Names the functions and build data that a node uses and that are others at each run.
pub(super) fn volatile(node: &Node) -> Vec<String> {
    let moment = node.kind.moment();
    let mut names: Vec<String> = node
        .origins
        .iter()
        .filter(|origin| node.recipe.matters(origin.option.split(['[', '.']).next().unwrap_or_default(), moment))
        .flat_map(|origin| origin.usage.volatile.iter().cloned())
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() && node.deferred.is_some() {
        names.push("build".to_owned());
    }
    names
}

impl Deciding<'_> {
    fn subject(&self, place: usize) -> Subject<'_> {
        Subject {
            graph: self.graph,
            place,
            facts: self.facts[place].as_ref(),
            keys: &self.keys,
            secret: self.index.secret(),
        }
    }

    /// Finds out which nodes take no part.
    fn skip(&mut self) {
        for (place, node) in self.graph.nodes().enumerate() {
            self.skipped[place] = match (node.excluded, &node.kind) {
                (Some(exclusion), _) => Some(Reason::Excluded(exclusion)),
                (None, NodeKind::ErrorCleanup) => Some(Reason::OnlyAfterFailure),
                (None, _) => None,
            };
        }
        if self.options.targets.is_empty() {
            return;
        }
        let mut is_wanted = vec![false; self.graph.node_count()];
        for place in self.options.targets.iter().filter_map(|id| self.graph.place(id)) {
            is_wanted[place] = true;
        }
        for place in (0..is_wanted.len()).rev() {
            if is_wanted[place] {
                for (edge, from) in self.inputs.at(place) {
                    is_wanted[*from] |= *edge != Edge::Order;
                }
            } else if self.skipped[place].is_none() {
                self.skipped[place] = Some(Reason::NotTargeted);
            }
        }
    }

    /// Works out all keys and what is stored under them.
    fn look_up(&mut self) {
        for place in 0..self.graph.node_count() {
            let key = if self.skipped[place].is_some() { None } else { key::key(self.subject(place)) };
            self.keys.push(key);
            let is_reusable = self.is_reusable(place);
            self.reusable.push(is_reusable);
            let node = self.graph.at(place);
            let is_always = !is_cacheable(node);
            let is_forced = self.options.no_cache || self.options.no_cache_from.contains(&node.id);
            self.stored.push(key.filter(|_| !is_always && !is_forced).and_then(|key| self.index.stored(&key)));
            if self.skipped[place].is_none() {
                self.causes[place] = match (is_forced, is_always) {
                    (true, _) => Some(Cause::Forced),
                    (false, true) => Some(Cause::Always),
                    (false, false) => None,
                };
            }
        }
    }

    /// Tells whether it is known what is stored for a node: where nothing is stored at all, no key has to be known.
    fn is_settled(&self, place: usize) -> bool {
        self.keys[place].is_some() || self.index.is_empty()
    }

    /// Tells whether a node's result, and all that it was made from, is the same each time.
    fn is_reusable(&self, place: usize) -> bool {
        is_cacheable(self.graph.at(place))
            && self.inputs.at(place).iter().all(|(edge, from)| *edge == Edge::Order || self.reusable[*from])
    }

    /// Tells whether a node is wanted for its own sake: it gives a result, or the command line names it.
    fn is_wanted(&self, place: usize) -> bool {
        !self.is_machine_node(place) || self.options.targets.contains(&self.graph.at(place).id)
    }

    fn is_machine_node(&self, place: usize) -> bool {
        matches!(self.graph.at(place).kind, NodeKind::Boot | NodeKind::Provision { .. })
    }

    fn set(&mut self, place: usize, cause: Cause) -> bool {
        let is_new = self.causes[place].is_none() && self.skipped[place].is_none();
        if is_new {
            self.causes[place] = Some(cause);
        }
        is_new
    }

    fn forward(&mut self) -> bool {
        let mut has_changed = false;
        for place in 0..self.graph.node_count() {
            if self.causes[place].is_some() || self.skipped[place].is_some() {
                continue;
            }
            let given =
                self.inputs.at(place).iter().find(|(edge, from)| *edge != Edge::Order && self.causes[*from].is_some());
            if let Some((_, from)) = given {
                let from = *from;
                has_changed |= self.set(place, Cause::Given(from));
            } else if self.is_wanted(place) && self.is_settled(place) {
                let is_there = match &self.stored[place] {
                    Some(stored) if self.is_machine_node(place) => stored.has_snapshot,
                    Some(stored) => !matches!(stored.state, StoredState::Damaged(_)),
                    None => false,
                };
                if !is_there {
                    has_changed |= self.set(place, Cause::Wanted);
                }
            }
        }
        has_changed
    }

    fn backward(&mut self) -> bool {
        let mut has_changed = false;
        for place in (0..self.graph.node_count()).rev() {
            if self.causes[place].is_none() {
                continue;
            }
            for index in 0..self.inputs.at(place).len() {
                let (edge, from) = self.inputs.at(place)[index];
                let is_needed = match edge {
                    Edge::Order => false,
                    Edge::Machine => match self.graph.at(from).kind {
                        NodeKind::Boot => true,
                        // A node whose key is not known yet may turn out to have a snapshot.
                        _ => {
                            self.is_settled(from)
                                && !self.stored[from].as_ref().is_some_and(|stored| {
                                    stored.has_snapshot && !matches!(stored.state, StoredState::Damaged(_))
                                })
                        }
                    },
                    Edge::Artifact => {
                        self.is_settled(from)
                            && !self.stored[from].as_ref().is_some_and(|stored| {
                                matches!(stored.state, StoredState::Available | StoredState::Restorable(_))
                            })
                    }
                };
                if is_needed {
                    has_changed |= self.set(from, Cause::Needed(place));
                }
            }
        }
        has_changed
    }

    fn decision(&self, place: usize, unknown: &[usize]) -> Decision {
        let node = self.graph.at(place);
        let last = self.index.last(&node.id);
        let took = last.map(|last| last.took).or(self.stored[place].as_ref().map(|stored| stored.took));
        let decision = |action, reason| Decision {
            action,
            reason,
            key: self.keys[place],
            is_reusable: self.reusable[place],
            is_start: false,
            took,
        };
        if let Some(reason) = &self.skipped[place] {
            return decision(Action::Skip, reason.clone());
        }
        match self.causes[place] {
            Some(cause) => decision(Action::Run, self.reason(place, cause)),
            None if self.keys[place].is_none() && unknown[place] == place => {
                let unasked = self.graph.unasked(node).first().map(|data| data.id.clone());
                decision(Action::Unknown, unasked.map_or(Reason::SourceUnknown, Reason::UpstreamUnknown))
            }
            None if self.keys[place].is_none() => {
                decision(Action::Unknown, Reason::UpstreamUnknown(self.graph.at(unknown[place]).id.clone()))
            }
            None => {
                let goes_on = self.stored[place].as_ref().is_some_and(|stored| stored.has_snapshot)
                    && self
                        .graph
                        .outputs_at(place)
                        .any(|(edge, reader)| edge == Edge::Machine && self.causes[reader].is_some());
                let reason = match self.stored[place].as_ref().map(|stored| &stored.state) {
                    _ if goes_on => Reason::CachedState,
                    Some(StoredState::Restorable(words)) => Reason::CachedCopy(words.clone()),
                    _ => Reason::Cached,
                };
                Decision { is_start: goes_on, ..decision(Action::Reuse, reason) }
            }
        }
    }

    /// Finds for each node the first one on the way whose own inputs are not known.
    fn unknown(&self) -> Vec<usize> {
        let mut unknown = Vec::with_capacity(self.graph.node_count());
        for place in 0..self.graph.node_count() {
            let mut given = self.inputs.at(place).iter();
            let before = given.find(|(edge, from)| *edge != Edge::Order && self.keys[*from].is_none());
            unknown.push(before.map_or(place, |(_, from)| unknown[*from]));
        }
        unknown
    }

    /// Finds the first node on the way that runs for a reason of its own; that of nodes before this one is known.
    fn origin(&self, place: usize) -> usize {
        match self.causes[place] {
            Some(Cause::Given(from)) if !self.has_own_reason(place) => self.origins[from],
            _ => place,
        }
    }

    fn has_own_reason(&self, place: usize) -> bool {
        self.index.last(&self.graph.at(place).id).is_none_or(|_| !self.own_changes(place).is_empty())
    }

    /// Compares a node with its last run, what other nodes give left aside.
    fn own_changes(&self, place: usize) -> Vec<super::Change> {
        let Some(last) = self.index.last(&self.graph.at(place).id) else {
            return Vec::new();
        };
        let mut found = changes(&last.inputs, &key::inputs(self.subject(place)));
        found.retain(|change| !change.input.starts_with("upstream:"));
        found
    }

    fn reason(&self, place: usize, cause: Cause) -> Reason {
        let node = self.graph.at(place);
        match cause {
            Cause::Forced => return Reason::Forced,
            Cause::Always => {
                return match &node.caching {
                    Caching::Never(words) => Reason::NotCacheable(words.clone()),
                    Caching::Cacheable => Reason::Volatile(volatile(node)),
                };
            }
            Cause::Wanted | Cause::Given(_) | Cause::Needed(_) => {}
        }
        if self.stored[place].is_none() {
            if self.index.is_empty() {
                return Reason::NeverBuilt;
            }
            let Some(last) = self.index.last(&node.id) else {
                return Reason::NeverBuilt;
            };
            let own = self.own_changes(place);
            if !own.is_empty() {
                return Reason::InputChanged(own);
            }
            if let Some(running) = self.running_input(place) {
                return Reason::UpstreamRuns(self.graph.at(self.origins[running]).id.clone());
            }
            if last.key == self.keys[place] {
                return match cause {
                    Cause::Needed(by) if self.is_machine_node(place) => {
                        Reason::StateMissing(self.graph.at(by).id.clone())
                    }
                    _ => Reason::CacheEvicted,
                };
            }
            return Reason::InputChanged(changes(&last.inputs, &key::inputs(self.subject(place))));
        }
        match (cause, &self.stored[place]) {
            (_, Some(Stored { state: StoredState::Damaged(words), .. })) => Reason::ArtifactMissing(words.clone()),
            (Cause::Given(from), _) => Reason::UpstreamRuns(self.graph.at(self.origins[from]).id.clone()),
            (Cause::Needed(by), _) => Reason::StateMissing(self.graph.at(by).id.clone()),
            _ => Reason::CacheEvicted,
        }
    }

    fn running_input(&self, place: usize) -> Option<usize> {
        let mut given = self.inputs.at(place).iter();
        given.find(|(edge, from)| *edge != Edge::Order && self.causes[*from].is_some()).map(|(_, from)| *from)
    }
}
