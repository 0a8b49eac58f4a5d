//! Runs on a real engine: failures, signals, parallel builds, secrets, reports; and what is better than in Packer.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::building::{assert_contains, assert_no_containers, in_image, name_of, shell, tag, template};
use common::{Ended, Running, Sandbox, docker, engine, run};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

/// Checks that each node of a plan finishes exactly once, and returns how.
#[track_caller]
fn statuses(sandbox: &Sandbox, ended: &Ended) -> BTreeMap<String, String> {
    let plan = run(&mut sandbox.rpk(&["plan", "-format=json", "template.json"])).expect_status(0);
    let plan: Json = serde_json::from_str(&plan.stdout).expect("the plan is JSON");
    let mut planned: Vec<&str> = plan["nodes"].as_array().expect("has nodes").iter().filter_map(id).collect();
    planned.sort_unstable();
    fn id(node: &Json) -> Option<&str> {
        node["id"].as_str()
    }
    let mut finished = BTreeMap::new();
    for event in ended.json_lines() {
        if event["event"] == "node_finished" {
            let node = event["node"].as_str().expect("names its node").to_owned();
            let status = event["status"].as_str().expect("has a status").to_owned();
            assert_eq!(finished.insert(node.clone(), status), None, "{node} finished twice");
        }
    }
    assert_eq!(finished.keys().map(String::as_str).collect::<Vec<_>>(), planned);
    finished
}

