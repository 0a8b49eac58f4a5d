//! The container engine: which one, how it is found, images by name.
//!
//! The endpoint is found as Docker's own client finds it: `DOCKER_HOST`, then the context that `DOCKER_CONTEXT` or
//! the client's configuration names, then the default socket. Podman's compatible socket answers as well.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use dashmap::DashMap;
use futures::StreamExt as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// Committing or exporting a large machine takes long; the limit is there for an engine that has died.
const REQUEST_TIMEOUT_SECONDS: u64 = 24 * 60 * 60;

/// How long the engine may take to say which version it speaks.
const GREETING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connected container engine.
#[derive(Clone, Debug)]
pub struct Engine {
    client: Docker,
    /// Images being resolved or resolved already, so that builds from one image pull it once.
    images: Arc<DashMap<ImageRequest, Arc<OnceCell<ImageInspect>>>>,
}

/// A name, when to pull it, and its platform.
type ImageRequest = (String, PullPolicy, Option<String>);

/// Where an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    /// A URL such as `unix:///var/run/docker.sock`.
    host: String,
    /// A folder with `ca.pem`, `cert.pem` and `key.pem`.
    tls: Option<PathBuf>,
    /// What named it, for error messages.
    origin: String,
}

impl Engine {
    /// Connects to the engine that the environment names.
    ///
    /// # Errors
    ///
    /// Fails if none answers there.
    pub async fn connect() -> Outcome<Self> {
        let endpoint = Endpoint::find()?;
        let greeting = async {
            let client = endpoint.client()?;
            client.negotiate_version().await
        };
        let failure = match tokio::time::timeout(GREETING_TIMEOUT, greeting).await {
            Ok(Ok(client)) => {
                return Ok(Self { client, images: Arc::default() });
            }
            // A socket that does not exist is found out before anything is asked.
            Ok(Err(error)) => Failure::new(error_chain(&error)),
            Err(_) => Failure::new(format!("no answer within {} seconds", GREETING_TIMEOUT.as_secs())),
        };
        Err(failure.context(format!("no container engine answers at {} ({})", endpoint.host, endpoint.origin)).help(
            "start one, for example with `systemctl start docker` or by running `dockerd` as root, \
                 or point DOCKER_HOST at one",
        ))
    }

    /// Returns the client.
    #[must_use]
    pub fn client(&self) -> &Docker {
        &self.client
    }

