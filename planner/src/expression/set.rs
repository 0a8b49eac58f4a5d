//! What a set makes of its elements: equal ones once, in the order in which sets iterate.
//!
//! Texts, numbers and flags are ordered by value. For all other elements `cty` orders by a text that it makes of each;
//! since the order shows (in `jsonencode`, in `for`), the same text is made here.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::decimal::Decimal;
use super::number::Number;
use super::types::Type;
use super::value::Value;

impl Value {
    /// Makes a set of elements of one type: equal ones once, in the order in which sets iterate.
    ///
    /// Elements that are not known are equal to nothing, so all of them stay.
    pub fn set(element: Type, items: impl IntoIterator<Item = Value>) -> Self {
        let mut items: Vec<Value> = items.into_iter().collect();
        if element.is_primitive() {
            items.sort_by(order);
            items.dedup_by(|right, left| right == left && right.is_known());
            return Self::Set(element, items.into());
        }
        let mut keyed: Vec<(u8, String, Value)> =
            items.into_iter().map(|item| (rank(&item), sort_text(&item), item)).collect();
        keyed.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        let mut kept: Vec<(u8, String, Value)> = Vec::new();
        for next in keyed {
            // What is equal has equal texts; the reverse does not hold, as the texts round numbers.
            let is_there = kept
                .iter()
                .rev()
                .take_while(|other| other.1 == next.1)
                .any(|other| other.2.equals(&next.2) == Value::Bool(true));
            if !is_there {
                kept.push(next);
            }
        }
        Self::Set(element, kept.into_iter().map(|(_, _, item)| item).collect())
    }
}

/// Orders texts by code point, numbers by value, false before true; then what is unknown, then null.
fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Unknown(_) => 1,
        Value::Null(_) => 2,
        _ => 0,
    }
}

fn sort_text(value: &Value) -> String {
    let mut out = String::new();
    write_sort_text(value, &mut out);
    out
}

fn write_sort_text(value: &Value, out: &mut String) {
    let mut all = |open: char, items: &[Value], close: char| {
        out.push(open);
        for item in items {
            write_sort_text(item, out);
            out.push(';');
        }
        out.push(close);
    };
    match value {
        Value::Unknown(_) => out.push('?'),
        Value::Null(_) => out.push('~'),
        Value::Bool(flag) => out.push(if *flag { 'T' } else { 'F' }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => write_quoted(text, out),
        Value::List(_, items) | Value::Set(_, items) => all('[', items, ']'),
        Value::Tuple(items) => all('<', items, '>'),
        Value::Map(_, members) => {
            out.push('{');
            for (name, member) in members.iter() {
                write_quoted(name, out);
                out.push(':');
                write_sort_text(member, out);
                out.push(';');
            }
            out.push('}');
        }
        Value::Object(members) => {
            out.push('<');
            for member in members.values() {
                write_sort_text(member, out);
                out.push(';');
            }
            out.push('>');
        }
    }
}

/// Ten digits, as Go's `%.10g` has them.
fn number_text(number: &Number) -> String {
    if number.is_infinite() {
        return number.to_string();
    }
    let decimal = Decimal::of(number);
    format!("{}{}", if decimal.is_negative { "-" } else { "" }, decimal.general(Some(10)))
}

/// What Go calls graphic, spaces excepted: letters, marks, numbers, punctuation, symbols.
static PRINTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]").expect("is a pattern"));

/// Quotes as Go's `%q` does.
fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let code = u32::from(c);
        let short = match c {
            '"' | '\\' => Some(c),
            '\u{7}' => Some('a'),
            '\u{8}' => Some('b'),
            '\u{c}' => Some('f'),
            '\n' => Some('n'),
            '\r' => Some('r'),
            '\t' => Some('t'),
            '\u{b}' => Some('v'),
            _ => None,
        };
        if let Some(short) = short {
            out.push('\\');
            out.push(short);
        } else if code < 0x20 || code == 0x7f {
            let _ = write!(out, "\\x{code:02x}");
        } else if c != ' ' && !PRINTED.is_match(c.encode_utf8(&mut [0; 4])) {
            let _ = match code {
                0x1_0000.. => write!(out, "\\U{code:08x}"),
                _ => write!(out, "\\u{code:04x}"),
            };
        } else {
            out.push(c);
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::tuple([Value::string(text)])).collect()
    }

    #[test]
    fn structures_stand_in_the_order_of_their_texts() {
        let kind = Type::tuple([Type::String]);
        let set = Value::set(kind, lists(&["b", "\u{1}", "", "Z", "b"]));
        assert_eq!(set.items(), Some(lists(&["", "Z", "\u{1}", "b"]).as_slice()));
        let numbers = |all: &[i64]| all.iter().map(|n| Value::tuple([Value::number(*n)])).collect::<Vec<_>>();
        let set = Value::set(Type::tuple([Type::Number]), numbers(&[9, 10, 12_345_678_902, 12_345_678_901, 9]));
        assert_eq!(set.items(), Some(numbers(&[12_345_678_902, 12_345_678_901, 10, 9]).as_slice()));
    }

    #[test]
    fn what_is_unknown_is_equal_to_nothing() {
        let unknown = Value::Unknown(Type::Bool);
        let null = Value::Null(Type::Bool);
        let all = [null.clone(), unknown.clone(), Value::Bool(true), unknown.clone(), null.clone(), Value::Bool(true)];
        let set = Value::set(Type::Bool, all);
        assert_eq!(set.items(), Some([Value::Bool(true), unknown.clone(), unknown, null].as_slice()));
    }
}
