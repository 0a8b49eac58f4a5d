//! Commands and files to and from a machine, through its SSH server.
//!
//! | file | holds |
//! | --- | --- |
//! | `config.rs` | what the options ask for, and what is wrong with them |
//! | `identity.rs` | keys and certificates from files |
//! | `wait.rs` | waiting for a machine that is not up yet |
//! | `client.rs` | the way to the host, the handshake, the tunnels |
//! | `login.rs` | logging in, by each way in turn |
//! | `host_key.rs` | which host keys are trusted |
//! | `socks.rs` | a connection through a SOCKS5 proxy |
//! | `stream.rs` | a connection that can be ended from outside |
//! | `tunnel.rs` | ports that lead through the connection |
//! | `command.rs` | one command |
//! | `scp.rs` | files, by the machine's `scp` |
//! | `sftp.rs` | files, by the server's SFTP subsystem |
//! | `local.rs` | this machine's files, as transfers need them |
//!
//! # What stays when the connection does not
//!
//! A machine restarts, and its connections go. What was running then ends with the status
//! [`DISCONNECTED`](super::DISCONNECTED). Whatever comes next connects anew, once, with its tunnels; while the machine
//! is not up, that fails with a failure that may pass, and who has time tries again.

mod client;
mod command;
pub(crate) mod config;
mod host_key;
mod identity;
mod local;
mod login;
mod scp;
pub(crate) mod sftp;
mod socks;
mod stream;
mod tunnel;
mod wait;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use russh::Channel;
use russh::client::Msg;
use tokio::sync::Mutex;

use self::client::{Connection, Miss, Stage, limited};
use self::config::Transfer;
pub(crate) use self::config::{Login, SshConfig, check};
use self::host_key::HostKeys;
pub(crate) use self::identity::read_identity;
use self::sftp::Sftp;
use super::patience::patiently;
use super::{Communicator, FileSource, RemoteScript};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// A machine as provisioners see it.
pub struct SshCommunicator {
    config: SshConfig,
    host_keys: Arc<HostKeys>,
    current: Mutex<Option<Arc<Connection>>>,
}

impl SshCommunicator {
    /// Waits for a machine and logs in to it.
    ///
    /// # Errors
    ///
    /// Fails if the machine does not answer in time, refuses the login, or shows a host key that is not trusted.
    pub(crate) async fn connect(ctx: &NodeContext, config: SshConfig) -> Outcome<Self> {
        let host_keys = Arc::new(HostKeys::new(config.known_hosts.clone()));
        let connection = wait::wait(&config, &host_keys, ctx).await?;
        Ok(Self { config, host_keys, current: Mutex::new(Some(Arc::new(connection))) })
    }

    /// Ends the connection, and with it the tunnels.
    pub(crate) async fn close(&self) {
        if let Some(connection) = self.current.lock().await.take().and_then(Arc::into_inner) {
            connection.close().await;
        }
    }

    /// Returns what templates may ask of the connection.
    pub(crate) fn data(&self) -> BTreeMap<String, String> {
        self.config.data()
    }

    /// Opens a session, on a fresh connection if the last one is gone.
    async fn session(&self, ctx: &NodeContext) -> Outcome<(Arc<Connection>, Channel<Msg>)> {
        let open = async {
            let mut current = self.current.lock().await;
            if let Some(connection) = current.as_ref().filter(|connection| !connection.is_closed())
                && let Ok(channel) = limited(connection.handle.channel_open_session()).await
            {
                return Ok((Arc::clone(connection), channel));
            }
            // Its tunnels must be gone before their like are opened.
            drop(current.take());
            let connected = client::connect(&self.config, &self.host_keys, ctx, &Stage::default()).await;
            let connection = connected.map(Arc::new).map_err(|miss| match miss {
                Miss::Passing(failure) | Miss::Refused(failure) => {
                    failure.context("the connection to the machine was lost, and there is no new one").may_pass()
                }
                Miss::Lasting(failure) => failure.context("the connection to the machine was lost"),
            })?;
            *current = Some(Arc::clone(&connection));
            let channel = limited(connection.handle.channel_open_session()).await.map_err(Failure::may_pass)?;
            Ok((connection, channel))
        };
        until_cancelled(ctx, open).await
    }

    async fn must_run(&self, ctx: &NodeContext, command: &str) -> Outcome<()> {
        match self.run(ctx, command).await? {
            0 => Ok(()),
            super::DISCONNECTED => Err(Failure::new("the connection was lost").may_pass()),
            status => Err(Failure::new(format!("the command ended with status {status}")).exit_status(status)),
        }
    }
}

