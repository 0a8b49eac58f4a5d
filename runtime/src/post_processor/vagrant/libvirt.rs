//! Boxes for libvirt: the disks of QEMU machines.
//!
//! A `qemu` builder tells of its disks by the build data `diskName`, `diskType` and `domainType`. An artifact without
//! them, as `artifice` makes one, is taken for disks as they are: what a file begins with tells its format.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rpk_planner::catalog::Settings;
use serde_json::json;

use super::contents::{Source, base_name};
use super::provider::Part;
use crate::artifact::Artifact;
use crate::failure::{Failure, Outcome};

/// What a disk in QEMU's own format begins with.
const QCOW2: [u8; 4] = *b"QFI\xfb";

/// Works out what a box of these disks holds.
pub(super) fn part(artifact: &Artifact) -> Outcome<Part> {
    let told = |name: &str| artifact.data.get(name).map(String::as_str);
    let driver = match told("domainType").unwrap_or("kvm") {
        "none" | "tcg" | "hvf" => "qemu",
        "kvm" => "kvm",
        other => return Err(Failure::new(format!("libvirt has no driver for machines of type `{other}`"))),
    };
    let mut files = Vec::new();
    let mut disks = Vec::new();
    for path in &artifact.files {
        // Further disks of a machine `vm` are called `vm-1`, `vm-2`.
        let name = base_name(path);
        let is_disk = told("diskName")
            .is_none_or(|disk| name.strip_prefix(disk).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')));
        if is_disk {
            let format = match told("diskType") {
                Some(format) => format,
                None => format_of(path)?,
            };
            let name = format!("box_{}.img", files.len());
            disks.push(json!({ "path": name, "format": format }));
            files.push((name, Source::File(path.clone())));
        }
    }
    if files.is_empty() {
        return Err(Failure::new("the artifact has no disk"));
    }
    let vagrantfile = format!(
        "Vagrant.configure(\"2\") do |config|\n  config.vm.provider :libvirt do |libvirt|\n    \
         libvirt.driver = \"{driver}\"\n  end\nend\n"
    );
    Ok(Part { files, metadata: Settings::from_iter([("disks".to_owned(), disks.into())]), vagrantfile })
}

fn format_of(path: &Path) -> Outcome<&'static str> {
    let failed = |error: std::io::Error| Failure::new(error.to_string()).context(format!("reading {}", path.display()));
    let mut begin = Vec::new();
    File::open(path).map_err(failed)?.take(QCOW2.len() as u64).read_to_end(&mut begin).map_err(failed)?;
    Ok(if begin == QCOW2 { "qcow2" } else { "raw" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(artifact: &Artifact) -> (Vec<String>, String, String) {
        let part = part(artifact).expect("has disks");
        let names = part.files.into_iter().map(|(name, _)| name).collect();
        (names, serde_json::Value::Object(part.metadata).to_string(), part.vagrantfile)
    }

    #[test]
    fn a_machine_tells_of_its_disks() {
        let data = [("diskName", "vm"), ("diskType", "qcow2"), ("domainType", "tcg")];
        let artifact = Artifact {
            files: ["out/vm", "out/vm-1", "out/efivars.fd"].map(Into::into).into(),
            data: data.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Artifact::default()
        };
        let (names, metadata, vagrantfile) = summary(&artifact);
        assert_eq!(names, ["box_0.img", "box_1.img"]);
        let expected = r#"{"disks":[{"format":"qcow2","path":"box_0.img"},{"format":"qcow2","path":"box_1.img"}]}"#;
        assert_eq!(metadata, expected);
        assert!(vagrantfile.contains("libvirt.driver = \"qemu\""));
    }

    #[test]
    fn a_bare_disk_tells_its_format_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (content, format) in [(&b"QFI\xfb\0\0\0\x03"[..], "qcow2"), (b"", "raw"), (b"boot sector", "raw")] {
            let path = folder.path().join("disk");
            std::fs::write(&path, content).expect("is writable");
            let (_, metadata, _) = summary(&Artifact { files: vec![path], ..Artifact::default() });
            assert!(metadata.contains(&format!("\"format\":\"{format}\"")), "{metadata}");
        }
        assert!(part(&Artifact::default()).is_err());
    }
}
