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
            Ok(Value::string(&encode(&arguments[0])))
        },
    ),
];

/// Writes a known value.
pub(super) fn encode(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
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
    let file = sources.add("JSON", text(arguments, 0));
    match read_with(&sources, file, Duplicates::Kept) {
        Ok(setting) => Ok(value_of(&setting, text(arguments, 0))),
        Err(problems) => {
            let problem = problems.iter().next();
            Err(problem.map_or_else(|| "not JSON".to_owned(), |problem| problem.message.clone()).into())
        }
    }
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
