//! The syntax of HCL2: scanner, parser and formatter.
//!
//! ```text
//! text --scan--> tokens --parse--> syntax tree and errors
//!                       --format--> text
//! ```
//!
//! Nothing here knows what a template means. The tree keeps what was written; values, functions and the names of
//! blocks are for others. Text comes in as UTF-8: whoever reads a file replaces what is not.
//!
//! | file | what stands there |
//! | --- | --- |
//! | `token.rs` | spans and kinds of tokens |
//! | `scanner.rs` | text to tokens, exactly as HCL cuts it |
//! | `ast.rs` | the syntax tree |
//! | `literal.rs` | escapes, and which numbers are numbers |
//! | `parser.rs`, `parser/` | tokens to tree, many errors in one pass |
//! | `relocate.rs` | moves a tree to another place |
//! | `format.rs`, `format/` | the canonical layout, as `packer fmt` writes it |

pub mod ast;
mod error;
mod format;
mod literal;
mod parser;
mod relocate;
pub mod scanner;
pub mod token;

pub use error::SyntaxError;
pub use format::format;
pub use parser::{MAX_DEPTH, Parsed, parse, parse_expression, parse_template};
pub(crate) use relocate::relocate;
pub use token::Span;
