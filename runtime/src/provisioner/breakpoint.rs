//! `breakpoint`: waits until the user goes on.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{Caching, ComponentKind, ComponentSpec, Recipe, Settings, boolean, string};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `breakpoint` provisioner type.
pub struct Breakpoint;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    note: Option<String>,
    #[serde(default)]
    disable: bool,
}

impl ProvisionerType for Breakpoint {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "breakpoint")
            .options([string("note", "What to tell the user."), boolean("disable", "Goes on without waiting.")])
            .recipe(
                Recipe::judged(1, |settings, _| match settings.get("disable").and_then(serde_json::Value::as_bool) {
                    Some(true) => Caching::Cacheable,
                    _ => Caching::Never("waits for the user".to_owned()),
                })
                .immaterial(&["note"]),
            )
            .describe(|_, _| "wait for the user".to_owned())
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(BreakpointProvisioner { config }))
    }
}

struct BreakpointProvisioner {
    config: Config,
}

impl Provisioner for BreakpointProvisioner {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, _: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let note = self.config.note.as_deref().filter(|note| !note.is_empty());
            let note = note.map_or_else(String::new, |note| format!(" with note \"{note}\""));
            if self.config.disable {
                ctx.say(format!("Breakpoint provisioner{note} disabled; continuing...")).await;
                return Ok(());
            }
            ctx.say(format!("Pausing at breakpoint provisioner{note}.")).await;
            let question = "Press enter to continue.";
            tokio::select! {
                answer = ctx.services.prompt.ask(question) => match answer {
                    Some(_) => Ok(()),
                    None => Err(Failure::new("a breakpoint needs a terminal")
                        .help("run it in a terminal, or set `disable`")),
                },
                () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
            }
        }
        .boxed()
    }
}
