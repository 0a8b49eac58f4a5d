//! Images as artifacts: what they are known by.

use crate::artifact::Artifact;
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
