//! One command on the machine: its output, its status, its end when the run is cancelled.

use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, Pty, Sig};

use super::client::{Connection, limited};
use crate::communicator::DISCONNECTED;
use crate::context::{CommandOutput, NodeContext};
use crate::failure::{Failure, Outcome};

/// The terminal that a command gets: Packer's.
const TERMINAL: (&str, u32, u32) = ("xterm", 80, 40);

/// Its modes.
const MODES: [(Pty, u32); 3] = [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14_400), (Pty::TTY_OP_OSPEED, 14_400)];

/// How long a command that was told to end may take, and the telling.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A longer answer of a command is of no use.
const MAX_ANSWER_BYTES: usize = 4096;

/// Ends what runs in this connection's other sessions: each is a session of processes whose leader is a child of
/// the server's process for the connection, as this shell is. First asks, then kills.
///
/// A server of OpenSSH passes signals on, but not for root. Systems without `/proc` are left with that.
const END: &str = r#"exec /bin/sh -c '
up=$PPID
others() {
  leaders=" "
  for pass in 1 2; do
    for f in /proc/[0-9]*/stat; do
      read -r line <"$f" || continue
      pid=${line%% *}
      set -- ${line##*) }
      case $pass in
        1) [ "$2" = "$up" ] && [ "$4" = "$pid" ] && [ "$pid" != $$ ] && leaders="$leaders$pid " ;;
        2) case $leaders in *" $4 "*) [ "$1" = Z ] || echo "$pid" ;; esac ;;
      esac
    done
  done
} 2>/dev/null
all=$(others)
[ -n "$all" ] || exit 0
kill -TERM $all 2>/dev/null
for try in 1 2; do
  left=
  for pid in $all; do kill -0 "$pid" 2>/dev/null && left="$left $pid"; done
  [ -n "$left" ] || exit 0
  sleep 1
done
kill -KILL $left 2>/dev/null
'"#;

/// Runs a command in a fresh session and returns its exit status, [`DISCONNECTED`] if the connection is lost first.
///
/// # Errors
///
/// Fails if the command cannot be started, and if the node is told to stop; then the command has been ended.
pub(super) async fn run(
    connection: &Connection,
    mut channel: Channel<Msg>,
    ctx: &NodeContext,
    command: &str,
    has_terminal: bool,
) -> Outcome<i64> {
    let starting = async {
        if connection.takes_agent() {
            // A server that forbids it says nothing, and the command is none the worse for it.
            channel.agent_forward(false).await?;
        }
        if has_terminal {
            let (name, columns, rows) = TERMINAL;
            channel.request_pty(false, name, columns, rows, 0, 0, &MODES).await?;
        }
        // The line end is Packer's.
        channel.exec(true, format!("{command}\n")).await?;
        channel.eof().await
    };
    limited(starting).await.map_err(|failure| lost(connection, &failure))?;
    let mut ending = Ending { output: ctx.output.command(), status: None, has_started: false };
    tokio::select! {
        ended = ending.follow(&mut channel) => ended?,
        () = ctx.cancel.cancelled() => {
            // Output that comes meanwhile still counts, and an end that comes by itself.
            let _ = channel.signal(Sig::TERM).await;
            let _ = tokio::time::timeout(END_LIMIT, async {
                let ((), _) = tokio::join!(end_others(connection), ending.follow(&mut channel));
            }).await;
            let _ = channel.close().await;
            ending.output.finish().await;
            return Err(Failure::cancelled());
        }
    }
    ending.output.finish().await;
    match ending.status {
        Some(status) => Ok(status),
        None if ending.has_started => Ok(DISCONNECTED),
        None => Err(lost(connection, &Failure::new("the command was not started"))),
    }
}

/// Runs a command and returns the beginning of what it printed, if it ended well.
pub(super) async fn ask(mut channel: Channel<Msg>, command: &str) -> Option<String> {
    channel.exec(true, command).await.ok()?;
    channel.eof().await.ok()?;
    let (mut printed, mut status) = (Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } if printed.len() < MAX_ANSWER_BYTES => printed.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Failure | ChannelMsg::Close => break,
            _ => {}
        }
    }
    String::from_utf8(printed).ok().filter(|_| status == Some(0))
}

/// The failure of what a lost connection has cut short.
pub(super) fn lost(connection: &Connection, failure: &Failure) -> Failure {
    if connection.is_closed() {
        Failure::new(connection.end()).context("the connection was lost").may_pass()
    } else {
        failure.clone().may_pass()
    }
}

async fn end_others(connection: &Connection) {
    let Ok(mut channel) = connection.handle.channel_open_session().await else { return };
    if channel.exec(false, END).await.is_ok() {
        while channel.wait().await.is_some() {}
    }
}

/// A command on its way to its end.
struct Ending {
    output: CommandOutput,
    status: Option<i64>,
    has_started: bool,
}

impl Ending {
    async fn follow(&mut self, channel: &mut Channel<Msg>) -> Outcome<()> {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Success => self.has_started = true,
                ChannelMsg::Failure => return Err(Failure::new("the machine's server refuses to run commands")),
                ChannelMsg::Data { data } => {
                    self.has_started = true;
                    self.output.stdout(&data).await;
                }
                ChannelMsg::ExtendedData { data, .. } => self.output.stderr(&data).await,
                ChannelMsg::ExitStatus { exit_status } => self.status = Some(i64::from(exit_status)),
                ChannelMsg::ExitSignal { signal_name, .. } => self.status = Some(128 + number(&signal_name)),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The number of a signal, which a Unix shell adds to 128.
fn number(signal: &Sig) -> i64 {
    match signal {
        Sig::HUP => 1,
        Sig::INT => 2,
        Sig::QUIT => 3,
        Sig::ILL => 4,
        Sig::ABRT => 6,
        Sig::FPE => 8,
        Sig::KILL => 9,
        Sig::USR1 => 10,
        Sig::SEGV => 11,
        Sig::PIPE => 13,
        Sig::ALRM => 14,
        Sig::TERM => 15,
        Sig::Custom(_) => 0,
    }
}
