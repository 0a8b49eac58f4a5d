//! Template and inputs to graph: every value known that can be known beforehand, every component checked.
//!
//! | file | does |
//! | --- | --- |
//! | `chained.rs` | puts builds that need each other's artifacts in order |
//! | `console.rs` | renders single lines with a template's variables |
//! | `frame.rs` | what plugins are told beside their options |
//! | `hcl/` | lays out the builds of an HCL2 template |
//! | `legacy.rs` | lays out the builds of a legacy JSON template |
//! | `names.rs` | checks that names in `only`, `except`, `override` and on the command line exist |
//! | `overrides.rs` | lays a provisioner's override over its options |
//! | `rendering.rs` | renders `{{ … }}` in options and builder names |
//! | `nodes.rs` | makes the nodes and edges of one build |
//!
//! The order follows Packer: checks of the whole template, variables, names of builds, and then each chosen build's
//! components. Unlike in Packer an error ends nothing: all problems of a template come together.

mod chained;
mod console;
pub mod frame;
pub mod hcl;
mod legacy;
mod names;
mod nodes;
mod overrides;
mod rendering;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::{Build, Graph};
use crate::template::Template;
use crate::value::interpolation::PACKER_VERSION;
use crate::value::redactor::Redactor;
pub use console::Console;
pub(crate) use overrides::merge;
use rendering::Renderer;

/// Everything beside the template that values depend on.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Variables from `-var-file`, in the order of the files; later ones win.
    pub file_variables: Vec<(String, String)>,
    /// Variables from `-var`, in their order; later ones win, and all win over files.
    pub variables: Vec<(String, String)>,
    /// The process environment.
    pub environment: BTreeMap<String, String>,
    /// The instant that time functions answer with: Unix nanoseconds.
    pub now_nanoseconds: i128,
    /// The working directory.
    pub working_directory: String,
    /// The folder of the template.
    pub template_directory: String,
    /// Random bits for functions that give random ids.
    pub seed: u64,
}

/// Which builds and post-processors the command line chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// If given, just these builds.
    pub only: Option<Vec<String>>,
    /// All but these builds, and no post-processor of these names.
    pub except: Vec<String>,
}

impl Selection {
    fn includes(&self, build: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == build))
            && !self.except.iter().any(|name| name == build)
    }
}

/// Lowers a template.
///
/// Returns the graph, unless there are errors, and everything that was found on the way.
pub fn lower(
    template: &Template,
    inputs: &Inputs,
    selection: &Selection,
    catalog: &dyn Catalog,
) -> (Option<Graph>, Diagnostics) {
    let mut problems = Diagnostics::default();
    let graph = stages(template, inputs, selection, catalog, &mut problems);
    ((!problems.has_errors()).then_some(graph), problems)
}

/// Checks what concerns a template as a whole, before any value is known: that there is a builder, and that the names
/// of builds that it uses exist.
#[must_use]
pub fn check(template: &Template) -> Diagnostics {
    let mut problems = Diagnostics::default();
    names::check_template(template, &mut problems);
    problems
}

fn stages(
    template: &Template,
    inputs: &Inputs,
    selection: &Selection,
    catalog: &dyn Catalog,
    problems: &mut Diagnostics,
) -> Graph {
    names::check_template(template, problems);
    check_version(template, problems);
    let renderer = Renderer::new(template, inputs, problems);
    let builds = legacy::name_builds(template, selection, &renderer, problems);
    names::check_selection(selection, template, &builds, problems);

    let mut secrets: Vec<String> = renderer.secrets();
    let mut lay_out = |also: &BTreeSet<String>, problems: &mut Diagnostics| {
        let mut layout = legacy::Legacy { template, selection, renderer: &renderer, problems };
        let selected = builds.iter().map(|(build, builder)| {
            let is_selected = build.is_selected || also.contains(&build.id);
            (Build { is_selected, ..build.clone() }, *builder)
        });
        selected.map(|(build, builder)| layout.blueprint(build, builder)).collect()
    };
    let mut graph = chained::lower_builds(&mut lay_out, catalog, &renderer, &mut secrets, problems);
    graph.variables = renderer.shown_variables();
    graph.redactor = Redactor::new(secrets);
    graph.late = renderer.late();
    graph
}

fn check_version(template: &Template, problems: &mut Diagnostics) {
    let Some((wanted, span)) = &template.min_packer_version else {
        return;
    };
    match (version(wanted), version(PACKER_VERSION)) {
        (Some(wanted_parts), Some(ours)) if wanted_parts > ours => problems.push(
            Diagnostic::error(
                "rpk::lower::version",
                format!("this template requires Packer {wanted} or higher; rpk reads templates of {PACKER_VERSION}"),
            )
            .at(*span, "newer than what rpk knows"),
        ),
        (Some(_), _) => {}
        (None, _) => problems.push(
            Diagnostic::error("rpk::lower::version", format!("`{wanted}` is no version"))
                .at(*span, "expected a version such as `1.7.0`"),
        ),
    }
}

/// Splits a version into numbers, a pre-release before its release; none if it is malformed.
fn version(text: &str) -> Option<([u64; 3], bool, &str)> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (numbers, pre) = text.split_once('-').map_or((text, ""), |(numbers, pre)| (numbers, pre));
    let mut parts = [0; 3];
    let mut segments = numbers.split('.');
    for (part, segment) in parts.iter_mut().zip(segments.by_ref()) {
        *part = segment.parse().ok()?;
    }
    // Further numbers are allowed and compared as nothing.
    segments.all(|segment| segment.parse::<u64>().is_ok()).then_some((parts, pre.is_empty(), pre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_a_prerelease_comes_first() {
        for (low, high) in [("1.2.3", "1.10.0"), ("1.16.0-dev", "1.16.0"), ("0.8", "1")] {
            assert!(version(low) < version(high), "{low} {high}");
        }
        for malformed in ["x", "1.x", ">= 1.2", ""] {
            assert_eq!(version(malformed), None, "{malformed}");
        }
    }
}
