//! Everything about one node of a plan, for people.

use std::fmt::Write as _;

use super::text::change_line;
use crate::graph::{DataSource, NodeId};
use crate::key::InputValue;
use crate::plan::{Action, Plan};

/// Explains a node: what it does, what is decided and why, its inputs and key, what comes before and after it. None
/// if there is no such node.
#[must_use]
pub fn node_explanation(plan: &Plan, id: &NodeId) -> Option<String> {
    if let Some(data) = plan.graph.data_source(id) {
        return Some(data_explanation(plan, data));
    }
    let step = plan.step(id)?;
    let redact = |text: &str| plan.graph.redactor.redact(text);
    let mut out = format!("{}\n", step.node.id);
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10} {value}");
    };
    row("does", &redact(&step.node.title));
    row("component", &step.node.component);
    row("action", &format!("{} ({})", step.action.word(), redact(&step.reason.text())));
    for change in step.reason.changes() {
        row("", change_line(plan, change).trim());
    }
    if step.is_cacheable() {
        row("key", &step.decision.key.map_or_else(|| "not known yet".to_owned(), |key| key.to_string()));
    }
    if let Some(took) = step.decision.took {
        row("last run", &format!("took {:.1} s", took.as_secs_f64()));
    }
    let mut inputs = if step.action == Action::Skip { Vec::new() } else { plan.inputs(id) };
    // Which nodes come before is told below; their keys tell people nothing.
    inputs.retain(|input| !input.path.starts_with("upstream:"));
    for (index, input) in inputs.iter().enumerate() {
        let value = match &input.value {
            InputValue::Content { digest, size_bytes: Some(size) } => format!("{digest} ({size} bytes)"),
            value => redact(&value.to_string()).replace('\n', "\\n"),
        };
        row(if index == 0 { "inputs" } else { "" }, &format!("{} = {value}", input.path));
    }
    let data = step.node.data();
    let mut before: Vec<&str> = data.iter().map(NodeId::as_str).collect();
    before.extend(plan.graph.inputs(id).map(|(_, node)| node.id.as_str()));
    let after: Vec<&str> = plan.graph.outputs(id).map(|(_, node)| node.id.as_str()).collect();
    for (name, nodes) in [("after", before), ("before", after)] {
        if !nodes.is_empty() {
            row(name, &nodes.join(", "));
        }
    }
    Some(out)
}

fn data_explanation(plan: &Plan, data: &DataSource) -> String {
    let mut out = format!("{}\n", data.id);
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10} {value}");
    };
    row("does", &plan.graph.redactor.redact(&data.title));
    row("component", &data.component);
    row("action", &format!("{} ({})", data.action(), data.reason()));
    if let Some(took) = data.asked {
        row("last run", &format!("took {:.1} s", took.as_secs_f64()));
    }
    let needs: Vec<&str> = data.needs.iter().map(NodeId::as_str).collect();
    let users: Vec<&str> = plan.graph.users_of(&data.id).into_iter().map(NodeId::as_str).collect();
    for (name, nodes) in [("after", needs), ("before", users)] {
        if !nodes.is_empty() {
            row(name, &nodes.join(", "));
        }
    }
    out
}
