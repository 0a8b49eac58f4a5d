//! JSON, as Go writes it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Function, Outcome, Type, Value, function, kinds, parameter, results, text};
use crate::expression::number::Number;
use crate::expression::scope::Host;
use crate::span::Sources;
use crate::value::json_text::{Duplicates, read_with};
use crate::value::{Setting, Value as Written};

pub(super) const FUNCTIONS: &[Function] = &[
    function("jsondecode", &[parameter("str", kinds::text)], results::dynamic, decode),
    function(
        "jsonencode",
        &[parameter("val", kinds::any).nullable().unknown().dynamic()],
        results::text,
        |arguments, _| {
            if !arguments[0].is_wholly_known() {
                return Ok(Value::Unknown(Type::String));
            }
            Ok(Value::string(&encode(&arguments[0])?))
        },
    ),
];

/// Writes a known value. Infinity cannot be written.
pub(super) fn encode(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write_value(value, &mut out);
    if has_infinity(value) { Err("cannot serialize infinity as JSON".to_owned()) } else { Ok(out) }
}

fn has_infinity(value: &Value) -> bool {
    match (value, value.items(), value.members()) {
        (Value::Number(number), ..) => number.is_infinite(),
        (_, Some(items), _) => items.iter().any(has_infinity),
        (_, _, Some(members)) => members.values().any(has_infinity),
        _ => false,
    }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Unknown(_) | Value::Null(_) => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(text, out),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Map(_, members) | Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write_value(member, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn decode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut sources = Sources::default();
    let file = sources.add("JSON", &without_exponents(text(arguments, 0)));
    match read_with(&sources, file, Duplicates::Kept) {
        Ok(setting) => Ok(value_of(&setting, text(arguments, 0))),
        Err(problems) => {
            let problem = problems.iter().next();
            Err(problem.map_or_else(|| "not JSON".to_owned(), |problem| problem.message.clone()).into())
        }
    }
}

/// Makes all exponents zero, for a reader that knows doubles only. No place in the text changes, so that the numbers
/// can be read from the text itself.
fn without_exponents(text: &str) -> String {
    let mut is_in_text = false;
    let mut is_escaped = false;
    let mut is_in_exponent = false;
    let mut last = ' ';
    text.chars()
        .map(|c| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match c {
                '"' if !was_escaped => is_in_text = !is_in_text,
                '\\' if is_in_text => is_escaped = !was_escaped,
                _ => {}
            }
            let starts = matches!(c, 'e' | 'E') && last.is_ascii_digit();
            is_in_exponent =
                !is_in_text && (starts || is_in_exponent && (c.is_ascii_digit() || matches!(c, '+' | '-')));
            last = c;
            if is_in_exponent && c.is_ascii_digit() { '0' } else { c }
        })
        .collect()
}

fn value_of(setting: &Setting, source: &str) -> Value {
    match &setting.value {
        Written::Null => Value::Null(Type::Dynamic),
        Written::Bool(flag) => Value::Bool(*flag),
        // The digits as they stand there: a double would lose some.
        Written::Number(double) => source
            .get(setting.span.range())
            .and_then(Number::parse)
            .or_else(|| Number::from_f64(*double))
            .map_or(Value::Null(Type::Number), Value::Number),
        Written::String(text) => Value::string(text),
        Written::List(items) => Value::tuple(items.iter().map(|item| value_of(item, source))),
        Written::Map(map) => {
            Value::object(map.iter().map(|entry| (Arc::from(entry.key.as_str()), value_of(&entry.setting, source))))
        }
    }
}
