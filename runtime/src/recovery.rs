//! Takes away what dead runs have left: containers, images that nobody knows of, files that are not whole.
//!
//! Only what a journal tells of is touched, and only if it is what the journal means: a container by its id, or, if
//! the run died before it knew the id, by a name that it was about to give at that time.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::EventsOptionsBuilder;
use futures::TryStreamExt as _;

use crate::cache::{Cache, StoredResult};
use crate::docker::Engine;
use crate::engine::LazyEngine;
use crate::failure::Outcome;
use crate::journal::{self, DeadRun, Open};

/// Before this many seconds a container may seem to have been made, as clocks differ.
const CLOCK_TOLERANCE_SECONDS: i64 = 5;

/// For how many seconds after a run has asked for something it may still come to be, although the run has died.
const MAY_STILL_COME_SECONDS: u64 = 60;

/// How long the end of a run waits for what may still come.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes away what dead runs have left; says in words what was taken away.
///
/// What cannot be taken away now, for example since no engine answers, is left to the next run.
pub async fn clean_up(cache: &Cache, engine: &LazyEngine) -> Vec<String> {
    let mut said = Vec::new();
    pass(cache, engine, Moment::Before, &mut said).await;
    said
}

/// Does so once more at the end of a run: an engine goes on with what a run has asked for just before it was killed.
pub async fn clean_up_late(cache: &Cache, engine: &LazyEngine) -> Vec<String> {
    let mut said = Vec::new();
    let began = Instant::now();
    while !pass(cache, engine, Moment::After, &mut said).await && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    said
}

/// When dead runs are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Before a run has made anything of its own.
    Before,
    /// After it.
    After,
}

/// Looks for dead runs once; tells whether nothing of them can come any more.
async fn pass(cache: &Cache, engine: &LazyEngine, moment: Moment, said: &mut Vec<String>) -> bool {
    let mut is_settled = true;
    for dead in DeadRun::find(&cache.root().join("runs")) {
        match clean_up_after(&dead.open, cache, engine, moment, said).await {
            Ok(true) => {
                // A journal that stays is looked at again, and found to be empty.
                let _ = dead.end();
            }
            Ok(false) => is_settled = false,
            // Without an engine there is nothing to wait for.
            Err(_) => {}
        }
    }
    is_settled
}

async fn clean_up_after(
    open: &Open,
    cache: &Cache,
    engine: &LazyEngine,
    moment: Moment,
    said: &mut Vec<String>,
) -> Outcome<bool> {
    for path in &open.files {
        if remove_file(path) {
            said.push(format!("file {}", path.display()));
        }
    }
    if open.is_empty() && open.images.is_empty() {
        return Ok(true);
    }
    // The embedded engine cleans up by itself: what a journal tells of is Docker's, whichever engine is chosen now.
    let engine = &engine.docker().await?;
    let may_come = |at: u64| at + MAY_STILL_COME_SECONDS > journal::now();
    let mut is_settled = true;
    for (name, id, at) in &open.containers {
        let found = match id {
            Some(id) => Some(id.clone()),
            None => container_made_since(engine, name, *at).await?,
        };
        match found {
            Some(id) if engine.remove_container(&id).await? => said.push(format!("container {name}")),
            Some(_) => {}
            None => is_settled &= !may_come(*at),
        }
    }
    let results = || StoredResult::keys(cache).into_iter().filter_map(|key| StoredResult::load(cache, &key));
    if !open.images.is_empty() {
        let known: HashSet<String> = results().filter_map(|result| result.snapshot).map(|kept| kept.name).collect();
        for name in open.images.iter().filter(|name| !known.contains(*name)) {
            if engine.remove_unless_used(name).await? {
                said.push(format!("image {name}"));
            }
        }
    }
    if open.commits.is_empty() && open.imports.is_empty() {
        return Ok(is_settled);
    }
    let known: HashSet<String> = results().filter_map(|result| result.identity).collect();
    for (container, at) in &open.commits {
        match image_made_of(engine, container, *at).await? {
            Some(id) if !known.contains(&id) && engine.remove_unless_used(&id).await? => {
                said.push(format!("image {id}"));
            }
            Some(_) => {}
            None => is_settled &= !may_come(*at),
        }
    }
    // Later an image of this name may be this run's.
    for (name, at) in open.imports.iter().filter(|_| moment == Moment::Before) {
        let image = engine.local_image(name).await?;
        let is_its = image.is_some_and(|image| {
            is_since(image.created.as_deref(), *at) && !image.id.is_some_and(|id| known.contains(&id))
        });
        if is_its && engine.remove_unless_used(name).await? {
            said.push(format!("image {name}"));
        }
    }
    Ok(is_settled)
}

/// Tells whether something was made at a time or later, as the engine tells it.
fn is_since(created: Option<&str>, at: u64) -> bool {
    let made = created.and_then(|time| time.parse::<jiff::Timestamp>().ok());
    made.is_some_and(|made| made.as_second() + CLOCK_TOLERANCE_SECONDS >= i64::try_from(at).unwrap_or(i64::MAX))
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
    let is_ours = is_since(found.created.as_deref(), at);
    Ok(found.id.filter(|_| is_ours))
}

/// Finds the image that was made of a container since that time, by what the engine remembers of its events.
async fn image_made_of(engine: &Engine, container: &str, at: u64) -> Outcome<Option<String>> {
    let now = journal::now();
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
