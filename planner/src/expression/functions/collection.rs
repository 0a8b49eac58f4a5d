//! Functions of lists, tuples, maps and objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Fault, Function, Outcome, Parameter, Type, Unknowns, Value, function, kinds, nullable, parameter, results, text,
    texts, whole,
};
use crate::expression::convert::convert;
use crate::expression::number::Number;
use crate::expression::scope::Host;
use crate::expression::unify::unify;

const LIST: Parameter = parameter("list", kinds::any);
const VALUE: Parameter = parameter("value", kinds::any);

pub(super) const FUNCTIONS: &[Function] = &[
    function("alltrue", &[parameter("list", kinds::flags)], results::flag, |arguments, _| {
        // The first that is not true decides, be it false, null or unknown.
        let items = arguments[0].items().unwrap_or_default();
        Ok(match items.iter().find(|item| **item != Value::Bool(true)) {
            None => Value::Bool(true),
            Some(Value::Unknown(_)) => Value::Unknown(Type::Bool),
            Some(_) => Value::Bool(false),
        })
    })
    .unknowns(Unknowns::Inside),
    function("anytrue", &[parameter("list", kinds::flags)], results::flag, |arguments, _| {
        let items = arguments[0].items().unwrap_or_default();
        Ok(if items.contains(&Value::Bool(true)) {
            Value::Bool(true)
        } else if items.iter().all(Value::is_known) {
            Value::Bool(false)
        } else {
            Value::Unknown(Type::Bool)
        })
    })
    .unknowns(Unknowns::Inside),
    function(
        "chunklist",
        &[parameter("list", kinds::list), parameter("size", kinds::number)],
        |arguments| Type::list(results::first(arguments)),
        chunklist,
    )
    .unknowns(Unknowns::Inside),
    function("coalesce", &[], results::dynamic, coalesce)
        .variadic(nullable("vals", kinds::any))
        .unknowns(Unknowns::Seen),
    function("coalescelist", &[], results::dynamic, coalescelist)
        .variadic(nullable("vals", kinds::any))
        .unknowns(Unknowns::Seen),
    function("compact", &[parameter("list", kinds::texts)], results::texts, |arguments, _| {
        let items = arguments[0].items().unwrap_or_default();
        let is_something = |item: &&Value| item.as_text().is_some_and(|text| !text.is_empty());
        Ok(Value::list(Type::String, items.iter().filter(is_something).cloned()))
    }),
    function("concat", &[], results::dynamic, concat).variadic(parameter("seqs", kinds::any)).unknowns(Unknowns::Seen),
    function("contains", &[LIST, VALUE], results::flag, contains).unknowns(Unknowns::Inside),
    function("distinct", &[parameter("list", kinds::list)], results::first, |arguments, _| {
        let mut kept: Vec<Value> = Vec::new();
        for item in arguments[0].items().unwrap_or_default() {
            if !kept.contains(item) {
                kept.push(item.clone());
            }
        }
        Ok(like(&arguments[0], kept))
    }),
    function("element", &[LIST, parameter("index", kinds::number)], element_kind, element).unknowns(Unknowns::Inside),
    function("flatten", &[LIST], results::dynamic, flatten).unknowns(Unknowns::Inside),
    function("index", &[LIST, VALUE], results::number, index),
    function("keys", &[parameter("inputMap", kinds::any)], keys_kind, keys).unknowns(Unknowns::Inside),
    function("length", &[VALUE], results::number, length).unknowns(Unknowns::Inside),
    function(
        "lookup",
        &[parameter("inputMap", kinds::any), parameter("key", kinds::text), parameter("default", kinds::any)],
        lookup_kind,
        lookup,
    )
    .unknowns(Unknowns::Inside),
    function("merge", &[], results::dynamic, merge).variadic(nullable("maps", kinds::any)).unknowns(Unknowns::Seen),
    function("range", &[], |_| Type::list(Type::Number), range).variadic(parameter("params", kinds::number)),
    function("reverse", &[LIST], reverse_kind, reverse).unknowns(Unknowns::Inside),
    function(
        "slice",
        &[LIST, parameter("start_index", kinds::number), parameter("end_index", kinds::number)],
        results::dynamic,
        slice,
    )
    .unknowns(Unknowns::Inside),
    function("sort", &[parameter("list", kinds::texts)], results::texts, sort).unknowns(Unknowns::Inside),
    function("values", &[parameter("mapping", kinds::any)], values_kind, values).unknowns(Unknowns::Inside),
    function("zipmap", &[parameter("keys", kinds::texts), parameter("values", kinds::any)], results::dynamic, zipmap)
        .unknowns(Unknowns::Inside),
];

