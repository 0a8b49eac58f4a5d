//! What the two provisioners by Chef share: installing it, its settings as files, its command line.

use rpk_planner::catalog::{OptionSpec, Problem, Rendering, Settings, boolean, object, string, string_list};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::guest::{self, Guest, GuestSystem};
use crate::inputs::Input;

/// The files that both read.
pub(crate) const INPUTS: [Input; 2] = [Input::file("config_template"), Input::file("encrypted_data_bag_secret_path")];

/// The options that both have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Common {
    pub(crate) chef_environment: String,
    chef_license: String,
    config_template: String,
    encrypted_data_bag_secret_path: String,
    execute_command: String,
    install_command: String,
    json: Settings,
    json_string: String,
    pub(crate) prevent_sudo: bool,
    run_list: Vec<String>,
    pub(crate) skip_install: bool,
    pub(crate) staging_directory: String,
    pub(crate) guest_os_type: GuestSystem,
    version: String,
}

/// Describes those options.
pub(crate) fn options() -> [OptionSpec; 14] {
    [
        string("chef_environment", "The environment of the node."),
        string("chef_license", "The answer to the question whether the licence is accepted."),
        string("config_template", "A template of Chef's configuration file."),
        string("encrypted_data_bag_secret_path", "The file with the secret of encrypted data bags."),
        string("execute_command", "The command that runs Chef.").rendering(Rendering::Late),
        string("install_command", "The command that installs Chef.").rendering(Rendering::Late),
        object("json", "Attributes of the node."),
        string("json_string", "Attributes of the node, as a text of JSON."),
        boolean("prevent_sudo", "Runs commands without `sudo`."),
        string_list("run_list", "The recipes and roles to run."),
        boolean("skip_install", "Takes the Chef that the machine has."),
        string("staging_directory", "The machine's folder for the uploads."),
        GuestSystem::option(),
        string("version", "The version of Chef to install."),
    ]
}

/// Checks those options; files are [`INPUTS`].
pub(crate) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = GuestSystem::check(settings);
    let text = settings.get("json_string").and_then(Json::as_str).unwrap_or_default();
    if !text.is_empty() {
        if settings.get("json").and_then(Json::as_object).is_some_and(|object| !object.is_empty()) {
            let problem = Problem::with("json_string", "`json` and `json_string` exclude each other");
            problems.push(problem.help("keep one of them"));
        }
        // What only the running machine knows may still be missing in it.
        if !text.contains("{{")
            && let Err(error) = serde_json::from_str::<Settings>(text)
        {
            let problem = Problem::with("json_string", format!("`json_string` is no JSON object: {error}"));
            problems.push(problem.help("use `jsonencode`"));
        }
    }
    problems
}

impl Common {
    /// Whether the template says which Chef is used, so that the same one comes another time.
    pub(crate) fn is_pinned(settings: &Settings) -> bool {
        let is_given = |name: &str| settings.get(name).and_then(Json::as_str).is_some_and(|text| !text.is_empty());
        let skips = settings.get("skip_install").and_then(Json::as_bool).unwrap_or_default();
        skips || is_given("version") || is_given("install_command")
    }

