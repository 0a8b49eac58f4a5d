//! The cache on a real engine: what is not run again, what is, and that both give the same.

mod common;

use std::collections::BTreeMap;

use common::building::{assert_contains, assert_no_containers, in_image, name_of, shell, tag, template};
use common::{Ended, Running, Sandbox, docker, engine, run, tree};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// How nodes were planned, and how they ended, by node.
type Fates = BTreeMap<String, String>;

fn planned(sandbox: &Sandbox) -> (Fates, Json) {
    let plan = run(&mut sandbox.rpk(&["plan", "-format=json", "template.json"])).expect_status(0);
    let plan: Json = serde_json::from_str(&plan.stdout).expect("the plan is JSON");
    let word = |node: &Json, name: &str| node[name].as_str().unwrap_or_default().to_owned();
    let nodes = plan["nodes"].as_array().expect("has nodes");
    (nodes.iter().map(|node| (word(node, "id"), word(node, "action"))).collect(), plan)
}

fn finished(ended: &Ended) -> Fates {
    let mut fates = Fates::new();
    for event in ended.json_lines().iter().filter(|event| event["event"] == "node_finished") {
        let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(fates.insert(word("node"), word("status")), None, "{event}");
    }
    fates
}

/// Plans and applies; checks that what the plan said is what came of it. Returns the nodes that ran.
#[track_caller]
fn apply(sandbox: &Sandbox, template: &Json, flags: &[&str]) -> Vec<String> {
    sandbox.template(template);
    let (plan, _) = planned(sandbox);
    let mut all = vec!["-format=json", "-snapshots=always"];
    all.extend(flags);
    let ended = finished(&sandbox.apply(template, &all).expect_status(0));
    for (node, action) in &plan {
        let expected = if action == "run" { "ran" } else { action };
        assert_eq!(ended.get(node).map(String::as_str), Some(expected), "{node}");
    }
    assert_no_containers(sandbox);
    ended.into_iter().filter(|(_, status)| status == "ran").map(|(node, _)| node).collect()
}

fn reason(sandbox: &Sandbox, node: &str) -> (String, Vec<String>) {
    let (_, plan) = planned(sandbox);
    let node = plan["nodes"].as_array().expect("has nodes").iter().find(|found| found["id"] == node);
    let reason = &node.expect("there is such a node")["reason"];
    let changes = reason["changes"].as_array().expect("has changes").iter();
    let inputs = changes.filter_map(|change| change["input"].as_str()).map(str::to_owned).collect();
    (reason["code"].as_str().unwrap_or_default().to_owned(), inputs)
}

/// What an image is: its configuration and its files.
fn image(name: &str) -> (Json, tree::Tree) {
    let config: Json = serde_json::from_str(&docker(&["image", "inspect", "--format", "{{json .Config}}", name]))
        .expect("the engine writes JSON");
    let mut config = config;
    // The container's own name is another each time.
    config.as_object_mut().expect("is an object").remove("Hostname");
    let container = engine::Container::create(name);
    (config, tree::of_container(&container.0, 0))
}

fn three_steps(sandbox: &Sandbox, last: &str) -> Json {
    let steps = json!([shell(&["echo one > /one"]), shell(&["echo two >> /two"]), shell(&[last])]);
    template(sandbox, json!({ "changes": ["CMD [\"sh\"]", "ENV A=b", "EXPOSE 80"] }), steps, json!([tag(sandbox)]))
}

#[test]
#[ignore = "needs docker"]
fn what_did_not_change_is_not_run_again() {
    let sandbox = Sandbox::new();
    let first = three_steps(&sandbox, "echo three > /three");
    assert_eq!(apply(&sandbox, &first, &[]).len(), 6);
    let cold = image(&name_of(&sandbox));
    assert_eq!(apply(&sandbox, &first, &[]), [""; 0]);
    let second = three_steps(&sandbox, "echo THREE > /three");
    let tail = ["docker/capture", "docker/post-process/0.0", "docker/provision/2"];
    sandbox.template(&second);
    assert_eq!(reason(&sandbox, "docker/provision/2"), ("input-changed".to_owned(), vec!["inline[0]".to_owned()]));
    assert_eq!(apply(&sandbox, &second, &[]), tail);
    assert_eq!(in_image(&sandbox, "cat /one /two /three"), "one\ntwo\nTHREE");
    // Back to what was: the tag leads elsewhere now, and that is all there is to do.
    assert_eq!(apply(&sandbox, &first, &[]), ["docker/post-process/0.0"]);
    assert_eq!(image(&name_of(&sandbox)), cold);
}

