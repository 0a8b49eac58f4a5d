//! A run for people: lines as Packer's users know them, and on a terminal a live line for each running node.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rpk_planner::graph::{Node, NodeId, NodeKind};
use rpk_planner::plan::Plan;
use rpk_runtime::event::{BuildReport, Event, NodeError, NodeStatus, Reporter, RunReport, RunStatus, Stream};

use super::{Screen, duration_text, flush_out, write_err, write_later, write_out};

/// Packer's colours for builds, in turn.
const COLOURS: [u8; 5] = [32, 36, 35, 33, 34];

/// Packer's colour for errors.
const RED: u8 = 31;

/// How often a live line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// Returns what stands before each line of a node.
pub fn prefix(plan: &Plan, node: &Node) -> String {
    let display = &plan.graph.build_of(node).display;
    match node.kind {
        NodeKind::PostProcess { .. } => format!("==> {display} ({}): ", node.component),
        _ => format!("==> {display}: "),
    }
}

/// Reports a run to people.
pub struct Human {
    plan: Plan,
    coloured: bool,
    timestamps: bool,
    colours: HashMap<usize, u8>,
    live: Option<Live>,
}

impl Human {
    /// Makes a reporter for a plan.
    pub fn new(plan: &Plan, screen: &Screen, timestamps: bool) -> Self {
        let selected = plan.graph.builds.iter().enumerate().filter(|(_, build)| build.is_selected);
        let colours = selected.enumerate().map(|(at, (build, _))| (build, COLOURS[at % COLOURS.len()])).collect();
        Self {
            plan: plan.clone(),
            coloured: screen.is_coloured(),
            timestamps,
            colours,
            live: screen.is_live.then(Live::new),
        }
    }

    fn print(&self, colour: Option<u8>, bold: bool, text: &str) {
        let time = if self.timestamps {
            let now = jiff::Zoned::now();
            format!("{}: ", now.strftime("%Y-%m-%dT%H:%M:%S%:z"))
        } else {
            String::new()
        };
        let line = match colour.filter(|_| self.coloured) {
            Some(colour) => format!("\u{1b}[{};{colour}m{time}{text}\u{1b}[0m\n", u8::from(bold)),
            None => format!("{time}{text}\n"),
        };
        self.put(&line);
    }

    fn put(&self, text: &str) {
        match &self.live {
            Some(live) => live.lines.suspend(|| write_out(text)),
            None => write_later(text),
        }
    }

    fn node(&self, id: &NodeId) -> Option<&Node> {
        self.plan.graph.node(id)
    }

    fn run_started(&self) {
        if !self.coloured {
            return;
        }
        let mut text = String::new();
        for (at, build) in self.plan.graph.builds.iter().enumerate().filter(|(_, build)| build.is_selected) {
            let colour = self.colours[&at];
            text.push_str(&format!("\u{1b}[1;{colour}m{}: output will be in this color.\u{1b}[0m\n", build.display));
        }
        self.put(&format!("{text}\n"));
    }

    fn node_started(&mut self, id: &NodeId) {
        let Some(node) = self.node(id) else { return };
        let title = self.plan.graph.redactor.redact(&node.title);
        if let NodeKind::PostProcess { .. } = node.kind {
            let display = &self.plan.graph.build_of(node).display;
            let line = format!("==> {display}: Running post-processor: {}", node.component);
            self.print(self.colours.get(&node.build).copied(), true, &line);
        }
        if let Some(live) = &mut self.live {
            live.start(id, &title);
        }
    }

    fn node_cached(&self, id: &NodeId) {
        let Some(node) = self.node(id) else { return };
        let title = self.plan.graph.redactor.redact(&node.title);
        let colour = self.colours.get(&node.build).copied();
        self.print(colour, false, &format!("{}Cached: {title}", prefix(&self.plan, node)));
    }

    fn output(&self, id: &NodeId, stream: Stream, line: &str) {
        let Some(node) = self.node(id) else { return };
        let colour = match stream {
            Stream::Stderr | Stream::UiError => Some(RED),
            Stream::Stdout | Stream::Ui => self.colours.get(&node.build).copied(),
        };
        let is_bold = matches!(stream, Stream::Ui | Stream::UiError);
        self.print(colour, is_bold, format!("{}{line}", prefix(&self.plan, node)).trim_end());
        if let Some(live) = &self.live {
            live.say(id, line);
        }
    }

