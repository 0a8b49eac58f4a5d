//! The image that a build starts from: how it is found, and what the build needs to know of it.

use bollard::models::ImageInspect;
use rpk_planner::key::InputValue;
use serde::{Deserialize, Serialize};

use super::options::Config;
use crate::context::NodeContext;
use crate::docker::{Engine, PullPolicy};
use crate::failure::Outcome;

/// What the build needs to know of the image that it started from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SourceImage {
    pub id: String,
    pub size: Option<u64>,
    pub cmd: Vec<String>,
    pub entrypoint: Vec<String>,
    pub user: Option<String>,
    pub digest: String,
}

impl SourceImage {
    /// Takes it from what the engine says of an image.
    pub fn of(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        Self {
            id: image.id.unwrap_or_default(),
            size: image.size.and_then(|size| u64::try_from(size).ok()),
            cmd: config.cmd.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            user: config.user,
            digest: image.repo_digests.and_then(|digests| digests.into_iter().next()).unwrap_or_default(),
        }
    }

    /// Tells it by its content, as an input of the boot.
    pub fn content(&self) -> InputValue {
        InputValue::Content { digest: self.id.clone(), size_bytes: self.size }
    }
}

impl Config {
    /// Tells when the image is pulled.
    pub fn pull_policy(&self) -> PullPolicy {
        match self.pull {
            Some(true) => PullPolicy::Always,
            Some(false) | None => PullPolicy::IfMissing,
        }
    }

    /// Finds the image to start from, pulling it if need be.
    pub async fn find_source(&self, ctx: &NodeContext, engine: &Engine) -> Outcome<SourceImage> {
        let pull = self.pull_policy();
        let image = engine.resolve_image(ctx, &self.image, pull, self.platform.as_deref(), self.credentials()).await?;
        Ok(SourceImage::of(image))
    }

    /// Tells by its content which image a build would start from now.
    pub async fn image_content(&self, engine: &Engine) -> Outcome<InputValue> {
        let local = engine.local_image(&self.image).await?;
        if self.pull == Some(true) {
            let digest = engine.registry_digest(&self.image, self.credentials()).await?;
            let has_it = |image: &ImageInspect| {
                image.repo_digests.iter().flatten().any(|known| known.ends_with(&format!("@{digest}")))
            };
            if !local.as_ref().is_some_and(has_it) {
                // What it is called here is known once it has been pulled.
                return Ok(InputValue::Content { digest, size_bytes: None });
            }
        }
        Ok(match local {
            Some(image) => SourceImage::of(image).content(),
            None => InputValue::Text("not pulled yet".to_owned()),
        })
    }
}
