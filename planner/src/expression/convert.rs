//! Conversion of values to types, and the one type that several have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use thiserror::Error;

use super::number::Number;
use super::types::{AttributeType, Type};
use super::value::Value;

/// A value does not fit a type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}{message}")]
pub struct ConvertError {
    /// Where inside the value it does not fit, as `element 0: `; empty for the value as a whole.
    path: String,
    /// What is wanted.
    message: String,
}

impl ConvertError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn required(kind: &Type) -> Self {
        Self::new(format!("{kind} required"))
    }

    fn inside(mut self, step: &str) -> Self {
        self.path.insert_str(0, &format!("{step}: "));
        self
    }
}

/// Converts a value to a type.
///
/// # Errors
///
/// Fails if there is no conversion, or the value is none that has one.
pub fn convert(value: &Value, kind: &Type) -> Result<Value, ConvertError> {
    match (value, kind) {
        (value, Type::Dynamic) => Ok(value.clone()),
        (Value::Unknown(Type::Dynamic), kind) => Ok(Value::Unknown(without_optional(kind))),
        (Value::Null(Type::Dynamic), kind) => Ok(Value::Null(without_optional(kind))),
        (Value::Unknown(from), kind) => {
            check(from, kind)?;
            Ok(Value::Unknown(result_type(from, kind)))
        }
        (Value::Null(from), kind) => {
            check(from, kind)?;
            Ok(Value::Null(result_type(from, kind)))
        }
        (Value::Bool(_), Type::Bool) | (Value::Number(_), Type::Number) | (Value::String(_), Type::String) => {
            Ok(value.clone())
        }
        (Value::Bool(flag), Type::String) => Ok(Value::string(&flag.to_string())),
        (Value::Number(number), Type::String) => Ok(Value::string(&number.to_string())),
        (Value::String(text), Type::Number) => {
            Number::parse(text).map(Value::Number).ok_or_else(|| ConvertError::new("a number is required"))
        }
        (Value::String(text), Type::Bool) => match text.as_ref() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            "True" | "TRUE" => {
                Err(ConvertError::new("a bool is required; to convert from string, use lowercase \"true\""))
            }
            "False" | "FALSE" => {
                Err(ConvertError::new("a bool is required; to convert from string, use lowercase \"false\""))
            }
            _ => Err(ConvertError::new("a bool is required")),
        },
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::List(element)) => {
            let (element, items) = elements(items, element, "list")?;
            Ok(Value::List(element, items.into()))
        }
        (Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items), Type::Set(element)) => {
            let (element, items) = elements(items, element, "set")?;
            Ok(Value::set(element, items))
        }
        (Value::Tuple(items), Type::Tuple(kinds)) => tuple(items, kinds),
        (Value::Map(_, members) | Value::Object(members), Type::Map(element)) => map(members, element),
        (Value::Map(_, members) | Value::Object(members), Type::Object(attributes)) => {
            object(members, attributes, matches!(value, Value::Map(..)))
        }
        _ => Err(ConvertError::required(kind)),
    }
}

fn elements(items: &[Value], element: &Type, word: &str) -> Result<(Type, Vec<Value>), ConvertError> {
    let wanted = common(items.iter(), element)
        .ok_or_else(|| ConvertError::new(format!("all {word} elements must have the same type")))?;
    let converted: Result<Vec<Value>, ConvertError> = items
        .iter()
        .enumerate()
        .map(|(index, item)| convert(item, &wanted).map_err(|error| error.inside(&format!("element {index}"))))
        .collect();
    Ok((settled(&wanted), converted?))
}

/// Finds the type that elements are brought to: the wanted one, or if it is open the one that they have in common.
fn common<'a>(values: impl Iterator<Item = &'a Value>, wanted: &Type) -> Option<Type> {
    if !wanted.has_dynamic() {
        return Some(wanted.clone());
    }
    let kinds: Option<Vec<Type>> =
        values.map(|value| convert(value, wanted).ok().map(|converted| converted.kind())).collect();
    match kinds {
        // A failure is reported by the conversion itself, with its place.
        None => Some(wanted.clone()),
        Some(kinds) if kinds.is_empty() => Some(wanted.clone()),
        Some(kinds) => unify(&kinds),
    }
}

/// The type that elements have after a conversion to `wanted`.
fn settled(wanted: &Type) -> Type {
    without_optional(wanted)
}

fn tuple(items: &[Value], kinds: &[Type]) -> Result<Value, ConvertError> {
    if items.len() != kinds.len() {
        return Err(ConvertError::new(format!("tuple of {} elements required", kinds.len())));
    }
    let converted: Result<Vec<Value>, ConvertError> = items
        .iter()
        .zip(kinds)
        .enumerate()
        .map(|(index, (item, kind))| convert(item, kind).map_err(|error| error.inside(&format!("element {index}"))))
        .collect();
    Ok(Value::tuple(converted?))
}

