//! The builds of an HCL2 template: which sources each uses, and which components follow.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::blocks::{BuildValues, ComponentBody, Expanded, Globals, TemplateScope, expand, with_scope};
use crate::catalog::{Catalog, ComponentKind};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, closest};
use crate::expression::evaluate::evaluate;
use crate::expression::value::Value;
use crate::hcl::ast::{Body, Expression, ExpressionKind};
use crate::span::{FileId, Span};
use crate::template::hcl::content::Schema;
use crate::template::hcl::{Declaration, HclTemplate, duplicate, place};
use crate::value::duration;

const BUILD: Schema = Schema {
    whose: "a build",
    attributes: &[("name", false), ("description", false), ("sources", false)],
    blocks: &[
        ("source", &["reference"]),
        ("provisioner", &["type"]),
        ("error-cleanup-provisioner", &["type"]),
        ("post-processor", &["type"]),
        ("post-processors", &[]),
        ("hcp_packer_registry", &[]),
        ("from", &["reference"]),
        ("dynamic", &["type"]),
    ],
};

const POST_PROCESSORS: Schema = Schema {
    whose: "`post-processors`",
    attributes: &[],
    blocks: &[("post-processor", &["type"]), ("dynamic", &["type"])],
};

/// Attributes of a provisioner that are not the component's own.
pub(super) const PROVISIONER_ATTRIBUTES: &[&str] =
    &["name", "only", "except", "pause_before", "timeout", "max_retries", "override", "continue_on_error"];

/// Attributes of a post-processor that are not the component's own.
pub(super) const POST_PROCESSOR_ATTRIBUTES: &[&str] = &["name", "only", "except", "keep_input_artifact"];

/// A build block, worked out as far as it is the same for all its sources.
#[derive(Debug)]
pub struct BuildBlock {
    /// Its name; empty if it has none.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The sources that it uses, in their order.
    pub sources: Vec<SourceUse>,
    /// The provisioners, in their order.
    pub provisioners: Vec<Step>,
    /// The provisioner that runs when provisioning failed.
    pub error_cleanup: Option<Step>,
    /// The post-processor sequences.
    pub sequences: Vec<Vec<Step>>,
    /// Whether something in it was refused.
    pub is_broken: bool,
}

/// A source as a build uses it.
#[derive(Debug)]
pub struct SourceUse {
    /// The type of its builder.
    pub kind: String,
    /// The name that it has at the top level.
    pub name: String,
    /// The name that it has in this build.
    pub local_name: String,
    /// Where the build names it.
    pub span: Span,
    /// What stands in it: the source itself, and what the build adds.
    pub body: ComponentBody,
}

/// A provisioner or a post-processor of a build.
#[derive(Debug)]
pub struct Step {
    /// The component's type.
    pub component: String,
    /// Where the type stands.
    pub component_span: Span,
    /// Its `name`; empty if it has none.
    pub name: String,
    /// If not empty, just these sources.
    pub only: Vec<String>,
    /// All sources but these.
    pub except: Vec<String>,
    /// The block's header.
    pub span: Span,
    /// How to run it, for a provisioner.
    pub conduct: crate::graph::Conduct,
    /// For a post-processor: the user's word on keeping the artifact that goes in.
    pub keep_input_artifact: Option<bool>,
    /// What stands in it.
    pub body: ComponentBody,
    /// For a provisioner: options by the local name of a source.
    pub overrides: BTreeMap<String, Value>,
}

impl SourceUse {
    /// Stands for a source that nobody knows: it is shown, and nothing comes of it.
    fn unknown(kind: &str, name: &str, local_name: String, span: Span) -> Self {
        let body = ComponentBody {
            parts: Vec::new(),
            iterators: Vec::new(),
            reserved: &[],
            overrides: None,
            overrides_span: None,
        };
        Self { kind: kind.to_owned(), name: name.to_owned(), local_name, span, body }
    }

    /// Tells whether somebody knows it.
    pub fn is_known(&self) -> bool {
        !self.body.parts.is_empty()
    }
}

