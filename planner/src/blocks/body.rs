//! A component's body into its options: attributes evaluated, blocks gathered, overrides laid over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dynamic::{Expanded, expand};
use super::globals::Globals;
use super::scope::{BuildValues, TemplateScope, with_scope};
use crate::catalog::{ComponentSpec, OptionSpec, OptionType};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::evaluate::evaluate;
use crate::expression::value::Value;
use crate::hcl::ast::{Attribute, Body, Expression, ExpressionKind};
use crate::span::{FileId, Sources, Span};
use crate::template::hcl::{duplicate, place};
use crate::value::usage::Origin;
use crate::value::{Entry, Map, Setting, Value as Written};

/// What stands in a text in place of a value that is not known yet, as in Packer.
const UNKNOWN: &str = "<unknown>";

/// The body of a component's block.
#[derive(Clone, Debug)]
pub struct ComponentBody {
    /// The bodies that make it up: that of a source, and perhaps one inside a build that adds to it.
    pub parts: Vec<(FileId, Arc<Body>)>,
    /// Values of the `dynamic` blocks around it.
    pub iterators: Vec<(Arc<str>, Value)>,
    /// Attributes that are not the component's own.
    pub reserved: &'static [&'static str],
    /// Options that replace those of the body.
    pub overrides: Option<Value>,
    /// Where the overrides stand.
    pub overrides_span: Option<Span>,
}

/// Where a component stands: which names its expressions may use.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The type of the source.
    pub source_type: String,
    /// The name of the source.
    pub source_name: String,
    /// What `build` has; none outside of provisioners and post-processors.
    pub build: Option<BTreeMap<Arc<str>, Value>>,
    /// Whether the builder may have more names than those, since nobody here knows it.
    pub build_is_open: bool,
}

/// Options that were worked out.
#[derive(Debug, Default)]
pub struct Settled {
    /// The options.
    pub options: Map,
    /// Whether some of them depend on values that only the running machine has.
    pub needs_machine: bool,
    /// Where those that were worked out came from.
    pub origins: Vec<Origin>,
}

impl ComponentBody {
    /// Works out the options of a component.
    ///
    /// `sources` has the texts, for saying where values came from; without it nothing is said of that.
    pub fn settle(
        &self,
        spec: &ComponentSpec,
        globals: &Globals,
        at: &Place,
        sources: Option<&Sources>,
        problems: &mut Diagnostics,
    ) -> Settled {
        let build = match at.build.clone() {
            None => BuildValues::None,
            Some(values) if at.build_is_open => BuildValues::Open(values),
            Some(values) => BuildValues::Known(values),
        };
        let names = Some((at.source_type.as_str(), at.source_name.as_str()));
        with_scope(globals, names, build, &self.iterators, |scope| {
            let mut settler = Settler { sources, problems, origins: Vec::new() };
            let mut options = Map::default();
            for (file, body) in &self.parts {
                settler.body(*file, body, Table::of(spec), self.reserved, scope, "", &mut options);
            }
            if let Some(over) = &self.overrides {
                let span = self.overrides_span.unwrap_or_else(|| Span::new(self.parts[0].0, 0, 0));
                lay_over(spec, over, span, &mut options);
            }
            Settled { options, needs_machine: scope.needs_machine(), origins: settler.origins }
        })
    }
}

fn lay_over(spec: &ComponentSpec, over: &Value, span: Span, options: &mut Map) {
    if let Value::Object(members) | Value::Map(_, members) = over {
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let kind = spec.option(name).map(|option| &option.kind);
            let setting = Setting { value: written(value, kind, span), span };
            options.insert(Entry { key: name.to_string(), key_span: span, setting });
        }
    }
}

/// The options that a body may have.
#[derive(Clone, Copy)]
struct Table<'a> {
    options: &'a [OptionSpec],
    is_open: bool,
}

impl<'a> Table<'a> {
    fn of(spec: &'a ComponentSpec) -> Self {
        Self { options: &spec.options, is_open: spec.is_open }
    }

    fn find(&self, name: &str) -> Option<&'a OptionSpec> {
        self.options.iter().find(|option| option.name == name)
    }
}

