//! `salt-masterless`: puts a state tree where Salt looks for it and has it applied, without a master.
//!
//! The folders that Salt reads belong to root. So uploads go to a folder of the user's own first, and are moved.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    Caching, ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, string, string_list,
};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::guest::{self, Guest, GuestSystem};
use crate::inputs::{self, Input};

/// The `salt-masterless` provisioner type.
pub struct SaltMasterless;

const INPUTS: &[Input] = &[
    Input::folder("local_state_tree"),
    Input::folder("local_pillar_roots"),
    Input::file("minion_config"),
    Input::file("grains_file"),
];

/// Where the vendor's installer is.
const BOOTSTRAP: &str = "https://bootstrap.saltstack.com";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    local_state_tree: String,
    local_pillar_roots: String,
    remote_state_tree: String,
    remote_pillar_roots: String,
    minion_config: String,
    grains_file: String,
    custom_state: String,
    skip_bootstrap: bool,
    bootstrap_args: String,
    temp_config_dir: String,
    no_exit_on_failure: bool,
    log_level: String,
    salt_call_args: String,
    salt_bin_dir: String,
    disable_sudo: bool,
    guest_os_type: GuestSystem,
}

impl ProvisionerType for SaltMasterless {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "salt-masterless")
            .options([
                string("local_state_tree", "The state tree.").required(),
                string("local_pillar_roots", "The pillar."),
                string("remote_state_tree", "The machine's folder for the state tree."),
                string("remote_pillar_roots", "The machine's folder for the pillar."),
                string("minion_config", "The minion's configuration."),
                string("grains_file", "The minion's grains."),
                string("custom_state", "The state to apply in place of the highstate."),
                string_list("formulas", "Repositories of formulas to fetch into the state tree."),
                boolean("skip_bootstrap", "Takes the Salt that the machine has."),
                string("bootstrap_args", "Arguments of Salt's installer."),
                string("temp_config_dir", "The machine's folder that uploads pass through."),
                boolean("no_exit_on_failure", "Takes every exit status for success."),
                string("log_level", "How much Salt tells."),
                string("salt_call_args", "Further arguments of salt-call."),
                string("salt_bin_dir", "The machine's folder with the executable."),
                boolean("disable_sudo", "Runs commands without `sudo`."),
                GuestSystem::option(),
            ])
            .check(check)
            .describe(|settings, _| match text(settings, "custom_state") {
                "" => format!("apply {} with salt", text(settings, "local_state_tree")),
                state => format!("apply {state} of {} with salt", text(settings, "local_state_tree")),
            })
            .recipe(
                Recipe::judged(1, |settings, _| judge(settings))
                    .immaterial(&["log_level"])
                    .reads(|settings, _| inputs::reads(settings, INPUTS)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn judge(settings: &Settings) -> Caching {
    if settings.get("skip_bootstrap").and_then(serde_json::Value::as_bool).unwrap_or_default() {
        return Caching::Cacheable;
    }
    Caching::Never("installs the newest Salt; set `skip_bootstrap`".to_owned())
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = inputs::check(settings, INPUTS);
    if text(settings, "local_state_tree").is_empty() {
        problems.push(Problem::with("local_state_tree", "`local_state_tree` is empty").help("name the state tree"));
    }
    if !text(settings, "minion_config").is_empty() {
        for option in ["remote_state_tree", "remote_pillar_roots"] {
            if !text(settings, option).is_empty() {
                let problem = Problem::with(option, format!("`{option}` and `minion_config` exclude each other"));
                problems.push(problem.help("name the folder in the minion's configuration"));
            }
        }
    }
    let formulas = settings.get("formulas").and_then(|list| list.as_array()).is_some_and(|list| !list.is_empty());
    if formulas {
        problems.push(
            Problem::with("formulas", "rpk does not fetch formulas")
                .help("keep them in the state tree, or fetch them before by a `shell-local` provisioner"),
        );
    }
    let log_level = text(settings, "log_level");
    if log_level.contains(char::is_whitespace) {
        problems.push(Problem::with("log_level", "`log_level` is not one word").help("write `info`, say"));
    }
    problems.extend(GuestSystem::check(settings));
    problems
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        ctx.say("Provisioning with Salt...").await;
        let guest = Guest { ctx, communicator, system: self.guest_os_type, uses_sudo: !self.disable_sudo };
        self.bootstrap(guest).await?;
        let temporary = self.temporary();
        guest.create_folder(temporary).await?;
        let configuration = self.guest_os_type.pick("/etc/salt", "C:/salt/conf");
        for (source, name) in [(&self.minion_config, "minion"), (&self.grains_file, "grains")] {
            if source.is_empty() {
                continue;
            }
            ctx.say(format!("Uploading {name}: {source}")).await;
            let own = self.own(name);
            guest.upload(source, &own).await?;
            guest.create_folder(configuration).await?;
            guest.rename(&own, &guest::join(configuration, name)).await?;
        }
        for (source, name, target) in
            [(&self.local_state_tree, "states", self.states()), (&self.local_pillar_roots, "pillar", self.pillar())]
        {
            if source.is_empty() {
                continue;
            }
            ctx.say(format!("Uploading {source}")).await;
            let own = self.own(name);
            // With sudo this folder would be root's, and closed to the upload.
            Guest { uses_sudo: false, ..guest }.create_folder(&own).await?;
            guest.upload_contents(source, &own).await?;
            // A folder that is there would take the new one into itself.
            guest.remove_folder(target).await?;
            guest.rename(&own, target).await?;
        }
        self.call(guest).await
    }

    async fn bootstrap(&self, guest: Guest<'_>) -> Outcome<()> {
        if self.skip_bootstrap {
            return Ok(());
        }
        let (fetch, run) = self.bootstrap_commands();
        guest.ctx.say("Downloading saltstack bootstrap").await;
        guest.must_run(&fetch, "downloading Salt's installer").await?;
        guest.ctx.say(format!("Installing Salt with command {run}")).await;
        guest.must_run(&run, "installing Salt").await
    }

    fn bootstrap_commands(&self) -> (String, String) {
        let (fetch, run) = match self.guest_os_type {
            GuestSystem::Unix => {
                let file = "/tmp/install_salt.sh";
                let fetch = format!("curl -L {BOOTSTRAP} -o {file} || wget -O {file} {BOOTSTRAP}");
                (fetch, format!("{}sh {file}", guest::sudo(self.guest_os_type, !self.disable_sudo)))
            }
            GuestSystem::Windows => {
                let source = "https://raw.githubusercontent.com/saltstack/salt-bootstrap/stable/bootstrap-salt.ps1";
                let file = "C:/Windows/Temp/bootstrap-salt.ps1";
                let fetch = format!("powershell Invoke-WebRequest -Uri '{source}' -OutFile '{file}'");
                (fetch, format!("Powershell {file}"))
            }
        };
        (fetch, format!("{run} {}", self.bootstrap_args))
    }

    async fn call(&self, guest: Guest<'_>) -> Outcome<()> {
        let command = self.command();
        guest.ctx.say(format!("Running: {command}")).await;
        match guest.run(&command).await.map_err(|failure| failure.context("running salt-call"))? {
            0 => Ok(()),
            _ if self.no_exit_on_failure => Ok(()),
            127 => Err(Failure::new("the machine has no `salt-call`, or no `sudo`")
                .exit_status(127)
                .help("leave out `skip_bootstrap`, or set `salt_bin_dir` or `disable_sudo`")),
            status => {
                Err(Failure::new(format!("salt-call exited with a non-zero exit status: {status}")).exit_status(status))
            }
        }
    }

    fn command(&self) -> String {
        let program = match self.salt_bin_dir.as_str() {
            "" => "salt-call".to_owned(),
            folder => guest::join(folder, "salt-call"),
        };
        let mut command = format!("{}{program} --local ", guest::sudo(self.guest_os_type, !self.disable_sudo));
        match self.custom_state.as_str() {
            "" => command.push_str(" state.highstate"),
            state => command.push_str(&format!(" state.sls {state}")),
        }
        // The minion's own configuration knows where its trees are.
        if self.minion_config.is_empty() {
            command.push_str(&format!(" --file-root={} --pillar-root={}", self.states(), self.pillar()));
        }
        if !self.no_exit_on_failure {
            command.push_str(" --retcode-passthrough");
        }
        let level = if self.log_level.is_empty() { "info" } else { &self.log_level };
        command.push_str(&format!(" -l {level}"));
        if !self.salt_call_args.is_empty() {
            command.push_str(&format!(" {}", self.salt_call_args));
        }
        command
    }

    fn temporary(&self) -> &str {
        let default = self.guest_os_type.pick("/tmp/salt", "C:/Windows/Temp/salt/");
        if self.temp_config_dir.is_empty() { default } else { &self.temp_config_dir }
    }

    fn states(&self) -> &str {
        let default = self.guest_os_type.pick("/srv/salt", "C:/salt/state");
        if self.remote_state_tree.is_empty() { default } else { &self.remote_state_tree }
    }

    fn pillar(&self) -> &str {
        let default = self.guest_os_type.pick("/srv/pillar", "C:/salt/pillar/");
        if self.remote_pillar_roots.is_empty() { default } else { &self.remote_pillar_roots }
    }

    /// A place that the user can write to, whoever owns the temporary folder.
    fn own(&self, name: &str) -> String {
        format!("{}/packer-salt-{name}", self.guest_os_type.pick("/tmp", "C:/Windows/Temp"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_follows_the_options() {
        for (config, expected) in [
            (
                Config::default(),
                "sudo salt-call --local  state.highstate --file-root=/srv/salt --pillar-root=/srv/pillar \
                 --retcode-passthrough -l info",
            ),
            (
                Config {
                    custom_state: "web".to_owned(),
                    minion_config: "minion".to_owned(),
                    no_exit_on_failure: true,
                    log_level: "debug".to_owned(),
                    salt_call_args: "--no-color".to_owned(),
                    salt_bin_dir: "/opt/bin".to_owned(),
                    disable_sudo: true,
                    ..Config::default()
                },
                "/opt/bin/salt-call --local  state.sls web -l debug --no-color",
            ),
            (
                Config { guest_os_type: GuestSystem::Windows, ..Config::default() },
                "salt-call --local  state.highstate --file-root=C:/salt/state --pillar-root=C:/salt/pillar/ \
                 --retcode-passthrough -l info",
            ),
        ] {
            assert_eq!(config.command(), expected);
        }
    }

    #[test]
    fn salt_is_fetched_by_what_the_machine_has() {
        let config = Config { bootstrap_args: "-P stable".to_owned(), ..Config::default() };
        let (fetch, run) = config.bootstrap_commands();
        assert!(fetch.starts_with("curl -L https://") && fetch.contains(" || wget -O "), "{fetch}");
        assert_eq!(run, "sudo sh /tmp/install_salt.sh -P stable");
    }

    #[test]
    fn what_is_wrong_is_said_at_its_option() {
        for (settings, options) in [
            (r#"{"local_state_tree": "src"}"#, vec![]),
            (r#"{"local_state_tree": ""}"#, vec!["local_state_tree"]),
            (
                r#"{"local_state_tree": "src", "minion_config": "Cargo.toml", "remote_state_tree": "/x",
                    "remote_pillar_roots": "/y", "formulas": ["x"]}"#,
                vec!["remote_state_tree", "remote_pillar_roots", "formulas"],
            ),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            let found: Vec<_> = check(&settings).into_iter().filter_map(|problem| problem.option).collect();
            assert_eq!(found, options, "{settings:?}");
        }
    }
}
