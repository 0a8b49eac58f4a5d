//! Renders single lines with a template's variables, for people who try out what a text comes to.

use std::collections::BTreeMap;

use super::Inputs;
use super::rendering::Renderer;
use crate::diagnostic::Diagnostics;
use crate::graph::Variable;
use crate::template::Template;
use crate::value::redactor::Redactor;

/// A template's variables, ready for lines that use them.
pub struct Console {
    renderer: Renderer,
    redactor: Redactor,
}

impl Console {
    /// Works out a template's variables. Those without a value are empty; why they are is returned beside.
    #[must_use]
    pub fn new(template: &Template, inputs: &Inputs) -> (Self, Diagnostics) {
        let mut problems = Diagnostics::default();
        let renderer = Renderer::new(template, inputs, &mut problems);
        let redactor = Redactor::new(renderer.secrets());
        (Self { renderer, redactor }, problems)
    }

    /// Renders a line; sensitive values are replaced in what comes out.
    ///
    /// # Errors
    ///
    /// Returns why the line cannot be rendered.
    pub fn evaluate(&self, line: &str) -> Result<String, String> {
        let shown = |text: String| self.redactor.redact(&text);
        self.renderer.console_text(line).map(shown).map_err(shown)
    }

    /// Returns all variables as they may be shown.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, Variable> {
        self.renderer.shown_variables()
    }
}
