//! What rpk prints, command by command, as recorded in `snapshots/`.
//!
//! Each folder `fixtures/{plan,diagnostics,cli}/CASE/` holds a file `commands`, one command line a line without the
//! program's name; lines that start with `#` are comments, and `NAME=value` words at the start of a line are set in
//! the environment. They run in the folder. A new folder is a new case; its recorded output is the review.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn plans_print_as_recorded() {
    record_all("plan");
}

#[test]
fn diagnostics_print_as_recorded() {
    record_all("diagnostics");
}

#[test]
fn commands_print_as_recorded() {
    record_all("cli");
}

fn record_all(category: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(category);
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(&root).expect("the folder exists").map(|entry| entry.expect("is readable").path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../snapshots/{category}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // What differs from machine to machine and from run to run has a word in its place.
    settings.add_filter(&regex_escape(&root.display().to_string()), "[FIXTURES]");
    settings.add_filter(r"(?m)^\d{10},", "[TIME],");
    settings.add_filter(r"rpk v?\d+\.\d+\.\d+", "rpk [VERSION]");
    settings.add_filter(r#""rpk_version": "[^"]+""#, r#""rpk_version": "[VERSION]""#);
    settings.add_filter(r"\d+ (?:milli|micro)?seconds?(?: \d+ (?:milli|micro)seconds?)?", "[DURATION]");
    settings.add_filter(", at unix:///nowhere/docker.sock", "");
    settings.bind(|| {
        for case in cases {
            let name = case.file_name().expect("is a folder").to_string_lossy().into_owned();
            insta::assert_snapshot!(name, transcript(&case));
        }
    });
}

/// Runs a case's commands and writes down what they print.
fn transcript(case: &Path) -> String {
    let commands = std::fs::read_to_string(case.join("commands")).expect("a case has a file `commands`");
    let mut out = String::new();
    // A case begins with nothing stored, and with a secret that is always the same.
    let cache = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::write(cache.path().join("secret"), [7; 32]).expect("the folder is writable");
    for line in commands.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace().peekable();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpk"));
        command.current_dir(case).env_clear().stdin(Stdio::null());
        // No engine answers, so that no image's digest is known on one machine and not on another.
        command
            .env("RPK_PLUGINS", "off")
            .env("RPK_CACHE_DIR", cache.path())
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        command.env("RPK_ENGINE", "docker");
        while let Some((name, value)) =
            words.peek().and_then(|word| word.split_once('=')).filter(|(name, _)| !name.starts_with('-'))
        {
            command.env(name, value);
            words.next();
        }
        let mut from = None;
        let mut arguments = Vec::new();
        while let Some(word) = words.next() {
            if word == "<" {
                from = words.next();
            } else {
                arguments.push(word);
            }
        }
        if let Some(file) = from {
            command.stdin(std::fs::File::open(case.join(file)).expect("the input exists"));
        }
        let output = command.args(arguments).output().expect("rpk runs");
        writeln!(out, "$ rpk {line}").expect("is memory");
        for (name, bytes) in [("", &output.stdout), ("stderr:\n", &output.stderr)] {
            if !bytes.is_empty() {
                write!(out, "{name}{}", String::from_utf8_lossy(bytes)).expect("is memory");
            }
        }
        writeln!(out, "[exit status {}]\n", output.status.code().expect("rpk ends by itself")).expect("is memory");
    }
    out
}

fn regex_escape(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") }).collect()
}