    /// Finds an image by name, pulling it if need be.
    ///
    /// # Errors
    ///
    /// Fails if the image is neither here nor to be had.
    pub async fn resolve_image(
        &self,
        ctx: &NodeContext,
        name: &str,
        pull: PullPolicy,
        platform: Option<&str>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<ImageInspect> {
        let key = (name.to_owned(), pull, platform.map(str::to_owned));
        let cell = self.images.entry(key).or_default().value().clone();
        let image = cell.get_or_try_init(|| self.find_or_pull(ctx, name, pull, platform, credentials)).await?;
        Ok(image.clone())
    }

    async fn find_or_pull(
        &self,
        ctx: &NodeContext,
        name: &str,
        pull: PullPolicy,
        platform: Option<&str>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<ImageInspect> {
        if pull != PullPolicy::Always
            && let Some(image) = self.local_image(name).await?
        {
            return Ok(image);
        }
        self.pull_image(ctx, name, platform, credentials).await?;
        self.local_image(name)
            .await?
            .ok_or_else(|| Failure::new(format!("the engine pulled image `{name}` but does not have it")))
    }

    /// Finds an image in the engine's store.
    ///
    /// # Errors
    ///
    /// Fails if the engine does not answer; an image that is not there is no failure.
    pub async fn local_image(&self, name: &str) -> Outcome<Option<ImageInspect>> {
        match self.client.inspect_image(name).await {
            Ok(image) => Ok(Some(image)),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(explain(&error).context(format!("looking for image `{name}`"))),
        }
    }

    /// Kills and removes a container with its anonymous volumes; tells whether there was one.
    ///
    /// # Errors
    ///
    /// Fails if the engine does not answer or cannot remove it.
    pub async fn remove_container(&self, id: &str) -> Outcome<bool> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.client.remove_container(id, Some(options)).await {
            Ok(()) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(explain(&error).context(format!("removing container {id}"))),
        }
    }

    /// Asks an image's registry for the digest of what it has under the image's name; nothing is pulled.
    ///
    /// # Errors
    ///
    /// Fails if the registry does not answer or has no such image.
    pub async fn registry_digest(&self, name: &str, credentials: Option<DockerCredentials>) -> Outcome<String> {
        let credentials = credentials.or_else(|| stored_credentials(ImageName::parse(name).registry()));
        let found = self.client.inspect_registry_image(name, credentials).await;
        let found = found.map_err(|error| explain(&error).context(format!("asking the registry for `{name}`")))?;
        found.descriptor.digest.ok_or_else(|| Failure::new(format!("the registry told no digest of `{name}`")))
    }

    async fn pull_image(
        &self,
        ctx: &NodeContext,
        name: &str,
        platform: Option<&str>,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<()> {
        ctx.say(format!("Pulling Docker image: {name}")).await;
        let image = ImageName::parse(name);
        let credentials = credentials.or_else(|| stored_credentials(image.registry()));
        let mut options = CreateImageOptionsBuilder::default().from_image(&image.repository).tag(&image.reference);
        if let Some(platform) = platform {
            options = options.platform(platform);
        }
        let mut progress = self.client.create_image(Some(options.build()), None, credentials);
        let mut shown: HashMap<String, String> = HashMap::new();
        loop {
            let message = tokio::select! {
                message = progress.next() => message,
                () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
            };
            match message {
                None => return Ok(()),
                Some(Ok(info)) => {
                    let status = info.status.unwrap_or_default();
                    let line = match &info.id {
                        Some(id) => format!("{id}: {status}"),
                        None => status.clone(),
                    };
                    // Byte counts arrive many times a second under one status; each status is said once.
                    let id = info.id.unwrap_or_default();
                    if !status.is_empty() && shown.insert(id, status.clone()).as_ref() != Some(&status) {
                        ctx.say(line).await;
                    }
                }
                Some(Err(error)) => {
                    return Err(explain(&error)
                        .context(format!("pulling image `{name}`"))
                        .help("check the name and the registry, or make the image known to the engine beforehand"));
                }
            }
        }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullPolicy {
    /// Always, to have its newest state.
    Always,
    /// If it is not in the engine's store.
    IfMissing,
}

/// An image's name in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    /// Everything before tag or digest.
    pub repository: String,
    /// The tag or digest; `latest` if the name has none.
    pub reference: String,
}

impl ImageName {
    /// Splits a name such as `registry:5000/a/b:tag` or `a@sha256:…`.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        if let Some((repository, digest)) = name.split_once('@') {
            return Self { repository: repository.to_owned(), reference: digest.to_owned() };
        }
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, reference) = match name[last..].rfind(':') {
            Some(colon) => (&name[..last + colon], &name[last + colon + 1..]),
            None => (name, "latest"),
        };
        Self { repository: repository.to_owned(), reference: reference.to_owned() }
    }

    /// Returns the registry's name as Docker's client files credentials under it.
    #[must_use]
    pub fn registry(&self) -> &str {
        match self.repository.split_once('/') {
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
            _ => "https://index.docker.io/v1/",
        }
    }
}

/// Reads credentials that `docker login` stored, by itself or through a credential helper.
pub(crate) fn stored_credentials(registry: &str) -> Option<DockerCredentials> {
    use docker_credential::DockerCredential;
    match docker_credential::get_credential(registry).ok()? {
        DockerCredential::UsernamePassword(username, password) => Some(DockerCredentials {
            username: Some(username),
            password: Some(password),
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        }),
        DockerCredential::IdentityToken(token) => Some(DockerCredentials {
            identitytoken: Some(token),
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        }),
    }
}

/// Says where the engine is looked for, for the plan; nothing is connected.
#[must_use]
pub fn describe_endpoint() -> String {
    match Endpoint::find() {
        Ok(endpoint) if endpoint.origin != DEFAULT_ORIGIN => format!("at {}", endpoint.host),
        _ => String::new(),
    }
}

/// Returns the socket file at which the engine is looked for; none if it is reached in another way.
#[must_use]
pub(crate) fn endpoint_socket() -> Option<PathBuf> {
    Some(PathBuf::from(Endpoint::find().ok()?.host.strip_prefix("unix://")?))
}

/// Turns the client's error into a failure with the engine's own words.
#[must_use]
pub fn explain(error: &bollard::errors::Error) -> Failure {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            // An engine error holds its causes already, one line each or joined by colons.
            Failure::new(message.trim())
        }
        bollard::errors::Error::DockerStreamError { error } => Failure::new(error.trim()),
        other => Failure::new(error_chain(other)),
    }
}

/// Joins an error and its causes, leaving out causes that the text before holds already.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let message = next.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = next.source();
    }
    text
}

const DEFAULT_ORIGIN: &str = "the default socket";

