//! Which attributes and blocks may stand in a block: one table a kind of block.

use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::hcl::ast::{Block, Body, Item};
use crate::span::FileId;

use super::place;

/// What may stand in a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// What the body is of, with an article: `a variable`.
    pub whose: &'static str,
    /// Names of attributes, and whether each must be there.
    pub attributes: &'static [(&'static str, bool)],
    /// Kinds of blocks, each with the names of its labels.
    pub blocks: &'static [(&'static str, &'static [&'static str])],
}

impl Schema {
    /// Says what is wrong with a body: what does not belong there, what is missing, labels.
    pub fn check(&self, body: &Body, file: FileId, header: crate::span::Span, problems: &mut Diagnostics) {
        for item in &body.items {
            match item {
                Item::Attribute(attribute) => {
                    let name = attribute.name.text.as_str();
                    if self.attributes.iter().all(|(known, _)| *known != name) {
                        problems.push(self.unknown_attribute(name, place(file, attribute.name.span)));
                    }
                }
                Item::Block(block) => self.check_block(block, file, problems),
            }
        }
        for (name, _) in self.attributes.iter().filter(|(_, is_required)| *is_required) {
            if body.attribute(name).is_none() {
                problems.push(
                    Diagnostic::error(
                        "rpk::hcl::missing_argument",
                        format!("missing required argument: {} needs `{name}`", self.whose),
                    )
                    .at(header, format!("has no `{name}`")),
                );
            }
        }
    }

    /// Checks a block's kind and labels.
    pub fn check_block(&self, block: &Block, file: FileId, problems: &mut Diagnostics) {
        let kind = block.kind.text.as_str();
        let Some((_, labels)) = self.blocks.iter().find(|(known, _)| *known == kind) else {
            problems.push(self.unknown_block(block, file));
            return;
        };
        if let Some(missing) = labels.get(block.labels.len()) {
            problems.push(
                Diagnostic::error("rpk::hcl::missing_label", format!("missing {missing} for {kind}"))
                    .at(place(file, block.header), format!("expected {}", header_form(kind, labels))),
            );
        } else if let Some(extra) = block.labels.get(labels.len()) {
            problems.push(
                Diagnostic::error("rpk::hcl::extraneous_label", format!("extraneous label for {kind}"))
                    .at(place(file, extra.span), format!("expected {}", header_form(kind, labels))),
            );
        }
    }

    fn unknown_attribute(&self, name: &str, span: crate::span::Span) -> Diagnostic {
        let mut problem = Diagnostic::error(
            "rpk::hcl::unsupported_argument",
            format!("unsupported argument: {} has no argument `{name}`", self.whose),
        )
        .at(span, "not expected here");
        problem.help = if self.blocks.iter().any(|(known, _)| *known == name) {
            Some(format!("`{name}` is a block: leave the `=` out"))
        } else {
            closest(name, self.attributes.iter().map(|(known, _)| *known))
                .map(|close| format!("did you mean `{close}`?"))
        };
        problem
    }

    fn unknown_block(&self, block: &Block, file: FileId) -> Diagnostic {
        let kind = block.kind.text.as_str();
        let mut problem = Diagnostic::error(
            "rpk::hcl::unsupported_block",
            format!("unsupported block type: {} has no block `{kind}`", self.whose),
        )
        .at(place(file, block.kind.span), "not expected here");
        problem.help = if self.attributes.iter().any(|(known, _)| *known == kind) {
            Some(format!("`{kind}` is an argument: write `{kind} = …`"))
        } else {
            closest(kind, self.blocks.iter().map(|(known, _)| *known)).map(|close| format!("did you mean `{close}`?"))
        };
        problem
    }
}

fn header_form(kind: &str, labels: &[&str]) -> String {
    let labels: String = labels.iter().map(|label| format!(" \"{}\"", label.to_uppercase())).collect();
    format!("`{kind}{labels} {{`")
}
