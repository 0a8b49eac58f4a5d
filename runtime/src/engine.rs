//! Which container engine: one that answers somewhere, or the one within rpk.
//!
//! Components ask here, once, and do not know which one it is. What the engines have in common are images by name;
//! what a builder needs beyond that stands in `builder/docker/`, a file for each of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::auth::DockerCredentials;
use tokio::sync::OnceCell;

use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::{self, IMAGE_BUILDER_ID, TAGGED_BUILDER_ID, describe_endpoint};
#[cfg(target_os = "linux")]
use crate::embedded;
use crate::failure::{Failure, Outcome};
use rpk_planner::plan::Engine as Taken;

/// What the names of states begin with that the embedded engine keeps.
const EMBEDDED_PREFIX: &str = "embedded/";

/// Which engine somebody wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// One that answers; else the embedded one.
    #[default]
    Auto,
    /// One that answers.
    Docker,
    /// The embedded one.
    Embedded,
}

impl EngineChoice {
    /// Reads what `RPK_ENGINE` says.
    ///
    /// # Errors
    ///
    /// Fails if it is no word for an engine.
    pub fn of_environment() -> Outcome<Self> {
        match std::env::var("RPK_ENGINE").unwrap_or_default().as_str() {
            "" | "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "embedded" => Ok(Self::Embedded),
            other => Err(Failure::new(format!("RPK_ENGINE is `{other}`, which is no engine"))
                .help("set it to `auto`, `docker` or `embedded`")),
        }
    }
}

/// A container engine.
#[derive(Clone, Debug)]
pub enum Engine {
    /// One that speaks Docker's API.
    Docker(docker::Engine),
    /// The one within rpk.
    #[cfg(target_os = "linux")]
    Embedded(embedded::Engine),
}

/// The container engine, found at its first use and shared from then on.
#[derive(Clone, Debug, Default)]
pub struct LazyEngine {
    choice: EngineChoice,
    /// The folder of the embedded engine's store; without it, there is no such engine.
    root: Option<PathBuf>,
    is_offline: bool,
    chosen: Arc<OnceCell<Engine>>,
    docker: Arc<OnceCell<docker::Engine>>,
    #[cfg(target_os = "linux")]
    embedded: Arc<OnceCell<embedded::Engine>>,
}

impl LazyEngine {
    /// Makes one that is chosen when it is needed; the embedded engine's store is below `cache`.
    #[must_use]
    pub fn new(choice: EngineChoice, cache: &Path) -> Self {
        Self { choice, root: Some(cache.join("engine")), ..Self::default() }
    }

    /// Makes it one that asks nobody over a socket or network: for plans that may not.
    #[must_use]
    pub fn offline(self) -> Self {
        Self { is_offline: true, ..self }
    }

    /// Returns the engine, looking for it if nobody has done so yet.
    ///
    /// # Errors
    ///
    /// Fails if there is none; the failure says how to get one.
    pub async fn get(&self) -> Outcome<&Engine> {
        self.chosen.get_or_try_init(|| self.choose()).await
    }

    async fn choose(&self) -> Outcome<Engine> {
        match self.choice {
            EngineChoice::Docker => self.docker().await.map(Engine::Docker),
            EngineChoice::Embedded => self.embedded().await,
            EngineChoice::Auto => match self.docker().await {
                Ok(engine) => Ok(Engine::Docker(engine)),
                Err(failure) if self.is_offline => match self.stand_in() {
                    Some(_) => self.embedded().await,
                    None => Err(failure),
                },
                Err(docker) => self
                    .embedded()
                    .await
                    .map_err(|failure| failure.context(format!("{docker}, and the embedded engine cannot run here"))),
            },
        }
    }

    /// Returns the engine that speaks Docker's API, whichever is chosen.
    ///
    /// # Errors
    ///
    /// Fails if none answers.
    pub(crate) async fn docker(&self) -> Outcome<docker::Engine> {
        if self.is_offline {
            return Err(Failure::new("nobody is asked, as `-offline` says"));
        }
        self.docker.get_or_try_init(docker::Engine::connect).await.cloned()
    }