    /// The machine as Chef prepares it.
    pub(crate) fn guest<'a>(
        &self,
        ctx: &'a NodeContext,
        communicator: &'a dyn crate::communicator::Communicator,
    ) -> Guest<'a> {
        Guest { ctx, communicator, system: self.guest_os_type, uses_sudo: !self.prevent_sudo }
    }

    /// The folder for the uploads of `chef-solo` or `chef-client`.
    pub(crate) fn staging(&self, program: &str) -> String {
        match self.staging_directory.trim_end_matches('/') {
            "" => format!("{}/packer-{program}", self.guest_os_type.pick("/tmp", "C:/Windows/Temp")),
            folder => folder.to_owned(),
        }
    }

    /// What the licence's question is answered with. The vendor's installer asks it, and nobody is there to answer.
    pub(crate) fn license(&self) -> &str {
        let asks = !self.skip_install && self.install_command.is_empty();
        if self.chef_license.is_empty() && asks { "accept-silent" } else { &self.chef_license }
    }

    /// Installs Chef, unless it is there.
    pub(crate) async fn install(&self, guest: Guest<'_>) -> Outcome<()> {
        if self.skip_install {
            return Ok(());
        }
        guest.ctx.say("Installing Chef...").await;
        let fields = [("Sudo", self.sudo_field()), ("Version", self.version.as_str())];
        let command = match self.install_command.as_str() {
            "" => self.default_install_command(),
            command => guest.ctx.render(command, &fields)?,
        };
        guest.must_run(&command, "installing Chef").await
    }

    fn default_install_command(&self) -> String {
        const SITE: &str = "https://omnitruck.chef.io";
        match self.guest_os_type {
            GuestSystem::Unix => {
                let version = if self.version.is_empty() { String::new() } else { format!(" -v {}", self.version) };
                let sudo = guest::sudo(self.guest_os_type, !self.prevent_sudo);
                format!("curl -L {SITE}/install.sh | {sudo}bash -s --{version}")
            }
            GuestSystem::Windows => {
                let version =
                    if self.version.is_empty() { String::new() } else { format!(" -version {}", self.version) };
                let script = format!(". {{ iwr -useb {SITE}/install.ps1 }} | iex; Install-Project{version}");
                format!("powershell.exe -Command \"{script}\"")
            }
        }
    }

    /// Uploads the secret of encrypted data bags and returns where it is; empty if there is none.
    pub(crate) async fn upload_secret(&self, guest: Guest<'_>, staging: &str) -> Outcome<String> {
        if self.encrypted_data_bag_secret_path.is_empty() {
            return Ok(String::new());
        }
        let path = guest::join(staging, "encrypted_data_bag_secret");
        guest.upload(&self.encrypted_data_bag_secret_path, &path).await?;
        Ok(path)
    }

    /// Writes Chef's configuration file: by the template's own template, or as it is given.
    pub(crate) async fn write_config(
        &self,
        guest: Guest<'_>,
        path: &str,
        fields: &[(&str, &str)],
        default: String,
    ) -> Outcome<()> {
        guest.ctx.say(format!("Creating configuration file '{}'", path.rsplit('/').next().unwrap_or(path))).await;
        let text = match self.config_template.as_str() {
            "" => default,
            file => {
                let template = tokio::fs::read_to_string(file)
                    .await
                    .map_err(|error| Failure::new(error.to_string()).context(format!("reading {file}")))?;
                guest.ctx.render(&template, fields)?
            }
        };
        guest.write(text.as_bytes(), path).await
    }

    /// Writes the node's attributes with the run list among them.
    pub(crate) async fn write_attributes(&self, guest: Guest<'_>, path: &str) -> Outcome<()> {
        guest.ctx.say("Creating JSON attribute file").await;
        guest.write(self.attributes(guest.ctx)?.as_bytes(), path).await
    }

    fn attributes(&self, ctx: &NodeContext) -> Outcome<String> {
        let mut attributes = self.json.clone();
        if !self.json_string.is_empty() {
            let text = ctx.render(&self.json_string, &[])?;
            attributes = serde_json::from_str(&text)
                .map_err(|error| Failure::new(error.to_string()).context("reading `json_string`"))?;
        }
        Ok(with_run_list(attributes, &self.run_list))
    }

    /// Runs Chef with its two files.
    pub(crate) async fn execute(&self, guest: Guest<'_>, program: &str, config: &str, json: &str) -> Outcome<()> {
        let fields = [("ConfigPath", config), ("JsonPath", json), ("Sudo", self.sudo_field())];
        let command = match self.execute_command.as_str() {
            "" => self.default_execute_command(program, config, json),
            command => guest.ctx.render(command, &fields)?,
        };
        guest.ctx.say(format!("Executing Chef: {command}")).await;
        match guest.run(&command).await.map_err(|failure| failure.context("running Chef"))? {
            0 => Ok(()),
            127 => Err(Failure::new(format!("the machine has no `{program}`, or no `sudo`"))
                .exit_status(127)
                .help("leave out `skip_install`, or set `execute_command` or `prevent_sudo`")),
            status => {
                Err(Failure::new(format!("Chef exited with a non-zero exit status: {status}")).exit_status(status))
            }
        }
    }

    fn default_execute_command(&self, program: &str, config: &str, json: &str) -> String {
        let program = match self.guest_os_type {
            GuestSystem::Unix => format!("{}{program}", guest::sudo(self.guest_os_type, !self.prevent_sudo)),
            GuestSystem::Windows => format!("c:/opscode/chef/bin/{program}.bat"),
        };
        format!("{program} --no-color -c {config} -j {json}")
    }

    /// What `{{if .Sudo}}` asks for.
    pub(crate) fn sudo_field(&self) -> &'static str {
        if self.prevent_sudo { "" } else { "true" }
    }
}

