//! `file`: writes a file, mostly to try post-processors.
//!
//! It has no machine: as in Packer, uploads vanish and every command succeeds; rpk at least says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rpk_planner::catalog::{
    ArtifactKind, ComponentKind, ComponentSpec, Moment, Problem, Reads, Recipe, Settings, string,
};
use serde::Deserialize;

use super::{Builder, BuilderType, Machine};
use crate::artifact::Artifact;
use crate::communicator::Communicator;
use crate::communicator::none::PretendingCommunicator;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `file` builder type.
pub struct File;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    target: PathBuf,
    content: Option<String>,
    source: Option<PathBuf>,
}

impl BuilderType for File {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Builder, "file")
            .options([
                string("target", "The file to write.").required(),
                string("content", "What to write into it."),
                string("source", "The file to copy."),
            ])
            .check(|settings| {
                let has = |name: &str| {
                    settings.get(name).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty())
                };
                let mut problems = Vec::new();
                if !has("target") {
                    problems.push(Problem::with("target", "`target` is empty").help("name the file to write"));
                }
                match (has("content"), has("source")) {
                    (true, true) => problems.push(
                        Problem::with("source", "`content` and `source` exclude each other")
                            .help("keep one of the two"),
                    ),
                    (false, false) => problems.push(
                        Problem::of_block("neither `content` nor `source` is given; the file will be empty").warning(),
                    ),
                    _ => {}
                }
                problems
            })
            .describe(|settings, moment| {
                let target = settings.get("target").and_then(|target| target.as_str()).unwrap_or_default();
                match moment {
                    Moment::Capture => format!("take {target} as the artifact"),
                    _ => format!("write {target}"),
                }
            })
            .captures(|_| ArtifactKind::Files)
            .recipe(Recipe::cacheable(1).boot_only(&["content", "source"]).reads(|settings, moment| {
                let source = settings.get("source").and_then(|source| source.as_str()).unwrap_or_default();
                if moment != Moment::Boot || source.is_empty() {
                    return Vec::new();
                }
                // A copy has its source's mode.
                vec![Reads { path: source.to_owned(), is_tree: true }]
            }))
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Builder>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(FileBuilder { config }))
    }
}

struct FileBuilder {
    config: Config,
}

impl Builder for FileBuilder {
    fn boot<'a>(&'a self, ctx: &'a NodeContext) -> BoxFuture<'a, Outcome<Arc<dyn Machine>>> {
        async move {
            let target = &self.config.target;
            let failed = |error: std::io::Error| {
                Failure::new(error.to_string()).context(format!("writing {}", target.display()))
            };
            if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                tokio::fs::create_dir_all(folder).await.map_err(failed)?;
            }
            match &self.config.source {
                Some(source) => {
                    ctx.say(format!("Copying {}", source.display())).await;
                    let bytes = tokio::fs::copy(source, target).await.map_err(|error| {
                        Failure::new(error.to_string()).context(format!(
                            "copying {} to {}",
                            source.display(),
                            target.display()
                        ))
                    })?;
                    ctx.say(format!("Copied {bytes} bytes")).await;
                }
                None => {
                    let content = self.config.content.as_deref().unwrap_or_default();
                    tokio::fs::write(target, content).await.map_err(failed)?;
                    restrict(target).await.map_err(failed)?;
                }
            }
            Ok(Arc::new(FileMachine { target: target.clone() }) as Arc<dyn Machine>)
        }
        .boxed()
    }
}

/// Gives written content the mode that Packer gives it: its owner's alone.
#[cfg(unix)]
async fn restrict(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    tokio::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).await
}

#[cfg(not(unix))]
async fn restrict(_: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

struct FileMachine {
    target: PathBuf,
}

impl Machine for FileMachine {
    fn communicator(&self) -> &dyn Communicator {
        &PretendingCommunicator
    }

    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn capture<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<Artifact>> {
        ready(Ok(Artifact {
            builder_id: "packer.file".to_owned(),
            id: "File".to_owned(),
            files: vec![self.target.clone()],
            description: format!("Stored file: {}", self.target.display()),
            ..Artifact::default()
        }))
        .boxed()
    }

    fn destroy<'a>(&'a self, _: &'a NodeContext) -> BoxFuture<'a, Outcome<()>> {
        ready(Ok(())).boxed()
    }
}
