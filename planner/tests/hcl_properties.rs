//! What must hold for any text.

mod support;

use rpk_planner::catalog::{Catalog, known_components};
use rpk_planner::hcl::ast::{Body, Item};
use rpk_planner::hcl::token::TokenKind;
use rpk_planner::hcl::{MAX_DEPTH, format, parse, parse_expression, parse_template, scanner};
use rpk_planner::lower::Selection;
use rpk_planner::lower::hcl::{HclInputs, lower_hcl};
use rpk_planner::span::Sources;
use std::time::{Duration, Instant};
use support::{corpus, mutate::Mutator};

fn mutants(seed: u64, count: usize) -> impl Iterator<Item = String> {
    let mut mutator = Mutator::new(seed, &corpus());
    std::iter::repeat_with(move || mutator.mutant()).take(count)
}

/// Lists kinds and texts of tokens, without what formatting may move.
fn words(text: &str) -> Vec<(TokenKind, String)> {
    scanner::scan(text).into_iter().map(|token| (token.kind, text[token.span.range()].to_owned())).collect()
}

/// Tells whether removing blanks can join tokens: `1 . 5` becomes a number, and HCL does no better.
fn joins(text: &str) -> bool {
    let kinds: Vec<TokenKind> = scanner::scan(text).iter().map(|token| token.kind).collect();
    kinds.windows(2).any(|pair| {
        matches!(pair, [TokenKind::Dot, TokenKind::Number] | [TokenKind::Number, TokenKind::Dot | TokenKind::Ellipsis])
    })
}

#[test]
fn formatting_keeps_the_tokens_of_valid_files() {
    for text in mutants(11, 1500) {
        if parse(&text).errors.is_empty() && !joins(&text) {
            assert_eq!(words(&format(&text)), words(&text), "{text:?}");
        }
    }
}

#[test]
fn formatting_twice_changes_nothing() {
    for text in mutants(12, 1500) {
        if parse(&text).errors.is_empty() && !joins(&text) {
            let once = format(&text);
            assert_eq!(format(&once), once, "{text:?}");
        }
    }
}

#[test]
fn what_was_valid_is_valid_when_formatted() {
    for text in mutants(13, 1500) {
        if parse(&text).errors.is_empty() && !joins(&text) {
            assert_eq!(parse(&format(&text)).errors, [], "{text:?}");
        }
    }
}

#[test]
fn tokens_cover_all_but_blanks_in_order() {
    for text in mutants(14, 1500) {
        for tokens in [scanner::scan(&text), scanner::scan_tolerant(&text), scanner::scan_template(&text)] {
            let mut end = 0;
            for token in &tokens {
                let range = token.span.range();
                let blanks = text[end..range.start].trim_start_matches('\u{feff}');
                assert!(blanks.chars().all(|c| c == ' ' || c == '\t'), "{text:?}: {blanks:?} before {token:?}");
                end = range.end;
            }
            assert_eq!(end, text.len(), "{text:?}");
        }
    }
}

#[test]
fn strict_and_tolerant_scans_agree_on_valid_files() {
    for text in mutants(15, 1500) {
        if parse(&text).errors.is_empty() {
            assert_eq!(scanner::scan(&text), scanner::scan_tolerant(&text), "{text:?}");
        }
    }
}

#[test]
fn no_bytes_make_a_panic() {
    let mut mutator = Mutator::new(16, &corpus());
    let few = b"\"${}%~{[()]=.*-<X\n\r# /a1\\$\t\xc3\xa9\xff:,!?&|";
    for round in 0..4000 {
        let length = mutator.below(120);
        let bytes: Vec<u8> = (0..length)
            .map(|_| if round % 4 == 0 { mutator.below(256) as u8 } else { few[mutator.below(few.len())] })
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        check_spans(&text);
        let _ = (format(&text), parse_expression(&text), parse_template(&text));
    }
}

/// Parses a text and checks that everything is where it is said to be.
fn check_spans(text: &str) {
    let parsed = parse(text);
    check_body(text, &parsed.tree);
    for error in &parsed.errors {
        assert!(text.get(error.span.range()).is_some(), "{text:?}: {error:?}");
        assert!(error.related.as_ref().is_none_or(|(span, _)| text.get(span.range()).is_some()), "{text:?}: {error:?}");
        assert!(!error.message.ends_with('.') && error.code.starts_with("rpk::hcl::"), "{error:?}");
    }
}

fn check_body(text: &str, body: &Body) {
    for item in &body.items {
        let (name, span) = match item {
            Item::Attribute(attribute) => (&attribute.name, attribute.span),
            Item::Block(block) => {
                check_body(text, &block.body);
                assert!(text[block.span.range()].starts_with(&text[block.header.range()]));
                (&block.kind, block.span)
            }
        };
        assert_eq!(name.text, text[name.span.range()]);
        assert!(text[span.range()].starts_with(&name.text));
    }
}

