//! The top-level blocks of files into an [`HclTemplate`].

use std::collections::HashMap;
use std::sync::Arc;

use super::content::Schema;
use super::version::Constraint;
use super::{
    Declaration, HclTemplate, LocalDeclaration, RequiredPlugin, Validation, VariableDeclaration, duplicate, place,
};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::hcl::ast::{Block, Body, Expression, ExpressionKind, Item, Literal, ObjectKey};
use crate::hcl::parse;
use crate::span::{FileId, Sources, Span};
use crate::value::interpolation::PACKER_VERSION;

const ROOT: Schema = Schema {
    whose: "a template",
    attributes: &[],
    blocks: &[
        ("packer", &[]),
        ("variable", &["name"]),
        ("variables", &[]),
        ("locals", &[]),
        ("local", &["name"]),
        ("data", &["type", "name"]),
        ("source", &["type", "name"]),
        ("build", &[]),
        ("hcp_packer_registry", &[]),
        ("communicator", &["type", "name"]),
    ],
};

const PACKER: Schema =
    Schema { whose: "`packer`", attributes: &[("required_version", false)], blocks: &[("required_plugins", &[])] };

const VARIABLE: Schema = Schema {
    whose: "a variable",
    attributes: &[("type", false), ("default", false), ("description", false), ("sensitive", false)],
    blocks: &[("validation", &[])],
};

const VALIDATION: Schema =
    Schema { whose: "a validation", attributes: &[("condition", true), ("error_message", true)], blocks: &[] };

const LOCAL: Schema =
    Schema { whose: "a local", attributes: &[("expression", true), ("sensitive", false)], blocks: &[] };

/// Values of variables from one file.
#[derive(Clone, Debug)]
pub struct VariableFile {
    /// The file.
    pub file: FileId,
    /// Names, where they stand, and values.
    pub values: Vec<(String, Span, Expression)>,
}

/// Reads the files of a template, which share one namespace.
#[must_use]
pub fn read(sources: &Sources, files: &[FileId]) -> (HclTemplate, Diagnostics) {
    let mut reader = Reader::default();
    let bodies: Vec<(FileId, Body)> =
        files.iter().map(|file| (*file, parse_file(sources, *file, false, &mut reader.problems))).collect();
    for (file, body) in &bodies {
        let top = Span::new(*file, 0, 0);
        ROOT.check(body, *file, top, &mut reader.problems);
    }
    for (file, body) in bodies {
        for item in body.items {
            if let Item::Block(block) = item {
                reader.block(file, block);
            }
        }
    }
    (reader.template, reader.problems)
}

/// Reads a file of values for variables.
#[must_use]
pub fn read_variables(sources: &Sources, file: FileId) -> (VariableFile, Diagnostics) {
    let mut problems = Diagnostics::default();
    let body = parse_file(sources, file, true, &mut problems);
    let mut values = Vec::new();
    for item in body.items {
        match item {
            Item::Attribute(attribute) => {
                let span = place(file, attribute.name.span);
                values.push((attribute.name.text, span, attribute.value));
            }
            Item::Block(block) => {
                let kind = &block.kind.text;
                let problem = if kind == "variable" {
                    Diagnostic::error(
                        "rpk::hcl::variable_declaration",
                        "variable declaration in a .pkrvar file: such a file gives values",
                    )
                    .help(format!(
                        "move the block to a `.pkr.hcl` file, and write `{} = …` here",
                        block.labels.first().map_or("name", |label| label.text.as_str())
                    ))
                } else {
                    Diagnostic::error("rpk::hcl::unsupported_block", format!("unexpected `{kind}` block"))
                        .help("a file of variables has lines such as `name = value` and nothing else")
                };
                problems.push(problem.at(place(file, block.header), "not expected here"));
            }
        }
    }
    (VariableFile { file, values }, problems)
}

fn parse_file(sources: &Sources, file: FileId, is_values: bool, problems: &mut Diagnostics) -> Body {
    let source = sources.file(file);
    if source.name.ends_with(".json") {
        return super::json::parse(sources, file, is_values, problems);
    }
    let parsed = parse(&source.text);
    for error in parsed.errors {
        problems.push(error.diagnostic(file));
    }
    parsed.tree
}

#[derive(Default)]
struct Reader {
    template: HclTemplate,
    problems: Diagnostics,
    variables: HashMap<String, Span>,
    locals: HashMap<String, Span>,
    data: HashMap<(String, String), Span>,
}

