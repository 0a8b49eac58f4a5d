//! Images from elsewhere into the store.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::blobs::{Blobs, decompressed};
use super::image::{ImageConfig, id_of};
use super::layer::pack::{Way, pack};
use super::layer::unpack::{Target, unpack};
use super::reference::full_name;
use super::store::{LayerMeta, Store, StoredImage, boot_id};
use super::trouble::Doing as _;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// The time of images that have none of their own: the beginning of all.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// A layer that is to be taken in.
pub struct Incoming {
    /// The digest that the bytes must have as they come, if somebody has told it.
    pub digest: Option<String>,
    /// The bytes, compressed or not.
    pub bytes: Box<dyn Read + Send>,
}

/// Takes in an image of a configuration and layers; returns its id.
///
/// `layers` is asked just for those that the store does not have, the lowest first.
pub fn image(
    store: &Store,
    config_text: &str,
    digests: Vec<String>,
    mut layers: impl FnMut(usize) -> Outcome<Incoming>,
) -> Outcome<String> {
    let config: ImageConfig = serde_json::from_str(config_text).doing(|| "reading the image's configuration")?;
    let mut ids: Vec<String> = Vec::new();
    for (index, diff_id) in config.rootfs.diff_ids.iter().enumerate() {
        let id = layer_id(diff_id)?;
        if store.layer(&id).is_none() {
            let incoming = layers(index)?;
            let found = layer(store, incoming, &ids, Some(diff_id))
                .map_err(|failure| failure.context(format!("taking in layer {}", index + 1)))?;
            debug_assert_eq!(found, id, "the digest was compared");
        }
        ids.push(id);
    }
    let id = id_of(config_text);
    let image = StoredImage { config, layers: ids, digests, config_text: Some(config_text.to_owned()) };
    store.write_image(&id, &image)?;
    Ok(id)
}

/// Returns the name of a layer's folder.
pub fn layer_id(diff_id: &str) -> Outcome<String> {
    let digest = diff_id.strip_prefix("sha256:").unwrap_or_default();
    if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digest.to_ascii_lowercase());
    }
    Err(Failure::new(format!("`{diff_id}` is no SHA-256 digest of a layer")))
}

/// Unpacks a layer into the store; returns its id.
fn layer(store: &Store, incoming: Incoming, below: &[String], expected: Option<&str>) -> Outcome<String> {
    let place = store.workplace()?;
    let diff = place.path().join("diff");
    fs::create_dir(&diff).doing(|| format!("making {}", diff.display()))?;
    let below: Vec<PathBuf> = below.iter().rev().map(|layer| store.diff(layer)).collect();
    let target = Target {
        diff: &diff,
        aside: &place.path().join("aside"),
        parts: &place.path().join("parts.gz"),
        below: &below,
        is_rootless: crate::embedded::rootless::is_inside(),
    };
    let (check, bytes) = Checked::new(incoming);
    let unpacked = unpack(decompressed(bytes)?, &target)?;
    check.compare()?;
    if let Some(expected) = expected.filter(|expected| **expected != unpacked.diff_id) {
        let failure = Failure::new(format!("its digest is {} and not {expected}", unpacked.diff_id));
        return Err(failure.help("fetch the image anew: what is here was damaged or changed"));
    }
    let id = layer_id(&unpacked.diff_id)?;
    let meta = LayerMeta {
        diff_id: Some(unpacked.diff_id),
        archive_size: Some(unpacked.archive_size),
        size: unpacked.size,
        unsynced: Some(boot_id()),
        kept_aside: unpacked.kept_aside,
        ..LayerMeta::default()
    };
    store.adopt(&place, &diff, &id, &meta)?;
    Ok(id)
}

/// Compares a digest once all bytes have passed.
struct Checked {
    expected: Option<String>,
    digest: std::sync::mpsc::Receiver<String>,
}

struct Hashing {
    bytes: Box<dyn Read + Send>,
    hash: Option<Sha256>,
    digest: std::sync::mpsc::Sender<String>,
}

