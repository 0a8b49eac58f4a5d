//! A run as Packer's `-machine-readable` lines: time, target, type, data.

use rpk_planner::plan::Plan;
use rpk_runtime::event::{BuildReport, Event, Reporter, RunReport, RunStatus, Stream};

use super::{duration_text, flush_out, write_later};

/// Writes one line. Commas and line ends of data are escaped as Packer does it.
pub fn line(target: &str, kind: &str, data: &[&str]) -> String {
    let seconds = jiff::Timestamp::now().as_second();
    let mut out = format!("{seconds},{target},{kind}");
    for field in data {
        out.push(',');
        out.push_str(&field.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n"));
    }
    out.push('\n');
    out
}

/// Reports a run in lines for machines.
pub struct Machine {
    plan: Plan,
}

impl Machine {
    /// Makes a reporter for a plan.
    pub fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone() }
    }

    fn display(&self, build: usize) -> &str {
        &self.plan.graph.builds[build].display
    }

    fn ui(kind: &str, text: &str) {
        write_later(&line("", "ui", &[kind, text]));
    }

    fn build_finished(&self, report: &BuildReport) {
        let display = self.display(report.build);
        let took = duration_text(report.duration);
        match report.errors.first() {
            Some(error) => Self::ui("error", &format!("Build '{display}' errored after {took}: {}", error.failure)),
            None if report.status == RunStatus::Cancelled => {
                Self::ui("error", &format!("Build '{display}' errored after {took}: context canceled"));
            }
            None => Self::ui("say", &format!("Build '{display}' finished after {took}.")),
        }
    }

    fn run_finished(&self, report: &RunReport) {
        Self::ui("say", &format!("\n==> Wait completed after {}", duration_text(report.duration)));
        if report.cancelled.is_some() {
            Self::ui("say", "Cleanly cancelled builds after being interrupted.");
            return;
        }
        let failed: Vec<&BuildReport> = report.builds.iter().filter(|build| !build.errors.is_empty()).collect();
        if !failed.is_empty() {
            write_later(&line("", "error-count", &[&failed.len().to_string()]));
            Self::ui("error", "\n==> Some builds didn't complete successfully and had errors:");
            for build in failed {
                let display = self.display(build.build);
                for error in &build.errors {
                    let text = error.failure.to_string();
                    write_later(&line(display, "error", &[&text]));
                    Self::ui("error", &format!("--> {display}: {text}"));
                }
            }
        }
        let with_artifacts: Vec<&BuildReport> = report
            .builds
            .iter()
            .filter(|build| build.status == RunStatus::Succeeded && !build.artifacts.is_empty())
            .collect();
        if with_artifacts.is_empty() {
            Self::ui("say", "\n==> Builds finished but no artifacts were created.");
            return;
        }
        Self::ui("say", "\n==> Builds finished. The artifacts of successful builds are:");
        for build in with_artifacts {
            let display = self.display(build.build);
            write_later(&line(display, "artifact-count", &[&build.artifacts.len().to_string()]));
            for (index, artifact) in build.artifacts.iter().enumerate() {
                let index = index.to_string();
                let put = |data: &[&str]| {
                    let mut all = vec![index.as_str()];
                    all.extend(data);
                    write_later(&line(display, "artifact", &all));
                };
                put(&["builder-id", &artifact.builder_id]);
                put(&["id", &artifact.id]);
                put(&["string", &artifact.description]);
                put(&["files-count", &artifact.files.len().to_string()]);
                for (at, file) in artifact.files.iter().enumerate() {
                    put(&["file", &at.to_string(), &file.display().to_string()]);
                }
                put(&["end"]);
                Self::ui("say", &format!("--> {display}: {}", artifact.description));
            }
        }
    }
}

impl Reporter for Machine {
    fn settle(&mut self) {
        flush_out();
    }

    fn report(&mut self, event: &Event) {
        match event {
            Event::NodeOutput { node, stream, line } => {
                let Some(node) = self.plan.graph.node(node) else { return };
                let prefix = super::human::prefix(&self.plan, node);
                let kind = match stream {
                    Stream::Stderr | Stream::UiError => "error",
                    Stream::Stdout | Stream::Ui => "say",
                };
                Self::ui(kind, &format!("{prefix}{line}"));
            }
            Event::BuildFinished { report } => self.build_finished(report),
            Event::Cancelling { reason } => {
                Self::ui("error", &format!("Cancelling build after receiving {}", reason.word()));
            }
            Event::RunFinished { report } => self.run_finished(report),
            Event::RunStarted { .. } | Event::NodeStarted { .. } | Event::NodeFinished { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_escaped_and_the_target_is_not() {
        let written = line("a,b", "ui", &["say", "x,y\nz"]);
        let (_, rest) = written.split_once(',').expect("has a time");
        assert_eq!(rest, "a,b,ui,say,x%!(PACKER_COMMA)y\\nz\n");
    }
}
