//! Tokens, by small cases; `tests/differential.rs` compares many more with HCL itself.

use super::*;
use TokenKind as T;

fn kinds(tokens: &[Token]) -> Vec<TokenKind> {
    let (last, rest) = tokens.split_last().unwrap();
    assert_eq!(last.kind, T::End);
    rest.iter().map(|token| token.kind).collect()
}

/// Returns the texts of all tokens but the first three, `a`, `=` and what opens the template.
fn template_texts(text: &str) -> Vec<&str> {
    let texts: Vec<_> = scan(text).iter().map(|token| &text[token.span.range()]).collect();
    texts[3..texts.len() - 1].to_vec()
}

#[test]
fn numbers_take_all_that_looks_like_one() {
    for (text, length) in [
        ("1.5e+3", 6),
        ("1.2.3", 5),
        ("1.", 1),
        ("1...", 1),
        ("1..2", 4),
        ("1e", 1),
        ("1e+", 1),
        ("1.e5", 4),
        ("0x1", 1),
        ("12a", 2),
    ] {
        assert_eq!(scan(text)[0], Token { kind: T::Number, span: Span::new(0, length) }, "{text}");
    }
}

#[test]
fn identifiers_are_unicode_and_may_hold_dashes() {
    for text in ["a", "_", "a-b_c1", "é", "日本", "a\u{301}", "\u{e33}", "\u{fe72}"] {
        assert!(is_identifier(text), "{text}");
    }
    for text in ["", "-a", "1a", "a b", "a.b", "😀"] {
        assert!(!is_identifier(text), "{text}");
    }
}

#[test]
fn comments_own_their_line_break() {
    for (text, expected) in [
        ("# a\nb", vec![T::Comment, T::Identifier]),
        ("// a\r\nb", vec![T::Comment, T::Identifier]),
        ("/* a\n */\nb", vec![T::Comment, T::Newline, T::Identifier]),
        ("/* a", vec![T::Slash, T::Star, T::Identifier]),
        ("/*/ a */", vec![T::Comment]),
        ("# a", vec![T::Comment]),
    ] {
        assert_eq!(kinds(&scan(text)), expected, "{text}");
    }
}

#[test]
fn signs_that_open_nothing_are_tokens_of_their_own() {
    for (text, expected) in [
        (r#"a = "x$y$$z""#, vec!["x", "$", "y", "$", "$", "z", "\""]),
        (r#"a = "$${x}""#, vec!["$${", "x}", "\""]),
        (r#"a = "$$${x}""#, vec!["$", "$${", "x}", "\""]),
        (r#"a = "%%{~x}""#, vec!["%%{~", "x}", "\""]),
        (r#"a = "\"\$""#, vec![r#"\"\$"#, "\""]),
        ("a = <<X\na$b\nX\n", vec!["a", "$b", "\n", "X", "\n"]),
        ("a = <<X\n$bc\nX\n", vec!["$", "bc\n", "X", "\n"]),
        ("a = <<X\n$${\nX\n", vec!["$${\n", "X", "\n"]),
    ] {
        assert_eq!(template_texts(text), expected, "{text}");
    }
}

#[test]
fn heredocs_end_at_their_marker_alone_on_a_line() {
    for (text, expected) in [
        ("a = <<X\nb\n  X  \nc", vec!["b\n", "  X  ", "\n", "c"]),
        ("a = <<X\nX b\nX\n", vec!["X b\n", "X", "\n"]),
        ("a = <<X\n${b}X\nX\n", vec!["${", "b", "}", "X\n", "X", "\n"]),
        ("a = <<-X\r\nb\r\nX\r\n", vec!["b\r\n", "X", "\r\n"]),
        ("a = <<X\nX", vec!["X"]),
        ("a = <<X\nb\rc\nX\n", vec!["b", "\rc\nX\n"]),
    ] {
        assert_eq!(template_texts(text), expected, "{text}");
    }
    assert_eq!(kinds(&scan("<<X \n")), [T::Less, T::Less, T::Identifier, T::Newline]);
}

#[test]
fn braces_end_what_they_belong_to() {
    let expected = [
        T::OpenQuote,
        T::OpenInterpolation,
        T::OpenBrace,
        T::CloseBrace,
        T::CloseSequence,
        T::OpenDirective,
        T::Identifier,
        T::CloseSequence,
        T::CloseQuote,
        T::CloseBrace,
    ];
    assert_eq!(kinds(&scan("\"${~{}~}%{a}\"}")), expected);
}

#[test]
fn only_the_tolerant_scan_ends_strings_with_their_line() {
    let text = "a = \"${\"b\nc = 1\n";
    assert!(kinds(&scan(text)).contains(&T::QuotedNewline));
    let tolerant = kinds(&scan_tolerant(text));
    assert_eq!(
        tolerant[5..],
        [T::QuotedText, T::Cut, T::Cut, T::Cut, T::Newline, T::Identifier, T::Equal, T::Number, T::Newline]
    );
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(scan("\u{feff}a")[0], Token { kind: T::Identifier, span: Span::new(3, 4) });
    assert_eq!(kinds(&scan("a\u{feff}")), [T::Identifier, T::Invalid]);
}
