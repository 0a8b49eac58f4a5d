//! `ansible-local`: uploads playbooks with all that they use and runs Ansible on the machine itself.
//!
//! The lay-out below the staging folder is the one that Ansible looks for beside a playbook: `roles`, `collections`,
//! `group_vars`, `host_vars`.

use std::path::{Path, PathBuf};

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

/// The `ansible-local` provisioner type.
pub struct AnsibleLocal;

const INPUTS: &[Input] = &[
    Input::file("playbook_file"),
    Input::file("playbook_files"),
    Input::folder("playbook_dir"),
    Input::folder("playbook_paths"),
    Input::folder("role_paths"),
    Input::folder("collection_paths"),
    Input::folder("group_vars"),
    Input::folder("host_vars"),
    Input::file("inventory_file"),
    Input::file("galaxy_file"),
];

/// The folder below which each run has one of its own.
const STAGING: &str = "/tmp/packer-provisioner-ansible-local";

/// What the inventory is called where the template names none.
const INVENTORY: &str = "packer-provisioner-ansible-local";

#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Config {
    playbook_file: String,
    playbook_files: Vec<String>,
    playbook_dir: String,
    playbook_paths: Vec<String>,
    role_paths: Vec<String>,
    collection_paths: Vec<String>,
    group_vars: String,
    host_vars: String,
    inventory_file: String,
    inventory_groups: Vec<String>,
    galaxy_file: String,
    galaxy_command: String,
    galaxy_roles_path: String,
    galaxy_collections_path: String,
    command: String,
    extra_arguments: Vec<String>,
    staging_directory: String,
    clean_staging_directory: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            playbook_file: String::new(),
            playbook_files: Vec::new(),
            playbook_dir: String::new(),
            playbook_paths: Vec::new(),
            role_paths: Vec::new(),
            collection_paths: Vec::new(),
            group_vars: String::new(),
            host_vars: String::new(),
            inventory_file: String::new(),
            inventory_groups: Vec::new(),
            galaxy_file: String::new(),
            galaxy_command: "ansible-galaxy".to_owned(),
            galaxy_roles_path: String::new(),
            galaxy_collections_path: String::new(),
            // Its output shall come line by line, and coloured as on a terminal.
            command: "ANSIBLE_FORCE_COLOR=1 PYTHONUNBUFFERED=1 ansible-playbook".to_owned(),
            extra_arguments: Vec::new(),
            staging_directory: String::new(),
            clean_staging_directory: false,
        }
    }
}

impl ProvisionerType for AnsibleLocal {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "ansible-local")
            .options([
                string("playbook_file", "The playbook to run."),
                string_list("playbook_files", "The playbooks to run, in this order."),
                string("playbook_dir", "A folder to upload into the staging folder."),
                string_list("playbook_paths", "Folders of further playbooks, uploaded into `playbooks`."),
                string_list("role_paths", "Folders of roles, uploaded into `roles`."),
                string_list("collection_paths", "Folders of collections, uploaded into `collections`."),
                string("group_vars", "The folder of the groups' variables."),
                string("host_vars", "The folder of the hosts' variables."),
                string("inventory_file", "The inventory; without it, the machine itself."),
                string_list("inventory_groups", "The groups that the machine is in, without an inventory of its own."),
                string("galaxy_file", "What ansible-galaxy is to install before."),
                string("galaxy_command", "The command that runs ansible-galaxy."),
                string("galaxy_roles_path", "The machine's folder for roles of ansible-galaxy."),
                string("galaxy_collections_path", "The machine's folder for collections of ansible-galaxy."),
                string("command", "The command that runs ansible-playbook."),
                string_list("extra_arguments", "Further arguments of ansible-playbook."),
                string("staging_directory", "The machine's folder for the uploads."),
                boolean("clean_staging_directory", "Removes what was uploaded, once Ansible has run."),
            ])
            .check(check)
            .describe(|settings, _| describe(settings))
            .recipe(
                Recipe::judged(1, |settings, _| judge(settings)).reads(|settings, _| inputs::reads(settings, INPUTS)),
            )
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        let mut config: Config = crate::settings::read_settings(settings)?;
        let defaults = Config::default();
        for (option, default) in
            [(&mut config.command, defaults.command), (&mut config.galaxy_command, defaults.galaxy_command)]
        {
            if option.is_empty() {
                *option = default;
            }
        }
        Ok(Box::new(config))
    }
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

