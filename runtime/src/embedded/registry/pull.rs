//! An image of a registry into the store.
//!
//! Manifests and layers are known by their digests, which are compared. Layers that the store has are not fetched;
//! the others come several at a time, each into a file that a later attempt goes on with.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bollard::auth::DockerCredentials;
use sha2::{Digest as _, Sha256};

use super::client::{Client, Place, Sent, refused, text};
use crate::embedded::image::ImageConfig;
use crate::embedded::reference::short_name;
use crate::embedded::store::Store;
use crate::embedded::take_in::{self, Descriptor, Incoming, OciDocument, Platform, choose, layer_id};
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// How many layers are fetched at a time.
const AT_A_TIME: usize = 4;

/// How often the fetching of a layer is gone on with.
const ATTEMPTS: u32 = 5;

/// What is asked for: an index or a manifest, of either format.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Asks for the digest of what a registry has under a full name.
pub fn digest(full: &str, credentials: Option<DockerCredentials>) -> Outcome<String> {
    let place = Place::of(full)?;
    let client = Client::new(&place, credentials, "pull");
    let address = client.address(&format!("manifests/{}", place.reference));
    let mut answer = client.ask("HEAD", &address, MANIFESTS, Sent::Nothing)?;
    if !answer.status().is_success() {
        return Err(refused(&mut answer, &format!("asking the registry for `{}`", short_name(full))));
    }
    let digest = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
    digest.map(str::to_owned).ok_or_else(|| Failure::new("the registry told no digest"))
}

/// Takes in the image of a full name; returns its id. `say` is told what happens, `stop` tells to end.
pub fn pull(
    store: &Store,
    full: &str,
    platform: Option<&str>,
    credentials: Option<DockerCredentials>,
    say: &(dyn Fn(String) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Outcome<String> {
    let place = Place::of(full)?;
    let client = Client::new(&place, credentials, "pull");
    let platform = Platform::parse(platform);
    let (mut manifest, first_digest) = document(&client, &place.reference)?;
    for _ in 0..4 {
        if manifest.config.is_some() {
            break;
        }
        let chosen = choose(&manifest.manifests, &platform)?.digest.clone();
        manifest = document(&client, &chosen)?.0;
    }
    let config = manifest.config.clone().ok_or_else(|| Failure::new("its indexes lead to indexes without end"))?;
    let config_text = blob_text(&client, &config.digest)?;
    let config: ImageConfig = serde_json::from_str(&config_text).doing(|| "reading the image's configuration")?;
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(Failure::new("it has another number of layers than its configuration says"));
    }
    let is_missing = |diff_id: &String| layer_id(diff_id).map(|id| store.layer(&id).is_none());
    let mut wanted = Vec::new();
    for (descriptor, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
        if is_missing(diff_id)? {
            wanted.push(descriptor);
        }
    }
    fetch_all(store, &client, &wanted, say, stop)?;
    let repository = full.split_once('@').map_or(full, |(name, _)| name);
    let repository = match repository.rfind(':') {
        Some(colon) if !repository[colon..].contains('/') => &repository[..colon],
        _ => repository,
    };
    let digests = vec![format!("{}@{first_digest}", short_name(repository))];
    let id = take_in::image(store, &config_text, digests, |index| {
        let layer = manifest.layers.get(index).ok_or_else(|| Failure::new("it has fewer layers than it says"))?;
        let path = blob_path(store, &layer.digest)?;
        let file = File::open(&path).doing(|| format!("reading {}", path.display()))?;
        Ok(Incoming { digest: Some(layer.digest.clone()), bytes: Box::new(file) })
    })?;
    for layer in wanted {
        // Its files are in the store now; what is left of it would just take room.
        let _ = fs::remove_file(blob_path(store, &layer.digest)?);
    }
    store.write_name(full, &id)?;
    Ok(id)
}

/// Fetches an index or a manifest; returns its digest too.
fn document(client: &Client, reference: &str) -> Outcome<(OciDocument, String)> {
    let address = client.address(&format!("manifests/{reference}"));
    let mut answer = client.ask("GET", &address, MANIFESTS, Sent::Nothing)?;
    if !answer.status().is_success() {
        return Err(refused(&mut answer, "asking for the image"));
    }
    let text = text(&mut answer)?;
    let digest = compare(reference, text.as_bytes())?;
    Ok((serde_json::from_str(&text).doing(|| "reading the manifest")?, digest))
}

fn blob_text(client: &Client, digest: &str) -> Outcome<String> {
    let mut answer = client.ask("GET", &client.address(&format!("blobs/{digest}")), "", Sent::Nothing)?;
    if !answer.status().is_success() {
        return Err(refused(&mut answer, "asking for the image's configuration"));
    }
    let text = text(&mut answer)?;
    compare(digest, text.as_bytes())?;
    Ok(text)
}

/// Takes the digest of bytes, which must be the one by which they were asked for, if they were.
fn compare(reference: &str, bytes: &[u8]) -> Outcome<String> {
    let found = format!("sha256:{}", hex(&Sha256::digest(bytes)));
    if reference.contains(':') && reference != found {
        return Err(Failure::new(format!("the digest of what came is {found} and not {reference}"))
            .help("try again; if it stays so, the registry or the way to it is not to be trusted"));
    }
    Ok(found)
}

fn blob_path(store: &Store, digest: &str) -> Outcome<PathBuf> {
    Ok(store.root().join("tmp").join(format!("blob-{}", layer_id(digest)?)))
}

fn fetch_all(
    store: &Store,
    client: &Client,
    wanted: &[&Descriptor],
    say: &(dyn Fn(String) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Outcome<()> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || -> Outcome<()> {
        while let Some(layer) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let is_over = || failed.load(Ordering::Relaxed) || stop();
            if let Err(failure) = fetch(store, client, layer, &is_over) {
                failed.store(true, Ordering::Relaxed);
                return Err(failure.context(format!("fetching the layer {}", layer.digest)));
            }
            say(format!("{}: fetched", short_digest(&layer.digest)));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME.min(wanted.len())).map(|_| scope.spawn(work)).collect();
        let ended = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(Failure::new("fetching ended in an unexpected way"))));
        ended.collect::<Outcome<Vec<()>>>().map(drop)
    })
}