fn map(members: &BTreeMap<Arc<str>, Value>, element: &Type) -> Result<Value, ConvertError> {
    let wanted = common(members.values(), element)
        .ok_or_else(|| ConvertError::new("all map elements must have the same type"))?;
    let mut converted = BTreeMap::new();
    for (name, value) in members {
        let value = convert(value, &wanted).map_err(|error| error.inside(&format!("element \"{name}\"")))?;
        converted.insert(name.clone(), value);
    }
    Ok(Value::Map(settled(&wanted), Arc::new(converted)))
}

fn object(
    members: &BTreeMap<Arc<str>, Value>,
    attributes: &BTreeMap<Arc<str>, AttributeType>,
    is_map: bool,
) -> Result<Value, ConvertError> {
    let mut converted = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, attribute) in attributes {
        let value = match members.get(name) {
            Some(value) => {
                convert(value, &attribute.kind).map_err(|error| error.inside(&format!("attribute \"{name}\"")))?
            }
            None if attribute.is_optional => Value::Null(without_optional(&attribute.kind)),
            None => {
                missing.push(name.as_ref());
                continue;
            }
        };
        converted.insert(name.clone(), value);
    }
    match missing.as_slice() {
        [] => Ok(Value::Object(Arc::new(converted))),
        [name] if is_map => Err(ConvertError::new(format!("map has no element for required attribute \"{name}\""))),
        [name] => Err(ConvertError::new(format!("attribute \"{name}\" is required"))),
        names => {
            let mut list = String::new();
            for (index, name) in names.iter().enumerate() {
                let joint = if index == 0 {
                    ""
                } else if index + 1 == names.len() {
                    " and "
                } else {
                    ", "
                };
                let _ = write!(list, "{joint}\"{name}\"");
            }
            Err(ConvertError::new(format!("attributes {list} are required")))
        }
    }
}

/// Tells whether values of one type may be converted to another, as far as types decide.
fn check(from: &Type, to: &Type) -> Result<(), ConvertError> {
    match (from, to) {
        (Type::Dynamic, _) | (_, Type::Dynamic) => Ok(()),
        (from, to) if from == to => Ok(()),
        (Type::Bool | Type::Number, Type::String) | (Type::String, Type::Bool | Type::Number) => Ok(()),
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to)) | (Type::Map(from), Type::Map(to)) => {
            check(from, to).map_err(|error| error.inside("incorrect element type"))
        }
        (Type::Tuple(items), Type::List(to) | Type::Set(to)) => items.iter().try_for_each(|item| check(item, to)),
        (Type::Tuple(items), Type::Tuple(kinds)) if items.len() == kinds.len() => {
            items.iter().zip(kinds.iter()).try_for_each(|(item, kind)| check(item, kind))
        }
        (Type::Object(attributes), Type::Map(to)) => {
            attributes.values().try_for_each(|attribute| check(&attribute.kind, to))
        }
        (Type::Map(from), Type::Object(attributes)) => {
            attributes.values().try_for_each(|attribute| check(from, &attribute.kind))
        }
        (Type::Object(from), Type::Object(to)) => to.iter().try_for_each(|(name, attribute)| match from.get(name) {
            Some(own) => {
                check(&own.kind, &attribute.kind).map_err(|error| error.inside(&format!("attribute \"{name}\"")))
            }
            None if attribute.is_optional => Ok(()),
            None => Err(ConvertError::new(format!("attribute \"{name}\" is required"))),
        }),
        _ => Err(ConvertError::required(to)),
    }
}

/// The type of what an unknown value of type `from` becomes.
fn result_type(from: &Type, to: &Type) -> Type {
    match (from, to) {
        (from, Type::Dynamic) => from.clone(),
        (Type::List(from) | Type::Set(from), Type::List(to)) => Type::list(result_type(from, to)),
        (Type::List(from) | Type::Set(from), Type::Set(to)) => Type::set(result_type(from, to)),
        (Type::Map(from), Type::Map(to)) => Type::map(result_type(from, to)),
        _ => without_optional(to),
    }
}

/// Returns the type with all attributes required, as the types of values are.
#[must_use]
pub fn without_optional(kind: &Type) -> Type {
    match kind {
        Type::List(element) => Type::list(without_optional(element)),
        Type::Set(element) => Type::set(without_optional(element)),
        Type::Map(element) => Type::map(without_optional(element)),
        Type::Tuple(items) => Type::tuple(items.iter().map(without_optional)),
        Type::Object(attributes) => {
            Type::object(attributes.iter().map(|(name, attribute)| (name.clone(), without_optional(&attribute.kind))))
        }
        other => other.clone(),
    }
}

