//! Saved plans: `rpk plan -out=FILE` writes one, `rpk apply FILE` runs it if nothing has changed since.
//!
//! A saved plan is not run by itself. Apply makes the plan again, from the template that the saved one names, with
//! the same variables, options, time and random bits, and compares the two. Sensitive values are in the file as
//! digests that only this machine's store can make; so the user gives them again.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use rpk_planner::plan::{Plan, PlanRecord, departures};
use serde::{Deserialize, Serialize};

use super::plan::Planned;
use crate::cli::{ConfigType, PlanArguments, TemplateArguments};
use crate::report::Screen;

/// The version of the form; another one is refused.
const VERSION: &str = "1.0";

/// How many differences are told one by one.
const TOLD: usize = 10;

/// A plan with everything that it was made from, but for sensitive values.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The version of the form. Its name is what saved plans are recognised by.
    rpk_saved_plan: String,
    rpk_version: String,
    /// The instant of all time functions: Unix nanoseconds.
    now_nanoseconds: String,
    /// The random bits of all functions that give random ids.
    pub seed: u64,
    /// What the store's secret makes of a known text, to tell whether it is the same store.
    store: String,
    options: Options,
    /// The plan.
    pub plan: PlanRecord,
}

/// The command line that the plan was made with.
#[derive(Debug, Serialize, Deserialize)]
struct Options {
    template: PathBuf,
    config_type: Option<String>,
    variables: Vec<Given>,
    variable_files: Vec<PathBuf>,
    only: Vec<String>,
    except: Vec<String>,
    targets: Vec<String>,
}

/// A variable that was given on the command line; without its value if that is sensitive.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    name: String,
    value: Option<String>,
}

impl SavedPlan {
    /// Writes a plan down.
    ///
    /// # Errors
    ///
    /// A message in words if the plan cannot be made again.
    pub fn of(arguments: &PlanArguments, planned: &Planned) -> Result<Self, String> {
        let template = &arguments.template;
        if template.template.as_deref().is_some_and(|path| path == "-") {
            return Err("the plan of a template from standard input cannot be saved".to_owned());
        }
        let plan = &planned.plan;
        let is_open = |name: &str, value: &str| {
            let variable = plan.graph.variables.get(name);
            variable.is_some_and(|variable| !variable.is_sensitive) && !plan.graph.redactor.hides(value)
        };
        let variables = template
            .variables
            .iter()
            .map(|(name, value)| Given { name: name.clone(), value: is_open(name, value).then(|| value.clone()) });
        Ok(Self {
            rpk_saved_plan: VERSION.to_owned(),
            rpk_version: env!("CARGO_PKG_VERSION").to_owned(),
            now_nanoseconds: planned.now_nanoseconds.to_string(),
            seed: planned.read.seed,
            store: store_mark(plan),
            options: Options {
                template: PathBuf::from(&planned.read.name),
                config_type: template
                    .config_type
                    .and_then(|kind| kind.to_possible_value())
                    .map(|kind| kind.get_name().to_owned()),
                variables: variables.collect(),
                variable_files: template.variable_files.clone(),
                only: template.only.clone(),
                except: template.except.clone(),
                targets: arguments.target.clone(),
            },
            plan: plan.record(),
        })
    }

