//! The process of a plugin: what it prints, where it listens, what it answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::super::communicator::{Peer, PluginCommunicator};
use super::super::msgpack::Value;
use super::super::mux::{Mux, Side};
use super::super::process::COOKIE;
use super::super::rpc::{Broker, Client, Service, serve, unknown};
use super::{Artifact, Config, Object, PostProcessor, Processed, Provisioner};
use crate::communicator::{FileSource, Pipes};

/// How many pieces of output may wait.
const PIECES: usize = 16;

/// A plugin with its components, by the names under which it offers them.
#[derive(Default)]
pub struct Plugin {
    version: String,
    provisioners: BTreeMap<String, Arc<dyn Provisioner>>,
    post_processors: BTreeMap<String, Arc<dyn PostProcessor>>,
}

/// A component that a process serves.
#[derive(Clone)]
enum Served {
    Provisioner(Arc<dyn Provisioner>),
    PostProcessor(Arc<dyn PostProcessor>),
}

impl Plugin {
    /// Makes a plugin of a version, such as `1.0.0`.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), ..Self::default() }
    }

    /// Adds a provisioner; [`UNNAMED`](super::super::folder::UNNAMED) is the one called like the plugin itself.
    #[must_use]
    pub fn provisioner(mut self, name: &str, provisioner: impl Provisioner + 'static) -> Self {
        self.provisioners.insert(name.to_owned(), Arc::new(provisioner));
        self
    }

    /// Adds a post-processor.
    #[must_use]
    pub fn post_processor(mut self, name: &str, post_processor: impl PostProcessor + 'static) -> Self {
        self.post_processors.insert(name.to_owned(), Arc::new(post_processor));
        self
    }

    /// Does what the command line says, and returns when the core has gone.
    ///
    /// # Errors
    ///
    /// Fails in words if the command line is not one of a core's, or nobody connects.
    pub async fn run(self) -> Result<(), String> {
        let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--protobuf").collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut stdout = tokio::io::stdout();
        if words == ["describe"] {
            let names = |names: Vec<&String>| if names.is_empty() { json!([]) } else { json!(names) };
            let description = json!({
                "version": self.version,
                "sdk_version": env!("CARGO_PKG_VERSION"),
                "api_version": "x5.0",
                "builders": [],
                "provisioners": names(self.provisioners.keys().collect()),
                "post_processors": names(self.post_processors.keys().collect()),
                "datasources": [],
                "protocol_version": "v2",
            });
            let written = stdout.write_all(format!("{description}\n").as_bytes()).await;
            return written.and(stdout.flush().await).map_err(|error| error.to_string());
        }
        let (served, prefix) = match words.as_slice() {
            ["start", kind, name] => (self.find(kind, name)?, "5|0|"),
            [] => (self.only()?, "5|"),
            _ => return Err("this is a plugin; a core starts it".to_owned()),
        };
        if std::env::var("PACKER_PLUGIN_MAGIC_COOKIE").as_deref() != Ok(COOKIE) {
            return Err("this is a plugin and cannot be run by itself; a core starts it".to_owned());
        }
        let folder = tempfile::Builder::new().prefix("packer-plugin").tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("socket");
        let listener = tokio::net::UnixListener::bind(&path).map_err(|error| error.to_string())?;
        let line = format!("{prefix}unix|{}\n", path.display());
        stdout.write_all(line.as_bytes()).await.and(stdout.flush().await).map_err(|error| error.to_string())?;
        let (socket, _) = listener.accept().await.map_err(|error| error.to_string())?;
        drop(folder);
        let (reader, writer) = socket.into_split();
        let handle = Handle::current();
        let (mux, incoming) = Mux::start(reader, writer, Side::Server, &handle);
        let broker = Broker::start(mux, incoming, &handle);
        let stream = broker.expect_as(0).accept().await.map_err(|lost| lost.to_string())?;
        let session = Session { served, broker, config: Mutex::default() };
        // That the core goes away is how this ends.
        let _ = serve(&stream, &session).await;
        Ok(())
    }

    fn find(&self, kind: &str, name: &str) -> Result<Served, String> {
        let found = match kind {
            "provisioner" | "provisioners" => self.provisioners.get(name).cloned().map(Served::Provisioner),
            "post-processor" => self.post_processors.get(name).cloned().map(Served::PostProcessor),
            _ => None,
        };
        found.ok_or_else(|| format!("this plugin has no {kind} `{name}`"))
    }

    fn only(&self) -> Result<Served, String> {
        // Which of them is meant says the name of the file.
        let program = std::env::args().next().unwrap_or_default();
        let file = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let provisioner = self.provisioners.values().next().filter(|_| file.starts_with("packer-provisioner-"));
        let post_processor =
            self.post_processors.values().next().filter(|_| file.starts_with("packer-post-processor-"));
        match (provisioner, post_processor) {
            (Some(provisioner), _) => Ok(Served::Provisioner(provisioner.clone())),
            (_, Some(post_processor)) => Ok(Served::PostProcessor(post_processor.clone())),
            _ => Err("this is a plugin; a core starts it".to_owned()),
        }
    }
}

