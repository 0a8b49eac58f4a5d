//! From a configuration to a connection: the way to the host, the handshake, the login, the tunnels.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, Disconnect, Error as SshError, Preferred};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::{Login, Route, SshConfig};
use super::host_key::HostKeys;
use super::stream::Watched;
use super::tunnel::{self, Tunnel};
use super::{login, socks};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// How long a TCP connection may take.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// How long the handshake may take, and the login.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// How long a host may be silent in spite of signs of life before it counts as gone.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// How long saying goodbye may take.
const GOODBYE_LIMIT: Duration = Duration::from_secs(2);

/// Why there is no connection.
pub(super) enum Miss {
    /// There may be one later: the host is not up yet.
    Passing(Failure),
    /// The host answers and refuses; it may have to be set up first, but not for ever.
    Refused(Failure),
    /// There will be none.
    Lasting(Failure),
}

/// What a connection attempt is busy with, for a message when time is up.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<String>>);

impl Stage {
    fn enter(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Tells what it is.
    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The other end of a connection, as its events come in.
pub(crate) struct Peer {
    host: String,
    port: u16,
    host_keys: Arc<HostKeys>,
    /// The key that was shown, and why it was refused.
    shown: Arc<Mutex<Shown>>,
    remote_tunnels: Vec<Tunnel>,
    forwards_agent: bool,
    stop: CancellationToken,
}

#[derive(Default)]
struct Shown {
    key: Option<PublicKey>,
    refusal: Option<Failure>,
    goodbye: Option<String>,
}

impl client::Handler for Peer {
    type Error = SshError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        let key = shown.public_key();
        let judged = self.host_keys.judge(&self.host, self.port, &key);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.key = Some(key);
        shown.refusal = judged.err();
        Ok(shown.refusal.is_none())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), SshError> {
        // Dropping the reply refuses.
        if let Some(tunnel) = self.remote_tunnels.iter().find(|tunnel| u32::from(tunnel.port) == port) {
            tunnel::lead(tunnel.clone(), channel, reply, self.stop.clone());
        }
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), SshError> {
        if self.forwards_agent {
            tunnel::lead_to_agent(channel, reply, self.stop.clone());
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SshError>) -> Result<(), SshError> {
        let text = match reason {
            DisconnectReason::ReceivedDisconnect(told) => told.message,
            DisconnectReason::Error(SshError::HUP | SshError::Disconnect) => String::new(),
            DisconnectReason::Error(error) => error.to_string(),
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.goodbye = Some(text).filter(|text| !text.is_empty());
        Ok(())
    }
}

/// A connection to a machine. Everything that belongs to it ends when it is dropped.
pub(crate) struct Connection {
    /// The way to open channels.
    pub(super) handle: Arc<Handle<Peer>>,
    shown: Arc<Mutex<Shown>>,
    agent_is_due: AtomicBool,
    /// The host in between; dropped after what goes through it.
    bastion: Option<Box<Connection>>,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Connection {
    /// Tells whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Says why it has ended, as a cause for a message.
    pub(super) fn end(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.goodbye.clone().unwrap_or_else(|| "the connection was closed by the machine".to_owned())
    }

    /// Tells, once, that the agent is to be offered to the machine.
    pub(super) fn takes_agent(&self) -> bool {
        self.agent_is_due.swap(false, Ordering::Relaxed)
    }

    /// Says goodbye to all hosts.
    pub(super) async fn close(self) {
        let goodbye = async {
            let mut connection = Some(&self);
            while let Some(current) = connection {
                // A host that is gone needs no goodbye.
                let _ = current.handle.disconnect(Disconnect::ByApplication, "", "").await;
                connection = current.bastion.as_deref();
            }
        };
        // What has been queued is sent by another task; dropping the connection would stop it.
        let sent = async {
            goodbye.await;
            while !self.handle.is_closed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(GOODBYE_LIMIT, sent).await;
    }
}

/// Connects and logs in.
pub(super) async fn connect(
    config: &SshConfig,
    host_keys: &Arc<HostKeys>,
    ctx: &NodeContext,
    stage: &Stage,
) -> Result<Connection, Miss> {
    let target = &config.target;
    let connector = Connector { config, host_keys, ctx, stage };
    let connection = match &config.route {
        Route::Direct => {
            let stream = connector.dial(&target.host, target.port, "").await?;
            connector.enter(stream, target, None, true).await?
        }
        Route::Proxy(proxy) => {
            let mut stream = connector.dial(&proxy.host, proxy.port, "the proxy ").await?;
            stage.enter(format!("asking the proxy {}:{} for {}:{}", proxy.host, proxy.port, target.host, target.port));
            let asked = socks::connect(&mut stream, &target.host, target.port, proxy.credentials.as_ref());
            let asked = tokio::time::timeout(DIAL_LIMIT, asked).await.unwrap_or_else(|_| Err(too_late()));
            asked.map_err(|error| Miss::Passing(Failure::new(error.to_string()).context(stage.text())))?;
            connector.enter(stream, target, None, true).await?
        }
        Route::Bastion(bastion) => {
            let stream = connector.dial(&bastion.host, bastion.port, "the bastion host ").await?;
            let bastion = connector.enter(stream, bastion, None, false).await?;
            stage.enter(format!("connecting to {}:{} from the bastion host", target.host, target.port));
            let port = u32::from(target.port);
            let opened = bastion.handle.channel_open_direct_tcpip(target.host.as_str(), port, "127.0.0.1", 0);
            let opened = tokio::time::timeout(DIAL_LIMIT, opened).await;
            let channel = match opened {
                Err(_) => return Err(Miss::Passing(Failure::new(too_late().to_string()).context(stage.text()))),
                Ok(Err(error)) => return Err(Miss::Passing(Failure::new(error.to_string()).context(stage.text()))),
                Ok(Ok(channel)) => channel,
            };
            connector.enter(channel.into_stream(), target, Some(Box::new(bastion)), true).await?
        }
    };
    stage.enter("opening the tunnels".to_owned());
    connector.open_tunnels(connection).await
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", DIAL_LIMIT.as_secs()))
}

struct Connector<'a> {
    config: &'a SshConfig,
    host_keys: &'a Arc<HostKeys>,
    ctx: &'a NodeContext,
    stage: &'a Stage,
}

impl Connector<'_> {
    async fn dial(&self, host: &str, port: u16, what: &str) -> Result<TcpStream, Miss> {
        self.stage.enter(format!("connecting to {what}{host}:{port}"));
        let dialled = tokio::time::timeout(DIAL_LIMIT, TcpStream::connect((host, port))).await;
        let stream = dialled
            .unwrap_or_else(|_| Err(too_late()))
            .map_err(|error| Miss::Passing(Failure::new(error.to_string()).context(self.stage.text())))?;
        // Without it, small messages are slower and nothing else is.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn enter<S>(
        &self,
        stream: S,
        login: &Login,
        bastion: Option<Box<Connection>>,
        is_target: bool,
    ) -> Result<Connection, Miss>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (host, port) = (login.host.as_str(), login.port);
        self.stage.enter(format!("waiting for the SSH server of {host}:{port} to answer"));
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let shown = Arc::<Mutex<Shown>>::default();
        let peer = Peer {
            host: host.to_owned(),
            port,
            host_keys: Arc::clone(self.host_keys),
            shown: Arc::clone(&shown),
            remote_tunnels: if is_target { self.config.remote_tunnels.clone() } else { Vec::new() },
            forwards_agent: is_target && self.config.forwards_agent,
            stop: stop.clone(),
        };
        let watched = Watched::new(stream, stop.clone(), self.config.silence);
        let connecting = client::connect_stream(Arc::new(self.client_config(host, port)), watched, peer);
        let connected = tokio::time::timeout(HANDSHAKE_LIMIT, connecting).await;
        let refusal = shown.lock().unwrap_or_else(PoisonError::into_inner).refusal.take();
        let mut handle = match (connected, refusal) {
            (_, Some(refusal)) => return Err(Miss::Lasting(refusal)),
            (Err(_), None) => return Err(Miss::Passing(self.silent())),
            (Ok(Err(error)), None) => return Err(self.explain(&error, host, port)),
            (Ok(Ok(handle)), None) => handle,
        };
        self.stage.enter(format!("logging in to {host}:{port} as {}", login.user));
        let logged_in = tokio::time::timeout(HANDSHAKE_LIMIT, login::log_in(&mut handle, login, self.ctx)).await;
        match logged_in {
            Err(_) => return Err(Miss::Passing(self.silent())),
            Ok(Err(failure)) => {
                let goodbye = shown.lock().unwrap_or_else(PoisonError::into_inner).goodbye.clone();
                let failure = failure.context(self.stage.text());
                return Err(Miss::Refused(match goodbye {
                    Some(text) => Failure { chain: [failure.chain, vec![text]].concat(), ..failure },
                    None => failure,
                }));
            }
            Ok(Ok(())) => {}
        }
        let key = shown.lock().unwrap_or_else(PoisonError::into_inner).key.clone();
        if let Some(key) = key {
            self.host_keys.remember(host, port, &key);
        }
        let has_agent = std::env::var_os("SSH_AUTH_SOCK").is_some_and(|path| !path.is_empty());
        Ok(Connection {
            handle: Arc::new(handle),
            shown,
            agent_is_due: AtomicBool::new(is_target && self.config.forwards_agent && has_agent),
            bastion,
            stop,
            _guard: guard,
        })
    }

    fn silent(&self) -> Failure {
        Failure::new(format!("it has said nothing for {} s", HANDSHAKE_LIMIT.as_secs())).context(self.stage.text())
    }

    fn explain(&self, error: &SshError, host: &str, port: u16) -> Miss {
        let failure = |text: String| Failure::new(text).context(self.stage.text());
        match error {
            SshError::NoCommonAlgo { kind, ours, theirs } => Miss::Lasting(
                Failure::new(format!(
                    "{host}:{port} shares no algorithm with rpk ({kind:?}): it has {}, and is offered {}",
                    theirs.join(", "),
                    ours.join(", ")
                ))
                .help("see `ssh_ciphers` and `ssh_key_exchange_algorithms`, or the server's configuration"),
            ),
            SshError::Version => Miss::Passing(failure("what answers is no SSH server".to_owned())),
            SshError::HUP | SshError::Disconnect => Miss::Passing(failure("it hung up".to_owned())),
            SshError::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Miss::Passing(failure("it hung up".to_owned()))
            }
            error => Miss::Passing(failure(error.to_string())),
        }
    }

    fn client_config(&self, host: &str, port: u16) -> client::Config {
        let config = self.config;
        let mut preferred = Preferred { cipher: Cow::Owned(config.ciphers.clone()), ..Preferred::DEFAULT };
        if !config.key_exchange.is_empty() {
            // The library puts its extensions' names, which stand for no algorithm, into the same list.
            let extensions = Preferred::DEFAULT.kex.iter().filter(|name| {
                let name: &str = name.as_ref();
                name.starts_with("ext-info") || name.starts_with("kex-strict")
            });
            preferred.kex = config.key_exchange.iter().chain(extensions).copied().collect();
        }
        if let Some(algorithms) = self.host_keys.algorithms(host, port) {
            preferred.key = Cow::Owned(algorithms);
        }
        let missed = config.keep_alive.map_or(1, |interval| SILENCE_LIMIT.as_millis() / interval.as_millis().max(1));
        client::Config {
            preferred,
            keepalive_interval: config.keep_alive,
            keepalive_max: usize::try_from(missed).unwrap_or(usize::MAX).max(3),
            nodelay: true,
            ..client::Config::default()
        }
    }

    async fn open_tunnels(&self, connection: Connection) -> Result<Connection, Miss> {
        for tunnel in &self.config.local_tunnels {
            let stop = connection.stop.clone();
            tunnel::listen(tunnel, Arc::clone(&connection.handle), stop).await.map_err(|error| {
                let failure =
                    Failure::new(error.to_string()).context(format!("listening on 127.0.0.1:{}", tunnel.port));
                Miss::Lasting(failure.help("use another port in `ssh_local_tunnels`"))
            })?;
        }
        for tunnel in &self.config.remote_tunnels {
            let port = u32::from(tunnel.port);
            connection.handle.tcpip_forward("localhost", port).await.map_err(|error| {
                let failure =
                    Failure::new(error.to_string()).context(format!("listening on port {port} of the machine"));
                Miss::Refused(failure.help("see whether the port is free there, and whether its server allows tunnels"))
            })?;
        }
        Ok(connection)
    }
}

/// Runs a step of the protocol that a dead host would never answer.
pub(super) async fn limited<T>(step: impl Future<Output = Result<T, SshError>>) -> Outcome<T> {
    match tokio::time::timeout(HANDSHAKE_LIMIT, step).await {
        Ok(done) => done.map_err(|error| Failure::new(error.to_string())),
        Err(_) => Err(Failure::new(format!("the machine has said nothing for {} s", HANDSHAKE_LIMIT.as_secs()))),
    }
}
