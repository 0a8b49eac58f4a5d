//! The functions that HCL2 expressions may call: the table and the rules of a call.
//!
//! | file | family |
//! | --- | --- |
//! | `text.rs` | texts |
//! | `numeric.rs` | numbers |
//! | `collection.rs`, `set.rs` | lists, maps, sets |
//! | `format.rs` | `format` and `formatlist` |
//! | `regex.rs` | regular expressions |
//! | `time.rs` | dates and times |
//! | `encoding.rs`, `json.rs`, `yaml.rs`, `csv.rs` | other notations |
//! | `crypto.rs` | digests, random ids, secrets |
//! | `network.rs` | addresses of networks |
//! | `files.rs` | paths and files |
//!
//! Each file has a table of its functions; a function is one row. `can`, `convert`, `templatefile` and `try` take
//! their arguments unevaluated and are the evaluator's.

mod collection;
mod crypto;
mod csv;
mod encoding;
mod files;
mod format;
mod json;
mod network;
mod numeric;
mod regex;
mod set;
mod text;
mod time;
mod yaml;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::convert::convert;
use super::scope::Host;
use super::types::Type;
use super::value::Value;
pub(super) use files::read_text;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// There are fewer arguments than parameters.
    TooFew {
        /// The name of the first parameter without an argument.
        parameter: &'static str,
    },
    /// There are more arguments than parameters.
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// An argument does not fit its parameter.
    Argument {
        /// Its place, from 0.
        index: usize,
        /// The name of its parameter.
        parameter: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The function failed.
    Failed {
        /// What is wrong.
        message: String,
    },
}

/// Why a function failed, as the function itself says it.
#[derive(Debug)]
enum Fault {
    /// One of its arguments, by its place, is none that it can take.
    Argument(usize, String),
    /// Something else.
    Other(String),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::Other(message.to_owned())
    }
}

type Outcome = Result<Value, Fault>;

/// One parameter of a function.
#[derive(Clone, Copy)]
struct Parameter {
    name: &'static str,
    /// The type that arguments are converted to.
    kind: fn() -> Type,
    allows_null: bool,
}

/// What a function does with arguments that are not wholly known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknowns {
    /// It is not called: the result is unknown, of the type that it would have.
    Refused,
    /// It is called if the arguments themselves are known, whatever is inside of them.
    Inside,
    /// It is called in any case.
    Seen,
}

/// A function.
pub struct Function {
    /// The name that templates use.
    pub name: &'static str,
    parameters: &'static [Parameter],
    /// Takes any number of further arguments.
    variadic: Option<Parameter>,
    /// The type of the result, as far as the types of the arguments tell.
    result: fn(&[Value]) -> Type,
    unknowns: Unknowns,
    run: fn(&[Value], &Host<'_>) -> Outcome,
}

const fn parameter(name: &'static str, kind: fn() -> Type) -> Parameter {
    Parameter { name, kind, allows_null: false }
}

const fn nullable(name: &'static str, kind: fn() -> Type) -> Parameter {
    Parameter { name, kind, allows_null: true }
}

/// Starts the row of a function.
const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    result: fn(&[Value]) -> Type,
    run: fn(&[Value], &Host<'_>) -> Outcome,
) -> Function {
    Function { name, parameters, variadic: None, result, unknowns: Unknowns::Refused, run }
}

impl Function {
    const fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    const fn unknowns(mut self, unknowns: Unknowns) -> Self {
        self.unknowns = unknowns;
        self
    }
}

/// The types of parameters, as functions, since types are made at run time.
mod kinds {
    use super::Type;

    pub fn text() -> Type {
        Type::String
    }

    pub fn number() -> Type {
        Type::Number
    }

    pub fn any() -> Type {
        Type::Dynamic
    }

    pub fn texts() -> Type {
        Type::list(Type::String)
    }

    pub fn flags() -> Type {
        Type::list(Type::Bool)
    }

    pub fn list() -> Type {
        Type::list(Type::Dynamic)
    }

    pub fn set() -> Type {
        Type::set(Type::Dynamic)
    }
}

/// The types of results that do not depend on the arguments.
mod results {
    use super::{Type, Value};

