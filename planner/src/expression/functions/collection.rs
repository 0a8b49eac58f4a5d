//! Functions of lists and tuples.

use super::text::graphemes;
use super::{
    Fault, Function, Outcome, Parameter, Type, Value, function, items, kinds, parameter, results, typed, whole,
};
use crate::expression::convert::convert;
use crate::expression::number::Number;
use crate::expression::scope::Host;
use crate::expression::unify::unify;

const LIST: Parameter = parameter("list", kinds::any);
const VALUE: Parameter = parameter("value", kinds::any);
const VALS: Parameter = parameter("vals", kinds::any).nullable().unknown().dynamic();

pub(super) const FUNCTIONS: &[Function] = &[
    function("alltrue", &[parameter("list", kinds::flags)], results::flag, |arguments, _| {
        // The first that is not true decides, be it false, null or unknown.
        Ok(match items(arguments, 0).iter().find(|item| **item != Value::Bool(true)) {
            None => Value::Bool(true),
            Some(Value::Unknown(_)) => Value::Unknown(Type::Bool),
            Some(_) => Value::Bool(false),
        })
    }),
    function("anytrue", &[parameter("list", kinds::flags)], results::flag, |arguments, _| {
        let items = items(arguments, 0);
        Ok(if items.contains(&Value::Bool(true)) {
            Value::Bool(true)
        } else if items.iter().all(Value::is_known) {
            Value::Bool(false)
        } else {
            Value::Unknown(Type::Bool)
        })
    }),
    typed(
        "chunklist",
        &[parameter("list", kinds::list), parameter("size", kinds::number)],
        |arguments| Ok(Type::list(arguments[0].kind())),
        chunklist,
    ),
    typed("coalesce", &[], coalesce_kind, coalesce).variadic(VALS),
    typed("coalescelist", &[], coalescelist_kind, coalescelist).variadic(VALS),
    function("compact", &[parameter("list", kinds::texts)], results::texts, |arguments, _| {
        if !arguments[0].is_wholly_known() {
            return Ok(Value::Unknown(results::texts()));
        }
        let is_something = |item: &&Value| item.as_text().is_some_and(|text| !text.is_empty());
        Ok(Value::list(Type::String, items(arguments, 0).iter().filter(is_something).cloned()))
    }),
    typed("concat", &[], concat_kind, concat).variadic(parameter("seqs", kinds::any)),
    function("contains", &[LIST, VALUE], results::flag, contains),
    typed("distinct", &[parameter("list", kinds::list)], |arguments| Ok(arguments[0].kind()), distinct),
    typed("element", &[LIST, parameter("index", kinds::number)], element_kind, element),
    typed("flatten", &[LIST], flatten_kind, |arguments, kind| {
        Ok(flat(&arguments[0]).map_or_else(|| Value::Unknown(kind.clone()), Value::tuple))
    }),
    function("index", &[LIST, VALUE], results::number, index),
    function("length", &[VALUE.unknown().dynamic()], results::number, length),
    function("range", &[], || Type::list(Type::Number), range).variadic(parameter("params", kinds::number)),
    typed("reverse", &[LIST], reverse_kind, |arguments, _| {
        Ok(like(&arguments[0], items(arguments, 0).iter().rev().cloned().collect()))
    }),
    typed(
        "slice",
        &[LIST, parameter("start_index", kinds::number), parameter("end_index", kinds::number)],
        slice_kind,
        slice,
    ),
    function("sort", &[parameter("list", kinds::texts).unknown()], results::texts, sort),
];

/// Makes a list again of what was one, and else a tuple.
fn like(original: &Value, items: Vec<Value>) -> Value {
    match original.kind() {
        Type::List(element) | Type::Set(element) => Value::list(element.as_ref().clone(), items),
        _ => Value::tuple(items),
    }
}

fn chunklist(arguments: &[Value], _: &Type) -> Outcome {
    let size = usize::try_from(whole(arguments, 1)?)
        .map_err(|_| Fault::Argument(1, "the size argument must be positive".to_owned()))?;
    let list = &arguments[0];
    let items = items(arguments, 0);
    let chunk = |items: &[Value]| like(list, items.to_vec());
    let chunks: Vec<Value> = match size {
        _ if items.is_empty() => Vec::new(),
        0 => vec![chunk(items)],
        size => items.chunks(size).map(chunk).collect(),
    };
    Ok(Value::list(list.kind(), chunks))
}