impl Reader {
    fn block(&mut self, file: FileId, block: Block) {
        match block.kind.text.as_str() {
            "packer" => self.packer(file, &block),
            "variable" => self.variable(file, block),
            "variables" => self.variables(file, block),
            "locals" => self.locals(file, block),
            "local" => self.local(file, block),
            "data" => {
                let declaration = Declaration { file, block: Arc::new(block) };
                if declaration.block.labels.len() == 2 {
                    let key = (declaration.label(0).to_owned(), declaration.label(1).to_owned());
                    if let Some(first) = self.data.insert(key, declaration.header()) {
                        self.problems.push(
                            duplicate(
                                "rpk::hcl::duplicate_data",
                                format!("duplicate data block `{}.{}`", declaration.label(0), declaration.label(1)),
                                declaration.header(),
                                first,
                            )
                            .help("give one of them another name"),
                        );
                        return;
                    }
                    self.template.data.push(declaration);
                }
            }
            "source" => {
                let declaration = Declaration { file, block: Arc::new(block) };
                if declaration.block.labels.len() == 2 {
                    self.template.sources.push(declaration);
                }
            }
            "build" => self.template.builds.push(Declaration { file, block: Arc::new(block) }),
            "hcp_packer_registry" => self.template.registries.push(Declaration { file, block: Arc::new(block) }),
            _ => {}
        }
    }

    fn packer(&mut self, file: FileId, block: &Block) {
        PACKER.check(&block.body, file, place(file, block.header), &mut self.problems);
        if let Some(attribute) = block.body.attribute("required_version") {
            self.required_version(file, &attribute.value);
        }
        for plugins in block.body.blocks().filter(|block| block.kind.text == "required_plugins") {
            for attribute in plugins.body.attributes() {
                self.required_plugin(file, &attribute.name.text, place(file, attribute.name.span), &attribute.value);
            }
        }
    }