    pub fn text(_: &[Value]) -> Type {
        Type::String
    }

    pub fn number(_: &[Value]) -> Type {
        Type::Number
    }

    pub fn flag(_: &[Value]) -> Type {
        Type::Bool
    }

    pub fn texts(_: &[Value]) -> Type {
        Type::list(Type::String)
    }

    pub fn dynamic(_: &[Value]) -> Type {
        Type::Dynamic
    }

    /// The type of the first argument.
    pub fn first(arguments: &[Value]) -> Type {
        arguments.first().map_or(Type::Dynamic, Value::kind)
    }
}

static TABLE: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let families: [&'static [Function]; 13] = [
        text::FUNCTIONS,
        numeric::FUNCTIONS,
        collection::FUNCTIONS,
        set::FUNCTIONS,
        format::FUNCTIONS,
        regex::FUNCTIONS,
        time::FUNCTIONS,
        encoding::FUNCTIONS,
        json::FUNCTIONS,
        yaml::FUNCTIONS,
        crypto::FUNCTIONS,
        network::FUNCTIONS,
        files::FUNCTIONS,
    ];
    families.into_iter().flatten().chain(csv::FUNCTIONS).map(|function| (function.name, function)).collect()
});

/// Finds a function by its exact name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    TABLE.get(name).copied()
}

/// Lists the names of all functions, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

impl Function {
    fn parameter(&self, index: usize) -> Option<Parameter> {
        self.parameters.get(index).copied().or(self.variadic)
    }

    /// Calls the function.
    ///
    /// If an argument is unknown where the function has to know it, the result is an unknown of the result's type.
    ///
    /// # Errors
    ///
    /// Fails if the arguments do not fit, or the function itself does.
    pub fn call(&self, arguments: &[Value], host: &Host<'_>) -> Result<Value, CallError> {
        if let Some(missing) = self.parameters.get(arguments.len()) {
            return Err(CallError::TooFew { parameter: missing.name });
        }
        if self.variadic.is_none() && arguments.len() > self.parameters.len() {
            return Err(CallError::TooMany { limit: self.parameters.len() });
        }
        let mut converted = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            let Some(parameter) = self.parameter(index) else { continue };
            let refuse = |message: String| CallError::Argument { index, parameter: parameter.name, message };
            if argument.is_null() && !parameter.allows_null {
                return Err(refuse("argument must not be null".to_owned()));
            }
            converted.push(convert(argument, &(parameter.kind)()).map_err(|error| refuse(error.to_string()))?);
        }
        let is_open = match self.unknowns {
            Unknowns::Refused => !converted.iter().all(Value::is_wholly_known),
            Unknowns::Inside => !converted.iter().all(Value::is_known),
            Unknowns::Seen => false,
        };
        if is_open {
            return Ok(Value::Unknown((self.result)(&converted)));
        }
        (self.run)(&converted, host).map_err(|fault| match fault {
            Fault::Argument(index, message) => {
                let parameter = self.parameter(index).map_or("", |parameter| parameter.name);
                CallError::Argument { index, parameter, message }
            }
            Fault::Other(message) => CallError::Failed { message },
        })
    }
}

/// Takes the text of an argument whose parameter is one of texts.
fn text(arguments: &[Value], index: usize) -> &str {
    arguments.get(index).and_then(Value::as_text).unwrap_or_default()
}

/// Takes a whole number.
fn whole(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    match arguments.get(index) {
        Some(Value::Number(number)) => {
            number.to_i64().ok_or_else(|| Fault::Argument(index, "a whole number is required".to_owned()))
        }
        _ => Err(Fault::Argument(index, "a number is required".to_owned())),
    }
}

/// Takes the texts of a list of texts; null elements are refused.
fn texts(value: &Value, index: usize) -> Result<Vec<&str>, Fault> {
    let items = value.items().unwrap_or_default();
    let text = |item| Value::as_text(item).ok_or_else(|| Fault::Argument(index, "an element is null".to_owned()));
    items.iter().map(text).collect()
}

#[cfg(test)]
mod tests;
