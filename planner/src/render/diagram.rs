//! The graph of a plan as a drawing: DOT, Mermaid and SVG of the same nodes and edges.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::graph::{Edge, NodeId};
use crate::plan::{Action, Plan};

/// One box of the drawing.
struct Shape<'a> {
    id: &'a str,
    action: &'static str,
    colours: (&'static str, &'static str),
    title: Cow<'a, str>,
    reason: Cow<'a, str>,
    /// The build that it belongs to; data sources belong to none.
    build: Option<usize>,
}

/// A line from one shape to another.
struct Line {
    from: usize,
    to: usize,
    edge: Edge,
}

/// Returns what is drawn: the data sources and the nodes of builds that take part, each after all that lead to it.
fn drawn(plan: &Plan) -> (Vec<Shape<'_>>, Vec<Line>) {
    let graph = &plan.graph;
    let redactor = &graph.redactor;
    let mut shapes = Vec::new();
    let mut lines = Vec::new();
    let data_lines = |needs: &[NodeId], to: usize| {
        let places = needs.iter().filter_map(|id| graph.data.iter().position(|data| data.id == *id));
        places.map(move |from| Line { from, to, edge: Edge::Artifact }).collect::<Vec<_>>()
    };
    for data in &graph.data {
        lines.extend(data_lines(&data.needs, shapes.len()));
        shapes.push(Shape {
            id: data.id.as_str(),
            action: data.action(),
            colours: colours(if data.asked.is_some() { Action::Run } else { Action::Unknown }),
            title: redactor.redacted(&data.title),
            reason: Cow::Borrowed(data.reason()),
            build: None,
        });
    }
    let mut shape_of: Vec<Option<usize>> = vec![None; graph.node_count()];
    for step in plan.steps().filter(|step| step.action != Action::Skip) {
        let to = shapes.len();
        shape_of[step.place] = Some(to);
        if !graph.data.is_empty() {
            lines.extend(data_lines(&step.node.data(), to));
        }
        let mut inputs: Vec<(Edge, usize)> = graph.inputs_at(step.place).collect();
        inputs.sort_by_key(|(_, from)| *from);
        let drawn = inputs.into_iter().filter_map(|(edge, from)| Some(Line { from: shape_of[from]?, to, edge }));
        lines.extend(drawn);
        shapes.push(Shape {
            id: step.node.id.as_str(),
            action: step.action.word(),
            colours: colours(step.action),
            title: redactor.redacted(&step.node.title),
            reason: Cow::Owned(redactor.redact(&step.reason.text())),
            build: Some(step.node.build),
        });
    }
    (shapes, lines)
}

fn colours(action: Action) -> (&'static str, &'static str) {
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
    let (shapes, lines) = drawn(plan);
    let mut out =
        String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n");
    for shape in &shapes {
        let (fill, line) = shape.colours;
        let label = format!("{}: {}", shape.id, shape.action);
        let _ = writeln!(
            out,
            "  {} [label={}, tooltip={}, fillcolor=\"{fill}\", color=\"{line}\"];",
            quoted(shape.id),
            quoted(&label),
            quoted(&shape.title)
        );
    }
    for Line { from, to, edge } in &lines {
        let style = if *edge == Edge::Order { " [style=dashed]" } else { "" };
        let _ = writeln!(out, "  {} -> {}{style};", quoted(shapes[*from].id), quoted(shapes[*to].id));
    }
    out.push_str("}\n");
    out
}

/// Writes the graph in Mermaid's language, which code review sites draw.
#[must_use]
pub fn plan_mermaid(plan: &Plan) -> String {
    let (shapes, lines) = drawn(plan);
    let mut out = String::from("flowchart LR\n");
    for (at, shape) in shapes.iter().enumerate() {
        let _ = writeln!(out, "  n{at}[\"{}\"]:::{}", escape(shape.id), shape.action);
    }
    for Line { from, to, edge } in &lines {
        let arrow = if *edge == Edge::Order { "-.->" } else { "-->" };
        let _ = writeln!(out, "  n{from} {arrow} n{to}");
    }
    for action in [Action::Run, Action::Reuse, Action::Unknown] {
        if shapes.iter().any(|shape| shape.action == action.word()) {
            let (fill, line) = colours(action);
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
    let (shapes, lines) = drawn(plan);
    let mut columns = vec![0; shapes.len()];
    for Line { from, to, .. } in &lines {
        columns[*to] = columns[*to].max(columns[*from] + 1);
    }
    let mut rows = vec![0; shapes.len()];
    let (mut top, mut build) = (0, None);
    // How many boxes of the build stand in each column so far.
    let mut heights: Vec<usize> = Vec::new();
    for (place, shape) in shapes.iter().enumerate() {
        if build != Some(shape.build) {
            top += heights.iter().copied().max().unwrap_or(0);
            heights = vec![0; columns.iter().max().map_or(1, |last| last + 1)];
            build = Some(shape.build);
        }
        let height = &mut heights[columns[place]];
        rows[place] = top + *height;
        *height += 1;
    }
    let at = |place: usize| (20 + columns[place] * (BOX_WIDTH + GAP_X), 20 + rows[place] * (BOX_HEIGHT + GAP_Y));
    let width = (0..shapes.len()).map(|place| at(place).0 + BOX_WIDTH).max().unwrap_or(0) + 20;
    let height = (0..shapes.len()).map(|place| at(place).1 + BOX_HEIGHT).max().unwrap_or(0) + 20;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#57606a\"/></marker></defs>\n"
    );
    for Line { from, to, edge } in &lines {
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
    for (place, shape) in shapes.iter().enumerate() {
        let (x, y) = at(place);
        let (fill, line) = shape.colours;
        let _ = writeln!(
            out,
            "<g><title>{}: {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\" \
             fill=\"{fill}\" stroke=\"{line}\"/><text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\
             <text x=\"{}\" y=\"{}\" fill=\"#57606a\">{}</text></g>",
            escape(&shape.title),
            escape(&shape.reason),
            x + 8,
            y + 18,
            escape(&cut(&format!("{} · {}", shape.id, shape.action), 34)),
            x + 8,
            y + 35,
            escape(&cut(&shape.title, 38)),
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