impl Step {
    /// Tells whether it takes part for a source, given as `type.name`.
    pub fn includes(&self, source: &str) -> bool {
        let listed = |names: &[String]| names.iter().any(|name| name == source);
        if self.only.is_empty() { !listed(&self.except) } else { listed(&self.only) }
    }

    /// Returns what `-except` on the command line matches: the name, or the type.
    pub fn name_or_type(&self) -> &str {
        if self.name.is_empty() { &self.component } else { &self.name }
    }
}

/// What is said of names that nobody knows.
const UNKNOWN: [&str; 3] = ["rpk::hcl::unknown_source", "rpk::hcl::unknown_source_type", "rpk::hcl::unknown_component"];

/// Works out all build blocks of a template.
pub(super) fn read_builds(
    template: &HclTemplate,
    globals: &Globals,
    catalog: &dyn Catalog,
    problems: &mut Diagnostics,
) -> Vec<BuildBlock> {
    let sources = top_level_sources(template, problems);
    template
        .builds
        .iter()
        .map(|declaration| {
            let count = problems.count();
            let mut reader = Reader { sources: &sources, globals, catalog, problems, file: declaration.file };
            let mut build = reader.build(declaration);
            // What the block names and nobody knows does not keep it from being shown.
            let breaks = |problem: &Diagnostic| problem.severity == Severity::Error && !UNKNOWN.contains(&problem.code);
            build.is_broken = problems.since(count).iter().any(breaks);
            build
        })
        .collect()
}

type Sources<'a> = BTreeMap<(String, String), (&'a Declaration, Arc<Body>)>;

fn top_level_sources<'a>(template: &'a HclTemplate, problems: &mut Diagnostics) -> Sources<'a> {
    let mut sources: Sources<'a> = BTreeMap::new();
    for declaration in &template.sources {
        let key = (declaration.label(0).to_owned(), declaration.label(1).to_owned());
        if let Some((first, _)) = sources.get(&key) {
            problems.push(
                duplicate(
                    "rpk::hcl::duplicate_source",
                    format!("duplicate source block `{}.{}`", key.0, key.1),
                    declaration.header(),
                    first.header(),
                )
                .help("give one of them another name"),
            );
            continue;
        }
        sources.insert(key, (declaration, Arc::new(declaration.block.body.clone())));
    }
    sources
}

struct Reader<'a, 'p> {
    sources: &'a Sources<'a>,
    globals: &'a Globals,
    catalog: &'a dyn Catalog,
    problems: &'p mut Diagnostics,
    file: FileId,
}

