//! `powershell`: uploads scripts of PowerShell to the machine and runs them there.
//!
//! A script file runs as it is, behind a line that sets its variables. Lines of the template are wrapped, so that an
//! exception ends them with status 1 and a program's status becomes the script's.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ComponentKind, ComponentSpec, Problem, Recipe, Rendering, Settings, boolean, duration, integer, string,
};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::{Communicator, FileSource};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::settings::optional_duration;
use crate::{guest, inputs, script};

/// The `powershell` provisioner type.
pub struct PowerShell;

const POLICIES: &[&str] =
    &["bypass", "allsigned", "default", "remotesigned", "restricted", "undefined", "unrestricted", "none"];

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
    execution_policy: String,
    remote_path: String,
    remote_env_var_path: String,
    debug_mode: i64,
    use_pwsh: bool,
    skip_clean: bool,
    valid_exit_codes: Vec<i64>,
    #[serde(deserialize_with = "optional_duration")]
    pause_after: Option<Duration>,
}

impl ProvisionerType for PowerShell {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "powershell")
            .options(script::options().into_iter().filter(|option| option.name != "inline_shebang"))
            .options([
                string("execute_command", "The command that runs the script.").rendering(Rendering::Late),
                string("elevated_execute_command", "That command for `elevated_user`.").rendering(Rendering::Late),
                string("elevated_env_var_format", "How one variable is written for `elevated_user`."),
                string("execution_policy", "Which scripts may run.").choices(POLICIES),
                string("remote_path", "The path of the script on the machine; a folder if it ends in a slash."),
                string("remote_env_var_path", "The path of the variables' file on the machine."),
                integer("debug_mode", "How much PowerShell tells of what it does: 0, 1 or 2."),
                boolean("use_pwsh", "Takes `pwsh` for `powershell`."),
                boolean("binary", "Accepted for Packer's sake: scripts are uploaded as they are."),
                boolean("skip_clean", "Leaves the uploads on the machine."),
                duration("start_retry_timeout", "How long to go on trying to start the script."),
                duration("pause_after", "How long to wait afterwards."),
            ])
            .options(guest::elevation_options())
            .check(check)
            .describe(|settings, _| script::describe(settings))
            .recipe(
                Recipe::cacheable(1)
                    .immaterial(&["start_retry_timeout", "pause_after", "binary"])
                    .reads(|settings, _| script::files(settings)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = script::check(settings, None);
    let level = settings.get("debug_mode").and_then(serde_json::Value::as_i64).unwrap_or_default();
    if !(0..=2).contains(&level) {
        problems.push(Problem::with("debug_mode", format!("there is no level {level}")).help("write 0, 1 or 2"));
    }
    problems.extend(guest::refuse_elevation(settings));
    problems
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        let variables = self.variables(ctx);
        let variable_file = match self.remote_env_var_path.as_str() {
            "" => format!("c:/Windows/Temp/packer-ps-env-vars-{}.ps1", uuid::Uuid::new_v4()),
            path => path.to_owned(),
        };
        let mut uploaded = Vec::new();
        if !self.inline.is_empty() {
            ctx.say("Provisioning with inline PowerShell script").await;
            let text = self.wrapped(&variables, &script::inline_lines(ctx, &self.inline)?);
            let path = self.path("inline.ps1");
            let command = self.command(ctx, &path, &variable_file, true)?;
            if command.contains(&variable_file) {
                self.upload_variables(ctx, communicator, &variables, &variable_file, &mut uploaded).await?;
            }
            communicator.upload_file(ctx, FileSource::Bytes(text.as_bytes()), &path).await?;
            uploaded.push(path);
            script::judge_status(communicator.run(ctx, &command).await?, &self.valid_exit_codes)?;
        }
        for source in Some(&self.script).filter(|path| !path.is_empty()).into_iter().chain(&self.scripts) {
            ctx.say(format!("Provisioning with powershell script: {source}")).await;
            self.upload_variables(ctx, communicator, &variables, &variable_file, &mut uploaded).await?;
            let path = self.path(&inputs::base_name(source));
            communicator.upload_file(ctx, FileSource::Path(Path::new(source)), &path).await?;
            uploaded.push(path.clone());
            let command = self.command(ctx, &path, &variable_file, false)?;
            script::judge_status(communicator.run(ctx, &command).await?, &self.valid_exit_codes)?;
        }
        if !self.skip_clean
            && let Err(failure) = self.clean(ctx, communicator, &variable_file, uploaded).await
        {
            // The machine has what it was to get.
            ctx.complain(format!("The uploaded scripts stay on the machine: {failure}")).await;
        }
        match self.pause_after {
            Some(pause) => ctx.sleep(pause).await,
            None => Ok(()),
        }
    }

    fn variables(&self, ctx: &NodeContext) -> String {
        let format = if self.env_var_format.is_empty() { r#"$env:%s="%s"; "# } else { &self.env_var_format };
        script::format_escaped(&script::environment(ctx, &self.environment_vars, &self.env), format, escape)
    }

    /// Where a script goes; `name` is for a path that is a folder.
    fn path(&self, name: &str) -> String {
        match self.remote_path.as_str() {
            "" => format!("c:/Windows/Temp/script-{}.ps1", uuid::Uuid::new_v4()),
            folder if folder.ends_with(['/', '\\']) => format!("{folder}{name}"),
            path => path.to_owned(),
        }
    }

    async fn upload_variables(
        &self,
        ctx: &NodeContext,
        communicator: &dyn Communicator,
        variables: &str,
        path: &str,
        uploaded: &mut Vec<String>,
    ) -> Outcome<()> {
        communicator.upload_file(ctx, FileSource::Bytes(variables.as_bytes()), path).await?;
        if !uploaded.iter().any(|known| known == path) {
            uploaded.push(path.to_owned());
        }
        Ok(())
    }

    fn command(&self, ctx: &NodeContext, path: &str, variable_file: &str, is_inline: bool) -> Outcome<String> {
        match self.execute_command.as_str() {
            "" if is_inline => Ok(self.inline_command(path)),
            "" => Ok(self.script_command(path, variable_file)),
            command => ctx.render(command, &[("Path", path), ("Vars", variable_file)]),
        }
    }

    /// The program with its policy; none if there is to be no wrapper.
    fn program(&self) -> Option<String> {
        let program = if self.use_pwsh { "pwsh" } else { "powershell" };
        match self.execution_policy.as_str() {
            "none" => None,
            "" => Some(format!("{program} -executionpolicy bypass")),
            policy => Some(format!("{program} -executionpolicy {policy}")),
        }
    }

    fn inline_command(&self, path: &str) -> String {
        match self.program() {
            Some(program) => format!("{program} -file {path}"),
            None => format!("& '{path}'"),
        }
    }

    fn script_command(&self, path: &str, variable_file: &str) -> String {
        let trace = match self.debug_mode {
            0 => String::new(),
            level => format!("Set-PsDebug -Trace {level};"),
        };
        let command = format!("& {{ {}{trace}. {variable_file}; &'{path}'; exit $LastExitCode }}", without_progress());
        match self.program() {
            Some(program) => format!("{program} \"{command}\""),
            None => command,
        }
    }

    /// Lines of the template as a script of their own.
    fn wrapped(&self, variables: &str, lines: &str) -> String {
        let trace = match self.debug_mode {
            0 => String::new(),
            level => format!("Set-PSDebug -Trace {level}\n"),
        };
        format!(
            "{}\n{trace}{variables}\ntry {{\n{lines}}} catch {{\nWrite-Error $_ -ErrorAction Continue\nexit 1\n}}\n\
             if ($LASTEXITCODE) {{ exit $LASTEXITCODE }}\n",
            without_progress()
        )
    }

    /// Has the machine remove what was uploaded, by a last script that removes itself, too.
    async fn clean(
        &self,
        ctx: &NodeContext,
        communicator: &dyn Communicator,
        variable_file: &str,
        mut uploaded: Vec<String>,
    ) -> Outcome<()> {
        let path = format!("c:/Windows/Temp/packer-cleanup-{}.ps1", uuid::Uuid::new_v4());
        uploaded.push(path.clone());
        let lines: String =
            uploaded.iter().map(|file| format!("if (Test-Path {file}) {{Remove-Item {file}}}\n")).collect();
        communicator.upload_file(ctx, FileSource::Bytes(lines.as_bytes()), &path).await?;
        let command = self.command(ctx, &path, variable_file, true)?;
        match communicator.run(ctx, &command).await? {
            0 => Ok(()),
            status => Err(Failure::new(format!("removing them ended with status {status}"))),
        }
    }
}

/// Keeps bars of progress out of the output, where the machine's PowerShell draws them.
fn without_progress() -> &'static str {
    "if (Test-Path variable:global:ProgressPreference)\
     {set-variable -name variable:global:ProgressPreference -value 'SilentlyContinue'};"
}

