//! `null`: no machine of its own, for builds that run things here or on a machine that is there already.

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
use crate::communicator::ssh::{SshCommunicator, SshConfig};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `null` builder type.
pub struct Null;

impl BuilderType for Null {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Builder, "null")
            .options(options::options())
            .check(check)
            .describe(|settings, moment| match moment {
                Moment::Capture => "capture nothing".to_owned(),
                _ if chosen(settings) == "none" => "start without a machine".to_owned(),
                _ => format!("connect to {}", text(settings, &format!("{}_host", chosen(settings)))),
            })
            .captures(|_| ArtifactKind::Nothing)
            .recipe(Recipe::judged(1, |settings, _| match chosen(settings) {
                "none" => Caching::Cacheable,
                _ => Caching::Never(
                    "works on a machine that rpk did not make and whose state it does not know".to_owned(),
                ),
            }))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        match chosen(settings) {
            "none" => Ok(Box::new(NullBuilder { way: None })),
            "ssh" => Ok(Box::new(NullBuilder { way: Some(SshConfig::of(settings)?) })),
            name => Err(Failure::new(format!("rpk cannot reach the machine of builder `null` by `{name}` yet"))
                .help("set `communicator` to `none` if nothing has to run on a machine")),
        }
    }
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

/// Returns the communicator's name.
fn chosen(settings: &Settings) -> &str {
    Some(text(settings, "communicator")).filter(|name| !name.is_empty()).unwrap_or("ssh")
}

/// Checks what it takes to reach a machine, as Packer's builder does.
fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = options::check(settings, "ssh");
    let name = chosen(settings);
    if !["ssh", "winrm"].contains(&name) {
        return problems;
    }
    let is_given = |option: &str| !text(settings, option).is_empty();
    if !is_given(&format!("{name}_host")) {
        problems.push(
            Problem::of_block(format!("`{name}_host` is missing"))
                .help("give it, or set `communicator` to `none` if there is no machine to reach"),
        );
    }
    let has_agent = settings.get("ssh_agent_auth").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let ways: Vec<&str> = if name == "winrm" {
        ["winrm_password"].into_iter().filter(|option| is_given(option)).collect()
    } else {
        let has_key = is_given("ssh_private_key_file");
        let given = [
            ("ssh_agent_auth", has_agent),
            ("ssh_password", is_given("ssh_password")),
            ("ssh_private_key_file", has_key),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(option, _)| option).collect()
    };
    match ways.as_slice() {
        [] => problems.push(Problem::of_block("there is no way to log in to the machine").help(if name == "ssh" {
            "set `ssh_password`, `ssh_private_key_file` or `ssh_agent_auth`"
        } else {
            "set `winrm_password`"
        })),
        [_] => {}
        [_, second, ..] => problems.push(
            Problem::with(second, format!("`{}` exclude each other", ways.join("` and `"))).help("keep one of them"),
        ),
    }
    problems
}

struct NullBuilder {
    way: Option<SshConfig>,
}

impl Builder for NullBuilder {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let ssh = match &self.way {
                Some(config) => Some(SshCommunicator::connect(ctx, config.clone()).await?),
                None => None,
            };
            Ok(Arc::new(NullMachine { ssh }) as Arc<dyn Machine>)
        }
        .boxed()
    }
}

struct NullMachine {
    ssh: Option<SshCommunicator>,
}

impl Machine for NullMachine {
    fn communicator(&self) -> &dyn Communicator {
        match &self.ssh {
            Some(ssh) => ssh,
            None => &NoCommunicator,
        }
    }

    fn data(&self) -> BTreeMap<String, String> {
        let mut data = self.ssh.as_ref().map(SshCommunicator::data).unwrap_or_default();
        data.insert("ID".to_owned(), "Null".to_owned());
        data
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
        async move {
            // The machine is not ours; the connection is.
            if let Some(ssh) = &self.ssh {
                ssh.close().await;
            }
            Ok(())
        }
        .boxed()
    }
}
