//! The engine's folder: layers, images, what runs, and who may touch what.
//!
//! ```text
//! layers/ID/diff/      a layer's files, as an overlay file system has them; never changed once it stands there
//! layers/ID/meta.json  what is known of it
//! layers/ID/parts.gz   what of its archive is no file's content, if it came in one (`parts.rs`)
//! images/ID.json       an image: its configuration and its layers
//! names/DIGEST.json    a name of an image
//! sources/DIGEST.json  what an archive or folder was taken in as
//! run/ID/              a machine that runs: `lock`, `upper`, `work`, `merged`, …
//! tmp/                 what is not whole yet
//! gc.lock              shared by machines that run, exclusive for whoever removes layers
//! ```
//!
//! Every entry appears by a rename, so that a process that dies leaves an old one or a new one. What is half made
//! stands in `run` or `tmp`, under a lock that the system lets go of when its process ends; the next process takes it
//! away.
//!
//! # What reaches the disk, and when
//!
//! To wait for the disk after every provisioner would take longer than most provisioners. A layer's record says instead
//! in which boot of the machine it was written; once a container ends, all is made to reach the disk at once, and the
//! records say so. After a loss of power, what does not say so counts as not there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::trouble::Doing as _;
use crate::failure::{Failure, Outcome};
use crate::hex::hex;

/// The engine's folder.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What is known of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerMeta {
    /// The digest of its archive, once it is known: `sha256:…`.
    pub diff_id: Option<String>,
    /// The length of its archive, once it is known.
    #[serde(default)]
    pub archive_size: Option<u64>,
    /// The time that its files' times were limited to when that was worked out, in Unix seconds.
    pub latest: Option<i64>,
    /// The bytes of its files.
    pub size: u64,
    /// The boot of the machine in which it was written, as long as it may not have reached the disk.
    pub unsynced: Option<String>,
    /// Files that an archive gave more than once: the content's number in the archive.
    #[serde(default)]
    pub kept_aside: Vec<u64>,
}

/// A folder that belongs to this process until it is dropped; then it is removed.
#[derive(Debug)]
pub struct Workplace {
    path: PathBuf,
    _lock: File,
}

impl Workplace {
    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays is removed by the next process.
        let _ = remove_tree(&self.path);
    }
}

