//! `shell-local`: runs scripts on this machine once the artifact is made.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{ArtifactFlow, ComponentKind, ComponentSpec, Settings};

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::Outcome;
use crate::local_script::{self, LocalScript};

/// The `shell-local` post-processor type.
pub struct ShellLocal;

impl PostProcessorType for ShellLocal {
    fn spec(&self) -> ComponentSpec {
        local_script::spec(ComponentKind::PostProcessor).flow(ArtifactFlow {
            takes: &[],
            gives: None,
            keeps_input: true,
            keep_is_forced: true,
        })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<LocalScript>(settings)?))
    }
}

impl PostProcessor for LocalScript {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            self.run(ctx).await?;
            Ok(input.clone())
        }
        .boxed()
    }
}
