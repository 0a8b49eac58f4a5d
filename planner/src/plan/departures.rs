//! How the world departs from a plan that was saved: why it must not be run as it is.
//!
//! What changed is told by its own name, once: a file, a variable, the base image, the template. What merely follows
//! from that is not told.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::compare::{Difference, compare};
use super::record::{NodeRecord, PlanRecord};
use super::{Action, Change};
use crate::key::InputValue;

/// Lists in words what is no longer as it was when the plan was saved; empty if the plan may be run.
#[must_use]
pub fn departures(saved: &PlanRecord, now: &PlanRecord) -> Vec<String> {
    let mut found = Vec::new();
    if saved.engine != now.engine {
        let name = |engine: &Option<String>| engine.clone().unwrap_or_else(|| "none".to_owned());
        found.push(format!("the engine changed: {} → {}", name(&saved.engine), name(&now.engine)));
    }
    variables(&saved.variables, &now.variables, &mut found);
    let comparison = compare(saved, now);
    for node in &comparison.nodes {
        let id = &node.id;
        match &node.difference {
            Difference::Added => found.push(format!("the template changed: {id} is new")),
            Difference::Removed => found.push(format!("the template changed: {id} is gone")),
            Difference::Included => found.push(format!("{id} was left out and takes part now")),
            Difference::Excluded => found.push(format!("{id} took part and is left out now")),
            Difference::Changed(changes) => found.extend(changes.iter().map(|change| told(id, change))),
            // They follow from another difference, or are told below.
            Difference::Stale(_) | Difference::Uncached => {}
            Difference::Immaterial => found.push(format!("the template changed: options of {id}")),
        }
    }
    if found.is_empty() {
        consequences(saved, now, &mut found);
    }
    let mut seen = HashSet::new();
    found.retain(|words| seen.insert(words.clone()));
    found
}

/// Compares the variables by name.
fn variables(saved: &BTreeMap<String, InputValue>, now: &BTreeMap<String, InputValue>, found: &mut Vec<String>) {
    for (name, value) in now {
        match (saved.get(name), value) {
            (Some(before), _) if before == value => {}
            (None, _) => found.push(format!("the template changed: variable `{name}` is new")),
            (Some(_), InputValue::Sensitive { .. }) => found.push(format!(
                "variable `{name}` is not what it was: sensitive values are not saved, so give it again"
            )),
            (Some(before), after) => found.push(format!("variable `{name}` changed: {before} → {after}")),
        }
    }
    let gone = saved.keys().filter(|name| !now.contains_key(*name));
    found.extend(gone.map(|name| format!("the template changed: variable `{name}` is gone")));
}

fn told(id: &str, change: &Change) -> String {
    let value = |value: &Option<InputValue>| value.as_ref().map_or_else(|| "nothing".to_owned(), InputValue::to_string);
    let values = format!("{} → {}", value(&change.before), value(&change.after));
    match change.input.split_once(':') {
        Some(("file", path)) => format!("file `{path}` changed: {values}"),
        Some(("var", name)) => format!("variable `{name}` changed: {values}"),
        Some(_) => format!("{} changed: {values}", change.name()),
        None if change.input == "image" => format!("the base image of {id} changed: {values}"),
        None => format!("the template changed: `{}` of {id}: {values}", change.input),
    }
}

/// Tells what is decided otherwise though nothing that nodes are made from has changed; not of nodes for which this
/// follows from one before them.
fn consequences(saved: &PlanRecord, now: &PlanRecord, found: &mut Vec<String>) {
    let old: HashMap<&str, &NodeRecord> = saved.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut departed: HashSet<&str> = HashSet::new();
    for node in &now.nodes {
        let Some(was) = old.get(node.id.as_str()) else { continue };
        let words = match (was.action, node.action) {
            (Action::Reuse, Action::Run) => format!("the stored result of {} is gone ({})", node.id, node.reason),
            (Action::Run, Action::Reuse) => format!("{} was to run, and its result is stored now", node.id),
            (was, now) if was != now => format!("{} was planned `{}` and is `{}` now", node.id, was.word(), now.word()),
            _ if was.key != node.key || was.upstream != node.upstream || was.told != node.told => {
                format!("what {} is made from changed", node.id)
            }
            _ => continue,
        };
        if !node.upstream.iter().any(|id| departed.contains(id.as_str())) {
            found.push(words);
        }
        departed.insert(&node.id);
    }
}
