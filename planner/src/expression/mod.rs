//! Values of HCL2 expressions: their types, conversions, operators, functions, and the evaluator.
//!
//! | file | holds |
//! | --- | --- |
//! | `number.rs` | numbers of 512 bits |
//! | `types.rs` | the types that values have |
//! | `decimal.rs` | numbers as decimal digits |
//! | `value.rs` | values: known, null, or not known yet |
//! | `equality.rs`, `set.rs` | which values are equal; what a set makes of its elements |
//! | `convert.rs` | conversion to a type |
//! | `unify.rs` | the type that several have in common |
//! | `type_expression.rs` | the language of types |
//! | `references.rs` | which variables an expression uses |
//! | `evaluate.rs`, `evaluate/` | from expressions to values |
//! | `print.rs` | values as people see them |
//! | `scope.rs` | what an expression may ask for: variables, files, the clock |
//! | `functions/` | the functions, one file a family |
//!
//! The rules are those of HashiCorp's `cty` 1.13, which HCL2 templates have always been evaluated with. Syntax is
//! [`hcl`](crate::hcl)'s; what variables there are and what blocks mean is [`lower`](crate::lower)'s.

pub mod convert;
mod decimal;
mod equality;
pub mod evaluate;
pub mod functions;
pub mod number;
pub mod print;
pub mod references;
pub mod scope;
mod set;
pub mod type_expression;
pub mod types;
pub mod unify;
pub mod value;
