//! Renders texts while nodes run: what depends on the machine, such as `{{.Path}}` or ``{{build `ID`}}``.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::gotemplate::Value;
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
