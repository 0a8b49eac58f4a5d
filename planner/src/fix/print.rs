//! JSON as `packer fix` prints it: Go's indented output, with a few marks of its own.
//!
//! Keys are sorted by their bytes. Numbers are 64-bit floats. `&` and the two line separators of Unicode are escaped,
//! `<` and `>` are not. An empty line ends the text: one line end is Go's, the other comes from Packer's printing.
//!
//! Packer also shortens the text `\u003c` inside strings, where it is no escape, and so breaks the JSON; we do not.
//!
//! Nothing here recurses, so that depth is no danger.

use std::fmt::Write;
use std::vec::IntoIter;

use serde_json::{Number, Value};

/// Prints a value as `packer fix` prints a template, with the empty line at its end.
pub fn print(value: &Value) -> String {
    let mut out = String::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value);
    while let Some(value) = next {
        open.extend(begin(&mut out, value));
        next = None;
        while let Some(innermost) = open.last_mut() {
            let Some((key, value)) = innermost.rest.next() else {
                let close = innermost.close;
                open.pop();
                break_line(&mut out, open.len());
                out.push(close);
                continue;
            };
            if !std::mem::take(&mut innermost.is_first) {
                out.push(',');
            }
            break_line(&mut out, open.len());
            if let Some(key) = key {
                write_string(&mut out, key);
                out.push_str(": ");
            }
            next = Some(value);
            break;
        }
    }
    out.push_str("\n\n");
    out
}

/// A list or object whose end is still to be written.
struct Open<'a> {
    rest: IntoIter<(Option<&'a str>, &'a Value)>,
    is_first: bool,
    close: char,
}

/// Writes a value, or opens it if there are values inside.
fn begin<'a>(out: &mut String, value: &'a Value) -> Option<Open<'a>> {
    let (entries, close): (Vec<_>, _) = match value {
        Value::Null => return push(out, "null"),
        Value::Bool(true) => return push(out, "true"),
        Value::Bool(false) => return push(out, "false"),
        Value::Number(number) => return push(out, &go_number(number)),
        Value::String(text) => {
            write_string(out, text);
            return None;
        }
        Value::Array(items) if items.is_empty() => return push(out, "[]"),
        Value::Object(keys) if keys.is_empty() => return push(out, "{}"),
        Value::Array(items) => {
            out.push('[');
            (items.iter().map(|item| (None, item)).collect(), ']')
        }
        Value::Object(keys) => {
            out.push('{');
            let mut entries: Vec<_> = keys.iter().map(|(key, item)| (Some(key.as_str()), item)).collect();
            // The map sorts its keys too, unless another crate asks serde_json to preserve their order.
            entries.sort_by_key(|(key, _)| *key);
            (entries, '}')
        }
    };
    Some(Open { rest: entries.into_iter(), is_first: true, close })
}

fn push<'a>(out: &mut String, text: &str) -> Option<Open<'a>> {
    out.push_str(text);
    None
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Go writes these two so since 1.22, and `\u0008`, `\u000c` before.
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// The shortest text that reads as the same number, in the form that Go's JSON writer chooses for it.
fn go_number(number: &Number) -> String {
    let Some(float) = number.as_f64() else {
        // Only numbers of arbitrary precision come here, beyond any float.
        return number.to_string();
    };
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn printed(value: &Value) -> String {
        let text = print(value);
        text.strip_suffix("\n\n").expect("an empty line at the end").to_owned()
    }

    fn printed_text(text: &str) -> String {
        printed(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn objects_are_sorted_and_indented() {
        assert_eq!(
            print(&json!({"b": [1, {"d": null, "c": [true]}], "a": {}, "B": []})),
            "{\n  \"B\": [],\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"c\": [\n        true\n      ],\n      \
             \"d\": null\n    }\n  ]\n}\n\n"
        );
    }

    #[test]
    fn keys_are_sorted_by_bytes() {
        assert_eq!(
            printed_text(r#"{"é": 1, "z": 2, "Z": 3, "": 4, "_": 5, "-": 6, "za": 7}"#),
            "{\n  \"\": 4,\n  \"-\": 6,\n  \"Z\": 3,\n  \"_\": 5,\n  \"z\": 2,\n  \"za\": 7,\n  \"é\": 1\n}"
        );
    }

    #[test]
    fn numbers_are_floats_in_the_form_go_chooses() {
        for (number, text) in [
            ("1e3", "1000"),
            ("1.0", "1"),
            ("-0", "-0"),
            ("0.0", "0"),
            ("5.50", "5.5"),
            ("9007199254740993", "9007199254740992"),
            ("12345678901234567890", "12345678901234567000"),
            ("123456789012345678901", "123456789012345680000"),
            ("999999999999999999999", "1e+21"),
            ("1e21", "1e+21"),
            ("-1.5e22", "-1.5e+22"),
            ("1e100", "1e+100"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("-1.25e-10", "-1.25e-10"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            assert_eq!(printed_text(number), text, "{number}");
        }
    }

    #[test]
    fn strings_escape_what_go_escapes() {
        for (text, printed_as) in [
            ("<a> & \"b\" \\ /", r#""<a> \u0026 \"b\" \\ /""#),
            ("\n\r\t\u{1}\u{1f}\u{7f}", "\"\\n\\r\\t\\u0001\\u001f\u{7f}\""),
            ("\u{8}\u{c}", r#""\b\f""#),
            ("\u{2028}\u{2029}\u{2027}é😀", "\"\\u2028\\u2029\u{2027}é😀\""),
            ("\\u003c", r#""\\u003c""#),
        ] {
            assert_eq!(printed(&json!(text)), printed_as);
        }
        assert_eq!(printed(&json!({"a&b": 1})), "{\n  \"a\\u0026b\": 1\n}");
    }

    #[test]
    fn depth_is_no_danger() {
        let depth = 1_000;
        let nested = (1..depth).fold(json!([]), |inner, _| Value::Array(vec![inner]));
        let text = print(&nested);
        assert_eq!(text.matches('[').count(), depth);
        assert_eq!(text.matches(']').count(), depth);
    }
}
