//! The engine as the rest of rpk knows it: images by name, and what is done with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::auth::DockerCredentials;
use tokio::sync::Mutex;

use super::changes;
use super::image::{ImageConfig, id_of};
use super::reference::{Reference, full_name, short_name};
use super::store::{Store, StoredImage, no_image};
use super::trouble::Doing as _;
use super::{registry, save, take_in};
use crate::context::NodeContext;
use crate::docker::{ImageName, PullPolicy, stored_credentials};
use crate::failure::{Failure, Outcome};

/// The embedded engine, with its store opened.
#[derive(Clone, Debug)]
pub struct Engine {
    store: Store,
    /// The time that no file's time may go beyond, in Unix seconds: `SOURCE_DATE_EPOCH`.
    latest: Option<i64>,
    /// Whether no registry may be asked.
    is_offline: bool,
    /// Held while an image is taken in, so that builds from one image take it in once.
    taking_in: Arc<Mutex<()>>,
}

/// An image with its id.
#[derive(Clone, Debug)]
pub struct Image {
    /// The digest of its configuration: `sha256:…`.
    pub id: String,
    /// What it is.
    pub image: StoredImage,
}

impl Image {
    /// Returns the bytes of its files.
    #[must_use]
    pub fn size(&self, engine: &Engine) -> u64 {
        let layers = self.image.layers.iter();
        layers.filter_map(|layer| engine.store.layer(layer)).map(|meta| meta.size).sum()
    }
}

impl Engine {
    /// Opens the engine's folder, and takes away what processes that have died have left there.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made or written.
    pub fn open(root: PathBuf) -> Outcome<Self> {
        let store = Store::open(root)?;
        // Outside of the user namespace that made them, some things cannot be removed: a run does it, a plan does not.
        if !super::rootless::is_needed() {
            store.sweep()?;
        }
        let latest = std::env::var("SOURCE_DATE_EPOCH").ok().filter(|text| !text.is_empty());
        let latest =
            match latest {
                Some(text) => Some(text.parse().map_err(|_| {
                    Failure::new(format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds"))
                })?),
                None => None,
            };
        Ok(Self { store, latest, is_offline: false, taking_in: Arc::default() })
    }

    /// Makes it one that asks no registry.
    #[must_use]
    pub fn offline(self, is_offline: bool) -> Self {
        Self { is_offline, ..self }
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the time that no file's time may go beyond.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.latest
    }

    /// Returns the time for what is made now, as images have it.
    pub(crate) fn now(&self) -> String {
        let time = match self.latest {
            Some(seconds) => jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
            None => jiff::Timestamp::now(),
        };
        time.to_string()
    }

    /// Finds an image of the store by name, id or the beginning of an id.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Image> {
        let named = self.store.named(&full_name(name));
        let id = named.or_else(|| {
            let digest = name.strip_prefix("sha256:").unwrap_or(name);
            if digest.len() < 4 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            let all = self.store.images().into_iter().map(|(id, _)| id);
            let mut fitting = all.filter(|id| id["sha256:".len()..].starts_with(digest));
            // A beginning that two ids have means neither.
            fitting.next().filter(|_| fitting.next().is_none())
        })?;
        let image = self.store.image(&id)?;
        Some(Image { id, image })
    }