impl Reader<'_, '_> {
    fn build(&mut self, declaration: &Declaration) -> BuildBlock {
        let globals = self.globals;
        let body = &declaration.block.body;
        let header = declaration.header();
        BUILD.check(body, self.file, header, self.problems);
        let mut build = BuildBlock {
            name: String::new(),
            description: String::new(),
            sources: Vec::new(),
            provisioners: Vec::new(),
            error_cleanup: None,
            sequences: Vec::new(),
            is_broken: false,
        };
        with_scope(globals, None, BuildValues::None, &[], |scope| {
            for (name, target) in [("name", &mut build.name), ("description", &mut build.description)] {
                if let Some(attribute) = body.attribute(name)
                    && let Some(text) = self.text(&attribute.value, name, scope)
                {
                    *target = text;
                }
            }
            if let Some(attribute) = body.attribute("sources") {
                let whole = place(self.file, attribute.value.span);
                // References that are written out have a place each.
                let places: Vec<Span> = match &attribute.value.kind {
                    ExpressionKind::Tuple(items) => items.iter().map(|item| place(self.file, item.span)).collect(),
                    _ => Vec::new(),
                };
                for (index, reference) in self.texts(&attribute.value, "sources", scope).iter().enumerate() {
                    self.source_use(reference, places.get(index).copied().unwrap_or(whole), None, &mut build);
                }
            }
        });
        let name = Value::string(&build.name);
        let values = BuildValues::Known([(Arc::from("name"), name)].into());
        let blocks =
            with_scope(globals, None, BuildValues::None, &[], |scope| expand(body, self.file, scope, self.problems));
        for block in blocks.iter().filter(|block| block.kind == "source") {
            if let Some(label) = block.labels.first() {
                let span = place(self.file, label.span);
                self.source_use(&label.text, span, Some(block), &mut build);
            }
        }
        let mut registries = 0;
        for block in &blocks {
            let kind = match block.kind {
                "provisioner" | "error-cleanup-provisioner" => ComponentKind::Provisioner,
                "post-processor" => ComponentKind::PostProcessor,
                "post-processors" => {
                    let sequence = self.sequence(block, &values);
                    build.sequences.push(sequence);
                    continue;
                }
                "hcp_packer_registry" => {
                    registries += 1;
                    if registries == 2 {
                        self.problems.push(
                            Diagnostic::error("rpk::hcl::registry", "only one hcp_packer_registry is allowed")
                                .at(block.header, "the second one"),
                        );
                    }
                    continue;
                }
                _ => continue,
            };
            let Some(step) = self.step(block, kind, &values) else { continue };
            match block.kind {
                "provisioner" => build.provisioners.push(step),
                "post-processor" => build.sequences.push(vec![step]),
                _ if build.error_cleanup.is_some() => self.problems.push(
                    Diagnostic::error(
                        "rpk::hcl::error_cleanup",
                        "only one error-cleanup-provisioner is allowed in a build",
                    )
                    .at(block.header, "the second one"),
                ),
                _ => build.error_cleanup = Some(step),
            }
        }
        let has_sources = body.attribute("sources").is_some() || blocks.iter().any(|block| block.kind == "source");
        if build.sources.is_empty() && !(has_sources && self.problems.has_errors()) {
            self.problems.push(
                Diagnostic::error("rpk::hcl::missing_source", "missing source reference: the build uses no source")
                    .at(header, "names no source")
                    .help("add `sources = [\"TYPE.NAME\"]`"),
            );
        }
        build
    }

    fn sequence(&mut self, block: &Expanded<'_>, values: &BuildValues) -> Vec<Step> {
        POST_PROCESSORS.check(block.body, self.file, block.header, self.problems);
        let inner = with_scope(self.globals, None, BuildValues::None, &block.iterators, |scope| {
            expand(block.body, self.file, scope, self.problems)
        });
        inner
            .iter()
            .filter(|step| step.kind == "post-processor")
            .filter_map(|step| self.step(step, ComponentKind::PostProcessor, values))
            .collect()
    }

