//! `rpk version`

use crate::cli::VersionArguments;
use crate::exit::Exit;
use crate::report::{machine, write_out};

/// Prints the version.
pub fn run(arguments: &VersionArguments) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if arguments.output.machine_readable {
        let (number, pre) = version.split_once('-').unwrap_or((version, ""));
        for (kind, text) in [("version", number), ("version-prelease", pre), ("version-commit", "")] {
            write_out(&machine::line("", kind, &[text]));
        }
        write_out(&machine::line("", "ui", &["say", &format!("rpk v{version}")]));
    } else {
        write_out(&format!("rpk v{version}\n"));
    }
    Exit::Success
}
