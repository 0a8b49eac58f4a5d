//! `puppet-masterless`: uploads manifests and modules and has Puppet apply them, without a server.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, string, string_list};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};
use crate::guest::{self, Guest, GuestSystem};
use crate::inputs::{self, Input};
use crate::puppet;

/// The `puppet-masterless` provisioner type.
pub struct PuppetMasterless;

const INPUTS: &[Input] = &[
    Input::any("manifest_file"),
    Input::folder("manifest_dir"),
    Input::folder("module_paths"),
    Input::file("hiera_config_path"),
];

#[derive(Clone, Debug, Deserialize)]
struct Config {
    manifest_file: String,
    #[serde(default)]
    manifest_dir: String,
    #[serde(default)]
    module_paths: Vec<String>,
    #[serde(default)]
    hiera_config_path: String,
    #[serde(default)]
    facter: BTreeMap<String, String>,
    #[serde(default)]
    extra_arguments: Vec<String>,
    #[serde(default)]
    execute_command: String,
    #[serde(default)]
    staging_directory: String,
    #[serde(default)]
    clean_staging_directory: bool,
    #[serde(default)]
    working_directory: String,
    #[serde(default)]
    puppet_bin_dir: String,
    #[serde(default)]
    prevent_sudo: bool,
    #[serde(default)]
    ignore_exit_codes: bool,
    #[serde(default)]
    guest_os_type: GuestSystem,
}

impl ProvisionerType for PuppetMasterless {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "puppet-masterless")
            .options([
                string("manifest_file", "The manifest to apply, or a folder of manifests.").required(),
                string("manifest_dir", "A folder of further manifests to upload."),
                string_list("module_paths", "Folders of modules."),
                string("hiera_config_path", "A configuration file of Hiera."),
                boolean("clean_staging_directory", "Removes what was uploaded, once Puppet has run."),
            ])
            .options(puppet::options())
            .options([string("staging_directory", "The machine's folder for the uploads.")])
            .options(guest::elevation_options())
            .check(check)
            .describe(|settings, _| {
                let manifest = settings.get("manifest_file").and_then(|path| path.as_str()).unwrap_or("manifests");
                format!("apply {manifest} with puppet")
            })
            .recipe(Recipe::cacheable(1).reads(|settings, _| inputs::reads(settings, INPUTS)))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = inputs::check(settings, INPUTS);
    if settings.get("manifest_file").and_then(|path| path.as_str()).is_none_or(str::is_empty) {
        problems.push(Problem::with("manifest_file", "`manifest_file` is empty").help("name the manifest to apply"));
    }
    problems.extend(GuestSystem::check(settings));
    problems.extend(guest::refuse_elevation(settings));
    problems
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

