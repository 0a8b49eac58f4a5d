//! One plugin process: started, connected to, called, ended.
//!
//! A process serves one component. It runs in a process group of its own, so that an interrupt on the terminal does
//! not reach it and that what it has started ends with it. If rpk dies, the plugin sees its connection closed, cleans
//! up and ends by itself.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::host::Ground;
use super::log::Log;
use super::msgpack::Value;
use super::mux::{Mux, Side};
use super::rpc::{Broker, CallError, Client};
use crate::failure::{Failure, Outcome};

/// Tells a plugin that it was not started by mistake.
pub(super) const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// How long a plugin may take to say where it listens.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);

/// How long a plugin may take to end after its connection was closed.
pub(super) const END_LIMIT: Duration = Duration::from_secs(3);

/// The longest first line that is read.
const LINE_LIMIT: usize = 64 * 1024;

/// How a component's process is started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Launch {
    /// What it is called in messages, such as "builder `docker` (packer-plugin-docker 1.1.0)".
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether it describes its options in protobuf; in gob otherwise.
    pub is_protobuf: bool,
}

/// A running plugin.
pub struct Plugin {
    launch: Launch,
    ground: Ground,
    broker: Arc<Broker>,
    component: Client,
    log: Log,
    ended: watch::Receiver<Option<String>>,
    group: Pid,
}

impl Plugin {
    /// Starts a plugin; to be awaited where the host's tasks run.
    pub(super) async fn start(launch: Launch, ground: Ground) -> Outcome<Self> {
        let whole = launch.name.clone();
        Self::try_start(launch, ground).await.map_err(|failure| failure.context(format!("starting {whole}")))
    }

    async fn try_start(launch: Launch, ground: Ground) -> Outcome<Self> {
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let parts = launch.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.take(3).collect();
        let (log, stderr) = Log::begin(&ground.logs, &parts.join("-"));
        command.stderr(stderr);
        command.process_group(0).kill_on_drop(true);
        command.env("PACKER_PLUGIN_MAGIC_COOKIE", COOKIE);
        command.env("PACKER_PLUGIN_MIN_PORT", "10000").env("PACKER_PLUGIN_MAX_PORT", "25000");
        command.env("PACKER_RUN_UUID", &*ground.run_id);
        if std::env::var_os("CHECKPOINT_DISABLE").is_none() {
            command.env("CHECKPOINT_DISABLE", "1");
        }
        let mut child = command.spawn().map_err(|error| {
            Failure::new(error.to_string()).context(format!("cannot run {}", launch.program.display()))
        })?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| Failure::new("it ended at once"))?;
        let stdout = child.stdout.take();
        let mut stdout = BufReader::new(stdout.ok_or_else(|| Failure::new("it has no output"))?);
        let mut first = Vec::new();
        let handshake = async {
            let (broker, component) = {
                tokio::time::timeout(HANDSHAKE_LIMIT, read_line(&mut stdout, &mut first))
                    .await
                    .map_err(|_| Failure::new("it has not said for a minute where it listens"))??;
                let address = Address::parse(&String::from_utf8_lossy(&first))?;
                connect(&address, &ground).await?
            };
            Ok::<_, Failure>((broker, component))
        };
        let connected = tokio::select! {
            connected = handshake => connected,
            ended = child.wait() => {
                Err(Failure::new(format!("it ended before it said where it listens: {}", words(ended))))
            }
        };
        let (broker, component) = match connected {
            Ok(connected) => connected,
            Err(failure) => {
                let _ = kill_process_group(group, Signal::KILL);
                return Err(told(failure, &log));
            }
        };
        // What it prints later means nothing, but must not fill the pipe.
        ground.handle.spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        let (end, ended) = watch::channel(None);
        ground.handle.spawn(watch_over(child, group, end, broker.mux().clone()));
        ground.living.add(group, broker.mux().clone(), ended.clone());
        Ok(Self { launch, ground, broker, component, log, ended, group })
    }

    /// Returns the numbers and streams of its connection.
    #[must_use]
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// Returns how it was started.
    #[must_use]
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Calls a method of its component.
    ///
    /// # Errors
    ///
    /// Fails if the plugin says no, or is gone; then the failure says how it ended.
    pub async fn call(&self, method: &str, body: &Value) -> Outcome<Value> {
        match self.component.call(method, body).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failure(error).await),
        }
    }

    /// Says in words why a call had no result.
    pub async fn failure(&self, error: CallError) -> Failure {
        let lost = match error {
            CallError::Refused(text) => return Failure::new(text.trim().to_owned()),
            CallError::Lost(lost) => lost,
        };
        let how = self.end().await.unwrap_or_else(|| lost.to_string());
        let failure = Failure::new(format!("{} ended unexpectedly: {how}", self.launch.name));
        told(failure, &self.log)
    }

    /// Waits a moment for its end and says how that was; none if it goes on.
    async fn end(&self) -> Option<String> {
        let mut ended = self.ended.clone();
        let how = tokio::time::timeout(END_LIMIT, ended.wait_for(Option::is_some)).await;
        how.ok()?.ok()?.clone()
    }

    /// Ends it at once, with all that it has started.
    pub fn kill(&self) {
        if self.ended.borrow().is_none() {
            // It may just have ended.
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }

    /// Tells whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some() || self.broker.mux().is_closed()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.broker.mux().close("the plugin is no longer needed");
        let (group, mut ended) = (self.group, self.ended.clone());
        self.ground.handle.spawn(async move {
            if tokio::time::timeout(END_LIMIT, ended.wait_for(Option::is_some)).await.is_err() {
                let _ = kill_process_group(group, Signal::KILL);
            }
        });
    }
}

