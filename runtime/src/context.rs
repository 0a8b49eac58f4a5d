//! What a component is given to run one node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use rpk_planner::chain;
use rpk_planner::graph::{Build, NodeId};
use rpk_planner::late::LateRenderer;
use rpk_planner::value::redactor::Redactor;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::artifact::Artifact;
use crate::engine::{Engine, LazyEngine};
use crate::event::{Event, Stream};
use crate::failure::{Failure, Outcome};
use crate::journal::Journal;
use crate::output::LineSplitter;

/// How many last lines an error message repeats.
const LAST_LINES: usize = 10;

/// What `-on-error` says to do when a node of a machine fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Run the error-cleanup provisioner, then remove the machine.
    #[default]
    Cleanup,
    /// Leave everything as it is.
    Abort,
    /// Ask the user.
    Ask,
    /// Run the error-cleanup provisioner, but leave the machine.
    RunCleanupProvisioner,
    /// Go on as if the provisioner had succeeded; nothing that comes after it is kept for later runs.
    Continue,
}

/// Asks the user something on the terminal.
pub trait Prompt: Send + Sync {
    /// Shows a question and returns the line that was typed; none if there is nobody to ask.
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// What all nodes of a run share.
pub struct Services {
    /// The run's id, a UUID.
    pub run_id: String,
    /// Whether `-force` was given.
    pub force: bool,
    /// Renders texts that hold values known only while running.
    pub late: LateRenderer,
    /// Keeps sensitive values out of the output.
    pub redactor: Redactor,
    /// The user, if there is one.
    pub prompt: Box<dyn Prompt>,
    /// The container engine, connected at its first use.
    pub engine: LazyEngine,
    /// What the run makes and must not leave behind.
    pub journal: Journal,
}

impl Services {
    /// Returns the container engine, connecting if no node has done so yet.
    ///
    /// # Errors
    ///
    /// Fails if no engine answers; the failure says how to start one.
    pub async fn engine(&self) -> Outcome<&Engine> {
        self.engine.get().await
    }
}

/// One node's view of the run.
#[derive(Clone)]
pub struct NodeContext {
    /// The node.
    pub node: NodeId,
    /// Its build.
    pub build: Build,
    /// Told to stop when the run is cancelled or the node's time is up.
    pub cancel: CancellationToken,
    /// What the run's nodes share.
    pub services: Arc<Services>,
    /// The build data known so far, such as `ID` and `Host`.
    pub data: Arc<BTreeMap<String, String>>,
    /// The artifacts of other builds that it takes, by the build's name as it is written.
    pub taken: Arc<BTreeMap<String, Artifact>>,
    /// Where its output goes.
    pub output: Output,
}

impl NodeContext {
    /// Answers for the artifacts of other builds.
    ///
    /// # Errors
    ///
    /// Fails if there is no such artifact, or it has no such attribute.
    pub fn answer(&self, build: &str, attribute: &str) -> Result<Vec<String>, String> {
        let artifact = self.taken.get(build).ok_or_else(|| format!("the artifact of build `{build}` is not there"))?;
        let files = || artifact.files.iter().map(|file| file.display().to_string());
        match attribute {
            "id" => Ok(vec![artifact.id.clone()]),
            "files" => Ok(files().collect()),
            _ => match files().next() {
                Some(file) => Ok(vec![file]),
                None => Err(format!("the artifact of build `{build}` has no file: {}", artifact.description)),
            },
        }
    }

    /// Says what the component is doing.
    pub async fn say(&self, text: impl AsRef<str>) {
        self.output.line(Stream::Ui, text.as_ref()).await;
    }

    /// Says that something is wrong without failing.
    pub async fn complain(&self, text: impl AsRef<str>) {
        self.output.line(Stream::UiError, text.as_ref()).await;
    }

    /// Renders a text with the build data and these further fields, such as `Path`.
    ///
    /// # Errors
    ///
    /// Fails if the text is no valid template or names what does not exist.
    pub fn render(&self, text: &str, fields: &[(&str, &str)]) -> Outcome<String> {
        let mut data = (*self.data).clone();
        data.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.services
            .late
            .render(text, self.build.names(), &data)
            .and_then(|text| chain::fill_text(&text, &|build, attribute| self.answer(build, attribute)))
            .map_err(|reason| Failure::new(reason).context(format!("rendering `{text}`")))
    }

    /// Waits; an early end is a cancellation.
    ///
    /// # Errors
    ///
    /// Fails if the node is told to stop meanwhile.
    pub async fn sleep(&self, duration: std::time::Duration) -> Outcome<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.cancel.cancelled() => Err(Failure::cancelled()),
        }
    }
}

/// A node's way to the event stream. Sensitive values are replaced here, before anything else sees a line.
#[derive(Clone)]
pub struct Output {
    node: NodeId,
    events: mpsc::Sender<Event>,
    services: Arc<Services>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
}

impl Output {
    /// Makes the output of a node.
    #[must_use]
    pub fn new(node: NodeId, events: mpsc::Sender<Event>, services: Arc<Services>) -> Self {
        Self { node, events, services, last_lines: Arc::default() }
    }

    /// Sends a text, each of its lines as one event.
    pub async fn line(&self, stream: Stream, text: &str) {
        let redacted = self.services.redactor.redact(text);
        for line in redacted.trim_end().split('\n') {
            self.send(stream, line.trim_end().to_owned()).await;
        }
    }

    async fn send(&self, stream: Stream, line: String) {
        if matches!(stream, Stream::Stdout | Stream::Stderr) {
            let mut last = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line.clone());
        }
        let event = Event::NodeOutput { node: self.node.clone(), stream, line };
        // The receiver goes away only with the whole run.
        let _ = self.events.send(event).await;
    }

    /// Returns the last lines that commands printed.
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        let last = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().cloned().collect()
    }

    /// Starts to cut a command's output into lines.
    #[must_use]
    pub fn command(&self) -> CommandOutput {
        CommandOutput { output: self.clone(), stdout: LineSplitter::default(), stderr: LineSplitter::default() }
    }
}

/// The output of one command on its way to the event stream.
pub struct CommandOutput {
    output: Output,
    stdout: LineSplitter,
    stderr: LineSplitter,
}

impl CommandOutput {
    /// Takes bytes of the command's standard output.
    pub async fn stdout(&mut self, bytes: &[u8]) {
        let mut lines = Vec::new();
        self.stdout.push(bytes, |line| lines.push(line));
        self.send(Stream::Stdout, lines).await;
    }

    /// Takes bytes of the command's standard error.
    pub async fn stderr(&mut self, bytes: &[u8]) {
        let mut lines = Vec::new();
        self.stderr.push(bytes, |line| lines.push(line));
        self.send(Stream::Stderr, lines).await;
    }

    /// Sends what is left of lines without an end.
    pub async fn finish(mut self) {
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        self.send(Stream::Stdout, stdout.into_iter().collect()).await;
        self.send(Stream::Stderr, stderr.into_iter().collect()).await;
    }

    async fn send(&self, stream: Stream, lines: Vec<String>) {
        for line in lines {
            let line = self.output.services.redactor.redact(&line);
            self.output.send(stream, line.trim_end().to_owned()).await;
        }
    }
}
