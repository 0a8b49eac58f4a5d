//! Texts of templates in Markdown: nothing in them is markup, but for backticks in rpk's own words.

use std::fmt::Write as _;

/// Writes a text so that none of its characters is markup; line breaks become signs.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("&#92;n"),
            '&' | '<' | '>' | '"' | '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '!' | '$' | '@' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "&#{};", u32::from(character));
            }
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// Writes a text as code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", literal(text))
}

/// Writes words of rpk's, in which what stands between backticks is code.
pub(super) fn words(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // One that closes nothing is a part of the text.
        return literal(text);
    }
    let marked = parts.iter().enumerate();
    marked.map(|(index, part)| if index % 2 == 1 { code(part) } else { literal(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backticks_in_pairs_are_markup() {
        for (text, shown) in [
            ("run `echo <a|b>` now", "run <code>echo &#60;a&#124;b&#62;</code> now"),
            ("a ` b", "a &#96; b"),
            ("*x*\n@y", "&#42;x&#42;&#92;n&#64;y"),
        ] {
            assert_eq!(words(text), shown);
        }
    }
}
