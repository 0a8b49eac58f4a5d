//! The way to a plugin's machine, for rpk's provisioners and, through rpk, for those of other plugins.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::gob;
use super::msgpack::Value;
use super::mux::{Lost, MuxStream};
use super::process::Plugin;
use super::rpc::{Broker, Client, Expected, forward};
use crate::communicator::{Communicator, FileSource, Pipes, RemoteScript};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// What Packer takes a command's status for if the plugin does not tell it.
const NO_STATUS: i64 = 123;

/// How many pieces of output may wait.
const PIECES: usize = 16;

/// Who serves a machine.
#[derive(Clone)]
pub(super) enum Peer {
    /// A plugin's builder.
    Plugin(Arc<Plugin>),
    /// The core, to a provisioner of ours.
    Core(Arc<Broker>),
}

impl Peer {
    fn broker(&self) -> &Arc<Broker> {
        match self {
            Self::Plugin(plugin) => plugin.broker(),
            Self::Core(broker) => broker,
        }
    }
}

/// The machine of a builder that lives in another program.
pub struct PluginCommunicator {
    client: Client,
    peer: Peer,
}

impl PluginCommunicator {
    /// Takes the stream on which a machine is served.
    pub(super) fn new(stream: MuxStream, peer: Peer) -> Self {
        Self { client: Client::new(stream, peer.broker().handle()), peer }
    }

    pub(super) async fn call(&self, method: &str, body: &Value) -> Outcome<Value> {
        match (self.client.call(method, body).await, &self.peer) {
            (Ok(answer), _) => Ok(answer),
            (Err(error), Peer::Plugin(plugin)) => Err(plugin.failure(error).await),
            (Err(error), Peer::Core(_)) => Err(Failure::new(error.to_string())),
        }
    }

    /// Makes a call, and does beside it what the call needs to end; a call that fails ends the other at once.
    async fn call_with<T>(&self, method: &str, body: &Value, beside: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let call = self.call(method, body);
        tokio::pin!(call, beside);
        let mut has_answered = false;
        let mut result = None;
        while !has_answered || result.is_none() {
            tokio::select! {
                answer = &mut call, if !has_answered => {
                    answer?;
                    has_answered = true;
                }
                ended = &mut beside, if result.is_none() => match ended {
                    Ok(value) => result = Some(value),
                    // The plugin's own word says more than a stream that broke off.
                    Err(failure) if has_answered => return Err(failure),
                    Err(failure) => {
                        call.await?;
                        return Err(failure);
                    }
                },
            }
        }
        result.ok_or_else(|| Failure::new("the plugin did not answer"))
    }

    pub(super) async fn start(&self, command: &str, pipes: Pipes) -> Outcome<i64> {
        let broker = self.peer.broker();
        let stdin = pipes.stdin.map(|stdin| (broker.expect(), stdin));
        let (stdout, stderr, response) = (broker.expect(), broker.expect(), broker.expect());
        let id = |expected: &Expected| Value::Uint(u64::from(expected.id));
        let body = Value::map([
            ("Command", Value::str(command)),
            ("StdinStreamId", stdin.as_ref().map_or(Value::Uint(0), |(expected, _)| id(expected))),
            ("StdoutStreamId", id(&stdout)),
            ("StderrStreamId", id(&stderr)),
            ("ResponseStreamId", id(&response)),
        ]);
        let feed = async {
            // A command may end without reading its input; that is its own affair.
            if let Some((expected, mut stdin)) = stdin
                && let Ok(stream) = expected.accept().await
            {
                while let Some(piece) = stdin.recv().await {
                    if stream.write(&piece).await.is_err() {
                        return;
                    }
                }
            }
        };
        let drain = async |expected: Expected, to: mpsc::Sender<Bytes>| {
            if let Ok(stream) = expected.accept().await {
                forward(&stream, &to).await;
            }
        };
        let status = async {
            let stream = response.accept().await.map_err(|lost| Failure::new(lost.to_string()))?;
            let bytes = read_all(&stream).await?;
            Ok::<_, Failure>(gob::read_exit_status(&bytes).unwrap_or(NO_STATUS))
        };
        let whole = async {
            let ended = async { tokio::join!(drain(stdout, pipes.stdout), drain(stderr, pipes.stderr), status).2 };
            // Who waits for the command does not wait for its input to end.
            tokio::pin!(ended, feed);
            tokio::select! {
                status = &mut ended => status,
                () = &mut feed => ended.await,
            }
        };
        self.call_with("Communicator.Start", &body, whole).await
    }

