//! Renders texts while nodes run: what depends on the machine, such as `{{.Path}}` or ``{{build `ID`}}``.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::blocks::{ComponentBody, Globals, Place};
use crate::catalog::{ComponentSpec, Decoding, Rendering, Settings, decode};
use crate::diagnostic::Diagnostics;
use crate::expression::value::Value as Evaluated;
use crate::gotemplate::Value;
use crate::span::Span;
use crate::value::interpolation::{Context, PACKER_VERSION, Phase, render, seeded_random};

/// What a build's texts may ask about it.
#[derive(Clone, Copy, Debug)]
pub struct BuildNames<'a> {
    /// The answer of `build_name`.
    pub name: &'a str,
    /// The answer of `build_type`.
    pub builder_type: &'a str,
}

/// What every text of a run may use, whichever build it is in.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The final values of the user variables.
    pub variables: BTreeMap<String, String>,
    /// The one instant that time functions answer with.
    pub started: Timestamp,
    /// Where random ids begin.
    pub seed: u64,
    /// The absolute folder of the template.
    pub template_directory: String,
    /// The working directory.
    pub working_directory: String,
}

impl Surroundings {
    /// Makes the context for texts of a phase, in a build if there is one.
    pub(crate) fn context<'a>(
        &'a self,
        phase: Phase,
        build: Option<BuildNames<'a>>,
        environment: &'a BTreeMap<String, String>,
        random: &'a dyn Fn() -> [u8; 12],
    ) -> Context<'a> {
        Context {
            phase,
            variables: &self.variables,
            environment,
            started: self.started,
            random,
            template_dir: Some(&self.template_directory),
            pwd: &self.working_directory,
            packer_version: PACKER_VERSION,
            build_name: build.map(|build| build.name),
            build_type: build.map(|build| build.builder_type),
            resource_names: None,
            secret_source: None,
        }
    }
}

/// Renders texts while nodes run.
#[derive(Clone, Debug, Default)]
pub struct LateRenderer {
    surroundings: Arc<Surroundings>,
}

impl LateRenderer {
    /// Makes a renderer for a run.
    pub(crate) fn new(surroundings: Surroundings) -> Self {
        Self { surroundings: Arc::new(surroundings) }
    }

    /// Renders a text of a build with these fields.
    ///
    /// # Errors
    ///
    /// Fails if the text is no valid template, or one of its functions fails.
    pub fn render(
        &self,
        text: &str,
        build: BuildNames<'_>,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, String> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let environment = BTreeMap::new();
        let random = seeded_random(self.surroundings.seed);
        let context = self.surroundings.context(Phase::Runtime, Some(build), &environment, &random);
        let data: Value = fields.iter().map(|(name, value)| (name.clone(), value.as_str())).collect();
        render(text, &context, &data).map_err(|error| error.to_string())
    }
}

/// Options of a component that depend on what only the running machine has, such as `build.ID`.
#[derive(Clone, Debug)]
pub struct Deferred {
    /// What stands in the template.
    pub(crate) body: ComponentBody,
    /// Where it stands.
    pub(crate) place: Place,
    /// The values that do not depend on the machine.
    pub(crate) globals: Arc<Globals>,
    /// The block's place.
    pub(crate) span: Span,
}

impl Deferred {
    /// Works the options out again, with the data that the machine has given; `render` renders `{{ … }}` in what
    /// comes out, except in options that the component renders itself.
    ///
    /// Names that the builder has announced and then not given stay unknown, as in Packer.
    ///
    /// # Errors
    ///
    /// Fails if an expression does now, or the options no longer fit the component.
    pub fn settings(
        &self,
        spec: &ComponentSpec,
        data: &BTreeMap<String, String>,
        render: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Settings, String> {
        let mut place = self.place.clone();
        let build = place.build.get_or_insert_default();
        for (name, value) in data {
            let value = match (name.as_str(), value.parse::<i64>()) {
                ("Port", Ok(port)) => Evaluated::number(port),
                _ => Evaluated::string(value),
            };
            build.insert(Arc::from(name.as_str()), value);
        }
        let mut problems = Diagnostics::default();
        let settled = self.body.settle(spec, &self.globals, &place, None, &mut problems);
        let mut settings = decode(spec, &settled.options, self.span, Decoding::Strict, &mut problems);
        for (name, value) in &mut settings {
            if spec.option(name).is_none_or(|option| option.rendering != Rendering::Late) {
                render_texts(value, render)?;
            }
        }
        match problems.iter().find(|problem| problem.severity == crate::diagnostic::Severity::Error) {
            Some(problem) => Err(problem.message.clone()),
            None => Ok(settings),
        }
    }
}

fn render_texts(value: &mut serde_json::Value, render: &dyn Fn(&str) -> Result<String, String>) -> Result<(), String> {
    match value {
        serde_json::Value::String(text) if text.contains("{{") => *text = render(text)?,
        serde_json::Value::Array(items) => items.iter_mut().try_for_each(|item| render_texts(item, render))?,
        serde_json::Value::Object(members) => {
            members.values_mut().try_for_each(|member| render_texts(member, render))?;
        }
        _ => {}
    }
    Ok(())
}
