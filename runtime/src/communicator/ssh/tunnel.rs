//! Ports that lead through the connection.
//!
//! Each tunnel and each connection in it is a task of its own, which ends with the connection to the machine: all of
//! them watch the token that its guard cancels.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelOpenFailure, client};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::client::Peer;

/// A port that listens, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tunnel {
    /// The port of `localhost` that listens.
    pub(crate) port: u16,
    /// The host that it leads to, as seen from the other end.
    pub(crate) host: String,
    /// That host's port.
    pub(crate) host_port: u16,
}

impl Tunnel {
    /// Reads `PORT:HOST:PORT`; none if it is not of that form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (port, rest) = text.split_once(':')?;
        let (host, host_port) = rest.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        Some(Self { port: number(port)?, host: host.to_owned(), host_port: number(host_port)? })
            .filter(|tunnel| !tunnel.host.is_empty())
    }
}

/// Listens on a port of this machine, and leads what comes in to where the machine sees the tunnel's host.
///
/// # Errors
///
/// Fails if the port cannot be listened on.
pub(super) async fn listen(tunnel: &Tunnel, handle: Arc<Handle<Peer>>, stop: CancellationToken) -> io::Result<()> {
    let listener = bind(tunnel.port).await?;
    let tunnel = tunnel.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, origin) = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    // A caller that has hung up already; the next one may be luckier.
                    Err(_) => continue,
                },
            };
            let (tunnel, handle, stop) = (tunnel.clone(), Arc::clone(&handle), stop.clone());
            tokio::spawn(async move {
                let port = u32::from(tunnel.host_port);
                let origin_port = u32::from(origin.port());
                let opened = handle.channel_open_direct_tcpip(tunnel.host, port, origin.ip().to_string(), origin_port);
                if let Ok(channel) = opened.await {
                    join(&mut stream, channel, &stop).await;
                }
            });
        }
    });
    Ok(())
}

/// Listens on a port. One of a connection that has just ended may be free only a moment later.
async fn bind(port: u16) -> io::Result<TcpListener> {
    for _ in 0..50 {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            bound => return bound,
        }
    }
    TcpListener::bind(("127.0.0.1", port)).await
}

/// Leads a connection that came in on the machine to where this machine sees the tunnel's host.
pub(super) fn lead(tunnel: Tunnel, channel: Channel<Msg>, reply: client::ChannelOpenHandle, stop: CancellationToken) {
    tokio::spawn(async move {
        match TcpStream::connect((tunnel.host.as_str(), tunnel.host_port)).await {
            Ok(mut stream) => {
                reply.accept().await;
                join(&mut stream, channel, &stop).await;
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    });
}

/// Leads a question to the agent that came in on the machine to this machine's agent.
pub(super) fn lead_to_agent(channel: Channel<Msg>, reply: client::ChannelOpenHandle, stop: CancellationToken) {
    tokio::spawn(async move {
        let Some(path) = std::env::var_os("SSH_AUTH_SOCK") else { return };
        match tokio::net::UnixStream::connect(path).await {
            Ok(mut stream) => {
                reply.accept().await;
                join(&mut stream, channel, &stop).await;
            }
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
    });
}

async fn join<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, channel: Channel<Msg>, stop: &CancellationToken) {
    let mut channel = channel.into_stream();
    tokio::select! {
        // Whoever uses the tunnel sees that it has ended; there is nobody else to tell.
        _ = copy_bidirectional(stream, &mut channel) => {}
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_is_a_port_a_host_and_a_port() {
        let tunnel = |port, host: &str, host_port| Some(Tunnel { port, host: host.to_owned(), host_port });
        for (text, expected) in [
            ("8080:localhost:80", tunnel(8080, "localhost", 80)),
            ("1:[::1]:2", tunnel(1, "::1", 2)),
            ("localhost:80", None),
            ("0:h:1", None),
            ("70000:h:1", None),
            ("1::2", None),
            ("1:h:", None),
        ] {
            assert_eq!(Tunnel::parse(text), expected, "{text}");
        }
    }
}
