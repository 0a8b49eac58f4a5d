//! Functions of regular expressions, in the syntax of RE2.

use regex::{Captures, Regex};

use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

const PATTERN: Parameter = parameter("pattern", kinds::text);
const STRING: Parameter = parameter("string", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("regex", &[PATTERN, STRING], result_kind, find),
    function(
        "regex_replace",
        &[parameter("str", kinds::text), PATTERN, parameter("replace", kinds::text)],
        results::text,
        replace,
    ),
    function("regexall", &[PATTERN, STRING], |arguments| Type::list(result_kind(arguments)), find_all),
];

fn compiled(pattern: &str, index: usize) -> Result<Regex, Fault> {
    Regex::new(pattern).map_err(|error| Fault::Argument(index, format!("invalid regexp pattern: {error}")))
}

/// The type of what a match gives: the text, its groups in order, or its groups by name.
fn kind_of(regex: &Regex) -> Result<Type, Fault> {
    let groups: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
    let named: Vec<&str> = groups.iter().copied().flatten().collect();
    if groups.is_empty() {
        Ok(Type::String)
    } else if named.is_empty() {
        Ok(Type::tuple(groups.iter().map(|_| Type::String)))
    } else if named.len() == groups.len() {
        Ok(Type::object(named.into_iter().map(|name| (name.into(), Type::String))))
    } else {
        Err(Fault::Argument(0, "invalid regexp pattern: cannot mix both named and unnamed capture groups".to_owned()))
    }
}

fn result_kind(arguments: &[Value]) -> Type {
    let pattern = arguments.first().and_then(Value::as_text);
    pattern
        .and_then(|pattern| compiled(pattern, 0).ok())
        .and_then(|regex| kind_of(&regex).ok())
        .unwrap_or(Type::Dynamic)
}

fn value_of(regex: &Regex, captures: &Captures<'_>, kind: &Type) -> Value {
    let group = |found: Option<regex::Match<'_>>| match found {
        Some(found) => Value::string(found.as_str()),
        None => Value::Null(Type::String),
    };
    match kind {
        Type::Tuple(_) => Value::tuple(captures.iter().skip(1).map(group)),
        Type::Object(_) => {
            Value::object(regex.capture_names().flatten().map(|name| (name.into(), group(captures.name(name)))))
        }
        _ => Value::string(&captures[0]),
    }
}

fn find(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let regex = compiled(text(arguments, 0), 0)?;
    let kind = kind_of(&regex)?;
    match regex.captures(text(arguments, 1)) {
        Some(captures) => Ok(value_of(&regex, &captures, &kind)),
        None => Err("pattern did not match any part of the given string".into()),
    }
}

fn find_all(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let regex = compiled(text(arguments, 0), 0)?;
    let kind = kind_of(&regex)?;
    let values: Vec<Value> =
        regex.captures_iter(text(arguments, 1)).map(|captures| value_of(&regex, &captures, &kind)).collect();
    Ok(Value::list(kind, values))
}

/// The replacement's `$1`, `$name` and `${name}` mean the same here and in Go.
fn replace(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let regex = compiled(text(arguments, 1), 1)?;
    Ok(Value::string(&regex.replace_all(text(arguments, 0), text(arguments, 2))))
}
