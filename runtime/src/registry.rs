//! The table of components, and the answers to the planner's questions about them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rpk_planner::catalog::{Catalog, ComponentKind, ComponentSpec, Settings, known_components};
use rpk_planner::chain;
use rpk_planner::expression::value::Value;
use rpk_planner::graph::{Node, NodeKind};

use crate::builder::{BUILDERS, Builder, BuilderType};
use crate::context::NodeContext;
use crate::data_source::DATA_SOURCES;
use crate::failure::{Failure, Outcome};
use crate::plugin::builder::PluginBuilder;
use crate::plugin::post_processor::PluginPostProcessor;
use crate::plugin::provisioner::PluginProvisioner;
use crate::plugin::{self, Component, Loaded};
use crate::post_processor::{POST_PROCESSORS, PostProcessor, PostProcessorType};
use crate::provisioner::{PROVISIONERS, Provisioner, ProvisionerType};

/// All components: those that can be run, and those of Packer's that are known by name.
pub struct Registry {
    builders: HashMap<String, &'static dyn BuilderType>,
    provisioners: HashMap<String, &'static dyn ProvisionerType>,
    post_processors: HashMap<String, &'static dyn PostProcessorType>,
    specs: HashMap<(ComponentKind, String), ComponentSpec>,
    /// Components that live in plugins; they come before those of rpk.
    plugins: HashMap<(ComponentKind, String), Arc<Component>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(BUILDERS, PROVISIONERS, POST_PROCESSORS)
    }
}

