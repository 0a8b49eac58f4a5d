//! How commands and files reach a machine.
//!
//! | file | reaches |
//! | --- | --- |
//! | `container.rs` | what the next two have in common |
//! | `docker.rs` | a container, through its engine |
//! | `embedded.rs` | a container of the engine within rpk |
//! | `ssh.rs` | a machine, through its SSH server |
//! | `none.rs` | nothing: for builders without a machine to talk to |
//! | `options.rs` | the options that builders take for all of them |
//! | `patience.rs` | trying again while a machine is out of reach |
//! | `progress.rs` | word from long transfers |

mod container;
pub mod docker;
#[cfg(target_os = "linux")]
pub mod embedded;
pub mod none;
pub mod options;
pub(crate) mod patience;
mod progress;
pub mod ssh;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::mpsc;

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The exit status that stands for a connection that was lost before the command's own was known: Packer's number.
pub const DISCONNECTED: i64 = 2_300_218;

/// A script that is uploaded, run by a command that names its path, and removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteScript<'a> {
    /// Where it stands on the machine.
    pub path: &'a str,
    /// What it contains.
    pub content: &'a [u8],
    /// The command that runs it.
    pub command: &'a str,
    /// Whether it is left on the machine.
    pub is_kept: bool,
    /// How long to go on trying to remove it while the machine is out of reach, as when the script restarts it.
    pub patience: Duration,
}

/// What is uploaded as one file.
#[derive(Clone, Copy, Debug)]
pub enum FileSource<'a> {
    /// A file of this machine, with its mode and modification time.
    Path(&'a Path),
    /// Bytes, as a file that its owner alone can read and write.
    Bytes(&'a [u8]),
}

/// The streams of a command, in the hands of whoever runs it.
pub struct Pipes {
    /// What the command reads, until the channel's end; none if it is given nothing.
    pub stdin: Option<mpsc::Receiver<Bytes>>,
    /// Takes what it writes.
    pub stdout: mpsc::Sender<Bytes>,
    /// Takes what it writes as errors.
    pub stderr: mpsc::Sender<Bytes>,
}

/// Runs commands on a machine and moves files.
///
/// Every method ends early with a cancelled failure when the node is told to stop.
pub trait Communicator: Send + Sync {
    /// Runs a command in the machine's shell, its output going to the node's, and returns its exit status.
    fn run<'a>(&'a self, ctx: &'a NodeContext, command: &'a str) -> BoxFuture<'a, Outcome<i64>>;

    /// Runs a command in the machine's shell with streams of the caller's, and returns its exit status: what a
    /// provisioner of a plugin asks for.
    fn run_piped<'a>(&'a self, ctx: &'a NodeContext, command: &'a str, pipes: Pipes) -> BoxFuture<'a, Outcome<i64>> {
        let _ = (ctx, command, pipes);
        ready(Err(Failure::new("the machine of this builder cannot be given to a plugin's provisioner"))).boxed()
    }

    /// Tells whether it is certain that the machine can never be reached again.
    fn is_gone(&self) -> bool {
        false
    }

    /// Waits until it is certain that the machine can never be reached again; most machines never tell.
    fn gone(&self) -> BoxFuture<'_, Failure> {
        futures::future::pending().boxed()
    }

    /// Uploads a script, makes it executable, runs a command and, if that succeeded, removes the script.
    ///
    /// `accepted` lists the exit statuses that count as success, [`DISCONNECTED`] perhaps among them. Fails with a
    /// failure that may pass if the machine is out of reach before the command has begun.
    fn run_script<'a>(
        &'a self,
        ctx: &'a NodeContext,
        script: RemoteScript<'a>,
        accepted: &'a [i64],
    ) -> BoxFuture<'a, Outcome<i64>>;

    /// Uploads one file to exactly this path; its folder must exist.
    fn upload_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: FileSource<'a>,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>>;

    /// Uploads a folder. A source that ends in `/` stands for the folder's contents.
    fn upload_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a str,
    ) -> BoxFuture<'a, Outcome<()>>;

    /// Downloads one file to exactly this path.
    fn download_file<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>>;

    /// Downloads a folder into an existing folder: from a container its contents, by SSH, as Packer does, the folder
    /// itself, under its name.
    fn download_folder<'a>(
        &'a self,
        ctx: &'a NodeContext,
        source: &'a str,
        destination: &'a Path,
    ) -> BoxFuture<'a, Outcome<()>>;
}
