//! The plain cases: a key is renamed or removed, and nothing else of its part matters.
//!
//! A fixer of this kind is data. Its [`KeyMove`]s stand in the table of fixers; this file carries them out.

use serde_json::Value;

use super::draft::Part;

/// Moves the value of one key to another key, or away.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyMove {
    old: &'static str,
    new: Option<&'static str>,
    only: Kind,
    if_both: IfBoth,
}

/// The values that a move touches; others are left where they are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Any,
    Text,
    Bool,
}

/// What happens if the part has both the old and the new key.
#[derive(Clone, Copy, Debug)]
enum IfBoth {
    /// The old key's value replaces the new one's.
    OldWins,
    /// The new key's value stays. The old key is removed if its value is of the right kind.
    NewWins,
    /// The new key's value stays. The old key is removed, whatever its value.
    NewWinsAnyhow,
}

/// Removes `old`.
pub(super) const fn remove(old: &'static str) -> KeyMove {
    KeyMove { old, new: None, only: Kind::Any, if_both: IfBoth::OldWins }
}

/// Renames `old` to `new`, whose earlier value is lost.
pub(super) const fn rename(old: &'static str, new: &'static str) -> KeyMove {
    KeyMove { new: Some(new), ..remove(old) }
}

impl KeyMove {
    /// Moves strings only.
    pub(super) const fn only_text(self) -> Self {
        Self { only: Kind::Text, ..self }
    }

    /// Moves `true` and `false` only.
    pub(super) const fn only_bool(self) -> Self {
        Self { only: Kind::Bool, ..self }
    }

    /// Keeps the new key's value where there is one.
    pub(super) const fn keeping_new(self) -> Self {
        Self { if_both: IfBoth::NewWins, ..self }
    }

    /// Keeps the new key's value where there is one, and then removes even a value that would not be moved.
    pub(super) const fn dropping_old(self) -> Self {
        Self { if_both: IfBoth::NewWinsAnyhow, ..self }
    }

