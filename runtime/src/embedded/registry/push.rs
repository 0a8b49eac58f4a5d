//! An image out of the store to a registry. What the registry has is not sent again.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use bollard::auth::DockerCredentials;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::client::{Client, Place, Sent, refused};
use crate::embedded::image::id_of;
use crate::embedded::reference::short_name;
use crate::embedded::save::{Hashed, LayerArchive, manifest, write_layer};
use crate::embedded::store::{Store, StoredImage};
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// How much layers are compressed: the network is seldom slower than this.
const LEVEL: u32 = 6;

/// Sends an image to the registry of a full name; returns the digest of its manifest.
pub fn push(
    store: &Store,
    image: &StoredImage,
    full: &str,
    latest: Option<i64>,
    credentials: Option<DockerCredentials>,
    say: &dyn Fn(String),
    stop: &dyn Fn() -> bool,
) -> Outcome<String> {
    let place = Place::of(full)?;
    let client = Client::new(&place, credentials, "pull,push");
    let config = image.config_text.clone().unwrap_or_else(|| image.config.text());
    let mut layers = Vec::new();
    for layer in &image.layers {
        if stop() {
            return Err(Failure::cancelled());
        }
        let archive = compressed(store, layer, latest)?;
        let short = archive.digest.get(7..19).unwrap_or_default().to_owned();
        if has(&client, &archive.digest)? {
            say(format!("{short}: is there already"));
        } else {
            let mut file = archive.file;
            file.rewind().doing(|| "reading the layer")?;
            send(&client, &archive.digest, &mut file, archive.size)?;
            say(format!("{short}: sent"));
        }
        layers.push(LayerArchive { diff_id: archive.digest, size: archive.size });
    }
    let config_digest = id_of(&config);
    if !has(&client, &config_digest)? {
        send(&client, &config_digest, &mut config.as_bytes(), config.len() as u64)?;
    }
    let manifest = manifest(&config, &layers, "application/vnd.oci.image.layer.v1.tar+gzip").to_string();
    let address = client.address(&format!("manifests/{}", place.reference));
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut answer = client.ask("PUT", &address, "", Sent::Text(kind, &manifest))?;
    if !answer.status().is_success() {
        return Err(refused(&mut answer, &format!("sending the manifest of {}", short_name(full))));
    }
    Ok(id_of(&manifest))
}

struct Compressed {
    file: File,
    digest: String,
    size: u64,
}

/// Writes a layer's archive, compressed, to a file without a name; the same layer gives the same bytes.
fn compressed(store: &Store, layer: &str, latest: Option<i64>) -> Outcome<Compressed> {
    let meta = store.layer(layer).ok_or_else(|| Failure::new(format!("layer {layer} is not there any more")))?;
    let folder = store.root().join("tmp");
    let file = tempfile::tempfile_in(&folder).doing(|| format!("writing in {}", folder.display()))?;
    let hashed = Hashed::new(io::BufWriter::new(file.try_clone().doing(|| "writing the layer")?));
    let mut out = Hashed::new(GzEncoder::new(hashed, Compression::new(LEVEL)));
    write_layer(store, layer, &meta, meta.latest.or(latest), &mut out)?;
    let (encoder, found) = out.into_parts();
    if meta.diff_id.as_ref().is_some_and(|expected| *expected != found) {
        return Err(Failure::new(format!("the digest of layer {layer} is {found}, which it was not before"))
            .help("its files were changed: remove the image, and make or fetch it anew"));
    }
    let mut hashed = encoder.finish().doing(|| "writing the layer")?;
    hashed.flush().doing(|| "writing the layer")?;
    let size = hashed.length;
    Ok(Compressed { file, digest: hashed.digest(), size })
}

fn has(client: &Client, digest: &str) -> Outcome<bool> {
    let answer = client.ask("HEAD", &client.address(&format!("blobs/{digest}")), "", Sent::Nothing)?;
    Ok(answer.status().is_success())
}

fn send(client: &Client, digest: &str, bytes: &mut dyn io::Read, size: u64) -> Outcome<()> {
    let mut begun = client.ask("POST", &client.address("blobs/uploads/"), "", Sent::Nothing)?;
    if begun.status() != 202 {
        return Err(refused(&mut begun, "beginning to send a layer"));
    }
    let place = begun.headers().get("location").and_then(|value| value.to_str().ok());
    let place = client.whole(place.ok_or_else(|| Failure::new("the registry does not say where to send to"))?);
    let separator = if place.contains('?') { '&' } else { '?' };
    let address = format!("{place}{separator}digest={digest}");
    let mut answer = client.ask("PUT", &address, "", Sent::Bytes(bytes, size))?;
    if answer.status().is_success() { Ok(()) } else { Err(refused(&mut answer, "sending a layer")) }
}
