//! What the planner is told of a component that lives in a plugin.
//!
//! # What may be reused
//!
//! A plugin does not say what its results depend on. So what is known to depend on its options and on files that
//! these name is reused; of everything else the template has to say it, by `rpk_cache = true`. The plugin's digest is
//! a part of every key.

use std::path::Path;
use std::sync::Arc;

use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, Caching, ComponentKind, ComponentSpec, OptionSpec, OptionType, Reads, Recipe,
    Rendering, Settings,
};
use rpk_planner::lower::frame::ANNOUNCED;
use serde_json::Value as Json;

use super::component::Component;
use super::ui;

/// Provisioners that depend on their options and the files that these name, and on nothing else of this machine.
const PURE_PROVISIONERS: [&str; 9] = [
    "ansible-local",
    "chef-solo",
    "file",
    "powershell",
    "puppet-masterless",
    "salt-masterless",
    "shell",
    "windows-restart",
    "windows-shell",
];

/// Post-processors of which that is so.
const PURE_POST_PROCESSORS: [&str; 4] = ["artifice", "checksum", "compress", "vagrant"];

/// Post-processors that keep what goes in, whatever the template says.
const KEEPERS: [&str; 6] = ["checksum", "docker-push", "docker-save", "docker-tag", "manifest", "shell-local"];

/// Post-processors that do not keep what goes in unless they are told to.
const TAKERS: [&str; 4] = ["artifice", "compress", "docker-import", "vagrant"];

/// Options that rpk hands on from the template and that are no option of the plugin.
fn frame() -> Vec<OptionSpec> {
    let own = |name: &'static str| OptionSpec::new(name, OptionType::Any, "").rendering(Rendering::Late);
    let names =
        ["packer_build_name", "packer_builder_type", "packer_user_variables", "packer_sensitive_variables", ANNOUNCED];
    names.map(own).into()
}

/// Describes a component to the planner.
pub(super) fn describe(component: &Arc<Component>, digest: &str) -> ComponentSpec {
    let name = component.name.clone();
    let mut spec = ComponentSpec::new(component.kind, name.clone());
    spec.is_plugin = true;
    match &component.schema {
        Some(schema) => spec = spec.options(schema.options(component.is_legacy)),
        None => spec.is_open = true,
    }
    spec = spec.options(frame());
    let checked = component.clone();
    spec = spec.check(move |settings| checked.check(settings));
    let kind = component.kind;
    spec = spec.recipe(
        Recipe::judged(1, move |settings, _| judge(kind, &name, settings))
            .implementation(digest)
            .immaterial(&["packer_user_variables", "packer_sensitive_variables", ANNOUNCED])
            .reads(|settings, _| named_files(settings)),
    );
    let name = component.name.as_str();
    match kind {
        ComponentKind::Builder => {
            let builder = component.clone();
            spec.announces = Some(Arc::new(move |settings| builder.announced(settings)));
            spec.captures(|_| ArtifactKind::Unknown)
        }
        ComponentKind::PostProcessor => spec.flow(ArtifactFlow {
            takes: &[],
            gives: Some(ArtifactKind::Unknown),
            keeps_input: !TAKERS.contains(&name),
            keep_is_forced: KEEPERS.contains(&name),
        }),
        ComponentKind::Provisioner | ComponentKind::DataSource => spec,
    }
}

fn judge(kind: ComponentKind, name: &str, settings: &Settings) -> Caching {
    let is_pure = match kind {
        ComponentKind::Builder => true,
        ComponentKind::Provisioner => PURE_PROVISIONERS.contains(&name),
        ComponentKind::PostProcessor => PURE_POST_PROCESSORS.contains(&name),
        ComponentKind::DataSource => false,
    };
    if !is_pure && !ui::is_opted_in(settings) {
        return Caching::Never(format!(
            "rpk does not know what the plugin's {kind} `{name}` depends on; `rpk_cache = true` takes it on trust"
        ));
    }
    match late_path(settings) {
        Some(option) if !ui::is_opted_in(settings) => {
            Caching::Never(format!("the plugin works out itself which files `{option}` names"))
        }
        _ => Caching::Cacheable,
    }
}

/// Tells by its name whether an option names files of this machine.
fn names_files(name: &str) -> bool {
    let words = ["file", "files", "path", "paths", "dir", "dirs", "script", "scripts", "source", "sources", "playbook"];
    words.iter().any(|word| name == *word || name.ends_with(&format!("_{word}"))) && !name.contains("remote")
}

/// Finds an option that names files by a text that only the plugin renders.
fn late_path(settings: &Settings) -> Option<&str> {
    let own = settings.iter().filter(|(name, _)| !name.starts_with("packer_") && names_files(name));
    let mut late = own.filter(|(_, value)| {
        let mut is_late = false;
        each_text(value, &mut |text| is_late |= text.contains("{{"));
        is_late
    });
    late.next().map(|(name, _)| name.as_str())
}

/// Lists the files and folders of this machine that any option names.
fn named_files(settings: &Settings) -> Vec<Reads> {
    let mut reads = Vec::new();
    let own = settings.iter().filter(|(name, _)| !name.starts_with("packer_") && !name.starts_with("rpk_"));
    for (name, value) in own {
        // What is written is no input: it would be another one after each run.
        if name.starts_with("output") || name == "target" || name == "export_path" {
            continue;
        }
        each_text(value, &mut |text| {
            // A lone word is a file's name only where one is wanted.
            let is_path = (text.contains(['/', '.']) || names_files(name))
                && !text.is_empty()
                && text.len() < 4096
                && !text.contains(['\n', '{']);
            let is_root = Path::new(text).parent().is_none();
            if is_path && !is_root && Path::new(text).exists() {
                reads.push(Reads { path: text.to_owned(), is_tree: true });
            }
        });
    }
    reads
}

fn each_text(value: &Json, take: &mut dyn FnMut(&str)) {
    match value {
        Json::String(text) => take(text),
        Json::Array(items) => items.iter().for_each(|item| each_text(item, take)),
        Json::Object(members) => members.values().for_each(|member| each_text(member, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        serde_json::from_str(text).expect("is an object")
    }

    #[test]
    fn what_is_not_known_is_reused_only_on_request() {
        let never = |kind, name, text| matches!(judge(kind, name, &settings(text)), Caching::Never(_));
        assert!(!never(ComponentKind::Provisioner, "shell", "{}"));
        assert!(never(ComponentKind::Provisioner, "windows-update", "{}"));
        assert!(!never(ComponentKind::Provisioner, "windows-update", r#"{"rpk_cache": true}"#));
        assert!(never(ComponentKind::Provisioner, "shell", r#"{"script": "{{user `x`}}"}"#));
        assert!(!never(ComponentKind::Provisioner, "shell", r#"{"remote_path": "{{user `x`}}"}"#));
    }

    #[test]
    fn files_that_options_name_are_inputs() {
        let found = named_files(&settings(
            r#"{"a": ["Cargo.toml", "no such"], "x_path": {"c": "src"}, "y": "src", "output": "src", "packer_x": "src", "d": "/"}"#,
        ));
        let paths: Vec<&str> = found.iter().map(|read| read.path.as_str()).collect();
        assert_eq!(paths, ["Cargo.toml", "src"]);
    }
}
