//! What rpk and the first process of a sandbox say to each other.
//!
//! A request is a file in memory with the text and, behind it, the descriptors that it speaks of: so it may be of any
//! length. An answer is short and comes from a place that is not trusted: it has a limit, and nothing in it names
//! anything of this machine.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::MemfdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The descriptors that come with a request at most: its text, and three for a command.
const MAX_FDS: usize = 4;

/// The length of an answer at most.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The length of a request at most.
const MAX_REQUEST_BYTES: u64 = 64 << 20;

/// A sandbox to set up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Spec {
    /// The layers of its file system, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// A folder for the file system's own use, on the file system of `upper`.
    pub work: PathBuf,
    /// An empty folder to put it together in.
    pub merged: PathBuf,
    /// Files of the machine's run that stand in for the image's, such as `/etc/resolv.conf`.
    pub files: Vec<Bind>,
    /// The host name.
    pub hostname: String,
    /// Whether it has no network but a loopback of its own.
    pub is_offline: bool,
    /// Folders and files of this machine that it sees.
    pub binds: Vec<Bind>,
    /// Folders that start with what the image has there and are no part of what is captured.
    pub volumes: Vec<Bind>,
    /// Memory file systems: target and options.
    pub tmpfs: Vec<(String, String)>,
    /// Devices of this machine.
    pub devices: Vec<Bind>,
    /// Whether nothing is kept from it.
    pub is_privileged: bool,
    /// What its root may do: names without `CAP_`, in capitals.
    pub capabilities: Vec<String>,
    /// The size of `/dev/shm` in bytes.
    pub shm_bytes: Option<u64>,
    /// Resource limits: name, soft, hard.
    pub limits: Vec<(String, i64, i64)>,
    /// Whether it stands in a user namespace.
    pub is_rootless: bool,
}

/// A thing of this machine at a place of the sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bind {
    /// Where it is here.
    pub source: PathBuf,
    /// Where it is there.
    pub target: String,
    /// Whether it cannot be written to.
    pub is_read_only: bool,
}

/// Something to be done in a sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Set up the sandbox: the first request.
    Start(Box<Spec>),
    /// Run a program with the three descriptors as its standard ones.
    Run(Command),
    /// Unpack the tar archive that the first descriptor gives into a folder; complain on the third.
    Put {
        /// An absolute path.
        folder: String,
        /// What was put, and the user who gets it with all that is in it.
        owner: Option<(String, String)>,
    },
    /// Pack a file, or a folder's contents, into a tar archive for the second descriptor; complain on the third.
    Get {
        /// An absolute path.
        path: String,
        /// Whether a folder is expected.
        is_folder: bool,
    },
    /// Tell what stands at a path, as an exit status: see [`NOTHING`], [`FILE`] and [`FOLDER`].
    Look {
        /// An absolute path.
        path: String,
    },
}

/// [`Request::Look`]: there is nothing.
pub const NOTHING: i32 = 10;
/// [`Request::Look`]: there is something that is no folder.
pub const FILE: i32 = 11;
/// [`Request::Look`]: there is a folder, or a link that leads to one.
pub const FOLDER: i32 = 12;

/// A program to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// Its folder; made if it is not there.
    pub folder: String,
    /// Whom it runs as: a name or number, with a group behind a colon or not.
    pub user: String,
    /// Further groups.
    pub groups: Vec<String>,
    /// Whether the descriptors are a terminal.
    pub has_terminal: bool,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The sandbox stands.
    Ready,
    /// What was asked for has come to its end, with this status.
    Ended(i32),
    /// It could not be done.
    Failed(String),
}

/// Sends a request.
pub fn send(socket: BorrowedFd<'_>, request: &Request, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut text = File::from(rustix::fs::memfd_create(c"request", MemfdFlags::CLOEXEC)?);
    text.write_all(&serde_json::to_vec(request).map_err(io::Error::other)?)?;
    let mut all = vec![text.as_fd()];
    all.extend_from_slice(fds);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&all)) {
        return Err(io::Error::other("too many descriptors"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(b"r")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for a request; none if nobody will send one any more.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(Request, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = loop {
        match rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            other => break other?,
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(got) = message {
            fds.extend(got);
        }
    }
    if fds.is_empty() {
        return Err(io::Error::other("a request without text"));
    }
    let mut text = File::from(fds.remove(0));
    text.rewind()?;
    Ok(Some((parse(&mut text)?, fds)))
}

fn parse<T: DeserializeOwned>(text: &mut File) -> io::Result<T> {
    let mut bytes = Vec::new();
    text.take(MAX_REQUEST_BYTES).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

/// Sends an answer.
pub fn answer(socket: BorrowedFd<'_>, answer: &Answer) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(answer).map_err(io::Error::other)?;
    if bytes.len() > MAX_ANSWER_BYTES {
        bytes = serde_json::to_vec(&Answer::Failed("for a reason too long to tell".to_owned()))
            .map_err(io::Error::other)?;
    }
    rustix::net::send(socket, &bytes, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes an answer that has arrived; none if nobody will send one any more.
pub fn take_answer(socket: BorrowedFd<'_>) -> io::Result<Option<Answer>> {
    let mut buffer = vec![0; MAX_ANSWER_BYTES];
    let (count, _) = match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
        Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        other => other?,
    };
    if count == 0 {
        return Ok(None);
    }
    serde_json::from_slice(&buffer[..count]).map(Some).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    #[test]
    fn requests_of_any_length_travel_with_their_descriptors() {
        let (here, there) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .expect("sockets are to be had");
        let words = vec!["x".repeat(1 << 20)];
        let command = Command { words: words.clone(), ..Command::default() };
        let null = File::open("/dev/null").expect("is there");
        send(here.as_fd(), &Request::Run(command), &[null.as_fd(), null.as_fd(), null.as_fd()]).expect("is sent");
        let (request, fds) = receive(there.as_fd()).expect("arrives").expect("is one");
        let Request::Run(command) = request else { panic!("another request") };
        assert_eq!((command.words, fds.len()), (words, 3));
        answer(there.as_fd(), &Answer::Ended(3)).expect("is sent");
        assert_eq!(take_answer(here.as_fd()).expect("arrives"), Some(Answer::Ended(3)));
        drop(there);
        assert_eq!(take_answer(here.as_fd()).expect("is an end"), None);
        drop(here);
    }
}
