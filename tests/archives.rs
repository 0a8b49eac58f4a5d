//! `compress` and `vagrant` as their users run them, compared with the usual tools and with Packer.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{Ended, Sandbox, run};
use serde_json::{Value as Json, json};

/// The forms that Packer 1.6 makes, with the command that gives back what is in them.
const FORMS: [(&str, &str); 10] = [
    ("gz", "gzip -dc"),
    ("bgzf", "gzip -dc"),
    ("lz4", "lz4 -dc"),
    ("xz", "xz -dc"),
    ("tar", "cat"),
    ("tar.gz", "gzip -dc"),
    ("tar.lz4", "lz4 -dc"),
    ("tar.xz", "xz -dc"),
    ("tar.bgzf", "gzip -dc"),
    ("zip", "unzip -p"),
];

/// Makes a sandbox with a file that is worth compressing.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::without_engine();
    let lines: String = (0..40_000).map(|number| format!("line {number} of {}\n", number % 17)).collect();
    sandbox.write("data", lines);
    sandbox
}

fn template(post_processors: Json) -> Json {
    json!({
        "builders": [{ "type": "file", "source": "data", "target": "out/data.bin" }],
        "post-processors": post_processors,
    })
}

/// Returns what a command prints in the folder of a sandbox.
#[track_caller]
fn printed(sandbox: &Sandbox, command: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-c", command]).current_dir(sandbox.path("")).output().expect("sh runs");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn packer(sandbox: &Sandbox, template: &Json) -> Ended {
    sandbox.template(template);
    run(sandbox.command("packer").args(["build", "-force", "template.json"]))
}

/// Lists the files of a sandbox.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let listed = String::from_utf8(printed(sandbox, "find . -type f | sort")).expect("is text");
    listed.lines().map(str::to_owned).collect()
}

fn every_form() -> Json {
    let mut sequences: Vec<Json> = FORMS
        .iter()
        .map(|(form, _)| {
            json!([
                { "type": "compress", "output": format!("o/{{{{.BuildName}}}}.{form}"), "keep_input_artifact": true },
                { "type": "manifest", "output": format!("m.{form}.json"), "strip_time": true }
            ])
        })
        .collect();
    sequences.push(json!([{ "type": "compress", "keep_input_artifact": true }]));
    template(sequences.into())
}

#[test]
#[ignore = "needs lz4, xz, unzip"]
fn the_usual_tools_read_every_form() {
    let sandbox = sandbox();
    sandbox.apply(&every_form(), &[]).expect_status(0);
    let data = std::fs::read(sandbox.path("data")).expect("is readable");
    for (form, command) in FORMS {
        let unpacked = printed(&sandbox, &format!("{command} o/file.{form}"));
        if form.starts_with("tar") {
            let mut archive = tar::Archive::new(unpacked.as_slice());
            let mut entries = archive.entries().expect("is an archive");
            let mut entry = entries.next().expect("has a file").expect("is whole");
            assert_eq!(entry.path().expect("has a name").to_str(), Some("data.bin"), "{form}");
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).expect("is whole");
            assert!(content == data && entries.next().is_none(), "{form}");
        } else {
            assert!(unpacked == data, "{form}");
        }
    }
    let bzip2 = json!([[{ "type": "compress", "output": "b.bzip2" }]]);
    sandbox.apply(&template(bzip2), &[]).expect_status(0);
    assert!(printed(&sandbox, "bzip2 -dc b.bzip2") == data);
    assert!(!sandbox.path("out/data.bin").exists(), "the input goes unless it is kept");
}

#[test]
#[ignore = "needs packer, lz4, xz, unzip"]
fn archives_hold_what_packers_hold() {
    let (ours, theirs) = (sandbox(), sandbox());
    ours.apply(&every_form(), &["-no-cache"]).expect_status(0);
    packer(&theirs, &every_form()).expect_status(0);
    assert_eq!(names(&ours), names(&theirs));
    for (form, command) in FORMS {
        let command = format!("{command} o/file.{form}");
        assert!(printed(&ours, &command) == printed(&theirs, &command), "{form}");
        let recorded = |sandbox: &Sandbox| {
            let text = std::fs::read(sandbox.path(format!("m.{form}.json"))).expect("was written");
            let document: Json = serde_json::from_slice(&text).expect("is JSON");
            let build = &document["builds"][0];
            (build["name"].clone(), build["files"][0]["name"].clone(), build["artifact_id"].clone())
        };
        assert_eq!(recorded(&ours), recorded(&theirs), "{form}");
    }
    let listed = "unzip -Z1 o/file.zip; gzip -dc packer_file_file | tar -t";
    assert_eq!(printed(&ours, listed), printed(&theirs, listed));
}

