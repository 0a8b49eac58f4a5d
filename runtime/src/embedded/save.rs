//! Images out of the store, into an archive that every engine reads.
//!
//! One tar file is both what `docker save` writes and an OCI layout: the pieces stand under their digests, and two
//! tables of contents lead to them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::image::id_of;
use super::layer::pack::{Way, pack};
use super::layer::parts::Parts;
use super::layer::writer::{Entry, Kind, padding, write_end, write_header};
use super::reference::short_name;
use super::store::{LayerMeta, Store, StoredImage, no_image};
use super::trouble::Doing as _;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// What a layer's archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerArchive {
    /// Its digest.
    pub diff_id: String,
    /// Its length.
    pub size: u64,
}

/// Writes a layer's archive.
pub fn write_layer(
    store: &Store,
    layer: &str,
    meta: &LayerMeta,
    latest: Option<i64>,
    out: &mut impl Write,
) -> Outcome<()> {
    let parts = store.layer_file(layer, "parts.gz");
    let diff = store.diff(layer);
    if parts.exists() {
        let aside = store.layer_file(layer, "aside");
        return Parts { parts: &parts, diff: &diff, aside: &aside, kept_aside: &meta.kept_aside }.write(out);
    }
    pack(&[diff], Way::Layer, latest, out).map(drop)
}

/// Works out what a layer's archive is, or remembers it.
pub fn layer_archive(store: &Store, layer: &str, latest: Option<i64>) -> Outcome<LayerArchive> {
    let meta = store.layer(layer).ok_or_else(|| Failure::new(format!("layer {layer} is not there any more")))?;
    let is_own = !store.layer_file(layer, "parts.gz").exists();
    if let (Some(diff_id), Some(size)) = (&meta.diff_id, meta.archive_size)
        && (!is_own || meta.latest == latest)
    {
        return Ok(LayerArchive { diff_id: diff_id.clone(), size });
    }
    let mut sink = Hashed::new(io::sink());
    write_layer(store, layer, &meta, latest, &mut sink)?;
    let found = LayerArchive { size: sink.length, diff_id: sink.digest() };
    let meta = LayerMeta { diff_id: Some(found.diff_id.clone()), archive_size: Some(found.size), latest, ..meta };
    store.write_layer(layer, &meta)?;
    Ok(found)
}

/// Takes the digest of what is written.
pub struct Hashed<W> {
    out: W,
    hash: Sha256,
    /// The bytes so far.
    pub length: u64,
}

