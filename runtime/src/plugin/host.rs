//! Where plugins live: the thread that their tasks run on, the processes that are ready, the artifacts that they hold.
//!
//! A template is checked without anything asynchronous, so that the host has a thread of its own. A process that was
//! asked to check options is kept for the run of the same options.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rpk_planner::catalog::Problem;
use rpk_planner::value::interpolation::PACKER_VERSION;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::msgpack::Value;
use super::mux::Mux;
use super::process::{END_LIMIT, Launch, Plugin};
use super::remote_artifact::RemoteArtifact;
use crate::artifact::Artifact;
use crate::failure::{Failure, Outcome};

/// How many processes are kept with their options; others are started when they are needed.
const MAX_PREPARED: usize = 32;

/// What every plugin of a run is told.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Whether `-force` was given.
    pub force: bool,
    /// The word of `-on-error`; empty if it was not given.
    pub on_error: String,
    /// The absolute path of a legacy template.
    pub template_path: Option<String>,
    /// Where the logs of plugins that end badly are kept.
    pub logs: PathBuf,
}

/// What a process needs of its host.
#[derive(Clone)]
pub(super) struct Ground {
    pub handle: Handle,
    pub run_id: Arc<str>,
    pub logs: Arc<PathBuf>,
    pub living: Arc<Living>,
}

/// The processes that have not ended.
#[derive(Default)]
pub(super) struct Living(Mutex<Vec<Process>>);

struct Process {
    group: Pid,
    mux: Mux,
    ended: watch::Receiver<Option<String>>,
}

impl Living {
    pub fn add(&self, group: Pid, mux: Mux, ended: watch::Receiver<Option<String>>) {
        let mut living = lock(&self.0);
        living.retain(|process| process.ended.borrow().is_none());
        living.push(Process { group, mux, ended });
    }

