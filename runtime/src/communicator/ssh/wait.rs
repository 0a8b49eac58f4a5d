//! Waiting for a machine that is not up yet.

use std::sync::Arc;
use std::time::Duration;

use rpk_planner::value::duration;

use super::client::{Connection, Miss, Stage, connect};
use super::config::{Route, SshConfig};
use super::host_key::HostKeys;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The first pause between two attempts; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The pause after a refused login: as long as Packer's. Machines that count refusals must not get too many.
const REFUSED_PAUSE: Duration = Duration::from_secs(7);

/// Connects to a machine as soon as it lets us in; with `pause_before_connecting`, waits then and connects anew.
///
/// # Errors
///
/// Fails when time is up, when the login was refused too often, and at once if waiting cannot help.
pub(super) async fn wait(config: &SshConfig, host_keys: &Arc<HostKeys>, ctx: &NodeContext) -> Outcome<Connection> {
    let target = &config.target;
    ctx.say(format!("Using SSH communicator to connect: {}", target.host)).await;
    if let Route::Bastion(bastion) = &config.route {
        ctx.say(format!("Going through the bastion host {}:{}", bastion.host, bastion.port)).await;
    }
    ctx.say("Waiting for SSH to become available...").await;
    let connection = until_in(config, host_keys, ctx).await?;
    let Some(pause) = config.pause else {
        ctx.say("Connected to SSH!").await;
        return Ok(connection);
    };
    // The ports of its tunnels are needed again.
    connection.close().await;
    ctx.say(format!("Pausing {} before connecting...", duration::format(pause))).await;
    ctx.sleep(pause).await?;
    let connection = until_in(config, host_keys, ctx).await?;
    ctx.say("Connected to SSH!").await;
    Ok(connection)
}

async fn until_in(config: &SshConfig, host_keys: &Arc<HostKeys>, ctx: &NodeContext) -> Outcome<Connection> {
    let stage = Stage::default();
    let mut last = None;
    let trying = attempts(config, host_keys, ctx, &stage, &mut last);
    let limit = async {
        match config.timeout {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = trying => return ended,
        () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
        () = limit => {}
    }
    let limit = duration::format(config.timeout.unwrap_or_default());
    let cause = last.unwrap_or_else(|| Failure::new("no answer").context(stage.text()));
    let help = "see whether the machine is up and its SSH server is reachable, or set a longer `ssh_timeout`";
    let failure = cause.context(format!("SSH was not available within {limit}"));
    Err(if failure.help.is_some() { failure } else { failure.help(help) })
}

async fn attempts(
    config: &SshConfig,
    host_keys: &Arc<HostKeys>,
    ctx: &NodeContext,
    stage: &Stage,
    last: &mut Option<Failure>,
) -> Outcome<Connection> {
    let mut pause = PAUSE;
    let mut refused = 0;
    loop {
        let wait = match connect(config, host_keys, ctx, stage).await {
            Ok(connection) => return Ok(connection),
            Err(Miss::Lasting(failure)) => return Err(failure),
            Err(Miss::Refused(failure)) => {
                refused += 1;
                if config.attempts.is_some_and(|attempts| refused >= attempts) {
                    return Err(match refused {
                        1 => failure,
                        _ => failure.context(format!("{refused} attempts have failed")),
                    });
                }
                *last = Some(failure);
                REFUSED_PAUSE
            }
            Err(Miss::Passing(failure)) => {
                *last = Some(failure);
                let wait = pause;
                pause = (pause * 2).min(MAX_PAUSE);
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
}
