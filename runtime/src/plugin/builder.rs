//! A builder that lives in a plugin.
//!
//! # One call, several nodes
//!
//! A plugin's builder has one method, `Run`: it starts the machine, calls back for the provisioners, captures and
//! cleans up. For rpk these are nodes of their own. So the call stays pending: `boot` returns when the plugin calls
//! back, `capture` lets that call return well and waits for the rest, `destroy` before a capture lets it return with
//! an error, upon which the plugin cleans up itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::Settings;
use tokio::sync::{oneshot, watch};

use super::communicator::{Peer, PluginCommunicator};
use super::component::Component;
use super::leftovers;
use super::msgpack::Value;
use super::process::Plugin;
use super::remote_artifact::RemoteArtifact;
use super::rpc::{Expected, Service, serve, unknown};
use super::ui;
use crate::artifact::Artifact;
use crate::builder::{Builder, Machine};
use crate::communicator::Communicator;
use crate::communicator::none::NoCommunicator;
use crate::context::NodeContext;
use crate::engine::LazyEngine;
use crate::failure::{Failure, FailureKind, Outcome};

/// What a plugin is told when the machine is not to be captured; it says so again.
const STOPPED: &str = "the build was stopped";

/// A builder with its options.
pub struct PluginBuilder {
    component: Arc<Component>,
    settings: Settings,
}

impl PluginBuilder {
    /// Makes a builder; nothing is started.
    #[must_use]
    pub fn new(component: Arc<Component>, settings: Settings) -> Self {
        Self { component, settings }
    }
}

/// How `Run` ended: with an artifact, or with none.
type Ended = Option<Outcome<Option<Arc<RemoteArtifact>>>>;

/// What the plugin calls during `Run`.
struct Session {
    plugin: Arc<Plugin>,
    /// The node in whose name the plugin speaks now.
    speaker: Mutex<NodeContext>,
    /// Told once, when the machine is ready.
    ready: Mutex<Option<oneshot::Sender<Ready>>>,
    /// The folder that the plugin shares with a container, by which it is found if the plugin dies.
    shared: Mutex<Option<String>>,
    /// Says how provisioning has ended, and so what the plugin does next.
    verdict: watch::Receiver<Option<Result<(), String>>>,
}

/// A machine that the plugin has started.
struct Ready {
    data: Value,
    communicator: Option<PluginCommunicator>,
}

impl Session {
    fn speaker(&self) -> NodeContext {
        self.speaker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn speak_for(&self, ctx: &NodeContext) {
        *self.speaker.lock().unwrap_or_else(PoisonError::into_inner) = ctx.clone();
    }

    /// Listens for what has to be taken away if the plugin dies.
    fn overhear(&self, method: &str, body: &Value) {
        if method == "Say" || method == "Message" {
            let shared = body.as_str().and_then(leftovers::shared_folder).map(str::to_owned);
            if shared.is_some() {
                *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = shared;
            }
        }
    }

    /// Takes away what a plugin that has died has left.
    async fn clean_up(&self, ctx: &NodeContext) -> Outcome<()> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(folder) = shared else { return Ok(()) };
        leftovers::remove_containers(ctx, &folder).await
    }

    async fn hook(&self, body: &Value) -> Result<Value, String> {
        let id = body.get("StreamId").and_then(Value::as_u32).unwrap_or_default();
        let communicator = match id {
            0 => None,
            // It has to be dialled at once, needed or not.
            id => {
                let stream = self.plugin.broker().dial(id).await.map_err(|lost| lost.to_string())?;
                Some(PluginCommunicator::new(stream, Peer::Plugin(self.plugin.clone())))
            }
        };
        if body.get("Name").and_then(Value::as_str) != Some("packer_provision") {
            // The error-cleanup provisioner is a node of its own and has run before the plugin asks for it.
            return Ok(Value::Nil);
        }
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ready) = ready else {
            return Err("rpk runs the provisioners of a build once".to_owned());
        };
        let data = body.get("Data").cloned().unwrap_or(Value::Nil);
        ready.send(Ready { data, communicator }).map_err(|_| STOPPED.to_owned())?;
        let mut verdict = self.verdict.clone();
        let given = verdict.wait_for(Option::is_some).await;
        match given.ok().and_then(|given| given.clone()) {
            Some(Ok(())) => Ok(Value::Nil),
            Some(Err(reason)) => Err(reason),
            None => Err(STOPPED.to_owned()),
        }
    }
}