struct Settler<'a> {
    sources: Option<&'a Sources>,
    problems: &'a mut Diagnostics,
    origins: Vec<Origin>,
}

impl Settler<'_> {
    #[expect(clippy::too_many_arguments, reason = "one recursive walk; a struct would hold them for one call each")]
    fn body(
        &mut self,
        file: FileId,
        body: &Body,
        table: Table<'_>,
        reserved: &[&str],
        scope: &TemplateScope<'_>,
        path: &str,
        options: &mut Map,
    ) {
        for attribute in body.attributes().filter(|attribute| !reserved.contains(&attribute.name.text.as_str())) {
            self.attribute(file, attribute, table, scope, path, options);
        }
        let blocks = expand(body, file, scope, self.problems);
        for block in &blocks {
            self.block(file, block, table, scope, path, options);
        }
    }

    fn attribute(
        &mut self,
        file: FileId,
        attribute: &Attribute,
        table: Table<'_>,
        scope: &TemplateScope<'_>,
        path: &str,
        options: &mut Map,
    ) {
        let name = attribute.name.text.as_str();
        let key_span = place(file, attribute.name.span);
        if let Some(first) = options.get(name) {
            self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::duplicate_argument",
                    format!("duplicate argument: `{name}` is set already"),
                )
                .at(key_span, "set again")
                .at(first.key_span, "set here")
                .help("a `source` block in a build adds to its source and cannot replace what is there"),
            );
            return;
        }
        let option = table.find(name);
        let from_json = self.sources.is_some_and(|sources| sources.file(file).name.ends_with(".json"));
        let wants_block = option.is_some_and(|it| matches!(it.kind, OptionType::Block(_) | OptionType::BlockList(_)));
        if wants_block && !from_json && self.sources.is_some() {
            self.problems.push(
                Diagnostic::error(
                    "rpk::hcl::unsupported_argument",
                    format!("unsupported argument: `{name}` is a block"),
                )
                .at(key_span, "not an argument")
                .help(format!("leave the `=` out: write `{name} {{ … }}`")),
            );
            return;
        }
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let span = place(file, attribute.value.span);
        let kind = option.map(|option| &option.kind);
        let value = self.value(file, &attribute.value, kind, scope, &path);
        options.push_new(Entry { key: name.to_owned(), key_span, setting: Setting { value, span } });
    }

    /// Evaluates an attribute; the elements of a list that is written out each have a place and an origin of their
    /// own.
    fn value(
        &mut self,
        file: FileId,
        expression: &Expression,
        kind: Option<&OptionType>,
        scope: &TemplateScope<'_>,
        path: &str,
    ) -> Written {
        let errors = self.problems.errors_found();
        if let ExpressionKind::Tuple(items) = &expression.kind {
            let element = match kind {
                Some(OptionType::StringList) => Some(&OptionType::String),
                Some(OptionType::IntegerList) => Some(&OptionType::Integer),
                Some(OptionType::Matrix) => Some(&OptionType::StringList),
                _ => None,
            };
            let items = items
                .iter()
                .enumerate()
                .map(|(index, item)| Setting {
                    value: self.value(file, item, element, scope, &format!("{path}[{index}]")),
                    span: place(file, item.span),
                })
                .collect();
            return Written::List(items);
        }
        let value = evaluate(expression, file, scope, self.problems);
        let usage = scope.take_usage();
        if usage != Default::default()
            && let Some(sources) = self.sources
        {
            let text = &sources.file(file).text;
            let as_written = text.get(expression.span.range()).unwrap_or_default();
            self.origins.push(Origin { option: path.to_owned(), written: as_written.to_owned(), usage });
        }
        if self.problems.errors_found() > errors {
            // Whatever stands here in place of the value must not cause another error.
            return placeholder(kind);
        }
        written(&value, kind, place(file, expression.span))
    }

    fn block(
        &mut self,
        file: FileId,
        block: &Expanded<'_>,
        table: Table<'_>,
        scope: &TemplateScope<'_>,
        path: &str,
        options: &mut Map,
    ) {
        let kind = block.kind;
        let option = table.find(kind);
        let (inner, is_single) = match option.map(|option| &option.kind) {
            Some(OptionType::Block(inner)) => (Table { options: inner, is_open: false }, true),
            Some(OptionType::BlockList(inner)) => (Table { options: inner, is_open: false }, false),
            None if table.is_open => (Table { options: &[], is_open: true }, false),
            found => {
                let help = match found {
                    Some(_) => format!("`{kind}` is an argument: write `{kind} = …`"),
                    None => "look for a slip in its name; blocks of other components do not belong here".to_owned(),
                };
                self.problems.push(
                    Diagnostic::error(
                        "rpk::hcl::unsupported_block",
                        format!("unsupported block type: there is no block `{kind}` here"),
                    )
                    .at(block.kind_span, "not expected here")
                    .help(help),
                );
                return;
            }
        };
        let mut map = Map::default();
        let path = if path.is_empty() { kind.to_owned() } else { format!("{path}.{kind}") };
        scope.nested(&block.iterators, |scope| {
            self.body(file, block.body, inner, &[], scope, &path, &mut map);
        });
        let setting = Setting { value: Written::Map(map), span: block.header };
        let known = options.get(kind).map(|entry| (entry.key_span, entry.setting.value.clone()));
        let value = match known {
            Some((first, _)) if is_single => {
                self.problems.push(duplicate(
                    "rpk::hcl::duplicate_block",
                    format!("duplicate block: only one `{kind}` is allowed"),
                    block.kind_span,
                    first,
                ));
                return;
            }
            Some((_, Written::List(mut items))) => {
                items.push(setting);
                Written::List(items)
            }
            _ if is_single => setting.value,
            _ => Written::List(vec![setting]),
        };
        let setting = Setting { value, span: block.header };
        options.insert(Entry { key: kind.to_owned(), key_span: block.kind_span, setting });
    }
}