#[test]
#[ignore = "needs docker"]
fn a_build_that_went_on_from_a_state_gives_what_a_cold_one_gives() {
    let sandbox = Sandbox::new();
    apply(&sandbox, &three_steps(&sandbox, "echo three > /three"), &[]);
    let second = three_steps(&sandbox, "rm /one; echo 3 > /three; mkdir /d; ln -s /two /d/link");
    assert_eq!(apply(&sandbox, &second, &[]).len(), 3);
    let warm = image(&name_of(&sandbox));
    let ended = sandbox.apply(&second, &["-no-cache", "-format=json"]).expect_status(0);
    assert!(finished(&ended).values().all(|status| status == "ran"));
    assert_eq!(image(&name_of(&sandbox)), warm);
}

#[test]
#[ignore = "needs docker"]
fn files_count_by_their_content_and_mode() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("app/sub")).expect("is writable");
    sandbox.write("app/sub/a.txt", "one");
    sandbox.write("script.sh", "echo script > /script\n");
    let upload = json!({ "type": "file", "source": "app", "destination": "/app" });
    let script = json!({ "type": "shell", "script": "script.sh" });
    let made = template(&sandbox, json!({}), json!([upload, script]), json!([tag(&sandbox)]));
    apply(&sandbox, &made, &[]);
    assert_eq!(apply(&sandbox, &made, &[]), [""; 0]);
    let named = |input: &str| ("input-changed".to_owned(), vec![input.to_owned()]);
    sandbox.write("script.sh", "echo SCRIPT > /script\n");
    assert_eq!(reason(&sandbox, "docker/provision/1"), named("file:script.sh"));
    assert_eq!(apply(&sandbox, &made, &[]), ["docker/capture", "docker/post-process/0.0", "docker/provision/1"]);
    assert_eq!(in_image(&sandbox, "cat /script"), "SCRIPT");
    sandbox.write("app/sub/a.txt", "two");
    assert_eq!(reason(&sandbox, "docker/provision/0"), named("file:app/sub/a.txt"));
    apply(&sandbox, &made, &[]);
    assert_eq!(in_image(&sandbox, "cat /app/sub/a.txt"), "two");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("app/sub/a.txt"), mode).expect("is ours");
    assert_eq!(reason(&sandbox, "docker/provision/0"), named("file:app/sub/a.txt"));
    sandbox.write("app/new", "");
    assert_eq!(reason(&sandbox, "docker/provision/0").1, ["file:app/new", "file:app/sub/a.txt"]);
}

#[test]
#[ignore = "needs docker"]
fn an_image_counts_by_its_content() {
    let sandbox = Sandbox::new();
    let made = three_steps(&sandbox, "true");
    apply(&sandbox, &made, &[]);
    engine::label_image(&sandbox.image, &sandbox.image, "ENV MOVED=yes");
    assert_eq!(reason(&sandbox, "docker/boot"), ("input-changed".to_owned(), vec!["image".to_owned()]));
    assert_eq!(apply(&sandbox, &made, &[]).len(), 6);
    assert_eq!(in_image(&sandbox, "echo $MOVED"), "yes");
}

