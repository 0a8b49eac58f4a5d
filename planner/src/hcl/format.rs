//! The canonical layout of a file, byte for byte as HCL writes it.
//!
//! Formatting changes the blanks in front of tokens and nothing else: line breaks, comments and the insides of
//! strings stay. It needs no syntax tree and takes any text; whether the text makes sense is for [`super::parse`].
//!
//! Each line is cut into up to three cells: what leads, `=` and what follows, and a comment. Three passes work on
//! them: [`Layout::indent`] moves the first token of each line, [`Layout::space`] decides between neighbours in a
//! cell, and [`Layout::align`] puts the cells of neighbouring lines below each other.

mod spacing;

use super::scanner::scan;
use super::token::{Token, TokenKind};
use spacing::{bracket_change, needs_blank};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// Formats a file.
///
/// Text that does not parse is formatted as well as its tokens allow; a byte order mark is dropped.
#[must_use]
pub fn format(text: &str) -> String {
    let mut layout = Layout::new(text);
    layout.indent();
    layout.space();
    layout.align();
    layout.write()
}

/// A token and the blanks in front of it.
struct Piece<'t> {
    kind: TokenKind,
    text: &'t str,
    blanks: usize,
}

/// A line of the file, as ranges of pieces; a heredoc does not end a line.
struct Line {
    lead: Range<usize>,
    /// Begins with `=`; may be empty.
    assign: Range<usize>,
    /// One comment at the end of a line that holds more; may be empty.
    comment: Range<usize>,
}

struct Layout<'t> {
    pieces: Vec<Piece<'t>>,
    lines: Vec<Line>,
}

impl<'t> Layout<'t> {
    fn new(text: &'t str) -> Self {
        let mut end = 0;
        let cut = |token: Token| {
            // A byte order mark is in no token and so counts as blanks, as it does in HCL; all but the last token of
            // a file have theirs set anew.
            let range = token.span.range();
            let blanks = range.start - end;
            end = range.end;
            Piece { kind: token.kind, text: &text[range], blanks }
        };
        let pieces: Vec<Piece<'t>> = scan(text).into_iter().map(cut).collect();
        let lines = Self::lines(&pieces);
        Self { pieces, lines }
    }