    fn required_version(&mut self, file: FileId, value: &Expression) {
        let span = place(file, value.span);
        let text = match constant(value) {
            Some(Constant::Text(text)) => text,
            Some(Constant::Null) => return,
            _ => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::required_version", "`required_version` must be a plain text")
                        .at(span, "variables and functions are not allowed here"),
                );
                return;
            }
        };
        match Constraint::parse(&text) {
            None => self.problems.push(
                Diagnostic::error("rpk::hcl::required_version", format!("`{text}` is no version constraint"))
                    .at(span, "invalid constraint")
                    .help("write conditions such as `>= 1.7.0`, separated by commas"),
            ),
            Some(constraint) if !constraint.allows(PACKER_VERSION) => self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::required_version",
                    format!(
                        "unsupported Packer Core version: the template requires {text}, rpk reads templates of \
                         {PACKER_VERSION}"
                    ),
                )
                .at(span, "not fulfilled"),
            ),
            Some(_) => {}
        }
    }

    fn required_plugin(&mut self, file: FileId, name: &str, span: Span, value: &Expression) {
        let invalid = |message: String, span: Span, label: &str| {
            Diagnostic::error("rpk::hcl::required_plugin", format!("invalid plugin requirement: {message}"))
                .at(span, label)
        };
        let ExpressionKind::Object(items) = &value.kind else {
            let problem = invalid(
                format!("`{name}` must be an object"),
                place(file, value.span),
                "expected `{ source = …, version = … }`",
            );
            self.problems.push(problem.help(format!(
                "write `{name} = {{ source = \"github.com/hashicorp/{name}\", version = \">= 1.0.0\" }}`"
            )));
            return;
        };
        let is_name = !name.is_empty()
            && !name.starts_with('-')
            && !name.ends_with('-')
            && !name.contains("--")
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !is_name {
            let message = format!("`{name}` is no name of a plugin");
            let problem = invalid(message, span, "use lower-case letters, digits and single dashes");
            self.problems.push(problem);
        }
        let mut found = RequiredPlugin { name: name.to_owned(), source: String::new(), version: String::new(), span };
        for item in items {
            let key = match &item.key {
                ObjectKey::Name(name) => name.text.clone(),
                ObjectKey::Expression(expression) => match constant(expression) {
                    Some(Constant::Text(text)) => text,
                    _ => String::new(),
                },
            };
            let at = place(file, item.value.span);
            let Some(Constant::Text(text)) = constant(&item.value) else {
                let problem = invalid(format!("`{key}` of `{name}` must be a plain text"), at, "not a plain text");
                self.problems.push(problem);
                continue;
            };
            match key.as_str() {
                "source" => {
                    if let Some(reason) = source_problem(&text) {
                        self.problems.push(
                            Diagnostic::error(
                                "rpk::hcl::required_plugin",
                                format!("failed to parse source `{text}`: {reason}"),
                            )
                            .at(at, "not a plugin's address")
                            .help("write a host, a namespace and a name, such as `github.com/hashicorp/docker`"),
                        );
                    }
                    found.source = text;
                }
                "version" => {
                    match Constraint::parse(&text) {
                        None => {
                            let message = format!("`{text}` is no version constraint");
                            self.problems.push(invalid(message, at, "invalid constraint"));
                        }
                        Some(constraint) if constraint.has_prerelease() => {
                            let message = format!("`{text}` names a pre-release");
                            self.problems.push(invalid(message, at, "name a released version"));
                        }
                        Some(_) => {}
                    }
                    found.version = text;
                }
                _ => {
                    let problem = invalid(format!("`{name}` has no `{key}`"), at, "expected `source` and `version`");
                    self.problems.push(problem);
                }
            }
        }
        for (key, value) in [("source", &found.source), ("version", &found.version)] {
            if value.is_empty() {
                let problem = invalid(format!("`{name}` has no `{key}`"), span, "needs `source` and `version`");
                self.problems.push(problem);
            }
        }
        self.template.required_plugins.push(found);
    }

    fn declare_variable(&mut self, declaration: VariableDeclaration) {
        if let Some(first) = self.variables.insert(declaration.name.clone(), declaration.span) {
            self.problems.push(
                duplicate(
                    "rpk::hcl::duplicate_variable",
                    format!("duplicate variable `{}`", declaration.name),
                    declaration.span,
                    first,
                )
                .help("keep one of them"),
            );
            return;
        }
        self.template.variables.push(declaration);
    }

    fn variable(&mut self, file: FileId, block: Block) {
        let header = place(file, block.header);
        VARIABLE.check(&block.body, file, header, &mut self.problems);
        let Some(label) = block.labels.first() else { return };
        let name = label.text.clone();
        if !is_identifier(&name) {
            self.problems.push(
                Diagnostic::error("rpk::hcl::variable_name", format!("invalid variable name `{name}`"))
                    .at(place(file, label.span), "not a name")
                    .help("begin with a letter or `_`; letters, digits, `_` and `-` may follow"),
            );
        }
        let span = place(file, label.span);
        let mut validations = Vec::new();
        for validation in block.body.blocks().filter(|block| block.kind.text == "validation") {
            validations.extend(self.validation(file, validation, &name));
        }
        let is_sensitive = block.body.attribute("sensitive").is_some_and(|it| self.boolean(file, &it.value));
        if let Some(description) = block.body.attribute("description") {
            self.literal_text(file, "description", &description.value);
        }
        let kind = block.body.attribute("type").map(|attribute| attribute.value.clone());
        let default = block.body.attribute("default").map(|attribute| attribute.value.clone());
        self.declare_variable(VariableDeclaration { name, span, file, kind, default, is_sensitive, validations });
    }

    fn validation(&mut self, file: FileId, block: &Block, variable: &str) -> Option<Validation> {
        let span = place(file, block.header);
        VALIDATION.check(&block.body, file, span, &mut self.problems);
        let condition = block.body.attribute("condition")?.value.clone();
        let message = block.body.attribute("error_message")?;
        let error_message = self.literal_text(file, "error_message", &message.value)?;
        let begins_well =
            error_message.chars().next().is_none_or(|first| !first.is_alphabetic() || first.is_uppercase());
        if error_message.is_empty() || !begins_well || !error_message.ends_with(['.', '?', '!']) {
            self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::validation_message",
                    "invalid validation error message: it must be a full sentence",
                )
                .at(place(file, message.value.span), "not a full sentence")
                .help("begin with a capital letter and end with `.`, `?` or `!`"),
            );
        }
        let own = |traversal: &&crate::hcl::ast::Traversal| {
            traversal.root.text == "var"
                && matches!(
                    traversal.steps.first().map(|step| &step.kind),
                    Some(crate::hcl::ast::StepKind::Attribute(name)) if name == variable
                )
        };
        let references = crate::expression::references::references(&condition);
        let foreign = references.iter().find(|traversal| !own(traversal));
        if let Some(foreign) = foreign {
            self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::validation_condition",
                    format!("invalid reference in variable validation: the condition may use `var.{variable}` alone"),
                )
                .at(place(file, foreign.root.span), "not allowed here"),
            );
            return None;
        }
        if references.is_empty() {
            self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::validation_condition",
                    format!("invalid variable validation condition: it must use `var.{variable}`"),
                )
                .at(place(file, condition.span), "uses no variable"),
            );
            return None;
        }
        Some(Validation { condition, error_message, span })
    }

    fn variables(&mut self, file: FileId, block: Block) {
        for item in block.body.items {
            match item {
                Item::Attribute(attribute) => self.declare_variable(VariableDeclaration {
                    span: place(file, attribute.name.span),
                    name: attribute.name.text,
                    file,
                    kind: None,
                    default: Some(attribute.value),
                    is_sensitive: false,
                    validations: Vec::new(),
                }),
                Item::Block(inner) => self.no_blocks(file, &inner, "`variables`"),
            }
        }
    }

    fn no_blocks(&mut self, file: FileId, block: &Block, whose: &str) {
        self.problems.push(
            Diagnostic::error(
                "rpk::hcl::unsupported_block",
                format!("unexpected `{}` block: {whose} has lines such as `name = value`", block.kind.text),
            )
            .at(place(file, block.header), "blocks are not allowed here"),
        );
    }

    fn declare_local(&mut self, declaration: LocalDeclaration) {
        if let Some(first) = self.locals.insert(declaration.name.clone(), declaration.span) {
            self.problems.push(
                duplicate(
                    "rpk::hcl::duplicate_local",
                    format!("duplicate local definition `{}`", declaration.name),
                    declaration.span,
                    first,
                )
                .help("keep one of them"),
            );
            return;
        }
        self.template.locals.push(declaration);
    }

    fn locals(&mut self, file: FileId, block: Block) {
        for item in block.body.items {
            match item {
                Item::Attribute(attribute) => self.declare_local(LocalDeclaration {
                    span: place(file, attribute.name.span),
                    name: attribute.name.text,
                    file,
                    value: attribute.value,
                    is_sensitive: false,
                }),
                Item::Block(inner) => self.no_blocks(file, &inner, "`locals`"),
            }
        }
    }

    fn local(&mut self, file: FileId, block: Block) {
        LOCAL.check(&block.body, file, place(file, block.header), &mut self.problems);
        let Some(label) = block.labels.first() else { return };
        let is_sensitive = block.body.attribute("sensitive").is_some_and(|it| self.boolean(file, &it.value));
        if let Some(expression) = block.body.attribute("expression") {
            self.declare_local(LocalDeclaration {
                name: label.text.clone(),
                span: place(file, label.span),
                file,
                value: expression.value.clone(),
                is_sensitive,
            });
        }
    }

    fn boolean(&mut self, file: FileId, value: &Expression) -> bool {
        match constant(value) {
            Some(Constant::Bool(flag)) => flag,
            Some(Constant::Text(text)) if text == "true" || text == "false" => text == "true",
            _ => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::not_a_boolean", "this must be `true` or `false`")
                        .at(place(file, value.span), "not a boolean"),
                );
                false
            }
        }
    }

    fn literal_text(&mut self, file: FileId, name: &str, value: &Expression) -> Option<String> {
        match constant(value) {
            Some(Constant::Text(text)) => Some(text),
            Some(Constant::Bool(flag)) => Some(flag.to_string()),
            _ => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::not_a_literal", format!("`{name}` must be a plain text"))
                        .at(place(file, value.span), "variables and functions are not allowed here"),
                );
                None
            }
        }
    }
}