impl Store {
    /// Opens the folder, which is made if it is not there.
    pub fn open(root: PathBuf) -> Outcome<Self> {
        let store = Self { root };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for name in ["layers", "images", "names", "sources", "run", "tmp"] {
            builder.create(store.root.join(name)).doing(|| format!("making {}", store.root.join(name).display()))?;
        }
        Ok(store)
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of a layer's files.
    pub fn diff(&self, layer: &str) -> PathBuf {
        self.root.join("layers").join(layer).join("diff")
    }

    /// Returns a file that belongs to a layer.
    pub fn layer_file(&self, layer: &str, name: &str) -> PathBuf {
        self.root.join("layers").join(layer).join(name)
    }

    /// Reads what is known of a layer; none if it is not there, or may have been lost with the machine's power.
    pub fn layer(&self, layer: &str) -> Option<LayerMeta> {
        let meta: LayerMeta = read_json(&self.layer_file(layer, "meta.json"))?;
        let is_safe = meta.unsynced.as_ref().is_none_or(|boot| *boot == boot_id());
        is_safe.then_some(meta)
    }

    /// Writes what is known of a layer.
    pub fn write_layer(&self, layer: &str, meta: &LayerMeta) -> Outcome<()> {
        write_json(&self.layer_file(layer, "meta.json"), meta)
    }

    /// Makes a folder for a machine that runs, or for something that is not whole yet.
    pub fn workplace(&self) -> Outcome<Workplace> {
        let path = self.root.join("run").join(uuid::Uuid::new_v4().simple().to_string());
        // Whoever finds a folder without lock leaves it alone for a while; see `sweep`.
        fs::DirBuilder::new().mode(0o700).create(&path).doing(|| format!("making {}", path.display()))?;
        let lock = File::create(path.join("lock")).doing(|| format!("writing in {}", path.display()))?;
        lock.lock().doing(|| format!("locking {}", path.display()))?;
        Ok(Workplace { path, _lock: lock })
    }

    /// Makes a layer of a finished folder, which is moved. What is there already under that id stays.
    pub fn adopt(&self, place: &Workplace, folder: &Path, layer: &str, meta: &LayerMeta) -> Outcome<()> {
        let staged = place.path().join(format!("layer-{layer}"));
        fs::create_dir_all(&staged).doing(|| format!("making {}", staged.display()))?;
        fs::rename(folder, staged.join("diff")).doing(|| format!("moving {}", folder.display()))?;
        write_json(&staged.join("meta.json"), meta)?;
        for name in ["parts.gz", "aside"] {
            let extra = place.path().join(name);
            if extra.exists() {
                fs::rename(&extra, staged.join(name)).doing(|| format!("moving {}", extra.display()))?;
            }
        }
        let target = self.root.join("layers").join(layer);
        match fs::rename(&staged, &target) {
            Ok(()) => Ok(()),
            // Another process was first with the same.
            Err(_) if self.layer(layer).is_some() => remove_tree(&staged),
            Err(_) if target.exists() => {
                // It stood there from before the machine lost its power.
                remove_tree(&target)?;
                fs::rename(&staged, &target).doing(|| format!("making {}", target.display()))
            }
            Err(error) => Err(error).doing(|| format!("making {}", target.display())),
        }
    }

    /// Lets everything that was written reach the disk, and says so in the layers' records.
    pub fn sync<'a>(&self, layers: impl IntoIterator<Item = &'a String>) -> Outcome<()> {
        let mut waiting = Vec::new();
        for layer in layers {
            if let Some(meta) = self.layer(layer).filter(|meta| meta.unsynced.is_some()) {
                waiting.push((layer, meta));
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        File::open(&self.root)
            .and_then(|root| rustix::fs::syncfs(&root).map_err(io::Error::from))
            .doing(|| format!("writing {} to the disk", self.root.display()))?;
        for (layer, meta) in waiting {
            self.write_layer(layer, &LayerMeta { unsynced: None, ..meta })?;
        }
        Ok(())
    }

    /// Keeps layers from being removed for as long as the result lives.
    pub fn hold(&self) -> Outcome<File> {
        let file = self.gc_lock()?;
        file.lock_shared().doing(|| "waiting for the store")?;
        Ok(file)
    }

    fn gc_lock(&self) -> Outcome<File> {
        let path = self.root.join("gc.lock");
        File::options().create(true).append(true).open(&path).doing(|| format!("opening {}", path.display()))
    }

    /// Removes layers that no image consists of, unless somebody works with the store; returns the bytes given back.
    pub fn collect(&self) -> Outcome<u64> {
        let lock = self.gc_lock()?;
        if lock.try_lock().is_err() {
            return Ok(0);
        }
        let used: std::collections::HashSet<String> =
            self.images().into_iter().flat_map(|(_, image)| image.layers).collect();
        let mut freed = 0;
        for id in self.entries("layers") {
            if !used.contains(&id) {
                freed += self.layer(&id).map_or(0, |meta| meta.size);
                remove_tree(&self.root.join("layers").join(&id))?;
            }
        }
        Ok(freed)
    }

    /// Takes away what processes that have died have left.
    pub fn sweep(&self) -> Outcome<()> {
        for id in self.entries("run") {
            let path = self.root.join("run").join(&id);
            let is_dead = match File::options().append(true).open(path.join("lock")) {
                Ok(lock) => lock.try_lock().is_ok(),
                // Between the making of the folder and that of its lock lies a moment.
                Err(_) => is_older_than(&path, std::time::Duration::from_secs(60)),
            };
            if is_dead {
                remove_tree(&path)?;
            }
        }
        for id in self.entries("tmp") {
            let path = self.root.join("tmp").join(&id);
            if is_older_than(&path, std::time::Duration::from_secs(3600)) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    fn entries(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    /// Lists all images by id.
    pub fn images(&self) -> Vec<(String, StoredImage)> {
        let names = self.entries("images").into_iter();
        names
            .filter_map(|name| {
                let id = name.strip_suffix(".json")?.to_owned();
                Some((format!("sha256:{id}"), read_json(&self.root.join("images").join(name))?))
            })
            .collect()
    }

    /// Reads an image by its id; none if it or one of its layers is not there.
    pub fn image(&self, id: &str) -> Option<StoredImage> {
        let image: StoredImage = read_json(&self.image_path(id))?;
        image.layers.iter().all(|layer| self.layer(layer).is_some()).then_some(image)
    }

    fn image_path(&self, id: &str) -> PathBuf {
        let digest = id.strip_prefix("sha256:").unwrap_or(id);
        // An id is somebody's text: it must not lead out of the folder.
        let digest: String = digest.chars().filter(char::is_ascii_alphanumeric).collect();
        self.root.join("images").join(format!("{digest}.json"))
    }

    /// Writes an image.
    pub fn write_image(&self, id: &str, image: &StoredImage) -> Outcome<()> {
        write_json(&self.image_path(id), image)
    }

    /// Removes an image's record. Its layers go with [`Store::collect`].
    pub fn remove_image(&self, id: &str) -> Outcome<bool> {
        remove_file(&self.image_path(id))
    }

    fn name_path(&self, name: &str) -> PathBuf {
        self.root.join("names").join(format!("{}.json", hex(&Sha256::digest(name.as_bytes()))))
    }

    /// Gives an image a name, in its full form.
    pub fn write_name(&self, name: &str, id: &str) -> Outcome<()> {
        write_json(&self.name_path(name), &Name { name: name.to_owned(), id: id.to_owned() })
    }

    /// Finds the image of a name in its full form.
    pub fn named(&self, name: &str) -> Option<String> {
        read_json::<Name>(&self.name_path(name)).map(|name| name.id)
    }

    /// Removes a name.
    pub fn remove_name(&self, name: &str) -> Outcome<bool> {
        remove_file(&self.name_path(name))
    }

    /// Lists all names with the ids of their images.
    pub fn names(&self) -> Vec<(String, String)> {
        let files = self.entries("names").into_iter();
        let mut names: Vec<(String, String)> = files
            .filter_map(|file| read_json::<Name>(&self.root.join("names").join(file)))
            .map(|name| (name.name, name.id))
            .collect();
        names.sort_unstable();
        names
    }

    /// Remembers what a source was taken in as.
    pub fn write_source(&self, source: &str, facts: &str, id: &str) -> Outcome<()> {
        let path = self.root.join("sources").join(format!("{}.json", hex(&Sha256::digest(source.as_bytes()))));
        write_json(&path, &Source { source: source.to_owned(), facts: facts.to_owned(), id: id.to_owned() })
    }

    /// Tells what a source was taken in as, if it still is what it was.
    pub fn source(&self, source: &str, facts: &str) -> Option<String> {
        let path = self.root.join("sources").join(format!("{}.json", hex(&Sha256::digest(source.as_bytes()))));
        let known: Source = read_json(&path)?;
        (known.facts == facts && self.image(&known.id).is_some()).then_some(known.id)
    }
}

#[derive(Serialize, Deserialize)]
struct Name {
    name: String,
    id: String,
}

#[derive(Serialize, Deserialize)]
struct Source {
    source: String,
    facts: String,
    id: String,
}

/// An image in the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StoredImage {
    /// Its configuration, as it is written into archives.
    pub config: super::image::ImageConfig,
    /// Its layers, the lowest first.
    pub layers: Vec<String>,
    /// What it was pulled as: `name@sha256:…`.
    #[serde(default)]
    pub digests: Vec<String>,
    /// The exact bytes of its configuration, if they came from elsewhere: the id is their digest.
    #[serde(default)]
    pub config_text: Option<String>,
}

/// Returns the id of the machine's boot; empty if the system tells none.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn is_older_than(path: &Path, age: std::time::Duration) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed > age))
}

fn remove_file(path: &Path) -> Outcome<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).doing(|| format!("removing {}", path.display())),
    }
}