    pub(super) async fn upload(&self, source: FileSource<'_>, destination: &str) -> Outcome<()> {
        let reader = self.peer.broker().expect();
        let info = match source {
            FileSource::Path(path) => file_info(path).await?,
            FileSource::Bytes(_) => Value::Nil,
        };
        let body = Value::map([
            ("Path", Value::str(destination)),
            ("ReaderStreamId", Value::Uint(u64::from(reader.id))),
            ("FileInfo", info),
        ]);
        let send = async {
            let lost = |lost: super::mux::Lost| Failure::new(lost.to_string());
            let stream = reader.accept().await.map_err(lost)?;
            match source {
                FileSource::Bytes(bytes) => stream.write(bytes).await.map_err(lost)?,
                FileSource::Path(path) => {
                    let failed = |error: std::io::Error| {
                        Failure::new(error.to_string()).context(format!("reading {}", path.display()))
                    };
                    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
                    let mut buffer = vec![0; 64 * 1024];
                    loop {
                        let length = file.read(&mut buffer).await.map_err(failed)?;
                        if length == 0 {
                            break;
                        }
                        stream.write(&buffer[..length]).await.map_err(lost)?;
                    }
                }
            }
            stream.finish();
            Ok(())
        };
        self.call_with("Communicator.Upload", &body, send).await
    }

    async fn download(&self, source: &str, destination: &Path) -> Outcome<()> {
        let writer = self.peer.broker().expect();
        let body = Value::map([("Path", Value::str(source)), ("WriterStreamId", Value::Uint(u64::from(writer.id)))]);
        let receive = async {
            let failed = |error: std::io::Error| {
                Failure::new(error.to_string()).context(format!("writing {}", destination.display()))
            };
            let stream = writer.accept().await.map_err(|lost| Failure::new(lost.to_string()))?;
            let mut file = tokio::fs::File::create(destination).await.map_err(failed)?;
            while let Some(piece) = stream.read().await.map_err(|lost| Failure::new(lost.to_string()))? {
                file.write_all(&piece).await.map_err(failed)?;
            }
            file.flush().await.map_err(failed)
        };
        self.call_with("Communicator.Download", &body, receive).await
    }

    async fn folder(&self, method: &str, source: &str, destination: &str) -> Outcome<()> {
        let body = Value::map([("Dst", Value::str(destination)), ("Src", Value::str(source)), ("Exclude", Value::Nil)]);
        self.call(method, &body).await.map(|_| ())
    }

    async fn run_to_output(&self, ctx: &NodeContext, command: &str) -> Outcome<i64> {
        let (stdout, mut out) = mpsc::channel::<Bytes>(PIECES);
        let (stderr, mut err) = mpsc::channel::<Bytes>(PIECES);
        let show = async {
            let mut output = ctx.output.command();
            loop {
                tokio::select! {
                    Some(piece) = out.recv() => output.stdout(&piece).await,
                    Some(piece) = err.recv() => output.stderr(&piece).await,
                    else => break,
                }
            }
            output.finish().await;
        };
        let (status, ()) = tokio::join!(self.start(command, Pipes { stdin: None, stdout, stderr }), show);
        status
    }

