//! Without root's rights: rpk runs once more as root of a user namespace.
//!
//! In a user namespace a user may mount, and files may belong to many users, as far as the machine has set numbers
//! aside for this one (`/etc/subuid`, `/etc/subgid`) and the programs that hand them out (`newuidmap`, `newgidmap`).
//! Without those there is one user, root, who is the user outside; images that need others cannot be built then.
//!
//! Layers with files of others can be made, read and removed just from inside. So it is rpk as a whole that goes
//! inside, once it is clear that a build needs the engine, and the one outside waits for it and hands signals on.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::Signal;
use rustix::thread::UnshareFlags;

use super::process;
use super::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// The word by which rpk knows that it is to go into a user namespace; its arguments follow.
pub const ENTRY: &str = "namespace-entry";

/// How users are mapped, for whoever stands inside.
const MODE: &str = "RPK_NAMESPACE";

/// Tells whether this process stands in a user namespace, where root is no root outside.
#[must_use]
pub fn is_inside() -> bool {
    static INSIDE: OnceLock<bool> = OnceLock::new();
    *INSIDE.get_or_init(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let words: Vec<&str> = map.split_whitespace().collect();
        !words.is_empty() && words != ["0", "0", "4294967295"]
    })
}

/// Tells whether there is one user alone, so that no file can be given to another.
#[must_use]
pub fn has_one_id() -> bool {
    is_inside() && std::env::var(MODE).is_ok_and(|mode| mode == "single")
}

/// Tells whether this process has to go inside before it can work with layers.
#[must_use]
pub fn is_needed() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Runs rpk with these arguments as root of a user namespace; returns its exit status.
///
/// # Errors
///
/// Fails if the machine lets users make no namespaces.
pub async fn run_inside(arguments: &[OsString]) -> Outcome<i32> {
    use tokio::signal::unix::{SignalKind, signal};
    let program = std::env::current_exe().doing(|| "finding rpk's own program")?;
    // The child says on one that it is in its namespace, and hears on the other that its users are mapped.
    let (mut said, say) = io::pipe().doing(|| "making a pipe")?;
    let (hear, mut tell) = io::pipe().doing(|| "making a pipe")?;
    for end in [rustix::fd::AsFd::as_fd(&say), rustix::fd::AsFd::as_fd(&hear)] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::empty()).doing(|| "making a pipe")?;
    }
    let mut command = tokio::process::Command::new(program);
    command.arg(ENTRY).arg(say.as_raw_fd().to_string()).arg(hear.as_raw_fd().to_string()).args(arguments);
    let mut signals = Vec::new();
    for (kind, number) in [
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::hangup(), Signal::HUP),
    ] {
        signals.push((signal(kind).doing(|| "listening for signals")?, number));
    }
    let mut child = command.spawn().doing(|| "starting rpk in a user namespace")?;
    drop((say, hear));
    let id = child.id().ok_or_else(|| Failure::new("rpk has ended in its user namespace"))?;
    let mut word = Vec::new();
    said.read_to_end(&mut word).doing(|| "waiting for the user namespace")?;
    if word != b"in" {
        let reason = String::from_utf8_lossy(&word).into_owned();
        // It has ended, or is about to.
        let _ = child.wait().await;
        return Err(Failure::new(reason).context("making a user namespace").help(
            "let users make them (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, \
             user.max_user_namespaces), run rpk as root, or start Docker",
        ));
    }
    let mode = map(id)?;
    tell.write_all(mode.as_bytes()).doing(|| "starting rpk in its user namespace")?;
    drop(tell);
    let [(interrupt, _), (terminate, _), (hang_up, _)] = signals.as_mut_slice() else {
        return Err(Failure::new("no signals are listened for"));
    };
    loop {
        let number = tokio::select! {
            ended = child.wait() => {
                let status = ended.doing(|| "waiting for rpk in its user namespace")?;
                let signal = std::os::unix::process::ExitStatusExt::signal(&status);
                return Ok(status.code().unwrap_or(128 + signal.unwrap_or_default()));
            }
            _ = interrupt.recv() => Signal::INT,
            _ = terminate.recv() => Signal::TERM,
            _ = hang_up.recv() => Signal::HUP,
        };
        if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
            // One that comes too late is no failure.
            let _ = rustix::process::kill_process(pid, number);
        }
    }
}

