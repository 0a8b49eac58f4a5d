//! The immutable result of a capture or a post-process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// What a builder or a post-processor made.
///
/// `builder_id` and `id` are Packer's, since manifests and scripts read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Which kind of component made it, such as `packer.post-processor.docker-import`.
    pub builder_id: String,
    /// What it is called by its maker: an image id, `repo:tag`, `File`.
    pub id: String,
    /// The files on this machine that it consists of.
    pub files: Vec<PathBuf>,
    /// One line for people.
    pub description: String,
    /// Names of an image beside its id, in the order they were given.
    pub tags: Vec<String>,
    /// Build data that travels with it to post-processors.
    pub data: BTreeMap<String, String>,
}

impl Artifact {
    /// Deletes its files; one that is gone already is no failure.
    ///
    /// # Errors
    ///
    /// Fails at the first file that cannot be deleted.
    pub async fn delete_files(&self) -> Outcome<()> {
        for file in &self.files {
            match tokio::fs::remove_file(file).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::new(error.to_string()).context(format!("deleting {}", file.display())));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
