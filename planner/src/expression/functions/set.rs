//! Functions of sets.

use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results};
use crate::expression::convert::convert;
use crate::expression::scope::Host;
use crate::expression::unify::unify;

const FIRST: Parameter = parameter("first_set", kinds::set);
const OTHERS: Parameter = parameter("other_sets", kinds::set);

pub(super) const FUNCTIONS: &[Function] = &[
    function("setintersection", &[FIRST], results::dynamic, |arguments, _| {
        combine(arguments, |all, other| all.retain(|item| other.contains(item)))
    })
    .variadic(OTHERS),
    function("setproduct", &[], results::dynamic, product).variadic(parameter("sets", kinds::any)),
    function("setunion", &[FIRST], results::dynamic, |arguments, _| {
        combine(arguments, |all, other| all.extend(other.iter().cloned()))
    })
    .variadic(OTHERS),
];

fn combine(arguments: &[Value], join: fn(&mut Vec<Value>, &[Value])) -> Outcome {
    // An empty set of no particular type goes with any other.
    let kinds: Vec<Type> = arguments
        .iter()
        .map(Value::kind)
        .filter(|kind| !matches!(kind, Type::Set(element) if **element == Type::Dynamic))
        .collect();
    let kind = if kinds.is_empty() {
        Type::set(Type::Dynamic)
    } else {
        unify(&kinds).ok_or("given sets must all have compatible element types")?
    };
    let Type::Set(element) = &kind else { return Err("given sets must all have compatible element types".into()) };
    let mut sets = Vec::new();
    for argument in arguments {
        let set = convert(argument, &kind).map_err(|error| error.to_string())?;
        sets.push(set.items().unwrap_or_default().to_vec());
    }
    let mut sets = sets.into_iter();
    let mut all = sets.next().unwrap_or_default();
    for other in sets {
        join(&mut all, &other);
    }
    Ok(Value::set(element.as_ref().clone(), all))
}

fn product(arguments: &[Value], _: &Host<'_>) -> Outcome {
    if arguments.len() < 2 {
        return Err("at least two arguments are required".into());
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut kinds = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let items = argument.items().ok_or_else(|| Fault::Argument(index, "a set or a list is required".to_owned()))?;
        let element = match argument.kind() {
            Type::List(element) | Type::Set(element) => element.as_ref().clone(),
            _ => {
                let all: Vec<Type> = items.iter().map(Value::kind).collect();
                if all.is_empty() {
                    Type::Dynamic
                } else {
                    unify(&all)
                        .ok_or_else(|| Fault::Argument(index, "all elements must be of the same type".to_owned()))?
                }
            }
        };
        if rows.len().saturating_mul(items.len()) > 1 << 20 {
            return Err("the product has too many elements".into());
        }
        let converted: Result<Vec<Value>, _> = items.iter().map(|item| convert(item, &element)).collect();
        let converted = converted.map_err(|error| error.to_string())?;
        kinds.push(element);
        rows = rows
            .iter()
            .flat_map(|row| converted.iter().map(move |item| row.iter().cloned().chain([item.clone()]).collect()))
            .collect();
    }
    let element = Type::tuple(kinds);
    let rows = rows.into_iter().map(Value::tuple);
    let is_set = arguments.iter().all(|argument| matches!(argument, Value::Set(..)));
    Ok(if is_set { Value::set(element, rows) } else { Value::list(element, rows) })
}
