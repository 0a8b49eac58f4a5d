//! The language's own functions, except `and` and `or`, which the executor runs because they may leave arguments
//! unevaluated.

use std::fmt::Write as _;

use super::exec::Operand;
use super::printf::{self, Printer};
use super::value::Value;
use super::{Parameter, Signature, quote};

/// Tells whether `name` is one of the language's own functions.
pub(super) fn is_builtin(name: &str) -> bool {
    signature(name).is_some()
}

/// Returns the parameters of one of the language's own functions.
pub(super) fn signature(name: &str) -> Option<Signature> {
    use Parameter::{Any, String};
    let (fixed, variadic): (&'static [Parameter], _) = match name {
        "and" | "or" | "call" | "index" | "slice" | "eq" => (&[Any], Some(Any)),
        "len" | "not" => (&[Any], None),
        "ne" | "lt" | "le" | "gt" | "ge" => (&[Any, Any], None),
        "print" | "println" | "html" | "js" | "urlquery" => (&[], Some(Any)),
        "printf" => (&[String], Some(Any)),
        _ => return None,
    };
    Some(Signature { fixed, variadic })
}

/// Calls one of the language's own functions on arguments that match its signature.
///
/// No text longer than `limit` is made; one that would be is an error. `callee` is how the template writes the
/// first argument.
pub(super) fn call(name: &str, arguments: &[Operand], callee: &str, limit: usize) -> Result<Operand, String> {
    let plain = || arguments.iter().map(|argument| argument.value.clone()).collect::<Vec<_>>();
    let value: Value = match (name, arguments) {
        ("print", _) => Printer::new(limit).print(&plain())?.into(),
        ("println", _) => Printer::new(limit).println(&plain())?.into(),
        ("printf", [format, rest @ ..]) => {
            let format = format.value.as_str().unwrap_or_default();
            let rest: Vec<Value> = rest.iter().map(|argument| argument.value.clone()).collect();
            Printer::new(limit).printf(format, &rest)?.into()
        }
        ("html", _) => escape(&plain(), limit, push_html)?.into(),
        ("js", _) => escape(&plain(), limit, push_js)?.into(),
        ("urlquery", _) => escape(&plain(), limit, push_url)?.into(),
        ("not", [value]) => (!value.value.is_true()).into(),
        ("len", [value]) => length(value)?,
        ("index", [item, indexes @ ..]) => return index(item, indexes),
        ("slice", [item, indexes @ ..]) => slice(&item.value, indexes)?,
        ("call", [Operand { value: Value::Nil, .. }, ..]) => return Err("call of nil".into()),
        ("call", [value, ..]) => {
            return Err(format!("non-function {callee} of type {}", value.value.type_name()));
        }
        ("eq", [first, rest @ ..]) => equal(&first.value, rest)?.into(),
        ("ne", [first, rest @ ..]) => (!equal(&first.value, rest)?).into(),
        ("lt", [first, second]) => less(&first.value, &second.value)?.into(),
        ("ge", [first, second]) => (!less(&first.value, &second.value)?).into(),
        ("le", [first, second]) => less_or_equal(&first.value, second)?.into(),
        ("gt", [first, second]) => (!less_or_equal(&first.value, second)?).into(),
        _ => return Err(format!("{} is not a defined function", quote::quote(name))),
    };
    Ok(Operand::from(value))
}

