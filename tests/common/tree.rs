//! File trees as lists of lines, one a path, which two trees can be compared by.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

/// A path and what is there: type, mode, owner, size, link target, digest.
pub type Tree = BTreeMap<String, String>;

/// What the engine writes into every container.
const ENGINES_OWN: [&str; 4] = [".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// Lists the file system of a container; files that have this modification time are marked.
pub fn of_container(container: &str, time: u64) -> Tree {
    let mut export = Command::new("docker")
        .args(["export", container])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the docker command is installed");
    let tree = of_archive(export.stdout.take().expect("the output is piped"), time);
    assert!(export.wait().expect("docker can be waited for").success(), "docker export {container}");
    tree
}

/// Lists a tar archive; files that have this modification time are marked.
pub fn of_archive(archive: impl Read, time: u64) -> Tree {
    let mut tree = Tree::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().expect("is an archive") {
        let mut entry = entry.expect("the archive is whole");
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_end_matches('/').to_owned();
        if ENGINES_OWN.contains(&path.as_str()) {
            continue;
        }
        let header = entry.header();
        let (kind, mode) = (header.entry_type(), header.mode().expect("has a mode"));
        let (uid, gid) = (header.uid().expect("has a user"), header.gid().expect("has a group"));
        let mut line = format!("{kind:?} {mode:o} {uid}:{gid}");
        if kind.is_file() && header.mtime().expect("has a time") == time {
            line.push_str(" time kept");
        }
        if let Some(target) = entry.link_name_bytes() {
            let _ = write!(line, " -> {}", String::from_utf8_lossy(&target));
        }
        if kind.is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("the archive is whole");
            let _ = write!(line, " {}", digest(&content));
        }
        tree.insert(path, line);
    }
    tree
}

/// Lists a folder. Archives in it are listed with it, and records of builds without what differs by nature.
pub fn of_folder(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    add_folder(&mut tree, folder, "");
    tree
}

fn add_folder(tree: &mut Tree, folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let entry = entry.expect("the folder is readable");
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata().expect("the file is there");
        let mode = metadata.permissions().mode() & 0o7777;
        let mut line = format!("{mode:o} {}:{}", metadata.uid(), metadata.gid());
        if metadata.is_symlink() {
            let target = std::fs::read_link(&path).expect("the link is readable");
            let _ = write!(line, " -> {}", target.display());
        } else if metadata.is_dir() {
            add_folder(tree, &path, &format!("{name}/"));
            line.push_str(" folder");
        } else if name.ends_with(".tar") {
            let file = std::fs::File::open(&path).expect("the file is readable");
            let inner = of_archive(file, 0);
            if inner.contains_key("manifest.json") {
                // A saved image: its files are named after digests that differ from run to run.
                let _ = write!(line, " image of {} files", inner.len());
            } else {
                tree.extend(inner.into_iter().map(|(path, inner)| (format!("{name}!{path}"), inner)));
            }
        } else {
            let mut content = std::fs::read(&path).expect("the file is readable");
            if name.ends_with(".json") && !name.ends_with("template.json") {
                content = without_the_run(&content);
            }
            if content.len() < 2000 {
                let _ = write!(line, " {:?}", String::from_utf8_lossy(&content));
            }
            let _ = write!(line, " {}", digest(&content));
        }
        tree.insert(name, line);
    }
}

/// Takes times and ids out of a manifest.
fn without_the_run(content: &[u8]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(content) else {
        return content.to_owned();
    };
    document["last_run_uuid"].take();
    for build in document["builds"].as_array_mut().into_iter().flatten() {
        build["build_time"].take();
        build["packer_run_uuid"].take();
        if build["artifact_id"].as_str().is_some_and(|id| id.starts_with("sha256:")) {
            build["artifact_id"] = "sha256".into();
        }
    }
    serde_json::to_vec_pretty(&document).expect("a value can be written")
}

fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let mut text = format!("{} bytes ", content.len());
    for byte in &digest[..8] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Lists what two trees differ by, one line a path.
pub fn differences(ours: &Tree, theirs: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paths: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        let (our, their) = (ours.get(path), theirs.get(path));
        if our != their {
            let shown = |line: Option<&String>| line.map_or("nothing".to_owned(), Clone::clone);
            lines.push(format!("{path}: rpk {}, packer {}", shown(our), shown(their)));
        }
    }
    lines
}
