//! `artifice`: puts files that provisioners made in place of the artifact.

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, string_list,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `artifice` post-processor type.
pub struct Artifice;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    files: Vec<String>,
}

impl PostProcessorType for Artifice {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "artifice")
            .options([
                string_list("files", "The files, as paths or patterns.").required(),
                boolean("keep_input_artifact", "Keeps the artifact that goes in."),
            ])
            .check(|settings| {
                if settings.get("files").and_then(|files| files.as_array()).is_none_or(Vec::is_empty) {
                    return vec![Problem::with("files", "`files` is empty").help("name at least one file")];
                }
                Vec::new()
            })
            .recipe(Recipe::never("takes files as they are when it runs"))
            .describe(|_, _| "take files in place of the artifact".to_owned())
            .flow(ArtifactFlow {
                takes: &[],
                gives: Some(ArtifactKind::Files),
                keeps_input: true,
                keep_is_forced: false,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            if !input.files.is_empty() {
                let files: Vec<String> = input.files.iter().map(|file| file.display().to_string()).collect();
                ctx.say(format!("Discarding artifact files: {}", files.join(", "))).await;
            }
            let mut files: Vec<PathBuf> = Vec::new();
            for pattern in &self.files {
                let found = glob::glob(pattern)
                    .map_err(|error| Failure::new(error.to_string()).context(format!("the pattern `{pattern}`")))?;
                files.extend(found.filter_map(Result::ok));
            }
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            ctx.say(format!("Using these artifact files: {}", names.join(", "))).await;
            Ok(Artifact {
                builder_id: "packer.post-processor.artifice".to_owned(),
                description: format!("Created artifact from files: {}", names.join(", ")),
                files,
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }
}
