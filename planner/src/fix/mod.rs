//! Fixers: what `fix` does to a legacy JSON template written for an older Packer.
//!
//! A fixer knows one thing that Packer has renamed, dropped or moved. [`FIXERS`] lists them all, in the order in which
//! they run. Plain renames and removals stand in the table itself, as [`KeyMove`]s; the rest is a function in the file
//! of its theme. [`fix`] runs the table over a template, [`print`] writes the result as Packer does, and
//! [`deprecated_by`] answers, for diagnostics, which fixer would take care of an unknown key.
//!
//! Reading the template's text, checking the result and writing it anywhere are left to others.
//!
//! # Wrong types
//!
//! A value of a type that a fixer does not expect is left alone: the plugin's own checks name it better. Where Packer
//! would crash, [`FixError`] says what is wrong. In a few places Packer drops or rewrites such a value nevertheless,
//! and so do we; those places say so.

mod amazon;
mod apply;
mod azure;
mod deprecated;
mod docker;
mod draft;
mod image_name;
mod iso;
mod key_move;
mod powershell;
mod print;
mod qemu;
#[cfg(test)]
mod testing;
mod vagrant;
mod virtualbox;
mod vmware;
mod vsphere;

pub use apply::{FixError, Fixed, fix};
pub use deprecated::deprecated_by;
pub use draft::Applied;
pub use print::print;

use draft::{Draft, Part};
use key_move::{KeyMove, remove, rename};

/// One fixer: its name, what it does, and which keys it makes obsolete.
#[derive(Debug)]
pub struct FixerInfo {
    /// The name that `fix -help` lists.
    pub name: &'static str,
    /// What the fixer does, in one line.
    pub description: &'static str,
    /// The keys that this fixer takes care of, by plugin id.
    pub deprecated: &'static [Deprecated],
    rewrites: &'static [Rewrite],
}

/// Keys that are deprecated in all plugins whose id matches.
#[derive(Debug)]
pub struct Deprecated {
    /// A pattern for Packer's plugin ids, in which `*` stands for any text.
    pub plugin: &'static str,
    /// The deprecated keys.
    pub keys: &'static [&'static str],
}

