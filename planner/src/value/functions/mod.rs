//! Packer's functions for templates, on top of the language in [`gotemplate`](crate::gotemplate).
//!
//! | file | functions |
//! | --- | --- |
//! | `packer.rs` | the table of all functions; `user`, `env`, `uuid`, secrets and others that answer from the context |
//! | `build_data.rs` | `build`, and the data that stands in for a build's until it runs |
//! | `text.rs` | `upper`, `lower`, `replace`, `replace_all`, `split`, `clean_resource_name` |
//! | `go_time.rs` | the layouts of `isotime` and `strftime` |
//!
//! Nothing here reads a clock, the environment or a store: all of that is in the
//! [`Context`](crate::value::interpolation::Context), so that one input gives one result.

mod build_data;
mod go_time;
mod packer;
mod text;

pub use build_data::{build_data_names, placeholder_data};
pub(crate) use go_time::{MONTHS, RFC_3339, WEEKDAYS, format as go_format, strftime};
pub(crate) use packer::{PackerFunctions, is_function};
pub use text::ResourceNames;
pub(crate) use text::{lower as lower_case, upper as upper_case};
