//! Data sources: values that an HCL2 template asks somebody for before anything is planned.
//!
//! | file | asks |
//! | --- | --- |
//! | `http.rs` | a web server |
//!
//! `null` gives back what it is given and is the planner's own. A new one is one file and one line in the table.

mod http;

use rpk_planner::catalog::{ComponentSpec, Settings};
use rpk_planner::expression::value::Value;

use crate::failure::Outcome;

/// The data sources that can be asked.
pub const DATA_SOURCES: &[&dyn DataSourceType] = &[&http::Http];

/// A type of data source.
pub trait DataSourceType: Send + Sync {
    /// Describes it to the planner.
    fn spec(&self) -> ComponentSpec;

    /// Asks, and returns the object whose attributes templates use.
    ///
    /// It may take as long as the other side takes.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or one that says no.
    fn ask(&self, settings: &Settings) -> Outcome<Value>;
}