/// Removes a folder with all that is in it; one that is gone is no failure.
pub fn remove_tree(path: &Path) -> Outcome<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // Without root's rights, folders that deny writing keep what is in them.
            open_up(path);
            fs::remove_dir_all(path).doing(|| format!("removing {}", path.display()))
        }
        Err(error) => Err(error).doing(|| format!("removing {}", path.display())),
    }
}

fn open_up(folder: &Path) {
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a file that appears whole. One that a loss of power has emptied counts as not there.
fn write_json(path: &Path, value: &impl Serialize) -> Outcome<()> {
    let write = || -> io::Result<()> {
        let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().doing(|| format!("writing {}", path.display()))
}

/// Says that an image is not in the store.
pub fn no_image(name: &str) -> Failure {
    Failure::new(format!("there is no image `{name}`")).help("`rpk image ls` lists those that there are")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(folder.path().join("engine")).expect("can be made");
        (folder, store)
    }

    fn layer(store: &Store, id: &str) {
        let place = store.workplace().expect("can be made");
        let files = place.path().join("upper");
        fs::create_dir(&files).expect("is new");
        fs::write(files.join("a"), "content").expect("is writable");
        let meta = LayerMeta { size: 7, ..LayerMeta::default() };
        store.adopt(&place, &files, id, &meta).expect("is whole");
    }

    #[test]
    fn layers_stay_as_long_as_an_image_has_them() {
        let (_folder, store) = store();
        layer(&store, "one");
        layer(&store, "two");
        layer(&store, "two");
        let image = StoredImage { layers: vec!["two".to_owned()], ..StoredImage::default() };
        store.write_image("sha256:aa", &image).expect("is writable");
        let held = store.hold().expect("can be held");
        assert_eq!(store.collect().expect("nothing to do"), 0);
        drop(held);
        assert_eq!(store.collect().expect("can be removed"), 7);
        assert!(store.layer("one").is_none() && store.image("sha256:aa").is_some());
        store.remove_image("sha256:aa").expect("is there");
        assert_eq!(store.collect().expect("can be removed"), 7);
    }

    #[test]
    fn what_a_dead_process_left_is_taken_away_and_what_a_living_one_works_on_is_not() {
        let (_folder, store) = store();
        let place = store.workplace().expect("can be made");
        let dead = store.root().join("run/dead");
        fs::create_dir_all(dead.join("upper/x")).expect("is new");
        fs::write(dead.join("lock"), "").expect("is writable");
        store.sweep().expect("can be removed");
        assert!(place.path().exists() && !dead.exists());
    }

    #[test]
    fn a_layer_that_may_be_lost_with_the_power_counts_as_lost() {
        let (_folder, store) = store();
        layer(&store, "one");
        let meta = |boot: Option<String>| LayerMeta { unsynced: boot, ..LayerMeta::default() };
        store.write_layer("one", &meta(Some("another".to_owned()))).expect("is writable");
        assert!(store.layer("one").is_none());
        store.write_layer("one", &meta(Some(boot_id()))).expect("is writable");
        assert!(store.layer("one").is_some());
        store.sync([&"one".to_owned()]).expect("is writable");
        assert_eq!(store.layer("one").expect("is there").unsynced, None);
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        let (_folder, store) = store();
        assert_eq!(store.image_path("sha256:../../x").parent(), Some(store.root().join("images").as_path()));
    }
}
