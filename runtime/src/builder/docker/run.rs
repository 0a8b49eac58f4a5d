//! What a build makes of its options on either engine: the run command, build data, artifacts.

use std::collections::BTreeMap;
use std::path::Path;

use super::options::Config;
use super::source::SourceImage;
use crate::artifact::Artifact;
use crate::context::NodeContext;
use crate::docker::{EXPORT_BUILDER_ID, IMAGE_BUILDER_ID, RunOptions, RunSpec};
use crate::failure::Outcome;

/// Works out the words after `docker run` and what they mean.
pub(super) fn spec(ctx: &NodeContext, config: &Config, image: &str) -> Outcome<(Vec<String>, RunSpec)> {
    let mut words = Vec::new();
    for word in &config.run_command {
        words.push(ctx.render(word, &[("Image", image)])?);
    }
    let home = std::env::home_dir();
    let volumes = config.volumes.iter().map(|(host, container)| {
        let host = match (host.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest).display().to_string(),
            _ => host.clone(),
        };
        (host, container.clone())
    });
    let options = RunOptions {
        devices: config.device.clone(),
        cap_add: config.cap_add.clone(),
        cap_drop: config.cap_drop.clone(),
        is_privileged: config.privileged,
        runtime: config.runtime.clone(),
        platform: config.platform.clone(),
        tmpfs: config.tmpfs.clone(),
        volumes: volumes.collect(),
    };
    let mut spec = RunSpec::parse(&words, &options)?;
    // Packer mounts a folder here; the empty mount point stays in the image, and so it must with rpk.
    let tmpfs = spec.body.host_config.get_or_insert_default().tmpfs.get_or_insert_default();
    tmpfs.entry(config.container_dir.clone()).or_default();
    Ok((words, spec))
}

/// Returns what templates may ask of a container.
pub(super) fn data(container: &str, source: &SourceImage) -> BTreeMap<String, String> {
    [
        ("ID", container),
        ("ConnType", "docker"),
        ("Host", ""),
        ("User", ""),
        ("Password", ""),
        ("Port", ""),
        ("ImageSha256", "ERR_IMAGE_SHA256_NOT_FOUND"),
        ("SourceImageDigest", &source.digest),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Makes the artifact of a committed container.
pub(super) fn image_artifact(id: String, mut data: BTreeMap<String, String>) -> Artifact {
    data.insert("ImageSha256".to_owned(), id.clone());
    Artifact {
        builder_id: IMAGE_BUILDER_ID.to_owned(),
        description: format!("Imported Docker image: {id}"),
        id,
        data,
        ..Artifact::default()
    }
}

/// Makes the artifact of an exported container, or of one that was thrown away.
pub(super) fn export_artifact(path: Option<&Path>, data: BTreeMap<String, String>) -> Artifact {
    Artifact {
        builder_id: EXPORT_BUILDER_ID.to_owned(),
        id: "Container".to_owned(),
        files: path.map(Path::to_owned).into_iter().collect(),
        description: format!(
            "Exported Docker file: {}",
            path.map(|path| path.display().to_string()).unwrap_or_default()
        ),
        data,
        ..Artifact::default()
    }
}

/// Adds the source image's command and entrypoint, which the run command covered up, unless a change sets them.
///
/// An absent one becomes a list of one empty text: the engine takes an empty list for no change at all.
pub(super) fn changes_with_defaults(changes: &[String], cmd: &[String], entrypoint: &[String]) -> Vec<String> {
    let restore = |instruction: &str, words: &[String]| {
        let nothing = [String::new()];
        let words = if words.is_empty() { &nothing } else { words };
        format!("{instruction} {}", serde_json::json!(words))
    };
    let has = |instruction: &str| changes.iter().any(|change| change.starts_with(instruction));
    let mut all = changes.to_vec();
    if !has("CMD") {
        all.push(restore("CMD", cmd));
    }
    if !has("ENTRYPOINT") {
        all.push(restore("ENTRYPOINT", entrypoint));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_the_run_command_covered_up_comes_back_unless_a_change_sets_it() {
        let cmd = words(&["node"]);
        for (changes, entrypoint, expected) in [
            (words(&["EXPOSE 1"]), words(&["/e"]), words(&["EXPOSE 1", "CMD [\"node\"]", "ENTRYPOINT [\"/e\"]"])),
            (words(&[]), words(&[]), words(&["CMD [\"node\"]", "ENTRYPOINT [\"\"]"])),
            (words(&["CMD x", "ENTRYPOINT y"]), words(&["/e"]), words(&["CMD x", "ENTRYPOINT y"])),
        ] {
            assert_eq!(changes_with_defaults(&changes, &cmd, &entrypoint), expected);
        }
    }
}
