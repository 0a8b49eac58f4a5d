//! Plans and graphs as text.
//!
//! | file | for |
//! | --- | --- |
//! | `compare.rs` | what a change does to a plan, in all forms |
//! | `diagram.rs` | drawings: DOT, Mermaid, SVG |
//! | `explain.rs` | people who ask about one node |
//! | `json.rs` | scripts: the documented, versioned form |
//! | `markdown.rs` | comments on pull requests |
//! | `markup.rs` | texts of templates in Markdown |
//! | `text.rs` | people: a terminal, a code review |

mod compare;
mod diagram;
mod explain;
mod json;
mod markdown;
mod markup;
mod text;

pub use compare::{comparison_json, comparison_markdown, comparison_text};
pub use diagram::{plan_dot, plan_mermaid, plan_svg};
pub use explain::node_explanation;
pub use json::{plan_json, write_plan_json};
pub use markdown::plan_markdown;
pub use text::plan_text;
