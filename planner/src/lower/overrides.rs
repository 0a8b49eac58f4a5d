//! Lays a provisioner's override for one build over its options.
//!
//! As in Packer: a scalar replaces, an object is merged name by name, and a list is laid over element by element, so
//! that a shorter list leaves the tail of the longer one in place. The last is rarely meant; it is said as a warning.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::{Entry, Map, Setting, Value};

/// Returns the options with the override's laid over.
pub(crate) fn merge(base: &Map, over: &Map, problems: &mut Diagnostics) -> Map {
    let mut merged = base.clone();
    for entry in over.iter() {
        let setting = match base.get(&entry.key) {
            Some(below) => merge_setting(&entry.key, &below.setting, &entry.setting, problems),
            None => entry.setting.clone(),
        };
        merged.insert(Entry { key: entry.key.clone(), key_span: entry.key_span, setting });
    }
    merged
}

fn merge_setting(key: &str, below: &Setting, over: &Setting, problems: &mut Diagnostics) -> Setting {
    let value = match (&below.value, &over.value) {
        (_, Value::Null) => return below.clone(),
        (Value::Map(below), Value::Map(over)) => Value::Map(merge(below, over, problems)),
        (Value::List(items), Value::List(over_items)) => {
            if over_items.len() < items.len() {
                problems.push(
                    Diagnostic::warning(
                        "rpk::lower::short_override",
                        format!("the override of `{key}` is shorter than what it overrides"),
                    )
                    .at(over.span, format!("{} of {} elements", over_items.len(), items.len()))
                    .at(items[over_items.len()].span, "stays, and so does what follows")
                    .help("give as many elements; Packer lays lists over one another element by element"),
                );
            }
            let mut merged = over_items.clone();
            merged.extend(items.iter().skip(over_items.len()).cloned());
            Value::List(merged)
        }
        _ => over.value.clone(),
    };
    Setting { value, span: over.span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Sources, Span};

    fn texts(words: &[&str], span: Span) -> Value {
        Value::List(words.iter().map(|word| Setting { value: Value::String((*word).to_owned()), span }).collect())
    }

    #[test]
    fn a_shorter_list_keeps_the_tail_and_warns() {
        let span = Span::new(Sources::default().add("t", ""), 0, 0);
        let map = |value| {
            let mut map = Map::default();
            map.insert(Entry { key: "inline".to_owned(), key_span: span, setting: Setting { value, span } });
            map
        };
        let mut problems = Diagnostics::default();
        let merged = merge(&map(texts(&["a", "b"], span)), &map(texts(&["x"], span)), &mut problems);
        assert_eq!(merged.get("inline").expect("stays").setting.value, texts(&["x", "b"], span));
        assert_eq!(problems.iter().count(), 1);
    }
}
