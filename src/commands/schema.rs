//! `rpk schema`

use rpk_planner::catalog::legacy_schema;
use rpk_runtime::registry::Registry;

use crate::exit::Exit;
use crate::report::write_out;

/// Prints a JSON Schema of legacy templates.
pub fn run() -> Exit {
    write_out(&format!("{:#}\n", legacy_schema(&Registry::default())));
    Exit::Success
}