/// The playbooks to run, with the option that names them.
fn playbooks(settings: &Settings) -> (&str, Vec<&str>) {
    let one = text(settings, "playbook_file");
    let list = settings.get("playbook_files").and_then(|list| list.as_array()).into_iter().flatten();
    (one, list.filter_map(|path| path.as_str()).collect())
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = inputs::check(settings, INPUTS);
    match playbooks(settings) {
        ("", list) if list.is_empty() => problems.push(
            Problem::of_block("there is no playbook to run").help("give one of `playbook_file` and `playbook_files`"),
        ),
        (one, list) if !one.is_empty() && !list.is_empty() => problems.push(
            Problem::with("playbook_files", "`playbook_file` and `playbook_files` exclude each other")
                .help("keep one of them"),
        ),
        _ => {}
    }
    problems
}

fn describe(settings: &Settings) -> String {
    match playbooks(settings) {
        ("", list) => match list.as_slice() {
            [] => "run ansible".to_owned(),
            [playbook] => format!("run {playbook} with ansible"),
            [first, rest @ ..] => format!("run {first} and {} more with ansible", rest.len()),
        },
        (playbook, _) => format!("run {playbook} with ansible"),
    }
}

fn judge(settings: &Settings) -> Caching {
    if text(settings, "galaxy_file").is_empty() {
        return Caching::Cacheable;
    }
    Caching::Never("installs from Ansible Galaxy what is newest".to_owned())
}

impl Provisioner for Config {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx, communicator).boxed()
    }
}

impl Config {
    async fn run(&self, ctx: &NodeContext, communicator: &dyn Communicator) -> Outcome<()> {
        ctx.say("Provisioning with Ansible...").await;
        let guest = Guest { ctx, communicator, system: GuestSystem::Unix, uses_sudo: false };
        let staging = match self.staging_directory.trim_end_matches('/') {
            "" => format!("{STAGING}/{}", uuid::Uuid::new_v4()),
            folder => folder.to_owned(),
        };
        let playbooks = self.upload_playbooks(guest, &staging).await?;
        let inventory = self.upload_inventory(guest, &staging).await?;
        self.upload_surroundings(guest, &staging).await?;
        self.run_galaxy(guest, &staging).await?;

        let address = ctx.data.get("PackerHTTPAddr").map_or("", String::as_str);
        let variables = format!(
            "packer_build_name={} packer_builder_type={} packer_http_addr={address}",
            ctx.build.source_name, ctx.build.builder_type
        );
        for playbook in playbooks {
            let command = self.command(&staging, &playbook, &variables, &inventory);
            ctx.say(format!("Executing Ansible: {command}")).await;
            match guest.run(&command).await.map_err(|failure| failure.context("running Ansible"))? {
                0 => {}
                127 => {
                    return Err(Failure::new(format!("the machine has no `{}`", self.command))
                        .exit_status(127)
                        .help("install Ansible by an earlier provisioner, or set `command`"));
                }
                status => {
                    let failure = Failure::new(format!("Ansible exited with a non-zero exit status: {status}"));
                    return Err(failure.exit_status(status));
                }
            }
        }
        if self.clean_staging_directory {
            guest.remove_folder(&staging).await?;
        }
        Ok(())
    }