/// What stands for a value that is not known yet.
fn placeholder(kind: Option<&OptionType>) -> Written {
    match kind {
        Some(OptionType::Bool) => Written::Bool(false),
        Some(OptionType::Integer | OptionType::Number) => Written::Number(0.0),
        Some(OptionType::StringList | OptionType::IntegerList | OptionType::Matrix | OptionType::BlockList(_)) => {
            Written::List(Vec::new())
        }
        Some(OptionType::StringMap | OptionType::Object | OptionType::Block(_)) => Written::Map(Map::default()),
        Some(OptionType::Duration) => Written::String("0s".to_owned()),
        Some(OptionType::String | OptionType::Any) | None => Written::String(UNKNOWN.to_owned()),
    }
}

/// Turns an evaluated value into the form that options are read from.
fn written(value: &Value, kind: Option<&OptionType>, span: Span) -> Written {
    let element = match kind {
        Some(OptionType::StringList | OptionType::StringMap) => Some(&OptionType::String),
        Some(OptionType::Matrix) => Some(&OptionType::StringList),
        Some(OptionType::IntegerList) => Some(&OptionType::Integer),
        Some(OptionType::Object | OptionType::Any) => None,
        other => other,
    };
    // A text is wanted: numbers keep all their digits.
    let wants_text = matches!(kind, Some(OptionType::String | OptionType::Duration));
    match value {
        Value::Unknown(_) => placeholder(kind),
        Value::Null(_) => Written::Null,
        Value::Bool(flag) if wants_text => Written::String(flag.to_string()),
        Value::Bool(flag) => Written::Bool(*flag),
        Value::Number(number) if wants_text => Written::String(number.to_string()),
        Value::Number(number) => Written::Number(number.to_f64()),
        Value::String(text) => Written::String(text.to_string()),
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            Written::List(items.iter().map(|item| Setting { value: written(item, element, span), span }).collect())
        }
        Value::Map(_, members) | Value::Object(members) => {
            let mut map = Map::default();
            for (name, value) in members.iter() {
                let of_option = match kind {
                    Some(OptionType::Block(options) | OptionType::BlockList(options)) => {
                        options.iter().find(|option| option.name == name.as_ref()).map(|option| &option.kind)
                    }
                    _ => element,
                };
                let setting = Setting { value: written(value, of_option, span), span };
                map.push_new(Entry { key: name.to_string(), key_span: span, setting });
            }
            Written::Map(map)
        }
    }
}
