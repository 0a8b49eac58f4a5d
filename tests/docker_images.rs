//! Images and files that rpk makes, compared with what Packer 1.6.6 makes of the same template.
//!
//! Each folder of `fixtures/images` is a case: `template.json` with the files that it names, `base.json` if it wants
//! a base image of its own, `arguments` with further flags, one a line. The case is built once by each of the two,
//! each in a copy of the folder. Then these are compared: the names of images; of each image its configuration,
//! history and file system; all files of the folder.
//!
//! One thing Packer 1.6.6 does not do yet: since 1.7 a commit restores the command and the entrypoint of the source
//! image, which the run command covers up, unless a change sets them. So Packer's copy of a template has these two
//! changes added.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::tree::{self, Tree};
use common::{Sandbox, docker, engine, run};
use serde_json::Value as Json;

/// The time of all files of a case, which uploads keep.
const TIME: u64 = 1_700_000_000;

/// The owner of the case's files where the tests may choose one: nobody's, and not root's.
const OWNER: &str = "1234:2345";

macro_rules! cases {
    ($($function:ident $folder:literal,)*) => {
        const CASES: &[&str] = &[$($folder),*];

        $(
            #[test]
            #[ignore = "needs docker and packer"]
            fn $function() {
                check($folder);
            }
        )*
    };
}

cases! {
    author_message "author-message",
    changes "changes",
    changes_lower_case "changes-lower-case",
    changes_order "changes-order",
    changes_several_in_one "changes-several-in-one",
    changes_shell_form "changes-shell-form",
    discard "discard",
    download "download",
    exec_user "exec-user",
    files "files",
    import "import",
    import_kept "import-kept",
    keep_nothing "keep-nothing",
    minimal "minimal",
    mounts "mounts",
    nothing_kept_of_checksum "nothing-kept-of-checksum",
    only "only",
    run_command "run-command",
    run_command_words "run-command-words",
    save "save",
    sequences "sequences",
    several_builders "several-builders",
    shell_environment "shell-environment",
    shell_execute_command "shell-execute-command",
    shell_limits "shell-limits",
    shell_line_ends "shell-line-ends",
    shell_local "shell-local",
    shell_remote_path "shell-remote-path",
    shell_scripts "shell-scripts",
    shell_shebang "shell-shebang",
    source_entrypoint "source-entrypoint",
    source_entrypoint_cmd_set "source-entrypoint-cmd-set",
    tag_string "tag-string",
    tags "tags",
    template_functions "template-functions",
    upload_file "upload-file",
    upload_folder "upload-folder",
    upload_large "upload-large",
    upload_linked_folder "upload-linked-folder",
    upload_names "upload-names",
    upload_odd_targets "upload-odd-targets",
    user "user",
    user_number "user-number",
    user_upload_owner_kept "user-upload-owner-kept",
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images")
}

#[test]
fn every_folder_is_a_case() {
    let listing = std::fs::read_dir(fixtures()).expect("the folder is readable");
    let mut folders: Vec<String> =
        listing.map(|entry| entry.expect("is readable").file_name().to_string_lossy().into_owned()).collect();
    folders.sort();
    assert_eq!(folders, CASES);
}

/// What a program made of a case.
struct Made {
    /// By its name after the part that every name has.
    images: BTreeMap<String, Image>,
    folder: Tree,
}

struct Image {
    config: Json,
    files: Tree,
}

/// Builds a case with both programs and compares.
fn check(case: &str) {
    let sandbox = Sandbox::new();
    let mut image = sandbox.image.clone();
    if fixtures().join(case).join("base.json").exists() {
        let base = format!("rpk-test/{case}-base-{}", sandbox.unique);
        build(&sandbox, case, "packer", "base.json", &image, &base);
        image = base;
    }
    let (ours, theirs) = std::thread::scope(|scope| {
        let make = |program| {
            let (sandbox, image) = (&sandbox, &image);
            scope.spawn(move || make(sandbox, case, program, image))
        };
        let (ours, theirs) = (make("rpk"), make("packer"));
        (ours.join().expect("rpk made it"), theirs.join().expect("packer made it"))
    });
    let mut differences = Vec::new();
    let names = |made: &Made| made.images.keys().cloned().collect::<Vec<_>>();
    if names(&ours) != names(&theirs) {
        differences.push(format!("images: rpk {:?}, packer {:?}", names(&ours), names(&theirs)));
    }
    for (name, our) in &ours.images {
        let Some(their) = theirs.images.get(name) else { continue };
        let (mut left, mut right) = (Tree::new(), Tree::new());
        flatten("", &our.config, &mut left);
        flatten("", &their.config, &mut right);
        differences.extend(tree::differences(&left, &right).iter().map(|line| format!("config of `{name}` {line}")));
        let files = tree::differences(&our.files, &their.files);
        differences.extend(files.iter().map(|line| format!("file in `{name}` {line}")));
    }
    differences.extend(tree::differences(&ours.folder, &theirs.folder).iter().map(|line| format!("file {line}")));
    assert!(differences.is_empty(), "{case}:\n{}", differences.join("\n"));
    assert_eq!(sandbox.containers(), Vec::<String>::new(), "containers are left");
}

