//! Feeds arbitrary text to the reading, evaluating and formatting of HCL2 templates: nothing may panic, hang or
//! exhaust the memory, every place that is named must lie in the text, and formatting twice must change nothing.
//!
//! Run with `cargo fuzz run hcl_template`; the `*.pkr.hcl` files of `fixtures/` make a good first corpus.

#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rpk_planner::catalog::{Catalog, ComponentKind, ComponentSpec, known_components};
use rpk_planner::expression::scope::{FileKind, Files};
use rpk_planner::hcl::{format, parse};
use rpk_planner::lower::hcl::{Given, HclInputs, lower_hcl};
use rpk_planner::lower::{Inputs, Selection};
use rpk_planner::span::Sources;
use rpk_planner::template::hcl::read;

struct Known(Vec<ComponentSpec>);

impl Catalog for Known {
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec> {
        self.0.iter().find(|spec| spec.kind == kind && spec.name == name)
    }

    fn names(&self, kind: ComponentKind) -> Vec<&str> {
        self.0.iter().filter(|spec| spec.kind == kind).map(|spec| spec.name.as_ref()).collect()
    }
}

#[derive(Debug)]
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &str) -> io::Result<FileKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

static CATALOG: LazyLock<Known> = LazyLock::new(|| Known(known_components()));

fuzz_target!(|text: &str| {
    for name in ["image.pkr.hcl", "image.pkr.json"] {
        let mut sources = Sources::default();
        let file = sources.add(name, text);
        let (template, mut problems) = read(&sources, &[file]);
        let inputs = HclInputs {
            common: Inputs::default(),
            root: ".".to_owned(),
            given: Given::default(),
            files: Arc::new(NoFiles),
            data: BTreeMap::new(),
        };
        let (graph, _, found) = lower_hcl(&template, &inputs, &Selection::default(), &*CATALOG, &sources);
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
