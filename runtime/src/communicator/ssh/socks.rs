//! A connection through a SOCKS5 proxy (RFC 1928), with user name and password (RFC 1929) if it wants them.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;

/// Asks the proxy at the other end of a stream to connect to a host; afterwards the stream is the host's.
///
/// # Errors
///
/// Fails if the proxy does not speak SOCKS5, wants another login, or cannot connect.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    port: u16,
    credentials: Option<&(String, String)>,
) -> io::Result<()> {
    let methods: &[u8] = if credentials.is_some() { &[NO_LOGIN, PASSWORD] } else { &[NO_LOGIN] };
    let count = u8::try_from(methods.len()).unwrap_or(1);
    stream.write_all(&[&[VERSION, count], methods].concat()).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    match (answer, credentials) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, PASSWORD], Some((user, password))) => {
            let mut request = vec![1];
            for text in [user, password] {
                let length = u8::try_from(text.len()).map_err(|_| refused("user name or password is too long"))?;
                request.push(length);
                request.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&request).await?;
            stream.read_exact(&mut answer).await?;
            if answer[1] != 0 {
                return Err(refused("the proxy refuses the user name or the password"));
            }
        }
        ([VERSION, _], _) => return Err(refused("the proxy wants a login that rpk cannot give")),
        _ => return Err(refused("what answers is no SOCKS5 proxy")),
    }
    let mut request = vec![VERSION, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            request.extend([3, u8::try_from(host.len()).map_err(|_| refused("the host's name is too long"))?]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    if head[1] != 0 {
        return Err(refused(match head[1] {
            2 => "the proxy's rules forbid the connection",
            3 => "the network is out of the proxy's reach",
            4 => "the host is out of the proxy's reach",
            5 => "the host refused the proxy's connection",
            6 => "the host did not answer the proxy in time",
            _ => "the proxy cannot connect to the host",
        }));
    }
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await?),
    };
    let mut bound = vec![0; length + 2];
    stream.read_exact(&mut bound).await?;
    Ok(())
}

fn refused(reason: &str) -> io::Error {
    io::Error::other(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a proxy that gives these answers, and returns what it was told.
    async fn played(answers: &[&[u8]], credentials: Option<(&str, &str)>) -> (io::Result<()>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(1024);
        far.write_all(&answers.concat()).await.expect("is open");
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let connected = connect(&mut near, "host", 22, credentials.as_ref()).await;
        drop(near);
        let mut told = Vec::new();
        far.read_to_end(&mut told).await.expect("is open");
        (connected, told)
    }

    #[tokio::test]
    async fn names_are_resolved_by_the_proxy() {
        let (connected, told) = played(&[&[5, 0], &[5, 0, 0, 1, 127, 0, 0, 1, 0, 9]], None).await;
        connected.expect("is connected");
        assert_eq!(told, b"\x05\x01\x00\x05\x01\x00\x03\x04host\x00\x16");
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        for (answers, words) in [
            (vec![&[5, 0xff][..]], "wants a login"),
            (vec![&[4, 0][..]], "no SOCKS5"),
            (vec![&[5, 2][..], &[1, 1]], "refuses the user name"),
            (vec![&[5, 2][..], &[1, 0], &[5, 5, 0, 1]], "the host refused"),
        ] {
            let (connected, _) = played(&answers, Some(("u", "p"))).await;
            let error = connected.expect_err("is refused").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
