//! From expressions to values.
//!
//! | file | evaluates |
//! | --- | --- |
//! | `access.rs` | names, attributes, elements, splats |
//! | `operators.rs` | operators and conditionals |
//! | `logical.rs` | `||` and `&&` |
//! | `operands.rs` | nothing: it tells what the names in a wrong expression stood for |
//! | `iteration.rs` | `for` in lists, objects and templates |
//! | `template.rs` | texts with values in them |
//! | `call.rs` | functions, and those that take their arguments unevaluated |
//!
//! An error is said once, where it is; what it makes impossible is then unknown, which causes no further errors.

mod access;
mod call;
mod iteration;
mod logical;
mod operands;
mod operators;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::convert::convert;
use super::number::Number;
use super::scope::{Host, Root, Scope};
use super::types::Type;
use super::value::Value;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hcl::ast::{Expression, ExpressionKind, Literal, ObjectItem, ObjectKey};
use crate::span::{FileId, Span};

/// Evaluates an expression; what is wrong with it goes to `problems`, and the result is then unknown.
pub fn evaluate(expression: &Expression, file: FileId, scope: &dyn Scope, problems: &mut Diagnostics) -> Value {
    Evaluator { file, scope: Some(scope), splat_item: None, problems }.expression(expression)
}

/// Evaluates an expression that uses neither variables nor functions; none if it does, or is wrong.
pub(crate) fn literal(expression: &Expression, file: FileId, problems: &mut Diagnostics) -> Option<Value> {
    let errors = problems.errors_found();
    let value = Evaluator { file, scope: None, splat_item: None, problems }.expression(expression);
    (problems.errors_found() == errors).then_some(value)
}

struct Evaluator<'a> {
    file: FileId,
    /// None: there are no names and no functions.
    scope: Option<&'a dyn Scope>,
    /// The element at hand, inside a splat.
    splat_item: Option<Value>,
    problems: &'a mut Diagnostics,
}

impl<'a> Evaluator<'a> {
    fn place(&self, span: crate::hcl::Span) -> Span {
        Span::new(self.file, span.start as usize, span.end as usize)
    }

    /// Says what is wrong and returns what then stands for the value.
    fn fail(&mut self, code: &'static str, message: impl Into<String>, span: crate::hcl::Span, label: &str) -> Value {
        let span = self.place(span);
        self.problems.push(Diagnostic::error(code, message).at(span, label));
        Value::DYNAMIC
    }

