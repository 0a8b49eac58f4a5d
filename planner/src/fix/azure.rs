//! Azure builders: a misspelt key of the shared image.

use serde_json::Value;

use super::FixError;
use super::draft::Part;

/// Corrects `exlude_from_latest` inside `shared_image_destination`.
pub(super) fn exclude_from_latest(part: &mut Part<'_>) -> Result<(), FixError> {
    let Some(Value::Object(destination)) = part.keys.get_mut("shared_image_destination") else {
        return Ok(());
    };
    if let Some(value) = destination.remove("exlude_from_latest") {
        destination.insert("exclude_from_latest".to_owned(), value);
        part.note("shared_image_destination.exlude_from_latest", "renamed to `exclude_from_latest`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::builders_become;

    #[test]
    fn the_misspelt_key_is_renamed_only_inside_the_destination() {
        let with = |inner| json!({"type": "azure-chroot", "shared_image_destination": inner, "exlude_from_latest": 1});
        builders_become(&[
            (
                with(json!({"exlude_from_latest": 5, "exclude_from_latest": false})),
                with(json!({"exclude_from_latest": 5})),
            ),
            (with(json!([{"exlude_from_latest": true}])), with(json!([{"exlude_from_latest": true}]))),
        ]);
    }

    #[test]
    fn other_azure_builders_are_left_alone() {
        let builder = json!({"type": "azure-arm", "shared_image_destination": {"exlude_from_latest": true}});
        builders_become(&[(builder.clone(), builder)]);
    }
}
