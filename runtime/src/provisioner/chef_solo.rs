//! `chef-solo`: uploads cookbooks and what belongs to them and runs Chef without a server.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{Caching, ComponentKind, ComponentSpec, Problem, Recipe, Settings, string, string_list};
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::chef::{self, Common, RubyConfig};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::guest::{self, Guest};
use crate::inputs::{self, Input};

/// The `chef-solo` provisioner type.
pub struct ChefSolo;

const INPUTS: &[Input] = &[
    chef::INPUTS[0],
    chef::INPUTS[1],
    Input::folder("cookbook_paths"),
    Input::folder("roles_path"),
    Input::folder("data_bags_path"),
    Input::folder("environments_path"),
];

#[derive(Clone, Debug, Default, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    #[serde(default)]
    cookbook_paths: Vec<String>,
    #[serde(default)]
    remote_cookbook_paths: Vec<String>,
    #[serde(default)]
    roles_path: String,
    #[serde(default)]
    data_bags_path: String,
    #[serde(default)]
    environments_path: String,
}

impl ProvisionerType for ChefSolo {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "chef-solo")
            .options([
                string_list("cookbook_paths", "Folders of cookbooks to upload."),
                string_list("remote_cookbook_paths", "Folders of cookbooks that the machine has."),
                string("roles_path", "A folder of roles."),
                string("data_bags_path", "A folder of data bags."),
                string("environments_path", "A folder of environments."),
            ])
            .options(chef::options())
            .check(check)
            .describe(|settings, _| describe(settings, "chef-solo"))
            .recipe(
                Recipe::judged(1, |settings, _| judge(settings)).reads(|settings, _| inputs::reads(settings, INPUTS)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = inputs::check(settings, INPUTS);
    problems.extend(chef::check(settings));
    problems
}

fn judge(settings: &Settings) -> Caching {
    if Common::is_pinned(settings) {
        return Caching::Cacheable;
    }
    Caching::Never("installs the newest Chef; set `version` or `skip_install`".to_owned())
}

/// Says in a few words what Chef runs.
pub(super) fn describe(settings: &Settings, program: &str) -> String {
    let list = settings.get("run_list").and_then(|list| list.as_array()).map_or(&[][..], Vec::as_slice);
    match list {
        [] => format!("run {program}"),
        [one] => format!("run {} with {program}", one.as_str().unwrap_or_default()),
        [first, rest @ ..] => {
            format!("run {} and {} more with {program}", first.as_str().unwrap_or_default(), rest.len())
        }
    }
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

/// Where the uploads are on the machine; what is not uploaded is empty.
#[derive(Clone, Debug, Default)]
struct Uploaded {
    /// All folders of cookbooks, as a list in Ruby without its brackets.
    cookbooks: String,
    roles: String,
    data_bags: String,
    secret: String,
    environments: String,
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        ctx.say("Provisioning with chef-solo").await;
        let common = &self.common;
        let guest = common.guest(ctx, communicator);
        let staging = common.staging("chef-solo");
        common.install(guest).await?;
        let uploaded = self.upload(guest, &staging).await?;
        let config = guest::join(&staging, "solo.rb");
        let fields = self.fields(&uploaded);
        common.write_config(guest, &config, &fields, self.default_config(&uploaded)).await?;
        let json = guest::join(&staging, "node.json");
        common.write_attributes(guest, &json).await?;
        common.execute(guest, "chef-solo", &config, &json).await
    }

    async fn upload(&self, guest: Guest<'_>, staging: &str) -> Outcome<Uploaded> {
        guest.create_open_folder(staging).await?;
        let mut cookbooks: Vec<String> = self.remote_cookbook_paths.clone();
        for (index, source) in self.cookbook_paths.iter().enumerate() {
            cookbooks.push(upload_folder(guest, staging, source, &format!("cookbooks-{index}")).await?);
        }
        let quoted: Vec<String> = cookbooks.iter().map(|path| format!("\"{path}\"")).collect();
        Ok(Uploaded {
            cookbooks: quoted.join(","),
            roles: upload_folder(guest, staging, &self.roles_path, "roles").await?,
            data_bags: upload_folder(guest, staging, &self.data_bags_path, "data_bags").await?,
            secret: self.common.upload_secret(guest, staging).await?,
            environments: upload_folder(guest, staging, &self.environments_path, "environments").await?,
        })
    }

    /// What a `config_template` may ask for.
    fn fields<'a>(&'a self, uploaded: &'a Uploaded) -> [(&'static str, &'a str); 11] {
        let has = |path: &str| if path.is_empty() { "" } else { "true" };
        [
            ("CookbookPaths", &uploaded.cookbooks),
            ("RolesPath", &uploaded.roles),
            ("DataBagsPath", &uploaded.data_bags),
            ("EncryptedDataBagSecretPath", &uploaded.secret),
            ("EnvironmentsPath", &uploaded.environments),
            ("HasRolesPath", has(&uploaded.roles)),
            ("HasDataBagsPath", has(&uploaded.data_bags)),
            ("HasEncryptedDataBagSecretPath", has(&uploaded.secret)),
            ("HasEnvironmentsPath", has(&uploaded.environments)),
            ("ChefEnvironment", &self.common.chef_environment),
            ("ChefLicense", self.common.license()),
        ]
    }

    fn default_config(&self, uploaded: &Uploaded) -> String {
        let mut config = RubyConfig::default()
            .text("chef_license", self.common.license())
            .set("cookbook_path", &format!("[{}]", uploaded.cookbooks))
            .text_if_given("role_path", &uploaded.roles)
            .text_if_given("data_bag_path", &uploaded.data_bags)
            .text_if_given("encrypted_data_bag_secret", &uploaded.secret)
            .text_if_given("environment_path", &uploaded.environments);
        // Without environments of its own, chef-solo knows none that could be named.
        if !uploaded.environments.is_empty() {
            config = config.text("environment", &self.common.chef_environment);
        }
        config.finish()
    }
}