    /// Evaluates with other names, collecting problems in the same place.
    fn within<T>(&mut self, scope: &dyn Scope, work: impl FnOnce(&mut Evaluator<'_>) -> T) -> T {
        let splat_item = self.splat_item.clone();
        work(&mut Evaluator { file: self.file, scope: Some(scope), splat_item, problems: self.problems })
    }

    /// Evaluates on the side: what is wrong is returned and said to nobody.
    fn aside<T>(&mut self, work: impl FnOnce(&mut Evaluator<'_>) -> T) -> (T, Diagnostics) {
        let mut problems = Diagnostics::default();
        let splat_item = self.splat_item.clone();
        let mut side = Evaluator { file: self.file, scope: self.scope, splat_item, problems: &mut problems };
        let result = work(&mut side);
        (result, problems)
    }

    fn expression(&mut self, expression: &Expression) -> Value {
        let count = self.problems.count();
        let value = self.value(expression);
        if self.problems.count() > count
            && let Some(scope) = self.scope
        {
            operands::tell(expression, self.file, scope, self.problems.since(count));
        }
        value
    }

    fn value(&mut self, expression: &Expression) -> Value {
        match &expression.kind {
            ExpressionKind::Literal(literal) => self.constant(literal, expression.span),
            ExpressionKind::Template(template) => self.template(template),
            ExpressionKind::Traversal(traversal) => self.traversal(traversal, expression.span),
            ExpressionKind::RelativeTraversal(traversal) => {
                let value = self.expression(&traversal.source);
                self.steps(value, &traversal.steps)
            }
            ExpressionKind::Index(index) => {
                let collection = self.expression(&index.collection);
                let key = self.expression(&index.key);
                self.index(&collection, &key, index.key.span)
            }
            ExpressionKind::Splat(splat) => self.splat(splat),
            ExpressionKind::SplatItem => self.splat_item.clone().unwrap_or(Value::DYNAMIC),
            ExpressionKind::Call(call) => self.call(call, expression.span),
            ExpressionKind::Unary(unary) => self.unary(unary),
            ExpressionKind::Binary(binary) => self.binary(binary),
            ExpressionKind::Conditional(conditional) => self.conditional(conditional),
            ExpressionKind::Tuple(items) => {
                Value::tuple(items.iter().map(|item| self.expression(item)).collect::<Vec<_>>())
            }
            ExpressionKind::Object(items) => self.object(items),
            ExpressionKind::ForTuple(inner) => self.for_tuple(inner),
            ExpressionKind::ForObject(inner) => self.for_object(inner),
            ExpressionKind::Parentheses(inner) => self.expression(inner),
            // Said when it was read.
            ExpressionKind::Invalid => Value::DYNAMIC,
        }
    }

    fn constant(&mut self, literal: &Literal, span: crate::hcl::Span) -> Value {
        match literal {
            Literal::Null => Value::Null(Type::Dynamic),
            Literal::Bool(flag) => Value::Bool(*flag),
            Literal::Number(text) => match Number::parse(text) {
                Some(number) => Value::Number(number),
                None => {
                    self.fail("rpk::hcl::number", format!("`{text}` is too large or too small"), span, "this number")
                }
            },
        }
    }

    fn object(&mut self, items: &[ObjectItem]) -> Value {
        let mut members: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let mut is_known = true;
        for item in items {
            let key = match &item.key {
                ObjectKey::Name(name) => Some(Arc::from(name.text.as_str())),
                ObjectKey::Expression(key) => self.object_key(key, &mut is_known),
            };
            let value = self.expression(&item.value);
            if let Some(key) = key {
                members.insert(key, value);
            }
        }
        if is_known { Value::Object(Arc::new(members)) } else { Value::DYNAMIC }
    }

    fn object_key(&mut self, key: &Expression, is_known: &mut bool) -> Option<Arc<str>> {
        if let ExpressionKind::Traversal(traversal) = &key.kind
            && !traversal.steps.is_empty()
        {
            *is_known = false;
            self.fail(
                "rpk::hcl::ambiguous_key",
                "ambiguous attribute key: put an expression in parentheses, or a text in quotes",
                key.span,
                "expression or text?",
            );
            return None;
        }
        let value = self.expression(key);
        self.key_text(&value, key.span, is_known)
    }

    /// Turns a value into a key of an object.
    fn key_text(&mut self, value: &Value, span: crate::hcl::Span, is_known: &mut bool) -> Option<Arc<str>> {
        if value.is_null() {
            *is_known = false;
            self.fail("rpk::hcl::null_key", "null value as key: a key must be a text", span, "is null");
            return None;
        }
        match convert(value, &Type::String) {
            Ok(Value::String(text)) => Some(text),
            Ok(_) => {
                *is_known = false;
                None
            }
            Err(error) => {
                *is_known = false;
                self.fail("rpk::hcl::key", format!("incorrect key type: {error}"), span, "cannot be a key");
                None
            }
        }
    }
}

/// Names of an iteration laid over the names around it.
struct Overlay<'a> {
    below: Option<&'a dyn Scope>,
    names: Vec<(Arc<str>, Value)>,
    host: &'a Host<'a>,
}

impl Scope for Overlay<'_> {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        match self.names.iter().find(|(known, _)| known.as_ref() == name) {
            Some((_, value)) => Some(Root::Value(value.clone())),
            None => self.below?.root(name),
        }
    }

    fn root_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.iter().map(|(name, _)| name.as_ref()).collect();
        names.extend(self.below.iter().flat_map(|below| below.root_names()));
        names
    }

    fn functions(&self) -> super::scope::Callable {
        self.below.map_or(super::scope::Callable::All, Scope::functions)
    }

    fn host(&self) -> &Host<'_> {
        self.host
    }
}

#[cfg(test)]
mod tests;
