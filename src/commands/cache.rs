//! `rpk cache`: what is stored, is it sound, and away with what is not needed.

use std::time::{Duration, SystemTime};

use rpk_planner::value::duration;
use rpk_runtime::cache::{Cache, Entry, Limits, check, entries, parse_size, prune};
use rpk_runtime::failure::{Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cli::{CacheAction, CacheArguments, Format};
use crate::decide::{engine_of, threads};
use crate::exit::Exit;
use crate::report::{Screen, write_out};

/// Runs `rpk cache`.
pub fn run(arguments: &CacheArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let done = Cache::find().and_then(|cache| match arguments.action {
        CacheAction::Ls => Ok(list(arguments, &cache)),
        CacheAction::Show => show(arguments, &cache),
        CacheAction::Verify => verify(&cache),
        CacheAction::Prune => match inside(&cache)? {
            Some(ended) => Ok(ended),
            None => clear(arguments, &cache),
        },
    });
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

/// Runs rpk anew as root of a user namespace, if there are layers that were made in one.
fn inside(cache: &Cache) -> Outcome<Option<Exit>> {
    #[cfg(target_os = "linux")]
    if cache.root().join("engine").exists() && rpk_runtime::embedded::rootless::is_needed() {
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        let status = threads()?.block_on(rpk_runtime::embedded::rootless::run_inside(&words))?;
        return Ok(Some(if status == 0 { Exit::Success } else { Exit::Failure }));
    }
    let _ = cache;
    Ok(None)
}

fn list(arguments: &CacheArguments, cache: &Cache) -> Exit {
    let entries = entries(cache);
    if arguments.format == Format::Json {
        let list: Vec<Json> = entries.iter().map(json_of).collect();
        write_out(&format!("{}\n", json!({ "format_version": "1.0", "entries": list })));
        return Exit::Success;
    }
    let mut text = String::new();
    for entry in &entries {
        let kind = match (&entry.result.snapshot, &entry.result.artifact) {
            (Some(_), None) => "state",
            _ => "artifact",
        };
        text.push_str(&format!(
            "{}  {kind:<8}  {:>9}  used {:<9}  {}  {}\n",
            &entry.key.to_string()[..12],
            size_text(entry.owned_bytes()),
            age_text(entry.used),
            entry.result.node,
            entry.result.title
        ));
    }
    let bytes: u64 = entries.iter().map(Entry::owned_bytes).sum();
    text.push_str(&format!("{} entries, {} in {}\n", entries.len(), size_text(bytes), cache.root().display()));
    write_out(&text);
    Exit::Success
}

fn json_of(entry: &Entry) -> Json {
    let used = entry.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({
        "key": entry.key.to_string(),
        "node": entry.result.node,
        "template": entry.result.template,
        "title": entry.result.title,
        "made": entry.result.made,
        "used": used,
        "took_s": entry.result.took.as_secs_f64(),
        "bytes": entry.owned_bytes(),
        "artifact": entry.result.artifact.as_ref().map(|artifact| json!({
            "builder_id": artifact.builder_id, "id": artifact.id, "consumed": entry.result.is_consumed,
        })),
        "files": entry.result.files.iter().map(|file| json!({
            "path": file.path.display().to_string(), "bytes": file.size, "digest": file.digest,
        })).collect::<Vec<_>>(),
        "state": entry.result.snapshot.as_ref().map(|snapshot| json!({ "id": snapshot.id, "name": snapshot.name })),
    })
}

fn show(arguments: &CacheArguments, cache: &Cache) -> Outcome<Exit> {
    let Some(wanted) = &arguments.key else {
        return Err(
            Failure::new("it is not said what to show").help("give the beginning of a key: `rpk cache ls` lists them")
        );
    };
    let mut found = entries(cache);
    found.retain(|entry| entry.key.to_string().starts_with(wanted.as_str()));
    match found.as_slice() {
        [entry] => {
            write_out(&format!("{:#}\n", json_of(entry)));
            Ok(Exit::Success)
        }
        [] => Err(Failure::new(format!("no key begins with `{wanted}`")).help("`rpk cache ls` lists them")),
        several => Err(Failure::new(format!("{} keys begin with `{wanted}`", several.len())).help("give more of it")),
    }
}

fn verify(cache: &Cache) -> Outcome<Exit> {
    let faults = threads()?.block_on(check(cache, &engine_of(cache, None)?))?;
    for fault in &faults {
        let (key, node) = (fault.entry.key.to_string(), &fault.entry.result.node);
        write_out(&format!("{}  {node}  {}\n", &key[..12], fault.words));
    }
    let (all, damaged) = (entries(cache).len(), faults.len());
    write_out(&match damaged {
        0 => format!("{all} entries, all sound\n"),
        _ => format!(
            "{all} entries, {damaged} damaged: they are made again when they are needed; `rpk cache prune -damaged` removes them\n"
        ),
    });
    Ok(if faults.is_empty() { Exit::Success } else { Exit::Failure })
}

fn clear(arguments: &CacheArguments, cache: &Cache) -> Outcome<Exit> {
    let unused_for = match &arguments.older_than {
        Some(text) => Some(age(text)?),
        None => None,
    };
    let bytes = match &arguments.max_size {
        Some(text) => Some(
            parse_size(text)
                .ok_or_else(|| Failure::new(format!("`{text}` is no size")).help("write it like 500M or 20G"))?,
        ),
        None => None,
    };
    if !arguments.all && !arguments.damaged && unused_for.is_none() && bytes.is_none() {
        return Err(Failure::new("it is not said what to prune")
            .help("give some of -older-than=30d, -max-size=5G, -damaged and -all"));
    }
    let limits = Limits { unused_for, bytes, damaged: arguments.damaged, all: arguments.all };
    let gone = threads()?.block_on(prune(cache, &engine_of(cache, None)?, limits))?;
    let freed: u64 = gone.iter().map(Entry::owned_bytes).sum();
    write_out(&format!("{} entries removed, {} freed\n", gone.len(), size_text(freed)));
    Ok(Exit::Success)
}

/// Reads a length of time: as Packer's templates have it, or days as in `30d`.
fn age(text: &str) -> Outcome<Duration> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let read = days.map(|days| Duration::from_secs(days * 24 * 60 * 60)).or_else(|| {
        let nanoseconds = duration::parse(text).ok()?;
        Some(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
    });
    read.ok_or_else(|| Failure::new(format!("`{text}` is no length of time")).help("write it like 30d, 12h or 45m"))
}

fn size_text(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

fn age_text(time: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(time).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_written_as_people_do() {
        assert_eq!(age("2d").expect("is a length"), Duration::from_secs(172_800));
        assert_eq!(age("90m").expect("is a length"), Duration::from_secs(5400));
        assert!(age("soon").is_err());
        assert_eq!((size_text(7), size_text(1536)), ("7 B".to_owned(), "1.5 KiB".to_owned()));
    }
}
