//! The language of Go's `text/template`: text in, text out, in Go's words.
//!
//! This folder knows the language and nothing of Packer: which functions exist, and what they do, is the caller's
//! [`Functions`]. It performs no I/O. What is missing prints as `<no value>`; a wrong type, index or number of
//! arguments is an error in the text and at the place that Go's own error has.
//!
//! # Where it differs from Go
//!
//! - Parsing and execution are bounded ([`MAX_NESTING`], [`MAX_DEPTH`], [`MAX_STEPS`], [`MAX_BYTES`]); beyond the
//!   bounds there is an error where Go would run on.
//! - Strings are UTF-8. A literal such as `"\xff"` is refused, and so is a slice that cuts a character.
//! - There are no complex numbers, no unsigned integers (a byte of a string is an `int`), no functions among the
//!   values, and so nothing for `call` to call. Every list is a `[]interface {}`, every map a
//!   `map[string]interface {}`, in messages and for `%T`.
//! - Letters and digits in names are those of Rust's `char::is_alphanumeric`, which has a few more than Go.

mod ast;
mod builtins;
mod calls;
mod error;
mod exec;
pub(crate) mod float;
mod lexer;
mod number;
mod outline;
mod parser;
mod printf;
#[cfg(test)]
mod properties;
pub(crate) mod quote;
#[cfg(test)]
mod recorded;
mod template;
mod value;

pub use calls::Call;
pub use error::{ExecError, ParseError};
pub use outline::{Application, Argument, Piece};
pub use template::Template;
pub use value::Value;

/// How deep blocks and parentheses may nest in a text.
pub const MAX_NESTING: usize = 100;

/// How deep blocks, parentheses and calls of templates may nest when a template runs.
pub const MAX_DEPTH: usize = 250;

/// How many steps (nodes, commands, loop turns) a template may take.
pub const MAX_STEPS: usize = 2_000_000;

/// How many bytes a template may write, and how many its functions may make in all.
pub const MAX_BYTES: usize = 16 << 20;

/// The functions that templates may call besides the language's own, which they may replace.
pub trait Functions {
    /// Returns the parameters of a function, or nothing for an unknown one.
    fn signature(&self, name: &str) -> Option<Signature>;

    /// Calls a function; the arguments match its signature.
    ///
    /// # Errors
    ///
    /// The message, which the template's own error then carries behind `error calling NAME: `.
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String>;
}

/// The parameters of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The parameters that must be given.
    pub fixed: &'static [Parameter],
    /// The parameter that may follow any number of times.
    pub variadic: Option<Parameter>,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A string.
    String,
    /// An integer.
    Int,
    /// Anything.
    Any,
}

/// No functions besides the language's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn signature(&self, _: &str) -> Option<Signature> {
        None
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Value, String> {
        Err(format!("{} is not a defined function", quote::quote(name)))
    }
}