#[test]
#[ignore = "needs docker"]
fn a_failed_provisioner_removes_the_container_and_tells_where_and_why() {
    let sandbox = Sandbox::new();
    let script = shell(&["for i in 1 2 3; do echo line $i; done", "echo the cause >&2", "exit 7"]);
    let ended = sandbox.apply(&template(&sandbox, json!({}), json!([shell(&["true"]), script]), json!([])), &[]);
    let ended = ended.expect_status(1);
    assert_contains(
        &ended.stderr,
        &["build docker failed", "docker/provision/1", "exit status: 7", "line 3", "the cause"],
    );
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn on_error_decides_on_the_container_and_on_the_cleanup_provisioner() {
    for (flag, cleaned_up, left) in
        [("-on-error=cleanup", true, 0), ("-on-error=abort", false, 1), ("-on-error=run-cleanup-provisioner", true, 1)]
    {
        let sandbox = Sandbox::new();
        let mut template = template(&sandbox, json!({}), json!([shell(&["echo x > /x", "exit 1"])]), json!([]));
        template["error-cleanup-provisioner"] =
            json!({ "type": "file", "direction": "download", "source": "/x", "destination": "saved.txt" });
        let ended = sandbox.apply(&template, &[flag]).expect_status(1);
        assert_eq!(sandbox.path("saved.txt").exists(), cleaned_up, "{flag}");
        let containers = sandbox.containers();
        assert_eq!(containers.len(), left, "{flag}");
        for container in containers {
            let says_which = ended.stdout.lines().any(|line| line.contains("is left") && line.contains(&container));
            assert!(says_which, "{}", ended.stdout);
            assert_eq!(docker(&["exec", &container, "cat", "/x"]), "x");
        }
    }
}

#[test]
#[ignore = "needs docker"]
fn a_provisioner_is_tried_again_as_often_as_it_says() {
    let sandbox = Sandbox::new();
    let mut script = shell(&["echo try >> /tries", "test $(wc -l < /tries) -eq 3"]);
    script["max_retries"] = 2.into();
    let made = template(&sandbox, json!({}), json!([script.clone()]), json!([tag(&sandbox)]));
    sandbox.apply(&made, &[]).expect_status(0);
    assert_eq!(in_image(&sandbox, "wc -l < /tries"), "3");

    script["max_retries"] = 1.into();
    let again = template(&sandbox, json!({}), json!([script]), json!([]));
    let ended = sandbox.apply(&again, &["-no-cache"]).expect_status(1);
    assert_contains(&ended.stdout, &["retrying with 1 trie(s) left", "retry limit reached"]);
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn a_provisioner_ends_at_its_timeout_after_its_pause() {
    let sandbox = Sandbox::new();
    let mut script = shell(&["echo begun", "sleep 60"]);
    script["timeout"] = "1s".into();
    script["pause_before"] = "1s".into();
    let ended = sandbox.apply(&template(&sandbox, json!({}), json!([script]), json!([])), &[]).expect_status(1);
    assert!(ended.took > Duration::from_secs(2) && ended.took < Duration::from_secs(20), "{:?}", ended.took);
    assert_contains(&ended.stdout, &["Pausing 1s", "begun"]);
    assert_contains(&ended.stderr, &["took longer than its timeout of 1s"]);
    assert_no_containers(&sandbox);
}

/// Interrupts a run at moments around the start of a node and checks that nothing is left.
fn interrupt_at(node: &str) {
    // Long enough to be interrupted, each of them.
    let seconds = 20;
    let wait = format!("sleep {seconds}");
    for (round, signals) in
        [&[Signal::INT; 1][..], &[Signal::TERM], &[Signal::INT; 10], &[Signal::HUP], &[Signal::TERM; 10]]
            .into_iter()
            .enumerate()
    {
        let sandbox = Sandbox::new();
        let provisioners = if node.contains("provision") { json!([shell(&[&wait])]) } else { json!([]) };
        let last = json!({ "type": "shell-local", "inline": [wait.as_str()] });
        sandbox.template(&template(&sandbox, json!({}), provisioners, json!([last])));
        let mut running = Running::start(&mut sandbox.rpk(&["apply", "-format=json", "template.json"]));
        assert!(running.wait_for(&format!(r#"node_started","node":"{node}""#)), "{node} did not start");
        let time = std::time::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        let delay = Duration::from_millis(u64::from(time.subsec_micros()) % 60 * (round as u64 + 1));
        std::thread::sleep(delay);
        for _ in signals {
            running.signal(signals[0]);
            std::thread::sleep(Duration::from_millis(3));
        }
        let ended = running.end();
        let moment = format!("{signals:?} {delay:?} after the start of {node}");
        assert_eq!(ended.status, Some(1), "{moment}:\n{}\n{}", ended.stdout, ended.stderr);
        assert!(ended.took < Duration::from_secs(seconds), "{moment}: {:?}", ended.took);
        let statuses = statuses(&sandbox, &ended);
        assert!(statuses.values().all(|status| status != "failed"), "{moment}: {statuses:?}");
        assert_eq!(ended.json_lines().last().expect("has events")["status"], "cancelled", "{moment}");
        assert_eq!(sandbox.containers(), Vec::<String>::new(), "{moment}");
    }
}

#[test]
#[ignore = "needs docker"]
fn signals_while_booting_leave_nothing() {
    interrupt_at("docker/boot");
}

#[test]
#[ignore = "needs docker"]
fn signals_while_provisioning_leave_nothing() {
    interrupt_at("docker/provision/0");
}

#[test]
#[ignore = "needs docker"]
fn signals_while_capturing_leave_nothing() {
    interrupt_at("docker/capture");
}

#[test]
#[ignore = "needs docker"]
fn signals_while_post_processing_leave_nothing() {
    interrupt_at("docker/post-process/0.0");
}

#[test]
#[ignore = "needs docker"]
fn an_interrupted_run_says_so_and_names_what_was_made() {
    let sandbox = Sandbox::new();
    let last = json!({ "type": "shell-local", "inline": ["sleep 20"] });
    sandbox.template(&template(&sandbox, json!({}), json!([]), json!([last])));
    let mut running = Running::start(&mut sandbox.rpk(&["apply", "template.json"]));
    assert!(running.wait_for("Running post-processor"), "the post-processor did not start");
    running.signal(Signal::INT);
    let ended = running.end().expect_status(1);
    assert_contains(&ended.stdout, &["Cleanly cancelled builds after being interrupted."]);
}

#[test]
#[ignore = "needs docker"]
fn builds_run_side_by_side_unless_told_otherwise() {
    let sandbox = Sandbox::new();
    let builder = |name: &str| json!({ "type": "docker", "name": name, "image": sandbox.image, "discard": true });
    let template = json!({
        "builders": [builder("a"), builder("b"), builder("c")],
        "provisioners": [shell(&["sleep 1"])],
    });
    for (flag, at_most) in [("-parallel-builds=0", 3), ("-parallel-builds=1", 1), ("-parallel-builds=2", 2)] {
        let ended = sandbox.apply(&template, &["-format=json", "-no-cache", flag]).expect_status(0);
        let (mut active, mut most) = (0, 0);
        for event in ended.json_lines() {
            match (event["event"].as_str(), event["node"].as_str()) {
                (Some("node_started"), Some(node)) if node.ends_with("/provision/0") => active += 1,
                (Some("node_finished"), Some(node)) if node.ends_with("/provision/0") => active -= 1,
                _ => {}
            }
            most = most.max(active);
        }
        assert_eq!(most, at_most, "{flag}");
        assert!(statuses(&sandbox, &ended).values().all(|status| status == "ran"), "{flag}");
        assert_no_containers(&sandbox);
    }
}

#[test]
#[ignore = "needs docker"]
fn one_failed_build_does_not_keep_others_from_their_end() {
    let sandbox = Sandbox::new();
    let builder = |name: &str| json!({ "type": "docker", "name": name, "image": sandbox.image, "commit": true });
    let template = json!({
        "builders": [builder("bad"), builder("good")],
        "provisioners": [{ "type": "shell", "inline": ["exit 1"], "only": ["bad"] }, shell(&["sleep 1"])],
        "post-processors": [tag(&sandbox)],
    });
    let ended = sandbox.apply(&template, &["-format=json"]).expect_status(1);
    let statuses = statuses(&sandbox, &ended);
    for (node, status) in [
        ("bad/provision/0", "failed"),
        ("bad/provision/1", "cancelled"),
        ("bad/capture", "cancelled"),
        ("good/post-process/0.0", "ran"),
    ] {
        assert_eq!(statuses[node], status, "{node}");
    }
    assert_eq!(sandbox.image_names(), [format!("{}:latest", name_of(&sandbox))]);
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn an_image_that_cannot_be_had_is_said_at_once() {
    let sandbox = Sandbox::without_image();
    let image = "localhost:1/rpk-test/nowhere:0";
    for pull in [json!(true), json!(false), Json::Null] {
        let mut template = json!({ "builders": [{ "type": "docker", "image": image, "discard": true }] });
        if !pull.is_null() {
            template["builders"][0]["pull"] = pull;
        }
        let ended = sandbox.apply(&template, &[]).expect_status(1);
        assert_contains(&ended.stderr, &["docker/boot", &format!("pulling image `{image}`"), "check the name"]);
        assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
    }
}

#[test]
#[ignore = "needs docker"]
fn a_container_that_does_not_start_is_removed() {
    let sandbox = Sandbox::new();
    let options = json!({ "run_command": ["-d", "--entrypoint=/no/such/program", "--", "{{.Image}}"] });
    let ended = sandbox.apply(&template(&sandbox, options, json!([]), json!([])), &[]).expect_status(1);
    assert_contains(&ended.stderr, &["docker/boot", "starting the container", "/no/such/program"]);
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn a_container_that_ends_by_itself_fails_the_build() {
    let sandbox = Sandbox::new();
    let options = json!({ "run_command": ["-d", "--entrypoint=/bin/true", "--", "{{.Image}}"] });
    let provisioners = json!([shell(&["echo x"])]);
    let ended = sandbox.apply(&template(&sandbox, options, provisioners, json!([])), &[]).expect_status(1);
    assert_contains(&ended.stderr, &["docker/provision/0"]);
    // Depending on whether the engine has taken note of the end already.
    let reasons = ["is not running", "stopped container"];
    assert!(reasons.iter().any(|reason| ended.stderr.contains(reason)), "{}", ended.stderr);
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn an_engine_that_is_not_there_is_said_with_what_to_do() {
    let sandbox = Sandbox::without_image();
    sandbox.template(&json!({ "builders": [{ "type": "docker", "image": "none", "discard": true }] }));
    let mut command = sandbox.rpk(&["apply", "template.json"]);
    let ended = run(command.env("DOCKER_HOST", "unix:///nonexistent")).expect_status(1);
    assert_contains(
        &ended.stderr,
        &["no container engine", "unix:///nonexistent", "DOCKER_HOST", "start one", "dockerd"],
    );
    // Neither planning nor validating needs an engine.
    for command in ["plan", "validate"] {
        run(sandbox.rpk(&[command, "template.json"]).env("DOCKER_HOST", "unix:///nonexistent")).expect_status(0);
    }
}

#[test]
#[ignore = "needs docker"]
fn a_docker_context_says_where_the_engine_is() {
    let sandbox = Sandbox::new();
    let socket = sandbox.outside("engine.sock");
    std::os::unix::fs::symlink(engine::socket(), &socket).expect("the folder is writable");
    let host = format!("unix://{}", socket.display());
    // As `docker context create` stores them: in folders named after the SHA-256 of the context's name.
    for (context, host) in [("here", host.as_str()), ("gone", "unix:///nonexistent-context")] {
        let digest: String = Sha256::digest(context).iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = sandbox.outside("docker").join("contexts/meta").join(digest);
        std::fs::create_dir_all(&folder).expect("the folder is writable");
        let meta = json!({ "Name": context, "Metadata": {}, "Endpoints": { "docker": { "Host": host } } });
        std::fs::write(folder.join("meta.json"), meta.to_string()).expect("the folder is writable");
    }
    let config = sandbox.outside("docker/config.json");
    std::fs::write(config, json!({ "currentContext": "here" }).to_string()).expect("the folder is writable");
    sandbox.template(&template(&sandbox, json!({ "discard": true }), json!([]), json!([])));
    let rpk = |command: &str, context: Option<&str>| {
        let mut command = sandbox.rpk(&[command, "template.json"]);
        command.env_remove("DOCKER_HOST").env("DOCKER_CONFIG", sandbox.outside("docker"));
        if let Some(context) = context {
            command.env("DOCKER_CONTEXT", context);
        }
        run(&mut command)
    };
    assert_contains(&rpk("plan", None).expect_status(0).stdout, &[&host]);
    rpk("apply", None).expect_status(0);
    let ended = rpk("apply", Some("gone")).expect_status(1);
    assert_contains(&ended.stderr, &["unix:///nonexistent-context", "docker context `gone`"]);
    let ended = rpk("apply", Some("unknown")).expect_status(1);
    assert_contains(&ended.stderr, &["reading the docker context `unknown`", "docker context ls"]);
    assert_no_containers(&sandbox);
}

/// A secret, and the forms that base64 gives it after zero, one and two other bytes.
const SECRET: &str = "hunter2-Kx9-open-sesame";
const SECRET_IN_BASE64: [&str; 3] =
    ["aHVudGVyMi1LeDktb3Blbi1zZXNhbW", "h1bnRlcjItS3g5LW9wZW4tc2VzYW1l", "odW50ZXIyLUt4OS1vcGVuLXNlc2FtZ"];

#[track_caller]
fn assert_no_secret(what: &str, text: &str) {
    for form in SECRET_IN_BASE64.into_iter().chain([SECRET]) {
        assert!(!text.contains(form), "{form} is in {what}:\n{text}");
    }
}

/// Returns the command lines of all processes of this machine, those of containers included.
fn command_lines() -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir("/proc").expect("there is a /proc").flatten() {
        if let Ok(line) = std::fs::read(entry.path().join("cmdline")) {
            all.push_str(&String::from_utf8_lossy(&line).replace('\0', " "));
            all.push('\n');
        }
    }
    all
}

#[test]
#[ignore = "needs docker"]
fn a_secret_is_seen_nowhere() {
    let sandbox = Sandbox::new();
    let options = json!({ "login": true, "login_username": "me", "login_password": "{{user `secret`}}" });
    let provisioners = json!([
        { "type": "shell", "environment_vars": ["S={{user `secret`}}"], "inline": [
            "echo \"by the environment: $S\"",
            "echo inline: {{user `secret`}}",
            "printf %s \"$S\" | base64",
            "sleep 1",
        ]},
        { "type": "shell", "environment_vars": ["S={{user `secret`}}"], "use_env_var_file": true, "inline": ["sleep 1"] },
        { "type": "shell", "inline": ["sleep 1"], "environment_vars": ["S={{user `secret`}}"],
            "execute_command": "{{.Vars}} sh -e {{.Path}}" },
        { "type": "shell-local", "environment_vars": ["S={{user `secret`}}"], "inline": ["echo \"here: $S\"; sleep 1"] },
        { "type": "file", "content": "{{user `secret`}}", "destination": "/secret" },
        { "type": "shell", "environment_vars": ["S={{user `secret`}}"], "inline": ["echo \"last: $S\" >&2; exit 3"] },
    ]);
    let mut template = template(&sandbox, options, provisioners, json!([]));
    template["variables"] = json!({ "secret": null });
    template["sensitive-variables"] = json!(["secret"]);
    sandbox.template(&template);
    sandbox.write("secret.json", json!({ "secret": SECRET }).to_string());
    let since = std::time::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs().to_string();
    let done = AtomicBool::new(false);
    let lines = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                assert_no_secret("a command line", &command_lines());
                looks += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            looks
        });
        let mut outputs = Vec::new();
        for flag in ["-format=text", "-format=json", "-machine-readable"] {
            outputs.push(run(&mut sandbox.rpk(&["apply", flag, "-var-file=secret.json", "template.json"])));
        }
        outputs.push(run(&mut sandbox.rpk(&["plan", "-var-file=secret.json", "template.json"])));
        outputs.push(run(&mut sandbox.rpk(&["plan", "-format=json", "-var-file=secret.json", "template.json"])));
        done.store(true, Ordering::Relaxed);
        assert!(watch.join().expect("no command line shows the secret") > 50);
        outputs
    });
    for (index, ended) in lines.iter().enumerate() {
        assert_eq!(ended.status, Some(if index < 3 { 1 } else { 0 }), "{}{}", ended.stdout, ended.stderr);
        assert_no_secret("standard output", &ended.stdout);
        assert_no_secret("standard error", &ended.stderr);
    }
    assert_contains(&lines[0].stdout, &["by the environment: <sensitive>", "inline: <sensitive>", "here: <sensitive>"]);
    assert_contains(&lines[0].stderr, &["last: <sensitive>", "exit status: 3"]);
    // The engine's log of events names the command line of everything that ran in a container.
    let until = (std::time::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs() + 1).to_string();
    let events = docker(&["events", "--since", &since, "--until", &until, "--filter", &sandbox.filter()]);
    assert_contains(&events, &["exec_create"]);
    assert_no_secret("the engine's events", &events);
}

#[test]
#[ignore = "needs docker"]
fn a_password_is_not_in_the_error_of_a_failed_pull() {
    let sandbox = Sandbox::without_image();
    sandbox.template(&json!({
        "builders": [{
            "type": "docker", "image": "localhost:1/rpk-test/nowhere", "discard": true,
            "login": true, "login_server": "localhost:1", "login_username": "me", "login_password": SECRET,
        }],
    }));
    for flag in ["-format=text", "-format=json", "-machine-readable"] {
        let ended = run(&mut sandbox.rpk(&["apply", flag, "template.json"])).expect_status(1);
        assert_no_secret("standard output", &ended.stdout);
        assert_no_secret("standard error", &ended.stderr);
    }
}

#[test]
#[ignore = "needs docker"]
fn reports_for_machines_tell_of_artifacts() {
    let sandbox = Sandbox::new();
    let made = template(
        &sandbox,
        json!({}),
        json!([shell(&["echo 'one, two'; echo wrong >&2"])]),
        json!([[tag(&sandbox), { "type": "docker-save", "path": "image.tar" }]]),
    );
    let ended = sandbox.apply(&made, &["-format=json"]).expect_status(0);
    let statuses = statuses(&sandbox, &ended);
    assert!(statuses.values().all(|status| status == "ran"), "{statuses:?}");
    let lines = ended.json_lines();
    assert_eq!(lines[0]["event"], "run_started");
    let last = lines.last().expect("has events");
    assert_eq!(last["event"], "run_finished");
    let ids: Vec<&str> =
        last["artifacts"].as_array().expect("has artifacts").iter().filter_map(|one| one["id"].as_str()).collect();
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", &name_of(&sandbox)]);
    assert!(ids.contains(&image.as_str()), "{ids:?}");
    let output = |stream: &str| {
        let lines = lines.iter().filter(move |line| line["event"] == "node_output" && line["stream"] == stream);
        lines.filter_map(|line| line["line"].as_str()).collect::<Vec<_>>()
    };
    assert_eq!((output("stdout"), output("stderr")), (vec!["one, two"], vec!["wrong"]));

    let ended = run(&mut sandbox.rpk(&["-machine-readable", "build", "-no-cache", "template.json"])).expect_status(0);
    let mut ids = Vec::new();
    for line in ended.stdout.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        assert!(fields.len() > 3 && fields[0].parse::<u64>().is_ok(), "{line}");
        if fields[2..] == ["artifact", fields[3], "id", fields[fields.len() - 1]] {
            ids.push(fields[fields.len() - 1]);
        }
    }
    let image = docker(&["image", "inspect", "--format", "{{.Id}}", &name_of(&sandbox)]);
    assert!(ids.contains(&image.as_str()), "{ids:?}:\n{}", ended.stdout);
    assert_contains(&ended.stdout, &["one%!(PACKER_COMMA) two"]);
}

#[test]
#[ignore = "needs docker"]
fn a_failed_post_processor_does_not_cost_the_image() {
    let sandbox = Sandbox::new();
    let fails = json!({ "type": "shell-local", "inline": ["exit 4"] });
    let ended = sandbox.apply(&template(&sandbox, json!({}), json!([]), json!([[fails], [tag(&sandbox)]])), &[]);
    let ended = ended.expect_status(1);
    assert_contains(&ended.stderr, &["docker/post-process/0.0", "exit status: 4"]);
    assert_eq!(sandbox.image_names(), [format!("{}:latest", name_of(&sandbox))]);
}

#[test]
#[ignore = "needs docker"]
fn what_a_manifest_passes_on_is_not_lost_with_the_next_step() {
    let sandbox = Sandbox::new();
    let import = json!({ "type": "docker-import", "repository": name_of(&sandbox) });
    let sequence = json!([[{ "type": "manifest", "output": "m.json" }, import]]);
    sandbox.apply(&template(&sandbox, json!({ "export_path": "root.tar" }), json!([]), sequence), &[]).expect_status(0);
    assert!(sandbox.path("root.tar").exists());
    assert_eq!(sandbox.image_names(), [format!("{}:latest", name_of(&sandbox))]);
}

#[test]
#[ignore = "needs docker"]
fn files_go_where_packer_fails() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("real")).expect("the folder is writable");
    sandbox.write("real/a.txt", "a\n");
    std::os::unix::fs::symlink("real", sandbox.path("linked")).expect("the folder is writable");
    sandbox.write("two words.txt", "b\n");
    let file =
        |source: &str, destination: &str| json!({ "type": "file", "source": source, "destination": destination });
    let get = |sources: &[&str], destination: &str| json!({ "type": "file", "direction": "download", "sources": sources, "destination": destination });
    let provisioners = json!([
        shell(&["mkdir -p /srv/tree/sub && echo deep > /srv/tree/sub/deep && ln -s sub /srv/tree/link && echo x > /srv/x"]),
        file("linked", "/srv/linked"),
        file("two words.txt", "/srv/two words.txt"),
        { "type": "file", "content": "it's\ncontent", "destination": "/srv/content" },
        { "type": "file", "content": "c", "destination": "/srv/tree/" },
        get(&["/srv/x", "/srv/content"], "several/"),
        get(&["/srv/tree/"], "folder"),
    ]);
    sandbox.apply(&template(&sandbox, json!({}), provisioners, json!([tag(&sandbox)])), &[]).expect_status(0);
    assert_eq!(
        in_image(&sandbox, "cat /srv/linked/a.txt '/srv/two words.txt'; ls /srv/tree"),
        "a\nb\nlink\npkr-file-content\nsub"
    );
    assert_eq!(in_image(&sandbox, "cat /srv/content; stat -c ' %a %u' /srv/content"), "it's\ncontent 600 0");
    let read = |name: &str| std::fs::read_to_string(sandbox.path(name)).expect("was downloaded");
    assert_eq!((read("several/x").as_str(), read("several/content").as_str()), ("x\n", "it's\ncontent"));
    assert_eq!(read("folder/sub/deep"), "deep\n");
    assert!(sandbox.path("folder/link").is_symlink());
}

