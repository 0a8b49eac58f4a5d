//! `docker-tag`: gives an image names.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec, Problem, Recipe, Settings, boolean, string, string_list,
};
use serde::Deserialize;

use super::{PostProcessor, PostProcessorType};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::TAGGED_BUILDER_ID;
use crate::failure::Outcome;

/// The `docker-tag` post-processor type.
pub struct DockerTag;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    repository: String,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl PostProcessorType for DockerTag {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::PostProcessor, "docker-tag")
            .options([
                string("repository", "The name of the image, without tag.").required(),
                string_list("tags", "The tags to give it; none means `latest`."),
                string_list("tag", "The tags to give it.").replaced_by("tags"),
                boolean("force", "Accepted for Packer's sake: engines since 1.12 always replace a tag."),
                string("docker_path", "Accepted for Packer's sake: rpk needs no Docker client."),
            ])
            .check(|settings| {
                let repository = settings.get("repository").and_then(|name| name.as_str()).unwrap_or_default();
                if repository.is_empty() {
                    return vec![Problem::with("repository", "`repository` is empty").help("name the image")];
                }
                Vec::new()
            })
            .recipe(Recipe::cacheable(1).immaterial(&["docker_path", "force"]))
            .describe(|settings, _| {
                let config: Result<Config, _> = crate::settings::read_settings(settings);
                config.map_or_else(
                    |_| "tag the image".to_owned(),
                    |config| format!("tag as {}", config.names().join(", ")),
                )
            })
            .uses_engine()
            .flow(ArtifactFlow {
                takes: &[ArtifactKind::Image],
                gives: Some(ArtifactKind::Image),
                keeps_input: true,
                keep_is_forced: true,
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn PostProcessor>> {
        Ok(Box::new(crate::settings::read_settings::<Config>(settings)?))
    }
}

impl Config {
    /// The names to give: those of the retired option first, each once.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for tag in self.tag.iter().chain(&self.tags) {
            let name = format!("{}:{tag}", self.repository);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            names.push(self.repository.clone());
        }
        names
    }
}

impl PostProcessor for Config {
    fn process<'a>(&'a self, ctx: &'a NodeContext, input: &'a Artifact) -> BoxFuture<'a, Outcome<Artifact>> {
        async move {
            crate::docker::expect_image(input)?;
            let engine = ctx.services.engine().await?;
            let names = self.names();
            for name in &names {
                ctx.say(format!("Tagging image: {}", input.id)).await;
                ctx.say(format!("Repository: {name}")).await;
                engine.tag(&input.id, name).await?;
            }
            let last = names.last().cloned().unwrap_or_default();
            let has_tags = !(self.tag.is_empty() && self.tags.is_empty());
            let with_tags = if has_tags { format!(" with tags {}", names.join(" ")) } else { String::new() };
            Ok(Artifact {
                builder_id: TAGGED_BUILDER_ID.to_owned(),
                description: format!("Imported Docker image: {last}{with_tags}"),
                id: last,
                tags: if has_tags { names } else { Vec::new() },
                data: input.data.clone(),
                ..Artifact::default()
            })
        }
        .boxed()
    }

    fn discard<'a>(&'a self, ctx: &'a NodeContext, artifact: &'a Artifact) -> BoxFuture<'a, Outcome<()>> {
        async move { ctx.services.engine().await?.remove_image(&artifact.id).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_makes_one_name() {
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (tag, tags, names) in [
            (strings(&["1"]), strings(&["2", "1"]), strings(&["a/b:1", "a/b:2"])),
            (strings(&[]), strings(&[]), strings(&["a/b"])),
        ] {
            let repository = "a/b".to_owned();
            assert_eq!(Config { repository, tag, tags }.names(), names);
        }
    }
}