    /// Makes the staging folder with the playbooks in it and returns where they are.
    async fn upload_playbooks(&self, guest: Guest<'_>, staging: &str) -> Outcome<Vec<String>> {
        guest.create_folder(staging).await?;
        if !self.playbook_dir.is_empty() {
            guest.ctx.say("Uploading Playbook directory to Ansible staging directory...").await;
            guest.upload_contents(&self.playbook_dir, staging).await?;
        }
        if !self.playbook_file.is_empty() {
            guest.ctx.say("Uploading main Playbook file...").await;
            let path = guest::join(staging, &inputs::base_name(&self.playbook_file));
            guest.upload(&self.playbook_file, &path).await?;
            return Ok(vec![path]);
        }
        let mut paths = Vec::new();
        for playbook in &self.playbook_files {
            let place = place(playbook, &self.playbook_dir)
                .map_err(|error| Failure::new(error.to_string()).context(format!("finding {playbook}")))?;
            let path = guest::join(staging, &place.path);
            if !place.is_uploaded {
                guest.ctx.say(format!("Uploading playbook file: {playbook}")).await;
                if let Some((folder, _)) = path.rsplit_once('/') {
                    guest.create_folder(folder).await?;
                }
                guest.upload(playbook, &path).await?;
            }
            paths.push(path);
        }
        Ok(paths)
    }

    /// Uploads the inventory, or one that names the machine itself, and returns where it is.
    async fn upload_inventory(&self, guest: Guest<'_>, staging: &str) -> Outcome<String> {
        guest.ctx.say("Uploading inventory file...").await;
        if !self.inventory_file.is_empty() {
            let path = guest::join(staging, &inputs::base_name(&self.inventory_file));
            guest.upload(&self.inventory_file, &path).await?;
            return Ok(path);
        }
        let path = guest::join(staging, INVENTORY);
        guest.write(inventory(&self.inventory_groups).as_bytes(), &path).await?;
        Ok(path)
    }

    /// Uploads what Ansible looks for beside its playbooks.
    async fn upload_surroundings(&self, guest: Guest<'_>, staging: &str) -> Outcome<()> {
        for (source, name) in [(&self.group_vars, "group_vars"), (&self.host_vars, "host_vars")] {
            if !source.is_empty() {
                guest.ctx.say(format!("Uploading {name} directory...")).await;
                let folder = guest::join(staging, name);
                guest.create_folder(&folder).await?;
                guest.upload_contents(source, &folder).await?;
            }
        }
        for (sources, name) in
            [(&self.role_paths, "roles"), (&self.collection_paths, "collections"), (&self.playbook_paths, "playbooks")]
        {
            for source in sources {
                guest.ctx.say(format!("Uploading {source} into {name}...")).await;
                let folder = guest::join(&guest::join(staging, name), &inputs::base_name(source));
                guest.create_folder(&folder).await?;
                guest.upload_contents(source, &folder).await?;
            }
        }
        Ok(())
    }

    async fn run_galaxy(&self, guest: Guest<'_>, staging: &str) -> Outcome<()> {
        if self.galaxy_file.is_empty() {
            return Ok(());
        }
        guest.ctx.say("Uploading galaxy file...").await;
        let path = guest::join(staging, &inputs::base_name(&self.galaxy_file));
        guest.upload(&self.galaxy_file, &path).await?;
        let requirements = tokio::fs::read_to_string(&self.galaxy_file)
            .await
            .map_err(|error| Failure::new(error.to_string()).context(format!("reading {}", self.galaxy_file)))?;
        for command in self.galaxy_commands(staging, &path, &requirements) {
            guest.ctx.say(format!("Executing Ansible Galaxy: {command}")).await;
            guest.must_run(&command, "running ansible-galaxy").await?;
        }
        Ok(())
    }

    /// The commands that install roles, collections or both, as the file has them; a plain list is of roles.
    fn galaxy_commands(&self, staging: &str, file: &str, requirements: &str) -> Vec<String> {
        let has = |key: &str| requirements.lines().any(|line| line.starts_with(key));
        let or = |given: &str, name: &str| if given.is_empty() { guest::join(staging, name) } else { given.to_owned() };
        let start = format!("cd {staging} && {}", self.galaxy_command);
        let mut commands = Vec::new();
        if has("roles:") || !has("collections:") {
            commands.push(format!("{start} install -r {file} -p {}", or(&self.galaxy_roles_path, "roles")));
        }
        if has("collections:") {
            let folder = or(&self.galaxy_collections_path, "galaxy_collections");
            commands.push(format!("{start} collection install -r {file} -p {folder}"));
        }
        commands
    }