    /// Closes the connections to all, upon which they clean up and end, and ends those that do not.
    fn end(&self) {
        let living = std::mem::take(&mut *lock(&self.0));
        let deadline = Instant::now() + END_LIMIT;
        for process in &living {
            process.mux.close("rpk ends");
        }
        for Process { group, ended, .. } in living {
            while ended.borrow().is_none() && Instant::now() < deadline && ended.has_changed().is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
            if ended.borrow().is_none() {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that has taken its options.
pub(super) struct Prepared {
    pub plugin: Plugin,
    /// What it has to say of them.
    pub warnings: Vec<String>,
}

/// Where plugins live.
pub struct Host {
    /// Ends the thread when it is dropped.
    _running: tokio::sync::oneshot::Sender<()>,
    ground: Ground,
    options: RunOptions,
    idle: Mutex<HashMap<Launch, Vec<Plugin>>>,
    prepared: Mutex<HashMap<String, Vec<Prepared>>>,
    /// What was said of options that were checked.
    checked: Mutex<HashMap<String, Vec<Problem>>>,
    /// By a build's name, the names of data that its builder has announced.
    announced: Mutex<HashMap<String, Vec<String>>>,
    artifacts: Mutex<Vec<(Artifact, Arc<RemoteArtifact>)>>,
}

impl Host {
    /// Makes a host.
    ///
    /// # Errors
    ///
    /// Fails if there can be no threads.
    pub fn new(options: RunOptions) -> Outcome<Self> {
        let failed = |error: std::io::Error| Failure::new(format!("cannot start threads: {error}"));
        // What plugins do is to wait; one thread is enough for all of them.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (running, ends) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("plugins".to_owned());
        thread
            .spawn(move || {
                // It ends when the host is dropped, which is no error.
                let _ = runtime.block_on(ends);
            })
            .map_err(failed)?;
        let ground = Ground {
            handle,
            run_id: uuid::Uuid::new_v4().to_string().into(),
            logs: Arc::new(options.logs.clone()),
            living: Arc::default(),
        };
        Ok(Self {
            _running: running,
            ground,
            options,
            idle: Mutex::default(),
            prepared: Mutex::default(),
            checked: Mutex::default(),
            announced: Mutex::default(),
            artifacts: Mutex::default(),
        })
    }

    /// Returns where the tasks of plugins run.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.ground.handle
    }

    /// Does something on the host's threads and waits for it, wherever it is called.
    ///
    /// # Errors
    ///
    /// Fails if the work does, or panics.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = Outcome<T>> + Send + 'static) -> Outcome<T> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.ground.handle.spawn(async move {
            // Whoever waits is there until the end.
            let _ = sender.send(work.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(Failure::new("rpk itself failed while it talked to a plugin")))
    }

    /// Returns a process that has been given no options yet.
    pub(super) async fn plugin(&self, launch: &Launch) -> Outcome<Plugin> {
        let idle = lock(&self.idle).get_mut(launch).and_then(Vec::pop);
        if let Some(plugin) = idle.filter(|plugin| !plugin.has_ended()) {
            return Ok(plugin);
        }
        let started = self.ground.handle.spawn(Plugin::start(launch.clone(), self.ground.clone()));
        started.await.unwrap_or_else(|error| Err(Failure::new(error.to_string())))
    }

    /// Keeps a process that nobody has given options to.
    pub(super) fn put_back(&self, plugin: Plugin) {
        lock(&self.idle).entry(plugin.launch().clone()).or_default().push(plugin);
    }

    /// Starts processes that will be needed soon.
    pub(super) fn start_ahead(self: &Arc<Self>, launch: &Launch, count: usize) {
        for _ in 0..count {
            let (host, launch) = (Arc::downgrade(self), launch.clone());
            let ground = self.ground.clone();
            self.ground.handle.spawn(async move {
                let started = Plugin::start(launch, ground).await;
                if let (Ok(plugin), Some(host)) = (started, host.upgrade()) {
                    host.put_back(plugin);
                }
            });
        }
    }

    /// Takes a process that has taken just these options.
    pub(super) fn take_prepared(&self, options: &str) -> Option<Prepared> {
        lock(&self.prepared).get_mut(options).and_then(Vec::pop).filter(|prepared| !prepared.plugin.has_ended())
    }

    /// Keeps a process that has taken its options, for the run.
    pub(super) fn keep_prepared(&self, options: String, prepared: Prepared) {
        let mut known = lock(&self.prepared);
        if known.values().map(Vec::len).sum::<usize>() < MAX_PREPARED {
            known.entry(options).or_default().push(prepared);
        }
    }

    /// Returns what was said of these options, if they were checked.
    pub(super) fn checked(&self, options: &str) -> Option<Vec<Problem>> {
        lock(&self.checked).get(options).cloned()
    }

    /// Takes note of what was said of options.
    pub(super) fn keep_checked(&self, options: String, problems: Vec<Problem>) {
        lock(&self.checked).insert(options, problems);
    }

    /// Takes note of the data that a build's builder has announced.
    pub(super) fn announce(&self, build: &str, names: &[String]) {
        lock(&self.announced).insert(build.to_owned(), names.to_vec());
    }

    /// Returns the data that a build's builder has announced.
    pub(super) fn announced(&self, build: &str) -> Vec<String> {
        lock(&self.announced).get(build).cloned().unwrap_or_default()
    }

    /// Keeps an artifact that lives in a plugin, for those who ask more of it.
    pub(super) fn keep_artifact(&self, artifact: &Artifact, remote: Arc<RemoteArtifact>) {
        lock(&self.artifacts).push((artifact.clone(), remote));
    }

    /// Finds the plugin's side of an artifact.
    pub(super) fn artifact(&self, artifact: &Artifact) -> Option<Arc<RemoteArtifact>> {
        let artifacts = lock(&self.artifacts);
        let is_it = |known: &Artifact| known.builder_id == artifact.builder_id && known.id == artifact.id;
        // One of the same files, if there are several of that id.
        let exact = artifacts.iter().rev().find(|(known, _)| is_it(known) && known.files == artifact.files);
        exact.or_else(|| artifacts.iter().rev().find(|(known, _)| is_it(known))).map(|(_, remote)| remote.clone())
    }

    /// Lists what the core tells each plugin, beside what differs from build to build.
    pub(super) fn core(&self, is_legacy: bool) -> Vec<(&'static str, Value)> {
        let flag = |flag: bool| if is_legacy { Value::Bool(flag) } else { Value::str(flag.to_string()) };
        let mut core = vec![
            ("packer_core_version", Value::str(PACKER_VERSION)),
            ("packer_debug", flag(false)),
            ("packer_force", flag(self.options.force)),
            ("packer_on_error", Value::str(self.options.on_error.as_str())),
        ];
        if let Some(path) = self.options.template_path.as_deref().filter(|_| is_legacy) {
            core.push(("packer_template_path", Value::str(path)));
        }
        core
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        lock(&self.idle).clear();
        lock(&self.prepared).clear();
        lock(&self.artifacts).clear();
        self.ground.living.end();
    }
}