/// One step of a fixer.
#[derive(Debug)]
enum Rewrite {
    /// Moves keys of each part, independently of each other.
    Keys(Within, &'static [KeyMove]),
    /// Gives the builders of one type another type.
    BuilderType(&'static str, &'static str),
    /// Runs a function on each part.
    Each(Within, fn(&mut Part<'_>) -> Result<(), FixError>),
    /// Runs a function on the template.
    Whole(fn(&mut Draft) -> Result<(), FixError>),
}

/// The parts of a template that a rewrite looks at.
#[derive(Clone, Copy, Debug)]
enum Within {
    Builders(TypeIs),
    Provisioners(TypeIs),
    PostProcessors(TypeIs),
}

/// A condition on a part's `type`.
#[derive(Clone, Copy, Debug)]
enum TypeIs {
    Any,
    OneOf(&'static [&'static str]),
    StartingWith(&'static str),
}

use Rewrite::{BuilderType, Each, Keys, Whole};
use TypeIs::{Any, OneOf, StartingWith};
use Within::{Builders, PostProcessors, Provisioners};

const AMAZON: Within = Builders(StartingWith("amazon-"));
const PARALLELS: Within = Builders(OneOf(&["parallels-iso", "parallels-pvm"]));

const fn keys(plugin: &'static str, keys: &'static [&'static str]) -> Deprecated {
    Deprecated { plugin, keys }
}

/// All fixers, in the order in which they run: a later one may rely on what an earlier one has left.
pub static FIXERS: [FixerInfo; 34] = [
    FixerInfo {
        name: "iso-md5",
        description: "Turns `iso_md5` into `iso_checksum`, with md5 as its kind",
        deprecated: &[keys("*", &["iso_md5"])],
        rewrites: &[Each(Builders(Any), iso::md5)],
    },
    FixerInfo {
        name: "createtime",
        description: "Writes `{{timestamp}}` for `{{ .CreateTime }}` in the names of images",
        deprecated: &[],
        rewrites: &[Each(Builders(Any), image_name::create_time)],
    },
    FixerInfo {
        name: "virtualbox-gaattach",
        description: "Turns `guest_additions_attach` of `virtualbox` into `guest_additions_mode`",
        deprecated: &[keys("mitchellh.virtualbox", &["guest_additions_attach"])],
        rewrites: &[Each(Builders(OneOf(&["virtualbox"])), virtualbox::guest_additions)],
    },
    FixerInfo {
        name: "pp-vagrant-override",
        description: "Moves a provider's settings in the `vagrant` post-processor under `override`",
        deprecated: &[],
        rewrites: &[Each(PostProcessors(OneOf(&["vagrant"])), vagrant::overrides)],
    },
    FixerInfo {
        name: "virtualbox-rename",
        description: "Renames the builder `virtualbox` to `virtualbox-iso`, in overrides too",
        deprecated: &[],
        rewrites: &[BuilderType("virtualbox", "virtualbox-iso"), Whole(virtualbox::overrides)],
    },
    FixerInfo {
        name: "vmware-rename",
        description: "Renames the builder `vmware` to `vmware-iso`",
        deprecated: &[],
        rewrites: &[BuilderType("vmware", "vmware-iso")],
    },
    FixerInfo {
        name: "parallels-headless",
        description: "Removes `headless` from Parallels builders, which have no use for it",
        deprecated: &[keys("packer.parallels", &["headless"])],
        rewrites: &[Keys(PARALLELS, &[remove("headless")])],
    },
    FixerInfo {
        name: "parallels-deprecations",
        description: "Renames `guest_os_distribution` of Parallels builders to `guest_os_type`, and removes \
                      `parallels_tools_host_path`",
        deprecated: &[keys("packer.parallels", &["parallels_tools_host_path", "guest_os_distribution"])],
        rewrites: &[Keys(
            PARALLELS,
            &[remove("parallels_tools_host_path"), rename("guest_os_distribution", "guest_os_type")],
        )],
    },
    FixerInfo {
        name: "sshkeypath",
        description: "Renames `ssh_key_path` to `ssh_private_key_file`",
        deprecated: &[keys("*", &["ssh_key_path"])],
        rewrites: &[Keys(Builders(Any), &[rename("ssh_key_path", "ssh_private_key_file").only_text().keeping_new()])],
    },
    FixerInfo {
        name: "sshdisableagent",
        description: "Renames `ssh_disable_agent` to `ssh_disable_agent_forwarding`",
        deprecated: &[keys("*", &["ssh_disable_agent"])],
        rewrites: &[Keys(
            Builders(Any),
            &[rename("ssh_disable_agent", "ssh_disable_agent_forwarding").only_bool().keeping_new()],
        )],
    },
    FixerInfo {
        name: "scaleway-access-key",
        description: "Renames `access_key` of `scaleway` to `organization_id`",
        deprecated: &[keys("hashicorp.scaleway", &["access_key"])],
        rewrites: &[Keys(
            Builders(OneOf(&["scaleway"])),
            &[rename("access_key", "organization_id").only_text().keeping_new()],
        )],
    },
    FixerInfo {
        name: "manifest-filename",
        description: "Renames `filename` of the `manifest` post-processor to `output`",
        deprecated: &[keys("packer.post-processor.manifest", &["filename"])],
        rewrites: &[Keys(PostProcessors(OneOf(&["manifest"])), &[rename("filename", "output").only_text()])],
    },
    FixerInfo {
        name: "amazon-shutdown_behavior",
        description: "Corrects the spelling of `shutdown_behaviour` in Amazon builders",
        deprecated: &[keys("*amazon*", &["shutdown_behaviour"])],
        rewrites: &[Keys(AMAZON, &[rename("shutdown_behaviour", "shutdown_behavior")])],
    },
    FixerInfo {
        name: "amazon-enhanced-networking",
        description: "Renames `enhanced_networking` of Amazon builders to `ena_support`",
        deprecated: &[keys("*amazon*", &["enhanced_networking"])],
        rewrites: &[Keys(AMAZON, &[rename("enhanced_networking", "ena_support").only_bool()])],
    },
    FixerInfo {
        name: "amazon-private-ip",
        description: "Turns `ssh_private_ip` of Amazon builders into `ssh_interface`",
        deprecated: &[keys("*amazon*", &["ssh_private_ip"])],
        rewrites: &[Each(AMAZON, amazon::private_ip)],
    },
    FixerInfo {
        name: "amazon-temp-sec-cidrs",
        description: "Turns `temporary_security_group_source_cidr` of Amazon builders into a list of that name in \
                      the plural",
        deprecated: &[keys("*amazon*", &["temporary_security_group_source_cidr"])],
        rewrites: &[Each(AMAZON, amazon::source_cidrs)],
    },
    FixerInfo {
        name: "docker-email",
        description: "Removes `login_email`, which Docker no longer takes",
        deprecated: &[
            keys("packer.docker", &["login_email"]),
            keys("packer.post-processor.docker-import", &["login_email"]),
        ],
        rewrites: &[Whole(docker::login_email)],
    },
    FixerInfo {
        name: "docker-tag-tags",
        description: "Joins `tag` and `tags` of the `docker-tag` post-processor in `tags`",
        deprecated: &[keys("packer.post-processor.docker-tag", &["tag"])],
        rewrites: &[Each(PostProcessors(OneOf(&["docker-tag"])), docker::tags)],
    },
    FixerInfo {
        name: "powershell-escapes",
        description: "Removes backquote escapes from the user, password and environment of `powershell`",
        deprecated: &[],
        rewrites: &[Each(Provisioners(OneOf(&["powershell"])), powershell::escapes)],
    },
    FixerInfo {
        name: "vmware-compaction",
        description: "Sets `skip_compaction` in `vmware-iso` builders on esx5 whose disks are not thin",
        deprecated: &[],
        rewrites: &[Each(Builders(OneOf(&["vmware-iso"])), vmware::compaction)],
    },
    FixerInfo {
        name: "hyperv-deprecations",
        description: "Removes `vhd_temp_path` from `hyperv-iso` builders",
        deprecated: &[keys("MSOpenTech.hyperv", &["vhd_temp_path"])],
        rewrites: &[Keys(Builders(OneOf(&["hyperv-iso"])), &[remove("vhd_temp_path")])],
    },
    FixerInfo {
        name: "hyperv-vmxc-typo",
        description: "Corrects the spelling of `clone_from_vmxc_path` in `hyperv-vmcx` builders",
        deprecated: &[keys("MSOpenTech.hyperv", &["clone_from_vmxc_path"])],
        rewrites: &[Keys(Builders(OneOf(&["hyperv-vmcx"])), &[rename("clone_from_vmxc_path", "clone_from_vmcx_path")])],
    },
    FixerInfo {
        name: "hyperv-cpu-and-ram",
        description: "Renames `cpu` and `ram_size` of Hyper-V builders to `cpus` and `memory`",
        deprecated: &[keys("MSOpenTech.hyperv", &["cpu", "ram_size"])],
        rewrites: &[Keys(
            Builders(OneOf(&["hyperv-iso", "hyperv-vmcx"])),
            &[rename("cpu", "cpus"), rename("ram_size", "memory")],
        )],
    },
    FixerInfo {
        name: "clean-image-name",
        description: "Writes `clean_resource_name` for `clean_image_name` and `clean_ami_name` in builders",
        deprecated: &[
            keys("*amazon*", &["clean_ami_name"]),
            keys("packer.googlecompute", &["clean_image_name"]),
            keys("Azure*", &["clean_image_name"]),
        ],
        rewrites: &[Each(Builders(Any), image_name::clean_names)],
    },
    FixerInfo {
        name: "spot-price-auto-product",
        description: "Removes `spot_price_auto_product` from Amazon builders",
        deprecated: &[keys("*amazon*", &["spot_price_auto_product"])],
        rewrites: &[Keys(
            Builders(OneOf(&["amazon-ebs", "amazon-ebssurrogate", "amazon-ebsvolume", "amazon-instance"])),
            &[remove("spot_price_auto_product")],
        )],
    },
    FixerInfo {
        name: "qemu-disk-size",
        description: "Gives a numeric `disk_size` of `qemu` its unit, megabytes",
        deprecated: &[],
        rewrites: &[Each(Builders(OneOf(&["qemu"])), qemu::disk_size)],
    },
    FixerInfo {
        name: "galaxy-command",
        description: "Renames `galaxycommand` of the `ansible-local` provisioner to `galaxy_command`",
        deprecated: &[keys("ansible", &["galaxycommand"])],
        rewrites: &[Keys(
            Provisioners(OneOf(&["ansible-local"])),
            &[rename("galaxycommand", "galaxy_command").only_text().dropping_old()],
        )],
    },
    FixerInfo {
        name: "comm-config",
        description: "Takes the prefix `ssh_` from the port forwarding keys of VirtualBox builders",
        deprecated: &[keys("*", &["ssh_host_port_min", "ssh_host_port_max", "ssh_skip_nat_mapping"])],
        rewrites: &[Keys(
            Builders(StartingWith("virtualbox")),
            &[
                rename("ssh_host_port_min", "host_port_min").dropping_old(),
                rename("ssh_host_port_max", "host_port_max").dropping_old(),
                rename("ssh_skip_nat_mapping", "skip_nat_mapping").only_bool().dropping_old(),
            ],
        )],
    },
    FixerInfo {
        name: "ssh-wait-timeout",
        description: "Renames `ssh_wait_timeout` to `ssh_timeout`",
        deprecated: &[keys("*", &["ssh_wait_timeout"])],
        rewrites: &[Keys(Builders(Any), &[rename("ssh_wait_timeout", "ssh_timeout").only_text().dropping_old()])],
    },
    FixerInfo {
        name: "vsphere-iso-net-disk",
        description: "Moves a single network and disk of `vsphere-iso` into `network_adapters` and `storage`",
        deprecated: &[keys(
            "jetbrains.vsphere",
            &["network_card", "network", "networkCard", "disk_size", "disk_thin_provisioned", "disk_eagerly_scrub"],
        )],
        rewrites: &[Each(Builders(OneOf(&["vsphere-iso"])), vsphere::hardware_lists)],
    },
    FixerInfo {
        name: "iso-checksum-type-and-url",
        description: "Joins `iso_checksum_type` and `iso_checksum_url` with `iso_checksum`",
        deprecated: &[keys("*", &["iso_checksum_url", "iso_checksum_type"])],
        rewrites: &[Each(Builders(Any), iso::checksum)],
    },
    FixerInfo {
        name: "qemu-host-port",
        description: "Takes the prefix `ssh_` from the port forwarding keys of `qemu`",
        deprecated: &[keys("transcend.qemu", &["ssh_host_port_max", "ssh_host_port_min"])],
        rewrites: &[Keys(
            Builders(OneOf(&["qemu"])),
            &[rename("ssh_host_port_min", "host_port_min"), rename("ssh_host_port_max", "host_port_max")],
        )],
    },
    FixerInfo {
        name: "azure-exclude_from_latest",
        description: "Corrects the spelling of `exlude_from_latest` in `azure-chroot` builders",
        deprecated: &[keys("Azure*", &["exlude_from_latest"])],
        rewrites: &[Each(Builders(StartingWith("azure-chroot")), azure::exclude_from_latest)],
    },
    FixerInfo {
        name: "proxmox-type",
        description: "Renames the builder `proxmox` to `proxmox-iso`",
        deprecated: &[],
        rewrites: &[BuilderType("proxmox", "proxmox-iso")],
    },
];
