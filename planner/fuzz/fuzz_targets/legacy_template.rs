//! Feeds arbitrary text to the reader of legacy templates and, where it is one, to everything up to the plan.
//!
//! Nothing may panic or hang; every place that a diagnostic names must lie within the text, on a character's boundary;
//! and a template that is read twice plans the same twice. Run with `cargo fuzz run legacy_template`; the templates
//! under `fixtures/` make a good first corpus.

#![no_main]

use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, Catalog, ComponentKind, ComponentSpec, block_list, boolean, duration, integer,
    known_components, matrix, string, string_list, string_map,
};
use rpk_planner::diagnostic::Diagnostics;
use rpk_planner::lower::{Inputs, Selection, lower};
use rpk_planner::key::NoFacts;
use rpk_planner::plan::{EmptyIndex, Options, plan};
use rpk_planner::render::{plan_json, plan_text};
use rpk_planner::span::Sources;
use rpk_planner::template::json;

/// The components known by name, and one of each kind with an option of each type.
struct Components(HashMap<(ComponentKind, String), ComponentSpec>);

impl Components {
    fn new() -> Self {
        let kinds = [ComponentKind::Builder, ComponentKind::Provisioner, ComponentKind::PostProcessor];
        let own = kinds.map(|kind| {
            ComponentSpec::new(kind, "x")
                .options([
                    string("s", ""),
                    boolean("b", ""),
                    integer("i", ""),
                    duration("d", ""),
                    string_list("l", ""),
                    matrix("m", ""),
                    string_map("o", ""),
                    block_list("k", "", vec![string("s", "").required()]),
                ])
                .captures(|_| ArtifactKind::Files)
                .flow(ArtifactFlow { takes: &[], gives: None, keeps_input: true, keep_is_forced: false })
        });
        let all = known_components().into_iter().chain(own);
        Self(all.map(|spec| ((spec.kind, spec.name.to_string()), spec)).collect())
    }
}

impl Catalog for Components {
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec> {
        self.0.get(&(kind, name.to_owned()))
    }

    fn names(&self, kind: ComponentKind) -> Vec<&str> {
        self.0.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect()
    }
}

fn check_places(sources: &Sources, problems: &Diagnostics) {
    for label in problems.iter().flat_map(|problem| &problem.labels) {
        let text = &sources.file(label.span.file).text;
        assert!(text.get(label.span.range()).is_some(), "{label:?}");
        let _ = sources.position(label.span);
    }
}

thread_local! {
    static COMPONENTS: Components = Components::new();
}

fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let file = sources.add("t.json", text);
    let (template, problems) = json::read(&sources, file);
    check_places(&sources, &problems);
    let Some(template) = template else { return };
    let _ = rpk_planner::inspect::text(&template);
    COMPONENTS.with(|components| {
        let texts = [(), ()].map(|()| {
            let (graph, problems) = lower(&template, &Inputs::default(), &Selection::default(), components);
            check_places(&sources, &problems);
            graph.map(|graph| {
                let plan = plan(graph, &NoFacts, &EmptyIndex, Options::default());
                plan_text(&plan, false) + &plan_json(&plan, "0", Vec::new())
            })
        });
        assert_eq!(texts[0], texts[1]);
    });
});
