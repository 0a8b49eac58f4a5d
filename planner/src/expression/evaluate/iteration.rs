//! `for` in lists, objects and templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluator, Overlay};
use crate::expression::convert::convert;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::ast::{Expression, For, Identifier};

/// One turn of an iteration.
pub(super) type Turn = (Value, Value);

impl Evaluator<'_> {
    /// Returns keys and values of a collection; none if it is unknown, or something else that was said.
    pub(super) fn turns(&mut self, collection: &Value, span: crate::hcl::Span) -> Option<Vec<Turn>> {
        match collection {
            Value::Null(_) => {
                self.fail("rpk::hcl::iteration", "iteration over null value", span, "is null");
                None
            }
            Value::Unknown(kind) => {
                if kind.is_primitive() {
                    self.not_iterable(kind, span);
                }
                None
            }
            Value::List(_, items) | Value::Tuple(items) => {
                Some(items.iter().enumerate().map(|(index, item)| (Value::number(index), item.clone())).collect())
            }
            Value::Set(_, items) => Some(items.iter().map(|item| (item.clone(), item.clone())).collect()),
            Value::Map(_, members) | Value::Object(members) => {
                Some(members.iter().map(|(key, value)| (Value::String(key.clone()), value.clone())).collect())
            }
            other => {
                self.not_iterable(&other.kind(), span);
                None
            }
        }
    }

    fn not_iterable(&mut self, kind: &Type, span: crate::hcl::Span) {
        let message = format!("iteration over non-iterable value: a {kind} has no elements");
        self.fail("rpk::hcl::iteration", message, span, "expected a list, a set, a map or an object");
    }

    /// Evaluates with the names of one turn.
    pub(super) fn turn<T>(
        &mut self,
        turn: &Turn,
        key_name: Option<&Identifier>,
        value_name: &Identifier,
        work: impl FnOnce(&mut Evaluator<'_>) -> T,
    ) -> Option<T> {
        let below = self.scope?;
        let mut names = vec![(Arc::from(value_name.text.as_str()), turn.1.clone())];
        names.extend(key_name.map(|name| (Arc::from(name.text.as_str()), turn.0.clone())));
        let overlay = Overlay { below: Some(below), names, host: below.host() };
        Some(self.within(&overlay, work))
    }

    pub(super) fn for_tuple(&mut self, inner: &For) -> Value {
        let mut items = Vec::new();
        let is_known = self.iterate(inner, |side, _| {
            let value = side.expression(&inner.value);
            items.push(value);
            true
        });
        if is_known { Value::tuple(items) } else { Value::DYNAMIC }
    }

    pub(super) fn for_object(&mut self, inner: &For) -> Value {
        let Some(key_expression) = &inner.key else { return Value::DYNAMIC };
        let mut groups: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        let is_known = self.iterate(inner, |side, _| {
            let mut is_known = true;
            let key = side.expression(key_expression);
            let key = side.key_text(&key, key_expression.span, &mut is_known);
            let value = side.expression(&inner.value);
            let Some(key) = key else { return is_known };
            let group = groups.entry(key.clone()).or_default();
            if !group.is_empty() && !inner.groups {
                side.fail(
                    "rpk::hcl::duplicate_key",
                    format!(
                        "duplicate object key: two elements have the key \"{key}\"; `...` after the value groups them"
                    ),
                    key_expression.span,
                    "not unique",
                );
                return false;
            }
            group.push(value);
            true
        });
        if !is_known {
            return Value::DYNAMIC;
        }
        let value = |values: Vec<Value>| match values.as_slice() {
            [one] if !inner.groups => one.clone(),
            _ => Value::tuple(values),
        };
        Value::object(groups.into_iter().map(|(key, values)| (key, value(values))))
    }

    /// Goes through the turns that the condition lets through; tells whether all of it is known.
    fn iterate(&mut self, inner: &For, mut take: impl FnMut(&mut Evaluator<'_>, &Turn) -> bool) -> bool {
        let errors = self.problems.errors_found();
        let collection = self.expression(&inner.collection);
        if self.problems.errors_found() > errors {
            return false;
        }
        let turns = self.turns(&collection, inner.collection.span);
        if self.problems.errors_found() > errors {
            return false;
        }
        // A condition that can hold for no element is wrong even while there are none.
        if let Some(condition) = &inner.condition
            && turns.as_ref().is_none_or(Vec::is_empty)
        {
            let any = (Value::DYNAMIC, Value::DYNAMIC);
            self.turn(&any, inner.key_variable.as_ref(), &inner.value_variable, |side| side.condition(condition));
            if self.problems.errors_found() > errors {
                return false;
            }
        }
        let Some(turns) = turns else { return false };
        let mut is_known = true;
        for turn in &turns {
            let result = self.turn(turn, inner.key_variable.as_ref(), &inner.value_variable, |side| {
                match inner.condition.as_ref().map_or(Some(true), |condition| side.condition(condition)) {
                    Some(true) => take(side, turn),
                    Some(false) => true,
                    None => false,
                }
            });
            is_known &= result.unwrap_or(false);
            if self.problems.errors_found() > errors {
                return false;
            }
        }
        is_known
    }

    /// Evaluates what decides whether an element takes part; none if that is not known.
    fn condition(&mut self, condition: &Expression) -> Option<bool> {
        const NULL: &str = "condition is null: the 'if' clause must be true or false";
        self.decision(condition, NULL, "invalid 'for' condition")
    }

    /// Evaluates a condition; none if it is unknown, or wrong, for which there are the words of the place.
    pub(super) fn decision(&mut self, condition: &Expression, null: &str, wrong: &str) -> Option<bool> {
        let errors = self.problems.errors_found();
        let value = self.expression(condition);
        if self.problems.errors_found() > errors {
            return None;
        }
        if value.is_null() {
            self.fail("rpk::hcl::null_condition", null, condition.span, "is null");
            return None;
        }
        match convert(&value, &Type::Bool) {
            Ok(Value::Bool(flag)) => Some(flag),
            Ok(_) => None,
            Err(error) => {
                let message = format!("{wrong}: {error}");
                self.fail("rpk::hcl::condition_type", message, condition.span, "neither true nor false");
                None
            }
        }
    }
}
