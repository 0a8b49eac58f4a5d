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

    fn write(event: &str, fields: Json) {
        let mut document = json!({ "time": jiff::Timestamp::now().to_string(), "event": event });
        if let (Json::Object(document), Json::Object(fields)) = (&mut document, fields) {
            document.extend(fields);
        }
        write_out(&format!("{document}\n"));
    }

    fn run_finished(&self, report: &RunReport) {
        let mut artifacts = Vec::new();
        for build in &report.builds {
            for artifact in &build.artifacts {
                artifacts.push(json!({
                    "build": self.plan.graph.builds[build.build].name,
                    "builder_id": artifact.builder_id,
                    "id": artifact.id,
                    "files": artifact.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
                    "description": artifact.description,
                }));
            }
        }
        Self::write(
            "run_finished",
            json!({
                "status": report.status.word(),
                "artifacts": artifacts,
                "duration_s": report.duration.as_secs_f64(),
            }),
        );
    }
}

fn error_json(error: &NodeError) -> Json {
    json!({
        "message": error.failure.to_string(),
        "exit_status": error.failure.exit_status,
        "help": error.failure.help,
        "last_lines": error.last_lines,
    })
}

impl Reporter for JsonLines {
    fn report(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run } => {
                let summary = self.plan.summary();
                let plan = json!({ "total": summary.total, "run": summary.run, "cached": summary.cached, "skipped": summary.skipped, "unknown": summary.unknown });
                Self::write("run_started", json!({ "run": run, "plan": plan }));
            }
            Event::NodeStarted { node } => Self::write("node_started", json!({ "node": node.as_str() })),
            Event::NodeOutput { node, stream, line } => {
                let stream = match stream {
                    Stream::Stdout => "stdout",
                    Stream::Stderr => "stderr",
                    Stream::Ui | Stream::UiError => "ui",
                };
                Self::write("node_output", json!({ "node": node.as_str(), "stream": stream, "line": line }));
            }
            Event::NodeFinished { node, status, duration, error } => Self::write(
                "node_finished",
                json!({
                    "node": node.as_str(),
                    "status": status.word(),
                    "duration_s": duration.as_secs_f64(),
                    "error": error.as_ref().map(error_json),
                }),
            ),
            Event::RunFinished { report } => self.run_finished(report),
            Event::BuildFinished { .. } | Event::Cancelling { .. } => {}
        }
    }
}
