//! Feeds arbitrary text to the reading, evaluating and formatting of HCL2 templates: nothing may panic, hang or
//! exhaust the memory, every place that is named must lie in the text, and formatting twice must change nothing.
//!
//! Run with `cargo fuzz run hcl_template`; the `*.pkr.hcl` files of `fixtures/` make a good first corpus.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpk_planner::catalog::{ComponentSpec, known_components};
use rpk_planner::hcl::{format, parse};
use rpk_planner::lower::Selection;
use rpk_planner::lower::hcl::{HclInputs, lower_hcl};
use rpk_planner::span::Sources;
use rpk_planner::template::hcl::read;

static CATALOG: LazyLock<Vec<ComponentSpec>> = LazyLock::new(known_components);

fuzz_target!(|text: &str| {
    for name in ["image.pkr.hcl", "image.pkr.json"] {
        let mut sources = Sources::default();
        let file = sources.add(name, text);
        let (template, mut problems) = read(&sources, &[file]);
        let (graph, _, found) = lower_hcl(&template, &HclInputs::default(), &Selection::default(), &*CATALOG, &sources);
        assert!(graph.is_some() || found.has_errors());
        problems.extend(found);
        for label in problems.iter().flat_map(|problem| &problem.labels) {
            assert!(text.get(label.span.range()).is_some());
        }
    }
    if parse(text).errors.is_empty() {
        let once = format(text);
        // `1 . 5` becomes a number when its blanks go, and HCL does no better.
        if parse(&once).errors.is_empty() && !text.contains('.') {
            assert_eq!(format(&once), once);
        }
    }
});
