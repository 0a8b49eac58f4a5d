//! The `vsphere-iso` builder: one network and one disk become lists of them.

use serde_json::{Map, Value};

use super::FixError;
use super::draft::Part;

/// Moves the keys of the one network and the one disk to the heads of their lists.
pub(super) fn hardware_lists(part: &mut Part<'_>) -> Result<(), FixError> {
    gather(
        part,
        "network_adapters",
        // Of the two spellings of the card, the later one here wins.
        &[("network", "network"), ("networkCard", "network_card"), ("network_card", "network_card")],
    )?;
    gather(
        part,
        "storage",
        &[
            ("disk_size", "disk_size"),
            ("disk_thin_provisioned", "disk_thin_provisioned"),
            ("disk_eagerly_scrub", "disk_eagerly_scrub"),
        ],
    )
}

fn gather(part: &mut Part<'_>, list: &str, keys: &[(&str, &str)]) -> Result<(), FixError> {
    let mut first = Map::new();
    for (old, new) in keys {
        if let Some(value) = part.keys.remove(*old) {
            first.insert((*new).to_owned(), value);
            part.note(old, format!("moved to `{new}` in `{list}[0]`"));
        }
    }
    if first.is_empty() {
        return Ok(());
    }
    match part.keys.get_mut(list) {
        None => {
            part.keys.insert(list.to_owned(), Value::Array(vec![Value::Object(first)]));
        }
        Some(Value::Array(items)) => items.insert(0, Value::Object(first)),
        Some(_) => return Err(part.wrong_type(list, "a list")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{builders_become, error_of};

    #[test]
    fn one_network_comes_before_the_listed_ones() {
        builders_become(&[
            (
                json!({"type": "vsphere-iso", "network": "n", "network_card": "c", "network_adapters": [{"a": 1}]}),
                json!({"type": "vsphere-iso", "network_adapters": [{"network": "n", "network_card": "c"}, {"a": 1}]}),
            ),
            (
                json!({"type": "vsphere-iso", "networkCard": "old", "network_card": null}),
                json!({"type": "vsphere-iso", "network_adapters": [{"network_card": null}]}),
            ),
            (
                json!({"type": "vsphere-iso", "networkCard": "old"}),
                json!({"type": "vsphere-iso", "network_adapters": [{"network_card": "old"}]}),
            ),
        ]);
    }

    #[test]
    fn one_disk_comes_before_the_listed_ones() {
        builders_become(&[
            (
                json!({"type": "vsphere-iso", "disk_size": 10, "disk_thin_provisioned": true, "storage": [1]}),
                json!({"type": "vsphere-iso", "storage": [{"disk_size": 10, "disk_thin_provisioned": true}, 1]}),
            ),
            (
                json!({"type": "vsphere-iso", "disk_eagerly_scrub": false}),
                json!({"type": "vsphere-iso", "storage": [{"disk_eagerly_scrub": false}]}),
            ),
        ]);
    }

    #[test]
    fn lists_stay_where_nothing_moves() {
        for builder in [
            json!({"type": "vsphere-iso", "network_adapters": null, "storage": "s"}),
            json!({"type": "vsphere-clone", "network": "n", "disk_size": 1}),
        ] {
            builders_become(&[(builder.clone(), builder)]);
        }
    }

    #[test]
    fn what_should_be_a_list_is_one() {
        let builder = json!({"type": "vsphere-iso", "disk_size": 1, "storage": {"disk_size": 2}});
        assert_eq!(error_of(json!({"builders": [builder]})), "builders[0].storage must be a list, but is an object");
    }
}
