//! A component that lives in a plugin: its options, what it is told of them, and how it is checked.
//!
//! # When a component is prepared
//!
//! A plugin checks options when they are given to it, and can be given them once per process. The planner's check
//! does that; the process is kept, and the run of the same options takes it.

use std::sync::Arc;

use rpk_planner::catalog::{ComponentKind, Problem, Settings};
use rpk_planner::chain::is_marked;
use rpk_planner::lower::frame::ANNOUNCED;
use serde_json::Value as Json;

use super::host::{Host, Prepared};
use super::msgpack::Value;
use super::process::Launch;
use super::schema::Object;
use crate::failure::{Failure, Outcome};

/// What plugins look for in values that are known only while the machine runs.
const PLACEHOLDER: &str = "To set this dynamically in the Packer template, you must use the `build` function";

/// The data that every builder's machine has.
const COMMON_DATA: [&str; 12] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPPort",
    "PackerHTTPIP",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
];

/// A component of a plugin.
pub struct Component {
    /// Where its processes live.
    pub host: Arc<Host>,
    /// What it is.
    pub kind: ComponentKind,
    /// The name that templates use.
    pub name: String,
    /// How its process is started.
    pub launch: Launch,
    /// Its options, if it says what they are.
    pub schema: Option<Object>,
    /// Whether the template is a legacy one.
    pub is_legacy: bool,
}

impl Component {
    /// Returns the name of its service in calls.
    #[must_use]
    pub fn service(&self) -> &'static str {
        match self.kind {
            ComponentKind::Builder => "Builder",
            ComponentKind::Provisioner => "Provisioner",
            ComponentKind::PostProcessor => "PostProcessor",
            ComponentKind::DataSource => "Datasource",
        }
    }

    /// Returns a process that has taken these options: the one of the check, or a new one.
    pub(super) async fn prepared(&self, settings: &Settings) -> Outcome<Prepared> {
        let key = self.key(settings);
        match self.host.take_prepared(&key) {
            Some(prepared) => Ok(prepared),
            None => self.prepare(settings).await,
        }
    }

    /// Has the plugin check options; what it says comes as problems.
    pub(super) fn check(self: &Arc<Self>, settings: &Settings) -> Vec<Problem> {
        // What another build will make is not there yet.
        if holds_marks(settings) {
            return Vec::new();
        }
        let key = self.key(settings);
        // A template with data sources is lowered more than once.
        if let Some(problems) = self.host.checked(&key) {
            return problems;
        }
        let (component, own) = (self.clone(), settings.clone());
        let problems = match self.host.wait(async move { component.prepare(&own).await }) {
            Ok(prepared) => {
                let warnings = prepared.warnings.iter().map(|warning| self.problem(settings, warning).warning());
                let warnings = warnings.collect();
                self.host.keep_prepared(key.clone(), prepared);
                warnings
            }
            Err(failure) => {
                let mut problems: Vec<Problem> =
                    split_errors(&failure.to_string()).iter().map(|error| self.problem(settings, error)).collect();
                if let (Some(first), Some(help)) = (problems.first_mut(), failure.help) {
                    first.help = Some(help);
                }
                problems
            }
        };
        self.host.keep_checked(key, problems.clone());
        problems
    }

    /// Lists the data that a builder has announced when these options were checked.
    pub(super) fn announced(&self, settings: &Settings) -> Vec<String> {
        frame_text(settings, "packer_build_name").map(|build| self.host.announced(build)).unwrap_or_default()
    }

    fn problem(&self, settings: &Settings, message: &str) -> Problem {
        match blamed(settings, message) {
            Some(option) => Problem::with(&option, message),
            None => Problem::of_block(message),
        }
    }

    async fn prepare(&self, settings: &Settings) -> Outcome<Prepared> {
        let plugin = self.host.plugin(&self.launch).await?;
        let method = match self.kind {
            ComponentKind::PostProcessor | ComponentKind::DataSource => "Configure",
            ComponentKind::Builder | ComponentKind::Provisioner => "Prepare",
        };
        let configs = Value::map([("Configs", Value::Array(self.configs(settings)))]);
        let answer = plugin.call(&format!("{}.{method}", self.service()), &configs).await?;
        if let Some(message) = answer.get("Error").and_then(|error| error.get("Message")).and_then(Value::as_str) {
            return Err(Failure::new(message.trim()));
        }
        let texts = |name: &str| answer.get(name).map(Value::texts).unwrap_or_default();
        let (warnings, announces) = (texts("Warnings"), texts("GeneratedVars"));
        if self.kind == ComponentKind::Builder
            && let Some(build) = frame_text(settings, "packer_build_name")
        {
            self.host.announce(build, &announces);
        }
        Ok(Prepared { plugin, warnings })
    }

    /// Lists what the plugin is configured with, in the order in which it lays one over the other.
    fn configs(&self, settings: &Settings) -> Vec<Value> {
        let own: Settings = settings
            .iter()
            .filter(|(name, _)| is_own(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let block = match (&self.schema, self.is_legacy) {
            (Some(schema), false) => Value::Bin(schema.document(&own)),
            _ => Value::from_json(&Json::Object(own)),
        };
        if self.kind == ComponentKind::DataSource {
            return vec![block];
        }
        let mut core = self.host.core(self.is_legacy);
        for name in ["packer_build_name", "packer_builder_type", "packer_user_variables", "packer_sensitive_variables"]
        {
            let is_for_it =
                name != "packer_sensitive_variables" || self.is_legacy || self.kind != ComponentKind::Builder;
            if let Some(value) = settings.get(name).filter(|_| is_for_it) {
                core.push((name, Value::from_json(value)));
            }
        }
        let core = Value::map(core);
        match (self.is_legacy, self.kind) {
            (true, ComponentKind::Builder) => vec![block, core],
            (true, _) => vec![block, core, self.placeholders(settings)],
            (false, _) => vec![core, block],
        }
    }

    /// Stands in for the data of a machine that is not there yet.
    fn placeholders(&self, settings: &Settings) -> Value {
        let announced = settings.get(ANNOUNCED).and_then(Json::as_array).into_iter().flatten();
        let mut names: Vec<String> = COMMON_DATA.iter().map(|name| (*name).to_owned()).collect();
        names.extend(announced.filter_map(|name| name.as_str().map(str::to_owned)));
        let mut map: Vec<(Value, Value)> = names
            .into_iter()
            .map(|name| {
                let placeholder = Value::Str(format!("Build_{name}. {PLACEHOLDER}"));
                (Value::Str(name), placeholder)
            })
            .collect();
        map.push((Value::str("WinRMPassword"), Value::str("{{.WinRMPassword}}")));
        Value::Map(map)
    }

    fn key(&self, settings: &Settings) -> String {
        // Maps keep an order of their own, so that equal settings are equal texts.
        format!("{} {}", self.launch.name, Json::Object(settings.clone()))
    }
}

/// Tells whether a setting is the component's own, and not what rpk or the core says beside.
fn is_own(name: &str) -> bool {
    !name.starts_with("packer_") && !name.starts_with("rpk_")
}

fn frame_text<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    settings.get(name).and_then(Json::as_str)
}

