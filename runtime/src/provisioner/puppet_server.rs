//! `puppet-server`: has Puppet's agent on the machine apply what a server gives it.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, string};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::guest::{self, Guest, GuestSystem};
use crate::inputs::{self, Input};
use crate::puppet;

/// The `puppet-server` provisioner type.
pub struct PuppetServer;

const INPUTS: &[Input] = &[Input::folder("client_cert_path"), Input::folder("client_private_key_path")];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    client_cert_path: String,
    client_private_key_path: String,
    puppet_node: String,
    puppet_server: String,
    facter: BTreeMap<String, String>,
    extra_arguments: Vec<String>,
    execute_command: String,
    staging_dir: String,
    clean_staging_directory: bool,
    working_directory: String,
    puppet_bin_dir: String,
    prevent_sudo: bool,
    ignore_exit_codes: bool,
    guest_os_type: GuestSystem,
}

impl ProvisionerType for PuppetServer {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "puppet-server")
            .options([
                string("puppet_server", "The server; without it, the one that the agent is set up with."),
                string("puppet_node", "The node's name."),
                string("client_cert_path", "A folder with the node's certificate."),
                string("client_private_key_path", "A folder with the node's private key."),
                string("staging_dir", "The machine's folder for the uploads."),
                boolean("clean_staging_directory", "Removes what was uploaded, once Puppet has run."),
            ])
            .options(puppet::options())
            .options(guest::elevation_options())
            .check(check)
            .describe(|settings, _| match settings.get("puppet_server").and_then(|server| server.as_str()) {
                Some(server) if !server.is_empty() => format!("apply with puppet what {server} gives"),
                _ => "apply with puppet what its server gives".to_owned(),
            })
            .recipe(Recipe::never("the server's answer may be another one"))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = inputs::check(settings, INPUTS);
    problems.extend(GuestSystem::check(settings));
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
        ctx.say("Provisioning with Puppet...").await;
        let guest = Guest { ctx, communicator, system: self.guest_os_type, uses_sudo: !self.prevent_sudo };
        guest.create_open_folder(self.staging()).await?;
        let certificates = self.upload(guest, &self.client_cert_path, "certs").await?;
        let keys = self.upload(guest, &self.client_private_key_path, "private_keys").await?;
        let command = self.command(ctx, &certificates, &keys)?;
        puppet::run(guest, &command, self.ignore_exit_codes).await?;
        if self.clean_staging_directory {
            guest.remove_folder(self.staging()).await?;
        }
        Ok(())
    }

    /// Uploads a folder under a name and returns where it is; nothing is nowhere.
    async fn upload(&self, guest: Guest<'_>, source: &str, name: &str) -> Outcome<String> {
        if source.is_empty() {
            return Ok(String::new());
        }
        guest.ctx.say(format!("Uploading {name} from: {source}")).await;
        let folder = guest::join(self.staging(), name);
        guest.create_open_folder(&folder).await?;
        guest.upload_contents(source, &folder).await?;
        Ok(folder)
    }

    fn staging(&self) -> &str {
        let default = self.guest_os_type.pick("/tmp/packer-puppet-server", "C:/Windows/Temp/packer-puppet-server");
        if self.staging_dir.is_empty() { default } else { &self.staging_dir }
    }

    fn working_directory(&self) -> &str {
        if self.working_directory.is_empty() { self.staging() } else { &self.working_directory }
    }

    fn command(&self, ctx: &NodeContext, certificates: &str, keys: &str) -> Outcome<String> {
        let facts = puppet::facts(self.guest_os_type, &self.facter, ctx.build.names());
        let mut fields = vec![
            ("WorkingDir", self.working_directory()),
            ("FacterVars", facts.as_str()),
            ("PuppetBinDir", self.puppet_bin_dir.as_str()),
            ("ClientCertPath", certificates),
            ("ClientPrivateKeyPath", keys),
            ("PuppetNode", self.puppet_node.as_str()),
            ("PuppetServer", self.puppet_server.as_str()),
            ("Sudo", if self.prevent_sudo { "" } else { "true" }),
            ("Debug", ""),
        ];
        let extra = ctx.render(&self.extra_arguments.join(" "), &fields)?;
        if self.execute_command.is_empty() {
            return Ok(self.default_command(certificates, keys, &facts, &extra));
        }
        fields.push(("ExtraArguments", &extra));
        ctx.render(&self.execute_command, &fields)
    }

    fn default_command(&self, certificates: &str, keys: &str, facts: &str, extra: &str) -> String {
        let mut command = puppet::command_start(
            self.guest_os_type,
            self.working_directory(),
            facts,
            !self.prevent_sudo,
            &self.puppet_bin_dir,
        );
        command.push_str("puppet agent --onetime --no-daemonize --detailed-exitcodes");
        for (option, value) in [
            ("server", self.puppet_server.as_str()),
            ("certname", &self.puppet_node),
            ("certdir", certificates),
            ("privatekeydir", keys),
        ] {
            if !value.is_empty() {
                command.push_str(&format!(" --{option}='{value}'"));
            }
        }
        if !extra.is_empty() {
            command.push_str(&format!(" {extra}"));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_server_and_the_node() {
        let config = Config {
            puppet_server: "puppet.example".to_owned(),
            puppet_node: "web".to_owned(),
            staging_dir: "/s".to_owned(),
            ..Config::default()
        };
        assert_eq!(
            config.default_command("/s/certs", "/s/private_keys", "FACTER_a='1'", "--test"),
            "cd /s && FACTER_a='1' sudo -E puppet agent --onetime --no-daemonize --detailed-exitcodes \
             --server='puppet.example' --certname='web' --certdir='/s/certs' --privatekeydir='/s/private_keys' --test"
        );
        assert_eq!(
            Config { prevent_sudo: true, ..Config::default() }.default_command("", "", "", ""),
            "cd /tmp/packer-puppet-server && puppet agent --onetime --no-daemonize --detailed-exitcodes"
        );
    }

    #[test]
    fn certificates_stand_in_folders() {
        let settings = r#"{"client_cert_path": "Cargo.toml", "elevated_password": "x"}"#;
        let settings: Settings = serde_json::from_str(settings).expect("is an object");
        let found: Vec<_> = check(&settings).into_iter().filter_map(|problem| problem.option).collect();
        assert_eq!(found, ["client_cert_path", "elevated_password"]);
    }
}
