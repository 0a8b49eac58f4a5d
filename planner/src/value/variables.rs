//! The final values of a legacy template's user variables.
//!
//! Defaults and values given from outside are templates alike, and may use each other in any order. Packer renders
//! all of them over and over until nothing changes. Here each is rendered once all that it uses is known, which
//! gives the same values, one for each variable even where `uuid` is involved, and finds cycles.
//!
//! # What is kept for later
//!
//! `{{.Name}}` and `{{ .Name }}` in a variable are meant for the place where the variable will be used. They are cut
//! out before rendering and put back afterwards, as Packer does, and by its pattern: one blank at most after the
//! braces, everything up to the next closing braces in the same line.

mod kept;
mod resolver;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use self::resolver::Resolver;
use crate::value::interpolation::{Context, InterpolationError};
use crate::value::usage::Usage;

/// The user variables of a template, worked out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolution {
    /// The value of every variable that has one.
    pub values: BTreeMap<String, String>,
    /// Variables whose value is another at each run, by themselves or through others.
    pub volatile: BTreeSet<String>,
    /// Variables that hold a secret: declared sensitive, read from a secret store, or made from one of those.
    pub sensitive: BTreeSet<String>,
    /// What each variable's own text has asked for.
    pub usage: BTreeMap<String, Usage>,
    /// Everything that is wrong, by name of the variable.
    pub errors: Vec<VariableError>,
    /// Whether Packer would overlook [`VariableError::Undefined`] and [`VariableError::Cycle`] here and take such
    /// variables to be empty: it does so once any variable has been made from another by a plain ``{{user `x`}}``.
    pub packer_overlooks_undefined: bool,
}

/// A variable has no value.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum VariableError {
    /// It has no default and was given no value.
    #[error("required variable not set: {name}")]
    Required {
        /// The variable.
        name: String,
    },
    /// It uses a variable that does not exist.
    #[error(
        "Failed to interpolate \"{name}\": \"{text}\"; error: {error}: Please make sure that the variable you're \
         referencing has been defined; Packer treats all variables used to interpolate other user variables as \
         required."
    )]
    Undefined {
        /// The variable.
        name: String,
        /// Its text.
        text: String,
        /// The variable that does not exist.
        reference: String,
        /// The failure of the rendering.
        error: InterpolationError,
    },
    /// It uses itself, by way of others.
    #[error("Failed to interpolate \"{name}\": \"{text}\"; error: the variable needs its own value: {}", path.join(" -> "))]
    Cycle {
        /// The variable.
        name: String,
        /// Its text.
        text: String,
        /// The variables on the way, from this one to itself.
        path: Vec<String>,
    },
    /// Its text is no template, or a function in it failed.
    #[error("error interpolating default value for '{name}': {error}")]
    Template {
        /// The variable.
        name: String,
        /// The failure. Its span is one of the variable's text; the column in its message is, as in Packer, that of
        /// the text without what is kept for later.
        error: InterpolationError,
    },
    /// The values of all variables together are too large.
    #[error("variable {name}: the variables exceed {MAX_SIZE} bytes in all")]
    TooLarge {
        /// The variable that made them so.
        name: String,
    },
}

/// How many bytes the values may have in all: a few variables that each use another twice make any amount.
const MAX_SIZE: usize = 64 << 20;

impl VariableError {
    /// Returns the name of the variable.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            VariableError::Required { name }
            | VariableError::Undefined { name, .. }
            | VariableError::Cycle { name, .. }
            | VariableError::Template { name, .. }
            | VariableError::TooLarge { name } => name,
        }
    }
}

/// Works out the values of the `declared` variables and of the `given` ones, which need not be declared.
///
/// A declared variable without a default must be given. The context's phase and variables are not looked at.
#[must_use]
pub fn resolve(
    declared: &BTreeMap<String, Option<String>>,
    given: &BTreeMap<String, String>,
    sensitive: &BTreeSet<String>,
    context: &Context<'_>,
) -> Resolution {
    let mut resolver = Resolver::new(context);
    for (name, default) in declared {
        match given.get(name).or(default.as_ref()) {
            Some(text) => resolver.add(name, text),
            None => resolver.refuse(VariableError::Required { name: name.clone() }),
        }
    }
    for (name, text) in given {
        resolver.add(name, text);
    }
    resolver.run(sensitive)
}
