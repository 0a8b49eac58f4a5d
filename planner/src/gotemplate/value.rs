//! The values a template works on.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A value given to a template, made by it, or passed to and from its functions.
///
/// Cloning is cheap: strings, lists and maps are shared. What is missing altogether is [`Value::Nil`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing; printed as `<no value>`.
    #[default]
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    String(Arc<str>),
    /// Values in order.
    List(Arc<Vec<Value>>),
    /// Values by name, in the order of the names.
    Map(Arc<BTreeMap<String, Value>>),
}

impl Value {
    /// Returns the name of the Go type that stands for this kind of value in messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::String(_) => "string",
            Value::List(_) => "[]interface {}",
            Value::Map(_) => "map[string]interface {}",
        }
    }

    /// Tells whether `if` takes the value for true: it is neither nothing, false, zero nor empty.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::String(value) => !value.is_empty(),
            Value::List(value) => !value.is_empty(),
            Value::Map(value) => !value.is_empty(),
        }
    }

    /// Returns the text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(value) => Some(value),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::String(value.into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Value::List(Arc::new(value))
    }
}

impl From<BTreeMap<String, Value>> for Value {
    fn from(value: BTreeMap<String, Value>) -> Self {
        Value::Map(Arc::new(value))
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Value::from(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect::<BTreeMap<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_zero_values_are_false() {
        let empty: [Value; 7] = [
            Value::Nil,
            false.into(),
            0.into(),
            0.0.into(),
            "".into(),
            Vec::new().into(),
            Value::from_iter::<[(&str, Value); 0]>([]),
        ];
        assert!(empty.iter().all(|value| !value.is_true()));
        let full: [Value; 6] = [
            true.into(),
            1.into(),
            0.5.into(),
            "false".into(),
            vec![Value::Nil].into(),
            Value::from_iter([("a", Value::Nil)]),
        ];
        assert!(full.iter().all(Value::is_true));
    }
}