#[test]
#[ignore = "needs docker"]
fn transfers_that_cannot_be_are_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("a.txt", "a\n");
    let options = json!({ "tmpfs": ["/memory"] });
    for (mut file, reason) in [
        (json!({ "source": "a.txt", "destination": "/nowhere/a.txt" }), "/nowhere"),
        (json!({ "source": "a.txt", "destination": "/tmp" }), "cannot overwrite directory"),
        (json!({ "source": "a.txt", "destination": "/memory/a.txt" }), "memory file system"),
        (json!({ "source": "gone.txt", "destination": "/gone.txt", "generated": true }), "reading gone.txt"),
        (json!({ "source": "/gone", "destination": "gone", "direction": "download" }), "/gone"),
        (json!({ "source": "/etc", "destination": "etc", "direction": "download" }), "is a folder"),
    ] {
        file["type"] = "file".into();
        let ended = sandbox.apply(&template(&sandbox, options.clone(), json!([file]), json!([])), &[]).expect_status(1);
        assert_contains(&ended.stderr, &["docker/provision/0", reason]);
        assert!(!ended.stderr.contains("hyper"), "{}", ended.stderr);
        assert_no_containers(&sandbox);
    }
}

#[test]
#[ignore = "needs docker"]
fn scripts_run_where_packer_fails() {
    let sandbox = Sandbox::new();
    let provisioners = json!([
        // Its own first line stands; its standard input is empty.
        shell(&["#!/bin/sh", "false", "cat > /stdin", "echo own > /own"]),
        { "type": "shell", "inline": ["echo $A > /a"], "env": { "A": "it's" } },
        { "type": "shell", "inline": ["exit 9"], "valid_exit_codes": [9] },
    ]);
    let made = template(&sandbox, json!({}), provisioners, json!([tag(&sandbox)]));
    let since = Instant::now();
    sandbox.apply(&made, &[]).expect_status(0);
    assert!(since.elapsed() < Duration::from_secs(20));
    assert_eq!(in_image(&sandbox, "cat /own /a; wc -c < /stdin"), "own\nit's\n0");
}

