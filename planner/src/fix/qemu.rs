//! The `qemu` builder: the unit of its disk's size.

use serde_json::Value;

use super::FixError;
use super::draft::Part;

/// Turns a number into a string with its unit, megabytes; a fraction is cut off.
pub(super) fn disk_size(part: &mut Part<'_>) -> Result<(), FixError> {
    if let Some(size) = part.keys.get("disk_size").and_then(Value::as_f64) {
        // Adding zero takes the sign from a negative zero.
        let size = format!("{}M", size.trunc() + 0.0);
        let summary = format!("set to `{size}`");
        part.set("disk_size", Value::from(size), summary);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::builders_become;

    #[test]
    fn a_number_is_a_number_of_megabytes() {
        for (before, after) in [
            (json!(40960), json!("40960M")),
            (json!(40.9), json!("40M")),
            (json!(-0.5), json!("0M")),
            (json!(0), json!("0M")),
            // Packer wraps this to a negative size.
            (json!(1e20), json!("100000000000000000000M")),
            (json!("40960"), json!("40960")),
            (json!(null), json!(null)),
        ] {
            let qemu = |size| json!({"type": "qemu", "disk_size": size});
            builders_become(&[(qemu(before), qemu(after))]);
        }
    }

    #[test]
    fn other_builders_keep_their_numbers() {
        let builder = json!({"type": "virtualbox-iso", "disk_size": 40960});
        builders_become(&[(builder.clone(), builder)]);
    }
}
