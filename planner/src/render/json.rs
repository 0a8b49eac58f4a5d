//! A plan for scripts: one JSON document, `format_version` 1.0.
//!
//! Keys keep a stable order, which is why the document is written from structs and not from maps.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::plan::Plan;

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    rpk_version: &'a str,
    template: &'a str,
    engine: Option<&'a str>,
    variables: serde_json::Map<String, Json>,
    nodes: Vec<NodeDocument<'a>>,
    summary: SummaryDocument,
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
    text: &'static str,
    changes: Vec<Json>,
}

#[derive(Serialize)]
struct SummaryDocument {
    total: usize,
    run: usize,
    cached: usize,
    skipped: usize,
    unknown: usize,
    estimate_s: Option<f64>,
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
            reason: ReasonDocument { code: step.reason.code(), text: step.reason.text(), changes: Vec::new() },
            // No result is stored yet, so none can be taken from a store.
            cacheable: false,
            key: None,
            inputs: graph.redactor.redact_json(&Json::Object((*step.node.settings).clone())),
            estimate_s: None,
        })
        .collect();
    let summary = plan.summary();
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
            cached: 0,
            skipped: summary.skipped,
            unknown: 0,
            estimate_s: None,
        },
        diagnostics,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("strings, numbers and lists always serialise");
    text.push('\n');
    text
}