/// Maps the users of a process's namespace; returns how.
fn map(id: u32) -> Outcome<&'static str> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let name = user_name(user);
    let range = |file: &str| sub_ids(&fs::read_to_string(file).unwrap_or_default(), &name, user);
    if let (Some(users), Some(groups)) = (range("/etc/subuid"), range("/etc/subgid"))
        && hand_out("newuidmap", id, user, users)
        && hand_out("newgidmap", id, group, groups)
    {
        return Ok("mapped");
    }
    let write = |name: &str, text: String| {
        let path = format!("/proc/{id}/{name}");
        fs::write(&path, text).doing(|| format!("writing {path}"))
    };
    write("setgroups", "deny".to_owned())?;
    write("gid_map", format!("0 {group} 1"))?;
    write("uid_map", format!("0 {user} 1"))?;
    Ok("single")
}

fn user_name(id: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entries = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = entries.into_iter().find(|fields| fields.get(2).is_some_and(|field| *field == id.to_string()));
    found.and_then(|fields| fields.first().map(|name| (*name).to_owned())).unwrap_or_default()
}

/// Finds the first range of numbers that was set aside for a user, large enough for an image's users.
fn sub_ids(file: &str, name: &str, id: u32) -> Option<(u32, u32)> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let start = fields.next()?.parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        ((owner == name && !name.is_empty() || owner == id.to_string()) && count >= 65_536).then_some((start, count))
    })
}

fn hand_out(program: &str, id: u32, own: u32, (start, count): (u32, u32)) -> bool {
    let words = [id, 0, own, 1, 1, start, count].map(|number| number.to_string());
    Command::new(program).args(words).output().is_ok_and(|ended| ended.status.success())
}

/// Goes into a user namespace and becomes rpk there; returns an exit status only if that fails.
#[must_use]
pub fn main(arguments: &[OsString]) -> u8 {
    let [say, hear, arguments @ ..] = arguments else { return 1 };
    match go_inside(say, hear, arguments) {
        Ok(()) => 0,
        // The process outside has heard the reason.
        Err(_) => 1,
    }
}

fn go_inside(say: &OsString, hear: &OsString, arguments: &[OsString]) -> io::Result<()> {
    let end = |number: &OsString| -> io::Result<fs::File> {
        let number = number.to_str().and_then(|number| number.parse().ok());
        let end = process::handed_down(number.ok_or(io::ErrorKind::InvalidInput)?);
        rustix::io::fcntl_setfd(&end, rustix::io::FdFlags::CLOEXEC)?;
        Ok(end.into())
    };
    let (mut say, mut hear) = (end(say)?, end(hear)?);
    if let Err(error) = process::unshare(UnshareFlags::NEWUSER) {
        say.write_all(error.to_string().as_bytes())?;
        return Err(error);
    }
    say.write_all(b"in")?;
    drop(say);
    let mut mode = String::new();
    hear.read_to_string(&mut mode)?;
    if mode.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (root, wheel) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    if mode == "mapped" {
        // Groups of the outside mean nothing inside.
        rustix::thread::set_thread_groups(&[])?;
    }
    rustix::thread::set_thread_res_gid(wheel, wheel, wheel)?;
    rustix::thread::set_thread_res_uid(root, root, root)?;
    // The process outside may be killed; then this one cleans up and ends.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    Err(Command::new("/proc/self/exe").arg0("rpk").args(arguments).env(MODE, mode).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_number() {
        let file = "other:1:65536\nme:100000:65536\n1000:200000:70000\nsmall:5:10\n";
        assert_eq!(sub_ids(file, "me", 1000), Some((100_000, 65_536)));
        assert_eq!(sub_ids(file, "", 1000), Some((200_000, 70_000)));
        assert_eq!(sub_ids(file, "small", 7), None);
    }
}