/// Uploads a folder under a name below the staging folder and returns where it is; nothing is nowhere.
async fn upload_folder(guest: Guest<'_>, staging: &str, source: &str, name: &str) -> Outcome<String> {
    if source.is_empty() {
        return Ok(String::new());
    }
    let folder = guest::join(staging, name);
    guest.create_open_folder(&folder).await?;
    guest.upload_contents(source, &folder).await?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        serde_json::from_str(text).expect("is an object")
    }

    #[test]
    fn the_configuration_names_what_was_uploaded() {
        let config: Config = crate::settings::read_settings(&settings(
            r#"{"chef_environment": "dev", "skip_install": true, "chef_license": "accept"}"#,
        ))
        .expect("fits");
        let uploaded = Uploaded {
            cookbooks: "\"/a\",\"/s/cookbooks-0\"".to_owned(),
            roles: "/s/roles".to_owned(),
            environments: "/s/environments".to_owned(),
            ..Uploaded::default()
        };
        assert_eq!(
            config.default_config(&uploaded),
            "chef_license \"accept\"\ncookbook_path [\"/a\",\"/s/cookbooks-0\"]\nrole_path \"/s/roles\"\n\
             environment_path \"/s/environments\"\nenvironment \"dev\"\n"
        );
        assert_eq!(config.default_config(&Uploaded::default()), "chef_license \"accept\"\ncookbook_path []\n");
    }

    #[test]
    fn only_a_chef_that_is_named_is_reused() {
        for (text, is_reused) in [("{}", false), (r#"{"skip_install": true}"#, true), (r#"{"version": "17.1"}"#, true)]
        {
            assert_eq!(judge(&settings(text)) == Caching::Cacheable, is_reused, "{text}");
        }
    }

    #[test]
    fn titles_tell_the_run_list() {
        for (text, title) in [
            ("{}", "run chef-solo"),
            (r#"{"run_list": ["a"]}"#, "run a with chef-solo"),
            (r#"{"run_list": ["a", "b"]}"#, "run a and 1 more with chef-solo"),
        ] {
            assert_eq!(describe(&settings(text), "chef-solo"), title);
        }
    }
}
