//! References to the artifacts of other builds.
//!
//! A build may start from what another one makes, and a component may take another build's files. In legacy JSON a
//! template function refers to it, ``{{artifact `base`}}`` or ``{{artifact `base` `file`}}``; in HCL2 the name
//! `artifact`, as in `artifact.docker.base.id`. What it is becomes known only when the other build has run; until
//! then a mark of this form stands in its place: `<artifact BUILD ATTRIBUTE>`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::catalog::Settings;

/// What an artifact may be asked for.
pub const ATTRIBUTES: [&str; 3] = ["id", "file", "files"];

const OPEN: &str = "<artifact ";
const CLOSE: char = '>';

/// Makes the mark that stands for an attribute of a build's artifact.
#[must_use]
pub fn mark(build: &str, attribute: &str) -> String {
    format!("{OPEN}{build} {attribute}{CLOSE}")
}

/// Tells whether a text holds a mark.
#[must_use]
pub fn is_marked(text: &str) -> bool {
    text.contains(OPEN)
}

/// Adds the names of the builds that some options speak of.
pub fn builds_in(value: &Json, builds: &mut BTreeSet<String>) {
    match value {
        Json::String(text) => {
            let marks = text.split(OPEN).skip(1).filter_map(|rest| rest.split_once(CLOSE)?.0.rsplit_once(' '));
            builds.extend(marks.map(|(build, _)| build.to_owned()));
        }
        Json::Array(items) => items.iter().for_each(|item| builds_in(item, builds)),
        Json::Object(members) => members.values().for_each(|member| builds_in(member, builds)),
        _ => {}
    }
}

/// Answers for the artifacts of other builds: build and attribute in, values out.
pub type Answers<'a> = dyn Fn(&str, &str) -> Result<Vec<String>, String> + 'a;

/// Puts values in the places of the marks of a text. Several values stand side by side with spaces between them.
///
/// # Errors
///
/// Fails if there is no answer for a mark.
pub fn fill_text(text: &str, answers: &Answers<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        out.push_str(&rest[..at]);
        let inner = &rest[at + OPEN.len()..];
        let Some((named, after)) = inner.split_once(CLOSE) else { break };
        let Some((build, attribute)) = named.rsplit_once(' ') else { break };
        out.push_str(&answers(build, attribute)?.join(" "));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Puts values in the places of all marks of some options. A mark that is a whole item of a list becomes as many items
/// as it has values.
///
/// # Errors
///
/// Fails if there is no answer for a mark.
pub fn fill(settings: &mut Settings, answers: &Answers<'_>) -> Result<(), String> {
    settings.values_mut().try_for_each(|value| fill_value(value, answers))
}

fn fill_value(value: &mut Json, answers: &Answers<'_>) -> Result<(), String> {
    match value {
        Json::String(text) if is_marked(text) => *text = fill_text(text, answers)?,
        Json::Array(items) => {
            let mut filled = Vec::with_capacity(items.len());
            for mut item in std::mem::take(items) {
                match whole_mark(&item) {
                    Some((build, attribute)) => filled.extend(answers(&build, &attribute)?.into_iter().map(Json::from)),
                    None => {
                        fill_value(&mut item, answers)?;
                        filled.push(item);
                    }
                }
            }
            *items = filled;
        }
        Json::Object(members) => members.values_mut().try_for_each(|member| fill_value(member, answers))?,
        _ => {}
    }
    Ok(())
}

fn whole_mark(value: &Json) -> Option<(String, String)> {
    let named = value.as_str()?.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    let (build, attribute) = named.rsplit_once(' ')?;
    (!named.contains(CLOSE)).then(|| (build.to_owned(), attribute.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(build: &str, attribute: &str) -> Result<Vec<String>, String> {
        match (build, attribute) {
            ("my base", "id") => Ok(vec!["sha256:1".to_owned()]),
            ("my base", "files") => Ok(vec!["a".to_owned(), "b".to_owned()]),
            _ => Err(format!("no {build}")),
        }
    }

    #[test]
    fn marks_are_filled_wherever_they_stand() {
        let mut settings: Settings = serde_json::from_value(serde_json::json!({
            "image": mark("my base", "id"),
            "inline": [format!("echo {} <x> {}", mark("my base", "id"), mark("my base", "files"))],
            "sources": ["z", mark("my base", "files")],
            "map": { "a": mark("my base", "id") },
        }))
        .expect("is an object");
        fill(&mut settings, &answers).expect("all are known");
        let expected = serde_json::json!({
            "image": "sha256:1",
            "inline": ["echo sha256:1 <x> a b"],
            "sources": ["z", "a", "b"],
            "map": { "a": "sha256:1" },
        });
        assert_eq!(Json::Object(settings), expected);
        assert!(fill_text(&mark("other", "id"), &answers).is_err());
    }
}
