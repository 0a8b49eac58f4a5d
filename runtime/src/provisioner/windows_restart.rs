//! `windows-restart`: restarts a Windows machine. It is checked and planned, but not run.
//!
//! Watching a machine go down and come back needs WinRM, which rpk does not speak.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rpk_planner::catalog::{
    ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, duration, string, string_list,
};

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `windows-restart` provisioner type.
pub struct WindowsRestart;

impl ProvisionerType for WindowsRestart {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "windows-restart")
            .options([
                string("restart_command", "The command that restarts the machine."),
                string("restart_check_command", "The command that tells that the machine is back."),
                duration("restart_timeout", "How long to wait for the machine."),
                boolean("check_registry", "Waits until the registry asks for no other restart."),
                string_list("registry_keys", "The keys by which the registry asks for one."),
            ])
            .check(check)
            .describe(|_, _| "restart the machine".to_owned())
            .recipe(Recipe::never("a restart cannot be stored"))
    }

    fn configure(&self, _: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(Restart))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let checks = settings.get("check_registry").and_then(serde_json::Value::as_bool).unwrap_or_default();
    let has_keys = settings.get("registry_keys").and_then(|keys| keys.as_array()).is_some_and(|keys| !keys.is_empty());
    if !has_keys || checks {
        return Vec::new();
    }
    let problem = Problem::with("registry_keys", "without `check_registry` nobody looks at `registry_keys`");
    vec![problem.help("set `check_registry`").warning()]
}

struct Restart;

impl Provisioner for Restart {
    fn provision<'a>(&'a self, _: &'a NodeContext, _: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        let failure = Failure::new("`windows-restart` needs a Windows machine behind WinRM, which rpk does not speak")
            .help("leave it out of this build with `except`, or build it with Packer");
        ready(Err(failure)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_nobody_looks_at_are_a_warning() {
        for (settings, count) in [
            (r#"{"registry_keys": ["HKLM:x"]}"#, 1),
            (r#"{"registry_keys": ["HKLM:x"], "check_registry": true}"#, 0),
            ("{}", 0),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            let problems = check(&settings);
            assert_eq!(problems.len(), count, "{settings:?}");
            assert!(problems.iter().all(|problem| !problem.is_error));
        }
    }
}
