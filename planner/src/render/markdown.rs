//! A plan for a comment on a pull request.
//!
//! Where such comments are read they have a limit, and so have drawings in them. A plan that is larger keeps its
//! summary and its table, as far as they go, and says what was left out.

use std::fmt::Write as _;

use super::diagram::plan_mermaid;
use super::markup::{code, literal, words};
use super::text::{change_line, critical_line, summary_line};
use crate::key::InputValue;
use crate::plan::{Action, Plan, Step};

/// How long the table may become, in bytes.
pub(super) const TABLE_LIMIT: usize = 20_000;

/// How long all before the drawing may become, in bytes.
pub(super) const LIMIT: usize = 45_000;

/// How long a drawing may be, in bytes.
const DRAWING_LIMIT: usize = 15_000;

/// How much of a value is shown, in characters.
const VALUE_LIMIT: usize = 200;

/// Writes a plan as Markdown: the summary, a table of what does not simply stay, details of each node and a drawing
/// folded away.
#[must_use]
pub fn plan_markdown(plan: &Plan) -> String {
    let shown = |text: &str| words(&plan.graph.redactor.redact(text));
    let mut out = format!("### Plan for {}\n\n{}\n", code(&plan.template), literal(&summary_line(plan)));
    if let Some(path) = critical_line(plan) {
        let _ = writeln!(out, "\n{}", literal(&path));
    }
    let told: Vec<_> = plan.steps().filter(|step| matches!(step.action, Action::Run | Action::Unknown)).collect();
    let data = &plan.graph.data;
    if !told.is_empty() || !data.is_empty() {
        out.push_str("\n| action | node | what | why |\n| --- | --- | --- | --- |\n");
    }
    for data in data {
        let word = if data.asked.is_some() { "asked" } else { "unknown" };
        let _ = writeln!(out, "| {word} | {} | {} | {} |", code(data.id.as_str()), shown(&data.title), data.reason());
    }
    for (index, step) in told.iter().enumerate() {
        if out.len() > TABLE_LIMIT {
            let _ = writeln!(out, "\nand {} more nodes to run", told.len() - index);
            break;
        }
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            step.action.word(),
            code(step.node.id.as_str()),
            shown(&step.node.title),
            shown(&step.reason.text())
        );
    }
    let taking_part: Vec<Step<'_>> = plan.steps().filter(|step| step.action != Action::Skip).collect();
    if !taking_part.is_empty() {
        out.push_str("\n<details><summary>Details of each node</summary>\n\n");
        for (index, step) in taking_part.iter().enumerate() {
            let details = details(plan, step);
            if out.len() + details.len() > LIMIT {
                let left = taking_part.len() - index;
                let _ = writeln!(out, "{left} more left out; <code>rpk explain NODE</code> tells them.\n");
                break;
            }
            out.push_str(&details);
        }
        out.push_str("</details>\n");
    }
    let drawing = plan_mermaid(plan);
    if drawing.len() <= DRAWING_LIMIT {
        let _ = write!(out, "\n<details><summary>Graph</summary>\n\n```mermaid\n{drawing}```\n\n</details>\n");
    } else {
        out.push_str("\nThe graph is too large to be drawn here; <code>rpk graph</code> draws it.\n");
    }
    out
}

/// Writes everything about one node, folded away.
fn details(plan: &Plan, step: &Step<'_>) -> String {
    let redact = |text: &str| plan.graph.redactor.redact(text);
    let mut out = format!(
        "<details><summary>{} {}: {}</summary>\n\n",
        step.action.word(),
        code(step.node.id.as_str()),
        words(&redact(&step.node.title))
    );
    let _ = write!(out, "{}", words(&redact(&step.reason.text())));
    if let Some(key) = step.decision.key.filter(|_| step.is_cacheable()) {
        let _ = write!(out, "; key {}", code(&key.to_string()[..12]));
    }
    if let Some(took) = step.decision.took {
        let _ = write!(out, "; took {:.1} s", took.as_secs_f64());
    }
    out.push_str("\n\n");
    for change in step.reason.changes() {
        let _ = writeln!(out, "- {}", literal(change_line(plan, change).trim()));
    }
    if !step.reason.changes().is_empty() {
        out.push('\n');
    }
    let mut inputs = plan.inputs(&step.node.id);
    inputs.retain(|input| !input.path.starts_with("upstream:") && !input.path.starts_with("rpk:"));
    if !inputs.is_empty() {
        out.push_str("| input | value |\n| --- | --- |\n");
    }
    for input in &inputs {
        let value = match &input.value {
            InputValue::Text(text) => {
                let text = redact(text);
                let is_long = text.chars().count() > VALUE_LIMIT;
                code(&text.chars().take(VALUE_LIMIT).chain(is_long.then_some('…')).collect::<String>())
            }
            InputValue::Content { digest, size_bytes } => {
                let size = size_bytes.map_or_else(String::new, |size| format!(", {size} bytes"));
                format!("{}{size}", code(&digest.chars().take(19).collect::<String>()))
            }
            other => literal(&other.to_string()),
        };
        let _ = writeln!(out, "| {} | {value} |", code(&input.path));
    }
    out.push_str("\n</details>\n\n");
    out
}