fn coalesce_kind(arguments: &[Value]) -> Result<Type, Fault> {
    let kinds: Vec<Type> = arguments.iter().map(Value::kind).collect();
    unify(&kinds).ok_or_else(|| "all arguments must have the same type".into())
}

fn coalesce(arguments: &[Value], kind: &Type) -> Outcome {
    for value in arguments {
        // What cannot be brought to the common type counts as none.
        let Ok(converted) = convert(value, kind) else { continue };
        if !converted.is_known() {
            return Ok(Value::Unknown(kind.clone()));
        }
        let is_blank = *kind == Type::String && converted.as_text() == Some("");
        if !converted.is_null() && !is_blank {
            return Ok(converted);
        }
    }
    Err("no non-null, non-empty-string arguments".into())
}

fn coalescelist_kind(arguments: &[Value]) -> Result<Type, Fault> {
    let Some(first) = arguments.first() else { return Err("at least one argument is required".into()) };
    for (index, value) in arguments.iter().enumerate() {
        if !value.is_known() {
            return Ok(Type::Dynamic);
        }
        if !matches!(value.kind(), Type::List(_) | Type::Tuple(_)) {
            return Err(Fault::Argument(index, "coalescelist arguments must be lists or tuples".to_owned()));
        }
    }
    let kind = first.kind();
    Ok(if arguments.iter().all(|value| value.kind() == kind) { kind } else { Type::Dynamic })
}

fn coalescelist(arguments: &[Value], kind: &Type) -> Outcome {
    for value in arguments {
        if !value.is_known() {
            return Ok(Value::Unknown(kind.clone()));
        }
        if value.items().is_some_and(|items| !items.is_empty()) {
            return Ok(value.clone());
        }
    }
    Err("no non-null arguments".into())
}

fn concat_kind(arguments: &[Value]) -> Result<Type, Fault> {
    if arguments.is_empty() {
        return Err("at least one argument is required".into());
    }
    let kinds: Vec<Type> = arguments.iter().map(Value::kind).collect();
    if kinds.iter().all(|kind| matches!(kind, Type::List(_)))
        && let Some(common) = unify(&kinds)
    {
        return Ok(common);
    }
    let mut elements = Vec::new();
    for (index, (value, kind)) in arguments.iter().zip(kinds).enumerate() {
        match (kind, value.items()) {
            (Type::Tuple(kinds), _) => elements.extend(kinds.iter().cloned()),
            (Type::List(_), None) => return Ok(Type::Dynamic),
            (Type::List(element), Some(items)) => elements.extend(items.iter().map(|_| element.as_ref().clone())),
            (kind, _) => {
                return Err(Fault::Argument(index, format!("all arguments must be lists or tuples; got {kind}")));
            }
        }
    }
    Ok(Type::tuple(elements))
}

fn concat(arguments: &[Value], kind: &Type) -> Outcome {
    let Type::List(element) = kind else {
        return Ok(Value::tuple(arguments.iter().filter_map(Value::items).flatten().cloned()));
    };
    let mut all = Vec::new();
    for (index, list) in arguments.iter().enumerate() {
        let list = convert(list, kind).map_err(|error| Fault::Argument(index, error.to_string()))?;
        all.extend(list.items().unwrap_or_default().iter().cloned());
    }
    Ok(Value::list(element.as_ref().clone(), all))
}

fn contains(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items =
        arguments[0].items().ok_or_else(|| Fault::Argument(0, "argument must be list, tuple, or set".to_owned()))?;
    let mut is_open = false;
    for item in items {
        match arguments[1].equals(item) {
            Value::Bool(true) => return Ok(Value::Bool(true)),
            Value::Bool(false) => {}
            _ => is_open = true,
        }
    }
    Ok(if is_open { Value::Unknown(Type::Bool) } else { Value::Bool(false) })
}

