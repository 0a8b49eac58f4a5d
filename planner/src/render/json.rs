//! A plan for scripts: one JSON document, `format_version` 1.0.
//!
//! Keys keep a stable order, which is why the document is written from structs and not from maps. Nodes are made one
//! by one while they are written: a large plan's document would be many times larger than the plan.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::graph::{DataSource, Graph, Node, NodeId};
use crate::key::{Input, InputValue};
use crate::plan::{Action, Change, Plan, Step};

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    rpk_version: &'a str,
    template: &'a str,
    engine: Option<&'a str>,
    variables: serde_json::Map<String, Json>,
    nodes: Nodes<'a>,
    summary: SummaryDocument<'a>,
    diagnostics: Vec<Json>,
}

#[derive(Serialize)]
struct NodeDocument<'a> {
    id: &'a str,
    kind: &'static str,
    build: &'a str,
    #[serde(rename = "type")]
    component: &'a str,
    title: Cow<'a, str>,
    depends_on: Vec<&'a str>,
    action: &'static str,
    reason: ReasonDocument<'a>,
    cacheable: bool,
    key: Option<String>,
    inputs: InputsDocument,
    estimate_s: Option<f64>,
}

#[derive(Serialize)]
struct ReasonDocument<'a> {
    code: &'static str,
    text: Cow<'a, str>,
    changes: Vec<ChangeDocument>,
}

#[derive(Serialize)]
struct SummaryDocument<'a> {
    total: usize,
    run: usize,
    cached: usize,
    skipped: usize,
    unknown: usize,
    estimate_s: Option<f64>,
    parallel_builds: Option<usize>,
    critical_path: Vec<&'a str>,
}

/// Writes a plan as JSON into a text.
///
/// # Panics
///
/// Never: strings, numbers and lists always serialise.
#[must_use]
pub fn plan_json(plan: &Plan, rpk_version: &str, diagnostics: Vec<Json>) -> String {
    let mut bytes = Vec::new();
    write_plan_json(plan, rpk_version, diagnostics, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Writes a plan as JSON; `diagnostics` are those that came with it, already in their JSON form.
///
/// # Errors
///
/// Fails if the writer does.
pub fn write_plan_json(
    plan: &Plan,
    rpk_version: &str,
    diagnostics: Vec<Json>,
    mut out: impl io::Write,
) -> io::Result<()> {
    let graph = &plan.graph;
    let variables = graph
        .variables
        .iter()
        .map(|(name, variable)| {
            let value = if variable.is_sensitive {
                json!({ "sensitive": true })
            } else {
                Json::String(graph.redactor.redact(&variable.value))
            };
            (name.clone(), value)
        })
        .collect();
    let summary = plan.summary();
    let estimate = plan.estimate();
    let asked = graph.data.iter().filter(|data| data.asked.is_some()).count();
    let document = Document {
        format_version: "1.0",
        rpk_version,
        template: &plan.template,
        engine: plan.engine.as_deref(),
        variables,
        nodes: Nodes(plan),
        summary: SummaryDocument {
            total: summary.total + summary.data,
            run: summary.run + asked,
            cached: summary.cached,
            skipped: summary.skipped,
            unknown: summary.unknown + summary.data - asked,
            estimate_s: estimate.as_ref().map(|estimate| estimate.wall.as_secs_f64()),
            parallel_builds: plan.parallel_builds,
            critical_path: estimate.iter().flat_map(|estimate| &estimate.critical_path).map(NodeId::as_str).collect(),
        },
        diagnostics,
    };
    let mut pieces = Pieces { collected: Vec::with_capacity(2 * PIECE), out: &mut out };
    serde_json::to_writer_pretty(&mut pieces, &document)?;
    pieces.write_all(b"\n")?;
    pieces.flush()
}

/// How many bytes are handed on at a time.
const PIECE: usize = 1 << 16;

/// Collects what is written a few bytes at a time.
struct Pieces<'a, W: io::Write> {
    collected: Vec<u8>,
    out: &'a mut W,
}

impl<W: io::Write> Write for Pieces<'_, W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.collected.extend_from_slice(bytes);
        if self.collected.len() < PIECE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.collected)?;
        self.collected.clear();
        self.out.flush()
    }
}

/// The nodes of a plan.
struct Nodes<'a>(&'a Plan);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let graph = &self.0.graph;
        let data = graph.data.iter().map(|data| data_document(graph, data));
        serializer.collect_seq(data.chain(self.0.steps().map(|step| node_document(self.0, step))))
    }
}

