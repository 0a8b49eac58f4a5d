//! Which inputs of a node are others than last time.
//!
//! A change of one thing is told by one name. A value that was worked out is not named if the text in the template
//! is the same and something that it was made from has changed: that has a name of its own. A file is not named
//! beside the option that no longer, or for the first time, names it. A value that was made from one file by a function
//! is told by that file's name, as nothing else can have changed it.

use std::collections::BTreeMap;

use super::reason::Change;
use crate::key::{Input, InputValue};

/// Compares a node's inputs with those of its last run; what other nodes give counts only if nothing else differs.
#[must_use]
pub fn changes(before: &[Input], after: &[Input]) -> Vec<Change> {
    let old: BTreeMap<&str, &Input> = before.iter().map(|input| (input.path.as_str(), input)).collect();
    let new: BTreeMap<&str, &Input> = after.iter().map(|input| (input.path.as_str(), input)).collect();
    let differs = |path: &str| old.get(path).map(|input| &input.value) != new.get(path).map(|input| &input.value);
    // The order of today's inputs, then what is gone.
    let paths = after.iter().chain(before.iter().filter(|input| !new.contains_key(input.path.as_str())));
    let changed: Vec<&str> = paths.map(|input| input.path.as_str()).filter(|path| differs(path)).collect();
    let is_own = |path: &&&str| !path.starts_with("upstream:");
    let is_explained = |path: &str| match (old.get(path), new.get(path)) {
        (Some(old), Some(new)) => old
            .origin
            .as_ref()
            .zip(new.origin.as_ref())
            .is_some_and(|(old, new)| old.written == new.written && new.used.iter().any(|used| differs(used))),
        // A value that appeared or went because a list that was worked out has another length now.
        (Some(only), None) | (None, Some(only)) => only
            .origin
            .as_ref()
            .is_some_and(|origin| origin.used.iter().any(|used| differs(used) && has_both(&old, &new, used))),
        (None, None) => false,
    };
    let own: Vec<&str> = changed.iter().filter(is_own).copied().filter(|path| !is_explained(path)).collect();
    let has_option = own.iter().any(|path| is_option(path));
    let named: Vec<&str> = own
        .iter()
        .copied()
        // A file or variable that is new or gone is so because an option names others than before.
        .filter(|path| !(has_option && is_reference(path) && !has_both(&old, &new, path)))
        .collect();
    let told = if named.is_empty() { if own.is_empty() { changed } else { own } } else { named };
    let value = |inputs: &BTreeMap<&str, &Input>, path: &str| inputs.get(path).map(|input| input.value.clone());
    let mut changes: Vec<Change> = Vec::new();
    for path in told {
        let file = old.get(path).zip(new.get(path)).and_then(|(old, new)| only_file(old, new));
        let change =
            Change { input: file.unwrap_or(path).to_owned(), before: value(&old, path), after: value(&new, path) };
        let is_told = file.is_some() && changes.iter().any(|known| known.input == change.input);
        if change.before.as_ref() != Some(&InputValue::Unknown) && !is_told {
            changes.push(change);
        }
    }
    changes
}

/// Returns the one file that a value was made from, if the template says the same of it as before.
fn only_file<'a>(old: &Input, new: &'a Input) -> Option<&'a str> {
    let (old, new) = old.origin.as_ref().zip(new.origin.as_ref())?;
    let mut files = new.used.iter().filter(|used| used.starts_with("file:"));
    let file = files.next().filter(|_| files.next().is_none() && old.written == new.written)?;
    Some(file)
}

fn has_both(old: &BTreeMap<&str, &Input>, new: &BTreeMap<&str, &Input>, path: &str) -> bool {
    old.contains_key(path) && new.contains_key(path)
}

fn is_reference(path: &str) -> bool {
    path.starts_with("file:") || path.starts_with("var:")
}

fn is_option(path: &str) -> bool {
    !path.contains(':') && path != "image"
}
