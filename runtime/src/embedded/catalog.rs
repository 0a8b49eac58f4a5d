//! What users do with the store by hand: list, load, save, send, try.

use std::path::Path;

use super::container::Container;
use super::engine::{Engine, Image, blocking};
use super::reference::{Reference, full_name, short_name};
use super::settings::{self, Names};
use super::store::no_image;
use super::{registry, save};
use crate::docker::{ImageName, stored_credentials};
use crate::failure::{Failure, Outcome};

/// What states of builds are kept under, which are no images for people.
const STATES: &str = "rpk/cache";

impl Engine {
    /// Finds an image by name or id.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn image(&self, name: &str) -> Outcome<Image> {
        self.find(name).ok_or_else(|| no_image(name))
    }

    /// Lists the images with their names, without the states that builds have kept.
    #[must_use]
    pub fn images(&self) -> Vec<(Vec<String>, Image)> {
        let names = self.store().names();
        let mut images = Vec::new();
        for (id, image) in self.store().images() {
            let own: Vec<String> =
                names.iter().filter(|(_, of)| *of == id).map(|(name, _)| short_name(name).to_owned()).collect();
            let is_state = own.iter().any(|name| name.starts_with(STATES));
            if !is_state && image.layers.iter().all(|layer| self.store().layer(layer).is_some()) {
                images.push((own, Image { id, image }));
            }
        }
        images
            .sort_by(|a, b| b.1.image.config.created.cmp(&a.1.image.config.created).then_with(|| a.1.id.cmp(&b.1.id)));
        images
    }

    /// Takes in an image, or finds it in the store.
    ///
    /// # Errors
    ///
    /// Fails if the image is not to be had.
    pub async fn load(&self, name: &str) -> Outcome<Image> {
        match Reference::parse(name) {
            Reference::Name(known) => match self.find(&known) {
                Some(found) => Ok(found),
                None => {
                    let (store, full) = (self.store().clone(), full_name(&known));
                    let credentials = stored_credentials(ImageName::parse(&known).registry());
                    let id = blocking(move || registry::pull(&store, &full, None, credentials, &|_| {}, &|| false))
                        .await
                        .map_err(|failure| failure.context(format!("pulling image `{known}`")))?;
                    self.image(&id)
                }
            },
            reference => self.take_in(reference, None).await,
        }
    }

    /// Writes an image to a file.
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, or the file cannot be written.
    pub async fn save_to(&self, name: &str, path: &Path) -> Outcome<()> {
        let found = self.image(name)?;
        let full = full_name(name);
        let names = if self.store().named(&full).is_some() { vec![full] } else { Vec::new() };
        let (store, latest, path) = (self.store().clone(), self.latest(), path.to_owned());
        blocking(move || {
            super::engine::appear_at(&path, |_| {}, |path| save::save(&store, &found.id, &names, latest, path))
        })
        .await
    }

    /// Sends an image to its registry.
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, or the registry does not take it.
    pub async fn push_now(&self, name: &str, say: impl Fn(String) + Send + 'static) -> Outcome<()> {
        let found = self.image(name)?;
        let (store, full, latest) = (self.store().clone(), full_name(name), self.latest());
        let credentials = stored_credentials(ImageName::parse(name).registry());
        blocking(move || {
            let digest = registry::push(&store, &found.image, &full, latest, credentials, &say, &|| false)?;
            say(format!("digest: {digest}"));
            Ok(())
        })
        .await
    }

    /// Runs an image, with a command or its own, on this program's standard streams; what it changes is thrown away.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    pub async fn run(&self, image: Image, command: &[String]) -> Outcome<i64> {
        let config = image.image.config.config.clone();
        let entrypoint = config.entrypoint.iter().flatten().filter(|word| !word.is_empty());
        let own = config.cmd.clone().unwrap_or_default();
        let rest = if command.is_empty() { own.as_slice() } else { command };
        let words: Vec<String> = entrypoint.chain(rest).cloned().collect();
        if words.is_empty() {
            return Err(Failure::new("the image has no command of its own").help("name one behind the image"));
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        let spec = settings::spec(&bollard::models::ContainerCreateBody::default(), &config, &id)?;
        let layers = image.image.layers.clone();
        let names = Names { id, ..Names::default() };
        let container = Container::start(self.clone(), names, image, layers, config, spec).await?;
        let status = container.attach(words, None).await;
        container.end().await?;
        status
    }
}
