//! The template while fixers work on it: its sections, and notes of what was changed where.
//!
//! # Spelling of root keys
//!
//! Packer's template reader takes `Builders` for `builders`, and so do we. Packer's fixers leave a fixed copy next to
//! the original there; ours change the section under the name it has.
//!
//! # Depth
//!
//! A `Value` is dropped recursively, so a template nested too deep is refused at the door, after it has been taken apart
//! without recursion. Packer reads ten times our limit; no template comes near either.

use std::fmt;

use serde_json::{Map, Value};

use super::FixError;

/// The deepest nesting that is fixed; ten times as much overflows the stack of a test's thread.
const DEPTH_LIMIT: usize = 1_000;

/// One change to a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The name of the fixer.
    pub fixer: &'static str,
    /// The place of the changed value before the change, such as `builders[0].iso_md5`.
    pub path: String,
    /// What became of it: `renamed to …`, `removed`.
    pub summary: String,
}

impl fmt::Display for Applied {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.summary)
    }
}

/// A template that is being fixed.
///
/// The root is an object, and `builders`, where present, a list of objects with a `type`.
#[derive(Debug)]
pub(super) struct Draft {
    root: Map<String, Value>,
    notes: Notes,
}

/// The changes so far.
#[derive(Debug)]
pub(super) struct Notes {
    fixer: &'static str,
    applied: Vec<Applied>,
}

impl Notes {
    /// Tells that the running fixer has changed the value at a path.
    pub(super) fn add(&mut self, path: String, summary: impl Into<String>) {
        self.applied.push(Applied { fixer: self.fixer, path, summary: summary.into() });
    }
}

/// One builder, provisioner or post-processor.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Its keys.
    pub(super) keys: &'a mut Map<String, Value>,
    path: String,
    notes: &'a mut Notes,
}

impl Part<'_> {
    /// The string that a key holds, if it holds one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    /// Where a key stands in the template.
    pub(super) fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Tells that the running fixer has changed the value of a key.
    pub(super) fn note(&mut self, key: &str, summary: impl Into<String>) {
        self.notes.add(self.path_of(key), summary);
    }

    /// Sets a key, and tells so if its value is another one than before.
    pub(super) fn set(&mut self, key: &str, value: Value, summary: impl Into<String>) {
        if self.keys.get(key) != Some(&value) {
            self.keys.insert(key.to_owned(), value);
            self.note(key, summary);
        }
    }

    /// Complains about the value of a key.
    pub(super) fn wrong_type(&self, key: &str, expected: &'static str) -> FixError {
        let found = kind(self.keys.get(key).unwrap_or(&Value::Null));
        let path = self.path_of(key);
        FixError::WrongType { path, expected, found }
    }
}

impl Draft {
    /// Checks what all fixers rely on.
    pub(super) fn new(template: Value) -> Result<Self, FixError> {
        if is_deeper_than(&template, DEPTH_LIMIT) {
            take_apart(template);
            return Err(FixError::TooDeep { limit: DEPTH_LIMIT });
        }
        let root = match template {
            Value::Object(root) => root,
            other => {
                return Err(FixError::NoTemplate { found: kind(&other) });
            }
        };
        let mut draft = Self { root, notes: Notes { fixer: "", applied: Vec::new() } };
        draft.check_builders()?;
        draft.check_post_processors()?;
        Ok(draft)
    }

    /// Names the fixer whose changes are noted from here on.
    pub(super) fn begin(&mut self, fixer: &'static str) {
        self.notes.fixer = fixer;
    }

    /// Gives the template back, with the notes.
    pub(super) fn finish(self) -> (Value, Vec<Applied>) {
        (Value::Object(self.root), self.notes.applied)
    }