struct Session {
    served: Served,
    broker: Arc<Broker>,
    config: Mutex<Config>,
}

impl Session {
    fn config(&self) -> Config {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, body: &Value) -> Result<(), String> {
        let config = Config::read(body)?;
        match &self.served {
            Served::Provisioner(served) => config.check(&served.schema()).and_then(|()| served.prepare(&config))?,
            Served::PostProcessor(served) => config.check(&served.schema()).and_then(|()| served.configure(&config))?,
        }
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn schema(&self) -> Object {
        match &self.served {
            Served::Provisioner(served) => served.schema(),
            Served::PostProcessor(served) => served.schema(),
        }
    }

    async fn dial(&self, id: Option<u32>) -> Result<super::super::mux::MuxStream, String> {
        self.broker.dial(id.unwrap_or_default()).await.map_err(|lost| lost.to_string())
    }

    async fn provision(&self, provisioner: &dyn Provisioner, body: &Value) -> Result<(), String> {
        let stream = self.dial(body.get("StreamID").and_then(Value::as_u32)).await?;
        // The machine and the user are reached on one stream.
        let communicator = Arc::new(PluginCommunicator::new(stream, Peer::Core(self.broker.clone())));
        let (machine, ui) = (Machine(communicator.clone()), Ui(UiPeer::Machine(communicator)));
        provisioner.provision(&self.config(), &machine, &ui).await
    }

    async fn process(&self, post_processor: &dyn PostProcessor, id: Option<u32>) -> Result<Value, String> {
        let client = Arc::new(Client::new(self.dial(id).await?, self.broker.handle()));
        let ask = async |method: &str| client.call(method, &Value::Nil).await.map_err(|error| error.to_string());
        let text = async |method: &str| {
            let answer = ask(method).await?;
            Ok::<_, String>(answer.as_str().unwrap_or_default().to_owned())
        };
        let artifact = Artifact {
            builder_id: text("Artifact.BuilderId").await?,
            id: text("Artifact.Id").await?,
            description: text("Artifact.String").await?,
            files: ask("Artifact.Files").await?.texts(),
        };
        let ui = Ui(UiPeer::Client(client));
        let (error, processed) = match post_processor.process(&self.config(), &artifact, &ui).await {
            Ok(processed) => (Value::Nil, processed),
            Err(reason) => (Value::map([("Message", Value::Str(reason))]), Processed::default()),
        };
        let id = processed.artifact.map_or(0, |artifact| {
            let expected = self.broker.expect();
            let id = expected.id;
            self.broker.handle().spawn(async move {
                if let Ok(stream) = expected.accept().await {
                    // The core closes it when it has no more questions.
                    let _ = serve(&stream, &Made(artifact)).await;
                }
            });
            id
        });
        Ok(Value::map([
            ("Err", error),
            ("Keep", Value::Bool(processed.keeps_input)),
            ("ForceOverride", Value::Bool(false)),
            ("StreamId", Value::Uint(u64::from(id))),
        ]))
    }
}

impl Service for Session {
    fn call<'a>(&'a self, method: &'a str, body: Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            match (method, &self.served) {
                ("Provisioner.ConfigSpec" | "PostProcessor.ConfigSpec", _) => {
                    Ok(Value::map([("ConfigSpec", Value::Bin(self.schema().to_protobuf()))]))
                }
                ("Provisioner.Prepare" | "PostProcessor.Configure", _) => self.take(&body).map(|()| Value::Nil),
                ("Provisioner.Provision", Served::Provisioner(served)) => {
                    self.provision(served.as_ref(), &body).await.map(|()| Value::Nil)
                }
                ("PostProcessor.PostProcess", Served::PostProcessor(served)) => {
                    self.process(served.as_ref(), body.as_u32()).await
                }
                // Work ends with the process, which the core ends when it has waited long enough.
                ("Provisioner.Cancel" | "PostProcessor.Cancel", _) => Ok(Value::Nil),
                _ => Err(unknown(method)),
            }
        }
        .boxed()
    }
}

