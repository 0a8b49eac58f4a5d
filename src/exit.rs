//! The exit statuses, each with its meaning.

use std::process::ExitCode;

/// How rpk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done.
    Success,
    /// An error, a failed or a cancelled build, or wrong usage.
    Failure,
    /// `plan -detailed-exitcode`: something will run.
    SomethingToRun,
    /// `fmt -check`: a file would change; Packer's number.
    WouldChange,
    /// No command, or one that does not exist; Packer's number.
    NoCommand,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::SomethingToRun => 2,
            Exit::WouldChange => 3,
            Exit::NoCommand => 127,
        })
    }
}