#[test]
#[ignore = "needs docker"]
fn what_was_taken_away_or_changed_is_made_again() {
    let sandbox = Sandbox::new();
    let made = three_steps(&sandbox, "true");
    apply(&sandbox, &made, &[]);
    docker(&["rmi", &name_of(&sandbox)]);
    assert_eq!(reason(&sandbox, "docker/post-process/0.0").0, "artifact-missing");
    apply(&sandbox, &made, &[]);
    assert_eq!(in_image(&sandbox, "cat /one"), "one");

    let exported = template(&sandbox, json!({ "export_path": "out.tar" }), json!([shell(&["true"])]), json!([]));
    apply(&sandbox, &exported, &[]);
    assert_eq!(apply(&sandbox, &exported, &[]), [""; 0]);
    let content = std::fs::read(sandbox.path("out.tar")).expect("is there");
    sandbox.write("out.tar", "changed");
    assert_eq!(reason(&sandbox, "docker/capture").0, "cached", "there is a copy");
    assert_eq!(apply(&sandbox, &exported, &[]), [""; 0]);
    assert!(std::fs::read(sandbox.path("out.tar")).expect("is there") == content);
    std::fs::remove_dir_all(sandbox.outside("home/.cache/rpk/files")).expect("is there");
    std::fs::remove_file(sandbox.path("out.tar")).expect("is there");
    assert_eq!(reason(&sandbox, "docker/capture").0, "artifact-missing");
    assert_eq!(apply(&sandbox, &exported, &[]), ["docker/capture"], "the state after the last provisioner is there");
    assert!(sandbox.path("out.tar").exists());
}

#[test]
#[ignore = "needs docker"]
fn states_that_are_gone_cost_time_and_nothing_else() {
    let sandbox = Sandbox::new();
    apply(&sandbox, &three_steps(&sandbox, "true"), &[]);
    let states = engine::lines(&["images", "-q", "--filter", &sandbox.filter(), "rpk/cache"]);
    assert_eq!(states.len(), 3);
    engine::remove("rmi", &states);
    assert_eq!(apply(&sandbox, &three_steps(&sandbox, "echo 3 > /three"), &[]).len(), 6);
    assert_eq!(in_image(&sandbox, "cat /one /two /three"), "one\ntwo\n3");
}

#[test]
#[ignore = "needs docker"]
fn a_failed_build_goes_on_where_it_stopped() {
    let sandbox = Sandbox::new();
    let ended = sandbox.apply(&three_steps(&sandbox, "exit 3"), &["-snapshots=always"]).expect_status(1);
    assert_contains(&ended.stderr, &["docker/provision/2"]);
    let tail = ["docker/capture", "docker/post-process/0.0", "docker/provision/2"];
    assert_eq!(apply(&sandbox, &three_steps(&sandbox, "echo 3 > /three"), &[]), tail);
    assert_eq!(in_image(&sandbox, "cat /one /two /three"), "one\ntwo\n3");
}

#[test]
#[ignore = "needs docker"]
fn what_runs_each_time_runs_each_time_with_all_that_follows() {
    let sandbox = Sandbox::new();
    let local = json!({ "type": "shell-local", "inline": ["echo again >> ran.txt"] });
    let steps = json!([shell(&["echo one > /one"]), local, shell(&["echo two > /two"])]);
    let made = template(&sandbox, json!({}), steps, json!([]));
    apply(&sandbox, &made, &[]);
    let tail = ["docker/capture", "docker/provision/1", "docker/provision/2"];
    assert_eq!(apply(&sandbox, &made, &[]), tail);
    assert_eq!(std::fs::read_to_string(sandbox.path("ran.txt")).expect("was written"), "again\nagain\n");
    assert_eq!(reason(&sandbox, "docker/provision/1").0, "not-cacheable");
    let mut opted_out = shell(&["true"]);
    opted_out["rpk_cache"] = false.into();
    let made = template(&sandbox, json!({}), json!([shell(&["echo 1"]), opted_out]), json!([]));
    apply(&sandbox, &made, &[]);
    assert_eq!(apply(&sandbox, &made, &[]), ["docker/capture", "docker/provision/1"]);
}

#[test]
#[ignore = "needs docker"]
fn a_state_that_another_machine_would_not_have_is_not_kept() {
    for (options, first) in
        [(json!({}), "sleep 1000 > /dev/null 2>&1 &"), (json!({ "tmpfs": ["/mem"] }), "echo x > /mem/x")]
    {
        let sandbox = Sandbox::new();
        let made = |last: &str| {
            let steps = json!([shell(&[first]), shell(&[last])]);
            template(&sandbox, options.clone(), steps, json!([tag(&sandbox)]))
        };
        let check = "pidof sleep > /found || cat /mem/x > /found";
        apply(&sandbox, &made(&format!("{check}; echo 1")), &[]);
        let ran = apply(&sandbox, &made(&format!("{check}; echo 2")), &[]);
        assert_eq!(ran.len(), 5, "{options} {ran:?}");
        assert_ne!(in_image(&sandbox, "cat /found"), "");
    }
}

