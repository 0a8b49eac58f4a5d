//! Operators and conditionals.

use super::Evaluator;
use crate::diagnostic::Diagnostic;
use crate::expression::convert::convert;
use crate::expression::types::Type;
use crate::expression::unify::unify;
use crate::expression::value::Value;
use crate::hcl::ast::{Binary, BinaryOperator, BinaryStep, Conditional, Unary, UnaryOperator};

pub(super) const INVALID_OPERAND: &str = "rpk::hcl::invalid_operand";

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, unary: &Unary) -> Value {
        let errors = self.problems.errors_found();
        let operand = self.expression(&unary.operand);
        let kind = match unary.operator {
            UnaryOperator::Negate => Type::Number,
            UnaryOperator::Not => Type::Bool,
        };
        let Some(operand) = self.operand(&operand, &kind, unary.operand.span, errors) else {
            return Value::Unknown(kind);
        };
        match (unary.operator, operand) {
            (UnaryOperator::Negate, Value::Number(number)) => Value::Number(number.negated()),
            (UnaryOperator::Not, Value::Bool(flag)) => Value::Bool(!flag),
            _ => Value::Unknown(kind),
        }
    }

    /// Brings an operand to the type that its operator takes; none if it cannot be, or was wrong before.
    fn operand(&mut self, value: &Value, kind: &Type, span: crate::hcl::Span, errors_before: usize) -> Option<Value> {
        if self.problems.errors_found() > errors_before {
            return None;
        }
        if value.is_null() {
            self.fail(INVALID_OPERAND, "invalid operand: the value is null", span, "is null");
            return None;
        }
        match convert(value, kind) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(INVALID_OPERAND, format!("invalid operand: {error}"), span, "not of the operator's type");
                None
            }
        }
    }

    pub(super) fn binary(&mut self, binary: &Binary) -> Value {
        // Operators of one precedence stand together, so none of the others can follow.
        if binary.rest.iter().all(|step| matches!(step.operator, BinaryOperator::Or | BinaryOperator::And)) {
            return self.logical(binary);
        }
        let mut left = self.expression(&binary.first);
        let mut left_span = binary.first.span;
        for step in &binary.rest {
            left = match step.operator {
                BinaryOperator::Equal | BinaryOperator::NotEqual => {
                    let right = self.expression(&step.operand);
                    match (left.equals(&right), step.operator) {
                        (Value::Bool(is_equal), BinaryOperator::NotEqual) => Value::Bool(!is_equal),
                        (result, _) => result,
                    }
                }
                _ => self.arithmetic(&left, left_span, step),
            };
            left_span = left_span.to(step.operand.span);
        }
        left
    }

    fn arithmetic(&mut self, left: &Value, left_span: crate::hcl::Span, step: &BinaryStep) -> Value {
        let kind = match step.operator {
            BinaryOperator::Less
            | BinaryOperator::LessEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterEqual => Type::Bool,
            _ => Type::Number,
        };
        let errors = self.problems.errors_found();
        let right = self.expression(&step.operand);
        let left = self.operand(left, &Type::Number, left_span, errors);
        let right = self.operand(&right, &Type::Number, step.operand.span, errors);
        let (Some(Value::Number(left)), Some(Value::Number(right))) = (left, right) else {
            return Value::Unknown(kind);
        };
        let order = left.compare(&right);
        let number = match step.operator {
            BinaryOperator::Less => return Value::Bool(order.is_lt()),
            BinaryOperator::LessEqual => return Value::Bool(order.is_le()),
            BinaryOperator::Greater => return Value::Bool(order.is_gt()),
            BinaryOperator::GreaterEqual => return Value::Bool(order.is_ge()),
            BinaryOperator::Add => left.plus(&right),
            BinaryOperator::Subtract => left.minus(&right),
            BinaryOperator::Multiply => left.times(&right),
            BinaryOperator::Divide => left.divided_by(&right),
            _ => left.remainder(&right),
        };
        match number {
            Some(number) => Value::Number(number),
            None => {
                let place = self.place(step.operator_span);
                self.problems.push(
                    Diagnostic::error(
                        "rpk::hcl::operation",
                        "operation failed: these numbers have no result, like a division of zero by zero",
                    )
                    .at(place, format!("with {left} and {right}")),
                );
                Value::Unknown(Type::Number)
            }
        }
    }

    pub(super) fn conditional(&mut self, conditional: &Conditional) -> Value {
        let (then, then_problems) = self.aside(|side| side.expression(&conditional.then));
        let (otherwise, otherwise_problems) = self.aside(|side| side.expression(&conditional.otherwise));
        let errors = self.problems.errors_found();
        let condition = self.expression(&conditional.condition);
        let is_null = |value: &Value| matches!(value, Value::Null(Type::Dynamic));
        let kind = if is_null(&then) {
            Some(otherwise.kind())
        } else if is_null(&otherwise) {
            Some(then.kind())
        } else if [then.kind(), otherwise.kind()].contains(&Type::Dynamic) {
            Some(Type::Dynamic)
        } else {
            unify(&[then.kind(), otherwise.kind()])
        };
        let Some(kind) = kind else {
            let message = format!(
                "inconsistent conditional result types: the true result is {}, the false one is {}",
                then.kind(),
                otherwise.kind()
            );
            let span = conditional.then.span.to(conditional.otherwise.span);
            return self.fail("rpk::hcl::conditional_types", message, span, "no type fits both");
        };
        if self.problems.errors_found() > errors {
            return Value::Unknown(kind);
        }
        let span = conditional.condition.span;
        if condition.is_null() {
            self.fail("rpk::hcl::null_condition", "null condition: the condition is null", span, "is null");
            return Value::Unknown(kind);
        }
        let condition = match convert(&condition, &Type::Bool) {
            Ok(condition) => condition,
            Err(error) => {
                let message = format!("incorrect condition type: {error}");
                self.fail("rpk::hcl::condition_type", message, span, "neither true nor false");
                return Value::Unknown(kind);
            }
        };
        let Value::Bool(flag) = condition else { return Value::Unknown(kind) };
        let (value, problems) = if flag { (then, then_problems) } else { (otherwise, otherwise_problems) };
        self.problems.extend(problems);
        convert(&value, &kind).unwrap_or_else(|error| {
            let span = if flag { conditional.then.span } else { conditional.otherwise.span };
            let message = format!("inconsistent conditional result types: {error}");
            self.fail("rpk::hcl::conditional_types", message, span, "does not fit the other result")
        })
    }
}