/// Adds to a failure what the plugin has said, and where the rest of it is kept.
fn told(mut failure: Failure, log: &Log) -> Failure {
    failure.chain.extend(log.last_words());
    match log.keep() {
        Some(path) => failure.help(format!("read its log in {}", path.display())),
        None => failure,
    }
}

async fn watch_over(mut child: Child, group: Pid, end: watch::Sender<Option<String>>, mux: Mux) {
    let ended = words(child.wait().await);
    // What it has started must not outlive it.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = end.send(Some(ended.clone()));
    mux.close(&format!("the plugin has ended: {ended}"));
}

fn words(ended: std::io::Result<std::process::ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

async fn read_line(reader: &mut (impl tokio::io::AsyncBufRead + Unpin), line: &mut Vec<u8>) -> Outcome<()> {
    let mut limited = tokio::io::AsyncReadExt::take(reader, LINE_LIMIT as u64);
    let read = limited.read_until(b'\n', line).await.map_err(|error| Failure::new(error.to_string()))?;
    if read == 0 {
        // The end of the process tells more.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Where a plugin listens.
#[derive(Debug, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl Address {
    /// Reads the first line that a plugin prints: `5|0|unix|PATH`, or `5|unix|PATH` of older ones.
    fn parse(line: &str) -> Outcome<Self> {
        let parts: Vec<&str> = line.trim_end().splitn(4, '|').collect();
        let (version, network, address) = match parts.as_slice() {
            [major, minor, network, address] if minor.parse::<u32>().is_ok() => {
                if *minor != "0" {
                    return Err(Failure::new(format!("it speaks version {major}.{minor} of the protocol; rpk 5.0")));
                }
                (*major, *network, (*address).to_owned())
            }
            [major, network, rest @ ..] if !rest.is_empty() => (*major, *network, rest.join("|")),
            _ => {
                let shown: String = line.chars().take(200).collect();
                return Err(Failure::new(format!("it is no plugin of Packer; it says `{}`", shown.trim_end())));
            }
        };
        if version != "5" {
            return Err(Failure::new(format!("it speaks version {version} of the protocol; rpk 5")));
        }
        match network {
            "unix" => Ok(Self::Unix(address.into())),
            "tcp" => Ok(Self::Tcp(address)),
            other => Err(Failure::new(format!("it listens on a network `{other}`, which rpk does not know"))),
        }
    }
}

async fn connect(address: &Address, ground: &Ground) -> Outcome<(Arc<Broker>, Client)> {
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context("connecting to it");
    let (mux, incoming) = match address {
        Address::Unix(path) => {
            let (reader, writer) = tokio::net::UnixStream::connect(path).await.map_err(failed)?.into_split();
            Mux::start(reader, writer, Side::Client, &ground.handle)
        }
        Address::Tcp(address) => {
            let (reader, writer) = tokio::net::TcpStream::connect(address).await.map_err(failed)?.into_split();
            Mux::start(reader, writer, Side::Client, &ground.handle)
        }
    };
    let broker = Broker::start(mux, incoming, &ground.handle);
    let stream = broker.dial(0).await.map_err(|lost| Failure::new(lost.to_string()).context("connecting to it"))?;
    let component = Client::new(stream, &ground.handle);
    Ok((broker, component))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_say_where_they_listen() {
        assert_eq!(Address::parse("5|0|unix|/tmp/p1\n").ok(), Some(Address::Unix("/tmp/p1".into())));
        assert_eq!(Address::parse("5|unix|/tmp/p1\n").ok(), Some(Address::Unix("/tmp/p1".into())));
        assert_eq!(Address::parse("5|0|tcp|127.0.0.1:1\n").ok(), Some(Address::Tcp("127.0.0.1:1".to_owned())));
        for refused in ["4|unix|/tmp/p", "6|0|unix|/tmp/p", "5|1|unix|/tmp/p", "Usage: x", "", "5|quic|x"] {
            assert!(Address::parse(refused).is_err(), "{refused}");
        }
    }
}
