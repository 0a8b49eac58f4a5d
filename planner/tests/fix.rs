//! Whole templates through all fixers, against recorded output and against Packer itself.
//!
//! `fixtures/fix/NAME.json` is a template. Beside it stands `NAME.fixed.json`, what `packer fix` prints for it byte for
//! byte, or `NAME.error.txt`, our message for a template that Packer refuses or crashes on. Set `RECORD=1` to write
//! them anew, then run the ignored test.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpk_planner::fix::{fix, print};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/fix");

#[test]
fn every_template_is_fixed_as_recorded() {
    for template in templates() {
        let (extension, ours) = match fixed(&template) {
            Ok(text) => ("fixed.json", text),
            Err(message) => ("error.txt", message + "\n"),
        };
        let recorded = template.with_extension(extension);
        if std::env::var_os("RECORD").is_some() {
            fs::write(&recorded, &ours).unwrap();
        }
        let expected = fs::read_to_string(&recorded).unwrap_or_else(|e| panic!("{}: {e}", recorded.display()));
        assert_eq!(ours, expected, "{}", template.display());
    }
}

#[test]
#[ignore = "needs packer 1.6.6"]
fn packer_fixes_every_template_as_recorded() {
    let work = std::env::temp_dir().join(format!("packer-fix-{}", std::process::id()));
    fs::create_dir_all(&work).unwrap();
    for template in templates() {
        let packer = Command::new("packer")
            .args(["fix", "-validate=false"])
            .arg(&template)
            // A crash leaves its log in the working directory.
            .current_dir(&work)
            .env("CHECKPOINT_DISABLE", "1")
            .output()
            .unwrap();
        let theirs = packer.status.success().then(|| String::from_utf8(packer.stdout).unwrap());
        let recorded = fs::read_to_string(template.with_extension("fixed.json")).ok();
        assert_eq!(recorded, theirs, "{}", template.display());
    }
    fs::remove_dir_all(&work).unwrap();
}

fn templates() -> Vec<PathBuf> {
    let mut templates: Vec<_> = fs::read_dir(FIXTURES)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let stem = path.file_stem().map(Path::new);
            path.extension() == Some(OsStr::new("json")) && stem.is_some_and(|stem| stem.extension().is_none())
        })
        .collect();
    templates.sort();
    assert!(!templates.is_empty());
    templates
}

fn fixed(template: &Path) -> Result<String, String> {
    let text = fs::read_to_string(template).unwrap();
    // Like Packer, and unlike `from_str`, this lets text stand after the template.
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let value = values.next().unwrap().unwrap();
    fix(value).map(|fixed| print(&fixed.template)).map_err(|e| e.to_string())
}