#[test]
fn a_second_apply_reuses_the_archive_and_restores_it() {
    let sandbox = sandbox();
    let template = template(json!([[{ "type": "compress", "output": "a.tar.gz", "keep_input_artifact": true }]]));
    sandbox.apply(&template, &[]).expect_status(0);
    let first = std::fs::read(sandbox.path("a.tar.gz")).expect("was written");
    let again = sandbox.apply(&template, &[]).expect_status(0);
    assert!(!again.stdout.contains("Compressing"), "{}", again.stdout);
    std::fs::remove_file(sandbox.path("a.tar.gz")).expect("is there");
    sandbox.apply(&template, &[]).expect_status(0);
    assert!(std::fs::read(sandbox.path("a.tar.gz")).expect("is there again") == first);
}

#[test]
fn several_files_need_an_archive() {
    let sandbox = sandbox();
    sandbox.write("more", "more");
    let two = |output: &str| {
        template(json!([[
            { "type": "artifice", "files": ["data", "more"] },
            { "type": "compress", "output": output, "keep_input_artifact": true }
        ]]))
    };
    let ended = sandbox.apply(&two("a.gz"), &[]).expect_status(1);
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert!(text.contains("a.gz holds one file; the artifact has 2"), "{text}");
    assert!(!sandbox.path("a.gz").exists());
    sandbox.apply(&two("a.zip"), &[]).expect_status(0);
}

/// Makes a template with a box for each of these providers of the files of a machine.
fn boxes(sandbox: &Sandbox) -> Json {
    sandbox.write("vm.ovf", "<x>\n<Adapter slot=\"0\" enabled=\"true\" MACAddress=\"080027ABCDEF\" type=\"y\">\n</x>");
    sandbox.write("vm-disk.vmdk", "disk".repeat(1000));
    sandbox.write("extra", "extra");
    sandbox.write("own", "# {{.Provider}} of {{.BuildName}}\n");
    let of = |provider: &str| {
        json!([
            { "type": "artifice", "files": ["vm*"] },
            { "type": "vagrant", "provider_override": provider, "output": "{{.BuildName}}-{{.Provider}}.box",
              "include": ["extra"], "vagrantfile_template": "own", "keep_input_artifact": true,
              "override": { "vmware": { "compression_level": 0 } } }
        ])
    };
    template(["virtualbox", "vmware", "lxc"].map(of).into())
}

/// Reads a box: its files, with the architecture that Packer 1.6 does not know left out, and without comments.
fn read_box(sandbox: &Sandbox, name: &str) -> BTreeMap<String, String> {
    let bytes = printed(sandbox, &format!("gzip -dcf {name}"));
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().expect("is an archive") {
        let mut entry = entry.expect("is whole");
        let path = entry.path().expect("has a name").display().to_string();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).expect("is text");
        if path == "metadata.json" {
            let mut metadata: Json = serde_json::from_str(&text).expect("is JSON");
            metadata.as_object_mut().expect("is an object").remove("architecture");
            text = metadata.to_string();
        }
        if path == "Vagrantfile" {
            let is_meant = |line: &&str| !line.is_empty() && (!line.starts_with('#') || line.contains(" of file"));
            text = text.lines().filter(is_meant).collect::<Vec<_>>().join("\n");
        }
        files.insert(path, text);
    }
    files
}

#[test]
#[ignore = "needs packer"]
fn boxes_hold_what_packers_hold() {
    let (ours, theirs) = (sandbox(), sandbox());
    let template = boxes(&ours);
    boxes(&theirs);
    ours.apply(&template, &["-no-cache"]).expect_status(0);
    packer(&theirs, &template).expect_status(0);
    assert_eq!(names(&ours), names(&theirs));
    for name in ["file-virtualbox.box", "file-vmware.box", "file-lxc.box"] {
        let files = read_box(&ours, name);
        assert!(files.len() >= 5 && files["Vagrantfile"].contains(" of file"), "{files:?}");
        assert_eq!(files, read_box(&theirs, name), "{name}");
    }
}

#[test]
fn equal_files_make_equal_boxes_and_wrong_options_are_found_beforehand() {
    let sandbox = sandbox();
    let template = boxes(&sandbox);
    let boxes = || {
        sandbox.apply(&template, &["-no-cache"]).expect_status(0);
        std::fs::read(sandbox.path("file-virtualbox.box")).expect("was written")
    };
    assert!(boxes() == boxes());
    for (option, value, message) in [
        ("provider_override", json!("aws"), "cannot be `aws`"),
        ("vagrantfile_template", json!("none"), "there is no file none"),
        ("compression_level", json!(10), "`compression_level` cannot be 10"),
    ] {
        let mut step = json!({ "type": "vagrant" });
        step[option] = value;
        let ended = sandbox.apply(&self::template(json!([[step]])), &[]).expect_status(1);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    }
}
