//! `chef-client`: has Chef on the machine apply what a server gives it, and takes the node off the server again.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Problem, Recipe, Rendering, Settings, boolean, string};
use serde::Deserialize;

use super::chef_solo::describe;
use super::{Provisioner, ProvisionerType};
use crate::chef::{self, Common, RubyConfig};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::guest::{self, Guest};
use crate::inputs::{self, Input};

/// The `chef-client` provisioner type.
pub struct ChefClient;

const INPUTS: &[Input] = &[chef::INPUTS[0], chef::INPUTS[1], Input::file("validation_key_path")];

#[derive(Clone, Debug, Default, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    server_url: String,
    #[serde(default)]
    node_name: String,
    #[serde(default)]
    client_key: String,
    #[serde(default)]
    validation_client_name: String,
    #[serde(default)]
    validation_key_path: String,
    #[serde(default)]
    policy_name: String,
    #[serde(default)]
    policy_group: String,
    #[serde(default)]
    ssl_verify_mode: String,
    #[serde(default)]
    trusted_certs_dir: String,
    #[serde(default)]
    rubygems_url: String,
    #[serde(default)]
    knife_command: String,
    #[serde(default)]
    skip_clean_node: bool,
    #[serde(default)]
    skip_clean_client: bool,
    #[serde(default)]
    skip_clean_staging_directory: bool,
}

impl ProvisionerType for ChefClient {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "chef-client")
            .options([
                string("server_url", "The address of the server.").required(),
                string("node_name", "The node's name; without it, one that nobody else has."),
                string("client_key", "The machine's path of the client's key."),
                string("validation_client_name", "The client that new nodes are announced by."),
                string("validation_key_path", "That client's key."),
                string("policy_name", "The policy to apply."),
                string("policy_group", "The policy's group."),
                string("ssl_verify_mode", "Whether the server's certificate is checked.")
                    .choices(&["verify_none", "verify_peer"]),
                string("trusted_certs_dir", "The machine's folder of certificates to trust."),
                string("rubygems_url", "Where Chef takes Ruby's packages from."),
                string("knife_command", "The command that takes the node off the server.").rendering(Rendering::Late),
                boolean("skip_clean_node", "Leaves the node on the server."),
                boolean("skip_clean_client", "Leaves the client on the server."),
                boolean("skip_clean_staging_directory", "Leaves the uploads on the machine."),
            ])
            .options(chef::options())
            .options(guest::elevation_options())
            .check(check)
            .describe(|settings, _| describe(settings, "chef-client"))
            .recipe(Recipe::never("the server's answer may be another one"))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

