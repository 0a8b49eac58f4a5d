//! Values as templates write them: JSON's kinds, each with its place; and what becomes of the texts among them.
//!
//! | file | holds |
//! | --- | --- |
//! | `duration.rs` | lengths of time in Go's form |
//! | `functions/` | the functions that `{{ … }}` may call |
//! | `interpolation.rs` | texts with `{{ … }}`: what they may use when, and how they are rendered |
//! | `json_text.rs` | JSON text into values with places |
//! | `redactor.rs` | keeping sensitive values out of what is shown |
//! | `usage.rs` | what the working out of a value has asked for |
//! | `variables.rs` | the final values of user variables |
//!
//! The language inside `{{ … }}` is [`gotemplate`](crate::gotemplate)'s.

pub mod duration;
pub mod functions;
pub mod interpolation;
pub mod json_text;
pub mod redactor;
pub mod usage;
pub mod variables;

use std::fmt;

use crate::span::Span;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// The text it came from.
    pub span: Span,
}

/// A value of one of JSON's kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`: for an option, the same as leaving it out.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number. Packer's decoder knows doubles only, so integers above 2^53 lose digits here as they do there.
    Number(f64),
    /// A text; in a legacy template it may hold `{{ … }}`.
    String(String),
    /// An array.
    List(Vec<Setting>),
    /// An object.
    Map(Map),
}

/// An object's members in the order they were written; readers refuse duplicates, so keys are unique.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<Entry>,
}

/// One member of a [`Map`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The member's name.
    pub key: String,
    /// Where the name stands.
    pub key_span: Span,
    /// The member's value.
    pub setting: Setting,
}

impl Map {
    /// Adds a member at the end, or replaces the one of that name in its place.
    pub fn insert(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Adds a member whose name the caller knows to be new.
    pub(crate) fn push_new(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Finds a member by its exact name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Takes a member out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index))
    }

    /// Iterates in the written order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Tells whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Value {
    /// Names the kind for an error message, with its article.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }
}

/// Writes a number as Packer does when a string is wanted: the shortest decimal, no exponent, no `.0`.
#[must_use]
pub fn number_text(number: f64) -> String {
    // Rust's `Display` for doubles is the shortest form that reads back, without an exponent.
    let text = format!("{number}");
    if text == "-0" { "0".to_owned() } else { text }
}

/// A text that must not be shown: prints as `<sensitive>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives the text to code that has to use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sensitive>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sensitive>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_packer_writes_them() {
        for (number, text) in [
            (5.50, "5.5"),
            (3.0, "3"),
            (-0.0, "0"),
            (1e21, "1000000000000000000000"),
            (12_345_678_901_234_567_890.0, "12345678901234567000"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "<sensitive> <sensitive>");
    }
}
