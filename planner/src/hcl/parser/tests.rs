//! Trees and errors, by small cases; `tests/differential.rs` compares many more trees with HCL itself.

use super::*;
use crate::hcl::ast::{BinaryOperator, Item, Literal, ObjectKey, StepKind, TemplatePart};

fn value(text: &str) -> Expression {
    let parsed = parse_expression(text);
    assert_eq!(parsed.errors, [], "{text}");
    parsed.tree
}

/// Returns codes and marked texts of the errors.
fn errors(text: &str) -> Vec<(&'static str, &str)> {
    let short = |code: &'static str| code.strip_prefix("rpk::hcl::").unwrap();
    parse(text).errors.iter().map(|error| (short(error.code), &text[error.span.range()])).collect()
}

fn literals(expression: &Expression) -> Vec<&str> {
    let ExpressionKind::Template(template) = &expression.kind else { panic!("no template: {expression:?}") };
    fn text(part: &TemplatePart) -> &str {
        match part {
            TemplatePart::Literal(literal) => literal.text.as_str(),
            _ => "…",
        }
    }
    template.parts.iter().map(text).collect()
}

#[test]
fn bodies_keep_order_and_places() {
    let text = "a = 1 # c\nb \"l\\\"1\" l2 {\n  c = x\n}\nd {}\ne { f = 2 }\n";
    let parsed = parse(text);
    assert_eq!(parsed.errors, []);
    let [Item::Attribute(a), Item::Block(b), Item::Block(d), Item::Block(e)] = parsed.tree.items.as_slice() else {
        panic!("{:?}", parsed.tree)
    };
    assert_eq!(&text[a.span.range()], "a = 1");
    assert_eq!(&text[b.header.range()], "b \"l\\\"1\" l2");
    assert_eq!(&text[b.span.range()], "b \"l\\\"1\" l2 {\n  c = x\n}");
    assert_eq!(&text[b.body.span.range()], "\n  c = x\n");
    let labels: Vec<_> = b.labels.iter().map(|label| (label.text.as_str(), label.is_quoted)).collect();
    assert_eq!(labels, [("l\"1", true), ("l2", false)]);
    assert_eq!((&text[d.span.range()], &text[e.span.range()]), ("d {}", "e { f = 2 }"));
    assert!(e.body.attribute("f").is_some() && e.body.attribute("g").is_none());
    assert_eq!(&text[parsed.tree.span.range()], text);
}

#[test]
fn operators_bind_by_precedence() {
    let expression = value("a || b + 1 * 2 - 3 == c");
    let ExpressionKind::Binary(or) = &expression.kind else { panic!() };
    assert_eq!(or.rest[0].operator, BinaryOperator::Or);
    let ExpressionKind::Binary(equal) = &or.rest[0].operand.kind else { panic!() };
    assert_eq!(equal.rest[0].operator, BinaryOperator::Equal);
    let ExpressionKind::Binary(sum) = &equal.first.kind else { panic!() };
    let operators: Vec<_> = sum.rest.iter().map(|step| step.operator).collect();
    assert_eq!(operators, [BinaryOperator::Add, BinaryOperator::Subtract]);
}

#[test]
fn spans_cover_what_was_written() {
    for text in [
        "a.b[0].c",
        "f(x, y...)",
        "-a.b",
        "a + b * c",
        "a ? b : c",
        "[1, 2]",
        "{ a = 1 }",
        "(a)",
        "\"x ${y}\"",
        "a.*.b.0",
        "a[*].b[c].d",
        "[for x in y : x]",
        "{for k, v in m : k => v... if v}",
        "ns::f()",
        "f(x)[y]",
        "a.*",
        "a[*]",
        "!a[b]",
    ] {
        assert_eq!(&text[value(text).span.range()], text);
        let spaced = format!("  {text} # c\n");
        assert_eq!(&spaced[value(&spaced).span.range()], text);
    }
}

#[test]
fn constant_steps_are_told_from_computed_ones() {
    let expression = value("a.b[0].1[\"k\"][true]");
    let ExpressionKind::Traversal(traversal) = &expression.kind else { panic!() };
    let kinds: Vec<_> = traversal.steps.iter().map(|step| step.kind.clone()).collect();
    let number = |text: &str| StepKind::Index(Literal::Number(text.into()));
    let expected = [
        StepKind::Attribute("b".into()),
        number("0"),
        number("1"),
        StepKind::Key("k".into()),
        StepKind::Index(Literal::Bool(true)),
    ];
    assert_eq!(kinds, expected);
    for text in ["a[b]", "a[\"${b}\"]", "a[-1]", "a[(0)]"] {
        assert!(matches!(value(text).kind, ExpressionKind::Index(_)), "{text}");
    }
    assert!(matches!(value("f(x).a").kind, ExpressionKind::RelativeTraversal(_)));
}

#[test]
fn an_index_after_a_dotted_splat_is_of_its_result() {
    let ExpressionKind::RelativeTraversal(outer) = value("a.*.b[0]").kind else { panic!() };
    assert!(matches!(outer.source.kind, ExpressionKind::Splat(splat) if !splat.is_full));
    assert!(matches!(value("a[*].b[0]").kind, ExpressionKind::Splat(splat) if splat.is_full));
}