/// Makes a list again of what was one, and else a tuple.
fn like(original: &Value, items: Vec<Value>) -> Value {
    match original.kind() {
        Type::List(element) | Type::Set(element) => Value::list(element.as_ref().clone(), items),
        _ => Value::tuple(items),
    }
}

fn sequence(value: &Value, index: usize) -> Result<&[Value], Fault> {
    match value {
        Value::List(_, items) | Value::Tuple(items) => Ok(items),
        _ => Err(Fault::Argument(index, "argument must be a list or tuple".to_owned())),
    }
}

fn chunklist(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let size = whole(arguments, 1)?;
    let size =
        usize::try_from(size).map_err(|_| Fault::Argument(1, "the size argument must be positive".to_owned()))?;
    let list = &arguments[0];
    let items = list.items().unwrap_or_default();
    let chunk = |items: &[Value]| like(list, items.to_vec());
    let chunks: Vec<Value> = match size {
        _ if items.is_empty() => Vec::new(),
        0 => vec![chunk(items)],
        size => items.chunks(size).map(chunk).collect(),
    };
    Ok(Value::list(list.kind(), chunks))
}

fn coalesce(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let kinds: Vec<Type> =
        arguments.iter().filter(|value| !matches!(value, Value::Null(Type::Dynamic))).map(Value::kind).collect();
    let kind =
        if kinds.is_empty() { Type::Dynamic } else { unify(&kinds).ok_or("all arguments must have the same type")? };
    for value in arguments {
        let converted = convert(value, &kind).map_err(|error| error.to_string())?;
        if !converted.is_known() {
            return Ok(Value::Unknown(kind));
        }
        if !converted.is_null() && converted.as_text() != Some("") {
            return Ok(converted);
        }
    }
    Err("no non-null, non-empty-string arguments".into())
}

fn coalescelist(arguments: &[Value], _: &Host<'_>) -> Outcome {
    if arguments.is_empty() {
        return Err("at least one argument is required".into());
    }
    for (index, value) in arguments.iter().enumerate() {
        if !value.is_known() {
            return Ok(Value::DYNAMIC);
        }
        let (Value::List(_, items) | Value::Tuple(items)) = value else {
            return Err(Fault::Argument(index, "coalescelist arguments must be lists or tuples".to_owned()));
        };
        if !items.is_empty() {
            return Ok(value.clone());
        }
    }
    Err("no non-null arguments".into())
}

fn concat(arguments: &[Value], _: &Host<'_>) -> Outcome {
    if arguments.is_empty() {
        return Err("at least one argument is required".into());
    }
    let mut items = Vec::new();
    let mut kinds = Vec::new();
    for (index, value) in arguments.iter().enumerate() {
        match value {
            Value::Unknown(kind @ Type::List(_)) => kinds.push(Some(kind.clone())),
            Value::Unknown(_) => return Ok(Value::DYNAMIC),
            Value::List(..) | Value::Tuple(_) => {
                kinds.push(matches!(value, Value::List(..)).then(|| value.kind()));
                items.extend(sequence(value, index)?.iter().cloned());
            }
            _ => return Err(Fault::Argument(index, "all arguments must be lists or tuples".to_owned())),
        }
    }
    let is_open = arguments.iter().any(|value| !value.is_known());
    let lists: Option<Vec<Type>> = kinds.into_iter().collect();
    if let Some(Type::List(element)) = lists.as_deref().and_then(unify) {
        if is_open {
            return Ok(Value::Unknown(Type::List(element)));
        }
        let converted: Result<Vec<Value>, _> = items.iter().map(|item| convert(item, &element)).collect();
        return Ok(Value::list(element.as_ref().clone(), converted.map_err(|error| error.to_string())?));
    }
    Ok(if is_open { Value::DYNAMIC } else { Value::tuple(items) })
}

fn contains(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items =
        arguments[0].items().ok_or_else(|| Fault::Argument(0, "argument must be list, tuple, or set".to_owned()))?;
    let mut is_open = false;
    for item in items {
        match item.equals(&arguments[1]) {
            Value::Bool(true) => return Ok(Value::Bool(true)),
            Value::Bool(false) => {}
            _ => is_open = true,
        }
    }
    Ok(if is_open { Value::Unknown(Type::Bool) } else { Value::Bool(false) })
}

fn element_kind(arguments: &[Value]) -> Type {
    match results::first(arguments) {
        Type::List(element) => element.as_ref().clone(),
        _ => Type::Dynamic,
    }
}

