//! Where every value of a template came from.

use std::ops::Range;

/// One text that a person wrote: a template, a variable file, standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// The path as the user gave it, or a word such as `<stdin>`.
    pub name: String,
    /// The whole text, as it was read.
    pub text: String,
}

/// Names a file among the [`Sources`] of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// A place in one file: bytes from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file that the place is in.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// Makes a span; offsets beyond 4 GiB are cut to that bound.
    #[must_use]
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        let cut = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: cut(start), end: cut(end) }
    }

    /// Returns the bytes that the span covers, for slicing the file's text.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column within the line.
    pub column: usize,
}

/// All texts of one run, so that spans can be shown.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<TemplateFile>,
}

impl Sources {
    /// Adds a text and returns the id by which spans name it.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(TemplateFile { name: name.into(), text: text.into() });
        id
    }

    /// Returns the file of that id; ids come from [`Sources::add`] of the same value.
    #[must_use]
    pub fn file(&self, id: FileId) -> &TemplateFile {
        &self.files[id.0 as usize]
    }

    /// Returns line and column of a span's first byte.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        let text = &self.file(span.file).text;
        let mut end = (span.start as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        Position {
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let file = sources.add("t.json", "{\n  \"ä\": 1\n}");
        for (start, line, column) in [(0, 1, 1), (2, 2, 1), (4, 2, 3), (9, 2, 7)] {
            let place = sources.position(Span::new(file, start, start));
            assert_eq!((place.line, place.column), (line, column), "{start}");
        }
    }
}
