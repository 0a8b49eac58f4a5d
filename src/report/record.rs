//! A run's record: its events as JSON lines in the run's folder, from which logs, traces and timelines are made.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rpk_planner::plan::Plan;
use rpk_runtime::event::{Event, Reporter};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::json;
use super::write_err;

/// How many bytes of output a record takes: what a node prints beyond is shown, but not recorded.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// How many runs are remembered.
const RUNS_KEPT: usize = 100;

/// How many runs are looked through for a node.
const RUNS_SEARCHED: usize = 20;

const EVENTS: &str = "events.jsonl";
const SUMMARY: &str = "run.json";

/// What is known of a run at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The run's id.
    pub run: String,
    /// The template, as the user named it.
    pub template: String,
    /// When it began.
    pub started: Timestamp,
    /// How it ended; none while it runs, or if it was killed.
    pub status: Option<String>,
    /// How long it took, in seconds.
    pub duration_s: Option<f64>,
    /// How many nodes were to run.
    pub run_nodes: usize,
    /// How many nodes were reused.
    pub cached_nodes: usize,
}

impl Summary {
    /// Returns as much of the id as is shown and typed.
    pub fn short_id(&self) -> &str {
        self.run.get(..8).unwrap_or(&self.run)
    }
}

/// Writes a run's record.
pub struct Record {
    plan: Plan,
    folder: PathBuf,
    summary: Summary,
    events: BufWriter<File>,
    output_bytes: u64,
    has_failed: bool,
}

impl Record {
    /// Begins the record of a run in its folder.
    pub fn begin(folder: &Path, run: &str, plan: &Plan) -> io::Result<Self> {
        let events = BufWriter::new(File::create(folder.join(EVENTS))?);
        let counts = plan.summary();
        let summary = Summary {
            run: run.to_owned(),
            template: plan.template.clone(),
            started: Timestamp::now(),
            status: None,
            duration_s: None,
            run_nodes: counts.run + counts.unknown,
            cached_nodes: counts.cached,
        };
        let mut record =
            Self { plan: plan.clone(), folder: folder.to_owned(), summary, events, output_bytes: 0, has_failed: false };
        record.summarise()?;
        let redact = |text: &str| plan.graph.redactor.redact(text);
        let nodes: Vec<Json> = plan
            .steps()
            .map(|step| {
                let build = &plan.graph.build_of(step.node).display;
                json!({ "id": step.node.id.as_str(), "title": redact(&step.node.title), "build": build })
            })
            .collect();
        record.line(&json!({ "event": "plan", "nodes": nodes }))?;
        Ok(record)
    }

    fn summarise(&self) -> io::Result<()> {
        fs::write(self.folder.join(SUMMARY), serde_json::to_vec(&self.summary).map_err(io::Error::other)?)
    }

    fn line(&mut self, document: &Json) -> io::Result<()> {
        writeln!(self.events, "{document}")
    }

    fn take(&mut self, event: &Event) -> io::Result<()> {
        let is_output = matches!(event, Event::NodeOutput { .. });
        if is_output && self.output_bytes > OUTPUT_LIMIT {
            return Ok(());
        }
        if let Some(line) = json::line(&self.plan, event) {
            self.output_bytes += if is_output { line.len() as u64 } else { 0 };
            self.events.write_all(line.as_bytes())?;
        }
        if let Event::RunFinished { report } = event {
            self.summary.status = Some(report.status.word().to_owned());
            self.summary.duration_s = Some(report.duration.as_secs_f64());
            self.events.flush()?;
            self.summarise()?;
        }
        Ok(())
    }
}

impl Reporter for Record {
    fn report(&mut self, event: &Event) {
        // A record that cannot be written is no reason for a build to fail; it is said once.
        if !self.has_failed
            && let Err(error) = self.take(event)
        {
            self.has_failed = true;
            write_err(&format!("the run's record cannot be written: {error}\n"));
        }
    }
}

/// Lists the runs, the last one first.
pub fn runs(root: &Path) -> Vec<Summary> {
    let Ok(entries) = fs::read_dir(root.join("runs")) else { return Vec::new() };
    let mut runs: Vec<Summary> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| serde_json::from_slice(&fs::read(entry.path().join(SUMMARY)).ok()?).ok())
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.started));
    runs
}

/// Finds the last run of a template in which a node ran, and how it ended there.
pub fn last_of_node(root: &Path, template: &str, node: &str) -> Option<(Summary, String)> {
    let ended = |run: &Summary| {
        let events = events(root, &run.run).ok()?;
        let of_node = |event: &&Json| event["event"] == "node_finished" && event["node"] == node;
        let status = events.iter().find(of_node)?["status"].as_str()?.to_owned();
        ["ran", "failed"].contains(&status.as_str()).then_some(status)
    };
    let runs = runs(root).into_iter().filter(|run| run.template == template);
    runs.take(RUNS_SEARCHED).find_map(|run| ended(&run).map(|status| (run, status)))
}

/// Reads a run's events.
pub fn events(root: &Path, run: &str) -> io::Result<Vec<Json>> {
    let text = fs::read_to_string(root.join("runs").join(run).join(EVENTS))?;
    // The last line of a run that was killed may be cut off.
    Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
}

/// Forgets all but the last runs; not those whose journal still tells of something to take away.
pub fn forget_old(root: &Path) {
    for run in runs(root).into_iter().skip(RUNS_KEPT) {
        let folder = root.join("runs").join(&run.run);
        if !folder.join("journal").exists() {
            // At worst it is forgotten later.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Several reporters that all get every event.
pub struct All(pub Vec<Box<dyn Reporter>>);

impl Reporter for All {
    fn settle(&mut self) {
        self.0.iter_mut().for_each(|reporter| reporter.settle());
    }

    fn report(&mut self, event: &Event) {
        for reporter in &mut self.0 {
            reporter.report(event);
        }
    }
}
