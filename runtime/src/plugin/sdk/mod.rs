//! Plugins written in Rust: the plugin's side of the protocol, for programs that Packer or rpk starts.
//!
//! A program makes a [`Plugin`], adds its components and calls [`Plugin::run`]. It serves today's Packer and rpk as
//! `packer-plugin-NAME` (`describe`, `start`), and older releases as `packer-provisioner-NAME` or
//! `packer-post-processor-NAME`, which hold one component and are started without arguments. See
//! `examples/stamp.rs`.
//!
//! | file | holds |
//! | --- | --- |
//! | `config.rs` | what a component is configured with |
//! | `serve.rs` | the process: its handshake, its calls |
//!
//! Texts with `{{ … }}` reach the component as they are. Schemas travel in protobuf alone, so that HCL2 templates
//! need a core that starts plugins with `--protobuf`; legacy templates need none.

mod config;
mod serve;

use futures::future::BoxFuture;

pub use super::schema::{Object, Type};
pub use config::Config;
pub use serve::{Machine, Plugin, Ran, Ui};

/// An artifact, as a post-processor is given it and gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Which kind of component made it.
    pub builder_id: String,
    /// What its maker calls it.
    pub id: String,
    /// A line for people.
    pub description: String,
    /// The files that it consists of.
    pub files: Vec<String>,
}

/// What a post-processor comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processed {
    /// The artifact; none ends the sequence.
    pub artifact: Option<Artifact>,
    /// Whether the artifact that went in is kept where the template does not say.
    pub keeps_input: bool,
}

/// A provisioner.
pub trait Provisioner: Send + Sync {
    /// Lists its options.
    fn schema(&self) -> Object;

    /// Checks its options; nothing is done.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with them.
    fn prepare(&self, config: &Config) -> Result<(), String>;

    /// Changes the machine.
    fn provision<'a>(
        &'a self,
        config: &'a Config,
        machine: &'a Machine,
        ui: &'a Ui,
    ) -> BoxFuture<'a, Result<(), String>>;
}

/// A post-processor.
pub trait PostProcessor: Send + Sync {
    /// Lists its options.
    fn schema(&self) -> Object;

    /// Checks its options; nothing is done.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with them.
    fn configure(&self, config: &Config) -> Result<(), String>;

    /// Makes an artifact of the one that is given.
    fn process<'a>(
        &'a self,
        config: &'a Config,
        artifact: &'a Artifact,
        ui: &'a Ui,
    ) -> BoxFuture<'a, Result<Processed, String>>;
}
