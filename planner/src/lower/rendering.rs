//! Renders `{{ … }}` in the texts of a template, as far as it can be done beforehand.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::Timestamp;

use super::Inputs;
use crate::catalog::{ComponentKind, ComponentSpec, Rendering};
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::gotemplate::{Call, Value as Data};
use crate::graph::{Build, Origin, Variable};
use crate::late::{LateRenderer, Surroundings};
use crate::span::Span;
use crate::template::Template;
use crate::value::functions::{ResourceNames, build_data_names, placeholder_data};
use crate::value::interpolation::{self, Context, Phase, seeded_random};
use crate::value::usage::Usage;
use crate::value::variables::{Resolution, VariableError, resolve};
use crate::value::{Entry, Map, Setting, Value};

/// Renders with the variables of one run.
pub(super) struct Renderer {
    surroundings: Surroundings,
    resolution: Resolution,
    /// Whether the template is one in which `{{user}}` means something.
    is_legacy: bool,
    /// For phases in which the environment cannot be asked for.
    no_environment: BTreeMap<String, String>,
    /// What stands in for the data of builds, by the names that a builder adds.
    placeholders: RefCell<Vec<(Vec<String>, Rc<Data>)>>,
}

impl Renderer {
    /// Works out the variables. One without a value counts as empty from here on, so that its error is the only one.
    pub fn new(template: &Template, inputs: &Inputs, problems: &mut Diagnostics) -> Self {
        let mut surroundings = surroundings(inputs);
        let declared: BTreeMap<String, Option<String>> =
            template.variables.iter().map(|variable| (variable.name.clone(), variable.default.clone())).collect();
        let given: BTreeMap<String, String> = inputs.file_variables.iter().chain(&inputs.variables).cloned().collect();
        let sensitive: BTreeSet<String> = template.sensitive_variables.iter().cloned().collect();
        let random = seeded_random(inputs.seed);
        let context = surroundings.context(Phase::Variables, None, &inputs.environment, &random);
        let resolution = resolve(&declared, &given, &sensitive, &context);
        for error in &resolution.errors {
            let place = template.variables.iter().find(|variable| variable.name == error.name());
            problems.push(variable_problem(error, place.map(|variable| variable.span), &declared));
        }
        surroundings.variables = resolution.values.clone();
        for error in &resolution.errors {
            surroundings.variables.entry(error.name().to_owned()).or_default();
        }
        Self {
            surroundings,
            resolution,
            is_legacy: true,
            no_environment: BTreeMap::new(),
            placeholders: RefCell::default(),
        }
    }

    /// Makes a renderer for templates whose variables are not those of `{{user}}`.
    pub fn without_variables(inputs: &Inputs) -> Self {
        Self {
            surroundings: surroundings(inputs),
            resolution: Resolution::default(),
            is_legacy: false,
            no_environment: BTreeMap::new(),
            placeholders: RefCell::default(),
        }
    }

    /// Returns the renderer for the time when nodes run.
    pub fn late(&self) -> LateRenderer {
        LateRenderer::new(self.surroundings.clone())
    }

    /// Returns the values that must not be shown.
    pub fn secrets(&self) -> Vec<String> {
        self.resolution.sensitive.iter().filter_map(|name| self.resolution.values.get(name)).cloned().collect()
    }

    /// Returns the values of user variables and the names of the sensitive ones; none in a language without them.
    pub fn user_variables(&self) -> Option<(&BTreeMap<String, String>, &BTreeSet<String>)> {
        self.is_legacy.then_some((&self.surroundings.variables, &self.resolution.sensitive))
    }

    /// Returns all variables as they may be shown.
    pub fn shown_variables(&self) -> BTreeMap<String, Variable> {
        self.resolution
            .values
            .iter()
            .map(|(name, value)| {
                let is_sensitive = self.resolution.sensitive.contains(name);
                (name.clone(), Variable { value: value.clone(), is_sensitive })
            })
            .collect()
    }

    /// Renders a text that Packer's core reads itself, such as a builder's name.
    pub fn core_text(&self, text: &str) -> Result<String, String> {
        self.text(text, Phase::Core)
    }

    /// Renders a line that was typed into the console.
    pub fn console_text(&self, text: &str) -> Result<String, String> {
        self.text(text, Phase::Console)
    }

    fn text(&self, text: &str, phase: Phase) -> Result<String, String> {
        let random = seeded_random(self.surroundings.seed);
        let context = self.surroundings.context(phase, None, &self.no_environment, &random);
        interpolation::render(text, &context, &Data::Nil).map_err(|error| error.to_string())
    }

