//! The functions that HCL2 expressions may call: the table and the rules of a call.

use super::scope::Host;
use super::value::Value;

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

/// A function.
pub struct Function {
    /// The name that templates use.
    pub name: &'static str,
}

/// Finds a function by its exact name.
#[must_use]
pub fn find(_name: &str) -> Option<&'static Function> {
    None
}

/// Lists the names of all functions, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}

impl Function {
    /// Calls the function.
    ///
    /// If an argument is unknown where the function has to know it, the result is an unknown of the result's type.
    ///
    /// # Errors
    ///
    /// Fails if the arguments do not fit, or the function itself does.
    pub fn call(&self, arguments: &[Value], _host: &Host<'_>) -> Result<Value, CallError> {
        let _ = arguments;
        Err(CallError::Failed { message: format!("`{}` is not there", self.name) })
    }
}

/// Reads a file as text, for functions that take its content.
pub(super) fn read_text(_path: &str, _host: &Host<'_>) -> Result<String, String> {
    Err("not there".to_owned())
}
