//! HCL2 templates to builds: values evaluated, sources and components put in their places.
//!
//! | file | does |
//! | --- | --- |
//! | `variables.rs` | the values of variables |
//! | `values.rs` | local values and data sources, as one graph |
//! | `builds.rs` | build blocks: their sources and components |
//! | `glob.rs` | the patterns of `-only` and `-except` |
//! | `registry.rs` | what describes an HCP registry, which is checked and then read past |
//! | `select.rs` | which builds and post-processors the command line chooses |
//! | `blueprint.rs` | one source of one build into what all template languages come down to |
//! | `inspect.rs` | what a template consists of, as Packer's `inspect` prints it |
//! | `console.rs` | single expressions with a template's values |

mod blueprint;
mod builds;
mod console;
mod glob;
mod inspect;
mod registry;
mod select;
mod values;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;

use super::chained::lower_builds;
use super::rendering::Renderer;
use super::{Inputs, Selection};
use crate::blocks::{Globals, Ground};
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::print::print;
use crate::expression::scope::{Files, NoFiles};
use crate::expression::value::Value;
use crate::graph::{DataSource, Graph, Variable};
use crate::span::Sources;
use crate::template::hcl::HclTemplate;
use crate::value::redactor::Redactor;
pub use builds::{BuildBlock, SourceUse, Step};
pub use console::HclConsole;
pub use inspect::inspect;
pub use values::{Answer, Answers, DataRequest};
pub use variables::{Given, GivenText, Variables};

/// Everything beside the template that an HCL2 template's values depend on.
#[derive(Clone, Debug)]
pub struct HclInputs {
    /// What the two template languages have in common; its variables are not looked at.
    pub common: Inputs,
    /// The folder of the template as the user named it: `path.root`.
    pub root: String,
    /// What gives values to variables.
    pub given: Given,
    /// Reads files for functions.
    pub files: Arc<dyn Files>,
    /// What the data sources that were asked have answered.
    pub data: Answers,
}

/// A template whose values are known.
#[derive(Debug)]
pub struct Evaluated {
    /// The values that expressions may use.
    pub globals: Arc<Globals>,
    /// The data sources that have yet to be asked.
    pub requests: Vec<DataRequest>,
    /// All data sources, each after those that it needs.
    pub data: Vec<DataSource>,
    /// The build blocks.
    pub builds: Vec<BuildBlock>,
}

impl Default for HclInputs {
    fn default() -> Self {
        Self {
            common: Inputs::default(),
            root: String::new(),
            given: Given::default(),
            files: Arc::new(NoFiles),
            data: BTreeMap::new(),
        }
    }
}

impl Evaluated {
    /// Returns the texts that must not be shown: those inside sensitive values, and each of their lines.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for name in &self.globals.sensitive {
            let value = match name.strip_prefix("local.") {
                Some(local) => self.globals.locals.get(local).map(|(value, _)| value),
                None => self.globals.variables.get(name.as_str()),
            };
            value.into_iter().for_each(|value| collect_texts(value, &mut secrets));
        }
        secrets
    }

    /// Returns the variables as they may be shown.
    #[must_use]
    pub fn shown_variables(&self) -> BTreeMap<String, Variable> {
        self.globals
            .variables
            .iter()
            .map(|(name, value)| {
                let is_sensitive = self.globals.sensitive.contains(name.as_ref());
                (name.to_string(), Variable { value: print(value), is_sensitive })
            })
            .collect()
    }
}

fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            texts.push(text.to_string());
            if text.contains('\n') {
                texts.push(text.replace("\r\n", "\n"));
                texts.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
            }
        }
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
            items.iter().for_each(|item| collect_texts(item, texts));
        }
        Value::Map(_, members) | Value::Object(members) => {
            members.values().for_each(|member| collect_texts(member, texts));
        }
        _ => {}
    }
}

