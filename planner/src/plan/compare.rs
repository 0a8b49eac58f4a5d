//! What a change does to a plan: two plans, node by node.
//!
//! Nodes are the same if their ids are. A node is *changed* if an input of its own differs, *stale* if it is given
//! something else than before, and *uncached* if it is neither but was to be reused and is to run now. Of values that
//! are others at each run only what the template says is compared.

use std::collections::{HashMap, HashSet};

use super::changes::changes;
use super::record::{NodeRecord, PlanRecord};
use super::{Action, Change, Plan};
use crate::key::{Input, InputValue};

/// How a node of one plan relates to that of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The plan before does not have it.
    Added,
    /// The plan after does not have it.
    Removed,
    /// It takes part now, and did not before.
    Included,
    /// It took part before, and does not now.
    Excluded,
    /// Inputs of its own differ.
    Changed(Vec<Change>),
    /// Its own inputs are the same, but not what this node gives.
    Stale(String),
    /// Nothing of it differs, yet it would have been reused before and runs now.
    Uncached,
    /// It differs only in what cannot change its result, such as time limits.
    Immaterial,
}

impl Difference {
    /// Returns the word that people and machines read.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Included => "included",
            Self::Excluded => "excluded",
            Self::Changed(_) => "changed",
            Self::Stale(_) => "stale",
            Self::Uncached => "uncached",
            Self::Immaterial => "immaterial",
        }
    }
}

/// One node that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDifference {
    /// Its id.
    pub id: String,
    /// What it does, in a line for people.
    pub title: String,
    /// How it differs.
    pub difference: Difference,
    /// What was to be done with it before; none if it is new.
    pub before: Option<Action>,
    /// What is to be done with it now; none if it is gone.
    pub after: Option<Action>,
    /// Why that is to be done, in words.
    pub reason: String,
}

impl NodeDifference {
    /// Tells whether the change makes this node run.
    #[must_use]
    pub fn runs(&self) -> bool {
        let is_told = !matches!(self.difference, Difference::Immaterial | Difference::Removed | Difference::Excluded);
        is_told && matches!(self.after, Some(Action::Run | Action::Unknown))
    }
}

/// What a change does to a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The nodes that differ: those of the plan after in its order, then those that are gone.
    pub nodes: Vec<NodeDifference>,
    /// How many nodes the plan after has.
    pub total: usize,
    /// Whether the plan before says all that is compared; else changes of sensitive values are not seen.
    pub is_whole: bool,
}

impl Comparison {
    /// Counts the nodes that run because of the change.
    #[must_use]
    pub fn reruns(&self) -> usize {
        self.nodes.iter().filter(|node| node.runs()).count()
    }

    /// Counts the nodes of one kind of difference, by its word.
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        self.nodes.iter().filter(|node| node.difference.word() == word).count()
    }
}

impl Plan {
    /// Compares the plan with an earlier one.
    #[must_use]
    pub fn compare(&self, before: &PlanRecord) -> Comparison {
        let now = self.record();
        if before.is_whole { compare(before, &now) } else { compare(before, &now.reduced(self)) }
    }
}

/// Compares two plans.
#[must_use]
pub fn compare(before: &PlanRecord, after: &PlanRecord) -> Comparison {
    let old: HashMap<&str, &NodeRecord> = before.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let new: HashSet<&str> = after.nodes.iter().map(|node| node.id.as_str()).collect();
    // Each node whose result differs, with the node that this began with.
    let mut differs: HashMap<&str, &str> = HashMap::new();
    let mut nodes = Vec::new();
    for node in &after.nodes {
        let was = old.get(node.id.as_str()).copied();
        let difference = match was {
            None => node.takes_part.then_some(Difference::Added),
            Some(was) => difference(was, node, before.is_whole, &differs),
        };
        let Some(difference) = difference else { continue };
        match &difference {
            Difference::Immaterial | Difference::Uncached | Difference::Excluded | Difference::Removed => {}
            Difference::Stale(_) => {
                let cause = node.upstream.iter().find_map(|id| differs.get(id.as_str()).copied());
                differs.insert(&node.id, cause.unwrap_or(&node.id));
            }
            Difference::Added | Difference::Included | Difference::Changed(_) => {
                differs.insert(&node.id, &node.id);
            }
        }
        nodes.push(NodeDifference {
            id: node.id.clone(),
            title: node.title.clone(),
            difference,
            before: was.map(|was| was.action),
            after: Some(node.action),
            reason: node.reason.clone(),
        });
    }
    let gone = before.nodes.iter().filter(|node| node.takes_part && !new.contains(node.id.as_str()));
    nodes.extend(gone.map(|node| NodeDifference {
        id: node.id.clone(),
        title: node.title.clone(),
        difference: Difference::Removed,
        before: Some(node.action),
        after: None,
        reason: String::new(),
    }));
    Comparison { nodes, total: after.nodes.len(), is_whole: before.is_whole }
}

fn difference(
    was: &NodeRecord,
    node: &NodeRecord,
    is_whole: bool,
    differs: &HashMap<&str, &str>,
) -> Option<Difference> {
    match (was.takes_part, node.takes_part) {
        (false, true) => return Some(Difference::Included),
        (true, false) => return Some(Difference::Excluded),
        (false, false) => return None,
        // What the JSON form tells of the inputs of such a node cannot be compared.
        (true, true) if !is_whole && node.action == Action::Skip => return None,
        (true, true) => {}
    }
    let own = own_changes(was, node);
    if !own.is_empty() {
        return Some(Difference::Changed(own));
    }
    if node.action != Action::Skip {
        if let Some(cause) = node.upstream.iter().find_map(|id| differs.get(id.as_str())) {
            return Some(Difference::Stale((*cause).to_owned()));
        }
        let is_new = |id: &&String| !was.upstream.contains(id);
        // The JSON form names the nodes that are only waited for, too.
        let is_gone = |id: &&String| is_whole && !node.upstream.contains(id);
        if let Some(other) = node.upstream.iter().find(is_new).or_else(|| was.upstream.iter().find(is_gone)) {
            return Some(Difference::Stale(other.clone()));
        }
    }
    let runs = matches!(node.action, Action::Run | Action::Unknown);
    if was.action == Action::Reuse && runs {
        return Some(Difference::Uncached);
    }
    // A value that is another each time makes this one, too.
    (is_whole && was.told != node.told && node.volatile.is_empty()).then_some(Difference::Immaterial)
}

/// Lists the inputs of a node's own that differ, as far as both are known.
fn own_changes(was: &NodeRecord, node: &NodeRecord) -> Vec<Change> {
    let is_volatile = |path: &str| {
        node.volatile
            .iter()
            .filter_map(|option| path.strip_prefix(option.as_str()))
            .any(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
    };
    let written = |inputs: &[Input], path: &str| {
        inputs
            .iter()
            .find(|input| input.path == path)
            .and_then(|input| input.origin.clone())
            .map(|origin| origin.written)
    };
    let mut found = changes(&was.inputs, &node.inputs);
    found.retain(|change| {
        let is_same_text = is_volatile(&change.input)
            && written(&was.inputs, &change.input) == written(&node.inputs, &change.input)
            && change.before.is_some()
            && change.after.is_some();
        !is_same_text && change.after != Some(InputValue::Unknown)
    });
    found
}
