//! The language of types: `list(object({ name = string, size = optional(number, 7) }))`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::convert::{ConvertError, convert};
use super::types::{AttributeType, Type};
use super::value::Value;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hcl::ast::{Call, Expression, ExpressionKind, ObjectKey};
use crate::span::{FileId, Span};

/// A type with the defaults of its optional attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// The type.
    pub kind: Type,
    defaults: Defaults,
}

/// The defaults of optional attributes, in the shape of the type.
#[derive(Clone, Debug, Default, PartialEq)]
struct Defaults {
    /// By attribute: its default.
    values: BTreeMap<Arc<str>, Value>,
    /// By attribute, or `""` for the elements of a collection, or the index in a tuple.
    children: BTreeMap<Arc<str>, Defaults>,
}

impl Defaults {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.children.is_empty()
    }

    fn child(&mut self, name: &str, child: Self) {
        if !child.is_empty() {
            self.children.insert(Arc::from(name), child);
        }
    }

    /// Fills in defaults where attributes are absent or null.
    fn apply(&self, value: &Value) -> Value {
        if self.is_empty() || !value.is_known() || value.is_null() {
            return value.clone();
        }
        let each = |items: &[Value]| -> Vec<Value> {
            items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let child = self.children.get("").or_else(|| self.children.get(index.to_string().as_str()));
                    child.map_or_else(|| item.clone(), |child| child.apply(item))
                })
                .collect()
        };
        match value {
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => Value::tuple(each(items)),
            Value::Map(_, members) | Value::Object(members) => {
                let mut filled = members.as_ref().clone();
                for (name, default) in &self.values {
                    if filled.get(name).is_none_or(Value::is_null) {
                        filled.insert(name.clone(), default.clone());
                    }
                }
                for (name, member) in &mut filled {
                    if let Some(child) = self.children.get(name).or_else(|| self.children.get("")) {
                        *member = child.apply(member);
                    }
                }
                Value::Object(Arc::new(filled))
            }
            other => other.clone(),
        }
    }
}

impl Constraint {
    /// Fills in defaults and converts.
    ///
    /// # Errors
    ///
    /// Fails if the value does not fit the type.
    pub fn convert(&self, value: &Value) -> Result<Value, ConvertError> {
        if self.defaults.is_empty() {
            return convert(value, &self.kind);
        }
        convert(&self.defaults.apply(value), &self.kind)
    }
}

/// Reads a type with optional attributes and their defaults, as a variable's `type` has it.
///
/// None if it is no type; then `problems` say why.
pub fn constraint(expression: &Expression, file: FileId, problems: &mut Diagnostics) -> Option<Constraint> {
    let mut reader = Reader { file, problems };
    let (kind, defaults) = reader.kind(expression)?;
    Some(Constraint { kind, defaults })
}

