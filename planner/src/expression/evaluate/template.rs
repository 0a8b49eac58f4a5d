//! Texts with values in them.

use super::Evaluator;
use crate::expression::convert::convert;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::ast::{Expression, Template, TemplatePart};

impl Evaluator<'_> {
    pub(super) fn template(&mut self, template: &Template) -> Value {
        // A text that is one value and nothing else keeps the value's type.
        if let Some(value) = template.as_interpolation() {
            return self.expression(value);
        }
        match self.text_of(&template.parts) {
            Some(text) => Value::string(&text),
            None => Value::Unknown(Type::String),
        }
    }

    /// Joins parts; none if one of them is unknown or wrong.
    fn text_of(&mut self, parts: &[TemplatePart]) -> Option<String> {
        let mut text = Some(String::new());
        for part in parts {
            let piece = self.part(part);
            text = text.zip(piece).map(|(mut text, piece)| {
                text.push_str(&piece);
                text
            });
        }
        text
    }

    fn part(&mut self, part: &TemplatePart) -> Option<String> {
        match part {
            TemplatePart::Literal(literal) => Some(literal.text.clone()),
            TemplatePart::Interpolation(interpolation) => self.interpolated(&interpolation.value),
            TemplatePart::If(inner) => {
                let (then, then_problems) = self.aside(|side| side.text_of(&inner.then));
                let (otherwise, otherwise_problems) = self.aside(|side| side.text_of(&inner.otherwise));
                match self.decision(
                    &inner.condition,
                    "null condition: the condition is null",
                    "incorrect condition type",
                )? {
                    true => {
                        self.problems.extend(then_problems);
                        then
                    }
                    false => {
                        self.problems.extend(otherwise_problems);
                        otherwise
                    }
                }
            }
            TemplatePart::For(inner) => {
                let errors = self.problems.errors_found();
                let collection = self.expression(&inner.collection);
                if self.problems.errors_found() > errors {
                    return None;
                }
                let turns = self.turns(&collection, inner.collection.span)?;
                let mut text = Some(String::new());
                for turn in &turns {
                    let piece = self
                        .turn(turn, inner.key_variable.as_ref(), &inner.value_variable, |side| {
                            side.text_of(&inner.body)
                        })
                        .flatten();
                    text = text.zip(piece).map(|(text, piece)| text + &piece);
                }
                text
            }
        }
    }

    fn interpolated(&mut self, expression: &Expression) -> Option<String> {
        let errors = self.problems.errors_found();
        let value = self.expression(expression);
        if self.problems.errors_found() > errors {
            return None;
        }
        if value.is_null() {
            let message = "invalid template interpolation value: null cannot be a part of a text";
            self.fail("rpk::hcl::interpolation", message, expression.span, "is null");
            return None;
        }
        match convert(&value, &Type::String) {
            Ok(Value::String(text)) => Some(text.to_string()),
            Ok(_) => None,
            Err(error) => {
                let message = format!("invalid template interpolation value: {error}");
                self.fail("rpk::hcl::interpolation", message, expression.span, "cannot be a part of a text");
                None
            }
        }
    }
}
