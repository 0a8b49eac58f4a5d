//! JSON, as Go writes it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Function, Outcome, Type, Value, function, kinds, parameter, results, text};
use crate::expression::convert::convert;
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
    let file = sources.add("JSON", without_exponents(text(arguments, 0)));
    match read_with(&sources, file, Duplicates::Kept) {
        Ok(setting) => Ok(value_of(&setting, text(arguments, 0))?),
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

fn value_of(setting: &Setting, source: &str) -> Result<Value, String> {
    Ok(match &setting.value {
        Written::Null => Value::Null(Type::Dynamic),
        Written::Bool(flag) => Value::Bool(*flag),
        // The digits as they stand there: a double would lose some.
        Written::Number(_) => {
            let number = source.get(setting.span.range()).and_then(Number::parse);
            Value::Number(number.ok_or("a number is too large")?)
        }
        Written::String(text) => Value::string(text),
        Written::List(items) => {
            let items: Result<Vec<Value>, String> = items.iter().map(|item| value_of(item, source)).collect();
            Value::tuple(items?)
        }
        Written::Map(map) => {
            let mut members = Vec::new();
            for entry in map.iter() {
                members.push((Arc::<str>::from(entry.key.as_str()), value_of(&entry.setting, source)?));
            }
            same_kinds(&members)?;
            Value::object(members)
        }
    })
}

/// Checks that what stands before under a name could be read as what stands last under it. Packer decides about types
/// before it reads.
fn same_kinds(members: &[(Arc<str>, Value)]) -> Result<(), String> {
    let kinds: HashMap<&str, Type> = members.iter().map(|(name, value)| (name.as_ref(), value.kind())).collect();
    for (name, value) in members.iter().filter(|_| kinds.len() < members.len()) {
        let kind = &kinds[name.as_ref()];
        if !reads_as(value, kind) {
            return Err(format!("{kind} is required for every value of \"{name}\""));
        }
    }
    Ok(())
}

fn reads_as(value: &Value, kind: &Type) -> bool {
    match (value, kind) {
        (Value::Null(_), _) => true,
        (Value::Tuple(items), Type::Tuple(kinds)) => {
            items.len() == kinds.len() && items.iter().zip(kinds.iter()).all(|(item, kind)| reads_as(item, kind))
        }
        (Value::Object(members), Type::Object(attributes)) => {
            members.keys().eq(attributes.keys())
                && members.values().zip(attributes.values()).all(|(member, kind)| reads_as(member, &kind.kind))
        }
        (value, kind) => kind.is_primitive() && convert(value, kind).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::functions::tests::call;

    #[test]
    fn numbers_are_read_to_the_last_digit() {
        let decode = |text: &str| call("jsondecode", &[Value::string(text)]).ok();
        let number = |text: &str| Number::parse(text).map(Value::Number);
        for text in ["12345678901234567890123.5", "1e400", "-1.5e+3", "1E5"] {
            assert_eq!(decode(text), number(text), "{text}");
        }
        assert_eq!(decode("[\"1e9\\\"2e9\"]"), Some(Value::tuple([Value::string("1e9\"2e9")])));
        assert_eq!(decode("1e1000000"), None);
        assert_eq!(decode("1e"), None);
        assert_eq!(decode("{\"a\": {\"b\": 1}, \"a\": {}}"), None);
        assert!(decode("{\"a\": 1, \"a\": \"x\"}").is_some());
    }

    #[test]
    fn short_escapes_are_gos() {
        assert_eq!(encode(&Value::string("\u{8}\u{c}\u{1}<\u{7f}")), Ok("\"\\b\\f\\u0001\\u003c\u{7f}\"".to_owned()));
        assert!(encode(&Value::tuple([Value::Number(Number::INFINITY)])).is_err());
    }
}
