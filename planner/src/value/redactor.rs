//! Keeps sensitive values out of everything that is shown or stored.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands in place of a sensitive value.
pub const PLACEHOLDER: &str = "<sensitive>";

/// Replaces sensitive values wherever they appear in a text.
///
/// A value counts as a whole, by each of its lines (logs are cut into lines) and in its base64 form. Empty values are
/// ignored.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<String>,
    matcher: Option<AhoCorasick>,
}

impl Redactor {
    /// Makes a redactor for these values.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Vec::new();
        for value in values {
            let trimmed = value.trim_end_matches(['\n', '\r']);
            for text in trimmed.lines().chain([value.as_str(), trimmed]) {
                if !text.trim().is_empty() {
                    secrets.push(text.to_owned());
                    // Shorter texts give base64 forms that ordinary words contain.
                    if text.len() >= 6 {
                        secrets.extend((0..3).map(|shift| base64(text.as_bytes(), shift)));
                    }
                }
            }
        }
        secrets.sort();
        secrets.dedup();
        let matcher = (!secrets.is_empty())
            .then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&secrets).ok())
            .flatten();
        Self { secrets, matcher }
    }

    /// Tells whether a text has a sensitive value in it.
    #[must_use]
    pub fn hides(&self, text: &str) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| matcher.is_match(text))
    }

    /// Returns the text with sensitive values replaced.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        match &self.matcher {
            Some(matcher) => matcher.replace_all(text, &vec![PLACEHOLDER; self.secrets.len()]),
            None => text.to_owned(),
        }
    }

    /// Returns the text with sensitive values replaced; no copy if there are none.
    #[must_use]
    pub fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.hides(text) { Cow::Owned(self.redact(text)) } else { Cow::Borrowed(text) }
    }

    /// Replaces sensitive values in every text of a JSON value.
    #[must_use]
    pub fn redact_json(&self, value: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match value {
            Json::String(text) => Json::String(self.redact(text)),
            Json::Array(items) => items.iter().map(|item| self.redact_json(item)).collect(),
            Json::Object(map) => map.iter().map(|(key, value)| (self.redact(key), self.redact_json(value))).collect(),
            other => other.clone(),
        }
    }
}

/// Encodes as RFC 4648 says what a text gives when it stands `shift` bytes behind a multiple of three.
///
/// A secret in the middle of a longer text has another form at each of the three places. The digits that its
/// neighbours have a share in are left out.
fn base64(bytes: &[u8], shift: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let shifted: Vec<u8> = std::iter::repeat_n(0, shift).chain(bytes.iter().copied()).collect();
    let mut digits = String::new();
    for chunk in shifted.chunks(3) {
        let word = chunk.iter().chain([&0, &0]).take(3).fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        for index in 0..=chunk.len() {
            digits.push(char::from(ALPHABET[word >> (18 - 6 * index) & 63]));
        }
    }
    let whole = if shifted.len().is_multiple_of(3) { digits.len() } else { digits.len() - 1 };
    digits[[0, 2, 3][shift]..whole].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_their_lines_and_their_base64_are_replaced() {
        let redactor = Redactor::new(["hunter2".to_owned(), "first\nsecond line\n".to_owned(), String::new()]);
        for (text, shown) in [
            ("-p hunter2!", "-p <sensitive>!"),
            ("xhunter2x", "x<sensitive>x"),
            ("the second line is", "the <sensitive> is"),
            // `hunter2`, `xhunter2x` and `xxhunter2`.
            ("aHVudGVyMg==", "<sensitive>g=="),
            ("eGh1bnRlcjJ4", "eG<sensitive>J4"),
            ("eHhodW50ZXIy", "eHh<sensitive>"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redactor.redact(text), shown);
        }
    }

    #[test]
    fn the_longest_secret_wins() {
        let redactor = Redactor::new(["abc".to_owned(), "abcdef".to_owned()]);
        assert_eq!(redactor.redact("abcdef abc"), "<sensitive> <sensitive>");
    }
}
