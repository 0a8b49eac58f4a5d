//! The engine within rpk beside Docker: the same templates, the same file systems.

#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::engine::Container;
use common::{Ended, Sandbox, docker, run, tree};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// A build in the test's folder on one of the engines.
fn apply_on(sandbox: &Sandbox, engine: &str, template: &Json, flags: &[&str]) -> Ended {
    sandbox.template(template);
    let mut arguments = vec!["apply"];
    arguments.extend(flags);
    arguments.push("template.json");
    run(sandbox.rpk(&arguments).env("RPK_ENGINE", engine))
}

/// Puts the test's base image into a file.
fn save_base(sandbox: &Sandbox) -> String {
    let file = sandbox.path("base.tar").display().to_string();
    docker(&["save", "-o", &file, &sandbox.image]);
    format!("docker-archive:{file}")
}

fn shell(lines: &[&str]) -> Json {
    json!({ "type": "shell", "inline": lines })
}

/// Everything that layers have a hard time with.
fn provisioners() -> Vec<Json> {
    vec![
        shell(&[
            "mkdir -p /srv/a/b /srv/gone /srv/covered && echo one >/srv/a/one && echo x >/srv/gone/x && echo y >/srv/covered/y",
            "ln /srv/a/one /srv/a/two && ln -s ../a/one /srv/a/b/link && ln -s /nowhere /srv/dangling",
            "mkfifo /srv/pipe && mknod /srv/null c 1 3 && chmod 4755 /srv/a/two && chown 12:34 /srv/a/b",
            "chmod 1777 /srv/gone && echo '*' >'/srv/a name with \\ and \"' && touch /srv/.hidden",
            "n=0; p=/srv; while [ $n -lt 30 ]; do p=$p/long-name-$n; n=$((n+1)); done; mkdir -p $p && echo deep >$p/file",
            "dd if=/dev/zero of=/srv/sparse bs=1 count=1 seek=1000000 2>/dev/null",
            "rm /bin/true; rm -rf /tmp/none",
        ]),
        json!({ "type": "file", "source": "folder/", "destination": "/srv/uploaded" }),
        json!({ "type": "file", "source": "folder/script", "destination": "/srv/script" }),
        shell(&[
            "rm -r /srv/gone && rm -r /srv/covered && mkdir /srv/covered && echo z >/srv/covered/z",
            "mv /srv/a/b /srv/moved && rm /srv/a/two && chmod 700 /srv/uploaded && chown 5 /srv/script",
            "rm /srv/dangling && mkdir /srv/dangling && echo replaced >/srv/pipe2 && echo more >>/srv/a/one",
        ]),
    ]
}

fn write_files(sandbox: &Sandbox) {
    fs::create_dir(sandbox.path("folder")).expect("is new");
    sandbox.write("folder/script", "#!/bin/sh\necho hello\n");
    fs::create_dir(sandbox.path("folder/inner")).expect("is new");
    sandbox.write("folder/inner/data", [0, 1, 2, 255]);
}

fn template(image: &str, name: &str, provisioners: &[Json]) -> Json {
    json!({
        "builders": [{
            "type": "docker", "image": image, "commit": true, "author": "a", "message": "m",
            "changes": ["ENV A=b C=\"d e\"", "EXPOSE 80", "WORKDIR /srv", "CMD [\"/bin/sh\"]", "LABEL x=y", "VOLUME /data"],
        }],
        "provisioners": provisioners,
        "post-processors": [[
            { "type": "docker-tag", "repository": name, "tag": ["1"] },
            { "type": "docker-save", "path": "saved.tar" },
        ]],
    })
}

