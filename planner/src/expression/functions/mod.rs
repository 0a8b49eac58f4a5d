//! The functions that HCL2 expressions may call: the table and the rules of a call.
//!
//! | file | family |
//! | --- | --- |
//! | `text.rs` | texts |
//! | `numeric.rs`, `double.rs` | numbers |
//! | `collection.rs`, `mapping.rs`, `set.rs` | lists, maps, sets |
//! | `format.rs` | `format` and `formatlist` |
//! | `regex.rs`, `re2.rs` | regular expressions, and their syntax |
//! | `time.rs`, `calendar.rs` | dates and times, and the days of the calendar |
//! | `encoding.rs` with `deflate.rs`, `huffman.rs`; `charset.rs`, `json.rs`, `yaml.rs`, `yaml_text.rs`, `csv.rs` | other notations |
//! | `crypto.rs` | digests, random ids, secrets |
//! | `network.rs` | addresses of networks |
//! | `files.rs`, `glob.rs` | paths and files, and patterns for them |
//!
//! Each file has a table of its functions; a function is one row. `can`, `convert`, `templatefile` and `try` take
//! their arguments unevaluated and are the evaluator's.

mod calendar;
mod charset;
mod collection;
mod crypto;
mod csv;
mod deflate;
mod double;
mod encoding;
mod files;
mod format;
mod glob;
mod huffman;
mod json;
mod mapping;
mod network;
mod numeric;
mod re2;
mod regex;
mod set;
mod text;
mod time;
mod yaml;
mod yaml_text;

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
    /// Whether the function is called with an unknown argument too; what is inside of arguments is its own matter.
    allows_unknown: bool,
    /// Whether the function is asked if the argument's type is not known either.
    allows_dynamic: bool,
}

const fn parameter(name: &'static str, kind: fn() -> Type) -> Parameter {
    Parameter { name, kind, allows_null: false, allows_unknown: false, allows_dynamic: false }
}

impl Parameter {
    const fn nullable(mut self) -> Self {
        self.allows_null = true;
        self
    }

    const fn unknown(mut self) -> Self {
        self.allows_unknown = true;
        self
    }

    const fn dynamic(mut self) -> Self {
        self.allows_dynamic = true;
        self
    }
}

/// What a function does.
enum Body {
    /// Its results are of one type.
    Fixed { result: fn() -> Type, run: fn(&[Value], &Host<'_>) -> Outcome },
    /// The type of its result follows from the arguments, some of which may be unknown. That there is no such type is
    /// an error even then.
    Typed { result: fn(&[Value]) -> Result<Type, Fault>, run: fn(&[Value], &Type) -> Outcome },
}

/// A function.
pub struct Function {
    /// The name that templates use.
    pub name: &'static str,
    parameters: &'static [Parameter],
    /// Takes any number of further arguments.
    variadic: Option<Parameter>,
    body: Body,
}

/// Starts the row of a function whose results are of one type.
const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    result: fn() -> Type,
    run: fn(&[Value], &Host<'_>) -> Outcome,
) -> Function {
    Function { name, parameters, variadic: None, body: Body::Fixed { result, run } }
}

/// Starts the row of a function whose result's type follows from its arguments.
const fn typed(
    name: &'static str,
    parameters: &'static [Parameter],
    result: fn(&[Value]) -> Result<Type, Fault>,
    run: fn(&[Value], &Type) -> Outcome,
) -> Function {
    Function { name, parameters, variadic: None, body: Body::Typed { result, run } }
}

impl Function {
    const fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
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
    use super::Type;

    pub fn text() -> Type {
        Type::String
    }

    pub fn number() -> Type {
        Type::Number
    }

    pub fn flag() -> Type {
        Type::Bool
    }

    pub fn texts() -> Type {
        Type::list(Type::String)
    }

    pub fn dynamic() -> Type {
        Type::Dynamic
    }
}

static TABLE: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let families: [&'static [Function]; 15] = [
        text::FUNCTIONS,
        numeric::FUNCTIONS,
        collection::FUNCTIONS,
        mapping::FUNCTIONS,
        set::FUNCTIONS,
        format::FUNCTIONS,
        regex::FUNCTIONS,
        time::FUNCTIONS,
        encoding::FUNCTIONS,
        charset::FUNCTIONS,
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
        let refuse = |index: usize, message: String| {
            let parameter = self.parameter(index).map_or("", |parameter| parameter.name);
            CallError::Argument { index, parameter, message }
        };
        let fail = |fault: Fault| match fault {
            Fault::Argument(index, message) => refuse(index, message),
            Fault::Other(message) => CallError::Failed { message },
        };
        let mut converted = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            let Some(parameter) = self.parameter(index) else { continue };
            converted.push(convert(argument, &(parameter.kind)()).map_err(|error| refuse(index, error.to_string()))?);
        }
        for (index, argument) in converted.iter().enumerate() {
            let Some(parameter) = self.parameter(index) else { continue };
            if argument.is_null() && !parameter.allows_null {
                return Err(refuse(index, "argument must not be null".to_owned()));
            }
            if !parameter.allows_dynamic
                && matches!(argument, Value::Unknown(Type::Dynamic) | Value::Null(Type::Dynamic))
            {
                return Ok(Value::DYNAMIC);
            }
        }
        let result = match self.body {
            Body::Fixed { result, .. } => result(),
            Body::Typed { result, .. } => result(&converted).map_err(fail)?,
        };
        let has_to_wait = converted.iter().enumerate().any(|(index, argument)| {
            !argument.is_known() && self.parameter(index).is_some_and(|parameter| !parameter.allows_unknown)
        });
        if has_to_wait {
            return Ok(Value::Unknown(result));
        }
        match self.body {
            Body::Fixed { run, .. } => run(&converted, host).map_err(fail),
            Body::Typed { run, .. } => {
                let value = run(&converted, &result).map_err(fail)?;
                if value.kind().conforms_to(&result) {
                    return Ok(value);
                }
                Err(CallError::Failed {
                    message: format!("the result is a {}, and not the {result} promised", value.kind()),
                })
            }
        }
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

/// Takes the elements of a list, a set or a tuple.
fn items(arguments: &[Value], index: usize) -> &[Value] {
    arguments.get(index).and_then(Value::items).unwrap_or_default()
}

/// Takes the texts of a list of texts; null elements are refused.
fn texts(value: &Value, index: usize) -> Result<Vec<&str>, Fault> {
    let items = value.items().unwrap_or_default();
    let text = |item| Value::as_text(item).ok_or_else(|| Fault::Argument(index, "an element is null".to_owned()));
    items.iter().map(text).collect()
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
