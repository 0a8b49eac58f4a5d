//! Plans under review: compared with others, saved, and run only as long as they hold.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder with a template.
struct Project(TempDir);

/// What a command wrote, and how it ended.
struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        for name in ["home", "work"] {
            std::fs::create_dir(project.0.path().join(name)).expect("the folder is writable");
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join("work").join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }

    fn run(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        folder: &str,
        line: &[&str],
        environment: &[(&str, &str)],
    ) -> Ended {
        let mut command = Command::new(program);
        command.args(line).current_dir(self.0.path().join("work").join(folder)).env_clear().stdin(Stdio::null());
        command.env("RPK_PLUGINS", "off");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.0.path().join("home"));
        for name in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{name}_NAME"), "a").env(format!("GIT_{name}_EMAIL"), "a@example.org");
        }
        command.envs(environment.iter().copied());
        let output = command.output().expect("the program runs");
        Ended {
            status: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn rpk(&self, line: &[&str], status: i32) -> Ended {
        self.rpk_in("", line, status, &[])
    }

    #[track_caller]
    fn rpk_in(&self, folder: &str, line: &[&str], status: i32, environment: &[(&str, &str)]) -> Ended {
        let ended = self.run(env!("CARGO_BIN_EXE_rpk"), folder, line, environment);
        assert_eq!(ended.status, status, "{line:?}\nstdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        ended
    }

    fn commit(&self) {
        for line in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message=a"]] {
            let ended = self.run("git", "", line, &[]);
            assert_eq!(ended.status, 0, "{}", ended.stderr);
        }
    }
}

const JSON: &str = r#"{
  "variables": {"tag": "1", "password": "hunter2"},
  "sensitive-variables": ["password"],
  "builders": [{"type": "null", "communicator": "none"}],
  "provisioners": [
    {"type": "shell-local", "inline": ["echo one"]},
    {"type": "shell-local", "inline": ["echo {{user `tag`}} >> log", "test {{user `password`}}"]}
  ]
}"#;

const HCL: &str = r#"
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["source.null.a"]
  provisioner "shell-local" {
    inline = ["echo ${path.cwd}", file("words")]
  }
}
"#;

