//! The JSON form of HCL2 into the tree of the native form.
//!
//! What is a block and what an argument is not to be seen in JSON; the tables here say it for the blocks of templates.
//! Inside components everything but `dynamic` is read as an argument, and the component's options decide later.
//! Texts are templates, as the syntax has it.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hcl::ast::{
    Attribute, Block, Body, Delimiter, Expression, ExpressionKind, Identifier, Item, Label, Literal, ObjectItem,
    ObjectKey, Template, TemplateLiteral, TemplatePart, Traversal, Unary, UnaryOperator,
};
use crate::hcl::{Parsed, Span as Place, parse_expression, parse_template, relocate};
use crate::span::{FileId, Sources, Span};
use crate::value::json_text::{self, Duplicates};
use crate::value::{Entry, Map, Setting, Value};

/// What a body is of, which decides what in it is a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    Root,
    Packer,
    Variable,
    Build,
    PostProcessors,
    Component,
    /// Of a `dynamic` block; the content is such a body.
    Dynamic(&'static BodyKind),
    Plain,
}

type BlockRow = (&'static str, usize, BodyKind);

impl BodyKind {
    /// The kinds of blocks, how many labels each has, and what its body is.
    fn blocks(self) -> &'static [BlockRow] {
        const COMPONENT: &BodyKind = &BodyKind::Component;
        match self {
            Self::Root => &[
                ("packer", 0, Self::Packer),
                ("variable", 1, Self::Variable),
                ("variables", 0, Self::Plain),
                ("locals", 0, Self::Plain),
                ("local", 1, Self::Plain),
                ("data", 2, Self::Component),
                ("source", 2, Self::Component),
                ("build", 0, Self::Build),
                ("hcp_packer_registry", 0, Self::Plain),
                ("communicator", 2, Self::Plain),
            ],
            Self::Packer => &[("required_plugins", 0, Self::Plain)],
            Self::Variable => &[("validation", 0, Self::Plain)],
            Self::Build => &[
                ("source", 1, Self::Component),
                ("provisioner", 1, Self::Component),
                ("error-cleanup-provisioner", 1, Self::Component),
                ("post-processor", 1, Self::Component),
                ("post-processors", 0, Self::PostProcessors),
                ("hcp_packer_registry", 0, Self::Plain),
                ("from", 1, Self::Plain),
                ("dynamic", 1, Self::Dynamic(COMPONENT)),
            ],
            Self::PostProcessors => &[("post-processor", 1, Self::Component), ("dynamic", 1, Self::Dynamic(COMPONENT))],
            Self::Component => &[("dynamic", 1, Self::Dynamic(COMPONENT))],
            Self::Dynamic(content) => match content {
                Self::PostProcessors => &[("content", 0, Self::PostProcessors)],
                _ => &[("content", 0, Self::Component)],
            },
            Self::Plain => &[],
        }
    }
}

/// Reads a file in the JSON form. What is wrong is said; the rest is in the tree.
///
/// A file of values for variables has no blocks, and its texts are no templates.
pub(super) fn parse(sources: &Sources, file: FileId, is_values: bool, problems: &mut Diagnostics) -> Body {
    let root = match json_text::read_with(sources, file, Duplicates::Kept) {
        Ok(root) => root,
        Err(found) => {
            problems.extend(found);
            return Body::default();
        }
    };
    let kind = if is_values { BodyKind::Plain } else { BodyKind::Root };
    let mut reader = Reader { text: &sources.file(file).text, file, is_literal: is_values, problems };
    let mut body = Body { items: Vec::new(), span: at(root.span) };
    match &root.value {
        Value::Map(map) => reader.body(map, kind, &mut body),
        Value::List(items) => {
            for item in items {
                match &item.value {
                    Value::Map(map) => reader.body(map, kind, &mut body),
                    other => reader.mismatch("an object", other, item.span),
                }
            }
        }
        other => reader.mismatch("an object", other, root.span),
    }
    body
}

