//! The one type that several have in common.
//!
//! Collections and structures of one kind are brought together element by element. Else one of the types itself must
//! do, to which all others can be converted; which one is asked first follows from how general they are.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::convert::check;
use super::types::{AttributeType, Type};

/// Finds the type to which all these can be converted; none if there is none.
///
/// Where some are not known yet, the result may be not known either.
#[must_use]
pub fn unify(kinds: &[Type]) -> Option<Type> {
    let mut seen = HashSet::new();
    // Equal types have no say of their own, and there may be thousands.
    let kinds: Vec<&Type> = kinds.iter().filter(|kind| seen.insert(*kind)).collect();
    if let [only] = kinds.as_slice() {
        return Some((*only).clone());
    }
    let count = |is_kind: fn(&Type) -> bool| kinds.iter().filter(|kind| is_kind(kind)).count();
    let dynamics = count(|kind| *kind == Type::Dynamic);
    let maps = count(|kind| matches!(kind, Type::Map(_)));
    let lists = count(|kind| matches!(kind, Type::List(_)));
    let sets = count(|kind| matches!(kind, Type::Set(_)));
    let objects = count(|kind| matches!(kind, Type::Object(_)));
    let tuples = count(|kind| matches!(kind, Type::Tuple(_)));
    let is_all = |some: usize| some > 0 && some + dynamics == kinds.len();
    if [maps, lists, sets, objects, tuples].into_iter().any(is_all) {
        // What the unknown ones will be decides how the others come together.
        if dynamics > 0 {
            return Some(Type::Dynamic);
        }
        return match kinds.first()? {
            Type::Map(_) => unify(&inner(&kinds)).map(Type::map).filter(|common| takes_all(common, &kinds)),
            Type::List(_) => unify(&inner(&kinds)).map(Type::list).filter(|common| takes_all(common, &kinds)),
            Type::Set(_) => unify(&inner(&kinds)).map(Type::set).filter(|common| takes_all(common, &kinds)),
            Type::Object(first) => unify_objects(first, &kinds),
            _ => unify_tuples(&kinds),
        };
    }
    if maps > 0 && is_all(maps + objects) {
        let common = as_collections(&kinds, |kind| matches!(kind, Type::Object(_)), Type::map);
        if matches!(common, Some(Type::Map(_))) {
            return common;
        }
    }
    if lists > 0 && is_all(lists + tuples) {
        let common = as_collections(&kinds, |kind| matches!(kind, Type::Tuple(_)), Type::list);
        if matches!(common, Some(Type::List(_))) {
            return common;
        }
    }
    if objects > 0 && tuples > 0 {
        return None;
    }
    let primitives = count(Type::is_primitive);
    if primitives > 0 && primitives + dynamics < kinds.len() {
        return (dynamics > 0).then_some(Type::Dynamic);
    }
    most_general_first(&kinds).into_iter().find(|wanted| takes_all(wanted, &kinds)).cloned()
}

fn takes_all(wanted: &Type, kinds: &[&Type]) -> bool {
    kinds.iter().all(|kind| check(kind, wanted).is_ok())
}

fn unify_objects(first: &BTreeMap<Arc<str>, AttributeType>, kinds: &[&Type]) -> Option<Type> {
    let objects: Vec<_> = kinds
        .iter()
        .filter_map(|kind| match kind {
            Type::Object(attributes) => Some(attributes),
            _ => None,
        })
        .collect();
    let collected = || unify(&inner(kinds)).map(Type::map).filter(|common| takes_all(common, kinds));
    if !objects.iter().all(|object| object.keys().eq(first.keys())) {
        return collected();
    }
    let mut attributes = Vec::new();
    for name in first.keys() {
        let kinds: Vec<Type> = objects.iter().map(|object| object[name].kind.clone()).collect();
        attributes.push((name.clone(), unify(&kinds)?));
    }
    let common = Type::object(attributes);
    if takes_all(&common, kinds) { Some(common) } else { collected() }
}

fn unify_tuples(kinds: &[&Type]) -> Option<Type> {
    let tuples: Vec<_> = kinds
        .iter()
        .filter_map(|kind| match kind {
            Type::Tuple(items) => Some(items),
            _ => None,
        })
        .collect();
    let collected = || unify(&inner(kinds)).map(Type::list).filter(|common| takes_all(common, kinds));
    let length = tuples.first()?.len();
    if !tuples.iter().all(|items| items.len() == length) {
        return collected();
    }
    let mut items = Vec::new();
    for index in 0..length {
        let kinds: Vec<Type> = tuples.iter().map(|items| items[index].clone()).collect();
        items.push(unify(&kinds)?);
    }
    let common = Type::tuple(items);
    if takes_all(&common, kinds) { Some(common) } else { collected() }
}

/// Takes structures, which are often collections in disguise, for the collection they make together.
fn as_collections(kinds: &[&Type], is_structure: fn(&Type) -> bool, collection: fn(Type) -> Type) -> Option<Type> {
    let structures: Vec<&Type> = kinds.iter().copied().filter(|kind| is_structure(kind)).collect();
    let common = unify(&inner(&structures)).map(collection).filter(|common| takes_all(common, &structures))?;
    let kinds: Vec<Type> =
        kinds.iter().map(|kind| if is_structure(kind) { common.clone() } else { (*kind).clone() }).collect();
    unify(&kinds)
}