#[test]
#[ignore = "needs root and docker"]
fn both_engines_make_the_same_file_system_and_configuration() {
    let sandbox = Sandbox::new();
    write_files(&sandbox);
    let base = save_base(&sandbox);
    let (theirs, ours) = (format!("rpk-test/theirs-{}", sandbox.unique), format!("rpk-test/ours-{}", sandbox.unique));
    apply_on(&sandbox, "docker", &template(&sandbox.image, &theirs, &provisioners()), &[]).expect_status(0);
    apply_on(&sandbox, "embedded", &template(&base, &ours, &provisioners()), &[]).expect_status(0);
    docker(&["load", "-i", &sandbox.path("saved.tar").display().to_string()]);
    let (theirs, ours) = (format!("{theirs}:1"), format!("{ours}:1"));
    let files = |image: &str| tree::of_container(&Container::create(image).0, 0);
    let (expected, found) = (files(&theirs), files(&ours));
    for (path, line) in &expected {
        assert_eq!(found.get(path), Some(line), "{path}");
    }
    assert_eq!(expected.len(), found.len(), "nothing else is there");
    let config = |image: &str| {
        let text = docker(&["inspect", "--format", "{{json .Config}}", image]);
        let mut config: Json = serde_json::from_str(&text).expect("is JSON");
        // What the container was called and attached to is its own affair.
        for key in ["Hostname", "Image", "Tty", "OpenStdin", "AttachStdout", "AttachStderr", "AttachStdin", "StdinOnce"]
        {
            config[key].take();
        }
        config
    };
    assert_eq!(config(&theirs), config(&ours));
    let comment = |image: &str| docker(&["inspect", "--format", "{{.Author}} {{.Comment}}", image]);
    assert_eq!(comment(&theirs), comment(&ours));
}

#[test]
#[ignore = "needs root and docker"]
fn a_build_goes_on_from_the_state_before_what_was_changed() {
    let sandbox = Sandbox::new();
    write_files(&sandbox);
    let base = save_base(&sandbox);
    let name = format!("rpk-test/again-{}", sandbox.unique);
    apply_on(&sandbox, "embedded", &template(&base, &name, &provisioners()), &[]).expect_status(0);
    let again = apply_on(&sandbox, "embedded", &template(&base, &name, &provisioners()), &["-format=json"]);
    let statuses = |ended: &Ended| -> Vec<(String, String)> {
        let finished = ended.json_lines().into_iter().filter(|event| event["event"] == "node_finished");
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        finished.map(|event| (text(&event["node"]), text(&event["status"]))).collect()
    };
    assert!(statuses(&again.expect_status(0)).iter().all(|(_, status)| status == "cached"));
    let mut changed = provisioners();
    changed.pop();
    changed.push(shell(&["ls /srv/gone/x /srv/uploaded/inner/data && echo other >/srv/other"]));
    let ended = apply_on(&sandbox, "embedded", &template(&base, &name, &changed), &["-format=json"]).expect_status(0);
    let ran: Vec<String> =
        statuses(&ended).into_iter().filter(|(_, status)| status == "ran").map(|(node, _)| node).collect();
    assert!(ran.iter().all(|node| !node.ends_with("provision/0") && !node.ends_with("provision/2")), "{ran:?}");
    assert!(ran.iter().any(|node| node.ends_with("provision/3")), "{ran:?}");
}

#[test]
#[ignore = "needs root and docker"]
fn one_epoch_gives_one_digest_whatever_the_cache_held() {
    let digest = |flags: &[&[&str]]| {
        let sandbox = Sandbox::new();
        write_files(&sandbox);
        // The test's own label would make another image of it.
        let file = sandbox.path("base.tar").display().to_string();
        docker(&["save", "-o", &file, "rpk-test/busybox"]);
        let template = template(&format!("docker-archive:{file}"), "rpk-test/same", &provisioners());
        sandbox.template(&template);
        for flags in flags {
            let mut arguments = vec!["apply"];
            arguments.extend(*flags);
            arguments.push("template.json");
            let mut command = sandbox.rpk(&arguments);
            run(command.env("RPK_ENGINE", "embedded").env("SOURCE_DATE_EPOCH", "1700000000")).expect_status(0);
        }
        let saved = fs::read(sandbox.path("saved.tar")).expect("was written");
        let mut archive = tar::Archive::new(saved.as_slice());
        let names = archive
            .entries()
            .expect("is an archive")
            .map(|entry| String::from_utf8_lossy(&entry.expect("is whole").path_bytes()).into_owned());
        names.collect::<Vec<_>>()
    };
    let once = digest(&[&[]]);
    assert_eq!(once, digest(&[&["-no-cache"]]));
    assert_eq!(once, digest(&[&[], &["-no-cache-from=docker/provision/2"]]));
}

