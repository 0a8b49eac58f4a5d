//! The engine by its command line, as a second opinion on what rpk did through its API.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs a docker command and returns what it printed, without the last line end.
#[track_caller]
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker command is installed");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs a docker command and returns the lines that it printed.
#[track_caller]
pub fn lines(arguments: &[&str]) -> Vec<String> {
    docker(arguments).lines().map(str::to_owned).collect()
}

/// Makes an image of another with a change of its configuration.
pub fn label_image(from: &str, to: &str, change: &str) {
    let container = docker(&["create", from]);
    docker(&["commit", "--change", change, &container, to]);
    docker(&["rm", &container]);
}

/// Removes containers (`rm`) or images (`rmi`) by force; what is gone already is no failure.
pub fn remove(command: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let mut removal = Command::new("docker");
    // A container's anonymous volumes go with it.
    let flags = if command == "rm" { "-fv" } else { "-f" };
    removal.args([command, flags]).args(names).stdout(Stdio::null()).stderr(Stdio::null());
    // Images are removed after a test that may be failing already.
    let _ = removal.status();
}

/// Returns the path of the socket that the engine listens on.
pub fn socket() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    PathBuf::from(host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock"))
}

/// A container that is removed when the value goes.
pub struct Container(pub String);

impl Container {
    /// Creates a container that is not started.
    pub fn create(image: &str) -> Self {
        // An image may have no command of its own.
        Self(docker(&["create", "--entrypoint=/none", image, "none"]))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        remove("rm", std::slice::from_ref(&self.0));
    }
}
