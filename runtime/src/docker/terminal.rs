//! A shell in a container, on the user's own terminal.

use std::io::IsTerminal as _;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::ResizeExecOptionsBuilder;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Engine, explain};
use crate::failure::{Failure, Outcome};

/// Runs a shell in a container with standard input, output and error; returns its exit status.
///
/// On a terminal it behaves as a terminal does. Anything else is read to its end, so that a script can be piped in.
pub(crate) async fn shell(engine: &Engine, container: &str, user: Option<String>) -> Outcome<i64> {
    let client = engine.client();
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(has_terminal),
        cmd: Some(vec!["/bin/sh".to_owned()]),
        user,
        ..CreateExecOptions::default()
    };
    let failed = |error: bollard::errors::Error| explain(&error).context("opening a shell in the container");
    let created = client.create_exec(container, options).await.map_err(failed)?;
    let start = StartExecOptions { tty: has_terminal, ..StartExecOptions::default() };
    let StartExecResults::Attached { mut output, input: mut stdin } =
        client.start_exec(&created.id, Some(start)).await.map_err(failed)?
    else {
        return Err(Failure::new("the engine did not attach to the shell"));
    };
    let raw = if has_terminal { raw::Mode::enter() } else { None };
    if has_terminal && let Some((columns, rows)) = raw::size() {
        let size = ResizeExecOptionsBuilder::default().w(i32::from(columns)).h(i32::from(rows)).build();
        // A shell of another size is a shell all the same.
        let _ = client.resize_exec(&created.id, size).await;
    }
    let typing = tokio::spawn(async move {
        let mut input = tokio::io::stdin();
        let mut buffer = [0; 4096];
        while let Ok(count) = input.read(&mut buffer).await {
            if count == 0 || stdin.write_all(&buffer[..count]).await.is_err() || stdin.flush().await.is_err() {
                break;
            }
        }
        let _ = stdin.shutdown().await;
    });
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    while let Some(frame) = output.next().await {
        // A reader that has gone away does not end the shell.
        let _ = match frame.map_err(failed)? {
            LogOutput::StdErr { message } => err.write_all(&message).await,
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                let _ = out.write_all(&message).await;
                out.flush().await
            }
            LogOutput::StdIn { .. } => Ok(()),
        };
    }
    typing.abort();
    drop(raw);
    let ended = client.inspect_exec(&created.id).await.map_err(failed)?;
    Ok(ended.exit_code.unwrap_or_default())
}

#[cfg(unix)]
mod raw {
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

    /// The terminal hands on every key as it is, as long as this lives.
    pub(super) struct Mode(Termios);

    impl Mode {
        pub fn enter() -> Option<Self> {
            let before = tcgetattr(std::io::stdin()).ok()?;
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
            Some(Self(before))
        }
    }

    impl Drop for Mode {
        fn drop(&mut self) {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        }
    }

    /// Returns columns and rows.
    pub(super) fn size() -> Option<(u16, u16)> {
        let size = tcgetwinsize(std::io::stdout()).ok()?;
        Some((size.ws_col, size.ws_row))
    }
}

#[cfg(not(unix))]
mod raw {
    pub(super) struct Mode;

    impl Mode {
        pub fn enter() -> Option<Self> {
            None
        }
    }

    pub(super) fn size() -> Option<(u16, u16)> {
        None
    }
}
