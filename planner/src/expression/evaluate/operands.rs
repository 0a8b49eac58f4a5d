//! What the names in a wrong expression stood for, so that its message can be understood without a debugger.
//!
//! Sensitive values are not told; what follows from them is kept out by what the evaluation has asked for.

use std::fmt::Write as _;

use super::Evaluator;
use crate::diagnostic::{Diagnostic, Diagnostics, Operand};
use crate::expression::print::print;
use crate::expression::references::references;
use crate::expression::scope::{Root, Scope};
use crate::expression::value::Value;
use crate::gotemplate::quote::quote;
use crate::hcl::ast::{Expression, ExpressionKind, Literal, StepKind, Traversal};
use crate::span::{FileId, Span};
use crate::value::redactor::PLACEHOLDER;

/// More names would hide the message.
const MOST: usize = 6;

/// How many characters of a text are told.
const LONGEST_TEXT: usize = 60;

/// Adds the values of an expression's names to the problems that were found in it and have none yet.
///
/// An expression has its problems told by itself before those around it look at them.
pub(super) fn tell(expression: &Expression, file: FileId, scope: &dyn Scope, problems: &mut [Diagnostic]) {
    // What a name alone stands for is the name's own problem: there is no value to tell.
    if matches!(expression.kind, ExpressionKind::Traversal(_)) {
        problems.iter_mut().for_each(|problem| problem.operands = Some(problem.operands.take().unwrap_or_default()));
        return;
    }
    for problem in problems.iter_mut().filter(|problem| problem.operands.is_none()) {
        let place = problem.labels.first().map(|label| label.span);
        problem.operands = Some(operands(expression, file, scope, place));
    }
}

/// Describes the values of the names inside the place; if there are none, those of all names.
fn operands(expression: &Expression, file: FileId, scope: &dyn Scope, place: Option<Span>) -> Vec<Operand> {
    let all = references(expression);
    let is_inside = |traversal: &&&Traversal| {
        place.is_some_and(|place| {
            let at = traversal.root.span.start as usize;
            place.file == file && place.range().contains(&at)
        })
    };
    let mut chosen: Vec<&Traversal> = all.iter().filter(is_inside).copied().collect();
    if chosen.is_empty() {
        chosen = all;
    }
    let mut told: Vec<Operand> = Vec::new();
    for traversal in chosen {
        if told.len() == MOST {
            break;
        }
        let name = written(traversal);
        if !told.iter().any(|operand| operand.name == name)
            && let Some(value) = described(traversal, file, scope)
        {
            told.push(Operand { name, value });
        }
    }
    told
}

/// Describes what a name stands for; none if it has no value, or one that is not known yet.
fn described(traversal: &Traversal, file: FileId, scope: &dyn Scope) -> Option<String> {
    let is_named = match scope.root(&traversal.root.text)? {
        Root::Namespace(_) => true,
        Root::Value(_) => false,
    };
    // What other builds make is a mark until they have run.
    if traversal.root.text == "artifact" {
        return None;
    }
    let usage = scope.host().usage;
    let before = usage.take();
    let mut problems = Diagnostics::default();
    let value = Evaluator { file, scope: Some(scope), splat_item: None, problems: &mut problems }
        .traversal(traversal, traversal.root.span);
    let own = usage.replace(before);
    if problems.has_errors() || !value.is_known() {
        return None;
    }
    // The value of an iteration comes from what was asked for before it.
    let used = if is_named { own } else { usage.borrow().clone() };
    if used.reads_sensitive || used.reads_secrets {
        return Some(PLACEHOLDER.to_owned());
    }
    Some(in_few_words(&value))
}

fn in_few_words(value: &Value) -> String {
    let sized = |count: usize, part: &str| match count {
        0 => format!("empty {}", value.kind()),
        1 => format!("{} with 1 {part}", value.kind()),
        count => format!("{} with {count} {part}s", value.kind()),
    };
    match value {
        Value::String(text) if text.chars().count() > LONGEST_TEXT => {
            let start: String = text.chars().take(LONGEST_TEXT).collect();
            format!("{}…, {} characters", quote(&start), text.chars().count())
        }
        Value::String(text) => quote(text),
        Value::Object(members) if members.is_empty() => "object without attributes".to_owned(),
        Value::Object(members) => sized(members.len(), "attribute"),
        _ => match (value.items(), value.members()) {
            (Some(items), _) => sized(items.len(), "element"),
            (_, Some(members)) => sized(members.len(), "element"),
            _ => print(value),
        },
    }
}

/// Writes a name as it stands in the template, up to blanks.
fn written(traversal: &Traversal) -> String {
    let mut name = traversal.root.text.clone();
    for step in &traversal.steps {
        // Writing into a text cannot fail.
        let _ = match &step.kind {
            StepKind::Attribute(attribute) => write!(name, ".{attribute}"),
            StepKind::Key(key) => write!(name, "[{}]", quote(key)),
            StepKind::Index(Literal::Number(text)) => write!(name, "[{text}]"),
            StepKind::Index(_) => Ok(()),
        };
    }
    name
}
