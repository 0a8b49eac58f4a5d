//! A plan for people.

use std::fmt::Write as _;

use crate::plan::{Action, Plan, Step};

/// Marks up a piece of text; the plain form leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Run,
    Faint,
    Strong,
}

/// Writes a plan as text, with ANSI colours if asked for.
#[must_use]
pub fn plan_text(plan: &Plan, coloured: bool) -> String {
    let paint = |tone: Tone, text: &str| {
        if !coloured {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Run => "32",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    };
    let mut out = String::new();
    let engine = plan.engine.as_ref().map_or_else(String::new, |engine| format!(" (engine: {engine})"));
    let _ = writeln!(out, "Plan for {}{engine}", plan.template);

    let id_width = plan.steps().map(|step| width(step.node.id.as_str())).max().unwrap_or(0);
    // Nodes stand build by build.
    let mut steps = plan.steps().peekable();
    for (index, build) in plan.graph.builds.iter().enumerate() {
        let _ = writeln!(out, "\n{}", paint(Tone::Strong, &build.display));
        let mut skipped = 0;
        while let Some(step) = steps.next_if(|step| step.node.build == index) {
            if build.is_selected {
                let _ = writeln!(out, "{}", line(plan, step, id_width, &paint));
            } else {
                skipped += 1;
            }
        }
        if !build.is_selected {
            let line = format!("  skipped  {skipped} nodes: the build is not selected");
            let _ = writeln!(out, "{}", paint(Tone::Faint, &line));
        }
    }
    let summary = plan.summary();
    let skipped = match summary.skipped {
        0 => String::new(),
        count => format!(", {count} skipped"),
    };
    let _ = writeln!(
        out,
        "\nPlan: {} {}, {} to run{skipped}",
        summary.total,
        if summary.total == 1 { "node" } else { "nodes" },
        summary.run
    );
    out
}

/// Writes the line of one step: what is done, the node's name, what it does, why.
fn line(plan: &Plan, step: Step<'_>, id_width: usize, paint: &dyn Fn(Tone, &str) -> String) -> String {
    let node = step.node;
    let tone = match step.action {
        Action::Run => Tone::Run,
        Action::Skip => Tone::Faint,
    };
    format!(
        "  {} {}{}  {}{}",
        paint(tone, &format!("{:<8}", step.action.word())),
        node.id,
        " ".repeat(id_width - width(node.id.as_str())),
        plan.graph.redactor.redact(&node.title),
        paint(Tone::Faint, &format!("  ({})", step.reason.text())),
    )
}

fn width(text: &str) -> usize {
    text.chars().count()
}