/// Works out the values of variables and nothing else: what a check of the syntax includes.
pub fn check_variables(template: &HclTemplate, inputs: &HclInputs, sources: &Sources) -> Diagnostics {
    let mut problems = Diagnostics::default();
    variables::resolve(template, &inputs.given, sources, &ground(inputs), &mut problems);
    problems
}

/// Evaluates a template as far as it can be without running anything.
pub fn evaluate(
    template: &HclTemplate,
    inputs: &HclInputs,
    catalog: &dyn Catalog,
    sources: &Sources,
) -> (Evaluated, Diagnostics) {
    let mut problems = Diagnostics::default();
    let ground = ground(inputs);
    let resolved = variables::resolve(template, &inputs.given, sources, &ground, &mut problems);
    resolved.check(template, &ground, &mut problems);
    let mut sensitive = resolved.sensitive;
    sensitive
        .extend(template.locals.iter().filter(|local| local.is_sensitive).map(|local| format!("local.{}", local.name)));
    let mut globals =
        Globals { variables: resolved.values, sensitive, data: Some(BTreeMap::new()), ground, ..Globals::default() };
    for source in &template.sources {
        globals.artifacts.entry(Arc::from(source.label(0))).or_default().insert(Arc::from(source.label(1)));
    }
    let asked = values::evaluate_values(template, &inputs.data, catalog, &mut globals, &mut problems);
    for registry in &template.registries {
        registry::check(registry, &globals, &mut problems);
    }
    let builds = builds::read_builds(template, &globals, catalog, &mut problems);
    let evaluated = Evaluated { globals: Arc::new(globals), requests: asked.requests, data: asked.data, builds };
    if !problems.is_empty() {
        problems.redact(&Redactor::new(evaluated.secrets()));
    }
    (evaluated, problems)
}

fn ground(inputs: &HclInputs) -> Ground {
    Ground {
        template_directory: inputs.root.clone(),
        working_directory: inputs.common.working_directory.clone(),
        environment: inputs.common.environment.clone(),
        now: Timestamp::from_nanosecond(inputs.common.now_nanoseconds).unwrap_or_default(),
        files: inputs.files.clone(),
        seed: inputs.common.seed,
        drawn: AtomicU64::new(0),
    }
}

/// Lowers a template.
///
/// Returns the graph, unless there are errors, the data sources that have yet to be asked, and everything that was
/// found on the way.
pub fn lower_hcl(
    template: &HclTemplate,
    inputs: &HclInputs,
    selection: &Selection,
    catalog: &dyn Catalog,
    sources: &Sources,
) -> (Option<Graph>, Vec<DataRequest>, Diagnostics) {
    let (evaluated, mut problems) = evaluate(template, inputs, catalog, sources);
    if template.builds.is_empty() {
        problems.push(
            Diagnostic::error("rpk::hcl::missing_build", "missing build block: the template builds nothing")
                .help("add `build { sources = [\"source.TYPE.NAME\"] }`"),
        );
    }
    for registry in &template.registries {
        problems.push(
            Diagnostic::advice("rpk::hcl::registry", "rpk publishes nothing to the HCP registry")
                .at(registry.header(), "read past"),
        );
    }
    let renderer = Renderer::without_variables(&inputs.common);
    let selection = select::Selection::new(selection, &evaluated.builds, &mut problems);
    let mut secrets = evaluated.secrets();
    let mut lay_out = |also: &BTreeSet<String>, _: &mut Diagnostics| {
        blueprint::blueprints(&evaluated, &selection, also, catalog, sources)
    };
    let mut graph = lower_builds(&mut lay_out, catalog, &renderer, &mut secrets, &mut problems);
    // Said of each block when it was read, whether or not it takes part.
    problems.forget(&["rpk::lower::unknown_component"]);
    graph.data.clone_from(&evaluated.data);
    graph.variables = evaluated.shown_variables();
    graph.redactor = Redactor::new(secrets);
    problems.redact(&graph.redactor);
    graph.late = renderer.late();
    ((!problems.has_errors()).then_some(graph), evaluated.requests.clone(), problems)
}
