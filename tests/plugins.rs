//! Plugins: Debian's Packer 1.6.6 serves components to rpk, a plugin in Rust serves Packer and rpk.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::building::assert_contains;
use common::{Ended, Running, Sandbox, docker, run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

/// Prepares rpk to take these components from Packer's executable.
fn with_plugins(sandbox: &Sandbox, plugins: &str, arguments: &[&str]) -> Command {
    let mut command = sandbox.rpk(arguments);
    command.env("RPK_PLUGINS", plugins);
    command
}

/// Writes a template and applies it with components of plugins.
fn apply(sandbox: &Sandbox, plugins: &str, template: &Json) -> Ended {
    sandbox.template(template);
    run(&mut with_plugins(sandbox, plugins, &["apply", "template.json"]))
}

/// Lists the processes of plugins that a process has started.
fn plugins_of(parent: u32) -> Vec<(i32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let plugins = processes.filter_map(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let is_child = status.lines().any(|line| line == format!("PPid:\t{parent}"));
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        (is_child && words.contains("packer-")).then_some((pid, words))
    });
    plugins.collect()
}

/// A docker builder whose machine is a test's own.
fn docker_builder(sandbox: &Sandbox) -> Json {
    json!({ "type": "docker", "image": sandbox.image, "pull": false, "commit": true })
}

#[test]
#[ignore = "needs packer"]
fn builders_and_post_processors_of_packer_run() {
    let sandbox = Sandbox::without_engine();
    let template = json!({
        "variables": { "who": "world" },
        "builders": [{ "type": "file", "target": "out.txt", "content": "hello {{user `who`}}" }],
        "post-processors": [
            [{ "type": "checksum", "checksum_types": ["sha256"], "output": "out.{{.ChecksumType}}" }],
            [{ "type": "compress", "output": "out.tar.gz", "keep_input_artifact": true }],
        ],
    });
    let ended = apply(&sandbox, "all", &template).expect_status(0);
    assert_eq!(std::fs::read_to_string(sandbox.path("out.txt")).expect("is written"), "hello world");
    assert!(sandbox.path("out.sha256").exists() && sandbox.path("out.tar.gz").exists(), "{}", ended.stdout);
    let again = run(&mut with_plugins(&sandbox, "all", &["plan", "template.json"])).expect_status(0);
    assert_contains(&again.stdout, &["0 to run, 4 cached"]);
}

#[test]
#[ignore = "needs packer"]
fn provisioners_of_packer_run_without_a_machine() {
    let sandbox = Sandbox::without_engine();
    let template = json!({
        "builders": [{ "type": "null", "communicator": "none" }],
        "provisioners": [{ "type": "shell-local", "inline": ["echo build $PACKER_BUILD_NAME"] }],
    });
    let ended = apply(&sandbox, "all", &template).expect_status(0);
    assert_contains(&ended.stdout, &["build null"]);
}

#[test]
#[ignore = "needs packer"]
fn options_that_a_plugin_refuses_are_told_with_their_place() {
    let sandbox = Sandbox::without_engine();
    for (builder, words) in [
        (json!({ "type": "virtualbox-iso", "iso_url": "x.iso" }), "A checksum must be specified"),
        (json!({ "type": "qemu", "no_such_option": 1 }), "has no option `no_such_option`"),
        (json!({ "type": "vmware-iso" }), "iso_url"),
        (json!({ "type": "amazon-ebs" }), "source_ami"),
    ] {
        sandbox.template(&json!({ "builders": [builder] }));
        let ended = run(&mut with_plugins(&sandbox, "", &["validate", "template.json"])).expect_status(1);
        assert_contains(&ended.stderr, &[words]);
        assert_contains(&ended.stderr, &["template.json:1:"]);
    }
}