/// Writes a data source as a node that belongs to no build.
fn data_document<'a>(graph: &'a Graph, data: &'a DataSource) -> NodeDocument<'a> {
    NodeDocument {
        id: data.id.as_str(),
        kind: "data",
        build: "",
        component: &data.component,
        title: graph.redactor.redacted(&data.title),
        depends_on: data.needs.iter().map(NodeId::as_str).collect(),
        action: data.action(),
        reason: ReasonDocument { code: "volatile", text: Cow::Borrowed(data.reason()), changes: Vec::new() },
        cacheable: false,
        key: None,
        inputs: InputsDocument::Inputs(Vec::new()),
        estimate_s: data.asked.map(|took| took.as_secs_f64()),
    }
}

fn node_document<'a>(plan: &'a Plan, step: Step<'a>) -> NodeDocument<'a> {
    let graph = &plan.graph;
    let mut before: Vec<usize> = graph.inputs_at(step.place).map(|(_, from)| from).collect();
    before.sort_unstable();
    let reason = step.reason;
    let mut depends_on = data_used(graph, step.node);
    depends_on.extend(before.into_iter().map(|from| graph.at(from).id.as_str()));
    NodeDocument {
        id: step.node.id.as_str(),
        kind: step.node.kind.word(),
        build: &graph.build_of(step.node).name,
        component: &step.node.component,
        title: graph.redactor.redacted(&step.node.title),
        depends_on,
        action: step.action.word(),
        reason: ReasonDocument {
            code: reason.code(),
            text: match reason.text() {
                text if graph.redactor.hides(&text) => Cow::Owned(graph.redactor.redact(&text)),
                text => text,
            },
            changes: reason.changes().iter().map(|change| ChangeDocument::new(plan, change)).collect(),
        },
        cacheable: step.is_cacheable(),
        // What is never looked up needs no key, and a key that anyone can compute would let guesses be checked.
        key: step.decision.key.filter(|_| step.is_cacheable()).map(|key| key.to_string()),
        inputs: inputs_document(plan, step),
        estimate_s: step.decision.took.map(|took| took.as_secs_f64()),
    }
}

/// Names the data sources that a node uses.
fn data_used<'a>(graph: &'a Graph, node: &Node) -> Vec<&'a str> {
    if graph.data.is_empty() {
        return Vec::new();
    }
    node.data().iter().filter_map(|id| Some(graph.data_source(id)?.id.as_str())).collect()
}

/// A node's inputs by path; of a node that takes no part its options alone.
enum InputsDocument {
    Options(Json),
    Inputs(Vec<(String, ValueDocument)>),
}

impl Serialize for InputsDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Options(options) => options.serialize(serializer),
            Self::Inputs(inputs) => serializer.collect_map(inputs.iter().map(|(path, value)| (path, value))),
        }
    }
}

fn inputs_document(plan: &Plan, step: Step<'_>) -> InputsDocument {
    if step.action == Action::Skip {
        let options = Json::Object((*step.node.settings).clone());
        return InputsDocument::Options(plan.graph.redactor.redact_json(&options));
    }
    let mut inputs = plan.inputs_at(step.place);
    // `depends_on` names the nodes before; their keys stand with them, where they may be told.
    inputs.retain(|input| !input.path.starts_with("upstream:"));
    inputs.sort_by(|a, b| a.path.cmp(&b.path));
    let shown = |Input { path, value, .. }: Input| (path, ValueDocument::new(plan, value));
    InputsDocument::Inputs(inputs.into_iter().map(shown).collect())
}

/// The value of an input.
#[derive(Serialize)]
#[serde(untagged)]
enum ValueDocument {
    Text(String),
    Content {
        digest: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        size_bytes: Option<u64>,
    },
    Sensitive {
        sensitive: bool,
    },
    Nothing(()),
}

impl ValueDocument {
    fn new(plan: &Plan, value: InputValue) -> Self {
        match value {
            InputValue::Text(text) if plan.graph.redactor.hides(&text) => Self::Text(plan.graph.redactor.redact(&text)),
            InputValue::Text(text) => Self::Text(text),
            InputValue::Content { digest, size_bytes } => Self::Content { digest, size_bytes },
            InputValue::Sensitive { .. } => Self::Sensitive { sensitive: true },
            InputValue::Unknown => Self::Nothing(()),
        }
    }
}

/// What has become of an input.
#[derive(Serialize)]
pub(super) struct ChangeDocument {
    input: String,
    before: ValueDocument,
    after: ValueDocument,
}

impl ChangeDocument {
    pub(super) fn new(plan: &Plan, change: &Change) -> Self {
        let value = |value: &Option<InputValue>| {
            value.clone().map_or(ValueDocument::Nothing(()), |value| ValueDocument::new(plan, value))
        };
        let input = plan.graph.redactor.redact(&change.input);
        Self { input, before: value(&change.before), after: value(&change.after) }
    }
}