/// A value that stands there as it is.
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Text(String),
}

/// Reads an expression that needs no evaluation; numbers are texts here.
pub(crate) fn constant(value: &Expression) -> Option<Constant> {
    match &value.kind {
        ExpressionKind::Literal(Literal::Null) => Some(Constant::Null),
        ExpressionKind::Literal(Literal::Bool(flag)) => Some(Constant::Bool(*flag)),
        ExpressionKind::Literal(Literal::Number(text)) => Some(Constant::Text(text.clone())),
        ExpressionKind::Template(template) => template.as_literal().map(|text| Constant::Text(text.to_owned())),
        ExpressionKind::Parentheses(inner) => constant(inner),
        _ => None,
    }
}

/// Tells whether a text is a name as HCL has them.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c == '_' || unicode_ident::is_xid_start(c))
        && characters.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
}

/// Says what is wrong with a plugin's address, if anything is.
fn source_problem(source: &str) -> Option<&'static str> {
    let parts: Vec<&str> = source.split('/').collect();
    if source.contains("://") {
        return Some("it has a scheme");
    }
    if source.contains(['?', '#']) {
        return Some("it has a query or a fragment");
    }
    if parts.iter().any(|part| part.is_empty()) {
        return Some("one of its parts is empty");
    }
    if parts.len() < 3 {
        return Some("it needs a host, a namespace and a name");
    }
    if parts.len() > 16 {
        return Some("it has too many parts");
    }
    if parts.last().is_some_and(|name| name.starts_with("packer-")) {
        return Some("the name must not begin with `packer-`");
    }
    None
}
