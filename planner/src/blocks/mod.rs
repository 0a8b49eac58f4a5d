//! What the blocks of an HCL2 template come to: the names their expressions may use, and a component's options.
//!
//! | file | holds |
//! | --- | --- |
//! | `globals.rs` | the values that every expression of a template may use |
//! | `scope.rs` | the names in one place: globals, the build at hand, iterators |
//! | `dynamic.rs` | `dynamic` blocks into the blocks they stand for |
//! | `body.rs` | a component's body into its options |
//!
//! Used twice: while a template is lowered, and again when a node starts whose options need the running machine.

mod body;
mod dynamic;
mod globals;
mod scope;

pub(crate) use body::{ComponentBody, Place};
pub(crate) use dynamic::{Expanded, expand, texts};
pub(crate) use globals::{Globals, Ground};
pub(crate) use scope::{BuildValues, TemplateScope, with_scope};
