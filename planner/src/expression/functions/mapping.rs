//! Functions of maps and objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fault, Function, Outcome, Type, Value, items, kinds, parameter, text, texts, typed};
use crate::expression::convert::convert;

pub(super) const FUNCTIONS: &[Function] = &[
    typed("keys", &[parameter("inputMap", kinds::any).unknown()], keys_kind, keys),
    typed(
        "lookup",
        &[parameter("inputMap", kinds::any), parameter("key", kinds::text), parameter("default", kinds::any)],
        lookup_kind,
        lookup,
    ),
    typed("merge", &[], merge_kind, merge).variadic(parameter("maps", kinds::any).nullable().dynamic()),
    typed("values", &[parameter("mapping", kinds::any)], values_kind, |arguments, kind| {
        let values = arguments[0].members().into_iter().flat_map(BTreeMap::values).cloned();
        Ok(match kind {
            Type::List(element) => Value::list(element.as_ref().clone(), values),
            _ => Value::tuple(values),
        })
    }),
    typed("zipmap", &[parameter("keys", kinds::texts), parameter("values", kinds::any)], zipmap_kind, zipmap),
];

fn keys_kind(arguments: &[Value]) -> Result<Type, Fault> {
    match arguments[0].kind() {
        Type::Map(_) => Ok(Type::list(Type::String)),
        Type::Object(attributes) => Ok(Type::tuple(attributes.keys().map(|_| Type::String))),
        _ => Err(Fault::Argument(0, "must have map or object type".to_owned())),
    }
}

fn keys(arguments: &[Value], kind: &Type) -> Outcome {
    // The attributes of an object are known by its type.
    if let Type::Object(attributes) = arguments[0].kind() {
        return Ok(Value::tuple(attributes.keys().map(|name| Value::String(name.clone()))));
    }
    Ok(match arguments[0].members() {
        Some(members) => Value::list(Type::String, members.keys().map(|key| Value::String(key.clone()))),
        None => Value::Unknown(kind.clone()),
    })
}

fn values_kind(arguments: &[Value]) -> Result<Type, Fault> {
    match arguments[0].kind() {
        Type::Map(element) => Ok(Type::List(element)),
        Type::Object(attributes) => Ok(Type::tuple(attributes.values().map(|attribute| attribute.kind.clone()))),
        _ => Err(Fault::Argument(0, "values() requires a map as the first argument".to_owned())),
    }
}

fn lookup_kind(arguments: &[Value]) -> Result<Type, Fault> {
    match arguments[0].kind() {
        Type::Object(_) if !arguments[1].is_known() => Ok(Type::Dynamic),
        Type::Object(attributes) => Ok(match attributes.get(text(arguments, 1)) {
            Some(attribute) => attribute.kind.clone(),
            None => arguments[2].kind(),
        }),
        Type::Map(element) => match convert(&arguments[2], &element) {
            Ok(_) => Ok(element.as_ref().clone()),
            Err(_) => {
                Err(Fault::Argument(2, "the default value must have the same type as the map elements".to_owned()))
            }
        },
        _ => Err(Fault::Argument(0, "lookup() requires a map as the first argument".to_owned())),
    }
}

fn lookup(arguments: &[Value], kind: &Type) -> Outcome {
    // Even if the element itself is known: Packer looks at the whole.
    if !arguments[0].is_wholly_known() {
        return Ok(Value::Unknown(kind.clone()));
    }
    match arguments[0].members().and_then(|members| members.get(text(arguments, 1))) {
        Some(found) => Ok(found.clone()),
        None => convert(&arguments[2], kind).map_err(|error| error.to_string().into()),
    }
}

fn merge_kind(arguments: &[Value]) -> Result<Type, Fault> {
    let Some(first) = arguments.first() else { return Ok(Type::object([])) };
    let mut attributes = BTreeMap::new();
    let mut are_known = true;
    for (index, value) in arguments.iter().enumerate() {
        match (value.kind(), value) {
            (Type::Dynamic, _) => return Ok(Type::Dynamic),
            (Type::Object(_) | Type::Map(_), Value::Null(_)) => {}
            (Type::Object(own), _) => {
                attributes.extend(own.iter().map(|(name, attribute)| (name.clone(), attribute.kind.clone())));
            }
            (Type::Map(_), Value::Unknown(_)) => are_known = false,
            (Type::Map(element), value) => {
                let keys = value.members().into_iter().flat_map(BTreeMap::keys);
                attributes.extend(keys.map(|key| (key.clone(), element.as_ref().clone())));
            }
            (kind, _) => {
                return Err(Fault::Argument(index, format!("arguments must be maps or objects, got \"{kind}\"")));
            }
        }
    }
    let kind = first.kind();
    Ok(match () {
        () if arguments.iter().all(|value| value.kind() == kind) => kind,
        () if are_known => Type::object(attributes),
        () => Type::Dynamic,
    })
}

fn merge(arguments: &[Value], kind: &Type) -> Outcome {
    let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for (index, value) in arguments.iter().enumerate() {
        match value.members() {
            Some(members) => merged.extend(members.iter().map(|(key, value)| (key.clone(), value.clone()))),
            None if value.is_null() || value.items().is_some_and(<[Value]>::is_empty) => {}
            // Types were checked up to the first argument that has none.
            None => return Err(Fault::Argument(index, "arguments must be maps or objects".to_owned())),
        }
    }
    Ok(match kind {
        Type::Map(element) => Value::Map(element.as_ref().clone(), Arc::new(merged)),
        _ => Value::Object(Arc::new(merged)),
    })
}

fn zipmap_kind(arguments: &[Value]) -> Result<Type, Fault> {
    match arguments[1].kind() {
        Type::List(element) => Ok(Type::Map(element)),
        Type::Tuple(_) if !arguments[0].is_wholly_known() => Ok(Type::Dynamic),
        Type::Tuple(kinds) => {
            let keys = texts(&arguments[0], 0)?;
            same_length(keys.len(), kinds.len())?;
            Ok(Type::object(keys.into_iter().map(Arc::from).zip(kinds.iter().cloned())))
        }
        _ => Err(Fault::Argument(1, "values argument must be a list or tuple value".to_owned())),
    }
}

fn same_length(keys: usize, values: usize) -> Result<(), Fault> {
    if keys == values {
        return Ok(());
    }
    Err(format!("number of keys ({keys}) does not match number of values ({values})").into())
}

fn zipmap(arguments: &[Value], kind: &Type) -> Outcome {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::Unknown(kind.clone()));
    }
    let keys = texts(&arguments[0], 0)?;
    let values = items(arguments, 1);
    same_length(keys.len(), values.len())?;
    let members: BTreeMap<Arc<str>, Value> = keys.into_iter().map(Arc::from).zip(values.iter().cloned()).collect();
    Ok(match kind {
        Type::Map(element) => Value::Map(element.as_ref().clone(), Arc::new(members)),
        _ => Value::Object(Arc::new(members)),
    })
}
