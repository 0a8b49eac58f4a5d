//! The parsed template, ready to be run or asked what it calls.

use std::sync::Arc;

use super::ast::Node;
use super::calls::{self, Call};
use super::error::{ExecError, ParseError};
use super::parser::{self, Trees};
use super::value::Value;
use super::{Functions, exec};

/// A parsed template. It owns its text; clones share it.
#[derive(Clone, Debug)]
pub struct Template {
    name: Arc<str>,
    text: Arc<str>,
    /// Nothing for a text without actions, which stands for itself.
    trees: Option<Arc<Trees>>,
}

impl Template {
    /// Parses `text` under a name that messages will carry.
    ///
    /// # Errors
    ///
    /// Fails on bad syntax, on functions that are neither the language's own nor known to `is_function`, and where
    /// blocks or parentheses nest deeper than [`MAX_NESTING`](super::MAX_NESTING).
    pub fn parse(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Self, ParseError> {
        let has_actions = text.contains("{{");
        let trees = has_actions.then(|| parser::parse(name, text, is_function).map(Arc::new)).transpose()?;
        Ok(Template { name: name.into(), text: text.into(), trees })
    }

    /// Runs the template on `data`.
    ///
    /// # Errors
    ///
    /// Fails where Go's own executor would, where a function fails, and where a bound of this folder is reached.
    pub fn execute(&self, data: &Value, functions: &dyn Functions) -> Result<String, ExecError> {
        match &self.trees {
            None => Ok(self.text.as_ref().to_owned()),
            Some(trees) => exec::execute(&self.name, &self.text, trees, data, functions),
        }
    }

    /// Tells whether the text has no actions, so that it stands for itself.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.trees.is_none()
    }

    /// Returns what the text itself does, apart from templates that it defines; none for a text without actions.
    pub(super) fn main(&self) -> Option<&[Node]> {
        self.trees.as_ref().map(|trees| trees.get(self.name.as_ref()).map_or(&[][..], Vec::as_slice))
    }

    /// Returns the text that was parsed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Lists the functions called and the fields read anywhere in the text, whether or not a run would reach them.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        let nodes = self.trees.iter().flat_map(|trees| trees.values());
        let mut calls = Vec::new();
        nodes.for_each(|nodes: &Vec<Node>| calls::collect(nodes, &mut calls));
        calls.sort_by_key(Call::offset);
        calls
    }
}
