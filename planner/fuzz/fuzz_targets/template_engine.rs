//! Feeds arbitrary text to the template engine: nothing may panic, hang or exhaust the memory, and the places that
//! errors name must lie within the text.
//!
//! Run with `cargo fuzz run template_engine`; `tests/recorded/gotemplate/cases.txt` makes a good first corpus.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use rpk_planner::value::functions::{ResourceNames, placeholder_data};
use rpk_planner::gotemplate::Value;
use rpk_planner::value::interpolation::{Context, PACKER_VERSION, Phase, parse, render, seeded_random};
use rpk_planner::value::variables::resolve;

fuzz_target!(|text: &str| {
    let variables = BTreeMap::from([("a".to_owned(), "value".to_owned()), ("t".to_owned(), "{{.Name}}".to_owned())]);
    let random = seeded_random(0);
    let context = Context {
        phase: Phase::Plugin,
        variables: &variables,
        environment: &variables,
        started: Timestamp::UNIX_EPOCH,
        random: &random,
        template_dir: Some("/templates"),
        pwd: "/work",
        packer_version: PACKER_VERSION,
        build_name: Some("name"),
        build_type: Some("null"),
        resource_names: Some(ResourceNames::Azure),
        secret_source: None,
    };
    let _ = parse(text, &context).map(|template| template.calls());
    for phase in [Phase::Core, Phase::Plugin, Phase::Runtime] {
        let context = Context { phase, ..context };
        for data in [Value::Nil, placeholder_data(&["Mine"])] {
            match render(text, &context, &data) {
                Ok(rendered) => assert!(text.contains("{{") || rendered == text),
                Err(error) => assert!(error.span().is_none_or(|span| text.get(span).is_some())),
            }
        }
    }
    let declared = BTreeMap::from([
        ("text".to_owned(), Some(text.to_owned())),
        ("user".to_owned(), Some("{{user `text`}}".to_owned())),
    ]);
    let resolution = resolve(&declared, &BTreeMap::new(), &BTreeSet::new(), &context);
    assert_eq!(resolution.values.len() == 2, resolution.errors.is_empty());
});