fn check(settings: &Settings) -> Vec<Problem> {
    let text = |name: &str| settings.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let mut problems = inputs::check(settings, INPUTS);
    if text("server_url").is_empty() {
        problems.push(Problem::with("server_url", "`server_url` is empty").help("write the server's address"));
    }
    for (given, other) in [("policy_name", "policy_group"), ("policy_group", "policy_name")] {
        if !text(given).is_empty() && text(other).is_empty() {
            problems.push(Problem::with(given, format!("`{given}` needs `{other}`")).help("give both or none"));
        }
    }
    problems.extend(chef::check(settings));
    problems.extend(guest::refuse_elevation(settings));
    problems
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

/// What the configuration files speak of.
#[derive(Clone, Debug, Default)]
struct Node {
    name: String,
    client_key: String,
    secret: String,
    validation_key: String,
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        ctx.say("Provisioning with chef-client").await;
        let common = &self.common;
        let guest = common.guest(ctx, communicator);
        let staging = common.staging("chef-client");
        common.install(guest).await?;
        guest.create_open_folder(&staging).await?;
        let node = self.upload(guest, &staging).await?;
        let config = guest::join(&staging, "client.rb");
        common.write_config(guest, &config, &self.fields(&node), self.default_config(&node)).await?;
        let json = guest::join(&staging, "first-boot.json");
        common.write_attributes(guest, &json).await?;

        // A node that failed is on the server, too.
        let executed = common.execute(guest, "chef-client", &config, &json).await;
        let cleaned = self.clean_server(guest, &staging, &node).await;
        if let (Err(_), Err(failure)) = (&executed, &cleaned) {
            ctx.complain(failure.to_string()).await;
        }
        executed.and(cleaned)?;
        if self.skip_clean_staging_directory {
            return Ok(());
        }
        guest.remove_folder(&staging).await
    }

    async fn upload(&self, guest: Guest<'_>, staging: &str) -> Outcome<Node> {
        let or = |given: &str, default: String| if given.is_empty() { default } else { given.to_owned() };
        let mut node = Node {
            name: or(&self.node_name, format!("packer-{}", uuid::Uuid::new_v4())),
            client_key: or(&self.client_key, guest::join(staging, "client.pem")),
            secret: self.common.upload_secret(guest, staging).await?,
            validation_key: String::new(),
        };
        if !self.validation_key_path.is_empty() {
            node.validation_key = guest::join(staging, "validation.pem");
            guest.upload(&self.validation_key_path, &node.validation_key).await?;
        }
        Ok(node)
    }

    /// What a `config_template` may ask for.
    fn fields<'a>(&'a self, node: &'a Node) -> [(&'static str, &'a str); 13] {
        [
            ("NodeName", &node.name),
            ("ServerUrl", &self.server_url),
            ("ClientKey", &node.client_key),
            ("ChefLicense", self.common.license()),
            ("EncryptedDataBagSecretPath", &node.secret),
            ("ValidationKeyPath", &node.validation_key),
            ("ValidationClientName", &self.validation_client_name),
            ("ChefEnvironment", &self.common.chef_environment),
            ("PolicyGroup", &self.policy_group),
            ("PolicyName", &self.policy_name),
            ("SslVerifyMode", &self.ssl_verify_mode),
            ("TrustedCertsDir", &self.trusted_certs_dir),
            ("RubygemsUrl", &self.rubygems_url),
        ]
    }

    fn default_config(&self, node: &Node) -> String {
        let client = match self.validation_client_name.as_str() {
            "" => "chef-validator",
            name => name,
        };
        let config = self
            .connection(node)
            .text("chef_license", self.common.license())
            .text_if_given("encrypted_data_bag_secret", &node.secret)
            .text("validation_client_name", client)
            .text_if_given("validation_key", &node.validation_key)
            .text("node_name", &node.name)
            .text_if_given("environment", &self.common.chef_environment)
            .text_if_given("policy_group", &self.policy_group)
            .text_if_given("policy_name", &self.policy_name);
        self.trust(config).text_if_given("rubygems_url", &self.rubygems_url).finish()
    }

    fn knife_config(&self, node: &Node) -> String {
        self.trust(self.connection(node).text("node_name", &node.name)).finish()
    }

    fn connection(&self, node: &Node) -> RubyConfig {
        RubyConfig::default()
            .set("log_level", ":info")
            .set("log_location", "STDOUT")
            .text("chef_server_url", &self.server_url)
            .text("client_key", &node.client_key)
    }

    fn trust(&self, mut config: RubyConfig) -> RubyConfig {
        if !self.ssl_verify_mode.is_empty() {
            config = config.set("ssl_verify_mode", &format!(":{}", self.ssl_verify_mode));
        }
        config.text_if_given("trusted_certs_dir", &self.trusted_certs_dir)
    }

    /// Takes the node and its client off the server.
    async fn clean_server(&self, guest: Guest<'_>, staging: &str, node: &Node) -> Outcome<()> {
        let wanted = [("node", self.skip_clean_node), ("client", self.skip_clean_client)];
        if wanted.iter().all(|(_, is_skipped)| *is_skipped) {
            return Ok(());
        }
        let config = guest::join(staging, "knife.rb");
        guest.write(self.knife_config(node).as_bytes(), &config).await?;
        for (what, _) in wanted.into_iter().filter(|(_, is_skipped)| !is_skipped) {
            guest.ctx.say(format!("Cleaning up chef {what}...")).await;
            let (arguments, flags) = (format!("{what} delete {}", node.name), format!("-y -c {config}"));
            let fields = [("Args", arguments.as_str()), ("Flags", flags.as_str()), ("Sudo", self.common.sudo_field())];
            let command = match self.knife_command.as_str() {
                "" => format!("{} {arguments} {flags}", self.knife()),
                command => guest.ctx.render(command, &fields)?,
            };
            guest.must_run(&command, &format!("taking the {what} off the server")).await?;
        }
        Ok(())
    }

    fn knife(&self) -> String {
        let sudo = guest::sudo(self.common.guest_os_type, !self.common.prevent_sudo);
        self.common.guest_os_type.pick(format!("{sudo}knife"), "c:/opscode/chef/bin/knife.bat".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        serde_json::from_str(text).expect("is an object")
    }

    #[test]
    fn the_configuration_names_server_and_node() {
        let config: Config = crate::settings::read_settings(&settings(
            r#"{"server_url": "https://chef", "policy_name": "p", "policy_group": "g", "ssl_verify_mode": "verify_none"}"#,
        ))
        .expect("fits");
        let node = Node { name: "n".to_owned(), client_key: "/k".to_owned(), ..Node::default() };
        let connection = "log_level :info\nlog_location STDOUT\nchef_server_url \"https://chef\"\nclient_key \"/k\"\n";
        assert_eq!(
            config.default_config(&node),
            format!(
                "{connection}chef_license \"accept-silent\"\nvalidation_client_name \"chef-validator\"\n\
                 node_name \"n\"\npolicy_group \"g\"\npolicy_name \"p\"\nssl_verify_mode :verify_none\n"
            )
        );
        assert_eq!(config.knife_config(&node), format!("{connection}node_name \"n\"\nssl_verify_mode :verify_none\n"));
        assert_eq!(config.knife(), "sudo knife");
    }

    #[test]
    fn what_is_wrong_is_said_at_its_option() {
        for (text, options) in [
            (r#"{"server_url": "x"}"#, vec![]),
            (
                r#"{"server_url": "", "policy_name": "p", "validation_key_path": "/nowhere", "elevated_user": "u"}"#,
                vec!["validation_key_path", "server_url", "policy_name", "elevated_user"],
            ),
        ] {
            let found: Vec<_> = check(&settings(text)).into_iter().filter_map(|problem| problem.option).collect();
            assert_eq!(found, options, "{text}");
        }
    }
}
