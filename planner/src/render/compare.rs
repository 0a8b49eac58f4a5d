//! What a change does to a plan: for people, for scripts, for a comment on a pull request.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value as Json;

use super::json::ChangeDocument;
use super::markdown::{LIMIT, TABLE_LIMIT};
use super::markup::{code, literal, words};
use super::text::{change_line, width};
use crate::plan::{Action, Change, Comparison, Difference, NodeDifference, Plan};

/// Said where the plan before is known by its JSON form alone.
const PARTIAL: &str = "A plan in JSON holds no sensitive values: changes of those are not seen.";

/// Writes a comparison as text, with ANSI colours if asked for. `against` says with what the plan was compared.
#[must_use]
pub fn comparison_text(plan: &Plan, comparison: &Comparison, against: &str, coloured: bool) -> String {
    let paint = |code: &str, text: &str| {
        if coloured { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let mut out = format!("Changes of {} against {against}\n\n", plan.template);
    let id_width = comparison.nodes.iter().map(|node| width(&node.id)).max().unwrap_or(0);
    for node in &comparison.nodes {
        let code = if node.runs() { "32" } else { "2" };
        let _ = writeln!(
            out,
            "  {} {}{}  {}{}",
            paint(code, &format!("{:<10}", node.difference.word())),
            node.id,
            " ".repeat(id_width - width(&node.id)),
            plan.graph.redactor.redact(&node.title),
            paint("2", &format!("  ({})", plan.graph.redactor.redact(&consequence(node)))),
        );
        for change in changes(node) {
            let _ = writeln!(out, "  {}", paint("2", &change_line(plan, change)));
        }
    }
    if !comparison.nodes.is_empty() {
        out.push('\n');
    }
    if !comparison.is_whole {
        let _ = writeln!(out, "{}", paint("2", PARTIAL));
    }
    let _ = writeln!(out, "{}", sentence(comparison));
    out
}

/// Writes a comparison as Markdown.
#[must_use]
pub fn comparison_markdown(plan: &Plan, comparison: &Comparison, against: &str) -> String {
    let cell = |text: &str| words(&plan.graph.redactor.redact(text));
    let mut out =
        format!("### Changes of {} against {}\n\n**{}**\n", code(&plan.template), code(against), sentence(comparison));
    if !comparison.is_whole {
        let _ = writeln!(out, "\n{PARTIAL}");
    }
    if !comparison.nodes.is_empty() {
        out.push_str("\n| change | node | what | then |\n| --- | --- | --- | --- |\n");
    }
    for (index, node) in comparison.nodes.iter().enumerate() {
        if out.len() > TABLE_LIMIT {
            let _ = writeln!(out, "\nand {} more nodes", comparison.nodes.len() - index);
            break;
        }
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            node.difference.word(),
            code(&node.id),
            cell(&node.title),
            cell(&consequence(node))
        );
    }
    let changed: Vec<_> = comparison.nodes.iter().filter(|node| !changes(node).is_empty()).collect();
    if !changed.is_empty() {
        out.push_str("\n<details><summary>What changed</summary>\n\n");
        for (index, node) in changed.iter().enumerate() {
            if out.len() > LIMIT {
                let _ = writeln!(out, "\nand those of {} more nodes", changed.len() - index);
                break;
            }
            let _ = writeln!(out, "- {}", code(&node.id));
            for change in changes(node) {
                let _ = writeln!(out, "  - {}", literal(change_line(plan, change).trim()));
            }
        }
        out.push_str("\n</details>\n");
    }
    out
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    rpk_version: &'a str,
    template: &'a str,
    against: &'a str,
    sees_sensitive: bool,
    nodes: Vec<NodeDocument<'a>>,
    summary: SummaryDocument,
    diagnostics: Vec<Json>,
}

#[derive(Serialize)]
struct NodeDocument<'a> {
    id: &'a str,
    title: String,
    difference: &'static str,
    cause: Option<&'a str>,
    changes: Vec<ChangeDocument>,
    before: Option<&'static str>,
    after: Option<&'static str>,
    reruns: bool,
}

#[derive(Serialize)]
struct SummaryDocument {
    total: usize,
    reruns: usize,
    added: usize,
    removed: usize,
    changed: usize,
    stale: usize,
    uncached: usize,
    text: String,
}

/// Writes a comparison as JSON; `diagnostics` are those that came with the plan, already in their JSON form.
#[must_use]
pub fn comparison_json(
    plan: &Plan,
    comparison: &Comparison,
    against: &str,
    rpk_version: &str,
    diagnostics: Vec<Json>,
) -> String {
    let nodes = comparison.nodes.iter().map(|node| NodeDocument {
        id: &node.id,
        title: plan.graph.redactor.redact(&node.title),
        difference: node.difference.word(),
        cause: match &node.difference {
            Difference::Stale(cause) => Some(cause),
            _ => None,
        },
        changes: changes(node).iter().map(|change| ChangeDocument::new(plan, change)).collect(),
        before: node.before.map(Action::word),
        after: node.after.map(Action::word),
        reruns: node.runs(),
    });
    let document = Document {
        format_version: "1.0",
        rpk_version,
        template: &plan.template,
        against,
        sees_sensitive: comparison.is_whole,
        nodes: nodes.collect(),
        summary: SummaryDocument {
            total: comparison.total,
            reruns: comparison.reruns(),
            added: comparison.count("added"),
            removed: comparison.count("removed"),
            changed: comparison.count("changed"),
            stale: comparison.count("stale"),
            uncached: comparison.count("uncached"),
            text: sentence(comparison),
        },
        diagnostics,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("strings, numbers and lists always serialise");
    text.push('\n');
    text
}

/// Says in one sentence what the change comes to.
fn sentence(comparison: &Comparison) -> String {
    let reruns = comparison.reruns();
    let new = comparison.nodes.iter().filter(|node| node.runs() && node.before.is_none()).count();
    let nodes = if comparison.total == 1 { "node" } else { "nodes" };
    let mut out = match reruns {
        0 => format!("This change re-runs none of {} {nodes}", comparison.total),
        _ => format!("This change re-runs {reruns} of {} {nodes}", comparison.total),
    };
    let _ = match new {
        0 => Ok(()),
        _ if new == reruns => write!(out, ", {} new", if new == 1 { "which is" } else { "all of them" }),
        _ => write!(out, ", {new} of them new"),
    };
    match comparison.count("removed") {
        0 => {}
        removed => drop(write!(out, "; {removed} removed")),
    }
    out.push('.');
    out
}

/// Says what becomes of a node.
fn consequence(node: &NodeDifference) -> String {
    match (&node.difference, node.after) {
        (_, None) => "gone".to_owned(),
        (Difference::Stale(cause), Some(Action::Run | Action::Unknown)) => format!("because of {cause}"),
        (Difference::Uncached, _) => format!("was cached: {}", node.reason),
        (Difference::Immaterial, _) => "its result is the same".to_owned(),
        (_, Some(Action::Run)) => "runs".to_owned(),
        (_, Some(Action::Unknown)) => "may run".to_owned(),
        (_, Some(Action::Reuse)) => "its result is stored".to_owned(),
        (_, Some(Action::Skip)) => node.reason.clone(),
    }
}

fn changes(node: &NodeDifference) -> &[Change] {
    match &node.difference {
        Difference::Changed(changes) => changes,
        _ => &[],
    }
}
