//! Which fixer takes care of a key that a plugin does not know?
//!
//! Packer asks this of the plugin's id, which for most plugins is not the `type` in the template: `docker` calls itself
//! `packer.docker`. Its answer then is `Deprecated configuration key`, in place of `unknown configuration key`.

use super::{FIXERS, FixerInfo};

/// Finds the fixer for a key that a component does not know.
///
/// The component is given by its type, such as `docker-tag`, or by the id of its plugin. A fixer for few plugins goes
/// before one for all. A plugin without an id (`shell-local`) has no deprecated keys, not even those of all plugins.
pub fn deprecated_by(component_type: &str, key: &str) -> Option<&'static FixerInfo> {
    let id = plugin_id(component_type);
    if id.is_empty() {
        return None;
    }
    let mut candidates: Vec<_> = FIXERS
        .iter()
        .flat_map(|fixer| fixer.deprecated.iter().map(move |deprecated| (deprecated, fixer)))
        .filter(|(deprecated, _)| deprecated.keys.contains(&key) && matches(deprecated.plugin, id))
        .collect();
    candidates.sort_by_key(|(deprecated, _)| deprecated.plugin == "*");
    candidates.first().map(|(_, fixer)| *fixer)
}

/// The id under which Packer knows a component's plugin, where a pattern depends on it.
fn plugin_id(component_type: &str) -> &str {
    const FAMILIES: [(&str, &str); 5] = [
        ("azure-", "Azure.ResourceManagement.VMImage"),
        ("hyperv-", "MSOpenTech.hyperv"),
        ("parallels-", "packer.parallels"),
        ("virtualbox-", "mitchellh.virtualbox"),
        ("vsphere-", "jetbrains.vsphere"),
    ];
    match component_type {
        "docker" => "packer.docker",
        "docker-import" => "packer.post-processor.docker-import",
        "docker-tag" => "packer.post-processor.docker-tag",
        "googlecompute" => "packer.googlecompute",
        "manifest" => "packer.post-processor.manifest",
        "qemu" => "transcend.qemu",
        "scaleway" => "hashicorp.scaleway",
        "shell-local" => "",
        other => FAMILIES.iter().find(|(prefix, _)| other.starts_with(prefix)).map_or(other, |(_, id)| id),
    }
}

/// Matches a whole id, where `*` in the pattern stands for any text.
fn matches(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((before, pattern)) => id.strip_prefix(before).is_some_and(|id| {
            // Every tail is tried; patterns and ids are short.
            id.char_indices().map(|(start, _)| &id[start..]).chain([""]).any(|tail| matches(pattern, tail))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(component_type: &str, key: &str) -> Option<&'static str> {
        deprecated_by(component_type, key).map(|fixer| fixer.name)
    }

    #[test]
    fn every_deprecated_key_leads_to_a_fixer() {
        for (component, key, fixer) in [
            ("docker", "iso_md5", "iso-md5"),
            ("docker", "login_email", "docker-email"),
            ("docker-import", "login_email", "docker-email"),
            ("docker-tag", "tag", "docker-tag-tags"),
            ("manifest", "filename", "manifest-filename"),
            ("shell", "ssh_wait_timeout", "ssh-wait-timeout"),
            ("amazon-ebs", "clean_ami_name", "clean-image-name"),
            ("mitchellh.amazonebs", "ssh_private_ip", "amazon-private-ip"),
            ("azure-arm", "exlude_from_latest", "azure-exclude_from_latest"),
            ("virtualbox-iso", "ssh_host_port_min", "comm-config"),
            ("vsphere-iso", "networkCard", "vsphere-iso-net-disk"),
            ("hyperv-vmcx", "ram_size", "hyperv-cpu-and-ram"),
            ("transcend.qemu", "iso_checksum_type", "iso-checksum-type-and-url"),
        ] {
            assert_eq!(name(component, key), Some(fixer), "{component}, {key}");
        }
    }

    #[test]
    fn a_fixer_for_one_plugin_goes_before_one_for_all() {
        assert_eq!(name("qemu", "ssh_host_port_max"), Some("qemu-host-port"));
    }

    #[test]
    fn keys_of_other_plugins_and_plugins_without_an_id_have_no_fixer() {
        for (component, key) in [
            ("docker", "tag"),
            ("docker-push", "login_email"),
            ("qemu", "disk_size"),
            ("googlecompute", "clean_ami_name"),
            ("docker", "image"),
            ("shell-local", "iso_md5"),
            ("", "iso_md5"),
        ] {
            assert_eq!(name(component, key), None, "{component}, {key}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, id, holds) in [
            ("*", "", true),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("a*c", "acbc", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, id), holds, "{pattern}, {id}");
        }
    }
}