/// Where the uploads are on the machine; what is not uploaded is empty.
#[derive(Clone, Debug, Default)]
struct Uploaded {
    hiera_config: String,
    manifest_dir: String,
    modules: Vec<String>,
    manifest: String,
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        ctx.say("Provisioning with Puppet...").await;
        let guest = Guest { ctx, communicator, system: self.guest_os_type, uses_sudo: !self.prevent_sudo };
        let uploaded = self.upload(guest).await?;
        let command = self.command(ctx, &uploaded)?;
        puppet::run(guest, &command, self.ignore_exit_codes).await?;
        if self.clean_staging_directory {
            guest.remove_folder(self.staging()).await?;
        }
        Ok(())
    }

    fn staging(&self) -> &str {
        match self.staging_directory.as_str() {
            "" => self.guest_os_type.pick("/tmp/packer-puppet-masterless", "C:/Windows/Temp/packer-puppet-masterless"),
            folder => folder,
        }
    }

    async fn upload(&self, guest: Guest<'_>) -> Outcome<Uploaded> {
        let staging = self.staging();
        let mut uploaded = Uploaded::default();
        guest.create_open_folder(staging).await?;
        if !self.hiera_config_path.is_empty() {
            guest.ctx.say("Uploading hiera configuration...").await;
            uploaded.hiera_config = guest::join(staging, "hiera.yaml");
            guest.upload(&self.hiera_config_path, &uploaded.hiera_config).await?;
        }
        for (index, modules) in self.module_paths.iter().enumerate() {
            guest.ctx.say(format!("Uploading local modules from: {modules}")).await;
            let folder = guest::join(staging, &format!("module-{index}"));
            guest.create_open_folder(&folder).await?;
            guest.upload_contents(modules, &folder).await?;
            uploaded.modules.push(folder);
        }
        let manifests = guest::join(staging, "manifests");
        guest.create_open_folder(&manifests).await?;
        if !self.manifest_dir.is_empty() {
            guest.ctx.say(format!("Uploading manifest directory from: {}", self.manifest_dir)).await;
            guest.upload_contents(&self.manifest_dir, &manifests).await?;
            uploaded.manifest_dir.clone_from(&manifests);
        }
        guest.ctx.say(format!("Uploading manifests from: {}", self.manifest_file)).await;
        let metadata = tokio::fs::metadata(&self.manifest_file)
            .await
            .map_err(|error| Failure::new(error.to_string()).context(format!("reading {}", self.manifest_file)))?;
        if metadata.is_dir() {
            guest.upload_contents(&self.manifest_file, &manifests).await?;
            uploaded.manifest = manifests;
        } else {
            uploaded.manifest = guest::join(&manifests, &inputs::base_name(&self.manifest_file));
            guest.upload(&self.manifest_file, &uploaded.manifest).await?;
        }
        Ok(uploaded)
    }

    fn command(&self, ctx: &NodeContext, uploaded: &Uploaded) -> Outcome<String> {
        let facts = puppet::facts(self.guest_os_type, &self.facter, ctx.build.names());
        let modules = self.modules(uploaded);
        let working_directory = self.working_directory();
        let mut fields = vec![
            ("WorkingDir", working_directory),
            ("FacterVars", facts.as_str()),
            ("PuppetBinDir", self.puppet_bin_dir.as_str()),
            ("ModulePath", modules.as_str()),
            ("ModulePathJoiner", self.guest_os_type.pick(":", ";")),
            ("HieraConfigPath", uploaded.hiera_config.as_str()),
            ("ManifestDir", uploaded.manifest_dir.as_str()),
            ("ManifestFile", uploaded.manifest.as_str()),
            ("Sudo", if self.prevent_sudo { "" } else { "true" }),
            ("Debug", ""),
        ];
        let extra = ctx.render(&self.extra_arguments.join(" "), &fields)?;
        if self.execute_command.is_empty() {
            return Ok(self.default_command(uploaded, &facts, &extra));
        }
        fields.push(("ExtraArguments", &extra));
        ctx.render(&self.execute_command, &fields)
    }

    fn modules(&self, uploaded: &Uploaded) -> String {
        uploaded.modules.join(self.guest_os_type.pick(":", ";"))
    }

    fn working_directory(&self) -> &str {
        if self.working_directory.is_empty() { self.staging() } else { &self.working_directory }
    }

    fn default_command(&self, uploaded: &Uploaded, facts: &str, extra: &str) -> String {
        let mut command = puppet::command_start(
            self.guest_os_type,
            self.working_directory(),
            facts,
            !self.prevent_sudo,
            &self.puppet_bin_dir,
        );
        command.push_str("puppet apply --detailed-exitcodes ");
        for (option, value) in [
            ("modulepath", &self.modules(uploaded)),
            ("hiera_config", &uploaded.hiera_config),
            ("manifestdir", &uploaded.manifest_dir),
        ] {
            if !value.is_empty() {
                command.push_str(&format!("--{option}='{value}' "));
            }
        }
        if !extra.is_empty() {
            command.push_str(&format!("{extra} "));
        }
        command + &uploaded.manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &str) -> Config {
        serde_json::from_str(settings).expect("fits the options")
    }

    #[test]
    fn the_command_names_what_was_uploaded() {
        let uploaded = Uploaded {
            hiera_config: "/s/hiera.yaml".to_owned(),
            manifest_dir: "/s/manifests".to_owned(),
            modules: vec!["/s/module-0".to_owned(), "/s/module-1".to_owned()],
            manifest: "/s/manifests/site.pp".to_owned(),
        };
        for (settings, expected) in [
            (
                r#"{"manifest_file": "site.pp", "staging_directory": "/s", "puppet_bin_dir": "/opt/bin"}"#,
                "cd /s && FACTER_a='1' sudo -E /opt/bin/puppet apply --detailed-exitcodes \
                 --modulepath='/s/module-0:/s/module-1' --hiera_config='/s/hiera.yaml' --manifestdir='/s/manifests' \
                 --noop /s/manifests/site.pp",
            ),
            (
                r#"{"manifest_file": "site.pp", "prevent_sudo": true, "working_directory": "/w"}"#,
                "cd /w && FACTER_a='1' puppet apply --detailed-exitcodes \
                 --modulepath='/s/module-0:/s/module-1' --hiera_config='/s/hiera.yaml' --manifestdir='/s/manifests' \
                 --noop /s/manifests/site.pp",
            ),
        ] {
            assert_eq!(config(settings).default_command(&uploaded, "FACTER_a='1'", "--noop"), expected);
        }
        let plain = Uploaded { manifest: "/m.pp".to_owned(), ..Uploaded::default() };
        assert_eq!(
            config(r#"{"manifest_file": "m.pp", "guest_os_type": "Windows"}"#).default_command(&plain, "", ""),
            "cd C:/Windows/Temp/packer-puppet-masterless && puppet apply --detailed-exitcodes /m.pp"
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_its_option() {
        for (settings, options) in [
            (r#"{"manifest_file": "Cargo.toml"}"#, vec![]),
            (r#"{"manifest_file": ""}"#, vec!["manifest_file"]),
            (
                r#"{"manifest_file": "/nowhere", "module_paths": ["Cargo.toml"], "hiera_config_path": "src",
                    "guest_os_type": "x", "elevated_user": "u"}"#,
                vec!["manifest_file", "module_paths", "hiera_config_path", "guest_os_type", "elevated_user"],
            ),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            let found: Vec<_> = check(&settings).into_iter().filter_map(|problem| problem.option).collect();
            assert_eq!(found, options, "{settings:?}");
        }
    }
}
