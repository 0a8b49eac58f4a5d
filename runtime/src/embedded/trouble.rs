//! Errors of the system into failures that say what was being done.

use std::fmt::Display;
use std::io;

use crate::failure::{Failure, Outcome};

/// Says what was being done when something went wrong.
pub(crate) trait Doing<T> {
    /// Makes a failure of an error, with the action before it.
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Outcome<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Outcome<T> {
        self.map_err(|error| {
            let failure = Failure::new(error.to_string()).context(action());
            if error.raw_os_error() == Some(libc::ENOSPC) {
                failure.help("make room on that file system; `rpk cache prune` gives back what stored states take")
            } else {
                failure
            }
        })
    }
}

impl<T> Doing<T> for Result<T, rustix::io::Errno> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Outcome<T> {
        self.map_err(io::Error::from).doing(action)
    }
}

impl<T> Doing<T> for serde_json::Result<T> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Outcome<T> {
        self.map_err(|error| refused(&error).context(action()))
    }
}

/// Makes a failure of what somebody else's data is refused for.
pub(crate) fn refused(reason: &dyn Display) -> Failure {
    Failure::new(reason.to_string())
}
