//! `||` and `&&`.
//!
//! An operand that decides does so on either side, whatever is wrong with the other one: `true || nosuch` and
//! `nosuch || true` are both true. But operands are brought to their type before anybody asks who decides, so
//! `true || 5` is an error all the same. Null is not true, and that is all that is asked of it, unless nobody decides.

use super::Evaluator;
use super::operators::INVALID_OPERAND;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::convert::convert;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::Span;
use crate::hcl::ast::{Binary, BinaryOperator, BinaryStep};

/// An operand, and what is wrong with it if it turns out to matter.
struct Operand {
    value: Value,
    problems: Diagnostics,
    span: Span,
}

impl Evaluator<'_> {
    /// Evaluates a chain of `||` or of `&&`.
    pub(super) fn logical(&mut self, binary: &Binary) -> Value {
        let (value, problems) = self.aside(|side| side.expression(&binary.first));
        let mut left = Operand { value, problems, span: binary.first.span };
        for step in &binary.rest {
            left = self.decide(left, step);
        }
        self.problems.extend(left.problems);
        left.value
    }

    fn decide(&mut self, left: Operand, step: &BinaryStep) -> Operand {
        let decides = step.operator == BinaryOperator::Or;
        let (value, problems) = self.aside(|side| side.expression(&step.operand));
        let right = Operand { value, problems, span: step.operand.span };
        let spans = [left.span, right.span];
        let span = left.span.to(right.span);
        let mut found = Diagnostics::default();
        let flags = (self.flag(&left, &mut found), self.flag(&right, &mut found));
        let (mut problems, right_problems) = (left.problems, right.problems);
        let (Some(left), Some(right)) = flags else {
            problems.extend(right_problems);
            problems.extend(found);
            return Operand { value: Value::Unknown(Type::Bool), problems, span };
        };
        let is_decisive = |flag: &Value| flag.is_known() && (*flag == Value::Bool(true)) == decides;
        let value = match (left.is_known(), right.is_known()) {
            _ if is_decisive(&left) => Value::Bool(decides),
            _ if is_decisive(&right) => {
                problems = right_problems;
                Value::Bool(decides)
            }
            // What is wrong with the other one comes to light once this one is known not to decide.
            (false, true) => Value::Unknown(Type::Bool),
            (true, false) => {
                problems = right_problems;
                Value::Unknown(Type::Bool)
            }
            (false, false) => {
                if problems.has_errors() {
                    problems.extend(right_problems);
                }
                Value::Unknown(Type::Bool)
            }
            (true, true) => {
                problems.extend(right_problems);
                for (flag, span) in [left, right].iter().zip(spans) {
                    if flag.is_null() {
                        let problem = Diagnostic::error(INVALID_OPERAND, "invalid operand: the value is null");
                        problems.push(problem.at(self.place(span), "is null"));
                    }
                }
                Value::Bool(!decides)
            }
        };
        Operand { value, problems, span }
    }

    /// Brings an operand to its type; none if it cannot be, which is then said unless it was wrong before.
    fn flag(&self, operand: &Operand, found: &mut Diagnostics) -> Option<Value> {
        match convert(&operand.value, &Type::Bool) {
            Ok(flag) => Some(flag),
            Err(error) => {
                if !operand.problems.has_errors() {
                    let problem = Diagnostic::error(INVALID_OPERAND, format!("invalid operand: {error}"));
                    found.push(problem.at(self.place(operand.span), "not of the operator's type"));
                }
                None
            }
        }
    }
}