#[test]
#[ignore = "needs packer"]
fn a_docker_build_runs_whole_or_in_part_through_plugins() {
    let sandbox = Sandbox::new();
    sandbox.write("data.txt", "data");
    let repository = format!("rpk-test/plugins-{}", sandbox.unique);
    let template = json!({
        "builders": [docker_builder(&sandbox)],
        "provisioners": [
            { "type": "shell", "inline": ["echo out; echo err >&2; id -u > /id; echo {{build `ID`}} > /made"] },
            { "type": "file", "source": "data.txt", "destination": "/data.txt" },
            { "type": "file", "source": "/id", "destination": "id.txt", "direction": "download" },
        ],
        "post-processors": [{ "type": "docker-tag", "repository": repository, "tag": "1" }],
    });
    for plugins in ["all", "docker", "shell,file,docker-tag", "provisioner.shell"] {
        let ended = apply(&sandbox, plugins, &template).expect_status(0);
        assert_contains(&ended.stdout, &["out"]);
        assert_contains(&ended.stdout, &["err"]);
        assert_eq!(std::fs::read_to_string(sandbox.path("id.txt")).expect("is downloaded"), "0\n", "{plugins}");
        let image = format!("{repository}:1");
        let shown = docker(&["run", "--rm", "--network=none", "--entrypoint=/bin/cat", &image, "/data.txt"]);
        assert_eq!(shown, "data", "{plugins}");
        assert!(sandbox.containers().is_empty(), "{plugins}");
    }
}

#[test]
#[ignore = "needs packer"]
fn an_hcl_template_runs_through_plugins() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "template.pkr.hcl",
        format!(
            r#"source "docker" "a" {{
  image   = "{}"
  pull    = false
  commit  = true
  changes = ["LABEL via=plugin"]
}}
build {{
  sources = ["source.docker.a"]
  provisioner "shell" {{
    inline           = ["echo id ${{build.ID}}", "exit 3"]
    valid_exit_codes = [3]
  }}
}}
"#,
            sandbox.image
        ),
    );
    let ended = run(&mut with_plugins(&sandbox, "all", &["apply", "template.pkr.hcl"])).expect_status(0);
    let has_id = ended.stdout.lines().any(|line| {
        line.rsplit_once("id ").is_some_and(|(_, id)| id.len() >= 12 && id.chars().all(|c| c.is_ascii_hexdigit()))
    });
    assert!(has_id, "{}", ended.stdout);
}

/// Configuration managers write down how they were called; that is what is compared.
fn record_of(sandbox: &Sandbox, plugins: &str, provisioner: &Json) -> String {
    let stand_in = "printf '#!/bin/sh\\n[ \"$1\" != -E ] || shift\\nexec \"$@\"\\n' > /bin/sudo
printf '#!/bin/sh\\necho \"${0##*/}\" >> /record\\nfor w; do echo \"  [$w]\" >> /record; done\\n' > /bin/stand-in
chmod 755 /bin/sudo /bin/stand-in
for n in ansible-playbook ansible-galaxy puppet chef-solo; do ln -s stand-in /bin/$n; done";
    let template = json!({
        "builders": [docker_builder(sandbox)],
        "provisioners": [
            { "type": "shell", "inline": stand_in.lines().collect::<Vec<_>>() },
            provisioner,
            { "type": "shell", "inline": ["cat /record", "find /tmp -type f | sort"] },
        ],
    });
    let ended = apply(sandbox, plugins, &template).expect_status(0);
    let said = ended.stdout.lines().filter_map(|line| line.strip_prefix("==> docker: ").map(str::to_owned));
    let own =
        said.filter(|line| line.starts_with(['/', ' ']) || line.starts_with("ansible") || line.starts_with("chef"));
    // Folders of a run have names of their own.
    let own = own.filter(|line| !line.contains("/tmp/script_"));
    let own = own.map(|line| line.split("packer-provisioner-").next().unwrap_or_default().to_owned());
    own.collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs packer"]
fn configuration_managers_of_packer_work_on_rpks_machine() {
    let sandbox = Sandbox::new();
    for (name, text) in [("play.yml", "- hosts: all\n"), ("site.pp", "notify { 'x': }\n"), ("books/a/recipe.rb", "")] {
        std::fs::create_dir_all(sandbox.path(name).parent().expect("is in a folder")).expect("is writable");
        sandbox.write(name, text);
    }
    for (name, provisioner) in [
        ("ansible-local", json!({ "type": "ansible-local", "playbook_file": "play.yml" })),
        ("puppet-masterless", json!({ "type": "puppet-masterless", "manifest_file": "site.pp" })),
        (
            "chef-solo",
            json!({ "type": "chef-solo", "cookbook_paths": ["books"], "skip_install": true, "run_list": ["a"],
                    "json": { "deep": { "er": [1] } } }),
        ),
    ] {
        let theirs = record_of(&sandbox, name, &provisioner);
        let ours = record_of(&sandbox, "off", &provisioner);
        assert!(!ours.is_empty());
        assert_eq!(theirs, ours, "{name}");
    }
}

#[test]
#[ignore = "needs packer"]
fn a_plugin_that_is_killed_ends_the_build_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let template = json!({
        "builders": [docker_builder(&sandbox)],
        "provisioners": [{ "type": "shell", "inline": ["echo started; sleep 2"] }],
    });
    sandbox.template(&template);
    for attempt in 0..6_u64 {
        let which = if attempt % 2 == 0 { "packer-builder-docker" } else { "packer-provisioner-shell" };
        let mut command = with_plugins(&sandbox, "docker,shell", &["apply", "-no-cache", "template.json"]);
        let running = Running::start(&mut command);
        std::thread::sleep(Duration::from_millis(300 + 350 * attempt));
        let plugins = plugins_of(running.id());
        let victims: Vec<_> = plugins.iter().filter(|(_, words)| words.contains(which)).collect();
        for (pid, _) in &victims {
            let _ = kill_process(Pid::from_raw(*pid).expect("is a process"), Signal::KILL);
        }
        let ended = running.end();
        if !victims.is_empty() && ended.status != Some(0) {
            assert_contains(&ended.stderr, &["ended unexpectedly"]);
        }
        assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
        for (pid, words) in plugins {
            let is_there = std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| !it.is_empty());
            assert!(!is_there, "{words} goes on");
        }
    }
}

