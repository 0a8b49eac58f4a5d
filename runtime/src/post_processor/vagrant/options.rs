//! The options of `vagrant`, and those laid over them for one provider.

use std::collections::BTreeMap;
use std::path::Path;

use rpk_planner::catalog::{Problem, Settings};
use rpk_planner::chain::is_marked;
use serde::Deserialize;
use serde_json::Value as Json;

/// The options of the post-processor.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(flatten)]
    common: BoxOptions,
    #[serde(default)]
    pub(super) provider_override: String,
    #[serde(default, rename = "override")]
    overrides: BTreeMap<String, BoxOptions>,
}

/// The options that each provider may have on its own; what is not given is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BoxOptions {
    output: Option<String>,
    compression_level: Option<i64>,
    include: Option<Vec<String>>,
    vagrantfile_template: Option<String>,
    architecture: Option<String>,
}

impl Config {
    /// Returns the options for a provider.
    pub(super) fn for_provider(&self, name: &str) -> BoxOptions {
        let over = self.overrides.get(name).cloned().unwrap_or_default();
        let common = self.common.clone();
        BoxOptions {
            output: over.output.or(common.output),
            compression_level: over.compression_level.or(common.compression_level),
            include: over.include.or(common.include),
            vagrantfile_template: over.vagrantfile_template.or(common.vagrantfile_template),
            architecture: over.architecture.or(common.architecture),
        }
    }
}

impl BoxOptions {
    pub(super) fn output(&self) -> &str {
        let given = self.output.as_deref().filter(|output| !output.is_empty());
        given.unwrap_or("packer_{{ .BuildName }}_{{ .Provider }}_{{ .Architecture }}.box")
    }

    pub(super) fn compression_level(&self) -> i64 {
        self.compression_level.unwrap_or(-1)
    }

    pub(super) fn include(&self) -> &[String] {
        self.include.as_deref().unwrap_or_default()
    }

    pub(super) fn vagrantfile_template(&self) -> Option<&str> {
        self.vagrantfile_template.as_deref().filter(|path| !path.is_empty())
    }

    /// Returns the architecture, by default this machine's in Vagrant's words.
    pub(super) fn architecture(&self) -> &str {
        let here = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "i386",
            "aarch64" => "arm64",
            other => other,
        };
        self.architecture.as_deref().filter(|name| !name.is_empty()).unwrap_or(here)
    }
}

/// Lists the options of all providers: where they stand, and what they are.
fn every(settings: &Settings) -> Vec<(String, &Settings)> {
    let overrides = settings.get("override").and_then(Json::as_object).into_iter().flatten();
    let mut every = vec![(String::new(), settings)];
    every.extend(overrides.filter_map(|(name, options)| Some((format!("override.{name}."), options.as_object()?))));
    every
}

fn text<'s>(settings: &'s Settings, option: &str) -> &'s str {
    settings.get(option).and_then(Json::as_str).unwrap_or_default()
}

fn is_generated(settings: &Settings) -> bool {
    settings.get("vagrantfile_template_generated").and_then(Json::as_bool).unwrap_or(false)
}

/// Lists the files that go into boxes.
pub(super) fn files(settings: &Settings) -> Vec<String> {
    let mut files = Vec::new();
    for (_, options) in every(settings) {
        let include = options.get("include").and_then(Json::as_array).into_iter().flatten();
        files.extend(include.filter_map(Json::as_str).map(str::to_owned));
        files.extend(Some(text(options, "vagrantfile_template")).filter(|path| !path.is_empty()).map(str::to_owned));
    }
    files
}

/// Tells whether some file is known or there only once the post-processor runs.
pub(super) fn depends_on_the_run(settings: &Settings) -> bool {
    files(settings).iter().any(|path| path.contains("{{") || is_marked(path))
        || every(settings).iter().any(|(_, options)| is_generated(options))
}

/// Finds what is wrong with checked options.
pub(super) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, options) in every(settings) {
        let underlined = |option: &str| if place.is_empty() { option.to_owned() } else { "override".to_owned() };
        let level = options.get("compression_level").and_then(Json::as_i64).unwrap_or(-1);
        if !(-1..=9).contains(&level) {
            let message = format!("`{place}compression_level` cannot be {level}");
            problems.push(
                Problem::with(&underlined("compression_level"), message)
                    .help("use a level from 0 to 9, or leave it out"),
            );
        }
        let path = text(options, "vagrantfile_template");
        let is_known = !path.is_empty() && !path.contains("{{") && !is_marked(path);
        if is_known && !is_generated(options) && !is_generated(settings) && !Path::new(path).exists() {
            problems.push(Problem::with(&underlined("vagrantfile_template"), format!("there is no file {path}")).help(
                "set `vagrantfile_template_generated` if the build makes it; paths are relative to the working \
                     directory",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        serde_json::from_str(text).expect("it is an object")
    }

    #[test]
    fn a_providers_options_are_laid_over_the_others() {
        let text = r#"{"output": "a.box", "include": ["x"], "compression_level": 1, "vagrantfile_template_generated":
            true, "override": {"docker": {"output": "d.box", "compression_level": 0}}}"#;
        let config: Config = crate::settings::read_settings(&settings(text)).expect("fits");
        let docker = config.for_provider("docker");
        assert_eq!((docker.output(), docker.compression_level(), docker.include().len()), ("d.box", 0, 1));
        let libvirt = config.for_provider("libvirt");
        assert_eq!((libvirt.output(), libvirt.compression_level()), ("a.box", 1));
    }

    #[test]
    fn what_is_missing_or_out_of_range_is_found_beforehand() {
        let problems = |text: &str| -> Vec<String> {
            check(&settings(text)).into_iter().map(|problem| problem.option.unwrap_or_default()).collect()
        };
        assert_eq!(problems(r#"{"compression_level": 10}"#), ["compression_level"]);
        assert_eq!(problems(r#"{"vagrantfile_template": "no/such"}"#), ["vagrantfile_template"]);
        let generated = r#"{"vagrantfile_template": "no/such", "vagrantfile_template_generated": true}"#;
        assert!(problems(generated).is_empty() && depends_on_the_run(&settings(generated)));
        assert_eq!(problems(r#"{"override": {"docker": {"compression_level": -2}}}"#), ["override"]);
    }

    #[test]
    fn files_of_every_provider_are_inputs() {
        let text = r#"{"include": ["a"], "override": {"docker": {"include": ["b"], "vagrantfile_template": "c"}}}"#;
        assert_eq!(files(&settings(text)), ["a", "b", "c"]);
    }
}
