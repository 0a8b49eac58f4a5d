//! The life of one command before it becomes one: standard streams, user, folder, environment.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;

use rustix::process::{Gid, Resource, Rlimit, Uid};

use super::confine;
use super::protocol::{Command, Spec};
use super::users::Identity;
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// What the usual engines search for programs if the image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes the command; returns an exit status only if that fails.
pub fn run(spec: &Spec, command: &Command, stdio: &[OwnedFd; 3]) -> i32 {
    let prepared = prepare(spec, command, stdio);
    let failed = |failure: Failure, status: i32| {
        let _ = writeln!(std::io::stderr(), "rpk: {failure}");
        status
    };
    let home = match prepared {
        Ok(home) => home,
        Err(failure) => return failed(failure, 126),
    };
    let Some((program, arguments)) = command.words.split_first() else {
        return failed(Failure::new("no command"), 126);
    };
    let mut next = std::process::Command::new(program);
    next.args(arguments).env_clear().envs(environment(spec, command, &home));
    let error = next.exec();
    let status = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    failed(Failure::new(error.to_string()).context(format!("running {program}")), status)
}

fn environment<'a>(spec: &'a Spec, command: &'a Command, home: &'a str) -> Vec<(&'a OsStr, &'a OsStr)> {
    let given = command.env.iter().filter_map(|entry| entry.split_once('='));
    let mut all: Vec<(&str, &str)> = vec![("PATH", PATH), ("HOSTNAME", &spec.hostname)];
    if command.has_terminal {
        all.push(("TERM", "xterm"));
    }
    all.extend(given);
    if !all.iter().any(|(name, value)| *name == "HOME" && !value.is_empty()) {
        all.push(("HOME", home));
    }
    all.into_iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))).collect()
}

/// Makes everything ready; returns the user's home folder.
fn prepare(spec: &Spec, command: &Command, [input, output, error]: &[OwnedFd; 3]) -> Outcome<String> {
    rustix::stdio::dup2_stderr(error).doing(|| "taking the standard streams")?;
    rustix::stdio::dup2_stdin(input).doing(|| "taking the standard streams")?;
    rustix::stdio::dup2_stdout(output).doing(|| "taking the standard streams")?;
    rustix::process::setsid().doing(|| "beginning a session")?;
    if command.has_terminal {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).doing(|| "taking the terminal")?;
    }
    for (name, soft, hard) in &spec.limits {
        limit(name, *soft, *hard)?;
    }
    let identity = Identity::find(&command.user, &command.groups)?;
    let kept = confine::set_of(&spec.capabilities)?;
    confine::keep_capabilities(kept | confine::set_of(&["SETUID".to_owned(), "SETGID".to_owned()])?)?;
    if !command.folder.is_empty() {
        let folder = command.folder.as_str();
        std::fs::create_dir_all(folder).doing(|| format!("making the working folder {folder}"))?;
        rustix::process::chdir(folder).doing(|| format!("entering the working folder {folder}"))?;
    }
    let groups: Vec<Gid> = identity.groups.iter().map(|id| Gid::from_raw(*id)).collect();
    // Where ids are not to be had, so are groups; whoever has one id has no others to give up.
    match rustix::thread::set_thread_groups(&groups) {
        Err(rustix::io::Errno::PERM) if spec.is_rootless => {}
        set => set.doing(|| "taking the user's groups")?,
    }
    let (user, group) = (Uid::from_raw(identity.user), Gid::from_raw(identity.group));
    rustix::thread::set_thread_res_gid(group, group, group).doing(|| "taking the user's group")?;
    rustix::thread::set_thread_res_uid(user, user, user).doing(|| "taking the user's id")?;
    if user.is_root() {
        confine::keep_capabilities(kept)?;
    }
    Ok(identity.home)
}

fn limit(name: &str, soft: i64, hard: i64) -> Outcome<()> {
    let resource = match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return Err(Failure::new(format!("`{name}` is no resource that can be limited"))),
    };
    // A negative number stands for no limit.
    let value = |number: i64| u64::try_from(number).ok();
    let limits = Rlimit { current: value(soft), maximum: value(hard) };
    rustix::process::setrlimit(resource, limits).doing(|| format!("limiting `{name}`"))
}
