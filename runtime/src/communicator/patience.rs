//! Trying again while a machine is out of reach, as after a restart.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::context::NodeContext;
use crate::failure::Outcome;

/// How long to wait between two attempts: as long as Packer does.
const PAUSE: Duration = Duration::from_secs(2);

/// Repeats an action that fails because the machine is out of reach, until a time has passed.
///
/// # Errors
///
/// Fails with the action's failure if that is of another kind or time is up, and if the node is told to stop.
pub(crate) async fn patiently<'a, T>(
    ctx: &'a NodeContext,
    limit: Duration,
    action: impl Fn() -> BoxFuture<'a, Outcome<T>>,
) -> Outcome<T> {
    let end = Instant::now() + limit;
    loop {
        match action().await {
            Err(failure) if failure.may_pass && Instant::now() + PAUSE < end => ctx.sleep(PAUSE).await?,
            ended => return ended,
        }
    }
}
