//! Text in, plan out.
//!
//! ```text
//! text --template--> Template --lower--> Graph --plan--> Plan --render--> text
//! ```
//!
//! Each arrow is one function in one file; nothing reaches back. This crate has no async, no network, no clock and
//! prints nothing: time, environment and random ids enter as values in [`lower::Inputs`], so that one input has one
//! plan.

mod blocks;
pub mod catalog;
pub mod chain;
pub mod diagnostic;
pub mod expression;
pub mod fix;
pub mod gotemplate;
pub mod graph;
pub mod hcl;
pub mod inspect;
pub mod key;
pub mod late;
pub mod lower;
pub mod plan;
pub mod render;
pub mod span;
pub mod template;
pub mod upgrade;
pub mod value;
