//! What the two provisioners by Puppet share: facts, the start of the command, what its exit status says.

use std::collections::BTreeMap;

use rpk_planner::catalog::{OptionSpec, Rendering, boolean, string, string_list, string_map};
use rpk_planner::late::BuildNames;

use crate::failure::{Failure, Outcome};
use crate::guest::{self, Guest, GuestSystem};

/// The options that both have.
pub(crate) fn options() -> [OptionSpec; 8] {
    [
        string_map("facter", "Facts to set."),
        string_list("extra_arguments", "Further arguments of Puppet.").rendering(Rendering::Late),
        string("execute_command", "The command that runs Puppet.").rendering(Rendering::Late),
        string("working_directory", "The machine's folder to run Puppet in."),
        string("puppet_bin_dir", "The machine's folder with the executable."),
        boolean("prevent_sudo", "Runs commands without `sudo`."),
        boolean("ignore_exit_codes", "Takes every exit status for success."),
        GuestSystem::option(),
    ]
}

/// Writes the facts as variables of the command's environment, by name.
pub(crate) fn facts(system: GuestSystem, given: &BTreeMap<String, String>, build: BuildNames<'_>) -> String {
    let mut all = given.clone();
    all.insert("packer_build_name".to_owned(), build.name.to_owned());
    all.insert("packer_builder_type".to_owned(), build.builder_type.to_owned());
    let write = |(name, value): (&String, &String)| match system {
        GuestSystem::Unix => format!("FACTER_{name}={}", guest::quote(value)),
        GuestSystem::Windows => format!("SET \"FACTER_{name}={value}\""),
    };
    all.iter().map(write).collect::<Vec<_>>().join(system.pick(" ", " & "))
}

/// Writes all of the command that comes before `puppet`.
pub(crate) fn command_start(
    system: GuestSystem,
    folder: &str,
    facts: &str,
    uses_sudo: bool,
    puppet_bin_dir: &str,
) -> String {
    let mut command = format!("cd {folder} && ");
    if !facts.is_empty() {
        command.push_str(facts);
        command.push_str(system.pick(" ", " && "));
    }
    if uses_sudo && system == GuestSystem::Unix {
        // The facts are in the environment.
        command.push_str("sudo -E ");
    }
    if !puppet_bin_dir.is_empty() {
        command.push_str(puppet_bin_dir);
        command.push('/');
    }
    command
}

/// Runs Puppet. Status 2 says that it has changed something, which is what it is for.
pub(crate) async fn run(guest: Guest<'_>, command: &str, takes_any_status: bool) -> Outcome<()> {
    guest.ctx.say(format!("Running Puppet: {command}")).await;
    match guest.run(command).await.map_err(|failure| failure.context("running Puppet"))? {
        0 | 2 => Ok(()),
        _ if takes_any_status => Ok(()),
        127 => Err(Failure::new("the machine has no `puppet`, or no `sudo`")
            .exit_status(127)
            .help("install Puppet by an earlier provisioner, or set `puppet_bin_dir` or `prevent_sudo`")),
        status => Err(Failure::new(format!("Puppet exited with a non-zero exit status: {status}"))
            .exit_status(status)
            .help("4 and 6 mean that resources failed; `ignore_exit_codes` goes on all the same")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_sorted_and_quoted() {
        let build = BuildNames { name: "web", builder_type: "docker" };
        let given = BTreeMap::from([("role".to_owned(), "it's".to_owned()), ("a".to_owned(), "1".to_owned())]);
        assert_eq!(
            facts(GuestSystem::Unix, &given, build),
            "FACTER_a='1' FACTER_packer_build_name='web' FACTER_packer_builder_type='docker' FACTER_role='it'\"'\"'s'"
        );
        let windows = facts(GuestSystem::Windows, &BTreeMap::new(), build);
        assert_eq!(windows, "SET \"FACTER_packer_build_name=web\" & SET \"FACTER_packer_builder_type=docker\"");
    }
}