fn element(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items = match &arguments[0] {
        Value::List(_, items) | Value::Tuple(items) => items,
        _ => return Err(Fault::Argument(0, "cannot read elements from this value; use a list or a tuple".to_owned())),
    };
    let index = whole(arguments, 1)?;
    let index = usize::try_from(index)
        .map_err(|_| Fault::Argument(1, "cannot use element function with a negative index".to_owned()))?;
    if items.is_empty() {
        return Err(Fault::Argument(0, "cannot use element function with an empty list".to_owned()));
    }
    Ok(items[index % items.len()].clone())
}

fn flatten(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items =
        arguments[0].items().ok_or_else(|| Fault::Argument(0, "can only flatten lists, sets and tuples".to_owned()))?;
    let mut flat = Vec::new();
    let mut waiting: Vec<&Value> = items.iter().rev().collect();
    while let Some(value) = waiting.pop() {
        match value.items() {
            Some(inner) => waiting.extend(inner.iter().rev()),
            None => match value {
                Value::Unknown(Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
                    return Ok(Value::DYNAMIC);
                }
                value => flat.push(value.clone()),
            },
        }
    }
    Ok(Value::tuple(flat))
}

fn index(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items = sequence(&arguments[0], 0)?;
    if items.is_empty() {
        return Err("cannot search an empty list".into());
    }
    items
        .iter()
        .position(|item| item.equals(&arguments[1]) == Value::Bool(true))
        .map(Value::number)
        .ok_or_else(|| "item not found".into())
}

fn keys_kind(arguments: &[Value]) -> Type {
    match results::first(arguments) {
        Type::Map(_) => Type::list(Type::String),
        Type::Object(attributes) => Type::tuple(attributes.keys().map(|_| Type::String)),
        _ => Type::Dynamic,
    }
}

fn members(value: &Value, index: usize) -> Result<&BTreeMap<Arc<str>, Value>, Fault> {
    value.members().ok_or_else(|| Fault::Argument(index, "must have map or object type".to_owned()))
}

fn keys(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let keys = members(&arguments[0], 0)?.keys().map(|key| Value::String(key.clone()));
    Ok(if matches!(arguments[0], Value::Map(..)) { Value::list(Type::String, keys) } else { Value::tuple(keys) })
}

fn values_kind(arguments: &[Value]) -> Type {
    match results::first(arguments) {
        Type::Map(element) => Type::List(element),
        Type::Object(attributes) => Type::tuple(attributes.values().map(|attribute| attribute.kind.clone())),
        _ => Type::Dynamic,
    }
}

fn values(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let values = members(&arguments[0], 0)?.values().cloned();
    Ok(match &arguments[0] {
        Value::Map(element, _) => Value::list(element.clone(), values),
        _ => Value::tuple(values),
    })
}

fn length(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let count = match &arguments[0] {
        Value::String(text) => text.graphemes(true).count(),
        value => match (value.items(), value.members()) {
            (Some(items), _) => items.len(),
            (_, Some(members)) => members.len(),
            _ => return Err(Fault::Argument(0, "must be a string, a collection, or a structure".to_owned())),
        },
    };
    Ok(Value::number(count))
}

fn lookup_kind(arguments: &[Value]) -> Type {
    match results::first(arguments) {
        Type::Map(element) => element.as_ref().clone(),
        _ => Type::Dynamic,
    }
}

fn lookup(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let found = members(&arguments[0], 0)
        .map_err(|_| Fault::Argument(0, "lookup() requires a map as the first argument".to_owned()))?
        .get(text(arguments, 1));
    match (&arguments[0], found) {
        (_, Some(found)) => Ok(found.clone()),
        (Value::Map(element, _), None) => convert(&arguments[2], element).map_err(|_| {
            Fault::Argument(2, "the default value must have the same type as the map elements".to_owned())
        }),
        (_, None) => Ok(arguments[2].clone()),
    }
}

