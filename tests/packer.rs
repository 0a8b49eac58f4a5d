//! Every template of `fixtures/` is accepted or refused, and inspected, as Packer does it.

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
#[ignore = "needs packer"]
fn templates_are_judged_and_inspected_as_packer_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut templates = Vec::new();
    collect(&root, &is_template, &mut templates);
    templates.sort();
    assert!(templates.len() > 20, "found {}", templates.len());
    let mut differences = Vec::new();
    for template in templates {
        let name = template.strip_prefix(&root).expect("is below").display().to_string();
        let ours = Judgement::of(env!("CARGO_BIN_EXE_rpk"), &template);
        let theirs = Judgement::of("packer", &template);
        if ours != theirs {
            differences.push(format!("{name}:\n  rpk    {ours:?}\n  packer {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
#[ignore = "needs packer"]
fn hcl_files_are_formatted_as_packer_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files = Vec::new();
    collect(&root, &|path| path.to_string_lossy().ends_with(".hcl"), &mut files);
    assert!(files.len() > 3, "found {}", files.len());
    for file in files {
        let format = |program: &str| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let copy = folder.path().join("copy.pkr.hcl");
            std::fs::copy(&file, &copy).expect("is readable");
            let output = Command::new(program).arg("fmt").arg(&copy).env("CHECKPOINT_DISABLE", "1").output();
            let output = output.unwrap_or_else(|error| panic!("{program} does not run: {error}"));
            let text = std::fs::read_to_string(&copy).expect("is readable");
            (output.status.success(), text)
        };
        assert_eq!(format(env!("CARGO_BIN_EXE_rpk")), format("packer"), "{}", file.display());
    }
}

/// What a program says of a template: the verdict on its form, and what it consists of.
#[derive(Debug, PartialEq)]
struct Judgement {
    has_valid_syntax: bool,
    is_inspected: bool,
    variables: Vec<String>,
    components: Vec<String>,
}

impl Judgement {
    fn of(program: &str, template: &Path) -> Self {
        let run = |arguments: &[&str]| {
            let folder = template.parent().expect("is in a folder");
            let output = Command::new(program)
                .args(arguments)
                .arg(template)
                .current_dir(folder)
                .env("CHECKPOINT_DISABLE", "1")
                .output()
                .unwrap_or_else(|error| panic!("{program} does not run: {error}"));
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let (has_valid_syntax, _) = run(&["validate", "-syntax-only"]);
        let (is_inspected, lines) = run(&["inspect", "-machine-readable"]);
        let lines: Vec<&str> = lines.lines().filter_map(|line| line.splitn(3, ',').nth(2)).collect();
        let of = |kinds: &[&str]| -> Vec<String> {
            let is_wanted = |line: &&&str| kinds.iter().any(|kind| line.starts_with(&format!("template-{kind},")));
            lines.iter().filter(is_wanted).map(|line| (*line).to_owned()).collect()
        };
        let mut variables = of(&["variable"]);
        // Packer lists them in no order.
        variables.sort();
        let mut components = of(&["builder"]);
        components.extend(of(&["provisioner"]));
        Self { has_valid_syntax, is_inspected, variables, components }
    }
}

fn collect(folder: &Path, is_wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("is a folder") {
        let path = entry.expect("is readable").path();
        if path.is_dir() {
            collect(&path, is_wanted, found);
        } else if is_wanted(&path) {
            found.push(path);
        }
    }
}

/// Tells whether a file speaks of builders; beside templates, outputs of `fix` do, and may be judged as well.
fn is_template(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        && std::fs::read_to_string(path).unwrap_or_default().contains("\"builders\"")
}