fn short_digest(digest: &str) -> &str {
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    digest.get(..12).unwrap_or(digest)
}

/// Fetches a layer into a file, going on with what an earlier attempt has left.
fn fetch(store: &Store, client: &Client, layer: &Descriptor, is_over: &dyn Fn() -> bool) -> Outcome<()> {
    let path = blob_path(store, &layer.digest)?;
    let writing = || format!("writing {}", path.display());
    let mut file = File::options().create(true).append(true).read(true).open(&path).doing(writing)?;
    // Another process may fetch the same: it is waited for, and has done the work then.
    file.lock().doing(writing)?;
    let mut hash = Sha256::new();
    file.rewind().doing(writing)?;
    io::copy(&mut file, &mut hash).doing(writing)?;
    let mut attempt = 0;
    loop {
        let has = file.metadata().doing(writing)?.len();
        let found = format!("sha256:{}", hex(&hash.clone().finalize()));
        if found == layer.digest {
            return Ok(());
        }
        attempt += 1;
        if attempt > ATTEMPTS {
            return Err(Failure::new(format!("the digest of what came is {found}"))
                .help("try again; if it stays so, the registry or the way to it is not to be trusted"));
        }
        let is_whole = layer.size > 0 && has >= layer.size;
        if is_whole {
            // It is not what it should be, so it is fetched from its beginning.
            file.set_len(0).doing(writing)?;
            hash = Sha256::new();
        }
        let from = if is_whole { 0 } else { has };
        match continue_fetching(client, layer, from, &mut file, &mut hash, is_over) {
            Err(failure) if is_over() || attempt == ATTEMPTS => return Err(failure),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(300 << attempt)),
            Ok(()) => {}
        }
    }
}

fn continue_fetching(
    client: &Client,
    layer: &Descriptor,
    from: u64,
    file: &mut File,
    hash: &mut Sha256,
    is_over: &dyn Fn() -> bool,
) -> Outcome<()> {
    let address = client.address(&format!("blobs/{}", layer.digest));
    let range = (from > 0).then(|| format!("bytes={from}-"));
    let mut answer = client.ask_range(&address, range.as_deref())?;
    if from > 0 && answer.status() != 206 {
        // The registry does not go on in the middle.
        file.set_len(0).doing(|| "writing the layer")?;
        *hash = Sha256::new();
    }
    if !answer.status().is_success() {
        return Err(refused(&mut answer, "asking for the layer"));
    }
    let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        if is_over() {
            return Err(Failure::cancelled());
        }
        let count = body.read(&mut buffer).doing(|| "reading the layer")?;
        if count == 0 {
            return Ok(());
        }
        hash.update(&buffer[..count]);
        file.write_all(&buffer[..count]).doing(|| "writing the layer")?;
    }
}
