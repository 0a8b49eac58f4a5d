//! `file`: moves files to and from the machine.
//!
//! A trailing slash matters as in Packer: on a destination it names a folder, on a source folder its contents.

use std::path::Path;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rpk_planner::catalog::{
    Caching, ComponentKind, ComponentSpec, Moment, Problem, Reads, Recipe, Rendering, Settings, boolean, string,
    string_list,
};
use rpk_planner::chain::is_marked;
use serde::Deserialize;

use super::{Provisioner, ProvisionerType};
use crate::communicator::{Communicator, FileSource};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// The `file` provisioner type.
pub struct File;

#[derive(Clone, Debug, Deserialize)]
struct Config {
    source: Option<String>,
    #[serde(default)]
    sources: Vec<String>,
    content: Option<String>,
    destination: String,
    #[serde(default)]
    direction: Option<String>,
}

impl ProvisionerType for File {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec::new(ComponentKind::Provisioner, "file")
            .options([
                string("source", "The file or folder to move.").rendering(Rendering::Both),
                string_list("sources", "Files or folders to move.").rendering(Rendering::Both),
                string("content", "What to write into the destination."),
                string("destination", "Where to put it.").required().rendering(Rendering::Both),
                string("direction", "`upload` to the machine or `download` from it.").choices(&["upload", "download"]),
                boolean("generated", "The source will exist only when it is moved."),
            ])
            .check(check)
            .recipe(Recipe::judged(1, judge).reads(|settings, _| match text(settings, "direction") {
                "download" => Vec::new(),
                _ => sources(settings).into_iter().map(|path| Reads { path, is_tree: true }).collect(),
            }))
            .describe(|settings, _| {
                let sources = sources(settings);
                let what = match sources.as_slice() {
                    [] if settings.contains_key("content") => "content".to_owned(),
                    [] => "nothing".to_owned(),
                    [one] => one.clone(),
                    [first, rest @ ..] => format!("{first} and {} more", rest.len()),
                };
                let verb = if text(settings, "direction") == "download" { "download" } else { "upload" };
                format!("{verb} {what} to {}", text(settings, "destination"))
            })
    }

    fn configure(&self, settings: &Settings) -> Outcome<Box<dyn Provisioner>> {
        let config: Config = crate::settings::read_settings(settings)?;
        Ok(Box::new(FileProvisioner { config }))
    }
}

fn sources(settings: &Settings) -> Vec<String> {
    let source = settings.get("source").and_then(|path| path.as_str());
    let sources = settings.get("sources").and_then(|list| list.as_array()).into_iter().flatten();
    sources.filter_map(|path| path.as_str()).chain(source).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

fn text<'a>(settings: &'a Settings, name: &str) -> &'a str {
    settings.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn judge(settings: &Settings, _: Moment) -> Caching {
    let is_generated = settings.get("generated").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if text(settings, "direction") == "download" {
        return Caching::Never("writes files of the machine to this one".to_owned());
    }
    if is_generated || sources(settings).iter().any(|path| path.contains("{{")) {
        return Caching::Never("uploads what is there only once it runs".to_owned());
    }
    Caching::Cacheable
}

fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    if text(settings, "destination").is_empty() {
        problems.push(Problem::with("destination", "`destination` is empty").help("say where the file goes"));
    }
    let sources = sources(settings);
    if !sources.is_empty() && !text(settings, "content").is_empty() {
        problems.push(Problem::with("content", "`content` and a source exclude each other").help("keep one of them"));
    }
    let is_generated = settings.get("generated").and_then(serde_json::Value::as_bool).unwrap_or(false);
    if text(settings, "direction") != "download" && !is_generated {
        for path in sources.iter().filter(|path| !path.contains("{{") && !is_marked(path) && !Path::new(path).exists())
        {
            let option = if settings.get("source").and_then(|source| source.as_str()) == Some(path) {
                "source"
            } else {
                "sources"
            };
            problems.push(
                Problem::with(option, format!("there is no file {path}"))
                    .help("set `generated` if an earlier node makes it; paths are relative to the working directory"),
            );
        }
    }
    problems
}

struct FileProvisioner {
    config: Config,
}

impl Provisioner for FileProvisioner {
    fn provision<'a>(&'a self, ctx: &'a NodeContext, communicator: &'a dyn Communicator) -> BoxFuture<'a, Outcome<()>> {
        async move {
            let config = &self.config;
            let destination = ctx.render(&config.destination, &[])?;
            if let Some(content) = config.content.as_deref().filter(|content| !content.is_empty()) {
                let path = if destination.ends_with('/') {
                    format!("{destination}pkr-file-content")
                } else {
                    destination.clone()
                };
                ctx.say(format!("Uploading content => {path}")).await;
                return communicator.upload_file(ctx, FileSource::Bytes(content.as_bytes()), &path).await;
            }
            for source in config.sources.iter().chain(config.source.as_ref().filter(|source| !source.is_empty())) {
                let source = ctx.render(source, &[])?;
                if config.direction.as_deref() == Some("download") {
                    download(ctx, communicator, &source, &destination).await?;
                } else {
                    upload(ctx, communicator, &source, &destination).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }
}

async fn upload(ctx: &NodeContext, communicator: &dyn Communicator, source: &str, destination: &str) -> Outcome<()> {
    ctx.say(format!("Uploading {source} => {destination}")).await;
    let path = Path::new(source);
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| Failure::new(error.to_string()).context(format!("reading {source}")))?;
    if metadata.is_dir() {
        return communicator.upload_folder(ctx, source, destination).await;
    }
    let target = into_folder(destination, path);
    communicator.upload_file(ctx, FileSource::Path(path), &target).await
}

async fn download(ctx: &NodeContext, communicator: &dyn Communicator, source: &str, destination: &str) -> Outcome<()> {
    ctx.say(format!("Downloading {source} => {destination}")).await;
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context(format!("writing {destination}"));
    if source.ends_with('/') || source.contains(['*', '?', '[']) {
        tokio::fs::create_dir_all(destination).await.map_err(failed)?;
        return communicator.download_folder(ctx, source, Path::new(destination)).await;
    }
    let target = into_folder(destination, Path::new(source));
    let target = Path::new(&target);
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    }
    communicator.download_file(ctx, source, target).await
}

/// Adds the source's name to a destination that is a folder.
fn into_folder(destination: &str, source: &Path) -> String {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    if destination.ends_with('/') { format!("{destination}{name}") } else { destination.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_makes_the_destination_a_folder() {
        for (destination, target) in [("/opt/", "/opt/a.txt"), ("/opt/b", "/opt/b")] {
            assert_eq!(into_folder(destination, Path::new("x/a.txt")), target);
        }
    }

    #[test]
    fn a_source_must_exist_unless_it_is_generated_or_downloaded() {
        for (settings, count) in [
            (r#"{"source": "/nowhere", "destination": "/x"}"#, 1),
            (r#"{"source": "/nowhere", "destination": "/x", "generated": true}"#, 0),
            (r#"{"source": "/nowhere", "destination": "/x", "direction": "download"}"#, 0),
            (r#"{"source": "/nowhere", "content": "c", "destination": ""}"#, 3),
        ] {
            let settings: Settings = serde_json::from_str(settings).expect("is an object");
            assert_eq!(check(&settings).len(), count, "{settings:?}");
        }
    }
}