    /// Finds a base image; takes it in if it is not in the store.
    pub async fn resolve(
        &self,
        ctx: &NodeContext,
        name: &str,
        pull: PullPolicy,
        platform: Option<&str>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<Image> {
        let reference = Reference::parse(name);
        if let Reference::Name(name) = &reference {
            return self.find_or_pull(ctx, name, pull, platform, credentials).await;
        }
        if !matches!(reference, Reference::Scratch) {
            ctx.say(format!("Taking in the image {name}")).await;
        }
        self.take_in(reference, platform.map(str::to_owned)).await
    }

    /// Takes in an image that is no registry's.
    pub(super) async fn take_in(&self, reference: Reference, platform: Option<String>) -> Outcome<Image> {
        let _alone = self.taking_in.lock().await;
        // Until it is written down which image a layer is of, nobody may remove it.
        let _held = self.store.hold()?;
        let store = self.store.clone();
        let id = blocking(move || {
            let platform = platform.as_deref();
            match &reference {
                Reference::Scratch => take_in::scratch(&store),
                Reference::RootFs(path) => take_in::root_file_system(&store, path),
                Reference::DockerArchive(path, name)
                | Reference::OciArchive(path, name)
                | Reference::OciFolder(path, name) => take_in::from_blobs(&store, path, name.as_deref(), platform),
                Reference::Name(name) => Err(no_image(name)),
            }
        })
        .await?;
        let image = self.store.image(&id).ok_or_else(|| no_image(&id))?;
        Ok(Image { id, image })
    }

    async fn find_or_pull(
        &self,
        ctx: &NodeContext,
        name: &str,
        pull: PullPolicy,
        platform: Option<&str>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<Image> {
        let _alone = self.taking_in.lock().await;
        // Until it is written down which image a layer is of, nobody may remove it.
        let _held = self.store.hold()?;
        if pull != PullPolicy::Always
            && let Some(image) = self.find(name)
        {
            return Ok(image);
        }
        if name.starts_with("sha256:") {
            return Err(no_image(name));
        }
        ctx.say(format!("Pulling image: {name}")).await;
        let (store, full, platform) = (self.store.clone(), full_name(name), platform.map(str::to_owned));
        let credentials = credentials.or_else(|| stored_credentials(ImageName::parse(name).registry()));
        let id = self
            .in_words(ctx, move |say, stop| registry::pull(&store, &full, platform.as_deref(), credentials, say, stop))
            .await
            .map_err(|failure| {
                let help = "check the name and the registry, or give the image as a file: `docker-archive:image.tar`";
                failure.context(format!("pulling image `{name}`")).help(help)
            })?;
        let image = self.store.image(&id).ok_or_else(|| no_image(&id))?;
        Ok(Image { id, image })
    }

    /// Does something on a thread that says how it gets on, and stops when the node is told to.
    async fn in_words<T: Send + 'static>(
        &self,
        ctx: &NodeContext,
        work: impl FnOnce(&(dyn Fn(String) + Sync), &(dyn Fn() -> bool + Sync)) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (sender, mut words) = tokio::sync::mpsc::unbounded_channel::<String>();
        let cancel = ctx.cancel.clone();
        let working = blocking(move || {
            // Nobody listens any more once the node has ended.
            let say = move |text: String| drop(sender.send(text));
            work(&say, &|| cancel.is_cancelled())
        });
        let saying = async {
            while let Some(text) = words.recv().await {
                ctx.say(text).await;
            }
        };
        let (done, ()) = tokio::join!(working, saying);
        done
    }

    /// Sends an image to its registry.
    pub async fn push(&self, ctx: &NodeContext, name: &str, credentials: Option<DockerCredentials>) -> Outcome<()> {
        let found = self.find(name).ok_or_else(|| no_image(name))?;
        let (store, full, latest) = (self.store.clone(), full_name(name), self.latest);
        let credentials = credentials.or_else(|| stored_credentials(ImageName::parse(name).registry()));
        let sending = move |say: &(dyn Fn(String) + Sync), stop: &(dyn Fn() -> bool + Sync)| {
            registry::push(&store, &found.image, &full, latest, credentials, say, stop)
        };
        let digest = self.in_words(ctx, sending).await?;
        ctx.say(format!("Digest: {digest}")).await;
        Ok(())
    }

    /// Asks an image's registry for the digest of what it has under the image's name.
    pub async fn registry_digest(&self, name: &str, credentials: Option<DockerCredentials>) -> Outcome<String> {
        if self.is_offline {
            return Err(Failure::new("nobody is asked, as `-offline` says"));
        }
        let full = full_name(name);
        let credentials = credentials.or_else(|| stored_credentials(ImageName::parse(name).registry()));
        blocking(move || registry::digest(&full, credentials)).await
    }

    /// Tells which image a build would start from now, without taking anything in; none if that is not known.
    #[must_use]
    pub fn known(&self, name: &str, platform: Option<&str>) -> Option<Image> {
        let id = match Reference::parse(name) {
            Reference::Scratch => return None,
            Reference::RootFs(path) => take_in::known_root(&self.store, &path),
            Reference::DockerArchive(path, name)
            | Reference::OciArchive(path, name)
            | Reference::OciFolder(path, name) => take_in::known(&self.store, &path, name.as_deref(), platform),
            Reference::Name(name) => return self.find(&name),
        }?;
        let image = self.store.image(&id)?;
        Some(Image { id, image })
    }

    /// Tells whether a base image is one of a registry.
    #[must_use]
    pub fn is_of_registry(&self, name: &str) -> bool {
        matches!(Reference::parse(name), Reference::Name(name) if !name.starts_with("sha256:"))
    }

    /// Returns the id of an image of the store.
    #[must_use]
    pub fn image_id(&self, name: &str) -> Option<String> {
        self.find(name).map(|image| image.id)
    }

    /// Lists the names of a repository's images.
    #[must_use]
    pub fn image_names(&self, repository: &str) -> Vec<String> {
        let names = self.store.names().into_iter().map(|(name, _)| short_name(&name).to_owned());
        names.filter(|name| name.rsplit_once(':').is_some_and(|(found, _)| found == repository)).collect()
    }

    /// Gives an image a name.
    pub fn tag(&self, image: &str, name: &str) -> Outcome<()> {
        let found = self.find(image).ok_or_else(|| no_image(image))?;
        self.store.write_name(&full_name(name), &found.id)
    }

    /// Removes a name, and with its last one the image; or an image by its id with all its names. Tells whether there
    /// was one.
    pub fn remove(&self, name: &str) -> Outcome<bool> {
        let full = full_name(name);
        let (id, gone) = match self.store.named(&full) {
            Some(id) => (id, vec![full]),
            None => {
                let Some(found) = self.find(name) else { return Ok(false) };
                let names = self.store.names().into_iter();
                let gone = names.filter(|(_, id)| *id == found.id).map(|(name, _)| name).collect();
                (found.id, gone)
            }
        };
        for name in &gone {
            self.store.remove_name(name)?;
        }
        if !self.store.names().iter().any(|(_, other)| *other == id) {
            self.store.remove_image(&id)?;
        }
        // Whoever works with the store meanwhile leaves it to the next one.
        self.store.collect()?;
        Ok(true)
    }

    /// Writes an image to a file that appears when it is whole.
    pub async fn save(&self, ctx: &NodeContext, image: &str, path: &Path) -> Outcome<()> {
        let found = self.find(image).ok_or_else(|| no_image(image))?;
        let full = full_name(image);
        let names = if self.store.named(&full).is_some() { vec![full] } else { Vec::new() };
        let (store, latest) = (self.store.clone(), self.latest);
        appear(ctx, path, move |path| save::save(&store, &found.id, &names, latest, path)).await
    }

    /// Makes an image of a file system in a tar file; returns its id.
    pub async fn import(&self, path: &Path, name: &str, changes: &[String], platform: Option<&str>) -> Outcome<String> {
        let platform = take_in::Platform::parse(platform);
        let mut config = ImageConfig {
            created: Some(self.now()),
            architecture: platform.architecture,
            os: platform.os,
            ..ImageConfig::new()
        };
        changes::apply(&mut config.config, changes)?;
        let _held = self.store.hold()?;
        let (store, path) = (self.store.clone(), path.to_owned());
        let id = blocking(move || take_in::imported(&store, &path, config)).await?;
        if !name.is_empty() {
            self.store.write_name(&full_name(name), &id)?;
        }
        Ok(id)
    }

    /// Keeps layers that lie on an image as a state under a name; returns its id.
    pub(crate) fn keep(&self, name: &str, image: &StoredImage, layers: &[String]) -> Outcome<String> {
        let state = StoredImage { layers: layers.to_vec(), config_text: None, ..image.clone() };
        let id = id_of(&format!("{}\n{}", state.config.text(), layers.join("\n")));
        self.store.write_image(&id, &state)?;
        self.store.write_name(&full_name(name), &id)?;
        Ok(id)
    }
}

/// Does what takes long on a thread for such things.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::new(error.to_string()))?
}