    fn source_use(&mut self, reference: &str, span: Span, block: Option<&Expanded<'_>>, build: &mut BuildBlock) {
        let parts: Vec<&str> = reference.split('.').collect();
        let (kind, name) = match parts.as_slice() {
            [kind, name] | [_, kind, name, ..] if is_name(kind) && is_name(name) => (*kind, *name),
            _ => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::source_reference", format!("invalid source reference `{reference}`"))
                        .at(span, "not a reference")
                        .help("write `TYPE.NAME`, as in `source \"TYPE\" \"NAME\"`"),
                );
                return;
            }
        };
        let named = block.and_then(|block| {
            let attribute = block.body.attribute("name")?;
            with_scope(self.globals, None, BuildValues::None, &block.iterators, |scope| {
                self.text(&attribute.value, "name", scope)
            })
        });
        let local_name = named.unwrap_or_else(|| name.to_owned());
        if self.catalog.find(ComponentKind::Builder, kind).is_none() {
            let mut problem =
                Diagnostic::error("rpk::hcl::unknown_source_type", format!("unknown source type `{kind}`"))
                    .at(span, "there is no such builder");
            problem.help = closest(kind, self.catalog.names(ComponentKind::Builder))
                .map(|close| format!("did you mean `{close}`?"));
            self.problems.push(problem);
            build.sources.push(SourceUse::unknown(kind, name, local_name, span));
            return;
        }
        let Some((declaration, body)) = self.sources.get(&(kind.to_owned(), name.to_owned())) else {
            let known: Vec<String> = self.sources.keys().map(|(kind, name)| format!("{kind}.{name}")).collect();
            let mut problem = Diagnostic::error("rpk::hcl::unknown_source", format!("unknown source `{kind}.{name}`"))
                .at(span, "no such source");
            problem.help = Some(match closest(&format!("{kind}.{name}"), known.iter().map(String::as_str)) {
                Some(close) => format!("did you mean `{close}`?"),
                None if known.is_empty() => "the template has no `source` block".to_owned(),
                None => format!("the sources are {}", known.join(", ")),
            });
            self.problems.push(problem);
            build.sources.push(SourceUse::unknown(kind, name, local_name, span));
            return;
        };
        let mut parts = vec![(declaration.file, body.clone())];
        let iterators = block.map(|block| block.iterators.clone()).unwrap_or_default();
        parts.extend(block.map(|block| (self.file, Arc::new(without(block.body, "name")))));
        build.sources.push(SourceUse {
            kind: kind.to_owned(),
            name: name.to_owned(),
            local_name,
            span,
            body: ComponentBody { parts, iterators, reserved: &[], overrides: None, overrides_span: None },
        });
    }

    fn step(&mut self, block: &Expanded<'_>, kind: ComponentKind, values: &BuildValues) -> Option<Step> {
        let label = block.labels.first()?;
        let component_span = place(self.file, label.span);
        if self.catalog.find(kind, &label.text).is_none() {
            let mut problem =
                Diagnostic::error("rpk::hcl::unknown_component", format!("unknown {kind} type `{}`", label.text))
                    .at(component_span, format!("there is no such {kind}"));
            problem.help =
                closest(&label.text, self.catalog.names(kind)).map(|close| format!("did you mean `{close}`?"));
            self.problems.push(problem);
        }
        let reserved =
            if kind == ComponentKind::Provisioner { PROVISIONER_ATTRIBUTES } else { POST_PROCESSOR_ATTRIBUTES };
        let mut step = Step {
            component: label.text.clone(),
            component_span,
            name: String::new(),
            only: Vec::new(),
            except: Vec::new(),
            span: block.header,
            conduct: crate::graph::Conduct::default(),
            keep_input_artifact: None,
            body: ComponentBody {
                parts: vec![(self.file, Arc::new(block.body.clone()))],
                iterators: block.iterators.clone(),
                reserved,
                overrides: None,
                overrides_span: None,
            },
            overrides: BTreeMap::new(),
        };
        with_scope(self.globals, None, values.clone(), &block.iterators, |scope| {
            for attribute in block.body.attributes() {
                let name = attribute.name.text.as_str();
                if reserved.contains(&name) {
                    self.common(&mut step, name, &attribute.value, scope);
                }
            }
        });
        if !step.only.is_empty() && !step.except.is_empty() {
            self.problems.push(
                Diagnostic::error("rpk::hcl::filter", "only one of 'only' or 'except' may be specified")
                    .at(block.header, "has both")
                    .help("keep one of the two"),
            );
        }
        Some(step)
    }

    /// Reads an attribute that components do not see.
    fn common(&mut self, step: &mut Step, name: &str, value: &Expression, scope: &TemplateScope<'_>) {
        let span = place(self.file, value.span);
        match name {
            "name" => step.name = self.text(value, name, scope).unwrap_or_default(),
            "only" => step.only = self.texts(value, name, scope),
            "except" => step.except = self.texts(value, name, scope),
            "pause_before" => step.conduct.pause_before = self.duration(value, name, scope),
            "timeout" => step.conduct.timeout = self.duration(value, name, scope),
            "continue_on_error" => step.conduct.continue_on_error = self.flag(value, name, scope).unwrap_or(false),
            "keep_input_artifact" => step.keep_input_artifact = self.flag(value, name, scope),
            "max_retries" => {
                let Some(text) = self.text(value, name, scope) else { return };
                match text.parse::<i64>() {
                    Ok(count) => step.conduct.max_retries = u32::try_from(count.max(0)).unwrap_or(u32::MAX),
                    Err(_) => self.problems.push(
                        Diagnostic::error(
                            "rpk::hcl::unsuitable_value",
                            "unsuitable value type: a whole number is required",
                        )
                        .at(span, format!("`{text}` is none")),
                    ),
                }
            }
            "override" => {
                let value = evaluate(value, self.file, scope, self.problems);
                step.body.overrides_span = Some(span);
                match value {
                    Value::Object(members) | Value::Map(_, members) => {
                        step.overrides =
                            members.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
                    }
                    Value::Unknown(_) | Value::Null(_) => {}
                    _ => self.problems.push(
                        Diagnostic::error("rpk::hcl::unsuitable_value", "`override` must be an object of objects")
                            .at(span, "not an object"),
                    ),
                }
            }
            _ => {}
        }
    }

    fn duration(&mut self, value: &Expression, name: &str, scope: &TemplateScope<'_>) -> Option<std::time::Duration> {
        let text = self.text(value, name, scope)?;
        match duration::parse(&text) {
            Ok(nanoseconds) => {
                u64::try_from(nanoseconds).ok().filter(|it| *it > 0).map(std::time::Duration::from_nanos)
            }
            Err(error) => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::duration", format!("failed to parse {name} duration: {error}"))
                        .at(place(self.file, value.span), "not a duration")
                        .help("write a number and a unit, such as `10s` or `1m30s`"),
                );
                None
            }
        }
    }

    fn flag(&mut self, value: &Expression, name: &str, scope: &TemplateScope<'_>) -> Option<bool> {
        let errors = self.problems.errors_found();
        let evaluated = evaluate(value, self.file, scope, self.problems);
        match crate::expression::convert::convert(&evaluated, &crate::expression::types::Type::Bool) {
            Ok(Value::Bool(flag)) => Some(flag),
            _ => {
                self.unsuitable(value, name, "a boolean", errors);
                None
            }
        }
    }

    fn text(&mut self, value: &Expression, name: &str, scope: &TemplateScope<'_>) -> Option<String> {
        let errors = self.problems.errors_found();
        match evaluate(value, self.file, scope, self.problems) {
            Value::String(text) => Some(text.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => {
                self.unsuitable(value, name, "a known text", errors);
                None
            }
        }
    }

    fn texts(&mut self, value: &Expression, name: &str, scope: &TemplateScope<'_>) -> Vec<String> {
        let errors = self.problems.errors_found();
        let evaluated = evaluate(value, self.file, scope, self.problems);
        if evaluated.is_null() {
            return Vec::new();
        }
        crate::blocks::texts(&evaluated).unwrap_or_else(|| {
            self.unsuitable(value, name, "a list of known texts", errors);
            Vec::new()
        })
    }

    fn unsuitable(&mut self, value: &Expression, name: &str, wanted: &str, errors_before: usize) {
        if self.problems.errors_found() == errors_before {
            self.problems.push(
                Diagnostic::error("rpk::hcl::unsuitable_value", format!("unsuitable value: `{name}` must be {wanted}"))
                    .at(place(self.file, value.span), format!("expected {wanted}")),
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    crate::template::hcl::is_identifier(text)
}

/// Returns a body without one of its attributes.
fn without(body: &Body, name: &str) -> Body {
    let is_it = |item: &crate::hcl::ast::Item| matches!(item, crate::hcl::ast::Item::Attribute(attribute) if attribute.name.text == name);
    Body { items: body.items.iter().filter(|item| !is_it(item)).cloned().collect(), span: body.span }
}

/// Numbers ids so that no two are alike: the second `null.a` is `null.a#2`.
pub(super) fn unique_ids(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut ids = Vec::new();
    for name in names {
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        ids.push(if *count == 1 { name } else { format!("{name}#{count}") });
    }
    ids
}
