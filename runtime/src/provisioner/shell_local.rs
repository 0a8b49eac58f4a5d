//! `shell-local`: runs scripts on this machine while the other one waits.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ComponentKind, ComponentSpec, Settings};

use super::{Provisioner, ProvisionerType};
use crate::communicator::Communicator;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::local_script::{self, LocalScript};

/// The `shell-local` provisioner type.
pub struct ShellLocal;

impl ProvisionerType for ShellLocal {
    fn spec(&self) -> ComponentSpec {
        local_script::spec(ComponentKind::Provisioner)
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        Ok(Box::new(crate::settings::read_settings::<LocalScript>(settings)?))
    }
}

impl Provisioner for LocalScript {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, _: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        self.run(ctx).boxed()
    }
}
