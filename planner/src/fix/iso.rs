//! The checksum of an ISO image, which was once spread over several keys.

use serde_json::Value;

use super::FixError;
use super::draft::Part;

/// Moves `iso_md5` to `iso_checksum`, with its kind beside it for [`checksum`] to join.
pub(super) fn md5(part: &mut Part<'_>) -> Result<(), FixError> {
    let Some(sum) = part.text("iso_md5").map(str::to_owned) else {
        return Ok(());
    };
    part.keys.remove("iso_md5");
    part.keys.insert("iso_checksum".to_owned(), Value::from(sum));
    part.keys.insert("iso_checksum_type".to_owned(), Value::from("md5"));
    part.note("iso_md5", "moved to `iso_checksum`");
    Ok(())
}

/// Joins the sum with its kind, or puts the address of a list of sums in its place.
///
/// Both older keys go even if they hold no strings and so are of no use, as in Packer.
pub(super) fn checksum(part: &mut Part<'_>) -> Result<(), FixError> {
    let text = |key| part.text(key).unwrap_or_default();
    let (url, kind, sum) = (text("iso_checksum_url"), text("iso_checksum_type"), text("iso_checksum"));
    let joined = match (url, kind, sum) {
        ("", _, "") | ("", "", _) => None,
        ("", kind, sum) => Some(format!("{kind}:{sum}")),
        (url, _, _) => Some(format!("file:{url}")),
    };
    // A value that finds its way into the checksum is told there.
    let adds_nothing = joined.as_deref().is_none_or(|joined| joined == sum);
    for key in ["iso_checksum_url", "iso_checksum_type"] {
        if part.keys.remove(key).is_some() && adds_nothing {
            part.note(key, "removed, as it adds nothing");
        }
    }
    if let Some(joined) = joined {
        let summary = format!("set to `{joined}`");
        part.set("iso_checksum", Value::from(joined), summary);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::builders_become;

    #[test]
    fn an_md5_sum_replaces_another_checksum() {
        builders_become(&[
            (
                json!({"type": "x", "iso_md5": "aa", "iso_checksum": "bb", "iso_checksum_type": "sha1"}),
                json!({"type": "x", "iso_checksum": "md5:aa"}),
            ),
            (json!({"type": "x", "iso_md5": ""}), json!({"type": "x", "iso_checksum": ""})),
            (json!({"type": "x", "iso_md5": null}), json!({"type": "x", "iso_md5": null})),
        ]);
    }

    #[test]
    fn an_address_goes_before_a_sum_with_its_kind() {
        builders_become(&[
            (
                json!({"type": "x", "iso_checksum_url": "u", "iso_checksum_type": "sha1", "iso_checksum": "s"}),
                json!({"type": "x", "iso_checksum": "file:u"}),
            ),
            (
                json!({"type": "x", "iso_checksum_type": "sha1", "iso_checksum": "s"}),
                json!({"type": "x", "iso_checksum": "sha1:s"}),
            ),
            (
                json!({"type": "x", "iso_checksum_url": "u", "iso_checksum": "file:u"}),
                json!({"type": "x", "iso_checksum": "file:u"}),
            ),
            (json!({"type": "x", "iso_checksum_type": "none", "iso_checksum_url": ""}), json!({"type": "x"})),
        ]);
    }

    #[test]
    fn values_that_are_no_strings_count_as_absent() {
        builders_become(&[
            (
                json!({"type": "x", "iso_checksum_type": 1, "iso_checksum_url": true, "iso_checksum": 5}),
                json!({"type": "x", "iso_checksum": 5}),
            ),
            (
                json!({"type": "x", "iso_checksum_url": "u", "iso_checksum": null}),
                json!({"type": "x", "iso_checksum": "file:u"}),
            ),
            (
                json!({"type": "x", "iso_checksum_type": null, "iso_checksum": "s"}),
                json!({"type": "x", "iso_checksum": "s"}),
            ),
        ]);
    }
}
