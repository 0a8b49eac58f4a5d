//! The types of values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The type of a value, or of a place for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// Any type; of an unknown value: not known yet either.
    Dynamic,
    /// `true` and `false`.
    Bool,
    /// Numbers of any size.
    Number,
    /// Texts, in Unicode's normal form C.
    String,
    /// Any number of elements of one type, in order.
    List(Arc<Type>),
    /// Any number of different elements of one type.
    Set(Arc<Type>),
    /// Texts to values of one type.
    Map(Arc<Type>),
    /// A fixed number of elements, each of a type of its own.
    Tuple(Arc<[Type]>),
    /// A fixed set of attributes, each of a type of its own.
    Object(Arc<BTreeMap<Arc<str>, AttributeType>>),
}

/// The type of one attribute of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeType {
    /// Its type.
    pub kind: Type,
    /// Whether a conversion to this object may do without it; then it is null. Types of values have no such.
    pub is_optional: bool,
}

impl Type {
    /// Makes the type of an object with these attributes, all required.
    pub fn object(attributes: impl IntoIterator<Item = (Arc<str>, Type)>) -> Self {
        let required = |(name, kind)| (name, AttributeType { kind, is_optional: false });
        Self::Object(Arc::new(attributes.into_iter().map(required).collect()))
    }

    /// Makes the type of a list.
    #[must_use]
    pub fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// Makes the type of a set.
    #[must_use]
    pub fn set(element: Type) -> Self {
        Self::Set(Arc::new(element))
    }

    /// Makes the type of a map.
    #[must_use]
    pub fn map(element: Type) -> Self {
        Self::Map(Arc::new(element))
    }

    /// Makes the type of a tuple.
    pub fn tuple(elements: impl IntoIterator<Item = Type>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// Tells whether the type is, or has somewhere inside, the one that is not known.
    #[must_use]
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
            Self::Object(attributes) => attributes.values().any(|attribute| attribute.kind.has_dynamic()),
        }
    }

    /// Tells whether values of this type may stand where the other is promised: it is the same, but for what that one
    /// leaves open.
    #[must_use]
    pub fn conforms_to(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Dynamic) => true,
            (Self::List(own), Self::List(wanted))
            | (Self::Set(own), Self::Set(wanted))
            | (Self::Map(own), Self::Map(wanted)) => own.conforms_to(wanted),
            (Self::Tuple(own), Self::Tuple(wanted)) => {
                own.len() == wanted.len() && own.iter().zip(wanted.iter()).all(|(own, wanted)| own.conforms_to(wanted))
            }
            (Self::Object(own), Self::Object(wanted)) => {
                own.keys().eq(wanted.keys())
                    && own.values().zip(wanted.values()).all(|(own, wanted)| own.kind.conforms_to(&wanted.kind))
            }
            (own, wanted) => own == wanted,
        }
    }

    /// Tells whether it is a text, a number or a boolean.
    #[must_use]
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }
}

/// Writes the type as messages have it: `list of string`, `object`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic => f.write_str("dynamic"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => collection(f, "list", element),
            Self::Set(element) => collection(f, "set", element),
            Self::Map(element) => collection(f, "map", element),
            Self::Tuple(_) => f.write_str("tuple"),
            Self::Object(_) => f.write_str("object"),
        }
    }
}

fn collection(f: &mut fmt::Formatter<'_>, word: &str, element: &Type) -> fmt::Result {
    match element {
        Type::Dynamic => write!(f, "{word} of any single type"),
        element => write!(f, "{word} of {element}"),
    }
}