impl Service for Session {
    fn call<'a>(&'a self, method: &'a str, body: Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            match method.rsplit_once('.') {
                Some(("Hook", "Run")) => self.hook(&body).await,
                Some(("Hook", "Cancel")) => Ok(Value::Nil),
                Some(("Ui", method)) => {
                    self.overhear(method, &body);
                    ui::answer(&self.speaker(), method, &body).await
                }
                _ => Err(unknown(method)),
            }
        }
        .boxed()
    }
}

/// Makes the call and serves what it needs, until it ends.
async fn run(session: Arc<Session>, expected: Expected) -> Outcome<Option<Arc<RemoteArtifact>>> {
    let id = Value::Uint(u64::from(expected.id));
    let plugin = &session.plugin;
    let call = plugin.call("Builder.Run", &id);
    let served = async {
        if let Ok(stream) = expected.accept().await {
            // How the call ends says more than how its stream does.
            let _ = serve(&stream, session.as_ref()).await;
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = call => answer?,
        () = served => Value::Nil,
    };
    match answer.as_u32().unwrap_or_default() {
        0 => Ok(None),
        id => {
            let stream = plugin.broker().dial(id).await;
            let stream = stream.map_err(|lost| Failure::new(lost.to_string()).context("taking the artifact"))?;
            Ok(Some(Arc::new(RemoteArtifact::new(stream, plugin.clone()))))
        }
    }
}

impl PluginBuilder {
    async fn start(&self, ctx: &NodeContext) -> Outcome<Arc<dyn Machine>> {
        let plugin = Arc::new(self.component.prepared(&self.settings).await?.plugin);
        if ctx.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let (ready, mut is_ready) = oneshot::channel();
        let (decide, verdict) = watch::channel(None);
        let (end, ended) = watch::channel(None);
        let session = Arc::new(Session {
            plugin: plugin.clone(),
            speaker: Mutex::new(ctx.clone()),
            ready: Mutex::new(Some(ready)),
            shared: Mutex::default(),
            verdict,
        });
        let expected = plugin.broker().expect();
        let running = session.clone();
        self.component.host.handle().spawn(async move {
            let result = run(running, expected).await;
            // A machine that nobody has any more does not ask.
            let _ = end.send(Some(result));
        });
        let machine = |data: BTreeMap<String, String>, communicator| {
            Arc::new(PluginMachine {
                component: self.component.clone(),
                session: session.clone(),
                data,
                communicator,
                decide: decide.clone(),
                ended: ended.clone(),
            }) as Arc<dyn Machine>
        };
        let started = tokio::select! {
            ready = &mut is_ready => ready.ok(),
            _ = outcome(&ended) => None,
            () = ctx.cancel.cancelled() => {
                let _ = plugin.call("Builder.Cancel", &Value::Nil).await;
                // The plugin cleans up before its call returns.
                let _ = outcome(&ended).await;
                return Err(Failure::cancelled());
            }
        };
        match started {
            Some(Ready { data, communicator }) => Ok(machine(ui::build_texts(&data), communicator)),
            // It has ended without asking for provisioners, well or not.
            None => match outcome(&ended).await {
                Ok(_) => Ok(machine(BTreeMap::new(), None)),
                Err(failure) => {
                    if plugin.has_ended()
                        && let Err(left) = session.clean_up(ctx).await
                    {
                        ctx.complain(format!("the machine may still be there: {left}")).await;
                    }
                    Err(failure)
                }
            },
        }
    }
}

/// Waits for `Run` to end.
async fn outcome(ended: &watch::Receiver<Ended>) -> Outcome<Option<Arc<RemoteArtifact>>> {
    let mut ended = ended.clone();
    match ended.wait_for(Option::is_some).await {
        Ok(ended) => ended.clone().unwrap_or(Ok(None)),
        Err(_) => Err(Failure::new("the plugin was given up")),
    }
}

impl Builder for PluginBuilder {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        self.start(ctx).boxed()
    }

    fn identity<'a>(
        &'a self,
        engine: &'a LazyEngine,
        artifact: &'a Artifact,
    ) -> BoxFuture<'a, Outcome<Option<String>>> {
        identity(&self.settings, engine, artifact).boxed()
    }

    fn discard<'a>(&'a self, _: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        discard(&self.component, artifact).boxed()
    }
}