struct Reader<'a> {
    file: FileId,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn invalid(&mut self, span: crate::hcl::Span, message: &str, help: &str) -> Option<(Type, Defaults)> {
        let span = Span::new(self.file, span.start as usize, span.end as usize);
        self.problems.push(
            Diagnostic::error("rpk::hcl::type", format!("invalid type specification: {message}"))
                .at(span, "not a type")
                .help(help),
        );
        None
    }

    fn kind(&mut self, expression: &Expression) -> Option<(Type, Defaults)> {
        const WORDS: &str =
            "the types are string, number, bool, any, list(T), set(T), map(T), tuple([T]) and object({…})";
        match &expression.kind {
            ExpressionKind::Traversal(traversal) if traversal.steps.is_empty() => {
                let kind = match traversal.root.text.as_str() {
                    "string" => Type::String,
                    "number" => Type::Number,
                    "bool" => Type::Bool,
                    "any" => Type::Dynamic,
                    word @ ("list" | "set" | "map") => {
                        let message = format!("`{word}` needs the type of its elements");
                        return self.invalid(expression.span, &message, &format!("write `{word}(string)`"));
                    }
                    "object" | "tuple" => {
                        return self.invalid(expression.span, "the types inside are missing", WORDS);
                    }
                    word => return self.invalid(expression.span, &format!("`{word}` is no type"), WORDS),
                };
                Some((kind, Defaults::default()))
            }
            ExpressionKind::Call(call) => self.call(call, expression),
            ExpressionKind::Template(template) => {
                let help = match template.as_literal() {
                    Some(word @ ("string" | "number" | "bool")) => format!("leave the quotes out: `{word}`"),
                    _ => WORDS.to_owned(),
                };
                self.invalid(expression.span, "a type is no text", &help)
            }
            ExpressionKind::Parentheses(inner) => self.kind(inner),
            _ => self.invalid(expression.span, "this is no type", WORDS),
        }
    }

    fn call(&mut self, call: &Call, expression: &Expression) -> Option<(Type, Defaults)> {
        let name = call.name.text.as_str();
        let [argument] = call.arguments.as_slice() else {
            let message = format!("`{name}` takes one argument");
            return self.invalid(expression.span, &message, "give it the type inside");
        };
        match name {
            "list" | "set" | "map" => {
                let (element, inner) = self.kind(argument)?;
                let mut defaults = Defaults::default();
                defaults.child("", inner);
                let kind = match name {
                    "list" => Type::list(element),
                    "set" => Type::set(element),
                    _ => Type::map(element),
                };
                Some((kind, defaults))
            }
            "tuple" => {
                let ExpressionKind::Tuple(items) = &argument.kind else {
                    return self.invalid(
                        argument.span,
                        "`tuple` takes a list of types",
                        "write `tuple([string, number])`",
                    );
                };
                let mut defaults = Defaults::default();
                let mut kinds = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let (kind, inner) = self.kind(item)?;
                    defaults.child(&index.to_string(), inner);
                    kinds.push(kind);
                }
                Some((Type::tuple(kinds), defaults))
            }
            "object" => self.object(argument),
            "optional" => self.invalid(
                expression.span,
                "`optional` is for attributes of an object",
                "put it around the type of an attribute",
            ),
            _ => self.invalid(expression.span, &format!("`{name}` is no type"), "use list, set, map, tuple or object"),
        }
    }

    fn object(&mut self, argument: &Expression) -> Option<(Type, Defaults)> {
        let ExpressionKind::Object(items) = &argument.kind else {
            return self.invalid(argument.span, "`object` takes names and types", "write `object({ name = string })`");
        };
        let mut attributes = BTreeMap::new();
        let mut defaults = Defaults::default();
        for item in items {
            let name = match &item.key {
                ObjectKey::Name(name) => name.text.as_str(),
                ObjectKey::Expression(key) => match &key.kind {
                    ExpressionKind::Template(template) => match template.as_literal() {
                        Some(text) => text,
                        None => {
                            return self.invalid(key.span, "an attribute's name is a plain word", "write a plain word");
                        }
                    },
                    _ => return self.invalid(key.span, "an attribute's name is a plain word", "write a plain word"),
                },
            };
            let (is_optional, inner, default) = match &item.value.kind {
                ExpressionKind::Call(call) if call.name.text == "optional" => match call.arguments.as_slice() {
                    [kind] => (true, kind, None),
                    [kind, default] => (true, kind, Some(default)),
                    _ => {
                        return self.invalid(
                            item.value.span,
                            "`optional` takes a type and perhaps a default",
                            "write `optional(string)` or `optional(string, \"x\")`",
                        );
                    }
                },
                _ => (false, &item.value, None),
            };
            let (kind, children) = self.kind(inner)?;
            if let Some(default) = default {
                let value = self.default(default, &kind, &children)?;
                defaults.values.insert(Arc::from(name), value);
            }
            defaults.child(name, children);
            attributes.insert(Arc::from(name), AttributeType { kind, is_optional });
        }
        Some((Type::Object(Arc::new(attributes)), defaults))
    }

    fn default(&mut self, expression: &Expression, kind: &Type, defaults: &Defaults) -> Option<Value> {
        let value = super::evaluate::literal(expression, self.file, self.problems)?;
        match convert(&defaults.apply(&value), kind) {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("the default does not fit the type: {error}");
                self.invalid(expression.span, &message, "give a default of the attribute's type");
                None
            }
        }
    }
}
