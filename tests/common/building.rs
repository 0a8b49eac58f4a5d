//! Templates of the tests, and what became of them in the engine.

use serde_json::{Value as Json, json};

use super::{Sandbox, docker};

/// Makes a template with one docker builder that commits, options added.
pub fn template(sandbox: &Sandbox, options: Json, provisioners: Json, post_processors: Json) -> Json {
    let mut builder = json!({ "type": "docker", "image": sandbox.image, "pull": false });
    for (name, value) in options.as_object().expect("options are an object") {
        builder[name] = value.clone();
    }
    if ["commit", "discard", "export_path"].iter().all(|way| builder.get(way).is_none()) {
        builder["commit"] = true.into();
    }
    json!({ "builders": [builder], "provisioners": provisioners, "post-processors": post_processors })
}

/// Makes a provisioner of a script's lines.
pub fn shell(lines: &[&str]) -> Json {
    json!({ "type": "shell", "inline": lines })
}

/// Returns the name that a test's image gets.
pub fn name_of(sandbox: &Sandbox) -> String {
    format!("rpk-test/run-{}", sandbox.unique)
}

/// Makes a post-processor that gives the image its name.
pub fn tag(sandbox: &Sandbox) -> Json {
    json!({ "type": "docker-tag", "repository": name_of(sandbox) })
}

/// Runs a command in a container of the test's image and returns what it prints.
#[track_caller]
pub fn in_image(sandbox: &Sandbox, command: &str) -> String {
    docker(&["run", "--rm", "--entrypoint=/bin/sh", &name_of(sandbox), "-c", command])
}

/// Checks that a text has all these parts.
#[track_caller]
pub fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// Checks that no container of a test is left.
#[track_caller]
pub fn assert_no_containers(sandbox: &Sandbox) {
    assert_eq!(sandbox.containers(), Vec::<String>::new(), "containers are left");
}
