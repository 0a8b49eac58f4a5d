//! The network of a sandbox that has none but its own loopback.

use std::io;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use crate::embedded::trouble::Doing as _;
use crate::failure::Outcome;

/// Brings the loopback up, which a new network has as its first device.
pub fn raise_loopback() -> Outcome<()> {
    raise(1).doing(|| "bringing up the loopback")
}

/// Asks the kernel over its own socket: one message, which sets one flag of one device.
fn raise(device: u32) -> io::Result<()> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const UP: u32 = 1;
    // Without a protocol, it is the one for routes and devices.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    // Number and sender, which nobody else sets here.
    message.extend([0; 8]);
    // Any family, any type.
    message.extend([0; 4]);
    message.extend(device.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    let kernel = rustix::net::netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &message, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 256];
    let (count, _) = rustix::net::recv(&socket, &mut answer, rustix::net::RecvFlags::empty())?;
    // The error stands behind the header, as a negative number.
    match answer[..count].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
