//! Functions of regular expressions, in the syntax of RE2.

use regex::Captures;

use super::re2::{self, Pattern};
use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text, typed};
use crate::expression::scope::Host;

const PATTERN: Parameter = parameter("pattern", kinds::text);
const STRING: Parameter = parameter("string", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    typed("regex", &[PATTERN, STRING], match_kind, find),
    function(
        "regex_replace",
        &[parameter("str", kinds::text), PATTERN, parameter("replace", kinds::text)],
        results::text,
        replace,
    ),
    typed("regexall", &[PATTERN, STRING], |arguments| match_kind(arguments).map(Type::list), find_all),
];

fn compiled(arguments: &[Value], index: usize) -> Result<Pattern, Fault> {
    re2::compile(text(arguments, index)).map_err(|reason| Fault::Argument(index, reason))
}

/// The type of what a match gives: the text, its groups in order, or its groups by name.
fn match_kind(arguments: &[Value]) -> Result<Type, Fault> {
    if !arguments[0].is_known() {
        return Ok(Type::Dynamic);
    }
    let groups = compiled(arguments, 0)?.groups;
    let named: Vec<&String> = groups.iter().flatten().collect();
    if groups.is_empty() {
        Ok(Type::String)
    } else if named.is_empty() {
        Ok(Type::tuple(groups.iter().map(|_| Type::String)))
    } else if named.len() == groups.len() {
        Ok(Type::object(named.into_iter().map(|name| (name.as_str().into(), Type::String))))
    } else {
        Err(Fault::Argument(0, "invalid regexp pattern: cannot mix both named and unnamed capture groups".to_owned()))
    }
}

fn value_of(pattern: &Pattern, captures: &Captures<'_>, kind: &Type) -> Value {
    // Groups that are repeated not even once are none for the library.
    let mut groups = (1..=pattern.groups.len()).map(|index| match captures.get(index) {
        Some(found) => Value::string(found.as_str()),
        None => Value::Null(Type::String),
    });
    match kind {
        Type::Tuple(_) => Value::tuple(groups),
        // Of groups with one name the last one counts, even if it is no part of the match.
        Type::Object(_) => {
            Value::object(pattern.groups.iter().flatten().map(|name| name.as_str().into()).zip(groups.by_ref()))
        }
        _ => Value::string(&captures[0]),
    }
}

fn find(arguments: &[Value], kind: &Type) -> Outcome {
    let pattern = compiled(arguments, 0)?;
    match pattern.regex.captures(text(arguments, 1)) {
        Some(captures) => Ok(value_of(&pattern, &captures, kind)),
        None => Err("pattern did not match any part of the given string".into()),
    }
}

fn find_all(arguments: &[Value], kind: &Type) -> Outcome {
    let Type::List(element) = kind else { return Ok(Value::DYNAMIC) };
    let pattern = compiled(arguments, 0)?;
    let matches = pattern.regex.captures_iter(text(arguments, 1));
    Ok(Value::list(element.as_ref().clone(), matches.map(|captures| value_of(&pattern, &captures, element))))
}

fn replace(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let pattern = compiled(arguments, 1)?;
    let replacement = text(arguments, 2);
    let replaced = pattern.regex.replace_all(text(arguments, 0), |captures: &Captures<'_>| {
        let mut out = String::new();
        expand(replacement, &pattern, captures, &mut out);
        out
    });
    Ok(Value::string(&replaced))
}

/// Writes a replacement: `$1`, `$name`, `${name}` stand for groups, `$$` for a dollar.
fn expand(replacement: &str, pattern: &Pattern, captures: &Captures<'_>, out: &mut String) {
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(after) else {
            out.push('$');
            rest = after;
            continue;
        };
        rest = after;
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
        let group = if is_number {
            name.parse().ok().and_then(|index: usize| captures.get(index))
        } else {
            let named = pattern.groups.iter().enumerate().filter(|(_, group)| group.as_deref() == Some(name));
            named.filter_map(|(index, _)| captures.get(index + 1)).next()
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
    out.push_str(rest);
}

/// Reads the name of a group, perhaps in braces; returns what follows it too.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (is_braced, text) = match text.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((name, if is_braced { rest.strip_prefix('}')? } else { rest }))
}
