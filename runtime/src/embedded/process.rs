//! The few calls that the compiler cannot vouch for: they have no safe form in any library.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use seccompiler::BpfProgramRef;

/// Goes on as two processes: the child gets none, its parent the child's id.
///
/// For programs with a single thread alone, which those of a sandbox are: what another thread was about to do, such as
/// holding a lock, would stay undone in the child.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    #[expect(unsafe_code, reason = "the caller has a single thread, so the child finds every lock free")]
    let id = unsafe { libc::fork() };
    match id {
        ..0 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        id => Ok(Pid::from_raw(id)),
    }
}

/// Moves the calling thread into namespaces of its own.
pub(super) fn unshare(spaces: UnshareFlags) -> io::Result<()> {
    debug_assert!(!spaces.contains(UnshareFlags::FILES), "descriptors stay shared");
    #[expect(unsafe_code, reason = "just sharing of descriptors would be a danger, and nobody asks for that")]
    let moved = unsafe { rustix::thread::unshare_unsafe(spaces) };
    moved.map_err(io::Error::from)
}

/// Installs a filter for the system calls of this thread and its children.
///
/// Unlike the library's own way, this leaves set-user-id programs as they are: images need them. It takes the right to
/// administrate the system, which the caller gives up afterwards.
pub(super) fn filter_calls(program: BpfProgramRef<'_>) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    #[expect(unsafe_code, reason = "the kernel copies the program before the call returns and does not write to it")]
    let status = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes every descriptor but the standard ones.
///
/// For the first lines of a program alone: what is open then was handed down by others, and is none of its business.
pub(super) fn close_all() -> io::Result<()> {
    #[expect(unsafe_code, reason = "the program has opened nothing yet, so nobody owns what is closed")]
    let status = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes over a descriptor that the program was started with, by its number.
///
/// For the first lines of a program alone, before it has opened anything: then the number is nobody else's.
pub(super) fn handed_down(number: i32) -> OwnedFd {
    #[expect(unsafe_code, reason = "the program has opened nothing yet, so nobody else owns the number")]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    descriptor
}
