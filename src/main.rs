//! The command line of rpk: parse, run, exit.

mod arguments;
mod cli;
mod commands;
mod decide;
mod execution;
mod exit;
mod files;
mod input;
mod plugins;
mod prompt;
mod report;
mod revision;

use std::process::ExitCode;

/// Values of templates may be nested as deep as the template is long; what works on them is as deep. Of what is
/// reserved here just what is used is taken.
const STACK_BYTES: usize = 1 << 30;

fn main() -> ExitCode {
    // A sandbox's processes are this program too, and have one thread: nothing may come before this.
    #[cfg(target_os = "linux")]
    if let Some(ended) = embedded_entry() {
        return ended;
    }
    let run = || -> ExitCode {
        match arguments::parse(std::env::args_os().collect()) {
            Ok(cli) => commands::run(cli).into(),
            Err(ended) => ended.into(),
        }
    };
    match std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run) {
        // What a thread panicked of it has said.
        Ok(thread) => thread.join().unwrap_or(ExitCode::from(101)),
        Err(_) => run(),
    }
}

/// Serves the embedded engine, if that is what this process was started for.
#[cfg(target_os = "linux")]
fn embedded_entry() -> Option<ExitCode> {
    use rpk_runtime::embedded::{rootless, sandbox};
    let word = std::env::args_os().nth(1)?;
    if word == sandbox::ENTRY {
        return Some(sandbox::main().into());
    }
    let rest: Vec<_> = std::env::args_os().skip(2).collect();
    (word == rootless::ENTRY).then(|| rootless::main(&rest).into())
}
