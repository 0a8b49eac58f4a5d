//! `null`: no machine of its own, for builds that only run things here.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rpk_planner::catalog::{ArtifactKind, ComponentKind, ComponentSpec, Moment, Problem, Settings};

use super::{Builder, BuilderType, Machine};
use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::communicator::none::NoCommunicator;
use crate::communicator::options;
use crate::context::NodeContext;
use crate::failure::Outcome;

/// The `null` builder type.
pub struct Null;

impl BuilderType for Null {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Builder, "null")
            .options(options::options())
            .check(|settings| {
                if settings.get("communicator").and_then(|name| name.as_str()) == Some("none") {
                    return Vec::new();
                }
                vec![
                    Problem::of_block("the only communicator that rpk has for this builder is `none`")
                        .help("set `communicator` to `none`"),
                ]
            })
            .describe(|_, moment| match moment {
                Moment::Capture => "capture nothing".to_owned(),
                _ => "start without a machine".to_owned(),
            })
            .captures(|_| ArtifactKind::Nothing)
    }

    fn configure(&self, _: &Settings) -> Outcome<Box<dyn Builder>> {
        Ok(Box::new(NullBuilder))
    }
}

struct NullBuilder;

impl Builder for NullBuilder {
    fn boot<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        ready(Ok(Arc::new(NullMachine) as Arc<dyn Machine>)).boxed()
    }
}

struct NullMachine;

impl Machine for NullMachine {
    fn communicator(&self) -> &dyn Communicator {
        &NoCommunicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("ID".to_owned(), "Null".to_owned())])
    }

    fn capture<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        ready(Ok(Artifact {
            builder_id: "fnoeding.null".to_owned(),
            id: "Null".to_owned(),
            description: "Did not export anything. This is the null builder".to_owned(),
            data: self.data(),
            ..Artifact::default()
        }))
        .boxed()
    }

    fn destroy<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        ready(Ok(())).boxed()
    }
}
