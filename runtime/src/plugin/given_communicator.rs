//! A machine as a plugin's provisioner sees it: the service `Communicator`, on top of any communicator of rpk.
//!
//! A command is answered for as soon as it has started and goes on beside the provisioner's other calls. What runs so
//! is handed out of the service, to whoever awaits the provisioner: it borrows the machine and cannot be spawned.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::communicator::read_all;
use super::gob;
use super::msgpack::Value;
use super::mux::MuxStream;
use super::rpc::{Broker, Service, unknown};
use super::ui;
use crate::communicator::{Communicator, DISCONNECTED, FileSource, Pipes};
use crate::context::NodeContext;
use crate::failure::{Failure, FailureKind, Outcome};

/// How many pieces of output may wait.
const PIECES: usize = 16;

/// A machine that is given to a plugin.
pub(super) struct GivenCommunicator<'a> {
    pub ctx: &'a NodeContext,
    pub communicator: &'a dyn Communicator,
    pub broker: Arc<Broker>,
    /// Takes the commands that run.
    pub commands: mpsc::UnboundedSender<BoxFuture<'a, ()>>,
}

impl<'a> GivenCommunicator<'a> {
    async fn answer(&self, method: &str, body: &Value) -> Outcome<()> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match method {
            "Start" => self.start(text("Command"), body).await,
            "Upload" => self.upload(&text("Path"), body).await,
            "Download" => self.download(&text("Path"), body).await,
            "UploadDir" => self.communicator.upload_folder(self.ctx, &text("Src"), &text("Dst")).await,
            "DownloadDir" => {
                let destination = text("Dst");
                tokio::fs::create_dir_all(&destination)
                    .await
                    .map_err(|error| Failure::new(error.to_string()).context(format!("making {destination}")))?;
                self.communicator.download_folder(self.ctx, &text("Src"), Path::new(&destination)).await
            }
            _ => Err(Failure::new(unknown(&format!("Communicator.{method}")))),
        }
    }

    async fn dial(&self, body: &Value, name: &str) -> Outcome<Option<MuxStream>> {
        match body.get(name).and_then(Value::as_u32).unwrap_or_default() {
            0 => Ok(None),
            id => self.broker.dial(id).await.map(Some).map_err(|lost| Failure::new(lost.to_string())),
        }
    }

    async fn start(&self, command: String, body: &Value) -> Outcome<()> {
        // In this order, as the other side waits for them.
        let stdin = self.dial(body, "StdinStreamId").await?;
        let stdout = self.dial(body, "StdoutStreamId").await?;
        let stderr = self.dial(body, "StderrStreamId").await?;
        let Some(response) = self.dial(body, "ResponseStreamId").await? else {
            return Err(Failure::new("the plugin does not wait for the command's end"));
        };
        let (ctx, communicator) = (self.ctx, self.communicator);
        let run = async move {
            let (out, out_pieces) = mpsc::channel(PIECES);
            let (err, err_pieces) = mpsc::channel(PIECES);
            let (input, input_pieces) = mpsc::channel(PIECES);
            let has_input = stdin.is_some();
            let feed = async move {
                if let Some(stdin) = &stdin {
                    super::rpc::forward(stdin, &input).await;
                }
            };
            let pipes = Pipes { stdin: has_input.then_some(input_pieces), stdout: out, stderr: err };
            let run = async {
                let ended = communicator.run_piped(ctx, &command, pipes).await;
                let status = match ended {
                    Ok(status) => status,
                    Err(failure) => {
                        if failure.kind == FailureKind::Failed {
                            ctx.complain(failure.to_string()).await;
                        }
                        DISCONNECTED
                    }
                };
                // A plugin that has gone does not want to know.
                let _ = response.write(&gob::exit_status(status)).await;
                response.finish();
            };
            let whole = async { tokio::join!(run, pour(out_pieces, stdout), pour(err_pieces, stderr)) };
            tokio::pin!(whole, feed);
            tokio::select! {
                _ = &mut whole => {}
                () = &mut feed => {
                    whole.await;
                }
            }
        };
        self.commands.send(run.boxed()).map_err(|_| Failure::new("the provisioner has ended"))
    }

    async fn upload(&self, path: &str, body: &Value) -> Outcome<()> {
        let Some(stream) = self.dial(body, "ReaderStreamId").await? else {
            return Err(Failure::new("the plugin sends nothing to upload"));
        };
        let info = body.get("FileInfo").filter(|info| **info != Value::Nil);
        let Some(info) = info else {
            let bytes = read_all(&stream).await?;
            return self.communicator.upload_file(self.ctx, FileSource::Bytes(&bytes), path).await;
        };
        let failed = |error: std::io::Error| Failure::new(error.to_string()).context("keeping what is uploaded");
        let folder = tempfile::tempdir().map_err(failed)?;
        let name = info.get("N").and_then(Value::as_str).and_then(|name| Path::new(name).file_name());
        let file_path = folder.path().join(name.unwrap_or("file".as_ref()));
        let mut file = tokio::fs::File::create(&file_path).await.map_err(failed)?;
        while let Some(piece) = stream.read().await.map_err(|lost| Failure::new(lost.to_string()))? {
            file.write_all(&piece).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        restrict(&file, info.get("M").and_then(Value::as_u32).unwrap_or(0o644)).await.map_err(failed)?;
        self.communicator.upload_file(self.ctx, FileSource::Path(&file_path), path).await
    }

    async fn download(&self, path: &str, body: &Value) -> Outcome<()> {
        let Some(stream) = self.dial(body, "WriterStreamId").await? else {
            return Err(Failure::new("the plugin takes nothing that is downloaded"));
        };
        let failed = |error: std::io::Error| Failure::new(error.to_string()).context("keeping what is downloaded");
        let folder = tempfile::tempdir().map_err(failed)?;
        let file_path = folder.path().join("file");
        self.communicator.download_file(self.ctx, path, &file_path).await?;
        let mut file = tokio::fs::File::open(&file_path).await.map_err(failed)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = tokio::io::AsyncReadExt::read(&mut file, &mut buffer).await.map_err(failed)?;
            if length == 0 {
                break;
            }
            stream.write(&buffer[..length]).await.map_err(|lost| Failure::new(lost.to_string()))?;
        }
        stream.finish();
        Ok(())
    }
}

#[cfg(unix)]
async fn restrict(file: &tokio::fs::File, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(mode & 0o777)).await
}

#[cfg(not(unix))]
async fn restrict(_: &tokio::fs::File, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// Sends pieces to a stream, if there is one, until there are no more.
async fn pour(mut pieces: mpsc::Receiver<Bytes>, stream: Option<MuxStream>) {
    while let Some(piece) = pieces.recv().await {
        if let Some(stream) = &stream {
            // A plugin that has gone does not want it; the command goes on.
            let _ = stream.write(&piece).await;
        }
    }
    if let Some(stream) = stream {
        stream.finish();
    }
}

impl Service for GivenCommunicator<'_> {
    fn call<'b>(&'b self, method: &'b str, body: Value) -> BoxFuture<'b, Result<Value, String>> {
        async move {
            match method.rsplit_once('.') {
                Some(("Communicator", method)) => {
                    self.answer(method, &body).await.map(|()| Value::Nil).map_err(|failure| failure.to_string())
                }
                Some(("Ui", method)) => ui::answer(self.ctx, method, &body).await,
                _ => Err(unknown(method)),
            }
        }
        .boxed()
    }
}