    /// Changes every builder.
    pub(super) fn builders(
        &mut self,
        mut change: impl FnMut(&mut Part<'_>) -> Result<(), FixError>,
    ) -> Result<(), FixError> {
        let Some((name, Value::Array(builders))) = section(&mut self.root, "builders") else {
            return Ok(());
        };
        for (index, builder) in builders.iter_mut().enumerate() {
            change_part(builder, &mut self.notes, &mut change, || format!("{name}[{index}]"))?;
        }
        Ok(())
    }

    /// Changes every provisioner; elements that are not objects are passed over.
    pub(super) fn provisioners(
        &mut self,
        mut change: impl FnMut(&mut Part<'_>) -> Result<(), FixError>,
    ) -> Result<(), FixError> {
        let Some((name, Value::Array(provisioners))) = section(&mut self.root, "provisioners") else {
            return Ok(());
        };
        for (index, provisioner) in provisioners.iter_mut().enumerate() {
            change_part(provisioner, &mut self.notes, &mut change, || format!("{name}[{index}]"))?;
        }
        Ok(())
    }

    /// Changes every post-processor that is written as an object, alone or in a sequence.
    pub(super) fn post_processors(
        &mut self,
        mut change: impl FnMut(&mut Part<'_>) -> Result<(), FixError>,
    ) -> Result<(), FixError> {
        let Some((name, Value::Array(chains))) = section(&mut self.root, "post-processors") else {
            return Ok(());
        };
        for (index, chain) in chains.iter_mut().enumerate() {
            let notes = &mut self.notes;
            let Value::Array(members) = chain else {
                change_part(chain, notes, &mut change, || format!("{name}[{index}]"))?;
                continue;
            };
            for (place, member) in members.iter_mut().enumerate() {
                change_part(member, notes, &mut change, || format!("{name}[{index}][{place}]"))?;
            }
        }
        Ok(())
    }

    /// Tells whether the template has the key `post-processors`, be the list empty.
    pub(super) fn has_post_processors(&mut self) -> bool {
        section(&mut self.root, "post-processors").is_some_and(|(_, value)| !value.is_null())
    }

    /// The `provisioners` as they stand, which need not be a list, with their name and the notes to add to.
    pub(super) fn provisioners_value(&mut self) -> Option<(String, &mut Value, &mut Notes)> {
        let (name, value) = section(&mut self.root, "provisioners")?;
        Some((name, value, &mut self.notes))
    }

    fn check_builders(&mut self) -> Result<(), FixError> {
        let Some((name, value)) = section(&mut self.root, "builders") else {
            self.root.insert("builders".to_owned(), Value::Null);
            return Ok(());
        };
        let builders = match value {
            Value::Null => return Ok(()),
            Value::Array(builders) => builders,
            other => return Err(wrong_type(name, "a list", other)),
        };
        for (index, builder) in builders.iter().enumerate() {
            let path = format!("{name}[{index}]");
            let Some(keys) = builder.as_object() else {
                return Err(wrong_type(path, "an object", builder));
            };
            match keys.get("type") {
                Some(Value::String(_)) => {}
                Some(other) => return Err(wrong_type(format!("{path}.type"), "a string", other)),
                None => return Err(FixError::MissingType { path }),
            }
        }
        Ok(())
    }

    fn check_post_processors(&mut self) -> Result<(), FixError> {
        match section(&mut self.root, "post-processors") {
            None | Some((_, Value::Null | Value::Array(_))) => Ok(()),
            Some((name, other)) => Err(wrong_type(name, "a list", other)),
        }
    }
}

fn change_part(
    value: &mut Value,
    notes: &mut Notes,
    change: &mut impl FnMut(&mut Part<'_>) -> Result<(), FixError>,
    path: impl FnOnce() -> String,
) -> Result<(), FixError> {
    match value {
        Value::Object(keys) => change(&mut Part { keys, path: path(), notes }),
        _ => Ok(()),
    }
}

/// The section with its name as written; the exact name goes before other spellings.
fn section<'a>(root: &'a mut Map<String, Value>, name: &str) -> Option<(String, &'a mut Value)> {
    let written = match root.contains_key(name) {
        true => name.to_owned(),
        false => root.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone(),
    };
    let value = root.get_mut(&written)?;
    Some((written, value))
}

fn wrong_type(path: String, expected: &'static str, found: &Value) -> FixError {
    let found = kind(found);
    FixError::WrongType { path, expected, found }
}

/// The name of a value's type, for messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn is_deeper_than(value: &Value, limit: usize) -> bool {
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if depth > limit => return true,
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(keys) => open.extend(keys.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    false
}

fn take_apart(value: Value) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(keys) => open.extend(keys.into_iter().map(|(_, item)| item)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fix;
    use super::*;

    fn nested(depth: usize) -> Value {
        (1..depth).fold(json!([]), |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn a_section_is_fixed_under_the_name_it_has() {
        let fixed = fix(json!({"Builders": [{"type": "vmware"}]})).unwrap();
        assert_eq!(fixed.template, json!({"Builders": [{"type": "vmware-iso"}]}));
        assert_eq!(fixed.applied[0].path, "Builders[0].type");
    }

    #[test]
    fn the_exact_name_of_a_section_goes_first() {
        let fixed = fix(json!({"Builders": [], "builders": [{"type": "vmware"}]})).unwrap();
        assert_eq!(fixed.template, json!({"Builders": [], "builders": [{"type": "vmware-iso"}]}));
    }

    #[test]
    fn nesting_up_to_the_limit_is_fixed_and_beyond_it_refused() {
        // `json!` would copy the nested value recursively.
        let template = |depth| Value::Object(Map::from_iter([("a".to_owned(), nested(depth - 1))]));
        assert!(fix(template(DEPTH_LIMIT)).is_ok());
        let too_deep = Err(FixError::TooDeep { limit: DEPTH_LIMIT });
        assert_eq!(fix(template(DEPTH_LIMIT + 1)), too_deep);
        assert_eq!(fix(template(1_000_000)), too_deep);
    }

    #[test]
    fn deep_values_of_removed_and_merged_keys_are_no_danger() {
        let deep = nested(DEPTH_LIMIT - 10);
        let fixed = fix(json!({
            "builders": [{"type": "parallels-iso", "headless": deep}],
            "provisioners": [[deep, {"override": [deep, {"virtualbox": deep}]}]],
            "post-processors": [{"type": "docker-tag", "tag": "a", "tags": null, "x": deep}]
        }));
        assert_eq!(fixed.unwrap().template["provisioners"][0]["override"].as_object().unwrap().len(), 1);
    }
}