    fn command(&self, staging: &str, playbook: &str, variables: &str, inventory: &str) -> String {
        // The stray option inside the variables is Packer's. Ansible passes over it, but playbooks may be run by a
        // wrapper that looks at the whole line.
        format!(
            "cd {staging} && {} {playbook} --extra-vars \"{variables} -o IdentitiesOnly=yes\" {} -c local -i {inventory}",
            self.command,
            self.extra_arguments.join(" ")
        )
    }
}

/// Where a playbook of a list goes, below the staging folder.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    path: String,
    /// Whether it has come with the folder of playbooks.
    is_uploaded: bool,
}

/// Finds the place of a playbook: its own in the uploaded folder, otherwise its absolute path.
fn place(playbook: &str, folder: &str) -> std::io::Result<Place> {
    let playbook: PathBuf = std::path::absolute(playbook)?;
    if !folder.is_empty() {
        let folder = std::path::absolute(folder)?;
        if let Ok(path) = playbook.strip_prefix(&folder) {
            return Ok(Place { path: display(path), is_uploaded: true });
        }
    }
    Ok(Place { path: display(&playbook), is_uploaded: false })
}

fn display(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An inventory of the machine itself, in all these groups.
fn inventory(groups: &[String]) -> String {
    if groups.is_empty() {
        return "127.0.0.1".to_owned();
    }
    groups.iter().map(|group| format!("[{group}]\n127.0.0.1\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_runs_a_playbook_on_the_machine_itself() {
        let config = Config { extra_arguments: vec!["-v".to_owned(), "--diff".to_owned()], ..Config::default() };
        assert_eq!(
            config.command("/s", "/s/site.yml", "packer_build_name=a", "/s/hosts"),
            "cd /s && ANSIBLE_FORCE_COLOR=1 PYTHONUNBUFFERED=1 ansible-playbook /s/site.yml \
             --extra-vars \"packer_build_name=a -o IdentitiesOnly=yes\" -v --diff -c local -i /s/hosts"
        );
    }

    #[test]
    fn galaxy_installs_what_its_file_has() {
        let config = Config { galaxy_command: "g".to_owned(), galaxy_roles_path: "/r".to_owned(), ..Config::default() };
        let roles = "cd /s && g install -r /s/f -p /r";
        let collections = "cd /s && g collection install -r /s/f -p /s/galaxy_collections";
        for (requirements, expected) in [
            ("- src: a", vec![roles]),
            ("roles:\n  - a", vec![roles]),
            ("collections:\n  - a", vec![collections]),
            ("---\ncollections:\n  - a\nroles:\n  - b", vec![roles, collections]),
        ] {
            assert_eq!(config.galaxy_commands("/s", "/s/f", requirements), expected, "{requirements}");
        }
    }

    #[test]
    fn playbooks_of_the_uploaded_folder_are_run_in_it() {
        let found = |playbook: &str, folder: &str| place(playbook, folder).expect("there is a working directory");
        assert_eq!(found("/a/b/c.yml", "/a"), Place { path: "b/c.yml".to_owned(), is_uploaded: true });
        assert_eq!(found("/ab/c.yml", "/a"), Place { path: "/ab/c.yml".to_owned(), is_uploaded: false });
        assert_eq!(found("/ab/c.yml", ""), Place { path: "/ab/c.yml".to_owned(), is_uploaded: false });
    }

    #[test]
    fn an_inventory_is_made_of_groups() {
        assert_eq!(inventory(&[]), "127.0.0.1");
        assert_eq!(inventory(&["a".to_owned(), "b".to_owned()]), "[a]\n127.0.0.1\n[b]\n127.0.0.1\n");
    }

    #[test]
    fn there_is_one_way_to_name_playbooks() {
        for (settings, messages) in [
            (r#"{"playbook_file": "Cargo.toml"}"#, vec![]),
            ("{}", vec!["there is no playbook to run"]),
            (
                r#"{"playbook_file": "Cargo.toml", "playbook_files": ["Cargo.toml"], "group_vars": "/nowhere"}"#,
                vec!["there is no folder /nowhere", "`playbook_file` and `playbook_files` exclude each other"],
            ),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            let found: Vec<_> = check(&settings).into_iter().map(|problem| problem.message).collect();
            assert_eq!(found, messages, "{settings:?}");
        }
    }
}
