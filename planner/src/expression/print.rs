//! Values as `console` and `inspect` print them.

use super::number::Number;
use super::value::Value;
use crate::gotemplate::quote::quote;

/// Prints a value: a text as it is, collections over several lines, a word for what holds something unknown.
#[must_use]
pub fn print(value: &Value) -> String {
    if !value.is_wholly_known() {
        return "<unknown>".to_owned();
    }
    match value {
        Value::String(text) => text.to_string(),
        other => nested(other),
    }
}

fn nested(value: &Value) -> String {
    match value {
        Value::Unknown(_) => "<unknown>".to_owned(),
        Value::Null(_) => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::String(text) => quote(text),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            if items.is_empty() {
                return "[]".to_owned();
            }
            let lines: String = items.iter().map(|item| format!("{},\n", indented(&nested(item)))).collect();
            format!("[\n{lines}]")
        }
        Value::Map(_, members) | Value::Object(members) => {
            let lines: String = members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| format!("{}\n", indented(&format!("{} = {}", quote(name), nested(member)))))
                .collect();
            if lines.is_empty() { "{}".to_owned() } else { format!("{{\n{lines}}}") }
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Whole numbers of 64 bits as they are, others as Go prints a double.
fn number_text(number: &Number) -> String {
    match number.to_i64() {
        Some(whole) => whole.to_string(),
        None => crate::gotemplate::float::format(number.to_f64(), 'g', None),
    }
}
