//! What the tests of all fixers share: a section goes in, the same section comes out fixed.

use serde_json::{Value, json};

use super::fix;

/// Fixes each builder on its own.
pub(super) fn builders_become(cases: &[(Value, Value)]) {
    for (before, after) in cases {
        let fixed = fix(json!({"builders": [before]})).unwrap_or_else(|e| panic!("{before}: {e}"));
        assert_eq!(fixed.template["builders"], json!([after]), "{before}");
        assert_eq!(fixed.applied.is_empty(), before == after, "{before}: {:?}", fixed.applied);
    }
}

/// Fixes the `provisioners`.
pub(super) fn provisioners_become(before: Value, after: Value) {
    section_becomes("provisioners", before, after);
}

/// Fixes the `post-processors`.
pub(super) fn post_processors_become(before: Value, after: Value) {
    section_becomes("post-processors", before, after);
}

/// The message of a template that cannot be fixed.
pub(super) fn error_of(template: Value) -> String {
    fix(template).expect_err("a template that cannot be fixed").to_string()
}

fn section_becomes(section: &str, before: Value, after: Value) {
    let fixed = fix(json!({ section: before })).unwrap_or_else(|e| panic!("{before}: {e}"));
    assert_eq!(fixed.template[section], after, "{before}");
    assert_eq!(fixed.applied.is_empty(), before == after, "{before}: {:?}", fixed.applied);
}