/// Finds the type to which all these can be converted; none if there is none.
#[must_use]
pub fn unify(kinds: &[Type]) -> Option<Type> {
    let first = kinds.first()?;
    if kinds.iter().all(|kind| kind == first) {
        return Some(first.clone());
    }
    if kinds.contains(&Type::Dynamic) {
        return Some(Type::Dynamic);
    }
    let all = |is_kind: fn(&Type) -> bool| kinds.iter().all(is_kind);
    if all(Type::is_primitive) {
        return kinds.contains(&Type::String).then_some(Type::String);
    }
    if all(|kind| matches!(kind, Type::Map(_) | Type::Object(_))) {
        return unify_named(kinds);
    }
    if all(|kind| matches!(kind, Type::Set(_))) {
        return unify(&inner(kinds)).map(Type::set);
    }
    if all(|kind| matches!(kind, Type::List(_) | Type::Set(_) | Type::Tuple(_))) {
        return unify_ordered(kinds);
    }
    None
}

fn unify_named(kinds: &[Type]) -> Option<Type> {
    let objects: Option<Vec<&BTreeMap<Arc<str>, AttributeType>>> = kinds
        .iter()
        .map(|kind| match kind {
            Type::Object(attributes) => Some(attributes.as_ref()),
            _ => None,
        })
        .collect();
    if let Some(objects) = objects {
        let names: BTreeSet<&Arc<str>> = objects.iter().flat_map(|object| object.keys()).collect();
        if objects.iter().all(|object| object.len() == names.len()) {
            let mut attributes = Vec::new();
            for name in names {
                let kinds: Vec<Type> = objects.iter().map(|object| object[name].kind.clone()).collect();
                attributes.push((name.clone(), unify(&kinds)?));
            }
            return Some(Type::object(attributes));
        }
    }
    unify(&inner(kinds)).map(Type::map)
}

fn unify_ordered(kinds: &[Type]) -> Option<Type> {
    let tuples: Option<Vec<&Arc<[Type]>>> = kinds
        .iter()
        .map(|kind| match kind {
            Type::Tuple(items) => Some(items),
            _ => None,
        })
        .collect();
    if let Some(tuples) = tuples
        && tuples.iter().all(|items| items.len() == tuples[0].len())
    {
        let mut items = Vec::new();
        for index in 0..tuples[0].len() {
            let kinds: Vec<Type> = tuples.iter().map(|items| items[index].clone()).collect();
            items.push(unify(&kinds)?);
        }
        return Some(Type::tuple(items));
    }
    unify(&inner(kinds)).map(Type::list)
}

/// The types of all elements of some collections and structures.
fn inner(kinds: &[Type]) -> Vec<Type> {
    kinds
        .iter()
        .flat_map(|kind| match kind {
            Type::List(element) | Type::Set(element) | Type::Map(element) => vec![element.as_ref().clone()],
            Type::Tuple(items) => items.to_vec(),
            Type::Object(attributes) => attributes.values().map(|attribute| attribute.kind.clone()).collect(),
            other => vec![other.clone()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_have_one_in_common() {
        let tuple = |kinds: &[Type]| Type::tuple(kinds.iter().cloned());
        for (kinds, expected) in [
            (vec![Type::Number, Type::String], Some(Type::String)),
            (vec![Type::Number, Type::Bool], None),
            (vec![Type::Number, Type::Dynamic], Some(Type::Dynamic)),
            (vec![tuple(&[Type::Number, Type::Number]), tuple(&[Type::Number])], Some(Type::list(Type::Number))),
            (
                vec![Type::object([(Arc::from("a"), Type::Number)]), Type::object([(Arc::from("b"), Type::Number)])],
                Some(Type::map(Type::Number)),
            ),
            (vec![Type::list(Type::Bool), Type::String], None),
        ] {
            assert_eq!(unify(&kinds), expected, "{kinds:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let value = Value::tuple([Value::string("a"), Value::tuple([])]);
        let error = convert(&value, &Type::list(Type::String)).expect_err("does not fit");
        assert_eq!(error.to_string(), "element 1: string required");
        assert!(convert(&Value::tuple([Value::number(1_i64), Value::Bool(true)]), &Type::list(Type::Dynamic)).is_err());
        let texts = convert(&Value::tuple([Value::number(1_i64), Value::string("a")]), &Type::list(Type::Dynamic));
        assert_eq!(texts.expect("fits").kind(), Type::list(Type::String));
    }
}
