//! Which plugins a template needs: read off the template and the environment, loaded into its table of components.

use std::collections::BTreeMap;
use std::sync::Arc;

use rpk_planner::catalog::{Catalog as _, ComponentKind};
use rpk_planner::diagnostic::{Diagnostic, Diagnostics};
use rpk_planner::hcl::ast::Body;
use rpk_planner::template::hcl::HclTemplate;
use rpk_planner::template::{Template, Written};
use rpk_runtime::cache::Cache;
use rpk_runtime::plugin::folder::Folders;
use rpk_runtime::plugin::load::find_packer;
use rpk_runtime::plugin::version::Constraint;
use rpk_runtime::plugin::{Needed, Preference, Request, Required, RunOptions, load};
use rpk_runtime::registry::Registry;

use crate::cli::{OnError, TemplateArguments};
use crate::input::Read;

/// What of the command line plugins are told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conduct {
    /// Whether `-force` was given.
    pub force: bool,
    /// What to do when a node of a machine fails.
    pub on_error: Option<OnError>,
}

/// Makes the table of components for a template; what is wrong about plugins goes to the template's diagnostics.
pub fn registry(read: &mut Read, arguments: &TemplateArguments, conduct: Conduct) -> Arc<Registry> {
    let registry = Registry::default();
    let preference = arguments.plugins.clone().or_else(|| variable("RPK_PLUGINS"));
    let preference = Preference::parse(preference.as_deref().unwrap_or_default());
    let Some(template) = &read.template else { return Arc::new(registry) };
    let mut uses = BTreeMap::new();
    let (is_legacy, required) = match template {
        Written::Legacy(template) => {
            uses_of_legacy(template, &mut uses);
            (true, Vec::new())
        }
        Written::Hcl(template) => {
            uses_of_hcl(template, &mut uses);
            (false, required(template))
        }
    };
    let needed: Vec<Needed> = uses
        .into_iter()
        .map(|((kind, name), count)| {
            let is_built_in = registry.is_built_in(kind, &name);
            Needed { kind, name, count, is_built_in }
        })
        .collect();
    // Where rpk has everything itself, nothing is looked for.
    let is_complete = needed.iter().all(|needed| needed.is_built_in);
    if preference == Preference::Off
        || is_complete && preference == Preference::BuiltIn && required.iter().all(|it| is_hashicorps(&it.source))
    {
        return Arc::new(registry);
    }
    let folders = match Folders::find(&variable) {
        Ok(folders) => folders,
        Err(reason) => {
            read.diagnostics.push(Diagnostic::error("rpk::plugin::folder", reason).help("name one folder"));
            return Arc::new(registry);
        }
    };
    let logs = Cache::find().map(|cache| cache.root().join("plugins")).unwrap_or_else(|_| std::env::temp_dir());
    let template_path = std::path::absolute(&read.name).map(|path| path.display().to_string());
    let loaded = load(&Request {
        needed,
        required,
        preference,
        folders,
        packer: find_packer(&variable),
        is_legacy,
        ignores_pre_releases: arguments.ignore_prerelease_plugins,
        run: RunOptions {
            force: conduct.force,
            on_error: conduct.on_error.map(word).unwrap_or_default().to_owned(),
            template_path: template_path.ok(),
            logs,
        },
    });
    tell(&loaded, &registry, &mut read.diagnostics);
    Arc::new(registry.with_plugins(loaded))
}

/// Says which plugins could not be loaded, where the template cannot do without.
fn tell(loaded: &rpk_runtime::plugin::Loaded, registry: &Registry, problems: &mut Diagnostics) {
    for (kind, name, failure) in &loaded.failed {
        if registry.find(*kind, name).is_none() {
            let mut problem = Diagnostic::error("rpk::plugin::unavailable", format!("{kind} `{name}`: {failure}"));
            problem.help.clone_from(&failure.help);
            problems.push(problem);
        }
    }
    for remark in &loaded.remarks {
        problems.push(Diagnostic::warning("rpk::plugin::ignored", remark.clone()));
    }
}

/// Tells whether rpk's own components are those of a plugin's source.
pub fn is_hashicorps(source: &str) -> bool {
    source.starts_with("github.com/hashicorp/")
}

/// Reads a variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn word(on_error: OnError) -> &'static str {
    match on_error {
        OnError::Abort => "abort",
        OnError::Ask => "ask",
        OnError::RunCleanupProvisioner => "run-cleanup-provisioner",
        OnError::Cleanup | OnError::Shell | OnError::Continue => "cleanup",
    }
}

type Uses = BTreeMap<(ComponentKind, String), usize>;

fn count(uses: &mut Uses, kind: ComponentKind, name: &str) {
    *uses.entry((kind, name.to_owned())).or_default() += 1;
}

fn uses_of_legacy(template: &Template, uses: &mut Uses) {
    for builder in &template.builders {
        count(uses, ComponentKind::Builder, &builder.component);
    }
    for provisioner in template.provisioners.iter().chain(&template.error_cleanup) {
        count(uses, ComponentKind::Provisioner, &provisioner.component);
    }
    for post_processor in template.post_processors.iter().flatten() {
        count(uses, ComponentKind::PostProcessor, &post_processor.component);
    }
}

fn uses_of_hcl(template: &HclTemplate, uses: &mut Uses) {
    for source in &template.sources {
        count(uses, ComponentKind::Builder, source.label(0));
    }
    for data in &template.data {
        count(uses, ComponentKind::DataSource, data.label(0));
    }
    for build in &template.builds {
        uses_of_body(&build.block.body, uses);
    }
}

fn uses_of_body(body: &Body, uses: &mut Uses) {
    for block in body.blocks() {
        let label = || block.labels.first().map_or("", |label| label.text.as_str());
        match block.kind.text.as_str() {
            "provisioner" | "error-cleanup-provisioner" => count(uses, ComponentKind::Provisioner, label()),
            "post-processor" => count(uses, ComponentKind::PostProcessor, label()),
            "post-processors" => uses_of_body(&block.body, uses),
            _ => {}
        }
    }
}

/// Lists the plugins that a template requires; what is wrong about them was said when it was read.
pub fn required(template: &HclTemplate) -> Vec<Required> {
    let required = template.required_plugins.iter().filter_map(|plugin| {
        let constraint = Constraint::parse(&plugin.version).ok()?;
        Some(Required { name: plugin.name.clone(), source: plugin.source.clone(), constraint })
    });
    required.collect()
}
