//! The `vmware-iso` builder on esx5: compacting works for thin disks only.

use serde_json::Value;

use super::FixError;
use super::draft::Part;

/// Names the disk type that was once the default, and skips compaction unless the disk is thin.
pub(super) fn compaction(part: &mut Part<'_>) -> Result<(), FixError> {
    if part.text("remote_type") != Some("esx5") {
        return Ok(());
    }
    if !part.keys.contains_key("disk_type_id") {
        part.set("disk_type_id", Value::from("zeroedthick"), "set to `zeroedthick`");
    }
    let has_other_disk = part.text("disk_type_id").is_some_and(|disk| disk != "thin");
    let may_set = part.keys.get("skip_compaction").is_none_or(Value::is_boolean);
    if has_other_disk && may_set {
        part.set("skip_compaction", Value::from(true), "set to `true`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::builders_become;

    #[test]
    fn thick_disks_on_esx5_skip_compaction() {
        builders_become(&[
            (
                json!({"type": "vmware-iso", "remote_type": "esx5"}),
                json!({
                    "type": "vmware-iso", "remote_type": "esx5",
                    "disk_type_id": "zeroedthick", "skip_compaction": true
                }),
            ),
            (
                json!({"type": "vmware", "remote_type": "esx5", "disk_type_id": "1", "skip_compaction": false}),
                json!({"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "1", "skip_compaction": true}),
            ),
        ]);
    }

    #[test]
    fn thin_disks_other_hosts_and_unreadable_values_stay() {
        for builder in [
            json!({"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "thin"}),
            json!({"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": 1}),
            json!({"type": "vmware-iso", "remote_type": "esx5", "disk_type_id": "2", "skip_compaction": null}),
            json!({"type": "vmware-iso", "remote_type": "esx6"}),
            json!({"type": "vmware-iso"}),
            json!({"type": "vmware-vmx", "remote_type": "esx5"}),
        ] {
            builders_become(&[(builder.clone(), builder)]);
        }
    }
}
