//! What a plugin that has died leaves behind, as far as rpk can know: the container of the `docker` builder.
//!
//! The plugin tells how it starts its container before it does. The folder that it shares with it is that container's
//! own, and is how it is found, whether it was started, is being started, or was only created.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;

use crate::context::NodeContext;
use crate::docker::explain;
use crate::engine::Engine;
use crate::failure::Outcome;

/// How long a container is waited for that may still come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Finds the folder in the words by which the `docker` builder tells how it starts its container.
pub(super) fn shared_folder(text: &str) -> Option<&str> {
    let command = text.strip_prefix("Run command: docker run ")?;
    let (_, rest) = command.split_once("-v ")?;
    let (folder, _) = rest.split_once(":/packer-files")?;
    let (parent, name) = folder.rsplit_once('/')?;
    let digits = name.strip_prefix("tmp")?;
    let is_own = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_own && parent.starts_with('/') && !folder.contains(' ')).then_some(folder)
}

/// Removes the containers that share a folder, and the folder.
pub(super) async fn remove_containers(ctx: &NodeContext, folder: &str) -> Outcome<()> {
    // The plugin has reached Docker's engine by its own means; rpk can tidy up only where it uses the same.
    let Engine::Docker(engine) = ctx.services.engine().await? else { return Ok(()) };
    let filters = HashMap::from([("volume", vec![folder])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let began = Instant::now();
    loop {
        let listed = engine.client().list_containers(Some(options.clone())).await.map_err(|error| explain(&error))?;
        let is_there = !listed.is_empty();
        for id in listed.into_iter().filter_map(|container| container.id) {
            if engine.remove_container(&id).await? {
                ctx.say(format!("Removed the container that the plugin has left: {id}")).await;
            }
        }
        // An engine goes on with what a plugin has asked for just before it died.
        if is_there || began.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What the plugin has made elsewhere is not for rpk to delete.
    let parent = Path::new(folder).parent().and_then(Path::file_name);
    let is_packers = parent.is_some_and(|name| name == ".packer.d" || name == "packer");
    if is_packers && tokio::fs::symlink_metadata(folder).await.is_ok_and(|found| found.is_dir()) {
        // One that stays is a matter of a few bytes.
        let _ = tokio::fs::remove_dir_all(folder).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_container_is_overheard() {
        let said = "Run command: docker run -v /root/.packer.d/tmp1:/packer-files -d -i -t --entrypoint=/bin/sh -- x";
        assert_eq!(shared_folder(said), Some("/root/.packer.d/tmp1"));
        for other in [
            "Run command: docker run -d x",
            "docker run -v /x/tmp1:/packer-files",
            "Run command: docker run -v /tmp:/packer-files",
            "Run command: docker run -v /home/x:/packer-files",
        ] {
            assert_eq!(shared_folder(other), None, "{other}");
        }
    }
}
