//! Blocks that describe an HCP registry: checked as Packer does, and then read past.

use crate::blocks::{BuildValues, Globals, with_scope};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::evaluate::evaluate;
use crate::template::hcl::{Declaration, place};

/// Checks the name and the description.
pub(super) fn check(registry: &Declaration, globals: &Globals, problems: &mut Diagnostics) {
    let body = &registry.block.body;
    with_scope(globals, None, BuildValues::None, &[], |scope| {
        let mut complain = |name: &str, is_good: &dyn Fn(&str) -> bool, wanted: &str| {
            let Some(attribute) = body.attribute(name) else { return };
            let value = evaluate(&attribute.value, registry.file, scope, problems);
            if let Some(text) = value.as_text()
                && !is_good(text)
            {
                problems.push(
                    Diagnostic::error("rpk::hcl::registry", format!("`{name}` must be {wanted}"))
                        .at(place(registry.file, attribute.value.span), format!("{} bytes", text.len())),
                );
            }
        };
        let is_name = |text: &str| {
            text.is_empty()
                || (3..=36).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        complain("bucket_name", &is_name, "3 to 36 letters, digits and dashes");
        complain("description", &|text| text.len() <= 255, "at most 255 bytes long");
    });
}
