//! A plan for a comment on a pull request.

use std::fmt::Write as _;

use super::diagram::{escape, plan_mermaid};
use super::text::{change_line, summary_line};
use crate::plan::{Action, Plan};

/// Writes a plan as Markdown: the summary, a table of what does not simply stay, details and a drawing folded away.
#[must_use]
pub fn plan_markdown(plan: &Plan) -> String {
    let cell = |text: &str| escape(&plan.graph.redactor.redact(text)).replace('|', "&#124;");
    let mut out = format!("### Plan for `{}`\n\n{}\n", plan.template.replace('`', "'"), summary_line(&plan.summary()));
    let told: Vec<_> = plan.steps().filter(|step| matches!(step.action, Action::Run | Action::Unknown)).collect();
    if !told.is_empty() {
        out.push_str("\n| action | node | what | why |\n| --- | --- | --- | --- |\n");
    }
    for step in &told {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            step.action.word(),
            cell(step.node.id.as_str()),
            cell(&step.node.title),
            cell(&step.reason.text())
        );
    }
    let changed: Vec<_> = told.iter().filter(|step| !step.reason.changes().is_empty()).collect();
    if !changed.is_empty() {
        out.push_str("\n<details><summary>What changed</summary>\n\n");
        for step in changed {
            let _ = writeln!(out, "- {}", cell(step.node.id.as_str()));
            for change in step.reason.changes() {
                let _ = writeln!(out, "  - {}", cell(change_line(plan, change).trim()));
            }
        }
        out.push_str("\n</details>\n");
    }
    let _ = write!(out, "\n<details><summary>Graph</summary>\n\n```mermaid\n{}```\n\n</details>\n", plan_mermaid(plan));
    out
}