/// Writes attributes as Go does, which also keeps `<`, `>` and `&` out of a file that might be shown in a page.
fn with_run_list(mut attributes: Settings, run_list: &[String]) -> String {
    if !run_list.is_empty() {
        attributes.insert("run_list".to_owned(), run_list.into());
    }
    // Nothing but texts and names can hold these letters.
    let text = format!("{:#}", Json::Object(attributes));
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Lines of a configuration file in Ruby.
#[derive(Default)]
pub(crate) struct RubyConfig(String);

impl RubyConfig {
    /// Adds a setting as it is written.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.0.push_str(&format!("{name} {value}\n"));
        self
    }

    /// Adds a setting that is a text.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.set(name, &format!("\"{value}\""))
    }

    /// Adds a setting that is a text, unless it is empty.
    pub(crate) fn text_if_given(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.text(name, value) }
    }

    /// Returns the file.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_follow_the_options() {
        let unix = Common { version: "17.0".to_owned(), ..Common::default() };
        assert_eq!(
            unix.default_install_command(),
            "curl -L https://omnitruck.chef.io/install.sh | sudo bash -s -- -v 17.0"
        );
        assert_eq!(
            unix.default_execute_command("chef-solo", "/s/solo.rb", "/s/node.json"),
            "sudo chef-solo --no-color -c /s/solo.rb -j /s/node.json"
        );
        assert_eq!((unix.license(), unix.staging("chef-solo").as_str()), ("accept-silent", "/tmp/packer-chef-solo"));
        let plain = Common { prevent_sudo: true, skip_install: true, ..Common::default() };
        assert_eq!(plain.default_install_command(), "curl -L https://omnitruck.chef.io/install.sh | bash -s --");
        assert_eq!(plain.default_execute_command("chef-client", "c", "j"), "chef-client --no-color -c c -j j");
        assert_eq!(plain.license(), "");
        let windows = Common { guest_os_type: GuestSystem::Windows, ..unix };
        assert_eq!(
            windows.default_execute_command("chef-solo", "c", "j"),
            "c:/opscode/chef/bin/chef-solo.bat --no-color -c c -j j"
        );
        assert_eq!(
            windows.default_install_command(),
            "powershell.exe -Command \". { iwr -useb https://omnitruck.chef.io/install.ps1 } | iex; \
             Install-Project -version 17.0\""
        );
    }

    #[test]
    fn attributes_are_written_as_go_writes_them() {
        let attributes: Settings = serde_json::from_str(r#"{"b": {"x": [1, true, "<&>"]}, "a": null}"#).expect("fits");
        let text = with_run_list(attributes, &["recipe[app]".to_owned()]);
        let expected = "{\n  \"a\": null,\n  \"b\": {\n    \"x\": [\n      1,\n      true,\n      \
                        \"\\u003c\\u0026\\u003e\"\n    ]\n  },\n  \"run_list\": [\n    \"recipe[app]\"\n  ]\n}";
        assert_eq!(text, expected);
        assert_eq!(with_run_list(Settings::new(), &[]), "{}");
    }

    #[test]
    fn attributes_are_given_once_and_are_an_object() {
        for (settings, messages) in [
            (r#"{"json": {"a": 1}}"#, 0),
            (r#"{"json_string": "{\"a\": 1}"}"#, 0),
            (r#"{"json_string": "[1]"}"#, 1),
            (r#"{"json_string": "{", "json": {"a": 1}, "guest_os_type": "x"}"#, 3),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            assert_eq!(check(&settings).len(), messages, "{settings:?}");
        }
    }
}
