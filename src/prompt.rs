//! Questions to the user on the terminal.

use std::io::{BufRead as _, BufReader, Write as _};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_runtime::context::Prompt;

/// Asks on the controlling terminal, whatever standard input is.
pub struct Terminal;

impl Prompt for Terminal {
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Option<String>> {
        let question = question.to_owned();
        async move { tokio::task::spawn_blocking(move || ask(&question)).await.ok().flatten() }.boxed()
    }
}

/// Has nobody to ask: for output that machines read.
pub struct Nobody;

impl Prompt for Nobody {
    fn ask<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        std::future::ready(None).boxed()
    }
}

fn ask(question: &str) -> Option<String> {
    let mut terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    writeln!(terminal, "{question}").ok()?;
    let mut line = String::new();
    match BufReader::new(terminal).read_line(&mut line) {
        Ok(count) if count > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}
