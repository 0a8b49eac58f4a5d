//! `null`: no machine of its own, for builds that only run things here.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rpk_planner::catalog::{ArtifactKind, Caching, ComponentKind, ComponentSpec, Moment, Problem, Recipe, Settings};

use super::{Builder, BuilderType, Machine};
use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::communicator::none::NoCommunicator;
use crate::communicator::options;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `null` builder type.
pub struct Null;

impl BuilderType for Null {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Builder, "null")
            .options(options::options())
            .check(check)
            .describe(|_, moment| match moment {
                Moment::Capture => "capture nothing".to_owned(),
                _ => "start without a machine".to_owned(),
            })
            .captures(|_| ArtifactKind::Nothing)
            .recipe(Recipe::judged(1, |settings, _| match text(settings, "communicator") {
                "none" => Caching::Cacheable,
                _ => Caching::Never(
                    "works on a machine that rpk did not make and whose state it does not know".to_owned(),
                ),
            }))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        match text(settings, "communicator") {
            "none" => Ok(Box::new(NullBuilder)),
            other => {
                let name = if other.is_empty() { "ssh" } else { other };
                Err(Failure::new(format!("rpk cannot reach the machine of builder `null` by `{name}` yet"))
                    .help("set `communicator` to `none` if nothing has to run on a machine"))
            }
        }
    }
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

/// Checks what it takes to reach a machine, as Packer's builder does.
fn check(settings: &Settings) -> Vec<Problem> {
    let prefix = match text(settings, "communicator") {
        "none" => return Vec::new(),
        "" | "ssh" => "ssh",
        "winrm" => "winrm",
        other => {
            return vec![
                Problem::with("communicator", format!("there is no communicator `{other}` for this builder"))
                    .help("set `communicator` to `none`, `ssh` or `winrm`"),
            ];
        }
    };
    let is_given = |name: &str| !text(settings, &format!("{prefix}_{name}")).is_empty();
    let mut problems = Vec::new();
    for name in ["host", "username"] {
        if !is_given(name) {
            problems.push(
                Problem::of_block(format!("`{prefix}_{name}` is missing"))
                    .help("give it, or set `communicator` to `none` if there is no machine to reach"),
            );
        }
    }
    let has_agent = settings.get("ssh_agent_auth").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if !is_given("password") && !(prefix == "ssh" && (is_given("private_key_file") || has_agent)) {
        problems.push(
            Problem::of_block("there is no way to log in to the machine")
                .help(format!("set `{prefix}_password` or, for ssh, `ssh_private_key_file`")),
        );
    }
    problems
}

struct NullBuilder;

impl Builder for NullBuilder {
    fn boot<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        ready(Ok(Arc::new(NullMachine) as Arc<dyn Machine>)).boxed()
    }
}

struct NullMachine;

impl Machine for NullMachine {
    fn communicator(&self) -> &dyn Communicator {
        &NoCommunicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("ID".to_owned(), "Null".to_owned())])
    }

    fn capture<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        ready(Ok(Artifact {
            builder_id: "fnoeding.null".to_owned(),
            id: "Null".to_owned(),
            description: "Did not export anything. This is the null builder".to_owned(),
            data: self.data(),
            ..Artifact::default()
        }))
        .boxed()
    }

    fn destroy<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        ready(Ok(())).boxed()
    }
}