/// An artifact of this plugin, as the core sees it.
struct Made(Artifact);

impl Service for Made {
    fn call<'a>(&'a self, method: &'a str, _: Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            let Self(artifact) = self;
            Ok(match method {
                "Artifact.BuilderId" => Value::str(artifact.builder_id.as_str()),
                "Artifact.Id" => Value::str(artifact.id.as_str()),
                "Artifact.String" => Value::str(artifact.description.as_str()),
                "Artifact.Files" => Value::strings(artifact.files.iter().map(String::as_str)),
                "Artifact.State" => Value::Nil,
                "Artifact.Destroy" => {
                    for file in &artifact.files {
                        std::fs::remove_file(file).map_err(|error| format!("{file}: {error}"))?;
                    }
                    Value::Nil
                }
                _ => return Err(unknown(method)),
            })
        }
        .boxed()
    }
}

/// The machine that a provisioner works on.
pub struct Machine(Arc<PluginCommunicator>);

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status.
    pub status: i64,
    /// What it wrote.
    pub stdout: Vec<u8>,
    /// What it wrote as errors.
    pub stderr: Vec<u8>,
}

impl Machine {
    /// Runs a command in the machine's shell.
    ///
    /// # Errors
    ///
    /// Fails if the machine cannot be reached; what the command's status says is the caller's business.
    pub async fn run(&self, command: &str) -> Result<Ran, String> {
        let (stdout, out) = mpsc::channel(PIECES);
        let (stderr, err) = mpsc::channel(PIECES);
        let pipes = Pipes { stdin: None, stdout, stderr };
        let (status, stdout, stderr) = tokio::join!(self.0.start(command, pipes), gather(out), gather(err));
        Ok(Ran { status: status.map_err(|failure| failure.to_string())?, stdout, stderr })
    }

    /// Writes a file on the machine.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub async fn upload(&self, content: &[u8], path: &str) -> Result<(), String> {
        self.0.upload(FileSource::Bytes(content), path).await.map_err(|failure| failure.to_string())
    }
}

async fn gather(mut pieces: mpsc::Receiver<Bytes>) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pieces.recv().await {
        all.extend(&piece);
    }
    all
}

/// The user of the core.
pub struct Ui(UiPeer);

enum UiPeer {
    Machine(Arc<PluginCommunicator>),
    Client(Arc<Client>),
}

impl Ui {
    /// Says something.
    pub async fn say(&self, text: &str) {
        self.call("Ui.Say", text).await;
    }

    /// Says that something is wrong.
    pub async fn error(&self, text: &str) {
        self.call("Ui.Error", text).await;
    }

    async fn call(&self, method: &str, text: &str) {
        // A user that cannot be reached is no reason to stop.
        let _ = match &self.0 {
            UiPeer::Machine(communicator) => communicator.call(method, &Value::str(text)).await.map(|_| ()).ok(),
            UiPeer::Client(client) => client.call(method, &Value::str(text)).await.map(|_| ()).ok(),
        };
    }
}