/// Escapes what means something in a double-quoted text of PowerShell.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '$' | '"' | '`' | '\'') {
            out.push('`');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        assert_eq!(escape(r#"a $b "c" `d` 'e'"#), r#"a `$b `"c`" ``d`` `'e`'"#);
    }

    #[test]
    fn the_commands_follow_the_options() {
        let plain = Config::default();
        assert_eq!(plain.inline_command("c:/s.ps1"), "powershell -executionpolicy bypass -file c:/s.ps1");
        assert_eq!(
            plain.script_command("c:/s.ps1", "c:/v.ps1"),
            "powershell -executionpolicy bypass \"& { if (Test-Path variable:global:ProgressPreference)\
             {set-variable -name variable:global:ProgressPreference -value 'SilentlyContinue'};\
             . c:/v.ps1; &'c:/s.ps1'; exit $LastExitCode }\""
        );
        let other =
            Config { use_pwsh: true, execution_policy: "allsigned".to_owned(), debug_mode: 2, ..Config::default() };
        assert_eq!(other.inline_command("s"), "pwsh -executionpolicy allsigned -file s");
        assert!(other.script_command("s", "v").contains("Set-PsDebug -Trace 2;. v;"));
        let bare = Config { execution_policy: "none".to_owned(), ..Config::default() };
        assert!(bare.script_command("s", "v").starts_with("& { if"));
    }

    #[test]
    fn lines_end_with_the_status_of_what_failed_in_them() {
        let text = Config { debug_mode: 1, ..Config::default() }.wrapped("$env:A=\"1\"; ", "throw 'x'\n");
        let (_, rest) =
            text.split_once("Set-PSDebug -Trace 1\n$env:A=\"1\"; \ntry {\nthrow 'x'\n} catch {").expect("is wrapped");
        assert!(rest.ends_with("exit 1\n}\nif ($LASTEXITCODE) { exit $LASTEXITCODE }\n"), "{rest}");
    }

    #[test]
    fn a_path_may_be_a_folder() {
        for (remote_path, path) in [("c:/x/", "c:/x/a.ps1"), ("c:\\x\\", "c:\\x\\a.ps1"), ("c:/y.ps1", "c:/y.ps1")] {
            let config = Config { remote_path: remote_path.to_owned(), ..Config::default() };
            assert_eq!(config.path("a.ps1"), path);
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_option() {
        let settings = r#"{"inline": ["x"], "debug_mode": 3, "elevated_user": "admin"}"#;
        let settings: Settings = serde_json::from_str(settings).expect("is an object");
        let found: Vec<_> = check(&settings).into_iter().filter_map(|problem| problem.option).collect();
        assert_eq!(found, ["debug_mode", "elevated_user"]);
    }
}
