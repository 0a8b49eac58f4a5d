//! A run as JSON lines, one event a line.

use rpk_planner::plan::Plan;
use rpk_runtime::event::{Event, NodeError, Reporter, RunReport, Stream};
use serde_json::{Value as Json, json};

use super::write_out;

/// Reports a run in JSON lines.
pub struct JsonLines {
    plan: Plan,
}

impl JsonLines {
    /// Makes a reporter for a plan.
    pub fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone() }
    }
}

impl Reporter for JsonLines {
    fn report(&mut self, event: &Event) {
        if let Some(document) = document(&self.plan, event) {
            write_out(&format!("{document}\n"));
        }
    }
}

/// Writes an event as JSON, with the time of day; some events are told by others and have no line.
pub fn document(plan: &Plan, event: &Event) -> Option<Json> {
    let (event, fields) = match event {
        Event::RunStarted { run } => {
            let summary = plan.summary();
            let counts = json!({
                "total": summary.total + summary.data,
                "run": summary.run + summary.data,
                "cached": summary.cached,
                "skipped": summary.skipped,
                "unknown": summary.unknown,
            });
            ("run_started", json!({ "run": run, "plan": counts }))
        }
        Event::NodeStarted { node } => ("node_started", json!({ "node": node.as_str() })),
        Event::NodeOutput { node, stream, line } => {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
                Stream::Ui | Stream::UiError => "ui",
            };
            ("node_output", json!({ "node": node.as_str(), "stream": stream, "line": line }))
        }
        Event::NodeFinished { node, status, duration, error } => (
            "node_finished",
            json!({
                "node": node.as_str(),
                "status": status.word(),
                "duration_s": duration.as_secs_f64(),
                "error": error.as_ref().map(error_json),
            }),
        ),
        Event::RunFinished { report } => (
            "run_finished",
            json!({
                "status": report.status.word(),
                "artifacts": artifacts(plan, report),
                "duration_s": report.duration.as_secs_f64(),
            }),
        ),
        Event::BuildFinished { .. } | Event::Cancelling { .. } => return None,
    };
    let mut document = json!({ "time": jiff::Timestamp::now().to_string(), "event": event });
    if let (Json::Object(document), Json::Object(fields)) = (&mut document, fields) {
        document.extend(fields);
    }
    Some(document)
}

fn artifacts(plan: &Plan, report: &RunReport) -> Vec<Json> {
    let mut artifacts = Vec::new();
    for build in &report.builds {
        for artifact in &build.artifacts {
            artifacts.push(json!({
                "build": plan.graph.builds[build.build].name,
                "builder_id": artifact.builder_id,
                "id": artifact.id,
                "files": artifact.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
                "description": artifact.description,
            }));
        }
    }
    artifacts
}

fn error_json(error: &NodeError) -> Json {
    json!({
        "message": error.failure.to_string(),
        "exit_status": error.failure.exit_status,
        "help": error.failure.help,
        "last_lines": error.last_lines,
    })
}
