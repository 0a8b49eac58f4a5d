//! What can go wrong, in Go's words, with the place in the template's text.

use std::ops::Range;

use thiserror::Error;

/// A text is no template.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("template: {name}:{line}: {detail}")]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// The line that the message names, from 1.
    pub line: usize,
    /// The column in bytes of the place where the span starts, from 0.
    pub column: usize,
    /// The message without its place.
    pub detail: String,
    /// The bytes of the text that the message is about.
    pub span: Range<usize>,
}

/// A template could not be executed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("template: {name}:{line}:{column}: executing \"{template}\" at <{expression}>: {detail}")]
pub struct ExecError {
    /// The name of the template that was parsed.
    pub name: Box<str>,
    /// The name of the template that was running: `name`, or one that the text defines.
    pub template: Box<str>,
    /// The expression at fault, as the parser read it.
    pub expression: Box<str>,
    /// The message without its place.
    pub detail: Box<str>,
    /// The line of the fault, from 1.
    pub line: usize,
    /// The column of the fault in bytes, from 0.
    pub column: usize,
    /// The bytes of the text that the message is about.
    pub span: Range<usize>,
}

/// Returns line (from 1) and column (in bytes, from 0) of a byte of `text`.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start)
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn places_count_lines_from_one_and_bytes_from_zero() {
        assert_eq!(line_and_column("ab\ncd", 0), (1, 0));
        assert_eq!(line_and_column("ab\ncd", 4), (2, 1));
        assert_eq!(line_and_column("ab\n", 3), (2, 0));
    }
}