impl Registry {
    /// Makes a registry that can run these components.
    #[must_use]
    pub fn new(
        builders: &[&'static dyn BuilderType],
        provisioners: &[&'static dyn ProvisionerType],
        post_processors: &[&'static dyn PostProcessorType],
    ) -> Self {
        let mut registry = Self {
            builders: HashMap::new(),
            provisioners: HashMap::new(),
            post_processors: HashMap::new(),
            specs: HashMap::new(),
            plugins: HashMap::new(),
        };
        for spec in known_components() {
            registry.add(spec);
        }
        // A component that can be run takes the place of one that is known by name.
        for component in builders {
            let name = registry.add(component.spec());
            registry.builders.insert(name, *component);
        }
        for component in provisioners {
            let name = registry.add(component.spec());
            registry.provisioners.insert(name, *component);
        }
        for component in post_processors {
            let name = registry.add(component.spec());
            registry.post_processors.insert(name, *component);
        }
        for source in DATA_SOURCES {
            registry.add(source.spec());
        }
        registry
    }

    /// Takes components of plugins over, and takes note of those that could not be loaded.
    #[must_use]
    pub fn with_plugins(mut self, loaded: Loaded) -> Self {
        for (component, spec) in loaded.components {
            let name = self.add(spec);
            self.plugins.insert((component.kind, name), component);
        }
        for (kind, name, failure) in loaded.failed {
            let mut spec = ComponentSpec::new(kind, name);
            spec.is_open = true;
            spec.missing = Some(failure.to_string());
            if let Some(known) = self.specs.get(&(kind, spec.name.to_string())) {
                spec.captures = known.captures.clone();
                spec.flow = known.flow.clone();
            }
            self.add(spec);
        }
        self
    }

    /// Tells whether rpk has a component itself.
    #[must_use]
    pub fn is_built_in(&self, kind: ComponentKind, name: &str) -> bool {
        match kind {
            ComponentKind::Builder => self.builders.contains_key(name),
            ComponentKind::Provisioner => self.provisioners.contains_key(name),
            ComponentKind::PostProcessor => self.post_processors.contains_key(name),
            ComponentKind::DataSource => name == "null" || DATA_SOURCES.iter().any(|source| source.spec().name == name),
        }
    }

    fn plugin(&self, kind: ComponentKind, name: &str) -> Option<&Arc<Component>> {
        self.plugins.get(&(kind, name.to_owned()))
    }

    fn add(&mut self, spec: ComponentSpec) -> String {
        let name = spec.name.to_string();
        self.specs.insert((spec.kind, name.clone()), spec);
        name
    }
}

impl Catalog for Registry {
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec> {
        self.specs.get(&(kind, name.to_owned()))
    }

    fn names(&self, kind: ComponentKind) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.specs.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Registry {
    /// Asks a data source; none if rpk cannot ask one of that type.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or one that says no.
    #[must_use]
    pub fn ask(&self, kind: &str, settings: &Settings) -> Option<Outcome<Value>> {
        if let Some(component) = self.plugin(ComponentKind::DataSource, kind) {
            return Some(plugin::data_source::ask(component, settings));
        }
        let source = DATA_SOURCES.iter().find(|source| source.spec().name == kind)?;
        Some(source.ask(settings))
    }

    /// Makes the builder of that type.
    ///
    /// # Errors
    ///
    /// Fails if rpk cannot run the component or the options do not fit it.
    pub fn builder(&self, name: &str, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        if let Some(component) = self.plugin(ComponentKind::Builder, name) {
            return Ok(Box::new(PluginBuilder::new(component.clone(), settings.clone())));
        }
        let found = self.builders.get(name);
        found.ok_or_else(|| self.missing(ComponentKind::Builder, name))?.configure(settings)
    }

    /// Makes the provisioner of that type.
    ///
    /// # Errors
    ///
    /// Fails if rpk cannot run the component or the options do not fit it.
    pub fn provisioner(&self, name: &str, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        if let Some(component) = self.plugin(ComponentKind::Provisioner, name) {
            return Ok(Box::new(PluginProvisioner::new(component.clone(), settings.clone())));
        }
        let found = self.provisioners.get(name);
        found.ok_or_else(|| self.missing(ComponentKind::Provisioner, name))?.configure(settings)
    }

    /// Makes the post-processor of that type.
    ///
    /// # Errors
    ///
    /// Fails if rpk cannot run the component or the options do not fit it.
    pub fn post_processor(&self, name: &str, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        if let Some(component) = self.plugin(ComponentKind::PostProcessor, name) {
            return Ok(Box::new(PluginPostProcessor::new(component.clone(), settings.clone())));
        }
        let found = self.post_processors.get(name);
        found.ok_or_else(|| self.missing(ComponentKind::PostProcessor, name))?.configure(settings)
    }

    /// Returns a node's options, those that depend on the machine worked out with what it has given, and what other
    /// builds have made put in its places.
    ///
    /// # Errors
    ///
    /// Fails if an option cannot be worked out, or no longer fits the component.
    pub fn settings<'n>(&self, node: &'n Node, ctx: &NodeContext) -> Outcome<Cow<'n, Settings>> {
        let settings = self.worked_out(node, ctx)?;
        if node.chained.is_empty() {
            return Ok(settings);
        }
        let mut settings = settings.into_owned();
        chain::fill(&mut settings, &|build, attribute| ctx.answer(build, attribute))
            .map_err(|reason| Failure::new(reason).context("taking another build's artifact"))?;
        Ok(Cow::Owned(settings))
    }

    fn worked_out<'n>(&self, node: &'n Node, ctx: &NodeContext) -> Outcome<Cow<'n, Settings>> {
        let Some(deferred) = &node.deferred else { return Ok(Cow::Borrowed(&node.settings)) };
        let kind = match node.kind {
            NodeKind::Boot | NodeKind::Capture => ComponentKind::Builder,
            NodeKind::Provision { .. } | NodeKind::ErrorCleanup => ComponentKind::Provisioner,
            NodeKind::PostProcess { .. } => ComponentKind::PostProcessor,
        };
        let spec = self.find(kind, &node.component).ok_or_else(|| self.missing(kind, &node.component))?;
        let render = |text: &str| ctx.render(text, &[]).map_err(|failure| failure.to_string());
        // A plugin checks its options when it takes them, which comes next.
        let unchecked = spec.is_plugin.then(|| ComponentSpec { check: None, ..spec.clone() });
        let settings = deferred.settings(unchecked.as_ref().unwrap_or(spec), &ctx.data, &render);
        let mut settings = settings.map_err(|reason| Failure::new(reason).context("working out the options"))?;
        // What it is told of the build stays as it is.
        let frame = node.settings.iter().filter(|(name, _)| spec.is_plugin && name.starts_with("packer_"));
        settings.extend(frame.map(|(name, value)| (name.clone(), value.clone())));
        Ok(Cow::Owned(settings))
    }

    fn missing(&self, kind: ComponentKind, name: &str) -> Failure {
        let known = self.find(kind, name).and_then(|spec| spec.missing.clone());
        Failure::new(known.unwrap_or_else(|| format!("there is no {kind} `{name}`")))
            .help("install its plugin (`rpk plugins install`), or leave it out with `-except` or the template's `only` and `except`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_own_components_are_complete() {
        let registry = Registry::default();
        for (kind, name) in [
            (ComponentKind::Builder, "docker"),
            (ComponentKind::Provisioner, "shell"),
            (ComponentKind::PostProcessor, "docker-tag"),
        ] {
            let spec = registry.find(kind, name).expect("is in the table");
            assert!(spec.missing.is_none() && !spec.is_open, "{name}");
        }
        for component in POST_PROCESSORS {
            assert!(component.spec().flow.is_some(), "{}", component.spec().name);
        }
        for component in BUILDERS {
            assert!(component.spec().captures.is_some(), "{}", component.spec().name);
        }
    }

    #[test]
    fn what_cannot_be_run_says_what_it_needs() {
        let registry = Registry::default();
        let failure = registry.builder("amazon-ebs", &Settings::new()).err().expect("is not built in");
        assert!(failure.to_string().contains("Packer's `amazon` plugin"), "{failure}");
    }
}
