//! What a template consists of, as Packer's `inspect` prints it.

use super::{Evaluated, Step};
use crate::expression::print::print;
use crate::expression::value::Value;
use crate::gotemplate::quote::quote;
use crate::value::redactor::{PLACEHOLDER, Redactor};

/// Lists variables and local values with what they come to.
pub(super) fn values(evaluated: &Evaluated) -> String {
    let redactor = Redactor::new(evaluated.secrets());
    let quoted = |value: &Value, is_sensitive: bool| {
        let text = if is_sensitive { PLACEHOLDER.to_owned() } else { redactor.redact(&print(value)) };
        quote(&text)
    };
    let mut out = String::from("> input-variables:\n\n");
    for (name, value) in &evaluated.globals.variables {
        let is_sensitive = evaluated.globals.sensitive.contains(name.as_ref()) && matches!(value, Value::String(_));
        out.push_str(&format!("var.{name}: {}\n", quoted(value, is_sensitive)));
    }
    out.push_str("\n> local-variables:\n\n");
    for (name, (value, _)) in &evaluated.globals.locals {
        out.push_str(&format!("local.{name}: {}\n", quoted(value, false)));
    }
    out
}

/// Describes a template for people.
#[must_use]
pub fn inspect(evaluated: &Evaluated) -> String {
    let mut out = format!("Packer Inspect: HCL2 mode\n\n{}", values(evaluated));
    out.push_str("\n> builds:\n\n");
    for (index, build) in evaluated.builds.iter().enumerate().filter(|(_, build)| !build.is_broken) {
        if build.name.is_empty() {
            out.push_str(&format!("  > <unnamed build {index}>:\n\n"));
        } else {
            out.push_str(&format!("  > {}:\n\n", build.name));
        }
        if !build.description.is_empty() {
            out.push_str(&format!("  > Description: {}\n\n", build.description));
        }
        out.push_str("    sources:\n\n");
        if build.sources.is_empty() {
            out.push_str("\n      <no source>\n\n");
        }
        for source in &build.sources {
            out.push_str(&format!("      {}.{}\n\n", source.kind, source.local_name));
        }
        out.push_str("    provisioners:\n\n");
        if build.provisioners.is_empty() {
            out.push_str("      <no provisioner>\n");
        }
        let shown = |step: &Step| match step.name.as_str() {
            "" => step.component.clone(),
            name => format!("{}.{name}", step.component),
        };
        for step in &build.provisioners {
            out.push_str(&format!("      {}\n", shown(step)));
        }
        out.push_str("\n    post-processors:\n\n");
        if build.sequences.is_empty() {
            out.push_str("\n      <no post-processor>\n");
        }
        for (index, sequence) in build.sequences.iter().enumerate() {
            out.push_str(&format!("      {index}:\n"));
            for step in sequence {
                out.push_str(&format!("        {}\n", shown(step)));
            }
            out.push('\n');
        }
        if build.sequences.is_empty() {
            out.push('\n');
        }
    }
    out
}