    /// Carries the move out on one part.
    pub(super) fn run(self, part: &mut Part<'_>) {
        let Some(value) = part.keys.get(self.old) else {
            return;
        };
        let movable = match self.only {
            Kind::Any => true,
            Kind::Text => value.is_string(),
            Kind::Bool => value.is_boolean(),
        };
        let has_new = self.new.is_some_and(|new| part.keys.contains_key(new));
        let is_obsolete = has_new && matches!(self.if_both, IfBoth::NewWinsAnyhow);
        if !movable && !is_obsolete {
            return;
        }
        let value = part.keys.remove(self.old).unwrap_or(Value::Null);
        let Some(new) = self.new else {
            return part.note(self.old, "removed");
        };
        if has_new && !matches!(self.if_both, IfBoth::OldWins) {
            return part.note(self.old, format!("removed, as `{new}` is present"));
        }
        part.keys.insert(new.to_owned(), value);
        part.note(self.old, format!("renamed to `{new}`"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{builders_become, post_processors_become, provisioners_become};

    #[test]
    fn removed_keys_are_removed_whatever_they_hold() {
        builders_become(&[
            (json!({"type": "parallels-iso", "headless": [1], "a": 1}), json!({"type": "parallels-iso", "a": 1})),
            (json!({"type": "parallels-pvm", "parallels_tools_host_path": "/t"}), json!({"type": "parallels-pvm"})),
            (json!({"type": "hyperv-iso", "vhd_temp_path": null}), json!({"type": "hyperv-iso"})),
            (
                json!({"type": "amazon-instance", "spot_price_auto_product": "Linux"}),
                json!({"type": "amazon-instance"}),
            ),
        ]);
    }

    #[test]
    fn keys_of_other_builders_stay() {
        for builder in [
            json!({"type": "qemu", "headless": true}),
            json!({"type": "hyperv-vmcx", "vhd_temp_path": "t"}),
            json!({"type": "amazon-chroot", "spot_price_auto_product": "Linux"}),
            json!({"type": "hyperv-iso", "clone_from_vmxc_path": "p"}),
            json!({"type": "docker", "access_key": "k", "cpu": 2, "shutdown_behaviour": "stop"}),
            json!({"type": "docker", "ssh_host_port_min": 1, "enhanced_networking": true}),
        ] {
            builders_become(&[(builder.clone(), builder)]);
        }
    }

    #[test]
    fn plain_renames_replace_what_the_new_key_held() {
        builders_become(&[
            (
                json!({"type": "parallels-pvm", "guest_os_distribution": "debian", "guest_os_type": "x"}),
                json!({"type": "parallels-pvm", "guest_os_type": "debian"}),
            ),
            (
                json!({"type": "amazon-ebs", "shutdown_behaviour": 7, "shutdown_behavior": "stop"}),
                json!({"type": "amazon-ebs", "shutdown_behavior": 7}),
            ),
            (
                json!({"type": "hyperv-iso", "cpu": 2, "cpus": 4, "ram_size": 512}),
                json!({"type": "hyperv-iso", "cpus": 2, "memory": 512}),
            ),
            (
                json!({"type": "hyperv-vmcx", "cpu": null, "clone_from_vmxc_path": "a"}),
                json!({"type": "hyperv-vmcx", "cpus": null, "clone_from_vmcx_path": "a"}),
            ),
            (
                json!({"type": "qemu", "ssh_host_port_min": "1", "host_port_min": 9, "ssh_host_port_max": 2}),
                json!({"type": "qemu", "host_port_min": "1", "host_port_max": 2}),
            ),
        ]);
    }

    #[test]
    fn typed_renames_leave_values_of_other_types() {
        builders_become(&[
            (
                json!({"type": "amazon-ebs", "enhanced_networking": true, "ena_support": false}),
                json!({"type": "amazon-ebs", "ena_support": true}),
            ),
            (
                json!({"type": "amazon-ebs", "enhanced_networking": "true"}),
                json!({"type": "amazon-ebs", "enhanced_networking": "true"}),
            ),
            (
                json!({"type": "x", "ssh_key_path": 1, "ssh_disable_agent": "yes"}),
                json!({"type": "x", "ssh_key_path": 1, "ssh_disable_agent": "yes"}),
            ),
        ]);
        post_processors_become(
            json!([{"type": "manifest", "filename": 1}, [{"type": "manifest", "filename": "a", "output": "b"}]]),
            json!([{"type": "manifest", "filename": 1}, [{"type": "manifest", "output": "a"}]]),
        );
    }

    #[test]
    fn the_new_key_wins_where_a_fixer_says_so() {
        builders_become(&[
            (
                json!({"type": "x", "ssh_key_path": "old", "ssh_private_key_file": null}),
                json!({"type": "x", "ssh_private_key_file": null}),
            ),
            (
                json!({"type": "x", "ssh_key_path": 1, "ssh_private_key_file": "new"}),
                json!({"type": "x", "ssh_key_path": 1, "ssh_private_key_file": "new"}),
            ),
            (
                json!({"type": "x", "ssh_disable_agent": false}),
                json!({"type": "x", "ssh_disable_agent_forwarding": false}),
            ),
            (
                json!({"type": "scaleway", "access_key": "k", "organization_id": "o"}),
                json!({"type": "scaleway", "organization_id": "o"}),
            ),
        ]);
    }

    #[test]
    fn an_obsolete_value_of_the_wrong_type_goes_once_the_new_key_is_there() {
        builders_become(&[
            (json!({"type": "x", "ssh_wait_timeout": 30}), json!({"type": "x", "ssh_wait_timeout": 30})),
            (
                json!({"type": "x", "ssh_wait_timeout": 30, "ssh_timeout": "1m"}),
                json!({"type": "x", "ssh_timeout": "1m"}),
            ),
            (json!({"type": "x", "ssh_wait_timeout": "30s"}), json!({"type": "x", "ssh_timeout": "30s"})),
            (
                json!({"type": "virtualbox-ovf", "ssh_host_port_min": "a", "ssh_skip_nat_mapping": true}),
                json!({"type": "virtualbox-ovf", "host_port_min": "a", "skip_nat_mapping": true}),
            ),
            (
                json!({"type": "virtualbox", "ssh_skip_nat_mapping": 1, "ssh_host_port_max": 1, "host_port_max": 2}),
                json!({"type": "virtualbox-iso", "ssh_skip_nat_mapping": 1, "host_port_max": 2}),
            ),
        ]);
        provisioners_become(
            json!([
                {"type": "ansible-local", "galaxycommand": "g"},
                {"type": "ansible-local", "galaxycommand": 1},
                {"type": "ansible-local", "galaxycommand": 1, "galaxy_command": null},
                {"type": "ansible", "galaxycommand": "g"}
            ]),
            json!([
                {"type": "ansible-local", "galaxy_command": "g"},
                {"type": "ansible-local", "galaxycommand": 1},
                {"type": "ansible-local", "galaxy_command": null},
                {"type": "ansible", "galaxycommand": "g"}
            ]),
        );
    }
}