fn holds_marks(settings: &Settings) -> bool {
    fn holds(value: &Json) -> bool {
        match value {
            Json::String(text) => is_marked(text),
            Json::Array(items) => items.iter().any(holds),
            Json::Object(members) => members.values().any(holds),
            _ => false,
        }
    }
    settings.values().any(holds)
}

/// Takes apart what Go libraries join: "2 errors occurred:" and a line that begins with `*` for each.
fn split_errors(message: &str) -> Vec<String> {
    let is_list = message.lines().next().is_some_and(|first| first.contains("error") && first.contains("occurred"));
    let mut errors: Vec<String> = Vec::new();
    for line in message.lines().skip(usize::from(is_list)) {
        let text = line.trim();
        match (text.strip_prefix("* "), errors.last_mut()) {
            (Some(item), _) if is_list => errors.push(item.to_owned()),
            (None, Some(last)) if !text.is_empty() => {
                last.push(' ');
                last.push_str(text);
            }
            (_, None) if !text.is_empty() => errors.push(text.to_owned()),
            _ => {}
        }
    }
    if errors.is_empty() {
        errors.push(if message.trim().is_empty() {
            "the plugin refuses the options".to_owned()
        } else {
            message.to_owned()
        });
    }
    errors
}

/// Guesses which option a message is about: the longest one that it names.
fn blamed(settings: &Settings, message: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = message.split(|c| !is_part(c)).collect();
    let named = settings.keys().filter(|name| is_own(name) && words.contains(&name.as_str()));
    named.max_by_key(|name| name.len()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_errors_become_problems_of_their_own() {
        let message = "2 error(s) occurred:\n\n* image must be specified\n* unknown configuration key:\n  '\"x\"'";
        assert_eq!(split_errors(message), ["image must be specified", "unknown configuration key: '\"x\"'"]);
        assert_eq!(split_errors("just this"), ["just this"]);
        assert_eq!(split_errors(""), ["the plugin refuses the options"]);
    }

    #[test]
    fn an_option_that_is_named_is_underlined() {
        let settings: Settings =
            serde_json::from_str(r#"{"disk": 1, "disk_size": 2, "packer_debug": true}"#).expect("is an object");
        assert_eq!(blamed(&settings, "bad disk_size, see disk").as_deref(), Some("disk_size"));
        assert_eq!(blamed(&settings, "packer_debug and diskless"), None);
    }
}
