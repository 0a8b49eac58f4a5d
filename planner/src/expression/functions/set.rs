//! Functions of sets.

use super::{Fault, Function, Outcome, Parameter, Type, Value, items, kinds, parameter, typed};
use crate::expression::convert::convert;
use crate::expression::unify::unify;

const FIRST: Parameter = parameter("first_set", kinds::set);
const OTHERS: Parameter = parameter("other_sets", kinds::set);

/// Products of more rows are refused: they would fill the memory.
const MAX_ROWS: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    typed("setintersection", &[FIRST], common_kind, |arguments, kind| {
        combine(arguments, kind, false, |all, other| {
            all.retain(|item| other.iter().any(|other| other.equals(item) == Value::Bool(true)));
        })
    })
    .variadic(OTHERS),
    typed("setproduct", &[], product_kind, product).variadic(parameter("sets", kinds::any).unknown()),
    typed("setunion", &[FIRST], common_kind, |arguments, kind| {
        combine(arguments, kind, true, |all, other| all.extend(other.iter().cloned()))
    })
    .variadic(OTHERS),
];

fn common_kind(arguments: &[Value]) -> Result<Type, Fault> {
    // An empty set of no particular type goes with any other.
    let elements: Vec<Type> = arguments
        .iter()
        .filter_map(|value| match value.kind() {
            Type::Set(element) if *element == Type::Dynamic && value.items().is_some_and(<[Value]>::is_empty) => None,
            Type::Set(element) => Some(element.as_ref().clone()),
            _ => None,
        })
        .collect();
    if elements.is_empty() {
        return Ok(Type::set(Type::Dynamic));
    }
    unify(&elements).map(Type::set).ok_or_else(|| "given sets must all have compatible element types".into())
}

/// Brings the sets to one type and joins them, one after the other.
fn combine(arguments: &[Value], kind: &Type, takes_unknowns: bool, join: fn(&mut Vec<Value>, &[Value])) -> Outcome {
    let mut result: Option<(Type, Vec<Value>)> = None;
    for (index, argument) in arguments.iter().enumerate() {
        let set = convert(argument, kind).map_err(|error| Fault::Argument(index, error.to_string()))?;
        if !takes_unknowns && !set.is_wholly_known() {
            return Ok(Value::Unknown(kind.clone()));
        }
        let Value::Set(element, items) = set else { return Ok(Value::Unknown(kind.clone())) };
        match &mut result {
            None => result = Some((element, items.to_vec())),
            Some((first, all)) if *first == element => join(all, &items),
            Some(_) => return Err("given sets must all have compatible element types".into()),
        }
    }
    let (element, all) = result.unwrap_or((Type::Dynamic, Vec::new()));
    Ok(Value::set(element, all))
}

fn product_kind(arguments: &[Value]) -> Result<Type, Fault> {
    if arguments.len() < 2 {
        return Err("at least two arguments are required".into());
    }
    let mut elements = Vec::new();
    for (index, value) in arguments.iter().enumerate() {
        elements.push(match value.kind() {
            Type::List(element) | Type::Set(element) => element.as_ref().clone(),
            Type::Tuple(kinds) if kinds.is_empty() => Type::Dynamic,
            Type::Tuple(kinds) => unify(&kinds)
                .ok_or_else(|| Fault::Argument(index, "all elements must be of the same type".to_owned()))?,
            _ => return Err(Fault::Argument(index, "a set or a list is required".to_owned())),
        });
    }
    let element = Type::tuple(elements);
    let is_set = arguments.iter().any(|value| matches!(value.kind(), Type::Set(_)));
    Ok(if is_set { Type::set(element) } else { Type::list(element) })
}

fn product(arguments: &[Value], kind: &Type) -> Outcome {
    let (Type::List(row) | Type::Set(row)) = kind else { return Err("the product has no type".into()) };
    let Type::Tuple(elements) = row.as_ref() else { return Err("the product has no type".into()) };
    let has_length = |value: &Value| match value {
        Value::Set(_, items) => items.len() == 1 || value.is_wholly_known(),
        value => value.is_known(),
    };
    if !arguments.iter().all(has_length) {
        return Ok(Value::Unknown(kind.clone()));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for (index, element) in elements.iter().enumerate() {
        let items = items(arguments, index);
        if rows.len().saturating_mul(items.len()) > MAX_ROWS {
            return Err("the product has too many elements".into());
        }
        let converted: Result<Vec<Value>, _> = items.iter().map(|item| convert(item, element)).collect();
        let converted = converted.map_err(|error| error.to_string())?;
        rows = rows
            .iter()
            .flat_map(|row| converted.iter().map(move |item| row.iter().cloned().chain([item.clone()]).collect()))
            .collect();
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    // What the types of elements leave open is decided by the rows, as long as they agree.
    let row = match rows.first() {
        Some(first) if row.has_dynamic() => {
            let row = first.kind();
            if rows.iter().any(|other| other.kind() != row) {
                return Err("the rows are not of one type".into());
            }
            row
        }
        _ => row.as_ref().clone(),
    };
    Ok(match kind {
        Type::Set(_) => Value::set(row, rows),
        _ => Value::list(row, rows),
    })
}
