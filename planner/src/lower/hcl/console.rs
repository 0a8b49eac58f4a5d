//! Single expressions with a template's values, for people who try out what they come to.

use super::Evaluated;
use super::inspect::values;
use crate::blocks::{BuildValues, with_scope};
use crate::diagnostic::Diagnostics;
use crate::expression::evaluate::evaluate;
use crate::expression::print::print;
use crate::hcl::parse_expression;
use crate::span::Sources;
use crate::value::redactor::Redactor;

/// A template's values, ready for expressions that use them.
pub struct HclConsole<'a> {
    evaluated: &'a Evaluated,
    redactor: Redactor,
}

impl<'a> HclConsole<'a> {
    /// Takes the values of a template.
    #[must_use]
    pub fn new(evaluated: &'a Evaluated) -> Self {
        Self { evaluated, redactor: Redactor::new(evaluated.secrets()) }
    }

    /// Evaluates an expression; sensitive values are replaced in what comes out.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it; the line is added to `sources`, so that places in it can be shown.
    pub fn evaluate(&self, line: &str, sources: &mut Sources) -> Result<String, Diagnostics> {
        let file = sources.add("<console-input>", line);
        let parsed = parse_expression(line);
        let mut problems = Diagnostics::default();
        for error in parsed.errors {
            problems.push(error.diagnostic(file));
        }
        if problems.has_errors() {
            return Err(problems);
        }
        let globals = &self.evaluated.globals;
        let value = with_scope(globals, None, BuildValues::None, &[], |scope| {
            evaluate(&parsed.tree, file, scope, &mut problems)
        });
        if problems.has_errors() { Err(problems) } else { Ok(self.redactor.redact(&print(&value)).to_string()) }
    }

    /// Lists all variables and local values with what they come to.
    #[must_use]
    pub fn variables(&self) -> String {
        values(self.evaluated)
    }

    /// Lists the names that an expression can begin with, for completion.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let globals = &self.evaluated.globals;
        let variables = globals.variables.keys().map(|name| format!("var.{name}"));
        let locals = globals.locals.keys().map(|name| format!("local.{name}"));
        let paths = ["path.root", "path.cwd", "packer.version"].map(str::to_owned);
        let functions = crate::expression::functions::names().map(|name| format!("{name}("));
        variables.chain(locals).chain(paths).chain(functions).collect()
    }
}