#[test]
#[ignore = "needs root and docker"]
fn whatever_kills_rpk_leaves_no_process_and_the_next_run_leaves_no_file() {
    let sandbox = Sandbox::new();
    let base = save_base(&sandbox);
    let mark = format!("61{}", std::process::id());
    let script = format!("(setsid sleep {mark} &) ; sleep {mark}");
    let template = template(&base, "rpk-test/killed", &[shell(&["echo ready", &script])]);
    sandbox.template(&template);
    for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
        let mut running =
            common::Running::start(sandbox.rpk(&["apply", "template.json"]).env("RPK_ENGINE", "embedded"));
        assert!(running.wait_for("ready"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        running.signal(signal);
        running.end();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let alive = fs::read_dir("/proc").expect("is there").filter_map(Result::ok).any(|process| {
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&mark) && String::from_utf8_lossy(&words).starts_with("sleep")
        });
        assert!(!alive, "{signal:?}");
    }
    let mounts = fs::read_to_string("/proc/mounts").expect("is there");
    assert!(!mounts.contains(&sandbox.unique), "nothing is mounted");
    let short = json!({ "builders": [{ "type": "docker", "image": base, "discard": true }] });
    apply_on(&sandbox, "embedded", &short, &[]).expect_status(0);
    let runs = sandbox.outside("home/.cache/rpk/engine/run");
    assert_eq!(fs::read_dir(runs).expect("is there").count(), 0);
}

#[test]
#[ignore = "needs root and docker"]
fn a_container_reaches_nothing_of_the_machine() {
    let sandbox = Sandbox::new();
    let base = save_base(&sandbox);
    let attempts = [
        "! mount -t tmpfs none /mnt 2>/dev/null",
        "! mount -o remount,rw /proc/sys 2>/dev/null",
        "! sh -c 'echo 1 >/proc/sys/kernel/printk' 2>/dev/null",
        "! sh -c 'echo b >/proc/sysrq-trigger' 2>/dev/null",
        "! unshare -U true 2>/dev/null",
        "! unshare -m true 2>/dev/null",
        "! sh -c ': >>/proc/1/exe' 2>/dev/null",
        "! ls /proc/1/root/ 2>/dev/null",
        "! readlink /proc/1/fd/0 2>/dev/null",
        "test \"$(ls /proc/self/fd | wc -l)\" -le 4",
        "test ! -s /proc/keys && test ! -s /proc/kcore",
        "test \"$(ls /proc | grep -c '^[0-9]')\" -lt 12",
        "! mknod /tmp/disk b 254 0 || ! dd if=/tmp/disk of=/dev/null count=1 2>/dev/null",
        "! chroot /proc/1/root true 2>/dev/null",
    ];
    for attempt in attempts {
        let template = json!({
            "builders": [{ "type": "docker", "image": base, "discard": true }],
            "provisioners": [{ "type": "shell", "inline": [attempt], "inline_shebang": "/bin/sh" }],
        });
        let ended = apply_on(&sandbox, "embedded", &template, &[]);
        assert_eq!(ended.status, Some(0), "{attempt}\n{}\n{}", ended.stdout, ended.stderr);
    }
}

