//! Which values are equal, as `cty` has it: of one type and alike all through, if all of that is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::types::Type;
use super::value::Value;

impl Value {
    /// Tells whether two values are equal: of one type and alike all through. Unknown if that depends on something
    /// unknown.
    #[must_use]
    pub fn equals(&self, other: &Self) -> Self {
        match self.is_equal(other) {
            Some(is_equal) => Self::Bool(is_equal),
            None => Self::Unknown(Type::Bool),
        }
    }

    fn is_equal(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            // Both may be null, and null is equal to null whatever its type.
            (Self::Unknown(_), Self::Unknown(_) | Self::Null(_)) | (Self::Null(_), Self::Unknown(_)) => None,
            (Self::Unknown(kind), known) | (known, Self::Unknown(kind)) => {
                if known.kind().conforms_to(kind) {
                    None
                } else {
                    Some(false)
                }
            }
            (Self::Null(_), Self::Null(_)) => Some(true),
            (Self::Null(_), _) | (_, Self::Null(_)) => Some(false),
            // Most values are simple, and have nothing inside whose type has to be looked at.
            (Self::Bool(_), Self::Bool(_))
            | (Self::Number(_), Self::Number(_))
            | (Self::String(_), Self::String(_)) => self.is_alike(other),
            _ => {
                let (left, right) = (self.kind(), other.kind());
                if !(self.has_known_type() && other.has_known_type()) {
                    return if left.conforms_to(&right) || right.conforms_to(&left) { None } else { Some(false) };
                }
                if left == right { self.is_alike(other) } else { Some(false) }
            }
        }
    }

    /// Tells whether no type of an element can turn out to be another one.
    fn has_known_type(&self) -> bool {
        match self {
            Self::Unknown(kind) => !kind.has_dynamic(),
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => items.iter().all(Self::has_known_type),
            Self::Map(_, members) | Self::Object(members) => members.values().all(Self::has_known_type),
            Self::Null(_) | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// Compares values of one type.
    fn is_alike(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Unknown(_), _) | (_, Self::Unknown(_)) => match (self, other) {
                (Self::Unknown(_), Self::Unknown(_) | Self::Null(_)) | (Self::Null(_), Self::Unknown(_)) => None,
                _ => self.is_equal(other),
            },
            (Self::Null(_), Self::Null(_)) => Some(true),
            (Self::Bool(left), Self::Bool(right)) => Some(left == right),
            (Self::Number(left), Self::Number(right)) => Some(left.compare(right).is_eq()),
            (Self::String(left), Self::String(right)) => Some(left == right),
            (Self::Set(_, left), Self::Set(_, right)) => same_members(left, right),
            (Self::List(_, left) | Self::Tuple(left), Self::List(_, right) | Self::Tuple(right)) => {
                if left.len() != right.len() {
                    return Some(false);
                }
                // The first that differs, or that is not known, decides.
                left.iter()
                    .zip(right.iter())
                    .map(|(left, right)| left.is_alike(right))
                    .find(|result| *result != Some(true))
                    .unwrap_or(Some(true))
            }
            (Self::Map(_, left) | Self::Object(left), Self::Map(_, right) | Self::Object(right)) => {
                all_members(left, right)
            }
            _ => Some(false),
        }
    }
}

/// Compares sets. Which of their elements are the same is not known if one is unknown.
fn same_members(left: &[Value], right: &[Value]) -> Option<bool> {
    if !left.iter().chain(right).all(Value::is_known) {
        return None;
    }
    let has = |all: &[Value], one: &Value| all.iter().any(|other| other.is_alike(one) == Some(true));
    // Mostly both stand in the same order.
    let pairs = left.iter().zip(right).all(|(left, right)| left.is_alike(right) == Some(true));
    Some(
        left.len() == right.len()
            && (pairs || left.iter().all(|one| has(right, one)) && right.iter().all(|one| has(left, one))),
    )
}

/// Members have no order: one difference decides, else one unknown leaves it open.
fn all_members(left: &BTreeMap<Arc<str>, Value>, right: &BTreeMap<Arc<str>, Value>) -> Option<bool> {
    if !left.keys().eq(right.keys()) {
        return Some(false);
    }
    let mut result = Some(true);
    for (left, right) in left.values().zip(right.values()) {
        match left.is_alike(right) {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_leaves_open_what_comes_after_it() {
        let (us, a, b) = (Value::Unknown(Type::String), Value::string("a"), Value::string("b"));
        let one = Value::number(1_i64);
        let pair = |left: &Value, right: &Value| Value::tuple([left.clone(), right.clone()]);
        let (open, no) = (Value::Unknown(Type::Bool), Value::Bool(false));
        for (left, right, expected) in [
            (pair(&us, &a), pair(&a, &b), &open),
            (pair(&a, &us), pair(&b, &a), &no),
            (pair(&us, &one), pair(&a, &a), &no),
            (us.clone(), one.clone(), &no),
            (us.clone(), Value::tuple([Value::Null(Type::Dynamic)]), &no),
            (us.clone(), Value::Null(Type::Dynamic), &open),
            (Value::DYNAMIC, one.clone(), &open),
            (pair(&Value::DYNAMIC, &one), pair(&a, &one), &open),
            (pair(&Value::DYNAMIC, &one), one.clone(), &no),
            (Value::set(Type::String, [us.clone()]), Value::set(Type::String, [a.clone()]), &open),
        ] {
            assert_eq!(left.equals(&right), *expected, "{left:?} {right:?}");
        }
    }
}