/// Tells what an artifact is beside its files; fails if there is no way to see later whether it is still there.
pub(super) async fn identity(settings: &Settings, engine: &LazyEngine, artifact: &Artifact) -> Outcome<Option<String>> {
    if artifact.builder_id.contains("docker") && artifact.files.is_empty() {
        return crate::engine::identity(engine, artifact).await;
    }
    if !artifact.files.is_empty() || artifact.id.is_empty() || ui::is_opted_in(settings) {
        return Ok(None);
    }
    Err(Failure::new(format!("rpk cannot look whether {} is still there", artifact.id))
        .help("set `rpk_cache = true` to take that on trust"))
}

/// Destroys an artifact: the plugin does, if it still runs.
pub(super) async fn discard(component: &Component, artifact: &Artifact) -> Outcome<()> {
    match component.host.artifact(artifact) {
        Some(remote) => remote.destroy().await,
        None => artifact.delete_files().await,
    }
}

struct PluginMachine {
    component: Arc<Component>,
    session: Arc<Session>,
    data: BTreeMap<String, String>,
    communicator: Option<PluginCommunicator>,
    decide: watch::Sender<Option<Result<(), String>>>,
    ended: watch::Receiver<Ended>,
}

impl PluginMachine {
    async fn finish(&self, ctx: &NodeContext) -> Outcome<Artifact> {
        self.session.speak_for(ctx);
        self.decide.send_replace(Some(Ok(())));
        let result = tokio::select! {
            result = outcome(&self.ended) => result,
            () = ctx.cancel.cancelled() => {
                if self.ended.borrow().is_none() {
                    let _ = self.session.plugin.call("Builder.Cancel", &Value::Nil).await;
                }
                let _ = outcome(&self.ended).await;
                Err(Failure::cancelled())
            }
        };
        let Some(remote) = result? else {
            return Ok(Artifact { description: "no artifact".to_owned(), ..Artifact::default() });
        };
        let mut artifact = remote.describe().await?;
        if artifact.data.is_empty() {
            artifact.data = self.data.clone();
        }
        self.component.host.keep_artifact(&artifact, remote);
        Ok(artifact)
    }
}

impl Machine for PluginMachine {
    fn communicator(&self) -> &dyn Communicator {
        match &self.communicator {
            Some(communicator) => communicator,
            None => &NoCommunicator,
        }
    }

    fn data(&self) -> BTreeMap<String, String> {
        self.data.clone()
    }

    fn capture<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        self.finish(ctx).boxed()
    }

    fn release(&self, _: &NodeContext) {
        // A plugin that ends in any other way takes its machine with it.
        self.session.plugin.kill();
    }

    fn destroy<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let has_ended = self.ended.borrow().is_some();
            if has_ended {
                // One that has captured and keeps the artifact goes on.
                return if self.session.plugin.has_ended() { self.session.clean_up(ctx).await } else { Ok(()) };
            }
            self.session.speak_for(ctx);
            self.decide.send_if_modified(|verdict| match verdict {
                Some(_) => false,
                None => {
                    *verdict = Some(Err(STOPPED.to_owned()));
                    true
                }
            });
            match outcome(&self.ended).await {
                // That it was stopped is no news.
                Err(failure) if failure.kind == FailureKind::Failed && self.session.plugin.has_ended() => {
                    if self.session.shared.lock().is_ok_and(|shared| shared.is_some()) {
                        return self.session.clean_up(ctx).await;
                    }
                    Err(failure.context("removing the machine").help("look whether the machine is still there"))
                }
                _ => Ok(()),
            }
        }
        .boxed()
    }
}