fn distinct(arguments: &[Value], kind: &Type) -> Outcome {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::Unknown(kind.clone()));
    }
    let mut kept: Vec<Value> = Vec::new();
    for item in items(arguments, 0) {
        if !kept.iter().any(|other| other.equals(item) == Value::Bool(true)) {
            kept.push(item.clone());
        }
    }
    Ok(like(&arguments[0], kept))
}

fn element_kind(arguments: &[Value]) -> Result<Type, Fault> {
    let is_known = arguments[1].is_known();
    if matches!(&arguments[1], Value::Number(index) if index.is_negative()) {
        return Err(Fault::Argument(1, "cannot use element function with a negative index".to_owned()));
    }
    match arguments[0].kind() {
        Type::List(element) => Ok(element.as_ref().clone()),
        Type::Tuple(_) if !is_known => Ok(Type::Dynamic),
        Type::Tuple(kinds) => {
            let index = usize::try_from(whole(arguments, 1)?).unwrap_or(0);
            let at = index.checked_rem(kinds.len()).ok_or("cannot use element function with an empty list")?;
            Ok(kinds[at].clone())
        }
        other => Err(Fault::Argument(0, format!("cannot read elements from a {other}; use a list or a tuple"))),
    }
}

fn element(arguments: &[Value], _: &Type) -> Outcome {
    let items = items(arguments, 0);
    let index = usize::try_from(whole(arguments, 1)?).unwrap_or(0);
    let at = index.checked_rem(items.len()).ok_or("cannot use element function with an empty list")?;
    Ok(items[at].clone())
}

fn flatten_kind(arguments: &[Value]) -> Result<Type, Fault> {
    if !arguments[0].is_wholly_known() {
        return Ok(Type::Dynamic);
    }
    if arguments[0].items().is_none() {
        return Err(Fault::Argument(0, "can only flatten lists, sets and tuples".to_owned()));
    }
    Ok(flat(&arguments[0]).map_or(Type::Dynamic, |items| Type::tuple(items.iter().map(Value::kind))))
}

/// Lists all elements, and those of elements that are sequences themselves; none if some of them are not known.
///
/// Members of maps and objects count at the top only, and only where something in them is unknown: Packer checks what
/// it is given too late then.
fn flat(value: &Value) -> Option<Vec<Value>> {
    let has_length = |value: &Value| match value {
        Value::Set(_, items) => items.len() == 1 || value.is_wholly_known(),
        _ => true,
    };
    let mut waiting: Vec<&Value> = match (value.items(), value.members()) {
        (Some(items), _) => items.iter().rev().collect(),
        (_, Some(members)) => members.values().rev().collect(),
        _ => return None,
    };
    if !has_length(value) {
        return None;
    }
    let mut flat = Vec::new();
    while let Some(value) = waiting.pop() {
        match (value.items(), value) {
            (Some(_), value) if !has_length(value) => return None,
            (Some(inner), _) => waiting.extend(inner.iter().rev()),
            (_, Value::Unknown(Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_))) => return None,
            (_, value) => flat.push(value.clone()),
        }
    }
    Some(flat)
}

fn index(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let (Value::List(_, items) | Value::Tuple(items)) = &arguments[0] else {
        return Err(Fault::Argument(0, "argument must be a list or tuple".to_owned()));
    };
    if items.is_empty() {
        return Err("cannot search an empty list".into());
    }
    for (place, item) in items.iter().enumerate() {
        match item.equals(&arguments[1]) {
            Value::Bool(true) => return Ok(Value::number(place)),
            Value::Bool(false) => {}
            _ => return Ok(Value::Unknown(Type::Number)),
        }
    }
    Err("item not found".into())
}

