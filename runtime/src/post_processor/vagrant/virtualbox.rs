//! Boxes for VirtualBox: exported machines, as a folder of files or as one OVA.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::contents::{Source, base_name};
use super::provider::Part;
use crate::artifact::Artifact;
use crate::failure::{Failure, Outcome};

/// The name that Vagrant looks for.
const OVF: &str = "box.ovf";

/// A longer description of a machine is no such thing.
const MAX_OVF_BYTES: u64 = 64 << 20;

/// Works out what a box of this machine holds.
pub(super) fn part(artifact: &Artifact) -> Outcome<Part> {
    let mut files = Vec::new();
    for path in &artifact.files {
        if path.extension().is_some_and(|extension| extension == "ova") {
            files.extend(unpack(path).map_err(|failure| failure.context(format!("reading {}", path.display())))?);
        } else {
            files.push((base_name(path), Source::File(path.clone())));
        }
    }
    let mut descriptions = files.iter_mut().filter(|(name, _)| name.ends_with(".ovf"));
    let (name, source) =
        descriptions.next().ok_or_else(|| Failure::new("the artifact has no OVF file, which describes the machine"))?;
    if let Some((second, _)) = descriptions.next() {
        return Err(Failure::new(format!("the artifact has several OVF files: {name} and {second}")));
    }
    let mut text = Vec::new();
    let read = source.open().and_then(|reader| reader.take(MAX_OVF_BYTES).read_to_end(&mut text));
    read.map_err(|error| Failure::new(error.to_string()).context(format!("reading {name}")))?;
    let text = String::from_utf8_lossy(&text);
    let address = mac_address(&text).ok_or_else(|| {
        Failure::new("the first network adapter has no MAC address").context(format!("reading {name}"))
    })?;
    OVF.clone_into(name);
    let vagrantfile = format!("Vagrant.configure(\"2\") do |config|\n  config.vm.base_mac = \"{address}\"\nend\n");
    Ok(Part { files, vagrantfile, ..Part::default() })
}

/// Lists the files of an OVA, which is a tar archive, by their bare names: paths in it are of no meaning here.
fn unpack(path: &Path) -> Outcome<Vec<(String, Source)>> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let mut archive = tar::Archive::new(File::open(path).map_err(failed)?);
    let mut files = Vec::new();
    for entry in archive.entries_with_seek().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.header().entry_type().is_file() {
            let name = entry.path().map_err(failed)?;
            let name = name.file_name().ok_or_else(|| Failure::new("a file in it has no name"))?;
            let (name, offset, size) = (PathBuf::from(name), entry.raw_file_position(), entry.size());
            files.push((base_name(&name), Source::Inside { path: path.to_owned(), offset, size }));
        }
    }
    Ok(files)
}

/// Finds the address of the first network adapter.
fn mac_address(ovf: &str) -> Option<&str> {
    const ATTRIBUTE: &str = "MACAddress=\"";
    ovf.split("<Adapter slot=\"0\"").skip(1).find_map(|rest| {
        let line = rest.lines().next()?;
        let (_, value) = line.split_once(ATTRIBUTE)?;
        let (address, _) = value.split_once('"')?;
        Some(address).filter(|address| !address.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "<Network>\n<Adapter slot=\"1\" MACAddress=\"080027000001\"/>\n\
                               <Adapter slot=\"0\" enabled=\"true\" MACAddress=\"080027ABCDEF\" type=\"82540EM\">\n";

    fn artifact(files: Vec<PathBuf>) -> Artifact {
        Artifact { files, ..Artifact::default() }
    }

    #[test]
    fn a_folder_and_an_ova_give_the_same_box() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (ovf, disk) = (folder.path().join("vm.ovf"), folder.path().join("vm-disk.vmdk"));
        std::fs::write(&ovf, DESCRIPTION).expect("is writable");
        std::fs::write(&disk, "disk").expect("is writable");
        let ova = folder.path().join("vm.ova");
        let mut archive = tar::Builder::new(File::create(&ova).expect("is writable"));
        archive.append_path_with_name(&ovf, "sub/vm.ovf").expect("is readable");
        archive.append_path_with_name(&disk, "vm-disk.vmdk").expect("is readable");
        archive.finish().expect("is writable");
        for files in [vec![ovf.clone(), disk.clone()], vec![ova]] {
            let part = part(&artifact(files)).expect("is a machine");
            let read = |(name, source): &(String, Source)| {
                let mut text = String::new();
                source.open().and_then(|mut reader| reader.read_to_string(&mut text)).expect("is readable");
                (name.clone(), text)
            };
            let files: Vec<(String, String)> = part.files.iter().map(read).collect();
            let expected = [("box.ovf", DESCRIPTION), ("vm-disk.vmdk", "disk")];
            assert_eq!(files, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
            assert!(part.vagrantfile.contains("config.vm.base_mac = \"080027ABCDEF\""));
        }
    }

    #[test]
    fn what_is_no_machine_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("is writable");
            path
        };
        let (good, bare) = (path("a.ovf", DESCRIPTION), path("b.ovf", "<Adapter slot=\"0\">\nMACAddress=\"1\""));
        for files in [vec![], vec![good, bare.clone()], vec![bare], vec![path("c.ova", "no archive")]] {
            assert!(part(&artifact(files.clone())).is_err(), "{files:?}");
        }
    }
}