#[test]
#[ignore = "needs root and docker"]
fn a_layer_that_was_changed_is_refused() {
    let sandbox = Sandbox::new();
    let base = save_base(&sandbox);
    let template = template(&base, "rpk-test/tampered", &[shell(&["echo a >/a"])]);
    apply_on(&sandbox, "embedded", &template, &[]).expect_status(0);
    let layers = sandbox.outside("home/.cache/rpk/engine/layers");
    let mut changed = 0;
    for layer in fs::read_dir(layers).expect("is there").filter_map(Result::ok) {
        let file = layer.path().join("diff/a");
        if file.exists() {
            fs::write(file, "b\n").expect("is ours");
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    fs::remove_file(sandbox.path("saved.tar")).expect("is there");
    // Else the file is put back, and nobody needs the layer.
    fs::remove_dir_all(sandbox.outside("home/.cache/rpk/files")).expect("is there");
    let ended = apply_on(&sandbox, "embedded", &template, &[]).expect_status(1);
    assert!(ended.stderr.contains("its files were changed"), "{}", ended.stderr);
}

/// A registry of the test's own.
struct Registry {
    process: std::process::Child,
    host: String,
}

impl Registry {
    fn start(sandbox: &Sandbox) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let host = format!("127.0.0.1:{}", port.expect("a port is free").port());
        let folder = sandbox.outside("registry");
        sandbox.write(
            "registry.yml",
            format!(
                "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\nlog:\n  level: error\n",
                folder.display()
            ),
        );
        let mut command = sandbox.command("docker-registry");
        command.args(["serve", "registry.yml"]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let process = command.spawn().expect("docker-registry is installed");
        for _ in 0..200 {
            if std::net::TcpStream::connect(&host).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        Self { process, host }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs root and docker"]
fn images_go_to_a_registry_and_come_back_and_other_tools_read_them() {
    let sandbox = Sandbox::new();
    let registry = Registry::start(&sandbox);
    let name = format!("{}/some/app", registry.host);
    let mut first = template(&save_base(&sandbox), &name, &[shell(&["echo a >/a", "rm /bin/true"])]);
    first["post-processors"][0].as_array_mut().expect("is a list").push(json!({ "type": "docker-push" }));
    apply_on(&sandbox, "embedded", &first, &[]).expect_status(0);
    let inspect = ["inspect", "--tls-verify=false", &format!("docker://{name}:1")];
    let seen = run(sandbox.command("skopeo").args(inspect)).expect_status(0);
    assert!(seen.stdout.contains("\"A=b\""), "{}", seen.stdout);
    for (from, to) in [
        (format!("docker-archive:{}", sandbox.path("saved.tar").display()), "oci:layout:x"),
        (format!("oci-archive:{}", sandbox.path("saved.tar").display()), "dir:plain"),
    ] {
        let copied = run(sandbox.command("skopeo").args(["copy", "--insecure-policy", &from, to]));
        assert_eq!(copied.status, Some(0), "{from}: {}", copied.stderr);
    }
    // Another store, which has nothing of it; then the layout that skopeo has written.
    for image in [format!("{name}:1"), "oci:layout:x".to_owned()] {
        let second = json!({
            "builders": [{ "type": "docker", "image": image, "discard": true }],
            "provisioners": [shell(&["test \"$(cat /a)\" = a && test ! -e /bin/true && test \"$A\" = b"])],
        });
        sandbox.template(&second);
        let mut command = sandbox.rpk(&["apply", "template.json"]);
        command.env("RPK_ENGINE", "embedded").env("RPK_CACHE_DIR", sandbox.outside("tmp").join("cache"));
        run(&mut command).expect_status(0);
    }
    let ended = run(&mut sandbox.rpk(&["image", "run", &format!("{name}:1"), "--", "sh", "-c", "cat /a; exit 0"]));
    assert_eq!(ended.stdout, "a\n", "{}", ended.stderr);
}

#[test]
#[ignore = "needs root and docker"]
fn an_ordinary_user_builds_the_same() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("base.tar").display().to_string();
    docker(&["save", "-o", &file, &sandbox.image]);
    let one =
        shell(&["id -u", "echo a >/a && mkdir /b && rm /bin/true && touch /b/c", "rm -r /tmp && mkdir -m 1777 /tmp"]);
    let template = json!({
        "builders": [{ "type": "docker", "image": format!("docker-archive:{file}"), "commit": true }],
        "provisioners": [one, shell(&["rm /b/c", "test ! -e /bin/true"])],
        "post-processors": [{ "type": "docker-save", "path": "saved.tar" }],
    });
    let epoch = ("SOURCE_DATE_EPOCH", "1700000000");
    sandbox.template(&template);
    let mut as_root = sandbox.rpk(&["apply", "template.json"]);
    run(as_root.env("RPK_ENGINE", "embedded").env(epoch.0, epoch.1)).expect_status(0);
    let expected = fs::read(sandbox.path("saved.tar")).expect("was written");
    fs::remove_file(sandbox.path("saved.tar")).expect("is there");
    fs::remove_dir_all(sandbox.outside("home/.cache")).expect("is there");
    let folder = sandbox.path("..").display().to_string();
    run(sandbox.command("chown").args(["-R", "65534:65534", &folder])).expect_status(0);
    let mut command = sandbox.command("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        env!("CARGO_BIN_EXE_rpk"),
        "apply",
        "template.json",
    ]);
    run(command.env("RPK_ENGINE", "embedded").env(epoch.0, epoch.1)).expect_status(0);
    assert_eq!(fs::read(sandbox.path("saved.tar")).expect("was written"), expected);
}
