//! Which variables an expression uses.

use crate::hcl::ast::{Expression, ExpressionKind, For, ObjectKey, TemplatePart, Traversal};

/// Finds the traversals of an expression whose first name is not one of its own iteration variables.
#[must_use]
pub fn references(expression: &Expression) -> Vec<&Traversal> {
    let mut walk = Walk::default();
    walk.expression(expression);
    walk.found
}

#[derive(Default)]
struct Walk<'a> {
    found: Vec<&'a Traversal>,
    /// The iteration variables around the place at hand.
    hidden: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn expression(&mut self, expression: &'a Expression) {
        match &expression.kind {
            ExpressionKind::Literal(_) | ExpressionKind::SplatItem | ExpressionKind::Invalid => {}
            ExpressionKind::Template(template) => template.parts.iter().for_each(|part| self.part(part)),
            ExpressionKind::Traversal(traversal) => {
                if !self.hidden.contains(&traversal.root.text.as_str()) {
                    self.found.push(traversal);
                }
            }
            ExpressionKind::RelativeTraversal(traversal) => self.expression(&traversal.source),
            ExpressionKind::Index(index) => {
                self.expression(&index.collection);
                self.expression(&index.key);
            }
            ExpressionKind::Splat(splat) => {
                self.expression(&splat.source);
                self.expression(&splat.each);
            }
            ExpressionKind::Call(call) => call.arguments.iter().for_each(|argument| self.expression(argument)),
            ExpressionKind::Unary(unary) => self.expression(&unary.operand),
            ExpressionKind::Binary(binary) => {
                self.expression(&binary.first);
                binary.rest.iter().for_each(|step| self.expression(&step.operand));
            }
            ExpressionKind::Conditional(conditional) => {
                self.expression(&conditional.condition);
                self.expression(&conditional.then);
                self.expression(&conditional.otherwise);
            }
            ExpressionKind::Tuple(items) => items.iter().for_each(|item| self.expression(item)),
            ExpressionKind::Object(items) => {
                for item in items {
                    if let ObjectKey::Expression(key) = &item.key {
                        self.expression(key);
                    }
                    self.expression(&item.value);
                }
            }
            ExpressionKind::ForTuple(inner) | ExpressionKind::ForObject(inner) => self.iteration(inner),
            ExpressionKind::Parentheses(inner) => self.expression(inner),
        }
    }

    fn iteration(&mut self, inner: &'a For) {
        self.expression(&inner.collection);
        let depth = self.hidden.len();
        self.hidden.push(&inner.value_variable.text);
        self.hidden.extend(inner.key_variable.as_ref().map(|name| name.text.as_str()));
        for part in inner.key.iter().chain([&inner.value]).chain(&inner.condition) {
            self.expression(part);
        }
        self.hidden.truncate(depth);
    }

    fn part(&mut self, part: &'a TemplatePart) {
        match part {
            TemplatePart::Literal(_) => {}
            TemplatePart::Interpolation(interpolation) => self.expression(&interpolation.value),
            TemplatePart::If(inner) => {
                self.expression(&inner.condition);
                inner.then.iter().chain(&inner.otherwise).for_each(|part| self.part(part));
            }
            TemplatePart::For(inner) => {
                self.expression(&inner.collection);
                let depth = self.hidden.len();
                self.hidden.push(&inner.value_variable.text);
                self.hidden.extend(inner.key_variable.as_ref().map(|name| name.text.as_str()));
                inner.body.iter().for_each(|part| self.part(part));
                self.hidden.truncate(depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hcl::parse_expression;

    #[test]
    fn iteration_variables_are_no_references() {
        let parsed = parse_expression(
            r#"[for k, v in local.a : "${v}${var.b[k]}" if v != data.c.d] == v ? x[*].y : "%{for z in q}${z}%{endfor}""#,
        );
        let names: Vec<&str> = references(&parsed.tree).iter().map(|traversal| traversal.root.text.as_str()).collect();
        assert_eq!(names, ["local", "var", "data", "v", "x", "q"]);
    }
}
