//! Takes away what dead runs have left: containers, images that nobody knows of, files that are not whole.
//!
//! Only what a journal tells of is touched, and only if it is what the journal means: a container by its id, or, if
//! the run died before it knew the id, by a name that it was about to give at that time.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use bollard::query_parameters::{EventsOptionsBuilder, RemoveContainerOptionsBuilder};
use futures::TryStreamExt as _;

use crate::cache::{Cache, StoredResult};
use crate::docker::{Engine, LazyEngine, remove_unless_used};
use crate::failure::Outcome;
use crate::journal::{DeadRun, Open};

/// Before this many seconds a container may seem to have been made, as clocks differ.
const CLOCK_TOLERANCE_SECONDS: i64 = 5;

/// Takes away what dead runs have left; says in words what was taken away.
///
/// What cannot be taken away now, for example since no engine answers, is left to the next run.
pub async fn clean_up(cache: &Cache, engine: &LazyEngine) -> Vec<String> {
    let mut said = Vec::new();
    for dead in DeadRun::find(&cache.root().join("runs")) {
        if clean_up_after(&dead.open, cache, engine, &mut said).await.is_ok() {
            // A journal that stays is looked at again, and found to be empty.
            let _ = dead.end();
        }
    }
    said
}

async fn clean_up_after(open: &Open, cache: &Cache, engine: &LazyEngine, said: &mut Vec<String>) -> Outcome<()> {
    for path in &open.files {
        if remove_file(path) {
            said.push(format!("file {}", path.display()));
        }
    }
    if open.containers.is_empty() && open.commits.is_empty() && open.images.is_empty() {
        return Ok(());
    }
    let engine = engine.get().await?;
    for (name, id, at) in &open.containers {
        let found = match id {
            Some(id) => Some(id.clone()),
            None => container_made_since(engine, name, *at).await?,
        };
        if let Some(id) = found
            && remove_container(engine, &id).await?
        {
            said.push(format!("container {name}"));
        }
    }
    let results = || StoredResult::keys(cache).into_iter().filter_map(|key| StoredResult::load(cache, &key));
    if !open.images.is_empty() {
        let known: HashSet<String> = results().filter_map(|result| result.snapshot).map(|kept| kept.name).collect();
        for name in open.images.iter().filter(|name| !known.contains(*name)) {
            if remove_unless_used(engine, name).await? {
                said.push(format!("image {name}"));
            }
        }
    }
    if !open.commits.is_empty() {
        let known: HashSet<String> = results().filter_map(|result| result.identity).collect();
        for (container, at) in &open.commits {
            let image = image_made_of(engine, container, *at).await?.filter(|id| !known.contains(id));
            if let Some(id) = image
                && remove_unless_used(engine, &id).await?
            {
                said.push(format!("image {id}"));
            }
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> bool {
    std::fs::remove_file(path).is_ok()
}

/// Finds a container by its name, if it was made at that time or later.
async fn container_made_since(engine: &Engine, name: &str, at: u64) -> Outcome<Option<String>> {
    let found = match engine.client().inspect_container(name, None).await {
        Ok(found) => found,
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
        Err(error) => return Err(crate::docker::explain(&error)),
    };
    let made = found.created.and_then(|time| time.to_string().parse::<jiff::Timestamp>().ok());
    let is_ours =
        made.is_some_and(|made| made.as_second() + CLOCK_TOLERANCE_SECONDS >= i64::try_from(at).unwrap_or(i64::MAX));
    Ok(found.id.filter(|_| is_ours))
}

async fn remove_container(engine: &Engine, id: &str) -> Outcome<bool> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match engine.client().remove_container(id, Some(options)).await {
        Ok(()) => Ok(true),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(crate::docker::explain(&error)),
    }
}

/// Finds the image that was made of a container since that time, by what the engine remembers of its events.
async fn image_made_of(engine: &Engine, container: &str, at: u64) -> Outcome<Option<String>> {
    let now = crate::journal::now();
    let filters = HashMap::from([("container", vec![container]), ("event", vec!["commit"])]);
    let options = EventsOptionsBuilder::default()
        .since(&at.saturating_sub(CLOCK_TOLERANCE_SECONDS.unsigned_abs()).to_string())
        .until(&now.to_string())
        .filters(&filters)
        .build();
    let events: Vec<_> =
        engine.client().events(Some(options)).try_collect().await.map_err(|error| crate::docker::explain(&error))?;
    let attributes = events.into_iter().filter_map(|event| event.actor?.attributes);
    // A state that was kept for the cache has a name; what was captured has none.
    let captured = attributes.filter(|attributes| attributes.get("imageRef").is_none_or(String::is_empty));
    Ok(captured.filter_map(|attributes| attributes.get("imageID").cloned()).next_back())
}