    fn lines(pieces: &[Piece<'t>]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut start = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let end = match piece.kind {
                TokenKind::Newline => index + 1,
                TokenKind::Comment if piece.text.ends_with('\n') => index + 1,
                TokenKind::End => index,
                _ => continue,
            };
            lines.push(Line::new(pieces, start..end));
            start = end;
        }
        lines
    }

    /// Indents each line by what is open before it.
    ///
    /// A line that opens several brackets counts as one level, and the line that closes the last of them ends it.
    fn indent(&mut self) {
        let mut levels: Vec<i32> = Vec::new();
        for line in &self.lines {
            let Some(first) = self.pieces[line.lead.clone()].first() else { continue };
            if first.kind == TokenKind::Newline {
                self.pieces[line.lead.start].blanks = 0;
                continue;
            }
            let mut net = 0;
            for piece in &self.pieces[line.lead.clone()] {
                net += bracket_change(piece.kind);
                if piece.kind == TokenKind::OpenHeredoc {
                    break;
                }
            }
            net += self.pieces[line.assign.clone()].iter().map(|piece| bracket_change(piece.kind)).sum::<i32>();
            let mut closed = -net;
            while closed > 0 {
                let Some(level) = levels.last_mut() else { break };
                let paid = closed.min(*level);
                *level -= paid;
                closed -= paid;
                if *level == 0 {
                    levels.pop();
                }
            }
            self.pieces[line.lead.start].blanks = 2 * levels.len();
            if net > 0 {
                levels.push(net);
            }
        }
    }

    /// Puts one blank or none between neighbours in a cell.
    fn space(&mut self) {
        for line in &self.lines {
            for cell in [&line.lead, &line.assign] {
                for index in cell.clone().skip(1) {
                    let before = (index - 1 > cell.start).then(|| self.pieces[index - 2].kind);
                    let (left, right) = (&self.pieces[index - 1], &self.pieces[index]);
                    let is_in = left.kind == TokenKind::Identifier && left.text == "in";
                    let blanks = usize::from(needs_blank(before, left.kind, is_in, right.kind));
                    self.pieces[index].blanks = blanks;
                }
            }
            if let Some(equals) = self.pieces[line.assign.clone()].first_mut() {
                equals.blanks = 1;
            }
        }
    }

    /// Aligns `=` and then comments over runs of lines that have them.
    fn align(&mut self) {
        self.align_cells(|line| line.assign.clone(), |layout, line| layout.columns(&line.lead));
        let before_comment = |layout: &Self, line: &Line| layout.columns(&line.lead) + layout.columns(&line.assign);
        self.align_cells(|line| line.comment.clone(), before_comment);
    }

    fn align_cells(&mut self, cell: impl Fn(&Line) -> Range<usize>, width: impl Fn(&Self, &Line) -> usize) {
        let mut start = 0;
        while start < self.lines.len() {
            let run = self.lines[start..].iter().take_while(|line| !cell(line).is_empty()).count();
            let widths: Vec<usize> = self.lines[start..start + run].iter().map(|line| width(self, line)).collect();
            let widest = widths.iter().max().copied().unwrap_or_default();
            for (line, width) in self.lines[start..].iter().zip(widths) {
                self.pieces[cell(line).start].blanks = widest - width + 1;
            }
            start += run + 1;
        }
    }

    /// Counts the columns that pieces take, as people see characters.
    fn columns(&self, cell: &Range<usize>) -> usize {
        self.pieces[cell.clone()].iter().map(|piece| piece.blanks + graphemes(piece.text)).sum()
    }

    fn write(&self) -> String {
        let mut out = String::with_capacity(self.pieces.iter().map(|piece| piece.blanks + piece.text.len()).sum());
        for piece in &self.pieces {
            out.extend(std::iter::repeat_n(' ', piece.blanks));
            out.push_str(piece.text);
        }
        out
    }
}

impl Line {
    /// Cuts a line into cells.
    fn new(pieces: &[Piece<'_>], mut lead: Range<usize>) -> Self {
        let end = lead.end;
        let mut comment = end..end;
        if lead.len() > 1 && pieces[end - 1].kind == TokenKind::Comment {
            comment = end - 1..end;
            lead.end -= 1;
        }
        let mut assign = lead.end..lead.end;
        let equals = lead.clone().skip(1).find(|&index| pieces[index].kind == TokenKind::Equal);
        if let Some(equals) = equals {
            let value = equals..lead.end;
            // What goes on in the next line is no whole value, and must not be moved away from its brackets.
            if pieces[value.clone()].iter().map(|piece| bracket_change(piece.kind)).sum::<i32>() == 0 {
                lead.end = equals;
                assign = value;
            }
        }
        Self { lead, assign, comment }
    }
}

/// Counts what people see as characters, by the rules of Unicode 15.0, which HCL follows.
fn graphemes(text: &str) -> usize {
    // Among ASCII only a carriage return joins its neighbour.
    if text.is_ascii() && !text.contains('\r') {
        return text.len();
    }
    text.graphemes(true).map(|cluster| 1 + joined_consonants(cluster)).sum()
}

/// Counts the consonants of Indian scripts that stand in a cluster behind another one.
///
/// Later rules join them into one character; in those of 15.0 each begins its own.
fn joined_consonants(cluster: &str) -> usize {
    const DOT_REPH: char = '\u{d4e}';
    let is_consonant = |c: char| {
        matches!(c, '\u{900}'..='\u{9ff}' | '\u{a80}'..='\u{b7f}' | '\u{c00}'..='\u{c7f}' | '\u{d00}'..='\u{d7f}')
            && ["a", c.encode_utf8(&mut [0; 4])].concat().graphemes(true).count() == 2
    };
    let pairs = cluster.chars().zip(cluster.chars().skip(1));
    pairs.filter(|&(before, c)| before != DOT_REPH && is_consonant(c)).count()
}

#[cfg(test)]
mod tests;
