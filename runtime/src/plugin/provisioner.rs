//! A provisioner that lives in a plugin: on any machine, be it a plugin's or rpk's own.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use rpk_planner::catalog::Settings;
use tokio::sync::mpsc;

use super::component::Component;
use super::given_communicator::GivenCommunicator;
use super::msgpack::Value;
use super::rpc::serve;
use super::ui;
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::provisioner::Provisioner;

/// How long a provisioner may go on after it was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A provisioner with its options.
pub struct PluginProvisioner {
    component: Arc<Component>,
    settings: Settings,
}

impl PluginProvisioner {
    /// Makes a provisioner; nothing is started.
    #[must_use]
    pub fn new(component: Arc<Component>, settings: Settings) -> Self {
        Self { component, settings }
    }

    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        let plugin = self.component.prepared(&self.settings).await?.plugin;
        if ctx.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let expected = plugin.broker().expect();
        let body = Value::map([
            ("GeneratedData", ui::build_data(ctx.data.iter())),
            ("StreamID", Value::Uint(u64::from(expected.id))),
        ]);
        let call = plugin.call("Provisioner.Provision", &body);
        let (commands, mut started) = mpsc::unbounded_channel();
        let given = GivenCommunicator { ctx, communicator, broker: plugin.broker().clone(), commands };
        let served = async {
            if let Ok(stream) = expected.accept().await {
                // How the call ends says more than how its stream does.
                let _ = serve(&stream, &given).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(call, served);
        let mut running = FuturesUnordered::new();
        let mut is_stopping = false;
        // A provisioner may go on trying for minutes to reach a machine that is no more.
        let mut gone = communicator.gone();
        let give_up = tokio::time::sleep(Duration::MAX / 4);
        tokio::pin!(give_up);
        loop {
            tokio::select! {
                ended = &mut call => return match ended {
                    _ if is_stopping => Err(Failure::cancelled()),
                    Ok(_) => Ok(()),
                    // What it says of that is a guess.
                    Err(_) if communicator.is_gone() => Err(gone.await),
                    Err(failure) => Err(failure),
                },
                () = &mut served => {}
                failure = &mut gone => {
                    plugin.kill();
                    return Err(failure);
                }
                Some(command) = started.recv() => running.push(command),
                Some(()) = running.next() => {}
                () = ctx.cancel.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    give_up.as_mut().reset(tokio::time::Instant::now() + STOP_LIMIT);
                    let _ = tokio::time::timeout(STOP_LIMIT, plugin.call("Provisioner.Cancel", &Value::Nil)).await;
                }
                () = &mut give_up, if is_stopping => {
                    plugin.kill();
                    return Err(Failure::cancelled());
                }
            }
        }
    }
}

impl Provisioner for PluginProvisioner {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}
