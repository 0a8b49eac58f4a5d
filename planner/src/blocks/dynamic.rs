//! `dynamic` blocks into the blocks they stand for.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::evaluate::evaluate;
use crate::expression::value::Value;
use crate::hcl::ast::{Block, Body, ExpressionKind, Label};
use crate::span::FileId;
use crate::template::hcl::content::Schema;
use crate::template::hcl::place;

use super::scope::TemplateScope;

const DYNAMIC: Schema = Schema {
    whose: "a `dynamic` block",
    attributes: &[("for_each", true), ("iterator", false), ("labels", false)],
    blocks: &[("content", &[])],
};

/// A block as it is after expansion: one that was written, or one turn of a `dynamic` block.
pub(crate) struct Expanded<'a> {
    /// What kind of block it is.
    pub kind: &'a str,
    /// Where the kind stands.
    pub kind_span: crate::span::Span,
    /// Its labels.
    pub labels: Vec<Label>,
    /// What stands inside.
    pub body: &'a Body,
    /// Its header, or that of the `dynamic` block.
    pub header: crate::span::Span,
    /// The iterators that its expressions may use.
    pub iterators: Vec<(Arc<str>, Value)>,
}

/// Returns the blocks of a body in their order, `dynamic` ones expanded.
pub(crate) fn expand<'a>(
    body: &'a Body,
    file: FileId,
    scope: &TemplateScope<'_>,
    problems: &mut Diagnostics,
) -> Vec<Expanded<'a>> {
    let mut blocks = Vec::new();
    for block in body.blocks() {
        if block.kind.text == "dynamic" {
            turns(block, file, scope, &mut blocks, problems);
        } else {
            blocks.push(Expanded {
                kind: &block.kind.text,
                kind_span: place(file, block.kind.span),
                labels: block.labels.clone(),
                body: &block.body,
                header: place(file, block.header),
                iterators: scope.iterators().to_vec(),
            });
        }
    }
    blocks
}

fn turns<'a>(
    block: &'a Block,
    file: FileId,
    scope: &TemplateScope<'_>,
    blocks: &mut Vec<Expanded<'a>>,
    problems: &mut Diagnostics,
) {
    let header = place(file, block.header);
    let errors = problems.errors_found();
    DYNAMIC.check(&block.body, file, header, problems);
    let Some(kind) = block.labels.first() else {
        problems.push(
            Diagnostic::error("rpk::hcl::dynamic", "a `dynamic` block needs the type of block that it makes")
                .at(header, "expected a label"),
        );
        return;
    };
    let contents: Vec<&Block> = block.body.blocks().filter(|inner| inner.kind.text == "content").collect();
    let [content] = contents.as_slice() else {
        problems.push(
            Diagnostic::error("rpk::hcl::dynamic", "a `dynamic` block has exactly one `content` block")
                .at(header, format!("has {}", contents.len())),
        );
        return;
    };
    let Some(for_each) = block.body.attribute("for_each") else { return };
    if problems.errors_found() > errors {
        return;
    }
    let iterator: Arc<str> = match block.body.attribute("iterator").map(|attribute| &attribute.value) {
        None => Arc::from(kind.text.as_str()),
        Some(value) => match &value.kind {
            ExpressionKind::Traversal(traversal) if traversal.steps.is_empty() => {
                Arc::from(traversal.root.text.as_str())
            }
            _ => {
                problems.push(
                    Diagnostic::error("rpk::hcl::dynamic", "`iterator` must be a bare name")
                        .at(place(file, value.span), "expected a name without quotes"),
                );
                return;
            }
        },
    };
    let collection = evaluate(&for_each.value, file, scope, problems);
    if problems.errors_found() > errors {
        return;
    }
    let span = place(file, for_each.value.span);
    let elements: Vec<(Value, Value)> = match &collection {
        Value::Unknown(_) => vec![(Value::DYNAMIC, Value::DYNAMIC)],
        Value::List(_, items) | Value::Tuple(items) => {
            items.iter().enumerate().map(|(index, item)| (Value::number(index as u64), item.clone())).collect()
        }
        Value::Set(_, items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
        Value::Map(_, members) | Value::Object(members) => {
            members.iter().map(|(key, value)| (Value::string(key), value.clone())).collect()
        }
        Value::Null(_) => {
            problems.push(
                Diagnostic::error("rpk::hcl::dynamic", "invalid dynamic for_each value: it must not be null")
                    .at(span, "null"),
            );
            return;
        }
        _ => {
            problems.push(
                Diagnostic::error("rpk::hcl::dynamic", "invalid dynamic for_each value: it cannot be iterated over")
                    .at(span, "expected a list, a set, a map or an object"),
            );
            return;
        }
    };
    for (key, value) in elements {
        let mut iterators = scope.iterators().to_vec();
        iterators.push((iterator.clone(), Value::object([(Arc::from("key"), key), (Arc::from("value"), value)])));
        let labels = match block.body.attribute("labels") {
            None => Vec::new(),
            Some(labels) => {
                let value = scope.nested(&iterators, |scope| evaluate(&labels.value, file, scope, problems));
                let span = labels.value.span;
                match texts(&value) {
                    Some(texts) => texts.into_iter().map(|text| Label { text, span, is_quoted: true }).collect(),
                    None => {
                        problems.push(
                            Diagnostic::error(
                                "rpk::hcl::dynamic",
                                "invalid dynamic block labels: known texts are needed",
                            )
                            .at(place(file, span), "not a list of known texts"),
                        );
                        continue;
                    }
                }
            }
        };
        blocks.push(Expanded {
            kind: &kind.text,
            kind_span: place(file, kind.span),
            labels,
            body: &content.body,
            header,
            iterators,
        });
    }
}

/// Reads a list of known texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => items
            .iter()
            .map(|item| match item {
                Value::String(text) => Some(text.to_string()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(flag) => Some(flag.to_string()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
