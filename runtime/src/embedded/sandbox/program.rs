//! The program that serves sandboxes: this one, as a copy in memory that nobody can write to.
//!
//! Whoever is root in a sandbox finds the first process's program in `/proc`. Were it rpk's own file, it could be
//! overwritten from there.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{MemfdFlags, SealFlags};

use crate::embedded::trouble::Doing as _;
use crate::failure::Outcome;

static COPY: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// Returns a path of the copy, which is made at the first call and stays for as long as the process lives.
pub fn sealed() -> Outcome<PathBuf> {
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let fd = match copy.as_ref() {
        Some(fd) => fd.as_raw_fd(),
        None => {
            let made = make().doing(|| "copying rpk for the use in sandboxes")?;
            copy.insert(made).as_raw_fd()
        }
    };
    Ok(PathBuf::from(format!("/proc/self/fd/{fd}")))
}

fn make() -> io::Result<OwnedFd> {
    let mut source = File::open("/proc/self/exe")?;
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 know no such flag, and take any copy for one that may run.
    let memory = rustix::fs::memfd_create(c"rpk", flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create(c"rpk", flags))?;
    let mut copy = File::from(memory);
    io::copy(&mut source, &mut copy)?;
    copy.flush()?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&copy, seals)?;
    Ok(copy.into())
}
