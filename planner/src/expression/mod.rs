//! Values of HCL2 expressions: their types, conversions, operators, functions, and the evaluator.
//!
//! | file | holds |
//! | --- | --- |
//! | `types.rs` | the types that values have |
//! | `value.rs` | values: known, null, or not known yet |
//! | `scope.rs` | what an expression may ask for: variables, files, the clock |
//! | `functions/` | the functions, one file a family |
//!
//! The rules are those of HashiCorp's `cty` 1.13, which HCL2 templates have always been evaluated with. Syntax is
//! [`hcl`](crate::hcl)'s; what variables there are and what blocks mean is [`lower`](crate::lower)'s.

pub mod functions;
pub mod number;
pub mod scope;
pub mod types;
pub mod value;