    fn build_finished(&self, report: &BuildReport) {
        let display = &self.plan.graph.builds[report.build].display;
        let took = duration_text(report.duration);
        let colour = self.colours.get(&report.build).copied();
        match report.errors.first() {
            Some(error) => {
                let line = format!("Build '{display}' errored after {took}: {}", error.failure);
                self.print(Some(RED), true, &line);
            }
            None if report.status == RunStatus::Cancelled => {
                self.print(Some(RED), true, &format!("Build '{display}' errored after {took}: cancelled"));
            }
            None => self.print(colour, true, &format!("Build '{display}' finished after {took}.")),
        }
    }

    fn run_finished(&mut self, report: &RunReport) {
        if let Some(live) = self.live.take() {
            // A bar that is left would be drawn again over what follows.
            let _ = live.lines.clear();
        }
        let mut text = format!("\n==> Wait completed after {}\n", duration_text(report.duration));
        let failed: Vec<&BuildReport> = report.builds.iter().filter(|build| !build.errors.is_empty()).collect();
        if report.cancelled.is_some() {
            text.push_str("Cleanly cancelled builds after being interrupted.\n");
        } else {
            if !failed.is_empty() {
                text.push_str("\n==> Some builds didn't complete successfully and had errors:\n");
            }
            for build in &failed {
                let display = &self.plan.graph.builds[build.build].display;
                for error in &build.errors {
                    text.push_str(&format!("--> {display}: {}\n", error.failure));
                }
            }
            text.push_str(&self.artifacts(report));
        }
        write_out(&text);
        for error in failed.iter().flat_map(|build| &build.errors) {
            write_err(&self.explain(error));
        }
    }

    fn artifacts(&self, report: &RunReport) -> String {
        let mut lines = String::new();
        for build in report.builds.iter().filter(|build| build.status == RunStatus::Succeeded) {
            let display = &self.plan.graph.builds[build.build].display;
            for artifact in &build.artifacts {
                lines.push_str(&format!("--> {display}: {}\n", artifact.description));
            }
        }
        if lines.is_empty() {
            "\n==> Builds finished but no artifacts were created.\n".to_owned()
        } else {
            format!("\n==> Builds finished. The artifacts of successful builds are:\n{lines}")
        }
    }

    /// Says what failed: build, node, exit status, the last lines, what to do.
    fn explain(&self, error: &NodeError) -> String {
        let Some(node) = self.node(&error.node) else {
            return String::new();
        };
        let display = &self.plan.graph.build_of(node).display;
        let title = self.plan.graph.redactor.redact(&node.title);
        let mut text = format!("\nError: build {display} failed at {} ({title})\n", error.node);
        for (depth, cause) in error.failure.chain.iter().enumerate() {
            text.push_str(&format!("  {}{cause}\n", if depth == 0 { "" } else { "because: " }));
        }
        if let Some(status) = error.failure.exit_status {
            text.push_str(&format!("  exit status: {status}\n"));
        }
        if !error.last_lines.is_empty() {
            text.push_str("  last lines of output:\n");
            for line in &error.last_lines {
                text.push_str(&format!("    {line}\n"));
            }
        }
        if let Some(help) = &error.failure.help {
            text.push_str(&format!("  help: {help}\n"));
        }
        text
    }
}

impl Reporter for Human {
    fn settle(&mut self) {
        flush_out();
    }

    fn report(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. } => self.run_started(),
            Event::NodeStarted { node } => self.node_started(node),
            Event::NodeOutput { node, stream, line } => self.output(node, *stream, line),
            Event::NodeFinished { node, status, .. } => {
                if *status == NodeStatus::Cached {
                    self.node_cached(node);
                }
                if let Some(live) = &mut self.live
                    && *status != NodeStatus::Skipped
                {
                    live.end(node);
                }
            }
            Event::BuildFinished { report } => self.build_finished(report),
            Event::Cancelling { reason } => {
                self.print(Some(RED), true, &format!("Cancelling build after receiving {}", reason.word()));
            }
            Event::RunFinished { report } => self.run_finished(report),
        }
    }
}

/// The live lines at the foot of a terminal.
struct Live {
    lines: MultiProgress,
    bars: HashMap<NodeId, ProgressBar>,
}

impl Live {
    fn new() -> Self {
        Self { lines: MultiProgress::new(), bars: HashMap::new() }
    }

    fn start(&mut self, node: &NodeId, title: &str) {
        let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = self.lines.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(node.to_string());
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(TICK);
        self.bars.insert(node.clone(), bar);
    }

    fn say(&self, node: &NodeId, line: &str) {
        if let Some(bar) = self.bars.get(node).filter(|_| !line.trim().is_empty()) {
            // Escape codes and tabs would break the line's width.
            let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            bar.set_message(shown);
        }
    }

    fn end(&mut self, node: &NodeId) {
        if let Some(bar) = self.bars.remove(node) {
            bar.finish_and_clear();
        }
    }
}
