//! `windows-shell`: uploads batch files to the machine and runs them there. They stay, as in Packer.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Recipe, Rendering, Settings, boolean, duration, string};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::{Communicator, FileSource};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::script;

/// The `windows-shell` provisioner type.
pub struct WindowsShell;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    inline: Vec<String>,
    script: String,
    scripts: Vec<String>,
    environment_vars: Vec<String>,
    env: BTreeMap<String, String>,
    env_var_format: String,
    execute_command: String,
    remote_path: String,
    valid_exit_codes: Vec<i64>,
}

impl ProvisionerType for WindowsShell {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "windows-shell")
            // A batch file has no first line that names its interpreter.
            .options(script::options().into_iter().filter(|option| option.name != "inline_shebang"))
            .options([
                string("execute_command", "The command that runs the script.").rendering(Rendering::Late),
                string("remote_path", "The path of the script on the machine."),
                boolean("binary", "Accepted for Packer's sake: scripts are uploaded as they are."),
                duration("start_retry_timeout", "How long to go on trying to start the script."),
            ])
            .check(|settings| script::check(settings, None))
            .describe(|settings, _| script::describe(settings))
            .recipe(
                Recipe::cacheable(1)
                    .immaterial(&["start_retry_timeout", "binary"])
                    .reads(|settings, _| script::files(settings)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        let variables = self.variables(ctx);
        if !self.inline.is_empty() {
            ctx.say("Provisioning with inline batch script").await;
            let text = script::inline_lines(ctx, &self.inline)?;
            self.script(ctx, communicator, text.as_bytes(), &variables).await?;
        }
        for path in Some(&self.script).filter(|path| !path.is_empty()).into_iter().chain(&self.scripts) {
            ctx.say(format!("Provisioning with shell script: {path}")).await;
            let content = tokio::fs::read(path)
                .await
                .map_err(|error| Failure::new(error.to_string()).context(format!("reading {path}")))?;
            self.script(ctx, communicator, &content, &variables).await?;
        }
        Ok(())
    }

    fn variables(&self, ctx: &NodeContext) -> String {
        let format = if self.env_var_format.is_empty() { r#"set "%s=%s" && "# } else { &self.env_var_format };
        script::format_escaped(&script::environment(ctx, &self.environment_vars, &self.env), format, str::to_owned)
    }

    async fn script(
        &self,
        ctx: &NodeContext,
        communicator: &dyn Communicator,
        content: &[u8],
        variables: &str,
    ) -> Outcome<()> {
        let path = if self.remote_path.is_empty() { "c:/Windows/Temp/script.bat" } else { &self.remote_path };
        communicator.upload_file(ctx, FileSource::Bytes(content), path).await?;
        let command = match self.execute_command.as_str() {
            "" => format!("{variables}\"{path}\""),
            command => ctx.render(command, &[("Vars", variables), ("Path", path)])?,
        };
        let status = communicator.run(ctx, &command).await?;
        script::judge_status(status, &self.valid_exit_codes)
    }
}
