//! Plans and graphs as text.
//!
//! | file | for |
//! | --- | --- |
//! | `text.rs` | people: a terminal, a code review |
//! | `json.rs` | scripts: the documented, versioned form |

mod json;
mod text;

pub use json::plan_json;
pub use text::plan_text;