impl<W: Write> Hashed<W> {
    /// Begins.
    pub fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), length: 0 }
    }

    /// Ends; returns what was written to, and the digest.
    pub fn into_parts(self) -> (W, String) {
        (self.out, format!("sha256:{}", hex(&self.hash.finalize())))
    }

    /// Ends; returns the digest.
    pub fn digest(self) -> String {
        format!("sha256:{}", hex(&self.hash.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes an image, under these names, to a file.
pub fn save(store: &Store, id: &str, names: &[String], latest: Option<i64>, path: &Path) -> Outcome<()> {
    let image = store.image(id).ok_or_else(|| no_image(id))?;
    let file = File::create(path).doing(|| format!("writing {}", path.display()))?;
    let mut out = io::BufWriter::with_capacity(1 << 20, file);
    write_archive(store, &image, names, latest, &mut out)?;
    out.flush().doing(|| format!("writing {}", path.display()))
}

/// Writes an image's archive.
pub fn write_archive(
    store: &Store,
    image: &StoredImage,
    names: &[String],
    latest: Option<i64>,
    out: &mut impl Write,
) -> Outcome<()> {
    let writing = || "writing the archive";
    let config = image.config_text.clone().unwrap_or_else(|| image.config.text());
    let blob = |digest: &str| format!("blobs/sha256/{}", digest.strip_prefix("sha256:").unwrap_or(digest));
    for folder in ["blobs/", "blobs/sha256/"] {
        write_header(out, &entry(folder, Kind::Folder, 0)).doing(writing)?;
    }
    let mut layers = Vec::new();
    let mut written = std::collections::HashSet::new();
    for (layer, expected) in image.layers.iter().zip(&image.config.rootfs.diff_ids) {
        let meta = store.layer(layer).ok_or_else(|| Failure::new(format!("layer {layer} is not there any more")))?;
        let archive = layer_archive(store, layer, meta.latest.or(latest))?;
        if archive.diff_id != *expected {
            return Err(Failure::new(format!("the digest of layer {layer} is {} and not {expected}", archive.diff_id)));
        }
        if written.insert(archive.diff_id.clone()) {
            write_header(out, &entry(&blob(&archive.diff_id), Kind::File, archive.size)).doing(writing)?;
            let mut contents = Hashed::new(&mut *out);
            write_layer(store, layer, &meta, meta.latest.or(latest), &mut contents)?;
            let length = contents.length;
            let found = contents.digest();
            if found != archive.diff_id || length != archive.size {
                let failure =
                    Failure::new(format!("the digest of layer {layer} is {found} and not {}", archive.diff_id));
                return Err(failure.help("its files were changed: remove the image, and make or fetch it anew"));
            }
            out.write_all(padding(length)).doing(writing)?;
        }
        layers.push(archive);
    }
    let id = id_of(&config);
    let mut text = |name: &str, text: &str| -> Outcome<()> {
        write_header(out, &entry(name, Kind::File, text.len() as u64))
            .and_then(|()| out.write_all(text.as_bytes()))
            .and_then(|()| out.write_all(padding(text.len() as u64)))
            .doing(writing)
    };
    text(&blob(&id), &config)?;
    let manifest = manifest(&config, &layers, "application/vnd.oci.image.layer.v1.tar").to_string();
    let manifest_digest = id_of(&manifest);
    text(&blob(&manifest_digest), &manifest)?;
    text("index.json", &index(&manifest, names).to_string())?;
    let tags: Vec<&str> = names.iter().map(|name| short_name(name)).collect();
    let saved: Vec<String> = layers.iter().map(|layer| blob(&layer.diff_id)).collect();
    text("manifest.json", &json!([{ "Config": blob(&id), "RepoTags": tags, "Layers": saved }]).to_string())?;
    text("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    write_end(out).doing(writing)
}

/// Makes the manifest of an image.
pub fn manifest(config: &str, layers: &[LayerArchive], layer_type: &str) -> Json {
    let layers: Vec<Json> = layers
        .iter()
        .map(|layer| json!({ "mediaType": layer_type, "digest": layer.diff_id, "size": layer.size }))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": id_of(config), "size": config.len(),
        },
        "layers": layers,
    })
}

fn index(manifest: &str, names: &[String]) -> Json {
    let descriptor = |annotations: Json| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": id_of(manifest), "size": manifest.len(), "annotations": annotations,
        })
    };
    let mut manifests: Vec<Json> = names
        .iter()
        .map(|name| {
            let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            descriptor(json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag }))
        })
        .collect();
    if manifests.is_empty() {
        manifests.push(descriptor(json!({})));
    }
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests })
}

fn entry(path: &str, kind: Kind, size: u64) -> Entry<'_> {
    let mode = if kind == Kind::Folder { 0o755 } else { 0o644 };
    Entry {
        path: path.as_bytes(),
        kind,
        mode,
        user: 0,
        group: 0,
        size,
        time: 0,
        target: &[],
        device: (0, 0),
        attributes: &[],
    }
}

/// Writes an image's whole file system to a file, layers put together.
pub fn export(layers: &[PathBuf], latest: Option<i64>, path: &Path) -> Outcome<()> {
    let file = File::create(path).doing(|| format!("writing {}", path.display()))?;
    let mut out = io::BufWriter::with_capacity(1 << 20, file);
    pack(layers, Way::Flat, latest, &mut out)?;
    out.flush().doing(|| format!("writing {}", path.display()))
}
