//! Values: known, null, or not known yet, each of a type.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::number::Number;
use super::types::Type;

/// A value of some type. Cloning is cheap: whatever is large is shared.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of this type, but not known yet.
    Unknown(Type),
    /// Nothing, of this type.
    Null(Type),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text; [`Value::string`] keeps it in normal form.
    String(Arc<str>),
    /// A list; all elements are of the given type.
    List(Type, Arc<[Value]>),
    /// A set; elements differ and stand in the order in which sets iterate.
    Set(Type, Arc<[Value]>),
    /// A map; all elements are of the given type.
    Map(Type, Arc<BTreeMap<Arc<str>, Value>>),
    /// A tuple.
    Tuple(Arc<[Value]>),
    /// An object.
    Object(Arc<BTreeMap<Arc<str>, Value>>),
}

impl Value {
    /// The value of which nothing is known, not even its type.
    pub const DYNAMIC: Self = Self::Unknown(Type::Dynamic);

    /// Returns the type.
    #[must_use]
    pub fn kind(&self) -> Type {
        match self {
            Self::Unknown(kind) | Self::Null(kind) => kind.clone(),
            Self::Bool(_) => Type::Bool,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::List(element, _) => Type::list(element.clone()),
            Self::Set(element, _) => Type::set(element.clone()),
            Self::Map(element, _) => Type::map(element.clone()),
            Self::Tuple(items) => Type::tuple(items.iter().map(Self::kind)),
            Self::Object(attributes) => {
                Type::object(attributes.iter().map(|(name, value)| (name.clone(), value.kind())))
            }
        }
    }

    /// Makes an object.
    pub fn object(attributes: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        Self::Object(Arc::new(attributes.into_iter().collect()))
    }

    /// Makes a tuple.
    pub fn tuple(items: impl IntoIterator<Item = Value>) -> Self {
        Self::Tuple(items.into_iter().collect())
    }

    /// Tells whether the value itself is known; elements may still be unknown.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// Tells whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// Tells whether the value and everything inside it is known.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::Null(_) | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(_, members) | Self::Object(members) => members.values().all(Self::is_wholly_known),
        }
    }
}
impl Value {
    /// Makes a text, in normal form.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(if is_nfc_quick(text.chars()) == IsNormalized::Yes {
            Arc::from(text)
        } else {
            Arc::from(text.nfc().collect::<String>())
        })
    }

    /// Makes a number.
    pub fn number(value: impl Into<Number>) -> Self {
        Self::Number(value.into())
    }

    /// Makes a list of elements of one type.
    pub fn list(element: Type, items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(element, items.into_iter().collect())
    }

    /// Makes a map to elements of one type.
    pub fn map(element: Type, members: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        Self::Map(element, Arc::new(members.into_iter().collect()))
    }

    /// Makes a set of elements of one type: equal ones once, in the order in which sets iterate.
    pub fn set(element: Type, items: impl IntoIterator<Item = Value>) -> Self {
        let mut items: Vec<Value> = items.into_iter().collect();
        items.sort_by(Self::order);
        items.dedup();
        Self::Set(element, items.into())
    }

    /// Compares for the order in a set: texts by code point, numbers by value, false before true, null last.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::String(left), Self::String(right)) => left.cmp(right),
            (Self::Number(left), Self::Number(right)) => left.cmp(right),
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (
                Self::List(_, left) | Self::Set(_, left) | Self::Tuple(left),
                Self::List(_, right) | Self::Set(_, right) | Self::Tuple(right),
            ) => {
                let pairs = left.iter().zip(right.iter());
                pairs
                    .map(|(left, right)| left.order(right))
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            (Self::Map(_, left) | Self::Object(left), Self::Map(_, right) | Self::Object(right)) => {
                let pairs = left.iter().zip(right.iter());
                pairs
                    .map(|((left_key, left), (right_key, right))| {
                        left_key.cmp(right_key).then_with(|| left.order(right))
                    })
                    .find(|order| order.is_ne())
                    .unwrap_or_else(|| left.len().cmp(&right.len()))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::List(..) | Self::Set(..) | Self::Tuple(_) => 4,
            Self::Map(..) | Self::Object(_) => 5,
            Self::Unknown(_) => 6,
            Self::Null(_) => 7,
        }
    }

    /// Returns the elements of a list, a set or a tuple.
    #[must_use]
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Self::List(_, items) | Self::Set(_, items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the members of a map or an object.
    #[must_use]
    pub fn members(&self) -> Option<&BTreeMap<Arc<str>, Value>> {
        match self {
            Self::Map(_, members) | Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

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
            (Self::Unknown(_), Self::Unknown(_)) => None,
            (Self::Unknown(kind), known) | (known, Self::Unknown(kind)) => match known {
                Self::Null(_) => None,
                known => may_be_equal(kind, &known.kind()),
            },
            (Self::Null(_), Self::Null(_)) => Some(true),
            (Self::Null(_), _) | (_, Self::Null(_)) => Some(false),
            (Self::Bool(left), Self::Bool(right)) => Some(left == right),
            (Self::Number(left), Self::Number(right)) => Some(left.compare(right).is_eq()),
            (Self::String(left), Self::String(right)) => Some(left == right),
            // Which of its elements are the same is not known either.
            (Self::Set(left, _), Self::Set(right, _))
                if left == right && !(self.is_wholly_known() && other.is_wholly_known()) =>
            {
                None
            }
            (Self::List(left_kind, left), Self::List(right_kind, right))
            | (Self::Set(left_kind, left), Self::Set(right_kind, right)) => {
                if left_kind != right_kind || left.len() != right.len() {
                    return Some(false);
                }
                all(left.iter().zip(right.iter()).map(|(left, right)| left.is_equal(right)))
            }
            (Self::Tuple(left), Self::Tuple(right)) => {
                if left.len() != right.len() {
                    return Some(false);
                }
                all(left.iter().zip(right.iter()).map(|(left, right)| left.is_equal(right)))
            }
            (Self::Map(left_kind, left), Self::Map(right_kind, right)) => {
                if left_kind != right_kind {
                    return Some(false);
                }
                all_members(left, right)
            }
            (Self::Object(left), Self::Object(right)) => all_members(left, right),
            _ => Some(false),
        }
    }
}

fn may_be_equal(left: &Type, right: &Type) -> Option<bool> {
    (left != right && !left.has_dynamic() && !right.has_dynamic()).then_some(false)
}

fn all_members(left: &BTreeMap<Arc<str>, Value>, right: &BTreeMap<Arc<str>, Value>) -> Option<bool> {
    if !left.keys().eq(right.keys()) {
        return Some(false);
    }
    all(left.values().zip(right.values()).map(|(left, right)| left.is_equal(right)))
}

/// One difference decides; else one unknown leaves it open.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}
