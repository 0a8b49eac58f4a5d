//! A plan for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::graph::NodeId;
use crate::key::InputValue;
use crate::plan::{Action, Change, Plan, Step};

/// Marks up a piece of text; the plain form leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Run,
    Faint,
    Strong,
}

impl Tone {
    fn begin(self, out: &mut String, coloured: bool) {
        if coloured {
            out.push_str(match self {
                Self::Run => "\u{1b}[32m",
                Self::Faint => "\u{1b}[2m",
                Self::Strong => "\u{1b}[1m",
            });
        }
    }

    #[expect(clippy::unused_self, reason = "it ends what it began")]
    fn end(self, out: &mut String, coloured: bool) {
        if coloured {
            out.push_str("\u{1b}[0m");
        }
    }
}

/// Writes a plan as text, with ANSI colours if asked for.
#[must_use]
pub fn plan_text(plan: &Plan, coloured: bool) -> String {
    let paint = |tone: Tone, text: &str| {
        let mut out = String::with_capacity(text.len() + 8);
        tone.begin(&mut out, coloured);
        out.push_str(text);
        tone.end(&mut out, coloured);
        out
    };
    let mut out = String::new();
    let engine = plan.engine.as_ref().map_or_else(String::new, |engine| format!(" (engine: {engine})"));
    let _ = writeln!(out, "Plan for {}{engine}", plan.template);

    let id_width = plan.steps().map(|step| width(step.node.id.as_str())).max().unwrap_or(0);
    let data_width = plan.graph.data.iter().map(|data| width(data.id.as_str())).max().unwrap_or(0);
    if !plan.graph.data.is_empty() {
        let _ = writeln!(out, "\n{}", paint(Tone::Strong, "data sources"));
    }
    for data in &plan.graph.data {
        let word = if data.asked.is_some() { "asked" } else { "unknown" };
        let title = plan.graph.redactor.redact(&data.title);
        let reason = paint(Tone::Faint, &format!("({})", data.reason()));
        let _ = writeln!(out, "  {word:<8} {:<data_width$}  {title}  {reason}", data.id.as_str());
    }
    // Nodes stand build by build.
    let mut steps = plan.steps().peekable();
    for (index, build) in plan.graph.builds.iter().enumerate() {
        let _ = writeln!(out, "\n{}", paint(Tone::Strong, &build.display));
        let mut skipped = 0;
        while let Some(step) = steps.next_if(|step| step.node.build == index) {
            if build.is_selected {
                line(&mut out, plan, step, id_width, coloured);
                for change in step.reason.changes() {
                    let _ = writeln!(out, "{}", paint(Tone::Faint, &change_line(plan, change)));
                }
            } else {
                skipped += 1;
            }
        }
        if !build.is_selected {
            let line = format!("  skipped  {skipped} nodes: the build is not selected");
            let _ = writeln!(out, "{}", paint(Tone::Faint, &line));
        }
    }
    let _ = writeln!(out, "\n{}", summary_line(plan));
    if let Some(path) = critical_line(plan) {
        let _ = writeln!(out, "{path}");
    }
    out
}

/// Writes what a plan comes to.
pub(super) fn summary_line(plan: &Plan) -> String {
    let summary = plan.summary();
    let counts = [
        (true, summary.run, "to run"),
        (false, summary.cached, "cached"),
        (false, summary.unknown, "unknown"),
        (false, summary.skipped, "skipped"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(is_always, count, _)| *is_always || *count > 0)
        .map(|(_, count, word)| format!("{count} {word}"))
        .collect();
    let estimate = plan.estimate().map_or_else(String::new, |estimate| {
        format!(", {} {}", if estimate.is_whole { "about" } else { "at least" }, span(estimate.wall))
    });
    let nodes = if summary.total == 1 { "node" } else { "nodes" };
    format!("Plan: {} {nodes}, {}{estimate}", summary.total, counts.join(", "))
}

/// Names the nodes that a run has to wait for, if it is known how long they take and there are others.
pub(super) fn critical_line(plan: &Plan) -> Option<String> {
    let summary = plan.summary();
    let estimate = plan.estimate()?;
    let is_all = estimate.critical_path.len() >= summary.run + summary.unknown;
    let ids: Vec<&str> = estimate.critical_path.iter().map(NodeId::as_str).collect();
    let shown = match ids.as_slice() {
        [first, _, middle @ .., last] if middle.len() > 2 => {
            format!("{first} → … {} more … → {last}", middle.len() + 1)
        }
        _ => ids.join(" → "),
    };
    (!is_all).then(|| format!("Critical path: {shown} ({})", span(estimate.critical)))
}

/// Writes the line of one step: what is done, the node's name, what it does, why. Large plans have very many, so that
/// nothing is copied on the way.
fn line(out: &mut String, plan: &Plan, step: Step<'_>, id_width: usize, coloured: bool) {
    let node = step.node;
    let redactor = &plan.graph.redactor;
    let tone = match step.action {
        Action::Run => Tone::Run,
        Action::Unknown => Tone::Strong,
        Action::Reuse | Action::Skip => Tone::Faint,
    };
    let id = node.id.as_str();
    let reason = step.reason.text();
    out.push_str("  ");
    tone.begin(out, coloured);
    pad(out, step.action.word(), 8);
    tone.end(out, coloured);
    out.push(' ');
    pad(out, id, id_width);
    out.push_str("  ");
    out.push_str(&redactor.redacted(&node.title));
    Tone::Faint.begin(out, coloured);
    out.push_str("  (");
    out.push_str(&redactor.redacted(&reason));
    out.push(')');
    Tone::Faint.end(out, coloured);
    out.push('\n');
}

/// Writes a text and spaces up to a width.
fn pad(out: &mut String, text: &str, to: usize) {
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', to.saturating_sub(width(text))));
}

/// Writes what has become of an input. Digests are cut: they only have to differ.
pub(super) fn change_line(plan: &Plan, change: &Change) -> String {
    let shown = |value: &Option<InputValue>| match value {
        None => "nothing".to_owned(),
        Some(InputValue::Content { digest, size_bytes }) => {
            let size = size_bytes.map_or_else(String::new, |size| format!(" ({size} bytes)"));
            format!("{}{size}", digest.chars().take(19).collect::<String>())
        }
        Some(InputValue::Text(text)) => {
            let text = plan.graph.redactor.redact(text).replace('\n', "\\n");
            let is_long = text.chars().count() > 60;
            text.chars().take(60).chain(is_long.then_some('…')).collect()
        }
        Some(value) => value.to_string(),
    };
    format!("           {}: {} → {}", change.input, shown(&change.before), shown(&change.after))
}

/// Writes a length of time as people say it.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0 => "1 s".to_owned(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}
