//! Conversion of values to types.
//!
//! Whether there is a conversion is a question of types first: an empty list of texts is no list of lists, although it
//! has no element that would not fit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use thiserror::Error;

use super::number::Number;
use super::types::{AttributeType, Type};
use super::unify::unify;
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
        (Value::List(own, _), Type::List(element))
        | (Value::Set(own, _), Type::Set(element))
        | (Value::Map(own, _), Type::Map(element))
            if own == element.as_ref() =>
        {
            Ok(value.clone())
        }
        // How many elements it has shows when they are known.
        (Value::Set(own, items), Type::List(element))
            if items.len() > 1 && !items.iter().all(Value::is_wholly_known) =>
        {
            check(own, element)?;
            Ok(Value::Unknown(Type::list(result_type(own, element))))
        }
        (Value::List(own, items) | Value::Set(own, items), Type::List(element)) if items.is_empty() => {
            Ok(Value::list(element_of_none(own, element)?, []))
        }
        (Value::List(own, items) | Value::Set(own, items), Type::Set(element)) if items.is_empty() => {
            Ok(Value::set(element_of_none(own, element)?, []))
        }
        (Value::Map(own, members), Type::Map(element)) if members.is_empty() => {
            Ok(Value::map(element_of_none(own, element)?, []))
        }
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

/// The type that the elements of an empty collection get.
fn element_of_none(own: &Type, wanted: &Type) -> Result<Type, ConvertError> {
    check(own, wanted).map_err(|_| ConvertError::new(format!("incorrect element type: {wanted} required")))?;
    Ok(if *wanted == Type::Dynamic { own.clone() } else { without_optional(wanted) })
}

fn elements(items: &[Value], element: &Type, word: &str) -> Result<(Type, Vec<Value>), ConvertError> {
    let wanted = common(items.iter(), element)
        .ok_or_else(|| ConvertError::new(format!("all {word} elements must have the same type")))?;
    let converted: Result<Vec<Value>, ConvertError> = items
        .iter()
        .enumerate()
        .map(|(index, item)| convert(item, &wanted).map_err(|error| error.inside(&format!("element {index}"))))
        .collect();
    Ok((without_optional(&wanted), converted?))
}

/// Finds the type that elements are brought to: the wanted one, or if it is open the one that they have in common.
fn common<'a>(values: impl Iterator<Item = &'a Value> + Clone, wanted: &Type) -> Option<Type> {
    if !wanted.has_dynamic() {
        return Some(wanted.clone());
    }
    let kinds: Option<Vec<Type>> =
        values.map(|value| convert(value, wanted).ok().map(|converted| converted.kind())).collect();
    match kinds {
        // A failure is reported by the conversion itself, with its place.
        None => Some(wanted.clone()),
        Some(kinds) if kinds.is_empty() => Some(wanted.clone()),
        Some(kinds) => element_type(&kinds),
    }
}

/// The one type of these elements. If it is not known it must be so of each: else they could come to differ.
fn element_type(kinds: &[Type]) -> Option<Type> {
    unify(kinds).filter(|kind| *kind != Type::Dynamic || kinds.iter().all(|kind| *kind == Type::Dynamic))
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
    let wanted = if *element == Type::Dynamic { of_members(members) } else { common(members.values(), element) }
        .ok_or_else(|| ConvertError::new("all map elements must have the same type"))?;
    let mut converted = BTreeMap::new();
    for (name, value) in members {
        let value = convert(value, &wanted).map_err(|error| error.inside(&format!("element \"{name}\"")))?;
        converted.insert(name.clone(), value);
    }
    Ok(Value::Map(without_optional(&wanted), Arc::new(converted)))
}

