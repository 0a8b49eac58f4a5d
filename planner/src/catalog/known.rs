//! Packer components that rpk does not build in, by name.
//!
//! A template that uses one of them can be read, inspected and planned; only running it needs more. What their
//! options are is known to their plugins alone, so options pass unchecked. The names are those of Packer's own
//! plugins, as its 1.6 release bundled them and their successors provide them.

use super::{ArtifactFlow, ArtifactKind, ComponentKind, ComponentSpec};

/// Families of builders: the plugin's name and the types that it provides.
const BUILDERS: &[(&str, &[&str])] = &[
    ("alicloud", &["alicloud-ecs"]),
    ("amazon", &["amazon-chroot", "amazon-ebs", "amazon-ebssurrogate", "amazon-ebsvolume", "amazon-instance"]),
    ("azure", &["azure-arm", "azure-chroot", "azure-dtl"]),
    ("cloudstack", &["cloudstack"]),
    ("digitalocean", &["digitalocean"]),
    ("googlecompute", &["googlecompute"]),
    ("hcloud", &["hcloud"]),
    ("hyperone", &["hyperone"]),
    ("hyperv", &["hyperv-iso", "hyperv-vmcx"]),
    ("jdcloud", &["jdcloud"]),
    ("linode", &["linode"]),
    ("lxc", &["lxc"]),
    ("lxd", &["lxd"]),
    ("ncloud", &["ncloud"]),
    ("oneandone", &["oneandone"]),
    ("openstack", &["openstack"]),
    ("oracle", &["oracle-classic", "oracle-oci"]),
    ("osc", &["osc-bsu", "osc-bsusurrogate", "osc-bsuvolume", "osc-chroot"]),
    ("parallels", &["parallels-ipsw", "parallels-iso", "parallels-macvm", "parallels-pvm"]),
    ("profitbricks", &["profitbricks"]),
    ("proxmox", &["proxmox", "proxmox-clone", "proxmox-iso"]),
    ("qemu", &["qemu"]),
    ("scaleway", &["scaleway"]),
    ("tencentcloud", &["tencentcloud-cvm"]),
    ("triton", &["triton"]),
    ("ucloud", &["ucloud-uhost"]),
    ("vagrant", &["vagrant"]),
    ("virtualbox", &["virtualbox-iso", "virtualbox-ovf", "virtualbox-vm"]),
    ("vmware", &["vmware-iso", "vmware-vmx"]),
    ("vsphere", &["vsphere-clone", "vsphere-iso"]),
    ("yandex", &["yandex"]),
];

/// Families of provisioners.
const PROVISIONERS: &[(&str, &[&str])] = &[
    ("ansible", &["ansible", "ansible-local"]),
    ("azure", &["azure-dtlartifact"]),
    ("chef", &["chef-client", "chef-solo"]),
    ("converge", &["converge"]),
    ("inspec", &["inspec"]),
    ("puppet", &["puppet-masterless", "puppet-server"]),
    ("salt", &["salt-masterless"]),
    ("windows-update", &["windows-update"]),
    ("packer", &["hcp-sbom", "powershell", "windows-restart", "windows-shell"]),
];

/// Families of post-processors.
const POST_PROCESSORS: &[(&str, &[&str])] = &[
    ("alicloud", &["alicloud-import"]),
    ("amazon", &["amazon-import"]),
    ("digitalocean", &["digitalocean-import"]),
    ("exoscale", &["exoscale-import"]),
    ("googlecompute", &["googlecompute-export", "googlecompute-import"]),
    ("packer", &["compress", "provenance"]),
    ("ucloud", &["ucloud-import"]),
    ("vagrant", &["vagrant", "vagrant-cloud", "vagrant-registry"]),
    ("vsphere", &["vsphere", "vsphere-template"]),
    ("yandex", &["yandex-export", "yandex-import"]),
];

/// Families of data sources.
const DATA_SOURCES: &[(&str, &[&str])] = &[
    ("amazon", &["amazon-ami", "amazon-parameterstore", "amazon-secretsmanager"]),
    ("azure", &["azure-keyvaultsecret"]),
    ("git", &["git-commit", "git-repository", "git-tree"]),
    ("github", &["github-release"]),
    ("googlecompute", &["googlecompute-image", "googlecompute-secretsmanager"]),
    (
        "packer",
        &["hcp-packer-artifact", "hcp-packer-image", "hcp-packer-iteration", "hcp-packer-version", "http", "null"],
    ),
    ("proxmox", &["proxmox-virtual-machine"]),
    ("sshkey", &["sshkey"]),
    ("vsphere", &["vsphere-virtualmachine"]),
];

/// Names the plugin that Packer has a component from: none for what is a part of Packer itself.
#[must_use]
pub fn plugin_of(kind: ComponentKind, name: &str) -> Option<&'static str> {
    if name == "docker" || kind == ComponentKind::PostProcessor && name.starts_with("docker-") {
        return Some("docker");
    }
    let families = match kind {
        ComponentKind::Builder => BUILDERS,
        ComponentKind::Provisioner => PROVISIONERS,
        ComponentKind::PostProcessor => POST_PROCESSORS,
        ComponentKind::DataSource => DATA_SOURCES,
    };
    let family = families.iter().find(|(_, names)| names.contains(&name))?;
    Some(family.0).filter(|family| *family != "packer")
}

/// Describes every Packer component that is known by name only.
#[must_use]
pub fn known_components() -> Vec<ComponentSpec> {
    let kinds = [
        (ComponentKind::Builder, BUILDERS),
        (ComponentKind::Provisioner, PROVISIONERS),
        (ComponentKind::PostProcessor, POST_PROCESSORS),
        (ComponentKind::DataSource, DATA_SOURCES),
    ];
    let mut specs = Vec::new();
    for (kind, families) in kinds {
        for (family, names) in families {
            for name in *names {
                let mut spec = ComponentSpec::new(kind, *name);
                spec.is_open = true;
                spec.missing = Some(format!(
                    "{kind} `{name}` needs Packer's `{family}` plugin, which is not installed"
                ));
                match kind {
                    ComponentKind::Builder => spec = spec.captures(|_| ArtifactKind::Unknown),
                    ComponentKind::Provisioner | ComponentKind::DataSource => {}
                    ComponentKind::PostProcessor => {
                        spec = spec.flow(ArtifactFlow {
                            takes: &[],
                            gives: Some(ArtifactKind::Unknown),
                            keeps_input: false,
                            keep_is_forced: false,
                        });
                    }
                }
                specs.push(spec);
            }
        }
    }
    specs
}