impl Checked {
    fn new(incoming: Incoming) -> (Self, Box<dyn Read + Send>) {
        let (sender, digest) = std::sync::mpsc::channel();
        let bytes: Box<dyn Read + Send> = match incoming.digest {
            Some(_) => Box::new(Hashing { bytes: incoming.bytes, hash: Some(Sha256::new()), digest: sender }),
            None => incoming.bytes,
        };
        (Self { expected: incoming.digest, digest }, bytes)
    }

    /// Call it when the reader is gone.
    fn compare(self) -> Outcome<()> {
        let Some(expected) = self.expected else { return Ok(()) };
        match self.digest.recv() {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(Failure::new(format!("the digest of what came is {found} and not {expected}"))
                .help("fetch the image anew: what is here was damaged or changed")),
            Err(_) => Err(Failure::new("not all of it was read")),
        }
    }
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        // A decompressor may stop before the last bytes, which count all the same.
        let mut buffer = vec![0; 64 * 1024];
        while self.read(&mut buffer).is_ok_and(|count| count > 0) {}
        if let Some(hash) = self.hash.take() {
            // Nobody listens if unpacking has failed.
            let _ = self.digest.send(format!("sha256:{}", hex(&hash.finalize())));
        }
    }
}

/// Takes in a tar file or a folder that is a whole file system; returns the image's id.
pub fn root_file_system(store: &Store, path: &Path) -> Outcome<String> {
    let source = format!("rootfs:{}", path.display());
    let facts = facts(path)?;
    if let Some(id) = store.source(&source, &facts) {
        return Ok(id);
    }
    let id = if path.is_dir() {
        let place = store.workplace()?;
        let packed = place.path().join("packed.tar");
        let mut out = io::BufWriter::new(File::create(&packed).doing(|| format!("writing {}", packed.display()))?);
        pack(&[path.to_owned()], Way::Flat, None, &mut out)?;
        out.flush().doing(|| format!("writing {}", packed.display()))?;
        of_one_layer(store, File::open(&packed).doing(|| format!("reading {}", packed.display()))?)?
    } else {
        of_one_layer(store, File::open(path).doing(|| format!("reading {}", path.display()))?)
            .map_err(|failure| failure.context(format!("taking in {}", path.display())))?
    };
    store.write_source(&source, &facts, &id)?;
    Ok(id)
}

/// Tells what such a source was taken in as, if it is still the same.
pub fn known_root(store: &Store, path: &Path) -> Option<String> {
    store.source(&format!("rootfs:{}", path.display()), &facts(path).ok()?)
}

/// Tells what an image of an archive or folder was taken in as, if it is still the same.
pub fn known(store: &Store, path: &Path, name: Option<&str>, platform: Option<&str>) -> Option<String> {
    let (source, facts) = identify(path, name, platform).ok()?;
    store.source(&source, &facts)
}

/// Says which image of an archive or folder is meant, and what the file system tells of it.
fn identify(path: &Path, name: Option<&str>, platform: Option<&str>) -> Outcome<(String, String)> {
    let source = format!("{}\n{}\n{}", path.display(), name.unwrap_or_default(), platform.unwrap_or_default());
    let known_by = if path.is_dir() { path.join("index.json") } else { path.to_owned() };
    Ok((source, facts(&known_by)?))
}

fn of_one_layer(store: &Store, bytes: File) -> Outcome<String> {
    let id = layer(store, Incoming { digest: None, bytes: Box::new(bytes) }, &[], None)?;
    one_layer(store, &id, ImageConfig { created: Some(NO_TIME.to_owned()), ..ImageConfig::new() })
}

/// Makes an image of a single layer that is in the store.
fn one_layer(store: &Store, layer: &str, mut config: ImageConfig) -> Outcome<String> {
    config.rootfs.diff_ids = vec![format!("sha256:{layer}")];
    let history = super::image::History { created: config.created.clone(), ..Default::default() };
    config.history = vec![super::image::History { comment: "imported".to_owned(), ..history }];
    let text = config.text();
    let id = id_of(&text);
    let image = StoredImage { config, layers: vec![layer.to_owned()], config_text: Some(text), ..Default::default() };
    store.write_image(&id, &image)?;
    Ok(id)
}

