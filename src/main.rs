//! The command line of rpk: parse, run, exit.

mod arguments;
mod cli;
mod commands;
mod exit;
mod input;
mod prompt;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words = arguments::in_clap_style(std::env::args_os().collect());
    match cli::parse(words) {
        Ok(cli) => commands::run(cli).into(),
        Err(ended) => ended.into(),
    }
}