    #[cfg(target_os = "linux")]
    async fn embedded(&self) -> Outcome<Engine> {
        let Some(root) = self.root.clone() else {
            return Err(Failure::new("there is no folder for the embedded engine"));
        };
        let opened = self
            .embedded
            .get_or_try_init(|| async { Ok(embedded::Engine::open(root)?.offline(self.is_offline)) })
            .await;
        opened.cloned().map(Engine::Embedded)
    }

    #[cfg(not(target_os = "linux"))]
    async fn embedded(&self) -> Outcome<Engine> {
        let _ = &self.root;
        Err(Failure::new("the embedded engine needs Linux").help("start Docker, or point DOCKER_HOST at an engine"))
    }

    /// Says why the embedded engine will be taken, as far as that can be told without asking anybody; none if another
    /// one is looked for.
    fn stand_in(&self) -> Option<String> {
        if self.root.is_none() || !cfg!(target_os = "linux") {
            return None;
        }
        let socket = docker::endpoint_socket()?;
        (!socket.exists()).then(|| format!("no engine answers at unix://{}", socket.display()))
    }

    /// Says which engine will be taken and, if nobody has asked for it, why.
    pub async fn describe(&self) -> Taken {
        let docker = || Taken { name: "docker".to_owned(), detail: describe_endpoint() };
        let embedded = |detail: String| Taken { name: "embedded".to_owned(), detail };
        let why = match self.choice {
            EngineChoice::Docker => return docker(),
            EngineChoice::Embedded => return embedded(String::new()),
            EngineChoice::Auto => self.stand_in(),
        };
        match self.get().await {
            #[cfg(target_os = "linux")]
            Ok(Engine::Embedded(_)) => {
                embedded(format!("since {}", why.unwrap_or_else(|| "no engine answers".to_owned())))
            }
            _ => docker(),
        }
    }

    /// Tells whether it is the embedded one.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub async fn is_embedded(&self) -> Outcome<bool> {
        Ok(self.get().await?.as_docker().is_none())
    }

    /// Returns the engine that keeps a state of this name, whichever is chosen now, and the state's name there.
    async fn keeper<'n>(&self, name: &'n str) -> Outcome<(Engine, &'n str)> {
        match name.strip_prefix(EMBEDDED_PREFIX) {
            Some(name) => Ok((self.embedded().await?, name)),
            None => match self.choice {
                // Without being asked for, Docker is left alone.
                EngineChoice::Embedded => Err(Failure::new(format!("the state {name} is kept by another engine"))
                    .help("let rpk choose the engine: `RPK_ENGINE=auto`")),
                _ => Ok((Engine::Docker(self.docker().await?), name)),
            },
        }
    }

    /// Removes a state that a machine was left in, unless something else is made of it; tells whether there was one.
    ///
    /// # Errors
    ///
    /// Fails if the engine does not answer or cannot remove it.
    pub(crate) async fn remove_state(&self, name: &str) -> Outcome<bool> {
        let (engine, name) = self.keeper(name).await?;
        engine.remove_unless_used(name).await
    }

    /// Lists the names of the states of a repository, as far as engines can be asked.
    pub(crate) async fn states(&self, repository: &str) -> Vec<String> {
        let mut names = Vec::new();
        if self.choice != EngineChoice::Embedded
            && let Ok(engine) = self.docker().await
        {
            names.extend(engine.image_names(repository).await.unwrap_or_default());
        }
        #[cfg(target_os = "linux")]
        if let Some(root) = &self.root
            && root.exists()
            && let Ok(Engine::Embedded(engine)) = self.embedded().await
        {
            names.extend(engine.image_names(repository).iter().map(|name| embedded_state(name)));
        }
        names
    }

    /// Tells whether an image is there, whichever engine has it.
    ///
    /// # Errors
    ///
    /// Fails if the engine does not answer.
    pub(crate) async fn has_image(&self, name: &str) -> Outcome<bool> {
        #[cfg(target_os = "linux")]
        if let Some(root) = &self.root
            && root.exists()
            && let Engine::Embedded(engine) = self.embedded().await?
            && engine.find(name).is_some()
        {
            return Ok(true);
        }
        match self.choice {
            EngineChoice::Embedded => Ok(false),
            _ => Ok(self.get().await?.image_id(name).await?.is_some()),
        }
    }
}

