//! What holds for any text at all.

use proptest::prelude::*;

use super::{NoFunctions, Template, Value};

fn render(text: &str) -> Option<String> {
    let data = [("A", Value::from("text")), ("L", vec![1.into(), "b".into(), Value::Nil].into())].into_iter().collect();
    Template::parse("root", text, &|_| false).ok()?.execute(&data, &NoFunctions).ok()
}

/// Texts made of what templates are made of, so that many of them parse.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "(",
        ")",
        "|",
        ".",
        ".A",
        ".L",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "if ",
        "else ",
        "end",
        "range ",
        "with ",
        "define ",
        "template ",
        "block ",
        "break",
        "continue",
        "`a`",
        "\"b\"",
        "'c'",
        "1",
        "-2",
        "0x3",
        "1.5",
        "nil",
        "true",
        "print ",
        "printf ",
        "index ",
        "slice ",
        "eq ",
        "len ",
        "and ",
        "or ",
        "%d",
        "%[2]*.3v",
        "\\",
        "\"",
        "`",
        "'",
        "é",
        "\u{0}",
        "/*",
        "*/",
        "text",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = render(&text);
    }

    #[test]
    fn no_action_makes_it_panic(text in pieces()) {
        let _ = render(&text);
        let _ = render(&format!("{{{{{text}}}}}"));
    }

    #[test]
    fn no_format_makes_it_panic(format in "[%#0+ .*\\[\\]0-9a-zA-Zé-]{0,20}") {
        let _ = render(&format!("{{{{printf `{format}` 1 `é` 1.5 .L nil}}}}"));
    }

    #[test]
    fn spans_of_errors_lie_within_the_text(text in pieces()) {
        let span = match Template::parse("root", &text, &|_| false) {
            Err(error) => Some(error.span),
            Ok(template) => template.execute(&Value::Nil, &NoFunctions).err().map(|error| error.span),
        };
        if let Some(span) = span {
            prop_assert!(text.get(span).is_some());
        }
    }

    #[test]
    fn text_without_actions_stays_as_it_is(text in any::<String>()) {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(render(&text), Some(text));
    }

    #[test]
    fn quoted_text_reads_back_as_it_was(text in any::<String>()) {
        prop_assert_eq!(render(&format!("{{{{{}}}}}", super::quote::quote(&text))), Some(text));
    }
}