fn at(span: Span) -> Place {
    Place { start: span.start, end: span.end }
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    /// Whether texts are what they are, whatever stands in them.
    is_literal: bool,
    problems: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn mismatch(&mut self, wanted: &str, found: &Value, span: Span) {
        self.problems.push(
            Diagnostic::error(
                "rpk::hcl::json",
                format!("incorrect JSON value type: expected {wanted}, not {}", found.kind()),
            )
            .at(span, format!("expected {wanted}")),
        );
    }

    fn body(&mut self, map: &Map, kind: BodyKind, body: &mut Body) {
        for entry in map.iter().filter(|entry| entry.key != "//") {
            match kind.blocks().iter().find(|(name, _, _)| *name == entry.key) {
                Some((_, labels, inner)) => {
                    let inner = match inner {
                        BodyKind::Dynamic(_) if kind == BodyKind::Build => self.dynamic_kind(entry),
                        other => *other,
                    };
                    self.blocks(entry, &entry.setting, *labels, inner, &mut Vec::new(), body);
                }
                None => {
                    let is_known = body
                        .items
                        .iter()
                        .any(|item| matches!(item, Item::Attribute(attribute) if attribute.name.text == entry.key));
                    if is_known {
                        self.problems.push(
                            Diagnostic::error("rpk::hcl::attribute_redefined", format!("`{}` is set twice", entry.key))
                                .at(entry.key_span, "set again here"),
                        );
                        continue;
                    }
                    let value = self.attribute(entry, kind);
                    let name = Identifier { text: entry.key.clone(), span: at(entry.key_span) };
                    let span = name.span.to(value.span);
                    body.items.push(Item::Attribute(Attribute { name, value, span }));
                }
            }
        }
    }

    /// A `dynamic` block's content has a body of the kind that the block it makes has.
    fn dynamic_kind(&self, entry: &Entry) -> BodyKind {
        const POST_PROCESSORS: &BodyKind = &BodyKind::PostProcessors;
        const COMPONENT: &BodyKind = &BodyKind::Component;
        match &entry.setting.value {
            Value::Map(map) if map.get("post-processors").is_some() => BodyKind::Dynamic(POST_PROCESSORS),
            _ => BodyKind::Dynamic(COMPONENT),
        }
    }

    fn blocks(
        &mut self,
        entry: &Entry,
        setting: &Setting,
        labels_left: usize,
        kind: BodyKind,
        labels: &mut Vec<Label>,
        out: &mut Body,
    ) {
        match &setting.value {
            Value::Null => {}
            Value::List(items) => {
                for item in items {
                    self.blocks(entry, item, labels_left, kind, labels, out);
                }
            }
            Value::Map(map) if labels_left > 0 => {
                for member in map.iter().filter(|member| member.key != "//") {
                    labels.push(Label { text: member.key.clone(), span: at(member.key_span), is_quoted: true });
                    self.blocks(entry, &member.setting, labels_left - 1, kind, labels, out);
                    labels.pop();
                }
            }
            Value::Map(map) => {
                let name = Identifier { text: entry.key.clone(), span: at(entry.key_span) };
                let header = labels.last().map_or(name.span, |label| label.span);
                let mut body = Body { items: Vec::new(), span: at(setting.span) };
                self.body(map, kind, &mut body);
                let span = name.span.to(body.span);
                out.items.push(Item::Block(Block { kind: name, labels: labels.clone(), body, span, header }));
            }
            other => self.mismatch("an object or a list of objects", other, setting.span),
        }
    }

    fn attribute(&mut self, entry: &Entry, kind: BodyKind) -> Expression {
        let span = at(entry.setting.span);
        match (kind, entry.key.as_str(), &entry.setting.value) {
            // A type is a text in the syntax of types.
            (BodyKind::Variable, "type", Value::String(text)) => {
                let parsed = parse_expression(text);
                self.place(parsed, &entry.setting, text)
            }
            (BodyKind::Dynamic(_), "iterator", Value::String(text)) => Expression {
                kind: ExpressionKind::Traversal(Traversal {
                    root: Identifier { text: text.clone(), span },
                    steps: Vec::new(),
                }),
                span,
            },
            _ => self.expression(&entry.setting),
        }
    }

    fn expression(&mut self, setting: &Setting) -> Expression {
        let span = at(setting.span);
        let kind = match &setting.value {
            Value::Null => ExpressionKind::Literal(Literal::Null),
            Value::Bool(flag) => ExpressionKind::Literal(Literal::Bool(*flag)),
            Value::Number(_) => {
                // The digits as they stand there: a double would lose some.
                let text = self.text.get(setting.span.range()).unwrap_or("0");
                let number =
                    |text: &str| Expression { kind: ExpressionKind::Literal(Literal::Number(text.to_owned())), span };
                match text.strip_prefix('-') {
                    Some(digits) => ExpressionKind::Unary(Box::new(Unary {
                        operator: UnaryOperator::Negate,
                        operator_span: span,
                        operand: number(digits),
                    })),
                    None => return number(text),
                }
            }
            Value::String(text) => return self.template(text, setting),
            Value::List(items) => ExpressionKind::Tuple(items.iter().map(|item| self.expression(item)).collect()),
            Value::Map(map) => ExpressionKind::Object(
                map.iter()
                    .map(|entry| {
                        let key = Setting { value: Value::String(entry.key.clone()), span: entry.key_span };
                        ObjectItem {
                            key: ObjectKey::Expression(self.template(&entry.key, &key)),
                            value: self.expression(&entry.setting),
                        }
                    })
                    .collect(),
            ),
        };
        Expression { kind, span }
    }

    fn template(&mut self, text: &str, setting: &Setting) -> Expression {
        let span = at(setting.span);
        if self.is_literal || !text.contains("${") && !text.contains("%{") {
            let literal = TemplateLiteral { text: text.to_owned(), span };
            let parts = vec![TemplatePart::Literal(literal)];
            return Expression { kind: ExpressionKind::Template(Template { delimiter: Delimiter::Bare, parts }), span };
        }
        let parsed = parse_template(text);
        self.place(parsed, setting, text)
    }

    /// Moves what was parsed out of a text to the place where the text stands.
    fn place(&mut self, parsed: Parsed<Expression>, setting: &Setting, text: &str) -> Expression {
        let whole = at(setting.span);
        let inside = whole.start + 1;
        // With escapes in it the text and its place do not fit each other, so the whole text is the place.
        let fits = self.text.get(inside as usize..(whole.end as usize).saturating_sub(1)) == Some(text);
        let moved = |span: Place| {
            if fits { Place { start: span.start + inside, end: span.end + inside } } else { whole }
        };
        for mut error in parsed.errors {
            error.span = moved(error.span);
            error.related = error.related.map(|(span, label)| (moved(span), label));
            self.problems.push(error.diagnostic(self.file));
        }
        let mut tree = parsed.tree;
        relocate(&mut tree, &moved);
        tree.span = whole;
        tree
    }
}
