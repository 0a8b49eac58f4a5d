//! Which provider an artifact is for, and what its boxes hold.

use std::path::Path;

use rpk_planner::catalog::Settings;

use super::contents::{Source, base_name};
use super::{libvirt, virtualbox};
use crate::artifact::Artifact;
use crate::failure::{Failure, Outcome};

/// What a provider adds to a box.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Files by their names in the box.
    pub files: Vec<(String, Source)>,
    /// What `metadata.json` says beside provider and architecture.
    pub metadata: Settings,
    /// The provider's part of the Vagrantfile.
    pub vagrantfile: String,
}

/// A provider that boxes can be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    Docker,
    File,
    HyperV,
    Libvirt,
    Lxc,
    Parallels,
    VirtualBox,
    VMware,
}

/// The providers' names in templates.
///
/// Those of clouds are not among them: their boxes name machine images that no builder of rpk makes.
pub(super) const NAMES: [&str; 8] = ["docker", "file", "hyperv", "libvirt", "lxc", "parallels", "virtualbox", "vmware"];

/// Files of a Parallels machine that it does not need.
const NEEDLESS: [&str; 5] = [".log", ".backup", ".Backup", ".app/", "/Windows Disks/"];

impl Provider {
    /// Finds the provider for an artifact, unless the template names one.
    pub(super) fn of(named: &str, artifact: &Artifact) -> Outcome<Self> {
        let name = if named.is_empty() { provider_of(&artifact.builder_id) } else { named };
        Ok(match name {
            "docker" => Self::Docker,
            "file" => Self::File,
            "hyperv" => Self::HyperV,
            "libvirt" => Self::Libvirt,
            "lxc" => Self::Lxc,
            "parallels" => Self::Parallels,
            "virtualbox" => Self::VirtualBox,
            "vmware" => Self::VMware,
            _ => {
                return Err(Failure::new(format!(
                    "no box can be made of an artifact of kind `{}`",
                    artifact.builder_id
                ))
                .help(format!("set `provider_override` to one of {}", NAMES.join(", "))));
            }
        })
    }

    /// Returns its name in templates.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::File => "file",
            Self::HyperV => "hyperv",
            Self::Libvirt => "libvirt",
            Self::Lxc => "lxc",
            Self::Parallels => "parallels",
            Self::VirtualBox => "virtualbox",
            Self::VMware => "vmware",
        }
    }

    /// Returns its name in boxes, which is Vagrant's.
    pub(super) fn name_in_boxes(self) -> &'static str {
        if self == Self::VMware { "vmware_desktop" } else { self.name() }
    }

    /// Works out what it adds to a box of this artifact.
    pub(super) fn part(self, artifact: &Artifact) -> Outcome<Part> {
        let files = || artifact.files.iter().map(|path| (base_name(path), Source::File(path.clone())));
        match self {
            Self::Docker => {
                if artifact.id.is_empty() {
                    return Err(Failure::new("a docker box names an image, and this artifact is none")
                        .help("put the post-processor behind a docker builder that commits, or docker-tag"));
                }
                Ok(Part { vagrantfile: docker_vagrantfile(&artifact.id), ..Part::default() })
            }
            Self::File | Self::VMware => Ok(Part { files: files().collect(), ..Part::default() }),
            Self::Lxc => {
                let metadata = Settings::from_iter([("version".to_owned(), "1.0.0".into())]);
                Ok(Part { files: files().collect(), metadata, ..Part::default() })
            }
            Self::HyperV => {
                // The folders of an exported machine have fixed names, so they go into the box as they are.
                let root = common_folder(artifact);
                let named = artifact.files.iter().map(|path| {
                    let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
                    (name, Source::File(path.clone()))
                });
                Ok(Part { files: named.collect(), ..Part::default() })
            }
            Self::Parallels => {
                let files = artifact.files.iter().filter_map(|path| {
                    let name = name_in_parallels_box(&path.to_string_lossy().replace('\\', "/"))?;
                    Some((name, Source::File(path.clone())))
                });
                Ok(Part { files: files.collect(), ..Part::default() })
            }
            Self::Libvirt => libvirt::part(artifact),
            Self::VirtualBox => virtualbox::part(artifact),
        }
    }
}

