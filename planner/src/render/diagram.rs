//! The graph of a plan as a drawing: DOT, Mermaid and SVG of the same nodes and edges.

use std::fmt::Write as _;

use crate::graph::Edge;
use crate::plan::{Action, Plan, Step};

/// Returns the nodes that are drawn: those of builds that take part.
fn drawn(plan: &Plan) -> Vec<Step<'_>> {
    plan.steps().filter(|step| step.action != Action::Skip).collect()
}

/// Returns the edges between drawn nodes, as places in the graph.
fn edges(plan: &Plan, steps: &[Step<'_>]) -> Vec<(usize, usize, Edge)> {
    let mut drawn = vec![false; plan.graph.node_count()];
    for step in steps {
        drawn[step.place] = true;
    }
    let mut edges: Vec<(usize, usize, Edge)> = Vec::new();
    for step in steps {
        let mut inputs: Vec<(Edge, usize)> = plan.graph.inputs_at(step.place).collect();
        inputs.sort_by_key(|(_, from)| *from);
        edges.extend(inputs.into_iter().filter(|(_, from)| drawn[*from]).map(|(edge, from)| (from, step.place, edge)));
    }
    edges
}

fn colour(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Run => ("#d7f0dd", "#1a7f37"),
        Action::Reuse => ("#e6edf3", "#57606a"),
        Action::Unknown => ("#fff4c9", "#9a6700"),
        Action::Skip => ("#ffffff", "#d0d7de"),
    }
}

/// Writes the graph in Graphviz's language.
#[must_use]
pub fn plan_dot(plan: &Plan) -> String {
    let quoted =
        |text: &str| format!("\"{}\"", plan.graph.redactor.redact(text).replace('\\', "\\\\").replace('"', "\\\""));
    let steps = drawn(plan);
    let mut out =
        String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n");
    for step in &steps {
        let (fill, line) = colour(step.action);
        let label = format!("{}: {}", step.node.id, step.action.word());
        let _ = writeln!(
            out,
            "  {} [label={}, tooltip={}, fillcolor=\"{fill}\", color=\"{line}\"];",
            quoted(step.node.id.as_str()),
            quoted(&label),
            quoted(&step.node.title)
        );
    }
    for (from, to, edge) in edges(plan, &steps) {
        let style = if edge == Edge::Order { " [style=dashed]" } else { "" };
        let _ = writeln!(
            out,
            "  {} -> {}{style};",
            quoted(plan.graph.at(from).id.as_str()),
            quoted(plan.graph.at(to).id.as_str())
        );
    }
    out.push_str("}\n");
    out
}

/// Writes the graph in Mermaid's language, which code review sites draw.
#[must_use]
pub fn plan_mermaid(plan: &Plan) -> String {
    let steps = drawn(plan);
    let mut out = String::from("flowchart LR\n");
    for step in &steps {
        let _ = writeln!(out, "  n{}[\"{}\"]:::{}", step.place, escape(step.node.id.as_str()), step.action.word());
    }
    for (from, to, edge) in edges(plan, &steps) {
        let arrow = if edge == Edge::Order { "-.->" } else { "-->" };
        let _ = writeln!(out, "  n{from} {arrow} n{to}");
    }
    for action in [Action::Run, Action::Reuse, Action::Unknown] {
        if steps.iter().any(|step| step.action == action) {
            let (fill, line) = colour(action);
            let _ = writeln!(out, "  classDef {} fill:{fill},stroke:{line},color:#1f2328", action.word());
        }
    }
    out
}

const BOX_WIDTH: usize = 250;
const BOX_HEIGHT: usize = 44;
const GAP_X: usize = 50;
const GAP_Y: usize = 16;

/// Draws the graph as SVG: one column a step away from the start, build by build from top to bottom.
#[must_use]
pub fn plan_svg(plan: &Plan) -> String {
    let steps = drawn(plan);
    let edges = edges(plan, &steps);
    let mut columns = vec![0; plan.graph.node_count()];
    for (from, to, _) in &edges {
        columns[*to] = columns[*to].max(columns[*from] + 1);
    }
    let mut rows = vec![0; plan.graph.node_count()];
    let (mut top, mut build) = (0, None);
    // How many boxes of the build stand in each column so far.
    let mut heights: Vec<usize> = Vec::new();
    for step in &steps {
        if build != Some(step.node.build) {
            top += heights.iter().copied().max().unwrap_or(0);
            heights = vec![0; columns.iter().max().map_or(1, |last| last + 1)];
            build = Some(step.node.build);
        }
        let height = &mut heights[columns[step.place]];
        rows[step.place] = top + *height;
        *height += 1;
    }
    let at = |place: usize| (20 + columns[place] * (BOX_WIDTH + GAP_X), 20 + rows[place] * (BOX_HEIGHT + GAP_Y));
    let width = steps.iter().map(|step| at(step.place).0 + BOX_WIDTH).max().unwrap_or(0) + 20;
    let height = steps.iter().map(|step| at(step.place).1 + BOX_HEIGHT).max().unwrap_or(0) + 20;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#57606a\"/></marker></defs>\n"
    );
    for (from, to, edge) in &edges {
        let ((x1, y1), (x2, y2)) = (at(*from), at(*to));
        let (x1, y1, y2) = (x1 + BOX_WIDTH, y1 + BOX_HEIGHT / 2, y2 + BOX_HEIGHT / 2);
        let middle = x1.midpoint(x2);
        let dash = if *edge == Edge::Order { " stroke-dasharray=\"4 3\"" } else { "" };
        let _ = writeln!(
            out,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#57606a\"{dash} \
             marker-end=\"url(#head)\"/>"
        );
    }
    for step in &steps {
        let (x, y) = at(step.place);
        let (fill, line) = colour(step.action);
        let title = plan.graph.redactor.redact(&step.node.title);
        let _ = writeln!(
            out,
            "<g><title>{}: {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\" \
             fill=\"{fill}\" stroke=\"{line}\"/><text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\
             <text x=\"{}\" y=\"{}\" fill=\"#57606a\">{}</text></g>",
            escape(&title),
            escape(&plan.graph.redactor.redact(&step.reason.text())),
            x + 8,
            y + 18,
            escape(&cut(&format!("{} · {}", step.node.id, step.action.word()), 34)),
            x + 8,
            y + 35,
            escape(&cut(&title, 38)),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// Escapes a text for XML and for Mermaid's quoted labels, which take the same entities.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
