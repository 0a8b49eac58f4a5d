//! What is done with images in Docker's store: names, files, registries.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::ReaderStream;

use super::{Engine, ImageName, explain, stored_credentials, write_stream};
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

impl Engine {
    /// Lists the full names of the images of a repository.
    pub(crate) async fn image_names(&self, repository: &str) -> Outcome<Vec<String>> {
        let filters = HashMap::from([("reference", vec![repository])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let listed = self.client().list_images(Some(options)).await.map_err(|error| explain(&error))?;
        Ok(listed.into_iter().flat_map(|image| image.repo_tags).collect())
    }

    /// Removes an image by id or name, unless it is gone or something else is made of it; tells whether it did.
    pub(crate) async fn remove_unless_used(&self, name: &str) -> Outcome<bool> {
        let options = RemoveImageOptionsBuilder::default().build();
        match self.client().remove_image(name, Some(options), None).await {
            Ok(_) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
            Err(error) => Err(explain(&error)),
        }
    }

    /// Removes an image by id or name.
    pub(crate) async fn remove_image(&self, image: &str) -> Outcome<()> {
        let options = RemoveImageOptionsBuilder::default().build();
        match self.client().remove_image(image, Some(options), None).await {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(&error).context(format!("removing image {image}"))),
        }
    }

    /// Gives an image a name.
    pub(crate) async fn tag(&self, image: &str, name: &str) -> Outcome<()> {
        let parts = ImageName::parse(name);
        let options = TagImageOptionsBuilder::default().repo(&parts.repository).tag(&parts.reference).build();
        let tagged = self.client().tag_image(image, Some(options)).await;
        tagged.map_err(|error| explain(&error).context(format!("tagging {image} as {name}")))
    }

    /// Writes an image to a file.
    pub(crate) async fn save(&self, ctx: &NodeContext, image: &str, path: &Path) -> Outcome<()> {
        let stream = self.client().export_image(image).map_err(|error| explain(&error)).boxed();
        write_stream(ctx, stream, path).await
    }

    /// Sends an image to its registry.
    pub(crate) async fn push(
        &self,
        ctx: &NodeContext,
        name: &str,
        credentials: Option<DockerCredentials>,
    ) -> Outcome<()> {
        let image = ImageName::parse(name);
        let credentials = credentials.or_else(|| stored_credentials(image.registry()));
        let options = PushImageOptionsBuilder::default().tag(&image.reference).build();
        let mut progress = self.client().push_image(&image.repository, Some(options), credentials);
        let mut shown = HashSet::new();
        loop {
            let message = tokio::select! {
                message = progress.next() => message,
                () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
            };
            match message {
                None => return Ok(()),
                Some(Ok(info)) => {
                    if let Some(detail) = info.error_detail.and_then(|detail| detail.message) {
                        return Err(Failure::new(detail));
                    }
                    // The client keeps no layer ids; a status that is repeated for each layer is said once.
                    let status = info.status.unwrap_or_default();
                    if !status.is_empty() && shown.insert(status.clone()) {
                        ctx.say(status).await;
                    }
                }
                Some(Err(error)) => return Err(explain(&error)),
            }
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
        let file = tokio::fs::File::open(path)
            .await
            .map_err(|error| Failure::new(error.to_string()).context(format!("reading {}", path.display())))?;
        // The name as a whole, as Docker's client sends it: Podman does not read the tag where it stands alone.
        let mut options = CreateImageOptionsBuilder::default().from_src("-").repo(name);
        if !changes.is_empty() {
            options = options.changes(changes.to_vec());
        }
        if let Some(platform) = platform {
            options = options.platform(platform);
        }
        let body = body_try_stream(ReaderStream::with_capacity(file, 256 * 1024));
        let mut progress = self.client().create_image(Some(options.build()), Some(body), None);
        let mut id = String::new();
        loop {
            let message = tokio::select! {
                message = progress.next() => message,
                () = ctx.cancel.cancelled() => return Err(Failure::cancelled()),
            };
            match message {
                None => return Ok(id),
                // The last status is the image's id.
                Some(Ok(info)) => id = info.status.unwrap_or(id),
                Some(Err(error)) => {
                    return Err(explain(&error).context(format!("importing {}", path.display())));
                }
            }
        }
    }
}
