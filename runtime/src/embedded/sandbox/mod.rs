//! A sandbox: a root file system with processes that see nothing else of this machine.
//!
//! ```text
//! rpk (threads) --starts--> first stage --forks--> first process of the sandbox --forks--> command
//!       +---------- socket: requests, answers, the command's standard streams ----------+
//! ```
//!
//! | file | holds | runs in |
//! | --- | --- | --- |
//! | `confine.rs` | capabilities and system calls | the sandbox |
//! | `files.rs` | files in and out | the sandbox |
//! | `init.rs` | the first two processes | the sandbox |
//! | `mounts.rs` | the file system | the sandbox |
//! | `network.rs` | a network of its own | the sandbox |
//! | `program.rs` | the copy of rpk that runs there | rpk |
//! | `protocol.rs` | requests and answers | both |
//! | `run.rs` | the last steps before a command | the sandbox |
//! | `users.rs` | whom it runs as | the sandbox |
//!
//! # How it ends
//!
//! The socket is the sandbox's life: when rpk closes its end, on purpose or by dying, the first process ends and the
//! kernel kills whatever runs beside it and takes down the mounts. Nothing has to be cleaned up by anybody.

pub mod confine;
mod files;
mod init;
mod mounts;
mod network;
mod program;
pub mod protocol;
mod run;
mod users;

use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::time::Duration;

pub use init::main;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use self::protocol::{Answer, Request, Spec};
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// The word by which rpk knows that it is to serve a sandbox.
pub const ENTRY: &str = "sandbox-entry";

/// How long a sandbox may take to end.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A sandbox that runs.
pub struct Sandbox {
    child: Child,
    socket: UnixStream,
}

impl Sandbox {
    /// Sets one up.
    pub async fn start(spec: Spec) -> Outcome<Self> {
        let program = program::sealed()?;
        let (here, there) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .doing(|| "making a socket for a sandbox")?;
        let mut command = Command::new(program);
        command.arg0("rpk").arg(ENTRY).env_clear().current_dir("/");
        command.stdin(Stdio::from(there)).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().doing(|| "starting a sandbox")?;
        // The type is a stream's, but what it is used for here, waiting, goes for sockets of any kind.
        let socket = StdStream::from(here);
        let socket = socket
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(socket))
            .doing(|| "making a socket for a sandbox")?;
        // Its own copy of the other end went with the command.
        drop(command);
        let mut sandbox = Self { child, socket };
        protocol::send(sandbox.socket.as_fd(), &Request::Start(Box::new(spec)), &[])
            .doing(|| "telling a sandbox what to be")?;
        match sandbox.answer().await? {
            Answer::Ready => Ok(sandbox),
            Answer::Failed(reason) => Err(Failure::new(reason).context("setting up a sandbox")),
            Answer::Ended(_) => Err(Failure::new("the sandbox gave a senseless answer")),
        }
    }

    /// Has something done; returns its exit status. One thing at a time.
    pub async fn perform(&mut self, request: &Request, stdio: [BorrowedFd<'_>; 3]) -> Outcome<i32> {
        protocol::send(self.socket.as_fd(), request, &stdio).doing(|| "asking the sandbox")?;
        match self.answer().await? {
            Answer::Ended(status) => Ok(status),
            Answer::Failed(reason) => Err(Failure::new(reason)),
            Answer::Ready => Err(Failure::new("the sandbox gave a senseless answer")),
        }
    }

    async fn answer(&mut self) -> Outcome<Answer> {
        let taken = self.socket.async_io(Interest::READABLE, || protocol::take_answer(self.socket.as_fd())).await;
        taken.doing(|| "listening to the sandbox")?.ok_or_else(|| {
            Failure::new("the sandbox has ended")
                .help("see whether the machine was short of memory, or a command killed all processes")
        })
    }

    /// Ends it with all that runs in it. When this returns, nothing is mounted any more.
    pub async fn end(self) -> Outcome<()> {
        let Self { mut child, socket } = self;
        drop(socket);
        match tokio::time::timeout(END_LIMIT, child.wait()).await {
            Ok(ended) => ended.map(drop).doing(|| "waiting for the sandbox's end"),
            Err(_) => child.kill().await.doing(|| "killing the sandbox"),
        }
    }
}