#[test]
#[ignore = "needs docker"]
fn a_file_that_changes_while_it_is_used_leaves_no_stale_result() {
    let sandbox = Sandbox::new();
    sandbox.write("a.txt", "one");
    let upload = json!({ "type": "file", "source": "a.txt", "destination": "/a.txt" });
    let change = json!({ "type": "shell-local", "inline": ["printf two > a.txt"] });
    let made = template(&sandbox, json!({}), json!([change, upload]), json!([tag(&sandbox)]));
    apply(&sandbox, &made, &[]);
    let made = template(&sandbox, json!({}), json!([shell(&["true"]), upload]), json!([tag(&sandbox)]));
    sandbox.write("a.txt", "one");
    apply(&sandbox, &made, &[]);
    assert_eq!(in_image(&sandbox, "cat /a.txt"), "one");
}

#[test]
#[ignore = "needs docker"]
fn what_a_killed_run_left_is_removed_and_the_next_one_succeeds() {
    for moment in ["docker/boot", "docker/provision/1", "docker/capture", "docker/post-process/0.0"] {
        let sandbox = Sandbox::new();
        let made = three_steps(&sandbox, "echo 3 > /three");
        sandbox.template(&made);
        let arguments = ["apply", "-format=json", "-snapshots=always", "template.json"];
        let mut running = Running::start(&mut sandbox.rpk(&arguments));
        let started = |node: &str| format!("\"event\":\"node_started\",\"node\":\"{node}\"");
        assert!(running.wait_for(&started(moment)), "{moment}");
        running.signal(Signal::KILL);
        running.end();
        let ended = sandbox.apply(&made, &["-snapshots=always"]).expect_status(0);
        assert_no_containers(&sandbox);
        assert_eq!(in_image(&sandbox, "cat /one /two /three"), "one\ntwo\n3", "{}", ended.stderr);
        // Beside the base there are the three states and the image.
        let images = engine::lines(&["images", "-q", "--no-trunc", "--filter", &sandbox.filter()]);
        let distinct: std::collections::BTreeSet<&String> = images.iter().collect();
        assert_eq!(distinct.len(), 5, "{moment} {}", docker(&["images", "--filter", &sandbox.filter()]));
    }
}

#[test]
#[ignore = "needs docker"]
fn a_build_starts_from_what_another_one_makes() {
    let sandbox = Sandbox::new();
    let builder = |name: &str, image: &str| json!({ "type": "docker", "name": name, "image": image, "commit": true });
    let made = |base: &str, app: &str| {
        let steps = [("zbase", format!("echo {base} > /base")), ("app", format!("cat /base; echo {app} > /app"))];
        let steps = steps.map(|(build, line)| json!({ "type": "shell", "inline": [line], "only": [build] }));
        let mut tag = tag(&sandbox);
        tag["only"] = json!(["app"]);
        json!({
            "builders": [builder("app", "{{artifact `zbase`}}"), builder("zbase", &sandbox.image)],
            "provisioners": steps,
            "post-processors": [tag],
        })
    };
    assert_eq!(apply(&sandbox, &made("one", "two"), &[]).len(), 7);
    assert_eq!(in_image(&sandbox, "cat /base /app"), "one\ntwo");
    assert_eq!(apply(&sandbox, &made("one", "two"), &[]), [""; 0]);
    let of_app = ["app/boot", "app/capture", "app/post-process/0.0", "app/provision/1"];
    assert_eq!(apply(&sandbox, &made("one", "three"), &[]), of_app);
    assert_eq!(apply(&sandbox, &made("other", "three"), &[]).len(), 7);
    assert_eq!(in_image(&sandbox, "cat /base /app"), "other\nthree");
    // What is not chosen is taken along where it is needed.
    sandbox.template(&made("again", "three"));
    let ended = run(&mut sandbox.rpk(&["apply", "-only=app", "-format=json", "template.json"])).expect_status(0);
    let ran = finished(&ended).into_iter().filter(|(_, status)| status == "ran").count();
    assert_eq!(ran, 7);
    assert_eq!(in_image(&sandbox, "cat /base"), "again");
}

