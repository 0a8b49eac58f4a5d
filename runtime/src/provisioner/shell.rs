//! `shell`: uploads scripts to the machine and runs them there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Recipe, Rendering, Settings, boolean, duration, string};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::patience::patiently;
use crate::communicator::{Communicator, DISCONNECTED, FileSource, RemoteScript};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::script;
use crate::settings::optional_duration;

/// The `shell` provisioner type.
pub struct Shell;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(default)]
    inline: Vec<String>,
    script: Option<String>,
    #[serde(default)]
    scripts: Vec<String>,
    #[serde(default)]
    environment_vars: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    env_var_format: Option<String>,
    #[serde(default)]
    use_env_var_file: bool,
    execute_command: Option<String>,
    inline_shebang: Option<String>,
    remote_folder: Option<String>,
    remote_file: Option<String>,
    remote_path: Option<String>,
    #[serde(default)]
    binary: bool,
    valid_exit_codes: Option<Vec<i64>>,
    #[serde(default)]
    expect_disconnect: bool,
    #[serde(default)]
    skip_clean: bool,
    #[serde(default, deserialize_with = "optional_duration")]
    start_retry_timeout: Option<Duration>,
    #[serde(default, deserialize_with = "optional_duration")]
    pause_after: Option<Duration>,
}

/// How long to go on trying to start a script when the template says nothing.
const START_RETRY_TIMEOUT: Duration = Duration::from_secs(5 * 60);

impl ProvisionerType for Shell {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "shell")
            .options(script::options())
            .options([
                boolean("use_env_var_file", "Puts the variables into an uploaded file."),
                string("execute_command", "The command that runs the script.").rendering(Rendering::Late),
                string("remote_folder", "The machine's folder for the script."),
                string("remote_file", "The name of the script on the machine."),
                string("remote_path", "The whole path of the script on the machine."),
                boolean("binary", "Uploads the script as it is, Windows line ends included."),
                duration("start_retry_timeout", "How long to go on trying to start the script."),
                boolean("expect_disconnect", "Takes a lost connection for success."),
                boolean("skip_clean", "Leaves the script on the machine."),
                duration("pause_after", "How long to wait afterwards."),
            ])
            .check(|settings| script::check(settings, None))
            .describe(|settings, _| script::describe(settings))
            .recipe(
                Recipe::cacheable(1)
                    .immaterial(&["start_retry_timeout", "pause_after"])
                    .reads(|settings, _| script::files(settings)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(ShellProvisioner { config }))
    }
}

struct ShellProvisioner {
    config: Config,
}

impl Provisioner for ShellProvisioner {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

impl ShellProvisioner {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        let config = &self.config;
        let folder = config.remote_folder.as_deref().filter(|folder| !folder.is_empty()).unwrap_or("/tmp");
        let variables = script::environment(ctx, &config.environment_vars, &config.env);
        let default_format = if config.use_env_var_file { "export %s='%s'\n" } else { "%s='%s' " };
        let format = config.env_var_format.as_deref().unwrap_or(default_format);
        let variables = script::format_environment(&variables, format);
        let mut variable_file = String::new();
        if config.use_env_var_file {
            variable_file = format!("{folder}/varfile_{}.sh", random_number(ctx));
            let source = FileSource::Bytes(variables.as_bytes());
            patiently(ctx, self.patience(), || communicator.upload_file(ctx, source, &variable_file)).await?;
        }

        if !config.inline.is_empty() {
            ctx.say("Provisioning with inline shell script").await;
            let text = script::inline_script(ctx, &config.inline, config.inline_shebang.as_deref())?;
            self.script(ctx, communicator, folder, text.into_bytes(), &variables, &variable_file).await?;
        }
        let files = config.script.as_ref().filter(|path| !path.is_empty()).into_iter().chain(&config.scripts);
        for path in files {
            ctx.say(format!("Provisioning with shell script: {path}")).await;
            let content = tokio::fs::read(path)
                .await
                .map_err(|error| Failure::new(error.to_string()).context(format!("reading {path}")))?;
            self.script(ctx, communicator, folder, content, &variables, &variable_file).await?;
        }
        if !variable_file.is_empty() && !config.skip_clean {
            self.remove(ctx, communicator, &variable_file).await?;
        }
        if let Some(pause) = config.pause_after {
            ctx.sleep(pause).await?;
        }
        Ok(())
    }

    async fn script(
        &self,
        ctx: &NodeContext,
        communicator: &dyn Communicator,
        folder: &str,
        mut content: Vec<u8>,
        variables: &str,
        variable_file: &str,
    ) -> Outcome<()> {
        let config = &self.config;
        if !config.binary {
            content = without_carriage_returns(&content);
        }
        let given = |option: &Option<String>| option.clone().filter(|text| !text.is_empty());
        let path = given(&config.remote_path).unwrap_or_else(|| {
            let file = given(&config.remote_file).unwrap_or_else(|| format!("script_{}.sh", random_number(ctx)));
            format!("{folder}/{file}")
        });
        let default_command = if config.use_env_var_file {
            "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"
        } else {
            "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
        };
        let command = config.execute_command.as_deref().unwrap_or(default_command);
        let fields = [("Path", path.as_str()), ("Vars", variables), ("EnvVarFile", variable_file)];
        let command = ctx.render(command, &fields)?;
        let codes = config.valid_exit_codes.as_deref().filter(|codes| !codes.is_empty()).unwrap_or(&[0]);
        let mut accepted = codes.to_vec();
        if config.expect_disconnect {
            accepted.push(DISCONNECTED);
        }
        let script = RemoteScript {
            path: &path,
            content: &content,
            command: &command,
            is_kept: config.skip_clean,
            patience: self.patience(),
        };
        let status =
            patiently(ctx, self.patience(), || communicator.run_script(ctx, script.clone(), &accepted)).await?;
        if accepted.contains(&status) {
            Ok(())
        } else if status == DISCONNECTED {
            Err(Failure::new("the connection was lost while the script ran")
                .help("if the script restarts the machine, set `expect_disconnect`"))
        } else {
            Err(script::exit_failure(status, codes))
        }
    }

    fn patience(&self) -> Duration {
        self.config.start_retry_timeout.unwrap_or(START_RETRY_TIMEOUT)
    }

    /// Removes a file of the machine, which may just be restarting.
    async fn remove(&self, ctx: &NodeContext, communicator: &dyn Communicator, path: &str) -> Outcome<()> {
        let command = format!("rm -f {path}");
        let remove = || {
            let removed = communicator.run(ctx, &command).map(|status| match status? {
                0 => Ok(()),
                DISCONNECTED => Err(Failure::new("the connection was lost").may_pass()),
                status => Err(Failure::new(format!("the command ended with status {status}"))),
            });
            removed.boxed()
        };
        patiently(ctx, self.patience(), remove).await.map_err(|failure| failure.context(format!("removing {path}")))
    }
}

/// Makes a number for a remote name, so that scripts of one machine do not meet.
fn random_number(ctx: &NodeContext) -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let seed = ctx.services.run_id.bytes().fold(0_usize, |sum, byte| (sum * 31 + usize::from(byte)) % 9000);
    1000 + (seed + COUNT.fetch_add(1, Ordering::Relaxed)) % 9000
}

/// Turns Windows line ends into Unix ones.
fn without_carriage_returns(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    for (index, byte) in content.iter().enumerate() {
        if !(*byte == b'\r' && content.get(index + 1) == Some(&b'\n')) {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_line_ends_become_unix_ones() {
        assert_eq!(without_carriage_returns(b"a\r\nb\rc\r"), b"a\nb\rc\r");
    }
}