/// Returns the name of a state that the embedded engine keeps, by which it is told from another engine's.
pub(crate) fn embedded_state(name: &str) -> String {
    format!("{EMBEDDED_PREFIX}{name}")
}

impl Engine {
    /// Returns the engine if it speaks Docker's API.
    pub(crate) fn as_docker(&self) -> Option<&docker::Engine> {
        match self {
            Self::Docker(engine) => Some(engine),
            #[cfg(target_os = "linux")]
            Self::Embedded(_) => None,
        }
    }

    /// Returns the id of an image; none if it is not there.
    pub(crate) async fn image_id(&self, name: &str) -> Outcome<Option<String>> {
        match self {
            Self::Docker(engine) => Ok(engine.local_image(name).await?.and_then(|image| image.id)),
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => Ok(engine.image_id(name)),
        }
    }

    /// Removes an image by id or name, unless it is gone or something else is made of it; tells whether it did.
    pub(crate) async fn remove_unless_used(&self, name: &str) -> Outcome<bool> {
        match self {
            Self::Docker(engine) => engine.remove_unless_used(name).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => engine.remove(name),
        }
    }

    /// Removes an image by id or name.
    pub(crate) async fn remove_image(&self, name: &str) -> Outcome<()> {
        match self {
            Self::Docker(engine) => engine.remove_image(name).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => match engine.remove(name)? {
                true => Ok(()),
                false => Err(Failure::new(format!("there is no image `{name}`"))),
            },
        }
    }

    /// Gives an image a name.
    pub(crate) async fn tag(&self, image: &str, name: &str) -> Outcome<()> {
        match self {
            Self::Docker(engine) => engine.tag(image, name).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => engine.tag(image, name),
        }
    }

    /// Writes an image to a file.
    pub(crate) async fn save(&self, ctx: &NodeContext, image: &str, path: &Path) -> Outcome<()> {
        match self {
            Self::Docker(engine) => engine.save(ctx, image, path).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => engine.save(ctx, image, path).await,
        }
    }

    /// Sends an image to its registry; without credentials, with those that `docker login` has stored.
    pub(crate) async fn push(
        &self,
        ctx: &NodeContext,
        name: &str,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<()> {
        match self {
            Self::Docker(engine) => engine.push(ctx, name, credentials).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => engine.push(ctx, name, credentials).await,
        }
    }

    /// Makes an image of a file system in a tar file; returns its id.
    pub(crate) async fn import(
        &self,
        ctx: &NodeContext,
        path: &Path,
        name: &str,
        changes: &[String],
        platform: Option<&str>,
    ) -> Outcome<String> {
        match self {
            Self::Docker(engine) => engine.import(ctx, path, name, changes, platform).await,
            #[cfg(target_os = "linux")]
            Self::Embedded(engine) => engine.import(path, name, changes, platform).await,
        }
    }
}

/// Returns the id of the image that an artifact is known by; none if one of its names leads elsewhere or nowhere.
pub(crate) async fn identity(engine: &LazyEngine, artifact: &Artifact) -> Outcome<Option<String>> {
    if ![IMAGE_BUILDER_ID, TAGGED_BUILDER_ID].contains(&artifact.builder_id.as_str()) {
        return Ok(None);
    }
    let engine = engine.get().await?;
    let mut found = None;
    for name in std::iter::once(&artifact.id).chain(&artifact.tags) {
        let Some(id) = engine.image_id(name).await? else { return Ok(None) };
        if found.as_ref().is_some_and(|found| *found != id) {
            return Ok(None);
        }
        found = Some(id);
    }
    Ok(found)
}