#[cfg(unix)]
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
#[cfg(windows)]
const DEFAULT_HOST: &str = "npipe:////./pipe/docker_engine";

impl Endpoint {
    fn find() -> Outcome<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let config_dir = variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".docker")));
        if let Some(host) = variable("DOCKER_HOST") {
            let tls = variable("DOCKER_TLS_VERIFY")
                .and_then(|_| variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| config_dir.clone()));
            return Ok(Self { host, tls, origin: "from DOCKER_HOST".to_owned() });
        }
        let context = variable("DOCKER_CONTEXT").or_else(|| current_context(config_dir.as_deref()?));
        match (context, config_dir) {
            (Some(name), Some(config_dir)) if name != "default" => Self::of_context(&name, &config_dir),
            _ => Ok(Self { host: DEFAULT_HOST.to_owned(), tls: None, origin: DEFAULT_ORIGIN.to_owned() }),
        }
    }

    /// Reads a context as Docker's client stores it: a folder named after the SHA-256 of the context's name.
    fn of_context(name: &str, config_dir: &Path) -> Outcome<Self> {
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "Endpoints")]
            endpoints: HashMap<String, MetaEndpoint>,
        }
        #[derive(Deserialize)]
        struct MetaEndpoint {
            #[serde(rename = "Host", default)]
            host: String,
        }
        let digest: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = config_dir.join("contexts/meta").join(&digest).join("meta.json");
        let read = || -> Result<Meta, String> {
            let text = std::fs::read(&file).map_err(|error| error.to_string())?;
            serde_json::from_slice(&text).map_err(|error| error.to_string())
        };
        let meta = read().map_err(|reason| {
            Failure::new(reason)
                .context(format!("reading the docker context `{name}`"))
                .help("choose a context that exists: `docker context ls` lists them")
        })?;
        let host = meta.endpoints.get("docker").map(|endpoint| endpoint.host.clone()).unwrap_or_default();
        let tls = config_dir.join("contexts/tls").join(&digest).join("docker");
        Ok(Self {
            host: if host.is_empty() { DEFAULT_HOST.to_owned() } else { host },
            tls: tls.is_dir().then_some(tls),
            origin: format!("from the docker context `{name}`"),
        })
    }

    fn client(&self) -> Result<Docker, bollard::errors::Error> {
        let host = self.host.as_str();
        match &self.tls {
            Some(folder) if host.starts_with("tcp://") || host.starts_with("https://") => Docker::connect_with_ssl(
                host,
                &folder.join("key.pem"),
                &folder.join("cert.pem"),
                &folder.join("ca.pem"),
                REQUEST_TIMEOUT_SECONDS,
                API_DEFAULT_VERSION,
            ),
            _ if host.starts_with("tcp://") || host.starts_with("http://") => {
                Docker::connect_with_http(host, REQUEST_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
            }
            _ => Docker::connect_with_local(host, REQUEST_TIMEOUT_SECONDS, API_DEFAULT_VERSION),
        }
    }
}

fn current_context(config_dir: &Path) -> Option<String> {
    let text = std::fs::read(config_dir.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
    Some(config.get("currentContext")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_at_the_tag_and_not_at_a_port() {
        for (name, repository, reference, registry) in [
            ("node", "node", "latest", "https://index.docker.io/v1/"),
            ("la/express:0.1", "la/express", "0.1", "https://index.docker.io/v1/"),
            ("localhost:5000/a/b", "localhost:5000/a/b", "latest", "localhost:5000"),
            ("r.example:5000/a:t", "r.example:5000/a", "t", "r.example:5000"),
            ("a@sha256:00", "a", "sha256:00", "https://index.docker.io/v1/"),
        ] {
            let image = ImageName::parse(name);
            assert_eq!(
                (image.repository.as_str(), image.reference.as_str(), image.registry()),
                (repository, reference, registry)
            );
        }
    }

    #[test]
    fn a_context_is_read_as_dockers_client_stores_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digest: String = Sha256::digest(b"remote").iter().map(|byte| format!("{byte:02x}")).collect();
        let meta = folder.path().join("contexts/meta").join(&digest);
        std::fs::create_dir_all(&meta).expect("is new");
        let text = r#"{"Name": "remote", "Endpoints": {"docker": {"Host": "tcp://192.0.2.1:2375"}}}"#;
        std::fs::write(meta.join("meta.json"), text).expect("is writable");
        let endpoint = Endpoint::of_context("remote", folder.path()).expect("exists");
        assert_eq!(endpoint.host, "tcp://192.0.2.1:2375");
        assert!(Endpoint::of_context("missing", folder.path()).is_err());
    }
}
