//! Running the fixers: a template in, the fixed template and a list of what was changed out.

use serde_json::Value;
use thiserror::Error;

use super::draft::{Applied, Draft, Part};
use super::{FIXERS, Rewrite, TypeIs, Within};

/// A template that all fixers have seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    /// The template, with a `builders` key even if there was none.
    pub template: Value,
    /// What has been changed, in order.
    pub applied: Vec<Applied>,
}

/// Why a template cannot be fixed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FixError {
    /// The template is not an object.
    #[error("a template must be an object, but this is {found}")]
    NoTemplate {
        /// What the template is instead.
        found: &'static str,
    },
    /// The template is nested deeper than any that was written by hand.
    #[error("the template is nested deeper than {limit} levels")]
    TooDeep {
        /// The deepest permitted nesting.
        limit: usize,
    },
    /// A builder has no `type`.
    #[error("{path}: missing `type`")]
    MissingType {
        /// The builder, such as `builders[0]`.
        path: String,
    },
    /// A value has a type that no fixer can work with.
    #[error("{path} must be {expected}, but is {found}")]
    WrongType {
        /// The value, such as `builders[0].storage`.
        path: String,
        /// What it must be.
        expected: &'static str,
        /// What it is instead.
        found: &'static str,
    },
    /// A string stands for a boolean and does not spell one.
    #[error("{path} must be a boolean, but is `{text}`")]
    NotABool {
        /// The value, such as `builders[0].ssh_private_ip`.
        path: String,
        /// Its text.
        text: String,
    },
}

/// Runs all fixers over a template, in their order.
///
/// Fails as a whole on the first problem. A `builders` key is added, as `null`, where there is none.
pub fn fix(template: Value) -> Result<Fixed, FixError> {
    let mut draft = Draft::new(template)?;
    for fixer in &FIXERS {
        draft.begin(fixer.name);
        for rewrite in fixer.rewrites {
            run(rewrite, &mut draft)?;
        }
    }
    let (template, applied) = draft.finish();
    Ok(Fixed { template, applied })
}

fn run(rewrite: &Rewrite, draft: &mut Draft) -> Result<(), FixError> {
    match rewrite {
        Rewrite::Keys(within, moves) => each(draft, *within, |part| {
            moves.iter().for_each(|key_move| key_move.run(part));
            Ok(())
        }),
        Rewrite::BuilderType(old, new) => draft.builders(|part| {
            if part.text("type") == Some(old) {
                part.keys.insert("type".to_owned(), Value::from(*new));
                part.note("type", format!("changed to `{new}`"));
            }
            Ok(())
        }),
        Rewrite::Each(within, change) => each(draft, *within, change),
        Rewrite::Whole(change) => change(draft),
    }
}

fn each(
    draft: &mut Draft,
    within: Within,
    change: impl Fn(&mut Part<'_>) -> Result<(), FixError>,
) -> Result<(), FixError> {
    let change_if = |part: &mut Part<'_>, type_is: TypeIs| match type_is.holds(part.text("type")) {
        true => change(part),
        false => Ok(()),
    };
    match within {
        Within::Builders(type_is) => draft.builders(|part| change_if(part, type_is)),
        Within::Provisioners(type_is) => draft.provisioners(|part| change_if(part, type_is)),
        Within::PostProcessors(type_is) => draft.post_processors(|part| change_if(part, type_is)),
    }
}

impl TypeIs {
    fn holds(self, type_name: Option<&str>) -> bool {
        match (self, type_name) {
            (Self::Any, _) => true,
            (_, None) => false,
            (Self::OneOf(names), Some(name)) => names.contains(&name),
            (Self::StartingWith(prefix), Some(name)) => name.starts_with(prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn error(template: Value) -> String {
        fix(template).unwrap_err().to_string()
    }

    #[test]
    fn no_two_fixers_share_a_name() {
        let names: BTreeSet<_> = FIXERS.iter().map(|fixer| fixer.name).collect();
        assert_eq!(names.len(), FIXERS.len());
    }

    #[test]
    fn a_template_without_builders_gets_null_builders() {
        assert_eq!(fix(json!({})).unwrap().template, json!({"builders": null}));
        assert_eq!(fix(json!({"builders": []})).unwrap().template, json!({"builders": []}));
    }

    #[test]
    fn a_template_without_old_keys_stays_as_it_is() {
        let template = json!({
            "builders": [{"type": "docker", "image": "a"}],
            "provisioners": [{"type": "shell", "override": {"docker": {}}}],
            "post-processors": ["docker-save", [{"type": "manifest", "output": "m"}]],
            "variables": {"iso_md5": "x"}
        });
        let fixed = fix(template.clone()).unwrap();
        assert_eq!(fixed.template, template);
        assert_eq!(fixed.applied, []);
    }

    #[test]
    fn what_was_changed_is_told_with_its_place() {
        let fixed = fix(json!({
            "builders": [{"type": "docker"}, {"type": "vmware", "iso_md5": "d"}],
            "post-processors": [["x", {"type": "manifest", "filename": "f"}]]
        }));
        let told: Vec<_> =
            fixed.unwrap().applied.iter().map(|applied| format!("{}: {applied}", applied.fixer)).collect();
        assert_eq!(
            told,
            [
                "iso-md5: builders[1].iso_md5: moved to `iso_checksum`",
                "vmware-rename: builders[1].type: changed to `vmware-iso`",
                "manifest-filename: post-processors[0][1].filename: renamed to `output`",
                "iso-checksum-type-and-url: builders[1].iso_checksum: set to `md5:d`",
            ]
        );
    }

    #[test]
    fn builders_are_renamed_by_their_whole_type() {
        let builders = json!([{"type": "proxmox"}, {"type": "proxmox-clone"}, {"type": "vmware-vmx"}]);
        let fixed = fix(json!({ "builders": builders })).unwrap();
        assert_eq!(
            fixed.template["builders"],
            json!([{"type": "proxmox-iso"}, {"type": "proxmox-clone"}, {"type": "vmware-vmx"}])
        );
    }

    #[test]
    fn what_packer_refuses_or_crashes_on_is_an_error() {
        for (template, message) in [
            (json!(null), "a template must be an object, but this is null"),
            (json!([]), "a template must be an object, but this is a list"),
            (json!({"builders": {}}), "builders must be a list, but is an object"),
            (json!({"builders": [1]}), "builders[0] must be an object, but is a number"),
            (json!({"builders": [null]}), "builders[0] must be an object, but is null"),
            (json!({"builders": [{"type": "x"}, {}]}), "builders[1]: missing `type`"),
            (json!({"builders": [{"type": 1}]}), "builders[0].type must be a string, but is a number"),
            (json!({"post-processors": "x"}), "post-processors must be a list, but is a string"),
        ] {
            assert_eq!(error(template), message);
        }
    }
}
