//! The functions that only work on their arguments.

use std::iter::once;

/// How a kind of builder cleans the names of its resources, by its function `clean_resource_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceNames {
    /// The Amazon builders: letters, digits and `()[] ./-'@_` stay.
    Amazon,
    /// The Azure builders: letters, digits and `._-` stay, but not the latter at the end.
    Azure,
    /// The Google builder: lower-case letters and digits stay, and upper-case letters as lower-case ones.
    Google,
}

impl ResourceNames {
    /// Replaces what a name may not contain, byte by byte, with hyphens.
    #[must_use]
    pub fn clean(self, name: &str) -> String {
        let is_good = |byte: u8| match self {
            ResourceNames::Amazon => byte.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&byte),
            ResourceNames::Azure => byte.is_ascii_alphanumeric() || b"._-".contains(&byte),
            ResourceNames::Google => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
        };
        let clean = |name: &str| name.bytes().map(|byte| if is_good(byte) { char::from(byte) } else { '-' }).collect();
        let cleaned: String = match self {
            ResourceNames::Google => clean(&lower(name)),
            _ => clean(name),
        };
        match self {
            ResourceNames::Azure => cleaned.trim_end_matches(['-', '_', '.']).to_owned(),
            _ => cleaned,
        }
    }
}

/// Replaces the first `count` places of `old`, or all of them if `count` is negative.
pub(super) fn replace(old: &str, new: &str, count: i64, text: &str) -> String {
    match usize::try_from(count) {
        Ok(count) => text.replacen(old, new, count),
        Err(_) => text.replace(old, new),
    }
}

/// Returns one of the parts of `text` between the separators.
pub(super) fn split(text: &str, separator: &str, index: i64) -> Result<String, String> {
    // Go takes an empty separator to stand between all characters, and not at the ends.
    let parts: Vec<&str> = if separator.is_empty() {
        let starts = text.char_indices().map(|(start, _)| start);
        let ends = starts.clone().skip(1).chain(once(text.len()));
        starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
    } else {
        text.split(separator).collect()
    };
    let Ok(place) = usize::try_from(index) else {
        return Err(format!("runtime error: index out of range [{index}]"));
    };
    parts.get(place).map(|part| (*part).to_owned()).ok_or_else(|| {
        format!(
            "the substring {index} was unavailable using the separator value, {separator}, only {} values were found",
            parts.len()
        )
    })
}

/// Maps each character to one upper-case character. Those that would take several stay, as in Go.
pub(crate) fn upper(text: &str) -> String {
    let map = |c: char| match c {
        // These have a single upper-case form, which Rust spells with two letters.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => offset(c, 8),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => offset(c, 9),
        c => single(c, c.to_uppercase()),
    };
    text.chars().map(map).collect()
}

/// Maps each character to one lower-case character.
pub(crate) fn lower(text: &str) -> String {
    // The dotted capital I loses its dot: there is room for one character only.
    text.chars().map(|c| if c == 'İ' { 'i' } else { single(c, c.to_lowercase()) }).collect()
}

fn offset(c: char, distance: u32) -> char {
    char::from_u32(u32::from(c) + distance).unwrap_or(c)
}

fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(mapped), None) => mapped,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_names_are_cleaned_as_each_cloud_wants() {
        let name = "Ünit-Test (a):_b/.";
        assert_eq!(ResourceNames::Amazon.clean(name), "--nit-Test (a)-_b/.");
        assert_eq!(ResourceNames::Azure.clean(name), "--nit-Test--a--_b");
        assert_eq!(ResourceNames::Google.clean(name), "--nit-test--a---b--");
    }

    #[test]
    fn case_changes_character_by_character() {
        assert_eq!(upper("ßaǆᾳᾀ"), "ßAǄᾼᾈ");
        assert_eq!(lower("ΑΣİ"), "ασi");
    }

    #[test]
    fn an_empty_separator_stands_between_characters() {
        assert_eq!(split("héy", "", 1), Ok("é".into()));
        assert_eq!(split("héy", "", 2), Ok("y".into()));
        assert!(split("", "", 0).is_err());
        assert_eq!(split("", "-", 0), Ok(String::new()));
    }
}