fn length(operand: &Operand) -> Result<Value, String> {
    let length = match &operand.value {
        Value::String(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Nil if operand.boxed => return Err("len of nil pointer".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(item: &Operand, indexes: &[Operand]) -> Result<Operand, String> {
    if item.value == Value::Nil {
        return Err("index of untyped nil".into());
    }
    let mut item = item.clone();
    for index in indexes {
        let value = match &item.value {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::List(items) => {
                let position = position(&index.value, items.len())?;
                let item = items.get(position).cloned();
                Operand::boxed(item.ok_or("reflect: slice index out of range")?)
            }
            Value::String(text) => {
                let position = position(&index.value, text.len())?;
                let byte = *text.as_bytes().get(position).ok_or("reflect: string index out of range")?;
                Operand::from(Value::Int(byte.into()))
            }
            Value::Map(entries) => match &index.value {
                Value::String(key) => Operand::boxed(entries.get(key.as_ref()).cloned().unwrap_or_default()),
                Value::Nil => return Err("value is nil; should be of type string".into()),
                other => {
                    return Err(format!("value has type {}; should be string", other.type_name()));
                }
            },
            other => return Err(format!("can't index item of type {}", other.type_name())),
        };
        item = value;
    }
    Ok(item)
}

/// Reads an index, which may be the length itself.
fn position(index: &Value, length: usize) -> Result<usize, String> {
    match index {
        Value::Int(index) => {
            let position = usize::try_from(*index).ok().filter(|position| *position <= length);
            position.ok_or_else(|| format!("index out of range: {index}"))
        }
        Value::Nil => Err("cannot index slice/array with nil".into()),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    }
}

fn slice(item: &Value, indexes: &[Operand]) -> Result<Value, String> {
    if *item == Value::Nil {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match item {
        Value::String(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::String(text) => text.len(),
        Value::List(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        // Unlike `index`, Go does not look into the interface here.
        if index.boxed {
            return Err("cannot index slice/array with type interface {}".into());
        }
        *bound = position(&index.value, length)?;
    }
    // A list holds no more than its length here, so that the third index only has to be in order.
    let [start, end, capacity] = bounds;
    for (low, high) in [(start, end), (end, capacity)] {
        if low > high {
            return Err(format!("invalid slice index: {low} > {high}"));
        }
    }
    match item {
        Value::String(text) => {
            text.get(start..end).map(Value::from).ok_or_else(|| format!("slice {start}:{end} cuts a character"))
        }
        Value::List(items) => Ok(items[start..end].to_vec().into()),
        _ => Ok(Value::Nil),
    }
}

fn basic(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::List(_) | Value::Map(_))
}

fn incompatible(first: &Value, second: &Value) -> String {
    format!("incompatible types for comparison: {} and {}", first.type_name(), second.type_name())
}

/// Tells whether `first` equals any of `others`.
fn equal(first: &Value, others: &[Operand]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        let other = &other.value;
        let is_equal = match (first, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Nil, _) | (_, Value::Nil) => false,
            (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
                let text = printf::format_with("%s", other);
                return Err(format!("non-comparable type {text}: {}", other.type_name()));
            }
            (Value::List(_) | Value::Map(_), Value::List(_) | Value::Map(_)) => {
                let (text, other_text) = (printf::format_with("%s", first), printf::format_with("%v", other));
                let (kind, other_kind) = (first.type_name(), other.type_name());
                return Err(format!("non-comparable types {text}: {kind}, {other_kind}: {other_text}"));
            }
            _ if std::mem::discriminant(first) != std::mem::discriminant(other) => {
                return Err(incompatible(first, other));
            }
            _ => first == other,
        };
        if is_equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn less(first: &Value, second: &Value) -> Result<bool, String> {
    match (first, second) {
        (Value::Int(first), Value::Int(second)) => Ok(first < second),
        (Value::Float(first), Value::Float(second)) => Ok(first < second),
        (Value::String(first), Value::String(second)) => Ok(first < second),
        (Value::Bool(_), Value::Bool(_)) => Err("invalid type for comparison".into()),
        _ if basic(first) && basic(second) => Err(incompatible(first, second)),
        _ => Err("invalid type for comparison".into()),
    }
}

fn less_or_equal(first: &Value, second: &Operand) -> Result<bool, String> {
    Ok(less(first, &second.value)? || equal(first, std::slice::from_ref(second))?)
}

/// Prints the arguments as an action would, then escapes the text.
fn escape(arguments: &[Value], limit: usize, push: fn(&mut String, char)) -> Result<String, String> {
    let shown: Vec<Value> = arguments
        .iter()
        .map(|argument| if *argument == Value::Nil { "<no value>".into() } else { argument.clone() })
        .collect();
    let text = Printer::new(limit).print(&shown)?;
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    Ok(out)
}

fn push_html(out: &mut String, c: char) {
    match c {
        '\0' => out.push('\u{fffd}'),
        '"' => out.push_str("&#34;"),
        '\'' => out.push_str("&#39;"),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

fn push_js(out: &mut String, c: char) {
    match c {
        '\\' | '\'' | '"' => out.extend(['\\', c]),
        '<' | '>' | '&' | '=' | '\0'..' ' => push_code(out, c),
        // Go writes DEL as it is.
        c if c.is_ascii() || quote::is_printable(c) => out.push(c),
        c => push_code(out, c),
    }
}

fn push_code(out: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\u{:04X}", u32::from(c));
}

fn push_url(out: &mut String, c: char) {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => out.push(c),
        ' ' => out.push('+'),
        c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }),
    }
}