/// Returns the plugin in Rust, which cargo builds with the tests of the whole workspace.
fn example() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_rpk")).with_file_name("examples").join("stamp")
}

fn stamping(sandbox: &Sandbox) -> Json {
    json!({
        "builders": [docker_builder(sandbox)],
        "provisioners": [
            { "type": "stamp", "path": "/stamp", "message": "made in Rust" },
            { "type": "shell", "inline": ["cat /stamp"] },
        ],
        "post-processors": [{ "type": "stamp", "path": "stamp.txt" }],
    })
}

#[test]
#[ignore = "needs packer"]
fn a_plugin_in_rust_serves_packer() {
    let sandbox = Sandbox::new();
    assert!(example().exists(), "`cargo build -p rpk-runtime --example stamp` makes it");
    std::fs::create_dir(sandbox.path("plugins")).expect("is writable");
    for name in ["packer-provisioner-stamp", "packer-post-processor-stamp"] {
        std::fs::copy(example(), sandbox.path("plugins").join(name)).expect("is there");
    }
    sandbox.template(&stamping(&sandbox));
    let mut packer = sandbox.command("packer");
    packer.args(["build", "template.json"]).env("PACKER_PLUGIN_PATH", sandbox.path("plugins"));
    let ended = run(&mut packer).expect_status(0);
    assert_contains(&ended.stdout, &["It reads: made in Rust"]);
    assert_contains(&ended.stdout, &["A stamp in stamp.txt"]);
    std::fs::remove_file(sandbox.path("stamp.txt")).expect("was written");

    // The same in rpk: as single files, and installed as today's plugins are.
    let mut ours = with_plugins(&sandbox, "", &["apply", "template.json"]);
    let ended = run(ours.env("PACKER_PLUGIN_PATH", sandbox.path("plugins"))).expect_status(0);
    assert_contains(&ended.stdout, &["It reads: made in Rust"]);
    let installed = sandbox.path("installed");
    let example = example();
    let words = ["plugins", "install", "-path", example.to_str().expect("is text"), "example.org/acme/stamp"];
    run(sandbox.rpk(&words).env("PACKER_PLUGIN_PATH", &installed)).expect_status(0);
    let mut ours = with_plugins(&sandbox, "", &["apply", "-no-cache", "template.json"]);
    let ended = run(ours.env("PACKER_PLUGIN_PATH", &installed)).expect_status(0);
    assert_contains(&ended.stdout, &["A stamp in stamp.txt"]);
    let listed = run(sandbox.rpk(&["plugins", "installed"]).env("PACKER_PLUGIN_PATH", &installed)).expect_status(0);
    assert_contains(&listed.stdout, &["packer-plugin-stamp_v1.0.0_x5.0_"]);
}
