//! The first processes of a sandbox: the one that rpk starts, and the one that all others stem from.
//!
//! Both are this very program, copied (`program.rs`), with a single thread. The first makes the namespaces and waits;
//! the second sets up the file system and serves requests. If rpk goes away, however it goes, the socket ends, the
//! second process ends with it, and the kernel takes down all that ran in the namespace.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use rustix::thread::UnshareFlags;

use super::protocol::{Answer, Request, Spec, answer, receive};
use super::{confine, files, mounts, run};
use crate::embedded::process;
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// How often orphans are looked for while a command runs.
const ORPHAN_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Serves a sandbox over standard input until that ends; returns the exit status.
pub fn main() -> u8 {
    match serve() {
        Ok(()) => 0,
        // Whoever would have been told is gone.
        Err(_) => 1,
    }
}

fn serve() -> Outcome<()> {
    // Whoever started rpk may have left files open, which no command of a sandbox is to have.
    process::close_all().doing(|| "closing what was handed down")?;
    let socket = rustix::io::dup(rustix::stdio::stdin()).doing(|| "taking the socket")?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC).doing(|| "taking the socket")?;
    let null = std::fs::File::open("/dev/null").doing(|| "opening /dev/null")?;
    rustix::stdio::dup2_stdin(&null).doing(|| "letting go of the socket")?;
    let Some((Request::Start(spec), _)) = receive(socket.as_fd()).doing(|| "reading the request")? else {
        return Ok(());
    };
    let begun = begin(&spec);
    let child = match begun {
        Ok(child) => child,
        Err(failure) => {
            let _ = answer(socket.as_fd(), &Answer::Failed(failure.to_string()));
            return Err(failure);
        }
    };
    let Some(child) = child else { std::process::exit(first_process(&socket, &spec)) };
    // Just the child holds the socket from here on, so that its end is the sandbox's.
    drop(socket);
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}

fn begin(spec: &Spec) -> Outcome<Option<Pid>> {
    let mut spaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if spec.is_offline {
        spaces |= UnshareFlags::NEWNET;
    }
    process::unshare(spaces).doing(|| "making namespaces for a sandbox")?;
    process::fork().doing(|| "starting the sandbox's first process")
}

/// Sets the sandbox up and serves requests; returns the exit status.
fn first_process(socket: &OwnedFd, spec: &Spec) -> i32 {
    let said = match set_up(spec) {
        Ok(()) => answer(socket.as_fd(), &Answer::Ready),
        Err(failure) => {
            let _ = answer(socket.as_fd(), &Answer::Failed(failure.to_string()));
            return 1;
        }
    };
    if said.is_err() {
        return 0;
    }
    // An end, in order or not, ends the sandbox.
    while let Ok(Some((request, fds))) = receive(socket.as_fd()) {
        let replied = match perform(socket.as_fd(), spec, request, fds) {
            Ok(Some(status)) => answer(socket.as_fd(), &Answer::Ended(status)),
            Ok(None) => return 0,
            Err(failure) => answer(socket.as_fd(), &Answer::Failed(failure.to_string())),
        };
        if replied.is_err() {
            return 0;
        }
        reap();
    }
    0
}

fn set_up(spec: &Spec) -> Outcome<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing(|| "tying the sandbox to rpk")?;
    rustix::process::setsid().doing(|| "leaving the terminal")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    mounts::enter(spec)?;
    rustix::system::sethostname(spec.hostname.as_bytes()).doing(|| "setting the host name")?;
    if spec.is_offline {
        super::network::raise_loopback()?;
    }
    // Root of the sandbox has no business in this process: it holds the socket.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).doing(|| "shielding the first process")?;
    let kept = confine::set_of(&spec.capabilities)?;
    if !spec.is_privileged {
        confine::restrict_calls(kept)?;
    }
    // Putting files needs what every root may do, whatever commands are denied.
    let own: Vec<String> = confine::DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect();
    confine::keep_capabilities(kept | confine::set_of(&own)?)
}

/// Does what is asked in a process of its own; none if rpk has gone away meanwhile.
fn perform(socket: BorrowedFd<'_>, spec: &Spec, request: Request, fds: Vec<OwnedFd>) -> Outcome<Option<i32>> {
    let mut fds = fds.into_iter();
    let stdio = match (fds.next(), fds.next(), fds.next()) {
        (Some(input), Some(output), Some(error)) => [input, output, error],
        _ => return Err(Failure::new("a request without its descriptors")),
    };
    let Some(child) = process::fork().doing(|| "starting a process in the sandbox")? else {
        let status = match request {
            Request::Run(command) => run::run(spec, &command, &stdio),
            Request::Put { folder, owner } => files::put(&folder, owner.as_ref(), &stdio),
            Request::Get { path, is_folder } => files::get(&path, is_folder, &stdio),
            Request::Look { path } => files::look(&path),
            Request::Start(_) => 1,
        };
        std::process::exit(status);
    };
    drop(stdio);
    wait_for(socket, child)
}

/// Waits for a child, and for rpk's going away; takes in orphans meanwhile.
fn wait_for(socket: BorrowedFd<'_>, child: Pid) -> Outcome<Option<i32>> {
    let ended = rustix::process::pidfd_open(child, PidfdFlags::empty()).doing(|| "watching a process")?;
    loop {
        let mut watched = [PollFd::new(&socket, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        match poll(&mut watched, Some(&ORPHAN_INTERVAL)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::new(error.to_string())),
        }
        // Nothing is sent before the answer: whatever can be read is an end.
        if !watched[0].revents().is_empty() {
            return Ok(None);
        }
        while let Ok(Some((found, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if found == child {
                return Ok(Some(status_of(status)));
            }
        }
    }
}

/// Gives a status as shells do: a signal's is its number and 128.
fn status_of(status: WaitStatus) -> i32 {
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// Takes in processes that have lost their parent and ended.
fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}