fn length(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let value = &arguments[0];
    if let Value::Set(_, items) = value
        && items.len() > 1
        && !value.is_wholly_known()
    {
        // Some of its elements may turn out to be the same.
        return Ok(Value::Unknown(Type::Number));
    }
    let count = match (value, value.items(), value.members()) {
        (Value::String(text), ..) => graphemes(text).len(),
        (_, Some(items), _) => items.len(),
        (_, _, Some(members)) => members.len(),
        (Value::Unknown(Type::Tuple(kinds)), ..) => kinds.len(),
        (Value::Unknown(Type::Object(attributes)), ..) => attributes.len(),
        (Value::Unknown(kind), ..) if !matches!(kind, Type::Bool | Type::Number) => {
            return Ok(Value::Unknown(Type::Number));
        }
        _ => return Err(Fault::Argument(0, "must be a string, a collection, or a structure".to_owned())),
    };
    Ok(Value::number(count))
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
    let sign = |start: &Number, end: &Number| if end.compare(start).is_lt() { one.negated() } else { one.clone() };
    let (start, end, step) = match numbers.as_slice() {
        [end] => (zero.clone(), (*end).clone(), sign(&zero, end)),
        [start, end] => ((*start).clone(), (*end).clone(), sign(start, end)),
        [start, end, step] => ((*start).clone(), (*end).clone(), (*step).clone()),
        _ => return Err("must have one, two, or three arguments".into()),
    };
    let down = step.is_negative();
    let order = end.compare(&start);
    if down && order.is_gt() || !down && order.is_lt() {
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
        // A step of zero ends here too.
        if items.len() >= 1024 {
            return Err("more than 1024 values were generated; either decrease the difference between start and end or use a smaller step".into());
        }
        items.push(Value::Number(at.clone()));
        at = at.plus(&step).ok_or("the range has no end")?;
    }
    Ok(Value::list(Type::Number, items))
}

fn reverse_kind(arguments: &[Value]) -> Result<Type, Fault> {
    match arguments[0].kind() {
        Type::Tuple(items) => Ok(Type::tuple(items.iter().rev().cloned())),
        Type::List(element) | Type::Set(element) => Ok(Type::List(element)),
        other => Err(Fault::Argument(0, format!("can only reverse list or tuple values, not {other}"))),
    }
}

fn slice_kind(arguments: &[Value]) -> Result<Type, Fault> {
    let kind = arguments[0].kind();
    match &kind {
        Type::Set(_) => {
            Err(Fault::Argument(0, "cannot slice a set, because its elements do not have indices".to_owned()))
        }
        Type::List(_) => {
            slice_places(arguments, items(arguments, 0).len(), arguments[0].is_known())?;
            Ok(kind)
        }
        Type::Tuple(kinds) => Ok(match slice_places(arguments, kinds.len(), true)? {
            Some((start, end)) => Type::tuple(kinds[start..end].iter().cloned()),
            None => Type::Dynamic,
        }),
        _ => Err(Fault::Argument(0, "must be a list or tuple value".to_owned())),
    }
}

/// Checks where a slice begins and ends, as far as that is known; none if it is not.
fn slice_places(arguments: &[Value], length: usize, is_known: bool) -> Result<Option<(usize, usize)>, Fault> {
    let place = |index: usize, word: &str| -> Result<Option<usize>, Fault> {
        if !arguments[index].is_known() {
            return Ok(None);
        }
        let fault = |what: &str| Fault::Argument(index, format!("{word} index must not be {what}"));
        let place = usize::try_from(whole(arguments, index)?).map_err(|_| fault("less than zero"))?;
        if is_known && place > length {
            return Err(fault("greater than the length of the list"));
        }
        Ok(Some(place))
    };
    let places = place(1, "start")?.zip(place(2, "end")?);
    if places.is_some_and(|(start, end)| start > end) {
        return Err(Fault::Argument(1, "start index must not be greater than end index".to_owned()));
    }
    Ok(places)
}

fn slice(arguments: &[Value], _: &Type) -> Outcome {
    let items = items(arguments, 0);
    let (start, end) = slice_places(arguments, items.len(), true)?.unwrap_or_default();
    Ok(like(&arguments[0], items[start..end].to_vec()))
}

fn sort(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let list = &arguments[0];
    if !list.is_wholly_known() {
        return Ok(match list.items() {
            Some(items) => Value::list(Type::String, items.iter().map(|_| Value::Unknown(Type::String))),
            None => Value::Unknown(results::texts()),
        });
    }
    let mut all = super::texts(list, 0)?;
    all.sort_unstable();
    Ok(Value::list(Type::String, all.into_iter().map(Value::string)))
}
