//! Names of images: template functions that are called otherwise today.

use serde_json::Value;

use super::FixError;
use super::draft::{Part, kind};

/// Writes `{{timestamp}}` for `{{ .CreateTime }}` in the keys that once took it.
pub(super) fn create_time(part: &mut Part<'_>) -> Result<(), FixError> {
    for key in ["ami_name", "bundle_prefix", "snapshot_name"] {
        if let Some(new) = part.text(key).map(with_timestamp) {
            part.set(key, Value::from(new), "`.CreateTime` replaced by `timestamp`");
        }
    }
    Ok(())
}

/// Writes `clean_resource_name` for its two older names, in strings and in objects of strings.
pub(super) fn clean_names(part: &mut Part<'_>) -> Result<(), FixError> {
    let mut changed = Vec::new();
    for (key, value) in part.keys.iter_mut() {
        match value {
            Value::String(text) => {
                changed.extend(clean(text).then(|| key.clone()));
            }
            Value::Object(inner) => {
                for (inner_key, value) in inner.iter_mut() {
                    if let Value::String(text) = value {
                        changed.extend(clean(text).then(|| format!("{key}.{inner_key}")));
                    }
                }
            }
            other if key == "image_labels" => {
                let found = kind(other);
                return Err(FixError::WrongType {
                    path: part.path_of("image_labels"),
                    expected: "an object or a string",
                    found,
                });
            }
            _ => {}
        }
    }
    for key in changed {
        part.note(&key, "renamed the function to `clean_resource_name`");
    }
    Ok(())
}

fn clean(text: &mut String) -> bool {
    let mut changed = false;
    for old in ["clean_image_name", "clean_ami_name"] {
        if text.contains(old) {
            *text = text.replace(old, "clean_resource_name");
            changed = true;
        }
    }
    changed
}

fn with_timestamp(text: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let (before, call) = rest.split_at(start);
        new.push_str(before);
        match after_create_time(call) {
            Some(after) => {
                new.push_str("{{timestamp}}");
                rest = after;
            }
            None => {
                // The next call may begin with the second brace of this one: `{{{`.
                new.push('{');
                rest = &call[1..];
            }
        }
    }
    new + rest
}

fn after_create_time(call: &str) -> Option<&str> {
    // Packer looks with a regular expression, whose white space is ASCII.
    let space = |c: char| c.is_ascii_whitespace();
    call.strip_prefix("{{")?
        .trim_start_matches(space)
        .strip_prefix(".CreateTime")?
        .trim_start_matches(space)
        .strip_prefix("}}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{builders_become, error_of};
    use super::*;

    #[test]
    fn the_time_of_creation_is_found_in_any_spacing() {
        for (before, after) in [
            ("a-{{.CreateTime}}", "a-{{timestamp}}"),
            ("{{ \t\r\n.CreateTime }}{{.CreateTime }}", "{{timestamp}}{{timestamp}}"),
            ("{{{.CreateTime}}}", "{{{timestamp}}}"),
            ("{{ {{.CreateTime}}", "{{ {{timestamp}}"),
            ("ü{{ .CreateTime\u{a0}}}", "ü{{ .CreateTime\u{a0}}}"),
            ("{{ .CreateTimes }}{{ . CreateTime }}{{", "{{ .CreateTimes }}{{ . CreateTime }}{{"),
        ] {
            assert_eq!(with_timestamp(before), after);
        }
    }

    #[test]
    fn the_time_of_creation_is_replaced_in_three_keys_only() {
        let old = "{{.CreateTime}}";
        builders_become(&[(
            json!({"type": "x", "ami_name": old, "bundle_prefix": old, "snapshot_name": old, "name": old}),
            json!({
                "type": "x",
                "ami_name": "{{timestamp}}",
                "bundle_prefix": "{{timestamp}}",
                "snapshot_name": "{{timestamp}}",
                "name": old
            }),
        )]);
    }

    #[test]
    fn old_names_of_the_cleaning_function_are_replaced_one_level_deep() {
        builders_become(&[(
            json!({
                "type": "x",
                "a": "{{clean_ami_name `b`}} clean_image_names",
                "tags": {"Name": "clean_ami_name", "deep": {"x": "clean_ami_name"}, "n": 1},
                "list": ["clean_ami_name"],
                "clean_ami_name": true,
                "image_labels": "clean_image_name"
            }),
            json!({
                "type": "x",
                "a": "{{clean_resource_name `b`}} clean_resource_names",
                "tags": {"Name": "clean_resource_name", "deep": {"x": "clean_ami_name"}, "n": 1},
                "list": ["clean_ami_name"],
                "clean_ami_name": true,
                "image_labels": "clean_resource_name"
            }),
        )]);
    }

    #[test]
    fn image_labels_are_an_object_or_a_string() {
        for (labels, found) in [(json!(null), "null"), (json!([]), "a list"), (json!(true), "a boolean")] {
            assert_eq!(
                error_of(json!({"builders": [{"type": "googlecompute", "image_labels": labels}]})),
                format!("builders[0].image_labels must be an object or a string, but is {found}")
            );
        }
    }
}