    /// Writes the plan into a file that only its owner may read; the file is there as a whole or not at all.
    ///
    /// # Errors
    ///
    /// A message in words if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", path.display());
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        text.push('\n');
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Temporary files are their owner's alone, and keep that when they get their name.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist(path).map_err(|error| failed(&error.error))?;
        Ok(())
    }

    /// Reads a saved plan; none if the bytes are something else, such as a template.
    pub fn read(bytes: &[u8]) -> Option<Result<Self, String>> {
        // Templates may be large; the mark stands at the front.
        let front = &bytes[..bytes.len().min(64)];
        let mark = b"\"rpk_saved_plan\"";
        front.windows(mark.len()).any(|window| window == mark).then(|| {
            let value: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|error| format!("it is damaged: {error}"))?;
            let version = value.get("rpk_saved_plan").and_then(serde_json::Value::as_str).unwrap_or_default();
            if version != VERSION {
                return Err(format!("it is a saved plan of version {version}; this rpk reads {VERSION}"));
            }
            serde_json::from_value(value).map_err(|error| format!("it is damaged: {error}"))
        })
    }

    /// Reads the saved plan that a command line names in the place of a template; none if it names a template.
    ///
    /// # Errors
    ///
    /// A message in words if it is a saved plan, but damaged or together with options of its own.
    pub fn named(arguments: &TemplateArguments) -> Result<Option<Self>, String> {
        let Some(path) = arguments.template.as_deref().filter(|path| path.is_file()) else {
            return Ok(None);
        };
        let Some(saved) = std::fs::read(path).ok().and_then(|bytes| Self::read(&bytes)) else {
            return Ok(None);
        };
        let saved = saved.map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
        if !arguments.only.is_empty() || !arguments.except.is_empty() || arguments.config_type.is_some() {
            return Err("a saved plan has its own `-only`, `-except` and `-config-type`".to_owned());
        }
        Ok(Some(saved))
    }

    /// Returns the command line to make the plan again with; values given now count where they were not saved.
    pub fn arguments(&self, given: &TemplateArguments) -> TemplateArguments {
        let open = self.options.variables.iter();
        let open = open.filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
        TemplateArguments {
            template: Some(self.options.template.clone()),
            variables: open.chain(given.variables.iter().cloned()).collect(),
            variable_files: [self.options.variable_files.as_slice(), &given.variable_files].concat(),
            config_type: self.options.config_type.as_deref().and_then(|kind| ConfigType::from_str(kind, false).ok()),
            only: self.options.only.clone(),
            except: self.options.except.clone(),
            ..given.clone()
        }
    }

    /// Returns the nodes that the plan was made for.
    pub fn targets(&self) -> &[String] {
        &self.options.targets
    }

    /// Returns the instant of all time functions, in Unix nanoseconds.
    pub fn now_nanoseconds(&self) -> i128 {
        self.now_nanoseconds.parse().unwrap_or_default()
    }

    /// Tells whether the plan was made with the same store, without which digests cannot be compared.
    pub fn is_of_store(&self, plan: &Plan) -> bool {
        self.store == store_mark(plan)
    }

    /// Tells whether the plan that was made again is the saved one; complains about each thing that changed.
    pub fn holds(&self, plan: &Plan, screen: &Screen) -> bool {
        if !self.is_of_store(plan) {
            screen.error(
                "the plan was saved with another cache",
                Some("set RPK_CACHE_DIR to the cache of the saved plan, or make a new plan with `rpk plan -out=…`"),
            );
            return false;
        }
        let found = departures(&self.plan, &plan.record());
        let withheld: Vec<&str> = self
            .options
            .variables
            .iter()
            .filter(|variable| variable.value.is_none())
            .map(|variable| variable.name.as_str())
            .collect();
        for (index, words) in found.iter().take(TOLD).enumerate() {
            let again = format!(
                "nothing was run; make a new plan with `rpk plan -out=…`{}",
                if withheld.is_empty() {
                    String::new()
                } else {
                    format!(", or give again what was not saved: -var {}=…", withheld.join("=… -var "))
                }
            );
            let is_last = index + 1 == found.len().min(TOLD);
            screen.error(
                &format!("the saved plan no longer holds: {}", plan.graph.redactor.redact(words)),
                is_last.then_some(again.as_str()),
            );
        }
        if found.len() > TOLD {
            screen.note(Some(&format!("and {} more differences", found.len() - TOLD)));
        }
        found.is_empty()
    }
}

fn store_mark(plan: &Plan) -> String {
    plan.keyed("rpk saved plan")
}