#[test]
#[ignore = "needs docker"]
fn a_shell_opens_in_the_state_before_a_node() {
    let sandbox = Sandbox::new();
    sandbox.template(&three_steps(&sandbox, "exit 3"));
    sandbox.write("typed", "ls /one /two /three; cat /two\n");
    let mut shell = sandbox.rpk(&["shell", "docker/provision/2", "template.json"]);
    shell.stdin(std::fs::File::open(sandbox.path("typed")).expect("was written"));
    let ended = run(&mut shell).expect_status(0);
    assert_contains(&ended.stdout, &["/one", "/two", "\ntwo\n"]);
    assert_contains(&ended.stderr, &["/three"]);
    assert_no_containers(&sandbox);
}

#[test]
#[ignore = "needs docker"]
fn pruning_removes_states_and_what_they_are_made_of_stays() {
    let sandbox = Sandbox::new();
    apply(&sandbox, &three_steps(&sandbox, "true"), &[]);
    let states = || engine::lines(&["images", "-q", "--filter", &sandbox.filter(), "rpk/cache"]).len();
    assert_eq!(states(), 3);
    let listed = run(&mut sandbox.rpk(&["cache", "ls", "-format=json"])).expect_status(0);
    let listed: Json = serde_json::from_str(&listed.stdout).expect("is JSON");
    assert_eq!(listed["entries"].as_array().expect("has entries").len(), 5);
    run(&mut sandbox.rpk(&["cache", "verify"])).expect_status(0);
    run(&mut sandbox.rpk(&["cache", "prune", "-all"])).expect_status(0);
    assert_eq!(states(), 0);
    assert_eq!(in_image(&sandbox, "cat /one"), "one");
    assert_eq!(apply(&sandbox, &three_steps(&sandbox, "true"), &[]).len(), 6);
}

#[test]
#[ignore = "needs docker"]
fn two_at_once_do_the_work_once() {
    let sandbox = Sandbox::new();
    let made = three_steps(&sandbox, "sleep 1; echo 3 > /three");
    sandbox.template(&made);
    let start = || Running::start(&mut sandbox.rpk(&["apply", "-format=json", "template.json"]));
    let both = [start(), start()].map(|running| finished(&running.end().expect_status(0)));
    let ran = both.iter().flat_map(BTreeMap::values).filter(|status| *status == "ran").count();
    assert_eq!(ran, 6, "{both:?}");
}

#[test]
#[ignore = "needs docker"]
fn random_edits_never_give_a_stale_result() {
    let sandbox = Sandbox::new();
    let mut random = 7u64;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut words = ["a", "b", "c"].map(str::to_owned).to_vec();
    sandbox.write("file.txt", "0");
    for _ in 0..12 {
        match next(5) {
            0 => words.rotate_left(1),
            1 => words.push(format!("w{}", next(3))),
            2 if words.len() > 2 => drop(words.pop()),
            3 => sandbox.write("file.txt", next(3).to_string()),
            _ => {
                let at = usize::try_from(next(words.len() as u64)).expect("is small");
                words[at] = format!("x{}", next(3));
            }
        }
        let mut steps: Vec<Json> = words.iter().map(|word| shell(&[&format!("echo {word} >> /log")])).collect();
        steps.insert(1, json!({ "type": "file", "source": "file.txt", "destination": "/file.txt" }));
        let made = template(&sandbox, json!({}), Json::Array(steps), json!([tag(&sandbox)]));
        apply(&sandbox, &made, &[]);
        let file = std::fs::read_to_string(sandbox.path("file.txt")).expect("is there");
        let expected = format!("{}\n{file}", words.join("\n"));
        assert_eq!(in_image(&sandbox, "cat /log /file.txt"), expected);
    }
}
