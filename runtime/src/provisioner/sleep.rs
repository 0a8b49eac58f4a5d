//! `sleep`: waits.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Recipe, Settings, duration};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::settings::optional_duration;

/// The `sleep` provisioner type.
pub struct Sleep;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default, deserialize_with = "optional_duration")]
    duration: Option<Duration>,
}

impl ProvisionerType for Sleep {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "sleep")
            .options([duration("duration", "How long to wait.")])
            .recipe(Recipe::cacheable(1).immaterial(&["duration"]))
            .describe(|settings, _| {
                let length = settings.get("duration").and_then(|length| length.as_str()).unwrap_or("0s");
                format!("wait {length}")
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(SleepProvisioner { duration: config.duration.unwrap_or_default() }))
    }
}

struct SleepProvisioner {
    duration: Duration,
}

impl Provisioner for SleepProvisioner {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, _: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        ctx.sleep(self.duration).boxed()
    }
}