/// Has a file written that appears under its name when it is whole.
pub(crate) async fn appear(
    ctx: &NodeContext,
    path: &Path,
    write: impl FnOnce(&Path) -> Outcome<()> + Send + 'static,
) -> Outcome<()> {
    let path = path.to_owned();
    let services = ctx.services.clone();
    let writing = blocking(move || {
        let about_to = |place| services.journal.write(&crate::journal::Entry::File { path: place });
        appear_at(&path, about_to, write)
    });
    tokio::select! {
        written = writing => written,
        () = ctx.cancel.cancelled() => Err(Failure::cancelled()),
    }
}

/// Writes a file that appears when it is whole; `about_to` is told under which name it is written before.
pub(super) fn appear_at(
    path: &Path,
    about_to: impl FnOnce(PathBuf),
    write: impl FnOnce(&Path) -> Outcome<()>,
) -> Outcome<()> {
    let writing = || format!("writing {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).doing(writing)?;
    let temporary = tempfile::NamedTempFile::new_in(folder).doing(writing)?;
    about_to(std::path::absolute(temporary.path()).doing(writing)?);
    write(temporary.path())?;
    let file = temporary.persist(path).map_err(|error| error.error).doing(writing)?;
    // Temporary files are their owner's alone; a result has the mode that any new file has.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)).doing(writing)
}
