//! From text to tokens.
//!
//! The scanner never fails: what no rule knows becomes [`TokenKind::Invalid`]. It keeps a stack of modes, because a
//! `}` may end an object, an interpolation or a directive, and text means other things between quotes, in a heredoc
//! and outside of both.
//!
//! # Strict and tolerant
//! The formatter needs the tokens that HCL itself sees, in which a quote that is never closed swallows the rest of
//! the file ([`scan`]). The parser would rather go on with the next line: [`scan_tolerant`] ends a quoted template at
//! its line break, with one [`TokenKind::Cut`] for each quote or sequence given up. For text that is valid, both
//! give the same tokens.
//!
//! # Oddities kept
//! HCL's scanner is generated, and its tokens show it: a `$` that opens nothing is a token of its own; in a heredoc
//! it takes one more byte along if a line break follows; a lone carriage return in a heredoc ends all scanning. What
//! `~` trims, and so what a template means, depends on the first two.
//!
//! # Unicode
//! HCL knows the letters of Unicode 9. Here the newest are letters too.

use super::token::{Span, Token, TokenKind};

/// Scans a file or an expression as HCL does.
#[must_use]
pub fn scan(text: &str) -> Vec<Token> {
    Scanner::new(text, Mode::Code { braces: 0 }, false).run()
}

/// Scans a file or an expression, ending quoted templates with their line.
#[must_use]
pub fn scan_tolerant(text: &str) -> Vec<Token> {
    Scanner::new(text, Mode::Code { braces: 0 }, true).run()
}

/// Scans a bare template: literal text with interpolations and directives, without quotes around it.
#[must_use]
pub fn scan_template(text: &str) -> Vec<Token> {
    Scanner::new(text, Mode::Bare, false).run()
}

/// Tells whether a text is one identifier.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    !text.is_empty() && identifier_length(text) == text.len()
}

/// The mark that some editors put in front of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns how many bytes at the start of a text are an identifier.
fn identifier_length(text: &str) -> usize {
    // Files are mostly ASCII; the tables are for the rest.
    let starts = |c: char| match c {
        '_' => true,
        _ if c.is_ascii() => c.is_ascii_alphabetic(),
        _ => unicode_ident::is_xid_start(c) || is_letter_beyond_xid(c),
    };
    let continues = |c: char| match c {
        '_' | '-' => true,
        _ if c.is_ascii() => c.is_ascii_alphanumeric(),
        _ => unicode_ident::is_xid_continue(c) || is_letter_beyond_xid(c),
    };
    if !text.starts_with(starts) {
        return 0;
    }
    text.find(|c| !continues(c)).unwrap_or(text.len())
}

/// Knows the letters that Unicode allows in identifiers (`ID_Start`, which HCL uses) but not in those that must
/// survive normalization (`XID_Start`, which the tables are of).
fn is_letter_beyond_xid(c: char) -> bool {
    matches!(c, '\u{37a}' | '\u{e33}' | '\u{eb3}' | '\u{309b}'..='\u{309c}' | '\u{fc5e}'..='\u{fc63}')
        || matches!(c, '\u{fdfa}'..='\u{fdfb}' | '\u{ff9e}'..='\u{ff9f}')
        || matches!(c, '\u{fe70}'..='\u{fe7e}' if (c as u32).is_multiple_of(2))
}

#[derive(Clone, Copy)]
enum Mode<'t> {
    /// Everything outside of literal text; counts the braces that are open within it.
    Code { braces: usize },
    /// Between double quotes.
    Quoted,
    /// In a heredoc; its end marker counts at the start of a line only.
    Heredoc { marker: &'t str, at_line_start: bool },
    /// In a template without delimiters.
    Bare,
}

struct Frame<'t> {
    mode: Mode<'t>,
    /// Where the token that opened the mode stands.
    opened: usize,
}

struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    position: usize,
    frames: Vec<Frame<'t>>,
    tokens: Vec<Token>,
    tolerant: bool,
    /// Set once a search for `*/` came back empty, so that many `/*` do not search again and again.
    no_comment_end: bool,
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str, mode: Mode<'t>, tolerant: bool) -> Self {
        let position = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let tokens = Vec::with_capacity(text.len() / 4 + 1);
        let frames = vec![Frame { mode, opened: position }];
        Self { text, bytes: text.as_bytes(), position, frames, tokens, tolerant, no_comment_end: false }
    }

    fn run(mut self) -> Vec<Token> {
        while self.position < self.bytes.len() {
            match self.frames.last().expect("the first frame is never popped").mode {
                Mode::Code { .. } => self.code(),
                Mode::Quoted => self.quoted(),
                Mode::Heredoc { marker, at_line_start } => self.heredoc(marker, at_line_start),
                Mode::Bare => self.bare(),
            }
        }
        self.push(TokenKind::End, 0);
        self.tokens
    }

    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.position + ahead).copied()
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        self.tokens.push(Token { kind, span: Span::new(self.position, self.position + length) });
        self.position += length;
    }

    /// Pushes a token that opens a mode.
    fn open(&mut self, kind: TokenKind, length: usize, mode: Mode<'t>) {
        self.frames.push(Frame { mode, opened: self.position });
        self.push(kind, length);
    }

    fn code(&mut self) {
        use TokenKind as T;
        let first = self.bytes[self.position];
        let (second, third) = (self.byte(1), self.byte(2));
        match first {
            b' ' | b'\t' => self.position += 1,
            b'0'..=b'9' => self.push(T::Number, self.number_length()),
            b'#' => self.line_comment(),
            b'/' if second == Some(b'/') => self.line_comment(),
            b'/' if second == Some(b'*') => self.block_comment(),
            b'\n' => self.push(T::Newline, 1),
            b'\r' if second == Some(b'\n') => self.push(T::Newline, 2),
            b'"' => self.open(T::OpenQuote, 1, Mode::Quoted),
            b'<' if second == Some(b'<') => self.heredoc_or_less(),
            b'{' => {
                self.push(T::OpenBrace, 1);
                if let Some(Frame { mode: Mode::Code { braces }, .. }) = self.frames.last_mut() {
                    *braces += 1;
                }
            }
            b'}' => self.close_brace(T::CloseBrace, 1),
            b'~' if second == Some(b'}') => self.close_brace(T::CloseSequence, 2),
            b'=' if second == Some(b'=') => self.push(T::EqualEqual, 2),
            b'=' if second == Some(b'>') => self.push(T::FatArrow, 2),
            b'!' if second == Some(b'=') => self.push(T::NotEqual, 2),
            b'>' if second == Some(b'=') => self.push(T::GreaterEqual, 2),
            b'<' if second == Some(b'=') => self.push(T::LessEqual, 2),
            b'&' if second == Some(b'&') => self.push(T::And, 2),
            b'|' if second == Some(b'|') => self.push(T::Or, 2),
            b':' if second == Some(b':') => self.push(T::DoubleColon, 2),
            b'.' if second == Some(b'.') && third == Some(b'.') => self.push(T::Ellipsis, 3),
            _ => match single(first) {
                Some(kind) => self.push(kind, 1),
                None => match identifier_length(self.rest()) {
                    0 => self.push(T::Invalid, self.rest().chars().next().map_or(1, char::len_utf8)),
                    length => self.push(T::Identifier, length),
                },
            },
        }
    }

    /// Takes digits, points and exponents in any order, except for points at the end.
    fn number_length(&self) -> usize {
        let bytes = &self.bytes[self.position..];
        let (mut at, mut end) = (1, 1);
        loop {
            match bytes.get(at) {
                Some(b'0'..=b'9') => at += 1,
                Some(b'.') => {
                    at += 1;
                    continue;
                }
                Some(b'e' | b'E') => {
                    let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
                    if !bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
                        return end;
                    }
                    at += 2 + sign;
                }
                _ => return end,
            }
            end = at;
        }
    }

    fn line_comment(&mut self) {
        let length = self.rest().find('\n').map_or(self.rest().len(), |at| at + 1);
        self.push(TokenKind::Comment, length);
    }

    fn block_comment(&mut self) {
        let end = if self.no_comment_end { None } else { self.rest()[2..].find("*/") };
        match end {
            Some(at) => self.push(TokenKind::Comment, at + 4),
            None => {
                self.no_comment_end = true;
                self.push(TokenKind::Slash, 1);
            }
        }
    }

    fn heredoc_or_less(&mut self) {
        let rest = self.rest();
        let dash = usize::from(rest[2..].starts_with('-'));
        let length = identifier_length(&rest[2 + dash..]);
        let end = 2 + dash + length;
        let newline = match &rest[end..] {
            after if after.starts_with('\n') => 1,
            after if after.starts_with("\r\n") => 2,
            _ => 0,
        };
        if length == 0 || newline == 0 {
            self.push(TokenKind::Less, 1);
            return;
        }
        let mode = Mode::Heredoc { marker: &rest[2 + dash..end], at_line_start: true };
        self.open(TokenKind::OpenHeredoc, end + newline, mode);
    }

    fn close_brace(&mut self, kind: TokenKind, length: usize) {
        let outermost = self.frames.len() == 1;
        if let Some(Frame { mode: Mode::Code { braces }, .. }) = self.frames.last_mut()
            && (*braces > 0 || outermost)
        {
            *braces = braces.saturating_sub(1);
            self.push(kind, length);
            return;
        }
        self.push(TokenKind::CloseSequence, length);
        self.frames.pop();
    }

    /// Scans what a `$` or `%` begins, if it begins anything; returns false for plain text.
    fn sigil(&mut self) -> bool {
        let sigil = self.bytes[self.position];
        if !matches!(sigil, b'$' | b'%') {
            return false;
        }
        if self.byte(1) == Some(b'{') {
            let kind = if sigil == b'$' { TokenKind::OpenInterpolation } else { TokenKind::OpenDirective };
            let length = if self.byte(2) == Some(b'~') { 3 } else { 2 };
            if let Some(Frame { mode: Mode::Heredoc { at_line_start, .. }, .. }) = self.frames.last_mut() {
                *at_line_start = false;
            }
            self.open(kind, length, Mode::Code { braces: 0 });
            return true;
        }
        false
    }

    /// Returns the length of an escaped opener, `$${` or `%%{`, if one stands here.
    fn escaped_opener(&self) -> Option<usize> {
        let sigil = self.bytes[self.position];
        if matches!(sigil, b'$' | b'%') && self.byte(1) == Some(sigil) && self.byte(2) == Some(b'{') {
            return Some(if self.byte(3) == Some(b'~') { 4 } else { 3 });
        }
        None
    }

    fn quoted(&mut self) {
        use TokenKind as T;
        if self.sigil() {
            return;
        }
        if let Some(length) = self.escaped_opener() {
            return self.push(T::QuotedText, length);
        }
        match self.bytes[self.position] {
            b'"' => {
                self.push(T::CloseQuote, 1);
                self.frames.pop();
            }
            b'\n' | b'\r' if self.tolerant => self.cut(),
            b'\n' | b'\r' => {
                let rest = self.rest();
                self.push(T::QuotedNewline, rest.find(|c| c != '\n' && c != '\r').unwrap_or(rest.len()));
            }
            b'$' | b'%' => self.push(if self.byte(1).is_some() { T::QuotedText } else { T::Invalid }, 1),
            _ => match self.quoted_length() {
                0 => self.push(T::Invalid, 1),
                length => self.push(T::QuotedText, length),
            },
        }
    }

    /// Measures plain text and escapes between quotes; zero if a backslash stands before a line break or the end.
    fn quoted_length(&self) -> usize {
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '$' | '%' | '"' | '\r' | '\n' => return at,
                '\\' if !chars.next().is_some_and(|(_, c)| c != '\r' && c != '\n') => return at,
                _ => {}
            }
        }
        self.rest().len()
    }

    /// Gives up the quoted template that a line break ends, and all around it that began on the same line.
    fn cut(&mut self) {
        let line_start = self.text[..self.position].rfind('\n').map_or(0, |at| at + 1);
        loop {
            self.push(TokenKind::Cut, 0);
            self.frames.pop();
            let last = self.frames.len() - 1;
            let frame = &self.frames[last];
            let in_sequence = last > 0 && matches!(frame.mode, Mode::Code { .. } | Mode::Quoted);
            if !in_sequence || frame.opened < line_start {
                return;
            }
        }
    }

    fn heredoc(&mut self, marker: &'t str, at_line_start: bool) {
        use TokenKind as T;
        if self.sigil() {
            return;
        }
        let Some((length, ends_line)) = self.text_length() else {
            // HCL stops here for good; see the head of this file.
            return self.push(T::Invalid, self.rest().len());
        };
        let line = &self.rest()[..length];
        if ends_line && at_line_start && line.trim() == marker {
            let newline = if line.ends_with("\r\n") { 2 } else { 1 };
            self.push(T::CloseHeredoc, length - newline);
            self.push(T::Newline, newline);
            self.frames.pop();
            return;
        }
        self.push(T::Text, length);
        if let Some(Frame { mode: Mode::Heredoc { at_line_start, .. }, .. }) = self.frames.last_mut() {
            *at_line_start = ends_line;
        }
    }

    fn bare(&mut self) {
        if self.sigil() {
            return;
        }
        match self.text_length() {
            Some((length, _)) => self.push(TokenKind::Text, length),
            None => self.push(TokenKind::Text, self.rest().len()),
        }
    }

    /// Measures the next piece of unquoted text and tells whether it ends its line; none where HCL is at a loss.
    fn text_length(&self) -> Option<(usize, bool)> {
        let newline = |at: usize| match &self.bytes[self.position + at..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        if let Some(length) = self.escaped_opener() {
            return Some((length + newline(length), newline(length) > 0));
        }
        if matches!(self.bytes[self.position], b'$' | b'%') {
            self.byte(1)?;
            return Some(if matches!(self.byte(2), Some(b'\n' | b'\r')) { (2, true) } else { (1, false) });
        }
        let rest = self.rest();
        let length = rest.find(['$', '%', '\r', '\n']).unwrap_or(rest.len());
        match length + newline(length) {
            0 => None,
            total => Some((total, total > length)),
        }
    }
}

/// Returns the kind of a character that is a token by itself.
fn single(byte: u8) -> Option<TokenKind> {
    use TokenKind as T;
    Some(match byte {
        b'[' => T::OpenBracket,
        b']' => T::CloseBracket,
        b'(' => T::OpenParen,
        b')' => T::CloseParen,
        b'.' => T::Dot,
        b',' => T::Comma,
        b'*' => T::Star,
        b'/' => T::Slash,
        b'%' => T::Percent,
        b'+' => T::Plus,
        b'-' => T::Minus,
        b'=' => T::Equal,
        b'<' => T::Less,
        b'>' => T::Greater,
        b'!' => T::Bang,
        b'?' => T::Question,
        b':' => T::Colon,
        b'&' | b'|' | b'^' | b'~' => T::Bitwise,
        b';' => T::Semicolon,
        b'`' => T::Backtick,
        b'\'' => T::Apostrophe,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