fn merge(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    let mut kinds = Vec::new();
    for (index, value) in arguments.iter().enumerate() {
        match value {
            Value::Unknown(Type::Dynamic | Type::Map(_) | Type::Object(_)) => return Ok(Value::DYNAMIC),
            Value::Null(Type::Dynamic | Type::Map(_) | Type::Object(_)) => {}
            value => {
                let members = value
                    .members()
                    .ok_or_else(|| Fault::Argument(index, "arguments must be maps or objects".to_owned()))?;
                kinds.push(value.kind());
                merged.extend(members.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
    }
    match kinds.first() {
        Some(Type::Map(element)) if kinds.iter().all(|kind| kind == &kinds[0]) => {
            Ok(Value::Map(element.as_ref().clone(), Arc::new(merged)))
        }
        _ => Ok(Value::Object(Arc::new(merged))),
    }
}

fn range(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let numbers: Vec<&Number> = arguments
        .iter()
        .filter_map(|value| match value {
            Value::Number(number) => Some(number),
            _ => None,
        })
        .collect();
    let (zero, one) = (Number::from(0_i64), Number::from(1_i64));
    let sign = |start: &Number, end: &Number| if end < start { one.negated() } else { one.clone() };
    let (start, end, step) = match numbers.as_slice() {
        [end] => (zero.clone(), (*end).clone(), sign(&zero, end)),
        [start, end] => ((*start).clone(), (*end).clone(), sign(start, end)),
        [start, end, step] => ((*start).clone(), (*end).clone(), (*step).clone()),
        _ => return Err("must have one, two, or three arguments".into()),
    };
    if step.is_zero() {
        return Err(Fault::Argument(2, "step must not be zero".to_owned()));
    }
    let down = step.is_negative();
    if down && end > start || !down && end < start {
        return Err(Fault::Argument(
            1,
            format!(
                "end must be {} than start when step is {}",
                if down { "less" } else { "greater" },
                if down { "negative" } else { "positive" }
            ),
        ));
    }
    let mut items = Vec::new();
    let mut at = start;
    while if down { at.compare(&end).is_gt() } else { at.compare(&end).is_lt() } {
        if items.len() >= 1024 {
            return Err("more than 1024 values were generated; either decrease the difference between start and end or use a smaller step".into());
        }
        items.push(Value::Number(at.clone()));
        at = at.plus(&step).ok_or("the range has no end")?;
    }
    Ok(Value::list(Type::Number, items))
}

fn reverse_kind(arguments: &[Value]) -> Type {
    match results::first(arguments) {
        Type::Tuple(items) => Type::tuple(items.iter().rev().cloned()),
        Type::List(element) | Type::Set(element) => Type::List(element),
        _ => Type::Dynamic,
    }
}

fn reverse(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items =
        arguments[0].items().ok_or_else(|| Fault::Argument(0, "can only reverse list or tuple values".to_owned()))?;
    Ok(like(&arguments[0], items.iter().rev().cloned().collect()))
}

fn slice(arguments: &[Value], _: &Host<'_>) -> Outcome {
    if matches!(arguments[0], Value::Set(..)) {
        return Err(Fault::Argument(0, "cannot slice a set, because its elements do not have indices".to_owned()));
    }
    let items =
        sequence(&arguments[0], 0).map_err(|_| Fault::Argument(0, "must be a list or tuple value".to_owned()))?;
    let position = |index: usize| -> Result<usize, Fault> {
        usize::try_from(whole(arguments, index)?)
            .map_err(|_| Fault::Argument(index, "must be greater than or equal to zero".to_owned()))
    };
    let (start, end) = (position(1)?, position(2)?);
    if start > items.len() || end > items.len() {
        let index = if start > items.len() { 1 } else { 2 };
        return Err(Fault::Argument(index, "must not be greater than the length of the list".to_owned()));
    }
    if start > end {
        return Err(Fault::Argument(1, "start index must be less than end index".to_owned()));
    }
    Ok(like(&arguments[0], items[start..end].to_vec()))
}

fn sort(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items = arguments[0].items().unwrap_or_default();
    if !arguments[0].is_wholly_known() {
        return Ok(Value::list(Type::String, items.iter().map(|_| Value::Unknown(Type::String))));
    }
    let mut all = texts(&arguments[0], 0)?;
    all.sort_unstable();
    Ok(Value::list(Type::String, all.into_iter().map(Value::string)))
}

fn zipmap(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let values = sequence(&arguments[1], 1)
        .map_err(|_| Fault::Argument(1, "values argument must be a list or tuple value".to_owned()))?;
    if !arguments[0].is_wholly_known() {
        return Ok(match &arguments[1] {
            Value::List(element, _) => Value::Unknown(Type::map(element.clone())),
            _ => Value::DYNAMIC,
        });
    }
    let keys = texts(&arguments[0], 0)?;
    if keys.len() != values.len() {
        return Err(
            format!("number of keys ({}) does not match number of values ({})", keys.len(), values.len()).into()
        );
    }
    let members: BTreeMap<Arc<str>, Value> = keys.into_iter().map(Arc::from).zip(values.iter().cloned()).collect();
    Ok(match &arguments[1] {
        Value::List(element, _) => Value::Map(element.clone(), Arc::new(members)),
        _ => Value::Object(Arc::new(members)),
    })
}
