//! Provisioners: each changes a machine.
//!
//! | file | type |
//! | --- | --- |
//! | `ansible_local.rs` | `ansible-local`: runs playbooks of Ansible on the machine itself |
//! | `breakpoint.rs` | `breakpoint`: waits for the user |
//! | `chef_client.rs` | `chef-client`: runs what a server of Chef gives |
//! | `chef_solo.rs` | `chef-solo`: runs cookbooks of Chef |
//! | `file.rs` | `file`: moves files to and from the machine |
//! | `powershell.rs` | `powershell`: runs scripts of PowerShell on the machine |
//! | `puppet_masterless.rs` | `puppet-masterless`: applies manifests of Puppet |
//! | `puppet_server.rs` | `puppet-server`: applies what a server of Puppet gives |
//! | `salt_masterless.rs` | `salt-masterless`: applies states of Salt |
//! | `shell.rs` | `shell`: runs scripts on the machine |
//! | `shell_local.rs` | `shell-local`: runs scripts on this machine |
//! | `sleep.rs` | `sleep`: waits |
//! | `windows_restart.rs` | `windows-restart`: is checked and planned, but not run |
//! | `windows_shell.rs` | `windows-shell`: runs batch files on the machine |

pub mod ansible_local;
pub mod breakpoint;
pub mod chef_client;
pub mod chef_solo;
pub mod file;
pub mod powershell;
pub mod puppet_masterless;
pub mod puppet_server;
pub mod salt_masterless;
pub mod shell;
pub mod shell_local;
pub mod sleep;
pub mod windows_restart;
pub mod windows_shell;

use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentSpec, Settings};

use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;

/// The provisioners that rpk has.
pub static PROVISIONERS: &[&dyn ProvisionerType] = &[
    &ansible_local::AnsibleLocal,
    &breakpoint::Breakpoint,
    &chef_client::ChefClient,
    &chef_solo::ChefSolo,
    &file::File,
    &powershell::PowerShell,
    &puppet_masterless::PuppetMasterless,
    &puppet_server::PuppetServer,
    &salt_masterless::SaltMasterless,
    &shell::Shell,
    &shell_local::ShellLocal,
    &sleep::Sleep,
    &windows_restart::WindowsRestart,
    &windows_shell::WindowsShell,
];

/// A type of provisioner, as templates name it.
pub trait ProvisionerType: Send + Sync {
    /// Describes it to the planner.
    fn spec(&self) -> ComponentSpec;

    /// Makes a provisioner of checked options.
    ///
    /// # Errors
    ///
    /// Fails if the options do not fit the component, which the planner's check should have found.
    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>>;
}

/// A provisioner with its options.
pub trait Provisioner: Send + Sync {
    /// Changes the machine.
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>>;
}
