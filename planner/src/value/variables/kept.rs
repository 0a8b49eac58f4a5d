//! Cutting fields out of a variable's text, and putting them back into what it renders to.

use std::collections::BTreeSet;

use crate::value::interpolation::InterpolationError;

/// A text whose fields are cut out, with what was in their place.
pub(super) struct Kept<'t> {
    pub text: String,
    /// A character that the original text does not contain. It stands before and behind the number of a field, and
    /// has no case, so that `upper` and `lower` leave it alone.
    mark: char,
    fields: Vec<&'t str>,
    /// Where in the new text each field's number starts.
    starts: Vec<usize>,
}

impl<'t> Kept<'t> {
    /// Cuts the fields out of `text`.
    pub fn cut_out(text: &'t str) -> Self {
        let mut kept = Kept {
            text: String::with_capacity(text.len()),
            mark: unused(text),
            fields: Vec::new(),
            starts: Vec::new(),
        };
        let mut done = 0;
        let mut position = 0;
        while let Some(start) = text[position..].find("{{").map(|start| position + start) {
            match field_length(&text[start..]) {
                Ok(length) => {
                    kept.text.push_str(&text[done..start]);
                    kept.starts.push(kept.text.len());
                    kept.text.push_str(&kept.mark_of(kept.fields.len()));
                    kept.fields.push(&text[start..start + length]);
                    position = start + length;
                    done = position;
                }
                Err(skip) => position = start + skip,
            }
        }
        kept.text.push_str(&text[done..]);
        kept
    }

    fn mark_of(&self, index: usize) -> String {
        format!("{}{index}{}", self.mark, self.mark)
    }

    /// Puts the fields back where their numbers have come out.
    pub fn put_back(&self, rendered: &str) -> String {
        let mut out = String::with_capacity(rendered.len());
        let mut rest = rendered;
        while let Some((before, after)) = rest.split_once(self.mark) {
            out.push_str(before);
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let field = after[..digits].parse::<usize>().ok().and_then(|index| self.fields.get(index));
            if let (Some(field), Some(behind)) = (field, after[digits..].strip_prefix(self.mark)) {
                out.push_str(field);
                rest = behind;
            } else {
                // The value of another variable may contain the character.
                out.push(self.mark);
                rest = after;
            }
        }
        out + rest
    }

    /// Moves an error's span from the new text to the original one, which is `text`.
    pub fn place_in_text(&self, mut error: InterpolationError, text: &str) -> InterpolationError {
        let original = |offset: usize| {
            let mut moved = offset;
            for (index, start) in self.starts.iter().enumerate().take_while(|(_, start)| **start < offset) {
                let length = self.mark_of(index).len();
                // Within a mark, its field is as close as it gets.
                moved = (moved + self.fields[index].len()).saturating_sub(length.min(offset - start));
            }
            moved.min(text.len())
        };
        let span = match &mut error {
            InterpolationError::Parse(error) => &mut error.span,
            InterpolationError::Exec(error) => &mut error.span,
            InterpolationError::Later { .. } | InterpolationError::Unsettled => return error,
        };
        *span = original(span.start)..original(span.end);
        error
    }
}

/// Returns the length of the field action that `text`, which begins with two braces, starts with; else how many bytes
/// to skip, in which no field can start.
fn field_length(text: &str) -> Result<usize, usize> {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
    let rest = &text[2..];
    let Some(rest) = rest.strip_prefix(is_blank).unwrap_or(rest).strip_prefix('.') else {
        return Err(1);
    };
    let start = text.len() - rest.len();
    let bytes = rest.as_bytes();
    let end = (0..bytes.len()).find(|&index| bytes[index] == b'\n' || bytes[index..].starts_with(b"}}"));
    match end {
        Some(end) if bytes[end] == b'}' => Ok(start + end + 2),
        // A newline right before the braces counts as the blank that may stand there.
        Some(end) if bytes[end..].starts_with(b"\n}}") => Ok(start + end + 3),
        // Without closing braces in this line, no other field in it is closed either.
        end => Err(start + end.unwrap_or(bytes.len())),
    }
}
/// Finds a character for private use that `text` does not use.
fn unused(text: &str) -> char {
    const FIRST: char = '\u{e000}';
    let candidates = || (FIRST..='\u{f8ff}').chain('\u{f0000}'..='\u{10fffd}');
    let used: BTreeSet<char> = text.chars().filter(|c| *c >= FIRST).collect();
    candidates().find(|c| !used.contains(c)).unwrap_or(FIRST)
}
