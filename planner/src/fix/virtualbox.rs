//! VirtualBox: how guest additions arrive, and overrides for the builder's old name.

use serde_json::{Map, Value, json};

use super::FixError;
use super::draft::{Draft, Part, kind};

/// Turns `guest_additions_attach` into a mode.
pub(super) fn guest_additions(part: &mut Part<'_>) -> Result<(), FixError> {
    const KEY: &str = "guest_additions_attach";
    let Some(attach) = part.keys.get(KEY).and_then(Value::as_bool) else {
        return Ok(());
    };
    let mode = if attach { "attach" } else { "upload" };
    part.keys.remove(KEY);
    part.keys.insert("guest_additions_mode".to_owned(), json!(mode));
    part.note(KEY, format!("became `guest_additions_mode`, `{mode}`"));
    Ok(())
}

/// Renames the builder in the `override`s of provisioners.
///
/// Packer reads leniently here, and so do we: `provisioners` that are not a list become a list of one, and a list of
/// objects in the place of an object is merged, but only where there is something to rename.
pub(super) fn overrides(draft: &mut Draft) -> Result<(), FixError> {
    let Some((section, provisioners, notes)) = draft.provisioners_value() else {
        return Ok(());
    };
    let is_empty = provisioners.as_object().is_some_and(Map::is_empty);
    if !provisioners.is_null() && !provisioners.is_array() && !is_empty {
        *provisioners = Value::Array(vec![provisioners.take()]);
        notes.add(section.clone(), "made a list");
    }
    for (index, provisioner) in provisioners.as_array_mut().into_iter().flatten().enumerate() {
        let path = format!("{section}[{index}].override");
        // An element that is no object is for others to complain about.
        let Ok(Some(overrides)) = lookup(provisioner, "override") else {
            continue;
        };
        match lookup(overrides, "virtualbox") {
            Ok(Some(_)) => {}
            Ok(None) => continue,
            Err(other) => {
                return Err(FixError::WrongType { path, expected: "an object", found: kind(other) });
            }
        }
        let mut keys = merged(provisioner.take());
        let mut overrides = merged(keys.remove("override").unwrap_or_default());
        let settings = overrides.remove("virtualbox").unwrap_or_default();
        overrides.insert("virtualbox-iso".to_owned(), settings);
        keys.insert("override".to_owned(), Value::Object(overrides));
        *provisioner = Value::Object(keys);
        notes.add(format!("{path}.virtualbox"), "renamed to `virtualbox-iso`");
    }
    Ok(())
}

/// The value of a key in an object, or in a list of objects that stands for one: there the last object goes first.
///
/// Fails with the first value that is neither.
fn lookup<'a>(value: &'a Value, key: &str) -> Result<Option<&'a Value>, &'a Value> {
    let mut found = None;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Null => {}
            Value::Object(keys) => found = keys.get(key).or(found),
            Value::Array(items) => open.extend(items.iter().rev()),
            other => return Err(other),
        }
    }
    Ok(found)
}

/// The one object that [`lookup`] looks into.
fn merged(value: Value) -> Map<String, Value> {
    let mut merged = Map::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(keys) => merged.extend(keys),
            Value::Array(items) => open.extend(items.into_iter().rev()),
            _ => {}
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::super::testing::{builders_become, error_of, provisioners_become};
    use super::*;

    #[test]
    fn attaching_is_a_mode_of_the_old_builder_only() {
        builders_become(&[
            (
                json!({"type": "virtualbox", "guest_additions_attach": true, "guest_additions_mode": "x"}),
                json!({"type": "virtualbox-iso", "guest_additions_mode": "attach"}),
            ),
            (
                json!({"type": "virtualbox", "guest_additions_attach": false}),
                json!({"type": "virtualbox-iso", "guest_additions_mode": "upload"}),
            ),
            (
                json!({"type": "virtualbox", "guest_additions_attach": "true"}),
                json!({"type": "virtualbox-iso", "guest_additions_attach": "true"}),
            ),
            (
                json!({"type": "virtualbox-iso", "guest_additions_attach": true}),
                json!({"type": "virtualbox-iso", "guest_additions_attach": true}),
            ),
        ]);
    }

    #[test]
    fn overrides_follow_the_new_name_but_only_does_not() {
        provisioners_become(
            json!([{"type": "a", "only": ["virtualbox"], "override": {"virtualbox": 1, "virtualbox-iso": 2, "b": 3}}]),
            json!([{"type": "a", "only": ["virtualbox"], "override": {"virtualbox-iso": 1, "b": 3}}]),
        );
    }

    #[test]
    fn a_list_of_objects_is_merged_if_there_is_something_to_rename() {
        let old = json!({"virtualbox": 1});
        for (before, after) in [
            (
                json!([{"override": [{"a": 1}, null, [{"virtualbox": 2, "a": 3}]]}]),
                json!([{"override": {"virtualbox-iso": 2, "a": 3}}]),
            ),
            (
                json!([[{"override": old, "type": "a"}, {"type": "b"}]]),
                json!([{"override": {"virtualbox-iso": 1}, "type": "b"}]),
            ),
            (json!([[{"override": []}, {"type": "b"}]]), json!([[{"override": []}, {"type": "b"}]])),
            (json!([[{"override": old}, 1]]), json!([[{"override": old}, 1]])),
            (json!([null, "x", {"override": null}]), json!([null, "x", {"override": null}])),
        ] {
            provisioners_become(before, after);
        }
    }

    #[test]
    fn provisioners_that_are_no_list_become_one() {
        for (before, after) in [
            (json!({"type": "shell"}), json!([{"type": "shell"}])),
            (json!(""), json!([""])),
            (json!({}), json!({})),
            (json!(null), json!(null)),
        ] {
            provisioners_become(before, after);
        }
    }

    #[test]
    fn an_override_is_an_object() {
        assert_eq!(
            error_of(json!({"provisioners": [{}, {"override": "virtualbox"}]})),
            "provisioners[1].override must be an object, but is a string"
        );
        assert!(error_of(json!({"provisioners": [{"override": [{}, 1]}]})).ends_with("but is a number"));
    }
}