/// A server that files are put on, for those who need no machine.
pub(crate) struct FileServer {
    connection: Connection,
    /// The way to its files.
    pub(crate) sftp: Sftp,
}

impl FileServer {
    /// Connects once, without waiting for a server that is not there.
    ///
    /// # Errors
    ///
    /// Fails with a failure that may pass if the server does not answer, and with another if it refuses.
    pub(crate) async fn connect(ctx: &NodeContext, config: &SshConfig) -> Outcome<Self> {
        let open = async {
            let host_keys = Arc::new(HostKeys::new(config.known_hosts.clone()));
            let connected = client::connect(config, &host_keys, ctx, &Stage::default()).await;
            let connection = connected.map_err(|miss| match miss {
                Miss::Passing(failure) => failure.may_pass(),
                Miss::Refused(failure) | Miss::Lasting(failure) => failure,
            })?;
            let channel = limited(connection.handle.channel_open_session()).await.map_err(Failure::may_pass)?;
            Ok(Self { sftp: Sftp::start(ctx, channel).await?, connection })
        };
        until_cancelled(ctx, open).await
    }

    /// Runs a command and returns what it printed; none if the server runs no commands, or not this one.
    pub(crate) async fn ask(&self, command: &str) -> Option<String> {
        let channel = limited(self.connection.handle.channel_open_session()).await.ok()?;
        command::ask(channel, command).await
    }
}

async fn until_cancelled<T>(ctx: &NodeContext, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::select! {
        done = work => done,
        () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
    }
}

impl Communicator for SshCommunicator {
    fn run<'a>(&'a self, ctx: &'a NodeContext, command: &'a str) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            let (connection, channel) = self.session(ctx).await?;
            command::run(&connection, channel, ctx, command, self.config.has_terminal).await
        }
        .boxed()
    }

    fn run_script<'a>(
        &'a self,
        ctx: &'a NodeContext,
        script: RemoteScript<'a>,
        accepted: &'a [i64],
    ) -> BoxFuture<'a, Outcome<i64>> {
        async move {
            self.upload_file(ctx, FileSource::Bytes(script.content), script.path).await?;
            let path = scp::escaped(script.path);
            self.must_run(ctx, &format!("chmod 0755 {path}"))
                .await
                .map_err(|failure| failure.context(format!("making {} executable", script.path)))?;
            let status = self.run(ctx, script.command).await?;
            if accepted.contains(&status) && !script.is_kept {
                let command = format!("rm -f {path}");
                patiently(ctx, script.patience, || self.must_run(ctx, &command).boxed())
                    .await
                    .map_err(|failure| failure.context(format!("removing {}", script.path)))?;
            }
            Ok(status)
        }
        .boxed()
    }

    fn upload_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: FileSource<'a>,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let (connection, channel) = self.session(ctx).await?;
            let moved = match self.config.transfer {
                Transfer::Scp => scp::upload_file(&connection, channel, ctx, source, destination).await,
                Transfer::Sftp => {
                    until_cancelled(ctx, async {
                        Sftp::start(ctx, channel).await?.upload_file(source, destination).await
                    })
                    .await
                }
            };
            moved.map_err(|failure| failure.context(format!("uploading to {destination} on the machine")))
        }
        .boxed()
    }

    fn upload_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let (connection, channel) = self.session(ctx).await?;
            let moved = match self.config.transfer {
                Transfer::Scp => scp::upload_folder(&connection, channel, ctx, source, destination).await,
                Transfer::Sftp => {
                    until_cancelled(ctx, async {
                        Sftp::start(ctx, channel).await?.upload_folder(source, destination).await
                    })
                    .await
                }
            };
            moved.map_err(|failure| failure.context(format!("uploading {source} to {destination} on the machine")))
        }
        .boxed()
    }

    fn download_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let (connection, channel) = self.session(ctx).await?;
            let moved = match self.config.transfer {
                Transfer::Scp => scp::download_file(&connection, channel, ctx, source, destination).await,
                Transfer::Sftp => {
                    until_cancelled(ctx, async {
                        Sftp::start(ctx, channel).await?.download_file(source, destination).await
                    })
                    .await
                }
            };
            moved.map_err(|failure| failure.context(format!("downloading {source} from the machine")))
        }
        .boxed()
    }

    fn download_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let (connection, channel) = self.session(ctx).await?;
            // Packer takes `scp` for this however files travel.
            scp::download_folder(&connection, channel, ctx, source, destination)
                .await
                .map_err(|failure| failure.context(format!("downloading {source} from the machine")))
        }
        .boxed()
    }
}