    /// Renders a component's options, except those that wait for the machine; these are parsed all the same.
    ///
    /// `announced` are the names of build data that the builder adds to those that all builders have. Tells beside
    /// whether the result would be the same in any build with a builder of the same component.
    pub fn options(
        &self,
        map: &Map,
        spec: &ComponentSpec,
        build: &Build,
        announced: &[&str],
        origins: &mut Vec<Origin>,
        problems: &mut Diagnostics,
    ) -> (Map, bool) {
        let random = seeded_random(self.surroundings.seed);
        let mut context = self.surroundings.context(Phase::Plugin, Some(build.names()), &self.no_environment, &random);
        context.resource_names = resource_names(&spec.name);
        let mut texts = Texts {
            context,
            data: match spec.kind {
                ComponentKind::Builder | ComponentKind::DataSource => Rc::new(Data::Nil),
                ComponentKind::Provisioner | ComponentKind::PostProcessor => self.placeholders(announced),
            },
            problems,
            resolution: &self.resolution,
            origins,
            is_late: false,
            is_foreign: spec.is_plugin,
            is_legacy: self.is_legacy,
            asks_for_build: false,
        };
        let mut rendered = Map::default();
        for entry in map.iter() {
            texts.is_late = spec.option(&entry.key).is_some_and(|option| option.rendering == Rendering::Late);
            // The first level's names are the component's own and are no templates.
            let value = texts.value(&entry.key, &entry.setting.value, entry.setting.span);
            rendered.push_new(Entry {
                key: entry.key.clone(),
                key_span: entry.key_span,
                setting: Setting { value, span: entry.setting.span },
            });
        }
        (rendered, !texts.asks_for_build)
    }
}

impl Renderer {
    fn placeholders(&self, announced: &[&str]) -> Rc<Data> {
        let mut known = self.placeholders.borrow_mut();
        // A template has few kinds of builder.
        if let Some((_, data)) = known.iter().find(|(names, _)| names == announced) {
            return data.clone();
        }
        let data = Rc::new(placeholder_data(announced));
        known.push((announced.iter().map(|name| (*name).to_owned()).collect(), data.clone()));
        data
    }
}

/// Returns what every text of a run may use, still without variables.
fn surroundings(inputs: &Inputs) -> Surroundings {
    Surroundings {
        variables: BTreeMap::new(),
        started: Timestamp::from_nanosecond(inputs.now_nanoseconds).unwrap_or_default(),
        seed: inputs.seed,
        template_directory: inputs.template_directory.clone(),
        working_directory: inputs.working_directory.clone(),
    }
}

/// Some families of builders define `clean_resource_name` for their own options, each by its cloud's rules.
fn resource_names(component: &str) -> Option<ResourceNames> {
    match component.split('-').next()? {
        "amazon" => Some(ResourceNames::Amazon),
        "azure" => Some(ResourceNames::Azure),
        "googlecompute" => Some(ResourceNames::Google),
        _ => None,
    }
}

/// The rendering of one component's texts.
struct Texts<'a> {
    context: Context<'a>,
    /// What stands in for the build's data.
    data: Rc<Data>,
    problems: &'a mut Diagnostics,
    resolution: &'a Resolution,
    origins: &'a mut Vec<Origin>,
    is_late: bool,
    /// Whether the component is a plugin, which knows functions of its own.
    is_foreign: bool,
    /// Whether there are user variables at all.
    is_legacy: bool,
    /// Whether any text has asked for something that differs from build to build.
    asks_for_build: bool,
}

