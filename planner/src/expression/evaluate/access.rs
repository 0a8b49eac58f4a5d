//! Names, attributes, elements and splats.

use super::Evaluator;
use crate::diagnostic::{Diagnostic, closest};
use crate::expression::convert::convert;
use crate::expression::scope::{Namespace, Root};
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::ast::{Literal, Splat, Step, StepKind, Traversal};

impl Evaluator<'_> {
    pub(super) fn traversal(&mut self, traversal: &Traversal, span: crate::hcl::Span) -> Value {
        let name = traversal.root.text.as_str();
        let Some(scope) = self.scope else {
            return self.not_allowed(span);
        };
        match scope.root(name) {
            Some(Root::Value(value)) => self.steps(value, &traversal.steps),
            Some(Root::Namespace(namespace)) => self.member(namespace, &traversal.steps),
            None => {
                let names = scope.root_names();
                if names.is_empty() {
                    return self.not_allowed(span);
                }
                let help = match closest(name, names) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!(
                        "for a value of your own write `var.{name}` or `local.{name}`, for a text use quotes; in a shell command write `$${{{name}}}`"
                    ),
                };
                let place = self.place(traversal.root.span);
                self.problems.push(
                    Diagnostic::error(
                        "rpk::hcl::unknown_variable",
                        format!("unknown variable: there is no variable named `{name}`"),
                    )
                    .at(place, "not known here")
                    .help(help),
                );
                Value::DYNAMIC
            }
        }
    }

    /// Follows steps into a namespace, so that of many values only those that are named are worked out.
    fn member(&mut self, namespace: &dyn Namespace, steps: &[Step]) -> Value {
        let Some((first, rest)) = steps.split_first() else { return namespace.whole() };
        let (StepKind::Attribute(name) | StepKind::Key(name)) = &first.kind else {
            let whole = namespace.whole();
            return self.steps(whole, steps);
        };
        if let Some(inner) = namespace.within(name) {
            return self.member(inner.as_ref(), rest);
        }
        match namespace.member(name) {
            Some(value) => self.steps(value, rest),
            None => {
                let whole = namespace.whole();
                let known: Vec<String> =
                    whole.members().into_iter().flat_map(|all| all.keys().map(ToString::to_string)).collect();
                self.no_attribute(name, first.span, &known)
            }
        }
    }

    fn not_allowed(&mut self, span: crate::hcl::Span) -> Value {
        self.fail(
            "rpk::hcl::variables_not_allowed",
            "variables not allowed: this place takes a value that is written out",
            span,
            "not allowed here",
        )
    }

    fn no_attribute(&mut self, name: &str, span: crate::hcl::Span, known: &[String]) -> Value {
        let place = self.place(span);
        let mut problem = Diagnostic::error(
            "rpk::hcl::unsupported_attribute",
            format!("unsupported attribute: this object does not have an attribute named `{name}`"),
        )
        .at(place, "not there");
        problem.help = match closest(name, known.iter().map(String::as_str)) {
            Some(close) => Some(format!("did you mean `{close}`?")),
            None if known.is_empty() => None,
            None if known.len() <= 20 => Some(format!("it has {}", known.join(", "))),
            None => None,
        };
        self.problems.push(problem);
        Value::DYNAMIC
    }

    pub(super) fn steps(&mut self, value: Value, steps: &[Step]) -> Value {
        let errors = self.problems.errors_found();
        let mut value = value;
        for step in steps {
            value = match &step.kind {
                StepKind::Attribute(name) => self.attribute(&value, name, step.span),
                StepKind::Key(key) => self.index(&value, &Value::string(key), step.span),
                StepKind::Index(literal) => {
                    let key = self.constant(literal, step.span);
                    // In the old form `.0` takes an attribute of an object, too.
                    match (&value, literal) {
                        (Value::Map(..) | Value::Object(_), Literal::Number(text))
                            if value.members().is_some_and(|all| all.contains_key(text.as_str())) =>
                        {
                            self.index(&value, &Value::string(text), step.span)
                        }
                        _ => self.index(&value, &key, step.span),
                    }
                }
            };
            if self.problems.errors_found() > errors {
                return Value::DYNAMIC;
            }
        }
        value
    }

    fn attribute(&mut self, value: &Value, name: &str, span: crate::hcl::Span) -> Value {
        match value {
            Value::Null(_) => {
                self.fail("rpk::hcl::null_attribute", "attempt to get attribute from null value", span, "of null")
            }
            Value::Object(members) => match members.get(name) {
                Some(member) => member.clone(),
                None => {
                    let known: Vec<String> = members.keys().map(ToString::to_string).collect();
                    self.no_attribute(name, span, &known)
                }
            },
            Value::Map(_, members) => match members.get(name) {
                Some(member) => member.clone(),
                None => self.fail(
                    "rpk::hcl::missing_element",
                    format!("missing map element: this map does not have an element with the key \"{name}\""),
                    span,
                    "not there",
                ),
            },
            Value::Unknown(Type::Dynamic) => Value::DYNAMIC,
            Value::Unknown(Type::Map(element)) => Value::Unknown(element.as_ref().clone()),
            Value::Unknown(Type::Object(attributes)) => match attributes.get(name) {
                Some(attribute) => Value::Unknown(attribute.kind.clone()),
                None => {
                    let known: Vec<String> = attributes.keys().map(ToString::to_string).collect();
                    self.no_attribute(name, span, &known)
                }
            },
            other => {
                let message = match other.kind() {
                    Type::List(_) | Type::Tuple(_) | Type::Set(_) => format!(
                        "unsupported attribute: a list does not have attributes; `[*].{name}` takes one of each element"
                    ),
                    kind => format!("unsupported attribute: a {kind} does not have attributes"),
                };
                self.fail("rpk::hcl::unsupported_attribute", message, span, "not there")
            }
        }
    }

    pub(super) fn index(&mut self, collection: &Value, key: &Value, span: crate::hcl::Span) -> Value {
        const INVALID: &str = "rpk::hcl::invalid_index";
        if collection.is_null() {
            return self.fail(INVALID, "attempt to index null value: this value is null", span, "of null");
        }
        if key.is_null() {
            return self.fail(INVALID, "invalid index: the key is null", span, "is null");
        }
        if *key == Value::DYNAMIC {
            return Value::DYNAMIC;
        }
        match collection.kind() {
            Type::Dynamic => Value::DYNAMIC,
            Type::List(_) | Type::Tuple(_) => self.position(collection, key, span),
            Type::Map(element) => {
                let key = match convert(key, &Type::String) {
                    Ok(key) => key,
                    Err(error) => {
                        return self.fail(INVALID, format!("invalid index: {error}"), span, "cannot be a key");
                    }
                };
                match (collection.members(), key.as_text()) {
                    (Some(members), Some(text)) => match members.get(text) {
                        Some(member) => member.clone(),
                        None => self.fail(
                            INVALID,
                            format!("invalid index: the map has no element with the key \"{text}\""),
                            span,
                            "not there",
                        ),
                    },
                    _ => Value::Unknown(element.as_ref().clone()),
                }
            }
            Type::Object(attributes) => {
                let key = match convert(key, &Type::String) {
                    Ok(key) => key,
                    Err(error) => {
                        return self.fail(INVALID, format!("invalid index: {error}"), span, "cannot be a key");
                    }
                };
                let Some(text) = key.as_text() else { return Value::DYNAMIC };
                match (collection.members(), attributes.get(text)) {
                    (Some(members), Some(_)) => members.get(text).cloned().unwrap_or(Value::DYNAMIC),
                    (None, Some(attribute)) => Value::Unknown(attribute.kind.clone()),
                    (_, None) => self.fail(
                        INVALID,
                        format!("invalid index: this object has no attribute named \"{text}\""),
                        span,
                        "not there",
                    ),
                }
            }
            Type::Set(_) => self.fail(
                INVALID,
                "invalid index: elements of a set have no keys; a `for` expression goes through them",
                span,
                "of a set",
            ),
            kind => self.fail(INVALID, format!("invalid index: a {kind} has no elements"), span, "not there"),
        }
    }

    /// Takes an element of a list or a tuple.
    fn position(&mut self, collection: &Value, key: &Value, span: crate::hcl::Span) -> Value {
        const INVALID: &str = "rpk::hcl::invalid_index";
        let number = match convert(key, &Type::Number) {
            Ok(number) => number,
            Err(error) => return self.fail(INVALID, format!("invalid index: {error}"), span, "cannot be a position"),
        };
        let Value::Number(number) = number else {
            return match collection.kind() {
                Type::List(element) => Value::Unknown(element.as_ref().clone()),
                _ => Value::DYNAMIC,
            };
        };
        let position = number.to_i64();
        let fails = |evaluator: &mut Self, why: String| evaluator.fail(INVALID, why, span, "not there");
        let Some(position) = position else {
            return fails(self, format!("invalid index: {number} is no whole number"));
        };
        if position < 0 {
            return fails(self, "invalid index: a position cannot be negative".to_owned());
        }
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        match collection {
            Value::Unknown(Type::List(element)) => Value::Unknown(element.as_ref().clone()),
            Value::Unknown(Type::Tuple(kinds)) => match kinds.get(position) {
                Some(kind) => Value::Unknown(kind.clone()),
                None => fails(self, format!("invalid index: it has {} elements", kinds.len())),
            },
            _ => {
                let items = collection.items().unwrap_or_default();
                match items.get(position) {
                    Some(item) => item.clone(),
                    None => fails(self, format!("invalid index: it has {} elements, counted from 0", items.len())),
                }
            }
        }
    }

    pub(super) fn splat(&mut self, splat: &Splat) -> Value {
        let source = self.expression(&splat.source);
        let before = self.splat_item.take();
        let result = self.splat_of(&source, splat);
        self.splat_item = before;
        result
    }

    fn splat_of(&mut self, source: &Value, splat: &Splat) -> Value {
        match source {
            Value::Null(kind) => match kind {
                Type::List(_) | Type::Set(_) | Type::Tuple(_) => self.fail(
                    "rpk::hcl::null_splat",
                    "splat of null value: it cannot be applied to a null sequence",
                    splat.marker,
                    "of null",
                ),
                _ => Value::tuple([]),
            },
            Value::Unknown(Type::List(element) | Type::Set(element)) => {
                self.splat_item = Some(Value::Unknown(element.as_ref().clone()));
                Value::Unknown(Type::list(self.expression(&splat.each).kind()))
            }
            Value::Unknown(Type::Tuple(kinds)) => {
                let items: Vec<Type> = kinds
                    .iter()
                    .map(|kind| {
                        self.splat_item = Some(Value::Unknown(kind.clone()));
                        self.expression(&splat.each).kind()
                    })
                    .collect();
                Value::Unknown(Type::tuple(items))
            }
            // Perhaps null, and then nothing is taken of it.
            Value::Unknown(Type::Dynamic) => Value::DYNAMIC,
            Value::Unknown(_) => {
                // Whether it is one or none is not known; what is taken of it is checked all the same.
                self.splat_item = Some(source.clone());
                self.expression(&splat.each);
                Value::DYNAMIC
            }
            Value::Tuple(items) => Value::tuple(self.each(items, splat)),
            Value::List(_, items) | Value::Set(_, items) => {
                let values = self.each(items, splat);
                match values.first().map(Value::kind) {
                    Some(kind) if values.iter().all(|value| value.kind() == kind) => Value::list(kind, values),
                    Some(_) => Value::tuple(values),
                    None => {
                        let (Type::List(element) | Type::Set(element)) = source.kind() else { return Value::tuple([]) };
                        self.splat_item = Some(Value::Unknown(element.as_ref().clone()));
                        let kind = self.expression(&splat.each).kind();
                        Value::list(kind, [])
                    }
                }
            }
            one => Value::tuple(self.each(std::slice::from_ref(one), splat)),
        }
    }

    fn each(&mut self, items: &[Value], splat: &Splat) -> Vec<Value> {
        items
            .iter()
            .map(|item| {
                self.splat_item = Some(item.clone());
                self.expression(&splat.each)
            })
            .collect()
    }
}