#[test]
#[ignore = "needs docker"]
fn commands_can_have_a_user_and_a_terminal_of_their_own() {
    let sandbox = Sandbox::new();
    let options = json!({ "exec_user": "1000:1000", "pty": true });
    let provisioners = json!([shell(&["id -u > /tmp/user", "test -t 1 && echo terminal > /tmp/terminal"])]);
    sandbox.apply(&template(&sandbox, options, provisioners, json!([tag(&sandbox)])), &[]).expect_status(0);
    assert_eq!(in_image(&sandbox, "cat /tmp/user /tmp/terminal"), "1000\nterminal");
}

#[test]
#[ignore = "needs docker"]
fn much_output_arrives_whole_and_in_order() {
    let sandbox = Sandbox::new();
    let script = shell(&["seq 1 20000", "printf 'no end'"]);
    let ended =
        sandbox.apply(&template(&sandbox, json!({ "discard": true }), json!([script]), json!([])), &["-format=json"]);
    let ended = ended.expect_status(0);
    let lines = ended.json_lines();
    let printed = lines.iter().filter(|line| line["stream"] == "stdout").filter_map(|line| line["line"].as_str());
    let expected: Vec<String> = (1..=20000).map(|number| number.to_string()).chain(["no end".to_owned()]).collect();
    assert!(printed.eq(expected.iter().map(String::as_str)));
}