impl Texts<'_> {
    fn value(&mut self, path: &str, value: &Value, span: Span) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(path, text, span)),
            Value::List(items) => Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Setting {
                        value: self.value(&format!("{path}[{index}]"), &item.value, item.span),
                        span: item.span,
                    })
                    .collect(),
            ),
            Value::Map(map) => {
                let mut rendered = Map::default();
                for entry in map.iter() {
                    let path = format!("{path}.{}", entry.key);
                    rendered.insert(Entry {
                        key: self.text(&path, &entry.key, entry.key_span),
                        key_span: entry.key_span,
                        setting: Setting {
                            value: self.value(&path, &entry.setting.value, entry.setting.span),
                            span: entry.setting.span,
                        },
                    });
                }
                Value::Map(rendered)
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, path: &str, text: &str, span: Span) -> String {
        if !text.contains("{{") {
            return text.to_owned();
        }
        let mut usage = Usage::default();
        self.check_references(text, span, &mut usage);
        if usage != Usage::default() {
            self.origins.push(Origin { option: path.to_owned(), written: text.to_owned(), usage });
        }
        let rendered = if self.is_late && self.is_foreign {
            Ok(text.to_owned())
        } else if self.is_late {
            interpolation::parse(text, &self.context).map(|_| text.to_owned()).map_err(Into::into)
        } else {
            interpolation::render(text, &self.context, &self.data)
        };
        rendered.unwrap_or_else(|error: interpolation::InterpolationError| {
            self.problems.push(
                Diagnostic::error("rpk::lower::render", format!("`{path}` cannot be rendered: {error}"))
                    .at(span, "this text"),
            );
            text.to_owned()
        })
    }

    /// Finds out what a text uses, and user variables that do not exist. Packer takes those for empty, which hides
    /// every slip of the pen.
    fn check_references(&mut self, text: &str, span: Span, usage: &mut Usage) {
        let Ok(template) = interpolation::parse(text, &self.context) else {
            // What cannot be read may ask for anything.
            self.asks_for_build = true;
            return;
        };
        for call in template.calls() {
            let (name, arguments) = match call {
                Call::Function { name, arguments, .. } => (name, arguments),
                Call::Field { path, .. } => {
                    usage.volatile.extend(path.into_iter().take(1).filter(|name| is_run_data(name)));
                    continue;
                }
            };
            self.asks_for_build |= matches!(name.as_str(), "build" | "build_name" | "build_type");
            match (name.as_str(), arguments.as_slice()) {
                ("timestamp" | "isotime" | "uuid", _) => {
                    usage.volatile.insert(name);
                }
                ("artifact", [Some(build), ..]) => {
                    usage.artifacts.insert(build.clone());
                }
                ("artifact", _) => self.problems.push(
                    Diagnostic::error("rpk::lower::artifact", "the build whose artifact is taken is worked out")
                        .at(span, "used here")
                        .help("write its name, as in {{artifact `base`}}: the order of the builds follows from it"),
                ),
                ("build", [Some(data)]) if !is_run_data(data) => {}
                ("build", arguments) => {
                    // Of data whose name is worked out nobody can tell which it will be.
                    let data = arguments.first().and_then(Option::as_deref).unwrap_or_default();
                    usage.volatile.insert(format!("build {data}").trim_end().to_owned());
                }
                ("user", [None]) if self.is_late => {
                    usage.volatile.insert(name);
                }
                ("user", [Some(variable)]) => {
                    if !self.context.variables.contains_key(variable) {
                        let known = self.context.variables.keys().map(String::as_str);
                        let mut problem = undefined(variable, known).at(span, "used here");
                        if !self.is_legacy {
                            problem.help = Some(format!("in HCL2 write `${{var.{variable}}}`"));
                        }
                        self.problems.push(problem);
                    }
                    self.variable(variable, usage, &mut Vec::new());
                }
                _ => {}
            }
        }
    }

    /// Adds what a variable's value was made from. It counts itself only if it uses no other one: a change of the
    /// other one is to be told by that one's name. A text that is rendered later holds none of the values, though,
    /// so that all of them count.
    fn variable(&self, name: &str, usage: &mut Usage, path: &mut Vec<String>) {
        let own = self.resolution.usage.get(name);
        if own.is_none_or(|own| own.variables.is_empty()) || self.is_late {
            usage.variables.insert(name.to_owned());
        }
        let Some(own) = own else {
            return;
        };
        usage.environment.extend(own.environment.iter().cloned());
        usage.volatile.extend(own.volatile.iter().cloned());
        usage.files.extend(own.files.iter().cloned());
        usage.reads_secrets |= own.reads_secrets;
        if path.iter().any(|seen| seen == name) {
            return;
        }
        path.push(name.to_owned());
        for other in &own.variables {
            self.variable(other, usage, path);
        }
        path.pop();
    }
}

/// Tells whether a build's data of this name is another at each run.
fn is_run_data(name: &str) -> bool {
    !matches!(name, "ConnType" | "User") && build_data_names().contains(&name)
}

fn undefined<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let help = match closest(name, known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("declare it in `variables`, or give it with `-var {name}=…`"),
    };
    Diagnostic::error("rpk::lower::undefined_variable", format!("there is no user variable `{name}`")).help(help)
}

fn variable_problem(
    error: &VariableError,
    place: Option<Span>,
    declared: &BTreeMap<String, Option<String>>,
) -> Diagnostic {
    let known = || declared.keys().map(String::as_str).filter(|name| *name != error.name());
    let (problem, label) = match error {
        VariableError::Required { name } => (
            Diagnostic::error("rpk::lower::required_variable", format!("the required variable `{name}` is not set"))
                .help(format!("give it with `-var {name}=…` or in a file with `-var-file`")),
            "has no default",
        ),
        VariableError::Undefined { reference, .. } => (undefined(reference, known()), "used here"),
        VariableError::Cycle { path, .. } => (
            Diagnostic::error("rpk::lower::variable_cycle", format!("variables need each other: {}", path.join(" → ")))
                .help("give one of them a value that needs no other"),
            "a part of the circle",
        ),
        VariableError::Template { name, error } => (
            Diagnostic::error("rpk::lower::render", format!("variable `{name}` cannot be rendered: {error}")),
            "this text",
        ),
        VariableError::TooLarge { .. } => {
            (Diagnostic::error("rpk::lower::variable_size", error.to_string()), "makes it too large")
        }
    };
    match place {
        Some(span) => problem.at(span, label),
        None => problem,
    }
}