/// Makes an image of a tar file and a configuration; returns its id.
pub fn imported(store: &Store, path: &Path, config: ImageConfig) -> Outcome<String> {
    let file = File::open(path).doing(|| format!("reading {}", path.display()))?;
    let layer = layer(store, Incoming { digest: None, bytes: Box::new(file) }, &[], None)
        .map_err(|failure| failure.context(format!("importing {}", path.display())))?;
    one_layer(store, &layer, config)
}

/// Takes in an image from nothing.
pub fn scratch(store: &Store) -> Outcome<String> {
    let config = ImageConfig { created: Some(NO_TIME.to_owned()), ..ImageConfig::new() };
    image(store, &config.text(), Vec::new(), |_| Err(Failure::new("it has no layers")))
}

/// Tells what a file or folder is by what the file system says of it.
fn facts(path: &Path) -> Outcome<String> {
    let mut hash = Sha256::new();
    let mut folders = vec![path.to_owned()];
    let mut note = |path: &Path| -> io::Result<bool> {
        let found = fs::symlink_metadata(path)?;
        let numbers = [
            found.dev(),
            found.ino(),
            u64::from(found.mode()),
            found.size(),
            found.mtime().cast_unsigned(),
            found.mtime_nsec().cast_unsigned(),
            found.ctime().cast_unsigned(),
            found.ctime_nsec().cast_unsigned(),
        ];
        for number in numbers {
            hash.update(number.to_le_bytes());
        }
        Ok(found.is_dir())
    };
    // A link that is named means what it leads to.
    let first = fs::canonicalize(path).doing(|| format!("reading {}", path.display()))?;
    if !note(&first).doing(|| format!("reading {}", path.display()))? {
        return Ok(hex(&hash.finalize()));
    }
    folders[0] = first;
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).doing(|| format!("reading {}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.sort_unstable();
        for path in paths {
            if note(&path).doing(|| format!("reading {}", path.display()))? {
                folders.push(path);
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// An index of images, or a manifest of one, as OCI has them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciDocument {
    /// The images of an index.
    #[serde(default)]
    pub manifests: Vec<Descriptor>,
    /// An image's configuration.
    pub config: Option<Descriptor>,
    /// An image's layers.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
}

/// A piece by its digest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its digest.
    pub digest: String,
    /// Its length; zero if it is not told.
    #[serde(default)]
    pub size: u64,
    /// For which machines.
    pub platform: Option<Platform>,
    /// Remarks.
    #[serde(default)]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A kind of machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The processor's kind.
    #[serde(default)]
    pub architecture: String,
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// The processor's version.
    #[serde(default)]
    pub variant: String,
}

impl Platform {
    /// Reads `os/architecture/variant`; none is this machine's.
    pub fn parse(text: Option<&str>) -> Self {
        let here = Self {
            architecture: super::image::architecture().to_owned(),
            os: "linux".to_owned(),
            variant: String::new(),
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else { return here };
        let mut parts = text.split('/');
        let first = parts.next().unwrap_or_default().to_owned();
        match parts.next() {
            None => Self { architecture: first, ..here },
            Some(architecture) => Self {
                os: first,
                architecture: architecture.to_owned(),
                variant: parts.next().unwrap_or_default().to_owned(),
            },
        }
    }

    fn fits(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_empty() || other.variant.is_empty() || self.variant == other.variant)
    }
}

/// Chooses the image of an index that is for a platform.
pub fn choose<'a>(manifests: &'a [Descriptor], platform: &Platform) -> Outcome<&'a Descriptor> {
    let fits = |found: &&Descriptor| found.platform.as_ref().is_some_and(|found| platform.fits(found));
    manifests.iter().find(fits).or_else(|| manifests.iter().find(|found| found.platform.is_none())).ok_or_else(|| {
        let all: Vec<String> = manifests
            .iter()
            .filter_map(|found| found.platform.as_ref())
            .map(|found| format!("{}/{}", found.os, found.architecture))
            .collect();
        Failure::new(format!("there is no image for {}/{} in it", platform.os, platform.architecture))
            .help(format!("set `platform` to one of {}", all.join(", ")))
    })
}

