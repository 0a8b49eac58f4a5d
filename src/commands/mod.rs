//! One file a command.

mod against;
mod apply;
mod cache;
mod console;
mod fix;
mod fmt;
mod hcl2_upgrade;
#[cfg(target_os = "linux")]
mod image;
mod inspect;
mod plan;
mod plugins;
mod runs;
mod saved;
mod schema;
mod shell;
mod validate;
mod version;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::report::write_out;

/// Runs the command that was asked for.
pub fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Graph(arguments) => plan::graph(&arguments),
        Command::Explain(arguments) => plan::explain(&arguments),
        Command::Apply(arguments) | Command::Build(arguments) => apply::run(&arguments),
        Command::Shell(arguments) => shell::run(&arguments),
        Command::Cache(arguments) => cache::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Image(arguments) => image::run(&arguments),
        Command::Runs(arguments) => runs::run(&arguments),
        Command::Timeline(arguments) => runs::timeline(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Console(arguments) => console::run(&arguments),
        Command::Fix(arguments) => fix::run(&arguments),
        Command::Hcl2Upgrade(arguments) => hcl2_upgrade::run(&arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Plugins(arguments) => plugins::run(&arguments),
        Command::Init(arguments) => plugins::init(&arguments),
        Command::Schema(_) => schema::run(),
        Command::Help => {
            write_out(&Cli::command().render_help().to_string());
            Exit::Success
        }
        Command::Version(arguments) => version::run(&arguments),
    }
}
