//! rpk on Podman, by its socket that speaks Docker's API.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Sandbox, docker, run};
use serde_json::json;

/// A Podman of the test's own: its storage and socket stand in the test's folder.
struct Podman {
    folder: PathBuf,
    service: Child,
}

impl Podman {
    fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("the folder is writable");
        let mut command = command(folder);
        command.args(["system", "service", "--time=0"]).arg(format!("unix://{}", socket(folder).display()));
        let log = std::fs::File::create(folder.join("log")).expect("the folder is writable");
        let service = command.stdout(Stdio::null()).stderr(log).spawn().expect("podman is installed");
        let podman = Self { folder: folder.to_owned(), service };
        let since = Instant::now();
        while !socket(folder).exists() {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(since.elapsed() < Duration::from_secs(20), "podman's service does not start:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        podman
    }

    /// Runs a podman command and returns what it prints.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = command(&self.folder).args(arguments).output().expect("podman is installed");
        assert!(output.status.success(), "podman {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        // The folder can be removed only when nothing is mounted in it; the last mount outlives even a reset.
        let _ = command(&self.folder).args(["system", "reset", "--force"]).output();
        let _ = Command::new("umount").arg(self.folder.join("storage/overlay")).output();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("podman.sock")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.arg("--tmpdir").arg(folder.join("tmp")).stdin(Stdio::null());
    command
}

#[test]
#[ignore = "needs podman"]
fn a_template_builds_on_podman() {
    let sandbox = Sandbox::new();
    let podman = Podman::start(&sandbox.outside("podman"));
    let archive = sandbox.outside("base.tar");
    docker(&["save", "-o", &archive.to_string_lossy(), &sandbox.image]);
    podman.run(&["load", "-i", &archive.to_string_lossy()]);

    let name = format!("localhost/rpk-test/podman-{}", sandbox.unique);
    sandbox.write("note.txt", "a note\n");
    let provisioners = json!([
        { "type": "shell", "inline": ["echo \"$A\" > /made", "mkdir /srv"], "environment_vars": ["A=it's"] },
        { "type": "file", "source": "note.txt", "destination": "/srv/note.txt" },
        { "type": "file", "source": "/made", "destination": "got.txt", "direction": "download" },
    ]);
    let template = json!({
        "builders": [{
            "type": "docker", "image": sandbox.image, "pull": false, "commit": true, "author": "Ann", "message": "by podman",
            "changes": ["ENV X=1", "CMD [\"cat\", \"/made\"]", "EXPOSE 80", "WORKDIR /srv", "LABEL k=v"],
        }],
        "provisioners": provisioners,
        "post-processors": [{ "type": "docker-tag", "repository": name, "tags": ["1", "2"] }],
    });
    sandbox.template(&template);
    let host = format!("unix://{}", socket(&sandbox.outside("podman")).display());
    let apply = |flags: &[&str]| {
        let mut arguments = vec!["apply"];
        arguments.extend(flags);
        arguments.push("template.json");
        run(sandbox.rpk(&arguments).env("DOCKER_HOST", &host))
    };
    apply(&[]).expect_status(0);
    assert_eq!(std::fs::read_to_string(sandbox.path("got.txt")).expect("was downloaded"), "it's\n");
    for tag in ["1", "2"] {
        let config = podman.run(&["image", "inspect", "--format", "{{json .}}", &format!("{name}:{tag}")]);
        let config: serde_json::Value = serde_json::from_str(&config).expect("podman writes JSON");
        let config = &config[0];
        let of = |key: &str| config["Config"][key].clone();
        assert_eq!(of("Cmd"), json!(["cat", "/made"]), "{config}");
        assert_eq!(of("WorkingDir"), "/srv", "{config}");
        assert_eq!(of("ExposedPorts"), json!({ "80/tcp": {} }), "{config}");
        assert!(of("Env").as_array().expect("has variables").contains(&json!("X=1")), "{config}");
        assert_eq!(of("Labels")["k"], "v", "{config}");
        assert_eq!(config["Author"], "Ann", "{config}");
    }
    let image = format!("{name}:1");
    let printed = podman.run(&["run", "--rm", "--entrypoint=/bin/cat", &image, "/made", "/srv/note.txt"]);
    assert_eq!(printed, "it's\na note");
    assert_eq!(podman.run(&["run", "--rm", &image]), "it's");
    assert_eq!(podman.run(&["ps", "-aq"]), "");

    // A failed run leaves nothing either, and reports the status.
    let mut failing = template;
    failing["provisioners"] = json!([{ "type": "shell", "inline": ["echo why; exit 5"] }]);
    sandbox.template(&failing);
    let ended = apply(&["-on-error=cleanup"]).expect_status(1);
    assert!(ended.stderr.contains("exit status: 5") && ended.stderr.contains("why"), "{}", ended.stderr);
    assert_eq!(podman.run(&["ps", "-aq"]), "");

    // Exporting and importing.
    failing["provisioners"] = json!([]);
    failing["builders"][0]["commit"] = false.into();
    failing["builders"][0]["export_path"] = "root.tar".into();
    failing["post-processors"] =
        json!([{ "type": "docker-import", "repository": name, "tag": "3", "changes": ["CMD [\"x\"]"] }]);
    sandbox.template(&failing);
    apply(&[]).expect_status(0);
    assert_eq!(podman.run(&["image", "inspect", "--format", "{{.Config.Cmd}}", &format!("{name}:3")]), "[x]");
    assert_eq!(podman.run(&["ps", "-aq"]), "");
}