/// The types of all elements of some collections or structures.
fn inner(kinds: &[&Type]) -> Vec<Type> {
    kinds
        .iter()
        .flat_map(|kind| match kind {
            Type::List(element) | Type::Set(element) | Type::Map(element) => vec![element.as_ref().clone()],
            Type::Tuple(items) => items.to_vec(),
            Type::Object(attributes) => attributes.values().map(|attribute| attribute.kind.clone()).collect(),
            Type::Dynamic | Type::Bool | Type::Number | Type::String => Vec::new(),
        })
        .collect()
}

/// Sorts so that no type stands behind a less general one; else they stay in their order.
fn most_general_first<'a>(kinds: &[&'a Type]) -> Vec<&'a Type> {
    let mut waiting: Vec<&Type> = kinds.to_vec();
    let mut sorted = Vec::new();
    while !waiting.is_empty() {
        let is_next = |kind: &&Type| waiting.iter().all(|other| generality(other, kind) != Ordering::Less);
        let (next, rest): (Vec<&Type>, Vec<&Type>) = waiting.iter().copied().partition(is_next);
        if next.is_empty() {
            // A circle: then there is no order among these.
            sorted.extend(rest);
            break;
        }
        sorted.extend(next);
        waiting = rest;
    }
    sorted
}

/// Compares how general two types are; the more general one is less, as it comes first.
fn generality(left: &Type, right: &Type) -> Ordering {
    match (left, right) {
        (left, right) if left == right => Ordering::Equal,
        (Type::Dynamic, _) => Ordering::Greater,
        (_, Type::Dynamic) => Ordering::Less,
        // Every number and every boolean can be written as a text.
        (Type::String, Type::Number | Type::Bool) => Ordering::Less,
        (Type::Number | Type::Bool, Type::String) => Ordering::Greater,
        (Type::List(left), Type::List(right))
        | (Type::Set(left), Type::Set(right))
        | (Type::Map(left), Type::Map(right)) => generality(left, right),
        (Type::List(_), Type::Tuple(_)) | (Type::Map(_), Type::Object(_)) => Ordering::Less,
        (Type::Tuple(_), Type::List(_)) | (Type::Object(_), Type::Map(_)) => Ordering::Greater,
        (Type::List(_) | Type::Tuple(_), Type::Set(_)) => Ordering::Less,
        (Type::Set(_), Type::List(_) | Type::Tuple(_)) => Ordering::Greater,
        (Type::Object(left), Type::Object(right)) if left.keys().eq(right.keys()) => {
            of_parts(left.values().zip(right.values()).map(|(left, right)| generality(&left.kind, &right.kind)))
        }
        (Type::Tuple(left), Type::Tuple(right)) if left.len() == right.len() => {
            of_parts(left.iter().zip(right.iter()).map(|(left, right)| generality(left, right)))
        }
        _ => Ordering::Equal,
    }
}

/// A structure is more general if some of its parts are and none is less so.
fn of_parts(mut parts: impl Iterator<Item = Ordering>) -> Ordering {
    let Some(first) = parts.find(|order| order.is_ne()) else { return Ordering::Equal };
    if parts.any(|order| order == first.reverse()) { Ordering::Equal } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_have_one_in_common() {
        let tuple = |kinds: &[Type]| Type::tuple(kinds.iter().cloned());
        let object = |name: &str, kind: Type| Type::object([(Arc::from(name), kind)]);
        let (list, set, map) = (Type::list as fn(Type) -> Type, Type::set, Type::map);
        for (kinds, expected) in [
            (vec![Type::Number, Type::String], Some(Type::String)),
            (vec![Type::Number, Type::Bool, Type::String], Some(Type::String)),
            (vec![Type::Number, Type::Bool], None),
            (vec![Type::Number, Type::Dynamic], Some(Type::Number)),
            (vec![list(Type::Bool), Type::Dynamic], Some(Type::Dynamic)),
            (vec![Type::Number, list(Type::Bool), Type::Dynamic], Some(Type::Dynamic)),
            (vec![tuple(&[Type::Number, Type::Number]), tuple(&[Type::Number])], Some(list(Type::Number))),
            (vec![tuple(&[Type::Number]), tuple(&[Type::String])], Some(tuple(&[Type::String]))),
            (vec![object("a", Type::Number), object("b", Type::Number)], Some(map(Type::Number))),
            (vec![object("a", Type::Number), object("a", Type::Bool)], None),
            (vec![object("a", Type::Number), map(Type::Bool)], None),
            (vec![object("a", Type::Number), map(Type::String)], Some(map(Type::String))),
            (vec![object("a", Type::Number), tuple(&[])], None),
            (vec![list(Type::Bool), Type::String], None),
            (vec![list(Type::Number), list(Type::String)], Some(list(Type::String))),
            (vec![list(Type::Number), tuple(&[Type::String])], Some(list(Type::String))),
            (vec![set(Type::String), list(Type::Number)], Some(list(Type::Number))),
            (vec![set(Type::Number), tuple(&[])], Some(set(Type::Number))),
            (vec![set(Type::Number), tuple(&[Type::Bool])], None),
            (vec![], None),
        ] {
            assert_eq!(unify(&kinds), expected, "{kinds:?}");
        }
    }
}
