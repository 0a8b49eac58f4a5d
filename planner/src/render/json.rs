//! A plan for scripts: one JSON document, `format_version` 1.0.
//!
//! Keys keep a stable order, which is why the document is written from structs and not from maps.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::key::InputValue;
use crate::plan::{Action, Change, Plan, Step};

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    rpk_version: &'a str,
    template: &'a str,
    engine: Option<&'a str>,
    variables: serde_json::Map<String, Json>,
    nodes: Vec<NodeDocument<'a>>,
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
    title: String,
    depends_on: Vec<&'a str>,
    action: &'static str,
    reason: ReasonDocument,
    cacheable: bool,
    key: Option<String>,
    inputs: Json,
    estimate_s: Option<f64>,
}

#[derive(Serialize)]
struct ReasonDocument {
    code: &'static str,
    text: String,
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

/// Writes a plan as JSON; `diagnostics` are those that came with it, already in their JSON form.
#[must_use]
pub fn plan_json(plan: &Plan, rpk_version: &str, diagnostics: Vec<Json>) -> String {
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
    let nodes = plan
        .steps()
        .map(|step| NodeDocument {
            id: step.node.id.as_str(),
            kind: step.node.kind.word(),
            build: &graph.build_of(step.node).name,
            component: &step.node.component,
            title: graph.redactor.redact(&step.node.title),
            depends_on: graph.inputs(&step.node.id).map(|(_, node)| node.id.as_str()).collect(),
            action: step.action.word(),
            reason: ReasonDocument {
                code: step.reason.code(),
                text: graph.redactor.redact(&step.reason.text()),
                changes: step.reason.changes().iter().map(|change| ChangeDocument::new(plan, change)).collect(),
            },
            cacheable: step.is_cacheable(),
            // What is never looked up needs no key, and a key that anyone can compute would let guesses be checked.
            key: step.decision.key.filter(|_| step.is_cacheable()).map(|key| key.to_string()),
            inputs: inputs_json(plan, &step),
            estimate_s: step.decision.took.map(|took| took.as_secs_f64()),
        })
        .collect();
    let summary = plan.summary();
    let estimate = plan.estimate();
    let document = Document {
        format_version: "1.0",
        rpk_version,
        template: &plan.template,
        engine: plan.engine.as_deref(),
        variables,
        nodes,
        summary: SummaryDocument {
            total: summary.total,
            run: summary.run,
            cached: summary.cached,
            skipped: summary.skipped,
            unknown: summary.unknown,
            estimate_s: estimate.as_ref().map(|estimate| estimate.wall.as_secs_f64()),
            parallel_builds: plan.parallel_builds,
            critical_path: estimate
                .iter()
                .flat_map(|estimate| &estimate.critical_path)
                .map(crate::graph::NodeId::as_str)
                .collect(),
        },
        diagnostics,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("strings, numbers and lists always serialise");
    text.push('\n');
    text
}

/// Lists a node's inputs by path; a node that takes no part shows its options alone.
fn inputs_json(plan: &Plan, step: &Step<'_>) -> Json {
    if step.action == Action::Skip {
        return plan.graph.redactor.redact_json(&Json::Object((*step.node.settings).clone()));
    }
    let mut inputs = plan.inputs(&step.node.id);
    // `depends_on` names the nodes before; their keys stand with them, where they may be told.
    inputs.retain(|input| !input.path.starts_with("upstream:"));
    Json::Object(inputs.into_iter().map(|input| (input.path, value_json(plan, &input.value))).collect())
}

/// What has become of an input.
#[derive(Serialize)]
pub(super) struct ChangeDocument {
    input: String,
    before: Json,
    after: Json,
}

impl ChangeDocument {
    pub(super) fn new(plan: &Plan, change: &Change) -> Self {
        let value = |value: &Option<InputValue>| value.as_ref().map_or(Json::Null, |value| value_json(plan, value));
        let input = plan.graph.redactor.redact(&change.input);
        Self { input, before: value(&change.before), after: value(&change.after) }
    }
}

fn value_json(plan: &Plan, value: &InputValue) -> Json {
    match value {
        InputValue::Text(text) => Json::String(plan.graph.redactor.redact(text)),
        InputValue::Content { digest, size_bytes: Some(size) } => json!({ "digest": digest, "size_bytes": size }),
        InputValue::Content { digest, size_bytes: None } => json!({ "digest": digest }),
        InputValue::Sensitive { .. } => json!({ "sensitive": true }),
        InputValue::Unknown => Json::Null,
    }
}