fn provider_of(builder_id: &str) -> &'static str {
    match builder_id {
        "packer.post-processor.docker-import"
        | "packer.post-processor.docker-tag"
        | "packer.post-processor.docker-push" => "docker",
        "packer.file" => "file",
        "MSOpenTech.hyperv" => "hyperv",
        "transcend.qemu" => "libvirt",
        "ustream.lxc" => "lxc",
        "packer.parallels" => "parallels",
        "mitchellh.virtualbox" => "virtualbox",
        "mitchellh.vmware" | "mitchellh.vmware-esx" | "vmware.desktop" => "vmware",
        _ => "",
    }
}

fn docker_vagrantfile(image: &str) -> String {
    format!(
        "Vagrant.configure(\"2\") do |config|\n  config.vm.provider :docker do |docker, override|\n    \
         docker.image = \"{image}\"\n  end\nend\n"
    )
}

/// Finds the folder that all files are in.
fn common_folder(artifact: &Artifact) -> std::path::PathBuf {
    let mut folders = artifact.files.iter().filter_map(|path| path.parent());
    let Some(first) = folders.next() else { return std::path::PathBuf::new() };
    let mut common: &Path = first;
    for folder in folders {
        while !folder.starts_with(common) {
            common = common.parent().unwrap_or(Path::new(""));
        }
    }
    common.to_owned()
}

/// Names a file of a Parallels machine, which is a folder, from that folder on; none if it is not needed.
fn name_in_parallels_box(path: &str) -> Option<String> {
    let is_needless =
        NEEDLESS.iter().any(|part| if part.ends_with('/') { path.contains(part) } else { path.ends_with(part) });
    let inside = path.find(".pvm/").filter(|_| !is_needless)?;
    let begins = path[..inside].rfind('/').map_or(0, |slash| slash + 1);
    Some(path[begins..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(builder_id: &str, id: &str, files: &[&str]) -> Artifact {
        Artifact {
            builder_id: builder_id.to_owned(),
            id: id.to_owned(),
            files: files.iter().map(std::path::PathBuf::from).collect(),
            ..Artifact::default()
        }
    }

    #[test]
    fn an_artifact_tells_its_provider_and_a_template_may_name_another() {
        let of = |named: &str, id: &str| Provider::of(named, &artifact(id, "", &[]));
        assert_eq!(of("", "packer.post-processor.docker-tag"), Ok(Provider::Docker));
        assert_eq!(of("", "transcend.qemu"), Ok(Provider::Libvirt));
        assert_eq!(of("virtualbox", "packer.post-processor.artifice"), Ok(Provider::VirtualBox));
        let failure = of("", "packer.post-processor.artifice").expect_err("is unknown");
        assert!(failure.help.expect("there is help").contains("provider_override"));
        for name in NAMES {
            assert_eq!(of(name, "").map(Provider::name), Ok(name));
        }
    }

    #[test]
    fn a_docker_box_names_its_image() {
        let part = Provider::Docker.part(&artifact("", "la/express:1", &[])).expect("has an id");
        assert!(part.vagrantfile.contains("docker.image = \"la/express:1\"") && part.files.is_empty());
        assert!(Provider::Docker.part(&artifact("packer.docker", "", &["a.tar"])).is_err());
    }

    #[test]
    fn folders_of_a_machine_stay_where_they_are_needed() {
        let names = |provider: Provider, files: &[&str]| -> Vec<String> {
            let part = provider.part(&artifact("", "", files)).expect("takes any files");
            part.files.into_iter().map(|(name, _)| name).collect()
        };
        let hyperv = ["out/vm/Virtual Machines/a.xml", "out/vm/Virtual Hard Disks/a.vhdx"];
        assert_eq!(names(Provider::HyperV, &hyperv), ["Virtual Machines/a.xml", "Virtual Hard Disks/a.vhdx"]);
        let parallels = ["out/a.pvm/config.pvs", "out/a.pvm/x.log", "out/a.pvm/d.hdd/0.hds", "out/readme"];
        assert_eq!(names(Provider::Parallels, &parallels), ["a.pvm/config.pvs", "a.pvm/d.hdd/0.hds"]);
        assert_eq!(names(Provider::VMware, &["out/a.vmx", "out/a.vmdk"]), ["a.vmx", "a.vmdk"]);
    }
}