#[test]
fn bare_words_are_keys_of_objects() {
    let ExpressionKind::Object(items) = value("{ a = 1, null : 2, (b) = 3\n \"c\" = 4, d.e = 5 }").kind else {
        panic!()
    };
    let names: Vec<_> = items
        .iter()
        .map(|item| match &item.key {
            ObjectKey::Name(name) => Some(name.text.as_str()),
            ObjectKey::Expression(_) => None,
        })
        .collect();
    assert_eq!(names, [Some("a"), Some("null"), None, None, None]);
}

#[test]
fn tildes_trim_the_literal_beside_them() {
    for (text, expected) in [
        (r#""a  ${~ b ~}  c""#, vec!["a", "…", "c"]),
        (r#""a\n\n ${~ b }\n c""#, vec!["a", "…", "\n c"]),
        (r#""${ b ~}  ""#, vec!["…", ""]),
        (r#""a $${~ b""#, vec!["a ${~ b"]),
        ("<<X\na\n  ${~ b ~}\n  c\nX\n", vec!["a\n", "…", "  c\n"]),
    ] {
        assert_eq!(literals(&value(text)), expected, "{text}");
    }
}

#[test]
fn indented_heredocs_lose_their_common_indentation() {
    for (text, expected) in [
        ("<<-X\n    a\n\n      b\n  X\n", vec!["a\n\n  b\n"]),
        ("<<X\n    a\n  X\n", vec!["    a\n"]),
        ("<<-X\n    a\n${b}\n  X\n", vec!["    a\n", "…", "\n"]),
        ("<<-X\n    a\n    ${b}\n  X\n", vec!["a\n", "…", "\n"]),
        ("<<-X\n\t a\n\t  b\n  X\n", vec!["a\n b\n"]),
        ("<<-X\n    %{ for x in y ~}\n    item ${x}\n    %{ endfor ~}\n    end\n  X\n", vec!["", "…", "    end\n"]),
    ] {
        assert_eq!(literals(&value(text)), expected, "{text}");
    }
}

#[test]
fn directives_nest() {
    let expression = value("\"%{ if a }b%{ for k, v in c }${v}%{ endfor }%{ else }d%{ endif ~}\"");
    let ExpressionKind::Template(template) = &expression.kind else { panic!() };
    let [TemplatePart::If(directive)] = template.parts.as_slice() else { panic!("{template:?}") };
    assert!(matches!(directive.then.as_slice(), [TemplatePart::Literal(_), TemplatePart::For(_)]));
    assert!(directive.middle.is_some() && directive.end.trims_after && !directive.start.trims_after);
    assert_eq!(directive.otherwise.len(), 1);
}

#[test]
fn a_lone_interpolation_keeps_its_value() {
    let lone = |text: &str| match value(text).kind {
        ExpressionKind::Template(template) => template.as_interpolation().is_some(),
        _ => false,
    };
    assert!(lone("\"${a}\""));
    assert!(!lone("\" ${a}\"") && !lone("\"${a}${b}\"") && !lone("\"a\"") && !lone("\"\""));
}

#[test]
fn bare_templates_take_quotes_and_line_breaks() {
    let parsed = parse_template("say \"${a}\"\nto $ and %{if b}c%{endif}\n$");
    assert_eq!(parsed.errors, []);
    assert_eq!(literals(&parsed.tree), ["say \"", "…", "\"\nto $ and ", "…", "\n$"]);
    assert_eq!(parse_template("${").errors[0].code, "rpk::hcl::unclosed_sequence");
}

#[test]
fn expressions_stand_alone() {
    for (text, code) in [("1 2", "unexpected"), ("", "unexpected"), ("[1", "unclosed_bracket"), ("a b {", "unexpected")]
    {
        assert_eq!(parse_expression(text).errors[0].code, format!("rpk::hcl::{code}"), "{text}");
    }
    value("\n1\n+\n2\n");
}

#[test]
fn mistakes_in_items_are_found_where_they_are() {
    for (text, expected) in [
        ("a = 1 b = 2\n", vec![("unexpected", "b")]),
        ("a = 1, b = 2\n", vec![("unexpected", ",")]),
        ("a\nb: 1\nc.d = 1\n", vec![("unexpected", "\n"), ("unexpected", ":"), ("unexpected", ".")]),
        ("\"a\" = 1\n", vec![("unexpected", "\"")]),
        ("a = 1\na = 2\n", vec![("duplicate_argument", "a")]),
        ("b \"l\" = {}\n", vec![("unexpected", "=")]),
        ("b\n{\n  a = 1 2\n}\n", vec![("unexpected", "\n"), ("unexpected", "2")]),
        ("b { a = 1, c = 2 }\n", vec![("unexpected", ",")]),
        ("b { c {} }\nb { a = 1\n}\n", vec![("unexpected", "c"), ("unexpected", "\n")]),
        ("b {} c {}\n", vec![("unexpected", "c")]),
        ("b {\n  a = 1 }\n", vec![("unexpected", "}")]),
        ("b \"${x}\" {}\n", vec![("template_in_label", "${")]),
        ("}\na = 1\n", vec![("stray_brace", "}")]),
        ("a = \n", vec![("unexpected", "\n")]),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
}

#[test]
fn what_is_never_closed_is_reported_where_it_opens() {
    for (text, expected) in [
        ("a = [1, 2\nb = 3\n", vec![("unclosed_bracket", "[")]),
        ("a = [\n  1,\n  2,\nb = 3\nc = (\n", vec![("unclosed_bracket", "["), ("unclosed_bracket", "(")]),
        ("b {\n  a = f(1\n}\nc = 1 2\n", vec![("unclosed_bracket", "("), ("unexpected", "2")]),
        ("b {\n  a = 1\n", vec![("unclosed_block", "{")]),
        ("a = \"b\nc = \"d\"\ne = \"f\n", vec![("unclosed_quote", "\""), ("unclosed_quote", "\"")]),
        ("a = \"${b\"\nc = 1\n", vec![("unclosed_sequence", "${")]),
        ("a = <<X\nb\n", vec![("unclosed_heredoc", "<<X")]),
        ("a = \"%{if b}c\"\n", vec![("unbalanced_directive", "%{if b}")]),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
}

#[test]
fn a_misaligned_brace_tells_where_one_is_missing() {
    let text = "b {\n  c {\n    a = 1\n}\nd {\n}\n";
    let error = &parse(text).errors[0];
    assert_eq!((error.code, error.span.start), ("rpk::hcl::unclosed_block", 2));
    assert_eq!(error.related.as_ref().unwrap().0.start, 20);
}

#[test]
fn near_markers_of_heredocs_are_shown() {
    for (text, start) in [("a = <<X\nb\nX", 10), ("a = [<<X\nb\n  X, 1]\n", 13)] {
        let parsed = parse(text);
        let error = parsed.errors.iter().find(|error| error.code == "rpk::hcl::unclosed_heredoc");
        assert_eq!(error.map(|error| error.related.as_ref().unwrap().0.start), Some(start), "{text}");
    }
}

#[test]
fn mistakes_in_expressions_do_not_hide_each_other() {
    for (text, expected) in [
        ("a = [1 2, +, 3 4]\n", vec![("unexpected", "2"), ("unexpected", "+"), ("unexpected", "4")]),
        ("a = { b = 1 c = 2, d = }\ne = *\n", vec![("unexpected", "c"), ("unexpected", "}"), ("unexpected", "*")]),
        ("a = f(1 2, , 3..., 4)\n", vec![("unexpected", "2"), ("unexpected", ","), ("unexpected", ",")]),
        ("a = \"${1 2} \\q ${*}\"\n", vec![("unexpected", "2"), ("unknown_escape", "\\q"), ("unexpected", "*")]),
        (
            "a = x.0.1\nb = x.*.*\nc = x.\"y\"\n",
            vec![("legacy_index", "0.1"), ("nested_splat", "*"), ("unexpected", "\"")],
        ),
        ("a = 'b'\nc = `d`\ne = f & g\n", vec![("bad_character", "'"), ("bad_character", "`"), ("bad_character", "&")]),
        ("a = “b”\nc = 1;\n", vec![("bad_character", "“"), ("bad_character", ";")]),
        ("a = [for x in y]\nb = [for x : x]\n", vec![("unexpected", "]"), ("unexpected", ":")]),
        ("a = [for x in y : x => x]\nb = {for x in y : x}\n", vec![("bad_for", "x"), ("bad_for", "x")]),
        ("a = \"%{endif}%{elseif}\"\n", vec![("unbalanced_directive", "%{endif}"), ("unknown_directive", "elseif")]),
        ("a = b ? c\nd = 1..2\n", vec![("unexpected", "\n"), ("bad_number", "1..2")]),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
}

#[test]
fn what_surrounds_a_mistake_is_kept() {
    let parsed = parse("a = [1, +, 3]\nb {\n  c = *\n  d = 2\n}\n");
    assert_eq!(parsed.errors.len(), 2);
    let ExpressionKind::Tuple(elements) = &parsed.tree.attribute("a").unwrap().value.kind else { panic!() };
    assert_eq!((elements.len(), &elements[1].kind), (3, &ExpressionKind::Invalid));
    let block = parsed.tree.blocks().next().unwrap();
    assert_eq!(block.body.attribute("c").unwrap().value.kind, ExpressionKind::Invalid);
    assert!(block.body.attribute("d").is_some());
}

#[test]
fn errors_say_what_to_do() {
    for (text, help) in [
        ("a = 'b'", "use double quotes"),
        ("a = 1, b = 2", "separate arguments by line breaks, without commas"),
        ("a = x.0.1", "write `[0][1]`"),
        ("a = b {\n}\n", "leave `=` out to define a block"),
        ("a = \"${b", "add `}`, or write `$${` if the text is meant for another language"),
        ("a = \"${b c}\"", "write `$${` if the text is meant for another language"),
    ] {
        assert_eq!(parse(text).errors[0].help.as_deref(), Some(help), "{text}");
    }
}
