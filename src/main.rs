//! The command line of rpk: parse, run, exit.

mod arguments;
mod cli;
mod commands;
mod decide;
mod exit;
mod files;
mod input;
mod prompt;
mod report;
mod revision;

use std::process::ExitCode;

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().collect()) {
        Ok(cli) => commands::run(cli).into(),
        Err(ended) => ended.into(),
    }
}