#[test]
fn spans_of_mutants_lie_in_the_text() {
    for text in mutants(17, 2000) {
        check_spans(&text);
    }
}

#[test]
fn errors_stay_few_and_deep_nesting_is_refused() {
    for opener in
        ["(", "[", "{a=", "-", "!", "f(", "\"${", "x[", "a ? ", "b ? c : ", "[for x in ", "x[*]", "x.*", "[y]", "1+("]
    {
        let errors = parse(&format!("a = {}", opener.repeat(30_000))).errors;
        assert!(!errors.is_empty() && errors.len() <= 100, "{opener}: {}", errors.len());
    }
    for (open, close) in [("(", ")"), ("[", "]"), ("{a=", "}"), ("\"${", "}\""), ("f(", ")"), ("x[", "]")] {
        for (depth, fits) in [(MAX_DEPTH - 2, true), (MAX_DEPTH * 50, false)] {
            let text = format!("a = {}1{}", open.repeat(depth), close.repeat(depth));
            let errors = parse(&text).errors;
            assert_eq!(errors.is_empty(), fits, "{open} {depth}: {errors:?}");
        }
    }
    let blocks = format!("{}{}", "b {\n".repeat(10_000), "}\n".repeat(10_000));
    assert_eq!(parse(&blocks).errors[0].code, "rpk::hcl::too_deep");
    let directives = format!("a = \"{}{}\"", "%{if x}".repeat(10_000), "%{endif}".repeat(10_000));
    assert_eq!(parse(&directives).errors[0].code, "rpk::hcl::too_deep");
}

#[test]
fn long_chains_are_not_deep() {
    for (first, next) in [("1", " + 1"), ("x", ".y"), ("x", "[0]"), ("a", " && b")] {
        let text = format!("a = {first}{}\n", next.repeat(50_000));
        assert_eq!(parse(&text).errors, [], "{next}");
    }
}

#[test]
fn time_is_linear() {
    // Generous, for debug builds on busy machines; a quadratic step would take minutes.
    let limit = Duration::from_secs(20);
    let unit = "b \"l\" {\n  a = [1, \"x ${y} z\", { k = v }]\n  # c\n}\n";
    let kinds = [
        unit.to_owned(),
        "/* ".into(),
        "<<".into(),
        "\"".into(),
        "a = \"\n".into(),
        "a = <<X\n".into(),
        "${".into(),
        "a = [\n".into(),
        "a {\n".into(),
        "\n".into(),
        "# c\n".into(),
        "a = (\n\n\n".into(),
        "x y\n".into(),
        "a = 1 2\n".into(),
        "'".into(),
        ") ".into(),
        "a = \"${\"\n".into(),
        "a = <<X\nX y\n".into(),
        "1.".into(),
        "$".into(),
        "é".into(),
        "a={b={".into(),
        "]}".into(),
        "{\n}\n".into(),
    ];
    for kind in kinds {
        let text = kind.repeat(100_000 / kind.len());
        let start = Instant::now();
        let is_valid = parse(&text).errors.is_empty();
        let _ = parse_template(&text);
        // Indentation alone makes the output quadratic where depth has no bound; valid files have one.
        if is_valid || !kind.contains('\n') {
            let _ = format(&text);
        }
        assert!(start.elapsed() < limit, "{kind:?}: {:?}", start.elapsed());
    }
}

/// Reads and lowers a text as a template, and checks that every place that is named lies in it.
fn lower_text(text: &str, catalog: &dyn Catalog) {
    let mut sources = Sources::default();
    let file = sources.add("image.pkr.hcl", text);
    let (template, mut problems) = rpk_planner::template::hcl::read(&sources, &[file]);
    let (graph, _, found) = lower_hcl(&template, &HclInputs::default(), &Selection::default(), catalog, &sources);
    assert!(graph.is_some() || found.has_errors(), "{text:?}");
    problems.extend(found);
    for label in problems.iter().flat_map(|problem| &problem.labels) {
        assert!(text.get(label.span.range()).is_some(), "{text:?} {label:?}");
    }
}

#[test]
fn mutants_are_lowered_or_refused() {
    let catalog = known_components();
    for text in mutants(17, 3000) {
        lower_text(&text, &catalog);
    }
}

#[test]
fn a_chain_of_local_values_takes_linear_time_and_no_stack() {
    let catalog = known_components();
    let chain: String = (1..10_000).map(|index| format!("x{index} = local.x{} + 1\n", index - 1)).collect();
    lower_text(&format!("locals {{\nx0 = 1\n{chain}}}\n"), &catalog);
}
