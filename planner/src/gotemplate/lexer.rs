//! The lexer: cuts a template's text into tokens, in one pass and without copying any of it.
//!
//! Trim markers and comments end here; the parser never sees them. Spaces inside actions are tokens, because
//! `.A .B` and `.A.B` differ. Lexing stops at the first mistake, which becomes the last token.

use super::quote;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A mistake; its message is [`Tokens::error`].
    Error,
    Bool,
    /// A printable ASCII character without a meaning of its own, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    /// Returns the keyword that `word` is, if it is one.
    fn keyword(word: &str) -> Option<Kind> {
        Some(match word {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            _ => return None,
        })
    }

    /// Tells whether error messages show the token in angle brackets, as they do keywords and the dot.
    fn is_keyword(self) -> bool {
        matches!(
            self,
            Kind::Block
                | Kind::Break
                | Kind::Continue
                | Kind::Dot
                | Kind::Define
                | Kind::Else
                | Kind::End
                | Kind::If
                | Kind::Nil
                | Kind::Range
                | Kind::Template
                | Kind::With
        )
    }
}

/// One token: its kind and the bytes it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// All tokens of a text; the last one is [`Kind::Eof`] or [`Kind::Error`].
#[derive(Debug)]
pub(super) struct Tokens {
    pub list: Vec<Token>,
    /// The message of the [`Kind::Error`] token, or an empty string.
    pub error: String,
}

impl Token {
    /// Describes the token the way "unexpected …" messages do.
    pub fn describe(self, text: &str, error: &str) -> String {
        let value = &text[self.start..self.end];
        match self.kind {
            Kind::Eof => "EOF".into(),
            Kind::Error => error.into(),
            kind if kind.is_keyword() => format!("<{value}>"),
            _ if value.len() > 10 => {
                let short = value.char_indices().nth(10).map_or(value, |(end, _)| &value[..end]);
                format!("{}...", quote::quote(short))
            }
            _ => quote::quote(value),
        }
    }
}

/// Cuts `text` into tokens.
pub(super) fn lex(text: &str) -> Tokens {
    let mut lexer = Lexer { text, pos: 0, list: Vec::new(), parens: 0 };
    let error = lexer.run().err().unwrap_or_default();
    Tokens { list: lexer.list, error }
}

struct Lexer<'t> {
    text: &'t str,
    pos: usize,
    list: Vec<Token>,
    parens: usize,
}

/// A message, after the error token has been pushed.
type Lexed<T> = Result<T, String>;

impl<'t> Lexer<'t> {
    fn run(&mut self) -> Lexed<()> {
        while self.lex_text()? {
            while self.lex_inside_action()? {}
        }
        Ok(())
    }

    fn rest(&self) -> &'t str {
        &self.text[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn emit(&mut self, kind: Kind, start: usize) {
        self.list.push(Token { kind, start, end: self.pos });
    }

    fn fail<T>(&mut self, start: usize, message: impl Into<String>) -> Lexed<T> {
        // The token starts where the mistaken item starts: that is the line the message names.
        self.list.push(Token { kind: Kind::Error, start, end: self.pos.max(start) });
        Err(message.into())
    }

    /// Reads text up to and including a left delimiter; false at the end of the input.
    fn lex_text(&mut self) -> Lexed<bool> {
        loop {
            let start = self.pos;
            let Some(length) = self.rest().find("{{") else {
                self.pos = self.text.len();
                if self.pos > start {
                    self.emit(Kind::Text, start);
                }
                let end = self.pos;
                self.emit(Kind::Eof, end);
                return Ok(false);
            };
            let delimiter = start + length;
            let trims = has_left_trim(&self.text[delimiter + 2..]);
            let mut value = &self.text[start..delimiter];
            if trims {
                value = value.trim_end_matches(is_space);
            }
            if !value.is_empty() {
                self.list.push(Token { kind: Kind::Text, start, end: start + value.len() });
            }
            self.pos = delimiter + 2;
            let after = self.pos + if trims { 2 } else { 0 };
            if !self.text[after..].starts_with("/*") {
                self.emit(Kind::LeftDelim, delimiter);
                self.pos = after;
                self.parens = 0;
                return Ok(true);
            }
            self.pos = after;
            self.skip_comment()?;
        }
    }

    fn skip_comment(&mut self) -> Lexed<()> {
        let start = self.pos;
        let Some(length) = self.text[start + 2..].find("*/") else {
            return self.fail(start, "unclosed comment");
        };
        self.pos = start + 2 + length + 2;
        match self.right_delim() {
            None => self.fail(start, "comment ends before closing delimiter"),
            Some(trims) => {
                self.skip_right_delim(trims);
                Ok(())
            }
        }
    }

    /// Tells whether a right delimiter stands here, and if so, whether it trims.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        let trims = rest.starts_with(is_space) && rest[1..].starts_with("-}}");
        (trims || rest.starts_with("}}")).then_some(trims)
    }