    async fn script(&self, ctx: &NodeContext, script: RemoteScript<'_>, accepted: &[i64]) -> Outcome<i64> {
        let RemoteScript { path, content, command, is_kept, patience: _ } = script;
        self.upload(FileSource::Bytes(content), path)
            .await
            .map_err(|failure| failure.context(format!("uploading {path}")))?;
        match self.run_to_output(ctx, &format!("chmod 0755 {path}")).await? {
            0 => {}
            status => {
                return Err(Failure::new(format!("chmod ended with status {status}"))
                    .context(format!("making {path} executable")));
            }
        }
        let status = self.run_to_output(ctx, command).await?;
        if !is_kept && accepted.contains(&status) {
            match self.run_to_output(ctx, &format!("rm -f {path}")).await? {
                0 => {}
                status => {
                    return Err(
                        Failure::new(format!("rm ended with status {status}")).context(format!("removing {path}"))
                    );
                }
            }
        }
        Ok(status)
    }
}

/// Reads a stream to its end; for what is short.
pub(super) async fn read_all(stream: &MuxStream) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.read().await.map_err(|lost| Failure::new(lost.to_string()))? {
        bytes.extend(&piece);
    }
    Ok(bytes)
}

/// Describes a file as Go does: its name, size, mode and time.
async fn file_info(path: &Path) -> Outcome<Value> {
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context(format!("reading {}", path.display()));
    let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default();
    let mut time = modified.subsec_nanos().to_be_bytes().to_vec();
    time.extend(modified.as_secs().cast_signed().to_be_bytes());
    Ok(Value::map([
        ("N", Value::str(path.file_name().unwrap_or_default().to_string_lossy())),
        ("S", Value::Int(i64::try_from(metadata.len()).unwrap_or(i64::MAX))),
        ("M", Value::Uint(u64::from(mode(&metadata)))),
        ("T", Value::Ext(-1, time)),
    ]))
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(metadata: &std::fs::Metadata) -> u32 {
    if metadata.permissions().readonly() { 0o444 } else { 0o644 }
}

/// Stops waiting when the node is told to stop.
async fn until_cancelled<T>(ctx: &NodeContext, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::select! {
        ended = work => ended,
        () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
    }
}

impl Communicator for PluginCommunicator {
    fn run<'a>(&'a self, ctx: &'a NodeContext, command: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        until_cancelled(ctx, self.run_to_output(ctx, command)).boxed()
    }

    fn is_gone(&self) -> bool {
        self.peer.broker().mux().is_closed()
    }

    fn gone(&self) -> BoxFuture<'_, Failure> {
        async move {
            self.peer.broker().mux().closed().await;
            match &self.peer {
                Peer::Plugin(plugin) => plugin.failure(Lost("the machine is gone".to_owned()).into()).await,
                Peer::Core(_) => Failure::new("the core has gone"),
            }
        }
        .boxed()
    }

    fn run_piped<'a>(&'a self, ctx: &'a NodeContext, command: &'a str, pipes: Pipes) -> BoxFuture<'a, Outcome<i64>> {
        until_cancelled(ctx, self.start(command, pipes)).boxed()
    }

    fn run_script<'a>(
        &'a self,
        ctx: &'a NodeContext,
        script: RemoteScript<'a>,
        accepted: &'a [i64],
    ) -> BoxFuture<'a, Outcome<i64>> {
        until_cancelled(ctx, self.script(ctx, script, accepted)).boxed()
    }

    fn upload_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: FileSource<'a>,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        until_cancelled(ctx, self.upload(source, destination)).boxed()
    }

    fn upload_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        until_cancelled(ctx, self.folder("Communicator.UploadDir", source, destination)).boxed()
    }

    fn download_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        until_cancelled(ctx, self.download(source, destination)).boxed()
    }

    fn download_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let destination = destination.to_string_lossy();
            until_cancelled(ctx, self.folder("Communicator.DownloadDir", source, &destination)).await
        }
        .boxed()
    }
}