/// Makes every value of a document a line under its path, so that one difference is one line.
fn flatten(path: &str, value: &Json, into: &mut Tree) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(&format!("{path}/{key}"), value, into);
            }
        }
        other => {
            into.insert(path.to_owned(), other.to_string());
        }
    }
}

fn make(sandbox: &Sandbox, case: &str, program: &str, image: &str) -> Made {
    let name = format!("rpk-test/{case}-{program}-{}", sandbox.unique);
    build(sandbox, case, program, "template.json", image, &name);
    let mut images = BTreeMap::new();
    for full in sandbox.image_names() {
        let Some(suffix) = full.strip_prefix(&name) else { continue };
        let container = engine::Container::create(&full);
        images
            .insert(suffix.to_owned(), Image { config: config(&full), files: tree::of_container(&container.0, TIME) });
    }
    let mut folder = tree::of_folder(&sandbox.path(program));
    folder.retain(|path, _| !matches!(path.as_str(), "template.json" | "base.json"));
    for line in folder.values_mut() {
        *line = line.replace(&name, "NAME");
        if line.contains("NAME") {
            // Then the digest behind the text is of no use.
            *line = line.rsplit_once("\" ").map_or(line.clone(), |(text, _)| text.to_owned());
        }
    }
    Made { images, folder }
}

fn build(sandbox: &Sandbox, case: &str, program: &str, template: &str, image: &str, name: &str) {
    let folder = sandbox.path(program);
    if !folder.exists() {
        let copied = sandbox.command("cp").arg("-a").arg(fixtures().join(case)).arg(&folder).status();
        assert!(copied.is_ok_and(|status| status.success()), "copying {case}");
        // Only root may give files away; without that, the files' owner is simply the caller.
        let _ = sandbox.command("chown").args(["-hR", OWNER]).arg(&folder).stderr(std::process::Stdio::null()).status();
        let touch = format!("touch -h -d @{TIME} {{}} +");
        let touched = sandbox.command("find").arg(&folder).arg("-exec").args(touch.split(' ')).status();
        assert!(touched.is_ok_and(|status| status.success()), "giving a time to the files of {case}");
    }
    if program == "packer" {
        restore_defaults(&folder.join(template), image);
    }
    let mut command = if program == "rpk" { sandbox.rpk(&[]) } else { sandbox.command(program) };
    command.current_dir(&folder).arg("build");
    if let Ok(arguments) = std::fs::read_to_string(folder.join("arguments")) {
        command.args(arguments.lines());
    }
    command.args(["-var", &format!("image={image}"), "-var", &format!("name={name}"), template]);
    let ended = run(&mut command);
    assert_eq!(ended.status, Some(0), "{program} on {case}:\n{}\n{}", ended.stdout, ended.stderr);
}

/// Adds to a template's commits what later versions of Packer add by themselves.
fn restore_defaults(template: &Path, image: &str) {
    let text = std::fs::read(template).expect("the template is readable");
    let mut document: Json = serde_json::from_slice(&text).expect("the template is JSON");
    for builder in document["builders"].as_array_mut().expect("there are builders") {
        if builder["commit"] != true {
            continue;
        }
        let given = builder["changes"].as_array().cloned().unwrap_or_default();
        let mut changes = given.clone();
        for (instruction, field) in [("CMD", "Cmd"), ("ENTRYPOINT", "Entrypoint")] {
            let is_set = |change: &Json| change.as_str().is_some_and(|change| change.starts_with(instruction));
            if !given.iter().any(is_set) {
                let words = docker(&["image", "inspect", "--format", &format!("{{{{json .Config.{field}}}}}"), image]);
                let words = if matches!(words.as_str(), "null" | "[]") { r#"[""]"# } else { &words };
                changes.push(format!("{instruction} {words}").into());
            }
        }
        builder["changes"] = changes.into();
    }
    std::fs::write(template, document.to_string()).expect("the copy is writable");
}

/// Returns what `docker inspect` and `docker history` say of an image, without ids, names and times.
fn config(image: &str) -> Json {
    let text = docker(&["image", "inspect", image]);
    let mut inspected: Json = serde_json::from_str(&text).expect("the client writes JSON");
    let mut config = serde_json::Map::new();
    for key in ["Author", "Comment", "Architecture", "Os", "Config", "ContainerConfig"] {
        config.insert(key.to_owned(), inspected[0][key].take());
    }
    for part in ["Config", "ContainerConfig"] {
        for key in ["Hostname", "Image"] {
            config[part].as_object_mut().map(|part| part.remove(key));
        }
    }
    for part in ["Config", "ContainerConfig"] {
        // The engine keeps variables in an order that is not always the one in which they were given.
        if let Some(variables) = config[part]["Env"].as_array_mut() {
            variables.sort_by_key(ToString::to_string);
        }
    }
    let layers = inspected[0]["RootFS"]["Layers"].as_array().map_or(0, Vec::len);
    config.insert("layers".to_owned(), layers.into());
    let history = docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}} # {{.Comment}}", image]);
    config.insert("history".to_owned(), history.into());
    config.into()
}