/// The one type of the elements of a map. Those whose type is not known take that of the others, which must be one and
/// the same then.
fn of_members(members: &BTreeMap<Arc<str>, Value>) -> Option<Type> {
    let kinds: Vec<Type> = members.values().map(Value::kind).collect();
    if kinds.is_empty() {
        return Some(Type::Dynamic);
    }
    let common = unify(&kinds)?;
    if common != Type::Dynamic {
        return Some(common);
    }
    let mut others = kinds.into_iter().filter(|kind| *kind != Type::Dynamic);
    let first = others.next().unwrap_or(Type::Dynamic);
    others.all(|kind| kind == first).then_some(first)
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
pub(super) fn check(from: &Type, to: &Type) -> Result<(), ConvertError> {
    match (from, to) {
        (Type::Dynamic, _) | (_, Type::Dynamic) => Ok(()),
        (from, to) if from == to => Ok(()),
        (Type::Bool | Type::Number, Type::String) | (Type::String, Type::Bool | Type::Number) => Ok(()),
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to)) | (Type::Map(from), Type::Map(to)) => {
            check(from, to).map_err(|error| error.inside("incorrect element type"))
        }
        (Type::Tuple(items), Type::List(element) | Type::Set(element)) => check_elements(items, element, to),
        (Type::Tuple(items), Type::Tuple(kinds)) if items.len() == kinds.len() => {
            items.iter().zip(kinds.iter()).try_for_each(|(item, kind)| check(item, kind))
        }
        (Type::Object(attributes), Type::Map(element)) => check_elements(&kinds_of(attributes), element, to),
        (Type::Map(from), Type::Object(attributes)) => attributes
            .values()
            // Whether the map has what an optional attribute cannot be made from shows later.
            .filter(|attribute| !attribute.is_optional)
            .try_for_each(|attribute| check(from, &attribute.kind)),
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

fn check_elements(kinds: &[Type], element: &Type, to: &Type) -> Result<(), ConvertError> {
    let common = if matches!(to, Type::Map(_)) { unify } else { element_type };
    if *element == Type::Dynamic && !kinds.is_empty() && common(kinds).is_none() {
        return Err(ConvertError::required(to));
    }
    kinds.iter().try_for_each(|kind| check(kind, element))
}

fn kinds_of(attributes: &BTreeMap<Arc<str>, AttributeType>) -> Vec<Type> {
    attributes.values().map(|attribute| attribute.kind.clone()).collect()
}

/// The type of what an unknown value or a null of type `from` becomes: `to`, with what it leaves open taken of `from`.
fn result_type(from: &Type, to: &Type) -> Type {
    let of_all = |kinds: &[Type], to: &Type| match unify(kinds) {
        Some(kind) => result_type(&kind, to),
        None => without_optional(to),
    };
    match (from, to) {
        (Type::Dynamic, to) => without_optional(to),
        (from, Type::Dynamic) => from.clone(),
        (Type::List(from) | Type::Set(from), Type::List(to)) => Type::list(result_type(from, to)),
        (Type::List(from) | Type::Set(from), Type::Set(to)) => Type::set(result_type(from, to)),
        (Type::Tuple(items), Type::List(to)) => Type::list(of_all(items, to)),
        (Type::Tuple(items), Type::Set(to)) => Type::set(of_all(items, to)),
        (Type::Tuple(items), Type::Tuple(kinds)) => {
            Type::tuple(items.iter().zip(kinds.iter()).map(|(item, kind)| result_type(item, kind)))
        }
        (Type::Map(from), Type::Map(to)) => Type::map(result_type(from, to)),
        (Type::Object(attributes), Type::Map(to)) => Type::map(of_all(&kinds_of(attributes), to)),
        (Type::Map(from), Type::Object(to)) => {
            Type::object(to.iter().map(|(name, attribute)| (name.clone(), result_type(from, &attribute.kind))))
        }
        (Type::Object(from), Type::Object(to)) => Type::object(to.iter().map(|(name, attribute)| {
            let kind = match from.get(name) {
                Some(own) => result_type(&own.kind, &attribute.kind),
                None => without_optional(&attribute.kind),
            };
            (name.clone(), kind)
        })),
        (_, to) => without_optional(to),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_or_unknown_is_converted_by_its_type() {
        let (text, open) = (Type::String, Type::list(Type::Dynamic));
        let none = Value::list(text.clone(), []);
        assert_eq!(convert(&none, &open), Ok(none.clone()));
        assert_eq!(convert(&none, &Type::set(Type::Dynamic)), Ok(Value::set(text.clone(), [])));
        assert!(convert(&none, &Type::list(open.clone())).is_err());
        let object = Type::object([(Arc::from("a"), Type::Number), (Arc::from("b"), text.clone())]);
        let map = Type::map(text.clone());
        assert_eq!(convert(&Value::Null(object.clone()), &Type::map(Type::Dynamic)), Ok(Value::Null(map.clone())));
        assert_eq!(convert(&Value::Unknown(object), &map), Ok(Value::Unknown(map)));
        let mixed = Type::tuple([Type::Number, Type::Bool]);
        assert!(convert(&Value::Unknown(mixed), &open).is_err());
        let unknown = Value::Unknown(text.clone());
        let one = Value::set(text.clone(), [unknown.clone()]);
        assert_eq!(convert(&one, &open), Ok(Value::list(text.clone(), [unknown])));
        let partly = Value::set(text.clone(), [Value::string("a"), Value::Unknown(text.clone())]);
        assert_eq!(convert(&partly, &open), Ok(Value::Unknown(Type::list(text))));
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let value = Value::tuple([Value::string("a"), Value::tuple([])]);
        let error = convert(&value, &Type::list(Type::String)).expect_err("does not fit");
        assert_eq!(error.to_string(), "element 1: string required");
        assert!(convert(&Value::tuple([Value::number(1_i64), Value::Bool(true)]), &Type::list(Type::Dynamic)).is_err());
        let null = Value::Null(Type::Dynamic);
        let pair = |other: Value| Value::object([(Arc::from("a"), null.clone()), (Arc::from("b"), other)]);
        let map = convert(&pair(Value::tuple([])), &Type::map(Type::Dynamic)).expect("fits");
        assert_eq!(map.kind(), Type::map(Type::tuple([])));
        assert!(convert(&Value::tuple([null.clone(), Value::tuple([])]), &Type::list(Type::Dynamic)).is_err());
        let texts = convert(&Value::tuple([Value::number(1_i64), Value::string("a")]), &Type::list(Type::Dynamic));
        assert_eq!(texts.expect("fits").kind(), Type::list(Type::String));
    }
}