/// Takes in an image of an archive or folder; returns its id.
pub fn from_blobs(store: &Store, path: &Path, name: Option<&str>, platform: Option<&str>) -> Outcome<String> {
    let taking = |failure: Failure| failure.context(format!("taking in the image of {}", path.display()));
    let (source, facts) = identify(path, name, platform)?;
    if let Some(id) = store.source(&source, &facts) {
        return Ok(id);
    }
    let blobs = Blobs::open(path, store)?;
    let id = match blobs.text("manifest.json")? {
        Some(text) => saved(store, &blobs, &text, name),
        None => oci(store, &blobs, name, platform),
    }
    .map_err(taking)?;
    store.write_source(&source, &facts, &id)?;
    Ok(id)
}

fn saved(store: &Store, blobs: &Blobs, manifest: &str, name: Option<&str>) -> Outcome<String> {
    let images: Vec<SavedImage> = serde_json::from_str(manifest).doing(|| "reading manifest.json")?;
    let names = |image: &SavedImage| image.repo_tags.clone().unwrap_or_default();
    let found = match name {
        Some(name) => images.iter().find(|image| names(image).iter().any(|tag| full_name(tag) == full_name(name))),
        None if images.len() > 1 => None,
        None => images.first(),
    };
    let image = found.ok_or_else(|| {
        let all: Vec<String> = images.iter().flat_map(names).collect();
        Failure::new(format!("it holds {} images, and it is not clear which is meant", images.len()))
            .help(format!("put one of these names behind its path: {}", all.join(", ")))
    })?;
    let missing = |name: &str| Failure::new(format!("`{name}` is missing in it"));
    let config = blobs.text(&image.config)?.ok_or_else(|| missing(&image.config))?;
    self::image(store, &config, Vec::new(), |index| {
        let name = image.layers.get(index).ok_or_else(|| Failure::new("it has fewer layers than it says"))?;
        Ok(Incoming { digest: None, bytes: blobs.piece(name)?.ok_or_else(|| missing(name))? })
    })
}

fn oci(store: &Store, blobs: &Blobs, name: Option<&str>, platform: Option<&str>) -> Outcome<String> {
    let index = blobs.text("index.json")?.ok_or_else(|| {
        Failure::new("it holds neither manifest.json nor index.json")
            .help("give an archive of an image, or use `rootfs:`")
    })?;
    let platform = Platform::parse(platform);
    let mut document: OciDocument = serde_json::from_str(&index).doing(|| "reading index.json")?;
    if let Some(name) = name {
        document.manifests.retain(|found| {
            ["org.opencontainers.image.ref.name", "io.containerd.image.name"].iter().any(|key| {
                found.annotations.get(*key).is_some_and(|known| known == name || full_name(known) == full_name(name))
            })
        });
        if document.manifests.is_empty() {
            return Err(Failure::new(format!("there is no image `{name}` in it")));
        }
    }
    for _ in 0..4 {
        if let Some(config) = &document.config {
            let text = described(blobs, config)?;
            let layers = document.layers.clone();
            return image(store, &text, Vec::new(), |index| {
                let layer = layers.get(index).ok_or_else(|| Failure::new("it has fewer layers than it says"))?;
                let piece = blobs.piece(&blob_path(&layer.digest)?)?;
                let bytes = piece.ok_or_else(|| Failure::new(format!("`{}` is missing in it", layer.digest)))?;
                Ok(Incoming { digest: Some(layer.digest.clone()), bytes })
            });
        }
        let chosen = choose(&document.manifests, &platform)?;
        document = serde_json::from_str(&described(blobs, chosen)?).doing(|| "reading a manifest")?;
    }
    Err(Failure::new("its indexes lead to indexes without end"))
}

fn blob_path(digest: &str) -> Outcome<String> {
    Ok(format!("blobs/sha256/{}", layer_id(digest)?))
}

/// Reads a text by its digest, which is compared.
fn described(blobs: &Blobs, descriptor: &Descriptor) -> Outcome<String> {
    let digest = &descriptor.digest;
    let text = blobs.text(&blob_path(digest)?)?.ok_or_else(|| Failure::new(format!("`{digest}` is missing in it")))?;
    let found = format!("sha256:{}", hex(&Sha256::digest(text.as_bytes())));
    if found != *digest {
        return Err(Failure::new(format!("the digest of what stands under {digest} is {found}")));
    }
    Ok(text)
}
