//! A run as JSON lines, one event a line.

use rpk_planner::plan::Plan;
use rpk_runtime::event::{Event, NodeError, Reporter, RunReport, Stream};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{flush_out, write_later};

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
        if let Some(line) = line(&self.plan, event) {
            write_later(&line);
        }
    }

    fn settle(&mut self) {
        flush_out();
    }
}

/// An event's line. Written straight from the event: a run may have very many.
#[derive(Serialize)]
struct Line<T> {
    time: jiff::Timestamp,
    event: &'static str,
    #[serde(flatten)]
    fields: T,
}

/// Writes an event as a line of JSON, with the time of day; some events are told by others and have no line.
pub fn line(plan: &Plan, event: &Event) -> Option<String> {
    let time = jiff::Timestamp::now();
    let mut line = match event {
        Event::RunStarted { run } => {
            let summary = plan.summary();
            let counts = json!({
                "total": summary.total + summary.data,
                "run": summary.run + summary.data,
                "cached": summary.cached,
                "skipped": summary.skipped,
                "unknown": summary.unknown,
            });
            written("run_started", time, json!({ "run": run, "plan": counts }))
        }
        Event::NodeStarted { node } => written("node_started", time, NodeStarted { node: node.as_str() }),
        Event::NodeOutput { node, stream, line } => {
            let stream = match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
                Stream::Ui | Stream::UiError => "ui",
            };
            written("node_output", time, NodeOutput { node: node.as_str(), stream, line })
        }
        Event::NodeFinished { node, status, duration, error } => {
            let (status, duration_s) = (status.word(), duration.as_secs_f64());
            let error = error.as_ref().map(error_json);
            written("node_finished", time, NodeFinished { node: node.as_str(), status, duration_s, error })
        }
        Event::RunFinished { report } => {
            let fields = json!({
                "status": report.status.word(),
                "artifacts": artifacts(plan, report),
                "duration_s": report.duration.as_secs_f64(),
            });
            written("run_finished", time, fields)
        }
        Event::BuildFinished { .. } | Event::Cancelling { .. } => return None,
    };
    line.push('\n');
    Some(line)
}

#[derive(Serialize)]
struct NodeStarted<'a> {
    node: &'a str,
}

#[derive(Serialize)]
struct NodeOutput<'a> {
    node: &'a str,
    stream: &'static str,
    line: &'a str,
}

#[derive(Serialize)]
struct NodeFinished<'a> {
    node: &'a str,
    status: &'static str,
    duration_s: f64,
    error: Option<Json>,
}

fn written(event: &'static str, time: jiff::Timestamp, fields: impl Serialize) -> String {
    serde_json::to_string(&Line { time, event, fields }).expect("texts and numbers always serialise")
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