    fn skip_right_delim(&mut self, trims: bool) {
        if trims {
            self.pos += 4;
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(is_space).len();
        } else {
            self.pos += 2;
        }
    }

    fn lex_right_delim(&mut self, trims: bool) {
        let start = self.pos + if trims { 2 } else { 0 };
        self.list.push(Token { kind: Kind::RightDelim, start, end: start + 2 });
        self.skip_right_delim(trims);
    }

    /// Reads one item inside an action; false once the action is closed.
    fn lex_inside_action(&mut self) -> Lexed<bool> {
        if let Some(trims) = self.right_delim() {
            if self.parens > 0 {
                return self.fail(self.pos, "unclosed left paren");
            }
            self.lex_right_delim(trims);
            return Ok(false);
        }
        let start = self.pos;
        let Some(c) = self.next() else {
            return self.fail(start, "unclosed action");
        };
        let kind = match c {
            ' ' | '\t' | '\r' | '\n' => return Ok(self.lex_space(start)),
            '=' => Kind::Assign,
            ':' if self.next() == Some('=') => Kind::Declare,
            ':' => return self.fail(start, "expected :="),
            '|' => Kind::Pipe,
            '"' => self.lex_quoted(start, '"', "unterminated quoted string").map(|()| Kind::String)?,
            '\'' => self.lex_quoted(start, '\'', "unterminated character constant").map(|()| Kind::CharConstant)?,
            '`' => {
                let Some(length) = self.rest().find('`') else {
                    return self.fail(start, "unterminated raw quoted string");
                };
                self.pos += length + 1;
                Kind::RawString
            }
            '$' => self.lex_name(start, Kind::Variable, Kind::Variable)?,
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) && !self.rest().is_empty() => {
                self.lex_name(start, Kind::Field, Kind::Dot)?
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = start;
                self.lex_number(start)?
            }
            c if is_alphanumeric(c) => self.lex_identifier(start)?,
            '(' => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' if self.parens == 0 => return self.fail(start, "unexpected right paren"),
            ')' => {
                self.parens -= 1;
                Kind::RightParen
            }
            ' '..='~' => Kind::Char,
            c => {
                let message = format!("unrecognized character in action: {}", quote::unicode(c));
                return self.fail(start, message);
            }
        };
        self.emit(kind, start);
        Ok(true)
    }

    /// Reads a run of spaces, the first of which is past; false if the action was closed by a trimming delimiter.
    fn lex_space(&mut self, start: usize) -> bool {
        let rest = self.rest();
        self.pos += rest.len() - rest.trim_start_matches(is_space).len();
        let count = self.pos - start;
        if self.rest().starts_with("-}}") {
            // The last space belongs to the trim marker.
            self.pos -= 1;
            if count == 1 {
                self.lex_right_delim(true);
                return false;
            }
        }
        self.emit(Kind::Space, start);
        true
    }

    fn lex_quoted(&mut self, start: usize, quote: char, message: &str) -> Lexed<()> {
        loop {
            match self.next() {
                Some('\\') if !matches!(self.next(), None | Some('\n')) => {}
                None | Some('\n' | '\\') => return self.fail(start, message),
                Some(c) if c == quote => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Reads the name after a `.` or `$`; `bare` is what the mark is when no name follows.
    fn lex_name(&mut self, start: usize, kind: Kind, bare: Kind) -> Lexed<Kind> {
        if self.at_terminator() {
            return Ok(bare);
        }
        self.skip_word(start)?;
        Ok(kind)
    }

    fn lex_identifier(&mut self, start: usize) -> Lexed<Kind> {
        self.skip_word(start)?;
        Ok(match &self.text[start..self.pos] {
            "true" | "false" => Kind::Bool,
            word => Kind::keyword(word).unwrap_or(Kind::Identifier),
        })
    }

    fn skip_word(&mut self, start: usize) -> Lexed<()> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        match self.peek() {
            Some(c) if !self.at_terminator() => self.fail(start, format!("bad character {}", quote::unicode(c))),
            _ => Ok(()),
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | '(' | ')') => true,
            Some(_) => self.rest().starts_with("}}"),
        }
    }

    fn lex_number(&mut self, start: usize) -> Lexed<Kind> {
        let is_good = self.scan_number();
        let is_complex = is_good && matches!(self.peek(), Some('+' | '-'));
        if !is_good || is_complex && (!self.scan_number() || !self.text[..self.pos].ends_with('i')) {
            let message = format!("bad number syntax: {}", quote::quote(&self.text[start..self.pos]));
            return self.fail(start, message);
        }
        Ok(if is_complex { Kind::Complex } else { Kind::Number })
    }

    /// Skips what may be a number. It accepts too much, such as `0x0.2`; the parser finds that out.
    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }

    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|c| set.contains(c));
        if found {
            self.pos += 1;
        }
        found
    }

    fn accept_run(&mut self, set: &str) {
        while self.accept(set) {}
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn has_left_trim(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        lex(text).list.iter().map(|token| token.kind).collect()
    }

    #[test]
    fn text_without_actions_is_one_token() {
        assert_eq!(kinds("a } b }} ${c}"), [Kind::Text, Kind::Eof]);
        assert_eq!(kinds(""), [Kind::Eof]);
    }

    #[test]
    fn trim_markers_take_the_spaces_on_their_side() {
        let text = "a  {{- .B -}} \n c";
        let tokens = lex(text);
        let values: Vec<&str> = tokens.list.iter().map(|token| &text[token.start..token.end]).collect();
        assert_eq!(values, ["a", "{{", ".B", "}}", "c", ""]);
    }

    #[test]
    fn comments_leave_no_token() {
        assert_eq!(kinds("{{/* a */}}{{- /* b */ -}} "), [Kind::Eof]);
        assert_eq!(lex("{{/* a").error, "unclosed comment");
        assert_eq!(lex("{{/* a */ }}").error, "comment ends before closing delimiter");
    }

    #[test]
    fn the_first_mistake_ends_the_tokens() {
        for (text, error) in [
            ("{{", "unclosed action"),
            ("{{\"a", "unterminated quoted string"),
            ("{{\"a\\", "unterminated quoted string"),
            ("{{'a", "unterminated character constant"),
            ("{{`a", "unterminated raw quoted string"),
            ("{{(1}}", "unclosed left paren"),
            ("{{1)}}", "unexpected right paren"),
            ("{{3a}}", "bad number syntax: \"3a\""),
            ("{{\u{1}}}", "unrecognized character in action: U+0001"),
            ("{{a→}}", "bad character U+2192 '→'"),
        ] {
            let tokens = lex(text);
            assert_eq!(tokens.error, error, "{text}");
            assert_eq!(tokens.list.last().map(|token| token.kind), Some(Kind::Error), "{text}");
        }
    }
}
