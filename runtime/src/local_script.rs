//! A script on this machine: what `shell-local` is, as a provisioner and as a post-processor.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use rpk_planner::catalog::{
    ComponentKind, ComponentSpec, Load, Problem, Recipe, Rendering, boolean, string, string_list,
};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::script;

/// How long a cancelled script has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// The options of `shell-local`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LocalScript {
    #[serde(default)]
    inline: Vec<String>,
    script: Option<String>,
    #[serde(default)]
    scripts: Vec<String>,
    command: Option<String>,
    #[serde(default)]
    environment_vars: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    env_var_format: Option<String>,
    #[serde(default)]
    execute_command: Vec<String>,
    inline_shebang: Option<String>,
    tempfile_extension: Option<String>,
    valid_exit_codes: Option<Vec<i64>>,
    #[serde(default)]
    only_on: Vec<String>,
}

/// Describes `shell-local` of either kind.
pub(crate) fn spec(kind: ComponentKind) -> ComponentSpec {
    let is_post_processor = kind == ComponentKind::PostProcessor;
    ComponentSpec::new(kind, "shell-local")
        .load(Load::Process)
        .options(script::options().map(|option| match option.name.as_ref() {
            "environment_vars" => option.rendering(Rendering::Both),
            _ => option,
        }))
        .options([
            string("command", "One line to run: the old spelling of `inline`.").rendering(Rendering::Both),
            string_list("execute_command", "The program and words that run the script.").rendering(Rendering::Late),
            string("tempfile_extension", "The extension of the inline script's file."),
            string_list("only_on", "The operating systems to run on; any if empty."),
            boolean("use_linux_pathing", "Accepted for Packer's sake: it matters on Windows only."),
        ])
        .check(|settings| {
            let mut problems = script::check(settings, Some("command"));
            let systems = ["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];
            for system in settings.get("only_on").and_then(|list| list.as_array()).into_iter().flatten() {
                let system = system.as_str().unwrap_or_default();
                if !systems.contains(&system) {
                    problems.push(
                        Problem::with("only_on", format!("`{system}` is not an operating system known here"))
                            .help(format!("use some of {}", systems.join(", "))),
                    );
                }
            }
            problems
        })
        .recipe(Recipe::never("runs on this machine, where it may read and change anything"))
        .describe(move |settings, _| {
            let what = match settings.get("command").and_then(|command| command.as_str()) {
                Some(command) if !command.is_empty() => format!("run `{}`", script::shorten(command)),
                _ => script::describe(settings),
            };
            format!("{what} on this machine{}", if is_post_processor { " with the artifact" } else { "" })
        })
}

impl LocalScript {
    /// Runs the scripts one after the other.
    pub async fn run(&self, ctx: &NodeContext) -> Outcome<()> {
        let system = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
        if !self.only_on.is_empty() && !self.only_on.iter().any(|name| name == system) {
            ctx.say(format!("Skipping shell-local due to runtime OS: {system}")).await;
            return Ok(());
        }
        let command = self.command.as_ref().filter(|command| !command.is_empty());
        let inline = match command {
            Some(command) => std::slice::from_ref(command),
            None => self.inline.as_slice(),
        };
        if !inline.is_empty() {
            let shebang = self.inline_shebang.as_deref().unwrap_or("/bin/sh -e");
            let text = script::inline_script(ctx, inline, Some(shebang))?;
            let extension = self.tempfile_extension.as_deref().unwrap_or_default();
            let suffix =
                if extension.is_empty() { String::new() } else { format!(".{}", extension.trim_start_matches('.')) };
            let file = write_script(&text, &suffix)
                .map_err(|error| Failure::new(error.to_string()).context("writing the script to a temporary file"))?;
            ctx.say("Running inline local shell script").await;
            self.script(ctx, &file.to_string_lossy(), interpreter(&text)).await?;
        }
        for path in self.script.as_ref().filter(|path| !path.is_empty()).into_iter().chain(&self.scripts) {
            ctx.say(format!("Running local shell script: {path}")).await;
            self.script(ctx, path, None).await?;
        }
        Ok(())
    }

    /// Runs a script; `interpreter` is the program that its first line names, if it is known to name one.
    async fn script(&self, ctx: &NodeContext, path: &str, interpreter: Option<Vec<&str>>) -> Outcome<()> {
        let mut words = Vec::new();
        for variable in &self.environment_vars {
            words.push(ctx.render(variable, &[])?);
        }
        let environment = script::environment(ctx, &words, &self.env);
        let path = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
        let mut command;
        if self.execute_command.is_empty() && self.env_var_format.is_none() {
            // The variables go by the environment and not, as in Packer, by the command's words, which every user of
            // this machine can see.
            // The program that the script names is started as the system would start it: a file that was written just
            // now cannot always be run while other programs start.
            command = match interpreter.as_deref() {
                Some([program, arguments @ ..]) => {
                    let mut command = Command::new(program);
                    command.args(arguments).arg(&path);
                    command
                }
                _ => {
                    let mut command = Command::new("/bin/sh");
                    command.arg("-c").arg(quote(&path));
                    command
                }
            };
            command.envs(&environment);
        } else {
            let variables =
                script::format_environment(&environment, self.env_var_format.as_deref().unwrap_or("%s='%s' "));
            let default = ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"].map(str::to_owned);
            let template = match self.execute_command.as_slice() {
                [] => default.to_vec(),
                [one] => vec!["sh".to_owned(), "-c".to_owned(), one.clone()],
                words => words.to_vec(),
            };
            let fields = [("Vars", variables.as_str()), ("Script", path.as_str()), ("Command", path.as_str())];
            let mut words = Vec::new();
            for word in &template {
                words.push(ctx.render(word, &fields)?);
            }
            command = Command::new(&words[0]);
            command.args(&words[1..]);
        }
        command.env("PACKER_RUN_UUID", &ctx.services.run_id);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: cancelling reaches everything that the script started.
        #[cfg(unix)]
        command.process_group(0);
        let mut child =
            command.spawn().map_err(|error| Failure::new(error.to_string()).context("starting the script"))?;
        let status = wait(ctx, &mut child).await?;
        let accepted = self.valid_exit_codes.as_deref().filter(|codes| !codes.is_empty()).unwrap_or(&[0]);
        if accepted.contains(&status) { Ok(()) } else { Err(script::exit_failure(status, accepted)) }
    }
}

/// Passes the output on and waits for the end; when cancelled, ends the script and what it started.
async fn wait(ctx: &NodeContext, child: &mut Child) -> Outcome<i64> {
    let mut stdout = child.stdout.take().expect("the output is piped");
    let mut stderr = child.stderr.take().expect("the output is piped");
    let mut output = ctx.output.command();
    let (mut from_stdout, mut from_stderr) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut stdout_open, mut stderr_open) = (true, true);
    while stdout_open || stderr_open {
        tokio::select! {
            read = stdout.read(&mut from_stdout), if stdout_open => match read {
                Ok(0) | Err(_) => stdout_open = false,
                Ok(count) => output.stdout(&from_stdout[..count]).await,
            },
            read = stderr.read(&mut from_stderr), if stderr_open => match read {
                Ok(0) | Err(_) => stderr_open = false,
                Ok(count) => output.stderr(&from_stderr[..count]).await,
            },
            () = ctx.cancel.cancelled() => {
                output.finish().await;
                end(child).await;
                return Err(Failure::cancelled());
            }
        }
    }
    output.finish().await;
    let status = tokio::select! {
        status = child.wait() => status,
        () = ctx.cancel.cancelled() => {
            end(child).await;
            return Err(Failure::cancelled());
        }
    };
    let status = status.map_err(|error| Failure::new(error.to_string()).context("waiting for the script"))?;
    Ok(exit_status(status))
}

#[cfg(unix)]
fn exit_status(status: std::process::ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    i64::from(code.unwrap_or(-1))
}

#[cfg(not(unix))]
fn exit_status(status: std::process::ExitStatus) -> i64 {
    i64::from(status.code().unwrap_or(-1))
}

/// Asks a script's process group to end, and makes it end if it does not.
async fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // A group that is gone already needs no signal.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

/// Takes a script's first line apart as the system does: a program, and at most one argument.
fn interpreter(text: &str) -> Option<Vec<&str>> {
    let line = text.lines().next()?.strip_prefix("#!")?.trim();
    let words = match line.split_once([' ', '\t']) {
        Some((program, argument)) => vec![program, argument.trim()],
        None => vec![line],
    };
    words[0].starts_with('/').then_some(words)
}

/// Writes a script to a temporary file that its owner may run; the file goes when the value does.
fn write_script(text: &str, suffix: &str) -> std::io::Result<tempfile::TempPath> {
    let mut file = tempfile::Builder::new().prefix("rpk-shell").suffix(suffix).tempfile()?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o700))?;
    }
    // An open file cannot be run.
    Ok(file.into_temp_path())
}

/// Quotes a word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r#"'"'"'"#))
}
