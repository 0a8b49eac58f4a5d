//! Images as artifacts: what they are known by, and what is done with them alike.

use std::collections::HashMap;

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};

use super::{Engine, LazyEngine, explain};
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::failure::{Failure, Outcome};

/// What committed and imported images are known by.
pub const IMAGE_BUILDER_ID: &str = "packer.post-processor.docker-import";

/// What tagged images are known by.
pub const TAGGED_BUILDER_ID: &str = "packer.post-processor.docker-tag";

/// What exported files are known by.
pub const EXPORT_BUILDER_ID: &str = "packer.docker";

/// Refuses an artifact that is no image of the engine.
pub(crate) fn expect_image(input: &Artifact) -> Outcome<()> {
    if [IMAGE_BUILDER_ID, TAGGED_BUILDER_ID].contains(&input.builder_id.as_str()) {
        return Ok(());
    }
    Err(Failure::new(format!("an artifact of kind `{}` is no image in the engine", input.builder_id))
        .help("set `commit` on the docker builder, or put `docker-import` before it"))
}

/// Returns the id of the image that an artifact is known by; none if one of its names leads elsewhere or nowhere.
pub(crate) async fn identity(engine: &LazyEngine, artifact: &Artifact) -> Outcome<Option<String>> {
    if ![IMAGE_BUILDER_ID, TAGGED_BUILDER_ID].contains(&artifact.builder_id.as_str()) {
        return Ok(None);
    }
    let engine = engine.get().await?;
    let mut found = None;
    for name in std::iter::once(&artifact.id).chain(&artifact.tags) {
        let Some(id) = engine.local_image(name).await?.and_then(|image| image.id) else { return Ok(None) };
        if found.as_ref().is_some_and(|found| *found != id) {
            return Ok(None);
        }
        found = Some(id);
    }
    Ok(found)
}

/// Lists the full names of the images of a repository.
pub(crate) async fn image_names(engine: &Engine, repository: &str) -> Outcome<Vec<String>> {
    let filters = HashMap::from([("reference", vec![repository])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let listed = engine.client().list_images(Some(options)).await.map_err(|error| explain(&error))?;
    Ok(listed.into_iter().flat_map(|image| image.repo_tags).collect())
}

/// Removes an image by id or name, unless it is gone or something else is made of it; tells whether it did.
pub(crate) async fn remove_unless_used(engine: &Engine, name: &str) -> Outcome<bool> {
    let options = RemoveImageOptionsBuilder::default().build();
    match engine.client().remove_image(name, Some(options), None).await {
        Ok(_) => Ok(true),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
        Err(error) => Err(explain(&error)),
    }
}

/// Removes an image by id or name from the engine's store.
pub(crate) async fn remove_image(ctx: &NodeContext, image: &str) -> Outcome<()> {
    let engine = ctx.services.engine().await?;
    let options = RemoveImageOptionsBuilder::default().build();
    match engine.client().remove_image(image, Some(options), None).await {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error).context(format!("removing image {image}"))),
    }
}