#[test]
fn a_change_is_compared_with_a_revision() {
    let project = Project::new();
    project.write("t.json", JSON);
    project.commit();
    project.write("t.json", &JSON.replace("echo one", "echo two"));
    let ended = project.rpk(&["plan", "-against=HEAD", "t.json"], 0);
    assert!(ended.stdout.contains("inline[0]: echo one → echo two"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("This change re-runs 3 of 4 nodes.\n"), "{}", ended.stdout);
    let markdown = project.rpk(&["plan", "-against=HEAD", "-format=markdown", "t.json"], 0);
    assert!(markdown.stdout.contains("**This change re-runs 3 of 4 nodes.**"), "{}", markdown.stdout);
    let json = project.rpk(&["plan", "-against=HEAD", "-format=json", "t.json"], 0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(json["summary"]["reruns"], 3);
    project.rpk(&["plan", "-against=HEAD", "-detailed-exitcode", "t.json"], 2);
    project.commit();
    let same = project.rpk(&["plan", "-against=HEAD", "-detailed-exitcode", "t.json"], 0);
    assert!(same.stdout.ends_with("\n\nThis change re-runs none of 4 nodes.\n"), "{}", same.stdout);
}

#[test]
fn files_are_those_of_the_revision_wherever_rpk_stands() {
    let project = Project::new();
    project.write("images/t.pkr.hcl", HCL);
    project.write("images/words", "echo one");
    project.write("images/other/unchanged", "");
    project.commit();
    project.write("images/words", "echo two");
    let absolute = project.0.path().join("work/images").display().to_string();
    let cases =
        [("images", "."), ("images", "t.pkr.hcl"), ("", "images"), ("images/other", ".."), ("images", &absolute)];
    for (folder, template) in cases {
        let ended = project.rpk_in(folder, &["plan", "-against=HEAD", template], 0, &[]);
        assert!(ended.stdout.contains("words: echo one → echo two"), "{template}: {}", ended.stdout);
        assert!(!ended.stdout.contains("inline[0]"), "{template}: {}", ended.stdout);
    }
}

#[test]
fn contents_of_files_and_files_of_variables_are_those_of_the_revision() {
    let project = Project::new();
    let template = r#"{
      "variables": {"tag": "0"},
      "builders": [{"type": "docker", "image": "debian", "commit": true}],
      "provisioners": [
        {"type": "shell", "script": "a.sh"},
        {"type": "file", "source": "folder/", "destination": "/srv"},
        {"type": "shell", "inline": ["echo {{user `tag`}}"]}
      ]
    }"#;
    for (name, text) in [("t.json", template), ("a.sh", "one"), ("folder/x", "one"), ("v.json", r#"{"tag": "1"}"#)] {
        project.write(name, text);
    }
    project.commit();
    let line = ["plan", "-offline", "-against=HEAD", "-var-file=v.json", "t.json"];
    let same = project.rpk(&line, 0);
    assert!(same.stdout.contains("re-runs none of 5 nodes"), "{}", same.stdout);
    for (file, text, words) in [
        ("a.sh", "two", "file:a.sh: sha256:"),
        ("folder/x", "two", "folder/x: sha256:"),
        ("v.json", r#"{"tag": "2"}"#, "var:tag: 1 → 2"),
    ] {
        project.write(file, text);
        let ended = project.rpk(&line, 0);
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    // One file more, one file less.
    project.commit();
    project.write("folder/y", "");
    let ended = project.rpk(&line, 0);
    assert!(ended.stdout.contains("folder/y: nothing → sha256:"), "{}", ended.stdout);
}

#[test]
fn what_there_is_nothing_to_compare_with_is_said() {
    let project = Project::new();
    project.write("t.json", JSON);
    let ended = project.rpk(&["plan", "-against=HEAD", "t.json"], 1);
    assert!(ended.stderr.contains("not a git repository"), "{}", ended.stderr);
    project.write("other", "x");
    project.commit();
    let ended = project.rpk(&["plan", "-against=nothing", "t.json"], 1);
    assert!(ended.stderr.contains("nothing is neither a file nor a revision"), "{}", ended.stderr);
    let ended = project.rpk(&["plan", "-against=--help", "t.json"], 1);
    assert!(ended.stderr.contains("is neither a file nor a revision"), "{}", ended.stderr);
    project.write("new.json", JSON);
    let ended = project.rpk(&["plan", "-against=HEAD", "new.json"], 0);
    assert!(ended.stdout.contains("re-runs 4 of 4 nodes, all of them new."), "{}", ended.stdout);
}

#[test]
fn a_change_is_compared_with_files_of_all_kinds() {
    let project = Project::new();
    project.write("old.json", JSON);
    project.write("t.json", &JSON.replace("echo one", "echo two"));
    let json = project.rpk(&["plan", "-format=json", "old.json"], 0).stdout;
    project.write("old.plan.json", &json);
    project.rpk(&["plan", "-out=old.plan", "old.json"], 0);
    for against in ["old.json", "old.plan.json", "old.plan"] {
        let ended = project.rpk(&["plan", "-against", against, "t.json"], 0);
        assert!(ended.stdout.contains("re-runs 3 of 4 nodes."), "{against}: {}", ended.stdout);
        let same = project.rpk(&["plan", "-against", against, "old.json"], 0);
        assert!(same.stdout.contains("re-runs none of 4 nodes."), "{against}: {}", same.stdout);
    }
}

#[test]
fn a_saved_plan_runs_once_nothing_has_changed_and_holds_no_secret() {
    let project = Project::new();
    project.write("t.json", JSON);
    project.rpk(&["plan", "-out=the plan", "-var=tag=2", "-var=password=swordfish", "t.json"], 0);
    let path = project.0.path().join("work/the plan");
    let text = std::fs::read_to_string(&path).expect("the plan is there");
    assert!(!text.contains("swordfish") && !text.contains("hunter2"), "{text}");
    let mode = std::fs::metadata(&path).expect("the plan is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = || Path::exists(&project.0.path().join("work/log"));

    let ended = project.rpk(&["apply", "the plan"], 1);
    assert!(ended.stderr.contains("variable `password` is not what it was"), "{}", ended.stderr);
    assert!(ended.stderr.contains("-var password=…"), "{}", ended.stderr);
    assert!(!log());
    let ended = project.rpk(&["apply", "-only=null", "the plan"], 1);
    assert!(ended.stderr.contains("its own `-only`"), "{}", ended.stderr);

    project.rpk(&["apply", "-var=password=swordfish", "the plan"], 0);
    assert!(log());
}

#[test]
fn a_stale_plan_is_refused_by_the_name_of_what_changed() {
    let cases: [(&str, &str, &str); 3] = [
        ("t.json", "echo one", "the template changed: `inline[0]` of null/provision/0"),
        ("values.json", "7", "variable `tag` changed: 7 → 8"),
        ("t.json", "\"shell-local\", \"inline\": [\"echo one\"]", "the template changed: "),
    ];
    for (file, what, words) in cases {
        let project = Project::new();
        project.write("t.json", JSON);
        project.write("values.json", r#"{"tag": "7"}"#);
        project.rpk(&["plan", "-out=p", "-var-file=values.json", "t.json"], 0);
        let text = std::fs::read_to_string(project.0.path().join("work").join(file)).expect("it is there");
        let new = if what == "7" { "8" } else { "\"sleep\", \"duration\": \"1ms\"" };
        let new = if what == "echo one" { "echo uno" } else { new };
        project.write(file, &text.replace(what, new));
        let ended = project.rpk(&["apply", "p"], 1);
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
        assert!(!project.0.path().join("work/log").exists());
    }
}

#[test]
fn a_plan_of_stored_results_is_refused_once_they_are_gone() {
    let project = Project::new();
    project.write("t.json", r#"{"builders": [{"type": "null", "communicator": "none"}]}"#);
    project.rpk(&["apply", "t.json"], 0);
    let planned = project.rpk(&["plan", "-out=p", "t.json"], 0);
    assert!(planned.stdout.contains("Plan: 2 nodes, 0 to run, 2 cached"), "{}", planned.stdout);
    project.rpk(&["apply", "p"], 0);
    let cache = project.0.path().join("home/.cache/rpk");
    std::fs::remove_dir_all(cache.join("results")).expect("results are stored");
    let ended = project.rpk(&["apply", "p"], 1);
    assert!(ended.stderr.contains("the stored result of null/"), "{}", ended.stderr);
    std::fs::remove_dir_all(&cache).expect("there is a cache");
    let ended = project.rpk(&["apply", "p"], 1);
    assert!(ended.stderr.contains("saved with another cache"), "{}", ended.stderr);
    // And the other way round.
    project.rpk(&["plan", "-out=p", "t.json"], 0);
    project.rpk(&["apply", "t.json"], 0);
    let ended = project.rpk(&["apply", "p"], 1);
    assert!(ended.stderr.contains("was to run, and its result is stored now"), "{}", ended.stderr);
    let ended = project.rpk(&["apply", "-no-cache", "p"], 1);
    assert!(ended.stderr.contains("a saved plan runs as it is"), "{}", ended.stderr);
}

#[test]
fn time_and_random_ids_are_those_of_the_saved_plan() {
    let project = Project::new();
    project.write("t.json", &JSON.replace("echo one", "echo {{timestamp}} {{uuid}}"));
    project.rpk(&["plan", "-out=p", "t.json"], 0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    project.rpk(&["apply", "p"], 0);
}

#[test]
fn damaged_and_foreign_plans_are_refused() {
    let project = Project::new();
    project.write("t.json", JSON);
    project.rpk(&["plan", "-out=p", "t.json"], 0);
    let text = std::fs::read_to_string(project.0.path().join("work/p")).expect("it is there");
    project.write("short", &text[..text.len() / 2]);
    project.write("new", &text.replace("\"rpk_saved_plan\": \"1.0\"", "\"rpk_saved_plan\": \"9.0\""));
    for (file, words) in [("short", "it is damaged"), ("new", "version 9.0; this rpk reads 1.0")] {
        let ended = project.rpk(&["apply", file], 1);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    let ended = project.rpk(&["plan", "-out=p", "-against=HEAD", "t.json"], 1);
    assert!(ended.stderr.contains("cannot be used with"), "{}", ended.stderr);
}
