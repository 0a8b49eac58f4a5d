//! Moves a tree that was parsed out of a part of a text to its place in the whole.

use super::ast::{Expression, ExpressionKind, Marker, ObjectKey, Step, Template, TemplatePart};
use super::token::Span;

/// Replaces every place in an expression.
pub(crate) fn relocate(expression: &mut Expression, moved: &dyn Fn(Span) -> Span) {
    expression.span = moved(expression.span);
    match &mut expression.kind {
        ExpressionKind::Literal(_) | ExpressionKind::SplatItem | ExpressionKind::Invalid => {}
        ExpressionKind::Template(template) => relocate_template(template, moved),
        ExpressionKind::Traversal(traversal) => {
            traversal.root.span = moved(traversal.root.span);
            steps(&mut traversal.steps, moved);
        }
        ExpressionKind::RelativeTraversal(traversal) => {
            relocate(&mut traversal.source, moved);
            steps(&mut traversal.steps, moved);
        }
        ExpressionKind::Index(index) => {
            relocate(&mut index.collection, moved);
            relocate(&mut index.key, moved);
        }
        ExpressionKind::Splat(splat) => {
            splat.marker = moved(splat.marker);
            relocate(&mut splat.source, moved);
            relocate(&mut splat.each, moved);
        }
        ExpressionKind::Call(call) => {
            call.name.span = moved(call.name.span);
            call.arguments.iter_mut().for_each(|argument| relocate(argument, moved));
        }
        ExpressionKind::Unary(unary) => {
            unary.operator_span = moved(unary.operator_span);
            relocate(&mut unary.operand, moved);
        }
        ExpressionKind::Binary(binary) => {
            relocate(&mut binary.first, moved);
            for step in &mut binary.rest {
                step.operator_span = moved(step.operator_span);
                relocate(&mut step.operand, moved);
            }
        }
        ExpressionKind::Conditional(conditional) => {
            relocate(&mut conditional.condition, moved);
            relocate(&mut conditional.then, moved);
            relocate(&mut conditional.otherwise, moved);
        }
        ExpressionKind::Tuple(items) => items.iter_mut().for_each(|item| relocate(item, moved)),
        ExpressionKind::Object(items) => {
            for item in items {
                match &mut item.key {
                    ObjectKey::Name(name) => name.span = moved(name.span),
                    ObjectKey::Expression(key) => relocate(key, moved),
                }
                relocate(&mut item.value, moved);
            }
        }
        ExpressionKind::ForTuple(inner) | ExpressionKind::ForObject(inner) => {
            inner.value_variable.span = moved(inner.value_variable.span);
            if let Some(name) = &mut inner.key_variable {
                name.span = moved(name.span);
            }
            relocate(&mut inner.collection, moved);
            relocate(&mut inner.value, moved);
            for part in inner.key.iter_mut().chain(&mut inner.condition) {
                relocate(part, moved);
            }
        }
        ExpressionKind::Parentheses(inner) => relocate(inner, moved),
    }
}

fn steps(steps: &mut [Step], moved: &dyn Fn(Span) -> Span) {
    for step in steps {
        step.span = moved(step.span);
    }
}

fn relocate_template(template: &mut Template, moved: &dyn Fn(Span) -> Span) {
    template.parts.iter_mut().for_each(|part| relocate_part(part, moved));
}

fn relocate_part(part: &mut TemplatePart, moved: &dyn Fn(Span) -> Span) {
    let marker = |marker: &mut Marker| marker.span = moved(marker.span);
    match part {
        TemplatePart::Literal(literal) => literal.span = moved(literal.span),
        TemplatePart::Interpolation(interpolation) => {
            marker(&mut interpolation.marker);
            relocate(&mut interpolation.value, moved);
        }
        TemplatePart::If(inner) => {
            relocate(&mut inner.condition, moved);
            marker(&mut inner.start);
            inner.middle.iter_mut().for_each(marker);
            marker(&mut inner.end);
            for part in inner.then.iter_mut().chain(&mut inner.otherwise) {
                relocate_part(part, moved);
            }
        }
        TemplatePart::For(inner) => {
            inner.value_variable.span = moved(inner.value_variable.span);
            if let Some(name) = &mut inner.key_variable {
                name.span = moved(name.span);
            }
            relocate(&mut inner.collection, moved);
            marker(&mut inner.start);
            marker(&mut inner.end);
            inner.body.iter_mut().for_each(|part| relocate_part(part, moved));
        }
    }
}
