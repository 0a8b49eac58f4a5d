//! `rpk image`: what the engine within rpk has in its store.

use std::path::Path;

use rpk_runtime::cache::Cache;
use rpk_runtime::embedded::{Engine, Image, rootless};
use rpk_runtime::failure::{Failure, Outcome};
use serde_json::json;

use crate::cli::{Format, ImageAction, ImageArguments};
use crate::decide::threads;
use crate::exit::Exit;
use crate::report::{Screen, write_err, write_out};

/// Runs `rpk image`.
pub fn run(arguments: &ImageArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let done = threads().and_then(|runtime| runtime.block_on(perform(arguments)));
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

async fn perform(arguments: &ImageArguments) -> Outcome<Exit> {
    let reads_only = matches!(arguments.action, ImageAction::Ls | ImageAction::Inspect);
    if !reads_only && rootless::is_needed() {
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        let status = rootless::run_inside(&words).await?;
        return Ok(if status == 0 { Exit::Success } else { Exit::Failure });
    }
    let engine = Engine::open(Cache::find()?.root().join("engine"))?;
    let say = |text: String| write_err(&format!("{text}\n"));
    match arguments.action {
        ImageAction::Ls => list(&engine, arguments.format),
        ImageAction::Inspect => {
            let found = engine.image(word(arguments, 0, "an image")?)?;
            let text = serde_json::to_string_pretty(&found.image.config).unwrap_or_default();
            write_out(&format!("{text}\n"));
        }
        ImageAction::Save => {
            let name = word(arguments, 0, "an image")?;
            engine.save_to(name, Path::new(word(arguments, 1, "a file to write")?)).await?;
        }
        ImageAction::Load => {
            let source = word(arguments, 0, "an image's file, such as docker-archive:image.tar")?;
            let found = engine.load(source).await?;
            if let Some(name) = arguments.words.get(1) {
                engine.tag(&found.id, name)?;
            }
            write_out(&format!("{}\n", found.id));
        }
        ImageAction::Push => engine.push_now(word(arguments, 0, "an image")?, say).await?,
        ImageAction::Rm => {
            let name = word(arguments, 0, "an image")?;
            if !engine.remove(name)? {
                return Err(Failure::new(format!("there is no image `{name}`"))
                    .help("`rpk image ls` lists those that there are"));
            }
        }
        ImageAction::Run => {
            let found = engine.load(word(arguments, 0, "an image")?).await?;
            let status = engine.run(found, &arguments.words[1..]).await?;
            return Ok(if status == 0 { Exit::Success } else { Exit::Failure });
        }
    }
    Ok(Exit::Success)
}

fn word<'a>(arguments: &'a ImageArguments, index: usize, what: &str) -> Outcome<&'a str> {
    let found = arguments.words.get(index).map(String::as_str);
    found.ok_or_else(|| Failure::new(format!("it is not said which: name {what}")).help("see `rpk image -help`"))
}

fn list(engine: &Engine, format: Format) {
    let images: Vec<(Vec<String>, Image)> = engine.images();
    if format == Format::Json {
        let list: Vec<_> = images
            .iter()
            .map(|(names, found)| {
                json!({
                    "id": found.id, "names": names, "bytes": found.size(engine),
                    "created": found.image.config.created, "layers": found.image.config.rootfs.diff_ids,
                })
            })
            .collect();
        write_out(&format!("{}\n", json!({ "format_version": "1.0", "images": list })));
        return;
    }
    let mut text = String::new();
    for (names, found) in &images {
        let created = found.image.config.created.clone().unwrap_or_default();
        let name = if names.is_empty() { "-".to_owned() } else { names.join(" ") };
        let id = found.id.strip_prefix("sha256:").unwrap_or(&found.id);
        text.push_str(&format!(
            "{}  {:>7} MB  {}  {name}\n",
            id.get(..12).unwrap_or(id),
            found.size(engine) / 1_000_000,
            created.get(..19).unwrap_or(&created)
        ));
    }
    write_out(&text);
}
