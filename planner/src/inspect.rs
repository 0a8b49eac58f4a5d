//! What a template consists of, read without rendering anything: the report of `inspect`.
//!
//! Text and machine form are Packer's, since scripts read both.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::template::{Template, Variable};
use crate::value::redactor::PLACEHOLDER;

/// One line of the machine-readable report: its type and data fields.
pub type MachineLine = (&'static str, Vec<String>);

/// Describes a template for people.
#[must_use]
pub fn text(template: &Template) -> String {
    let mut out = String::from("Packer Inspect: JSON mode\n");
    if let Some(description) = template.description.as_deref().filter(|text| !text.is_empty()) {
        let _ = writeln!(out, "Description:\n\n{description}\n");
    }
    let view = View::of(template);
    let width = view.variables.iter().map(|variable| variable.name.chars().count()).max().unwrap_or(0);
    if view.variables.is_empty() {
        out.push_str("Variables:\n\n  <No variables>\n");
    } else {
        if view.variables.iter().any(|variable| variable.default.is_none()) {
            out.push_str("Required variables:\n\n");
            for variable in view.variables.iter().filter(|variable| variable.default.is_none()) {
                let _ = writeln!(out, "  {}", variable.name);
            }
            out.push('\n');
        }
        out.push_str("Optional variables and their defaults:\n\n");
        for variable in &view.variables {
            if let Some(default) = view.default(variable) {
                let _ = writeln!(out, "  {:<width$} = {default}", variable.name);
            }
        }
    }
    out.push_str("\nBuilders:\n\n");
    let mut builders: Vec<(&str, &str)> =
        template.builders.iter().map(|builder| (builder.raw_name.as_str(), builder.component.as_str())).collect();
    builders.sort_unstable();
    if builders.is_empty() {
        out.push_str("  <No builders>\n");
    }
    let width = builders.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, component) in builders {
        let kind = if name == component { String::new() } else { format!(" ({component})") };
        let _ = writeln!(out, "  {name:<width$}{kind}");
    }
    out.push_str("\nProvisioners:\n\n");
    if template.provisioners.is_empty() {
        out.push_str("  <No provisioners>\n");
    }
    for provisioner in &template.provisioners {
        let _ = writeln!(out, "  {}", provisioner.component);
    }
    out.push_str(
        "\nNote: names that hold variables or functions stand here as the\n\
         template has them; what they come to is known when a plan is\n\
         made of the template.\n",
    );
    out
}

/// Describes a template for scripts.
#[must_use]
pub fn machine(template: &Template) -> Vec<MachineLine> {
    let view = View::of(template);
    let mut lines = Vec::new();
    for variable in &view.variables {
        let required = if variable.default.is_none() { "1" } else { "0" };
        // Packer masks a sensitive variable even where there is nothing to mask.
        let default = match view.default(variable) {
            None if view.sensitive.contains(variable.name.as_str()) => PLACEHOLDER.to_owned(),
            default => default.unwrap_or_default(),
        };
        lines.push(("template-variable", vec![variable.name.clone(), default, required.to_owned()]));
    }
    let mut builders: Vec<_> = template.builders.iter().collect();
    builders.sort_by(|a, b| a.raw_name.cmp(&b.raw_name));
    for builder in builders {
        lines.push(("template-builder", vec![builder.raw_name.clone(), builder.component.clone()]));
    }
    for provisioner in &template.provisioners {
        lines.push(("template-provisioner", vec![provisioner.component.clone()]));
    }
    lines
}

struct View<'a> {
    variables: Vec<&'a Variable>,
    sensitive: BTreeSet<&'a str>,
}

impl<'a> View<'a> {
    fn of(template: &'a Template) -> Self {
        let mut variables: Vec<&Variable> = template.variables.iter().collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Self { variables, sensitive: template.sensitive_variables.iter().map(String::as_str).collect() }
    }

    fn default(&self, variable: &Variable) -> Option<String> {
        let default = variable.default.as_ref()?;
        Some(if self.sensitive.contains(variable.name.as_str()) { PLACEHOLDER.to_owned() } else { default.clone() })
    }
}
