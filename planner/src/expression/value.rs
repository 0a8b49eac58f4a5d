//! Values: known, null, or not known yet, each of a type.

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
}
