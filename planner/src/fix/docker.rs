//! Docker: the e-mail address at login, and the tags of an image.

use serde_json::{Value, json};

use super::FixError;
use super::draft::{Draft, Part, kind};

/// Removes `login_email` from all builders and post-processors.
///
/// Does so only if the template has post-processors at all, as Packer does.
pub(super) fn login_email(draft: &mut Draft) -> Result<(), FixError> {
    let remove = |part: &mut Part<'_>| {
        if part.keys.remove("login_email").is_some() {
            part.note("login_email", "removed");
        }
        Ok(())
    };
    if draft.has_post_processors() {
        draft.builders(remove)?;
        draft.post_processors(remove)?;
    }
    Ok(())
}

/// Joins `tag` and `tags` in a list `tags` without repetitions.
///
/// Values that hold no tags, such as numbers, are lost, and a missing list is added, both as in Packer.
pub(super) fn tags(part: &mut Part<'_>) -> Result<(), FixError> {
    let mut tags: Vec<String> = Vec::new();
    for key in ["tag", "tags"] {
        for tag in tags_of(part, key)? {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    if part.keys.remove("tag").is_some() {
        part.note("tag", "moved to `tags`");
    }
    part.set("tags", json!(tags), "made a list of all tags");
    Ok(())
}

fn tags_of(part: &Part<'_>, key: &str) -> Result<Vec<String>, FixError> {
    match part.keys.get(key) {
        Some(Value::String(text)) => Ok(text.split(',').map(|tag| tag.trim().to_owned()).collect()),
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                item.as_str().map(str::to_owned).ok_or_else(|| FixError::WrongType {
                    path: format!("{}[{index}]", part.path_of(key)),
                    expected: "a string",
                    found: kind(item),
                })
            })
            .collect(),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fix;
    use super::super::testing::{error_of, post_processors_become};
    use super::*;

    #[test]
    fn the_email_goes_from_builders_and_post_processors() {
        let fixed = fix(json!({
            "builders": [{"type": "null", "login_email": "a"}],
            "post-processors": [{"login_email": 1}, [{"type": "x", "login_email": null}], "login_email"]
        }));
        assert_eq!(
            fixed.unwrap().template,
            json!({"builders": [{"type": "null"}], "post-processors": [{}, [{"type": "x"}], "login_email"]})
        );
    }

    #[test]
    fn the_email_stays_in_a_template_without_post_processors() {
        let builders = json!([{"type": "docker", "login_email": "a"}]);
        for (post_processors, stays) in [(json!(null), true), (json!([]), false)] {
            let fixed = fix(json!({"builders": builders, "post-processors": post_processors})).unwrap();
            assert_eq!(fixed.template["builders"] == builders, stays, "{post_processors}");
        }
    }

    #[test]
    fn tag_and_tags_are_joined_in_this_order() {
        let tag = |tag: Value, tags: Value| json!([{"type": "docker-tag", "tag": tag, "tags": tags}]);
        for (before, after) in [
            (tag(json!("b, a,b"), json!(["c", "a"])), json!(["b", "a", "c"])),
            (tag(json!(["x", " y"]), json!("x ,z")), json!(["x", " y", "z"])),
            (tag(json!(""), json!(null)), json!([""])),
            (tag(json!(3), json!({"a": "b"})), json!([])),
        ] {
            post_processors_become(before, json!([{"type": "docker-tag", "tags": after}]));
        }
    }

    #[test]
    fn tags_are_added_where_there_are_none() {
        post_processors_become(
            json!(["docker-tag", {"type": "docker-tag"}, [{"type": "docker-tag", "tags": ["a"]}]]),
            json!(["docker-tag", {"type": "docker-tag", "tags": []}, [{"type": "docker-tag", "tags": ["a"]}]]),
        );
    }

    #[test]
    fn a_list_of_tags_holds_strings() {
        assert_eq!(
            error_of(json!({"post-processors": [[{"type": "docker-tag", "tags": ["a", 1]}]]})),
            "post-processors[0][0].tags[1] must be a string, but is a number"
        );
    }
}
