//! One file a command.

mod apply;
mod fix;
mod inspect;
mod plan;
mod validate;
mod version;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

/// Runs the command that was asked for.
pub fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Apply(arguments) | Command::Build(arguments) => apply::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Fix(arguments) => fix::run(&arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}
