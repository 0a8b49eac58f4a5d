//! What the parser says about mistakes.

use super::{MAX_DEPTH, Parser, Partner};
use crate::hcl::error::{Reported, SyntaxError};
use crate::hcl::token::{Span, Token, TokenKind};

impl Parser<'_> {
    /// Says that something else was expected than what comes next.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        let token = self.peek();
        self.foreign(token).unwrap_or_else(|| {
            let message = format!("expected {expected}, found {}", self.describe(token));
            SyntaxError::new("rpk::hcl::unexpected", message, token.span, "not expected here")
        })
    }

    /// Says what is wrong with a character that no expression holds.
    fn foreign(&self, token: Token) -> Option<SyntaxError> {
        let text = self.text_of(token.span);
        let (message, help) = match token.kind {
            TokenKind::Apostrophe => ("single quotes do not make strings", "use double quotes"),
            TokenKind::Backtick => ("backticks do not make strings", "use double quotes, or a heredoc such as `<<EOF`"),
            TokenKind::Semicolon => (
                "semicolons separate nothing",
                "put each argument on a line of its own, and commas between the elements of lists and objects",
            ),
            TokenKind::Bitwise => match text {
                "&" => ("there are no bitwise operators", "write `&&` for `and`"),
                "|" => ("there are no bitwise operators", "write `||` for `or`"),
                "~" => ("there are no bitwise operators", "write `!` for `not`"),
                _ => ("there are no bitwise operators", "use `&&`, `||` and `!` on conditions"),
            },
            TokenKind::Invalid if matches!(text, "“" | "”" | "„" | "‘" | "’" | "«" | "»") => {
                ("typographic quotes do not make strings", "use straight double quotes")
            }
            TokenKind::Invalid if text == "\u{fffd}" => {
                ("the text is not encoded as UTF-8", "save the file as UTF-8 in your editor")
            }
            TokenKind::Invalid if text == "\r" => ("a carriage return without a line feed", "use `\\n` or `\\r\\n`"),
            TokenKind::Invalid => {
                let message = format!("unexpected character {}", text.escape_debug());
                return Some(SyntaxError::new("rpk::hcl::bad_character", message, token.span, "means nothing here"));
            }
            _ => return None,
        };
        Some(SyntaxError::new("rpk::hcl::bad_character", message, token.span, "means nothing here").help(help))
    }

    fn describe(&self, token: Token) -> String {
        match token.kind {
            TokenKind::Newline | TokenKind::Cut => "the end of the line".to_owned(),
            TokenKind::End => "the end of the text".to_owned(),
            TokenKind::OpenQuote => "a string".to_owned(),
            TokenKind::OpenHeredoc => "a heredoc".to_owned(),
            _ => format!("`{}`", self.text_of(token.span).trim()),
        }
    }

    pub(super) fn no_expression(&self) -> SyntaxError {
        let token = self.peek();
        let error = self.unexpected("an expression");
        match token.kind {
            TokenKind::Equal => error.help("write `==` to compare"),
            TokenKind::Less if self.tokens.get(self.index() + 1).is_some_and(|t| t.kind == TokenKind::Less) => {
                error.help("open a heredoc by `<<` and a bare word, with nothing after it on the line")
            }
            TokenKind::Newline => error.help("put the value on the line of its name, or in parentheses"),
            _ => error,
        }
    }

    pub(super) fn too_deep(&self) -> SyntaxError {
        let here = self.peek().span;
        let error = SyntaxError::new("rpk::hcl::too_deep", "nesting is too deep", here, "too deep here");
        error.help(format!("keep within {MAX_DEPTH} levels, for example by means of `locals`"))
    }

    /// Says that a template sequence goes on after its expression.
    pub(super) fn long_sequence(&self, open: Token) -> SyntaxError {
        let error = self.unexpected("`}` at the end of the template sequence").related(open.span, "opened here");
        let sign = &self.text_of(open.span)[..1];
        error.help(format!("write `{sign}{sign}{{` if the text is meant for another language"))
    }

    /// Says that a key of an object has no value.
    pub(super) fn no_value(&self, object: Span) -> SyntaxError {
        let error = self.unexpected("`=` and a value after the key").related(object, "the object begins here");
        match self.peek().kind {
            TokenKind::Identifier | TokenKind::Dot => error.help("quote keys that hold blanks or dots"),
            _ => error,
        }
    }

    // Items.

    pub(super) fn duplicate(&self, span: Span, first: Span) -> SyntaxError {
        let message = format!("argument `{}` is set twice", self.text_of(span));
        let error = SyntaxError::new("rpk::hcl::duplicate_argument", message, span, "set again");
        error.related(first, "first set here").help("keep one of the two")
    }

    /// Says that an item of a body cannot begin like this.
    pub(super) fn not_an_item(&self) -> SyntaxError {
        let token = self.peek();
        if token.kind == TokenKind::CloseBrace {
            let error = SyntaxError::new("rpk::hcl::stray_brace", "`}` closes nothing", token.span, "not opened");
            return error.help("remove it, or look for a brace too many above");
        }
        let error = self.unexpected("an argument or a block");
        match token.kind {
            TokenKind::OpenQuote => error.help("write the names of arguments without quotes"),
            TokenKind::OpenBrace => error.help("put the type of the block in front of its brace"),
            _ => error,
        }
    }

    /// Says that a name is neither followed by a value nor by a block.
    pub(super) fn half_an_item(&self, name: Token) -> SyntaxError {
        let found = self.peek();
        let name = self.text_of(name.span);
        let error = self.unexpected(&format!("`=` or a block after `{name}`"));
        match found.kind {
            TokenKind::Colon => error.help(format!("write `{name} = …`")),
            TokenKind::Dot => error.help("arguments have plain names; to refer to a value, assign it to one"),
            _ => error.help(format!("write `{name} = value` for an argument, `{name} {{ }}` for a block")),
        }
    }

    pub(super) fn no_newline_after_argument(&self, name: Token) -> SyntaxError {
        let found = self.peek();
        let error = self.unexpected("a line break after the argument");
        let error = error.related(name.span, format!("the argument `{}`", self.text_of(name.span)));
        match found.kind {
            TokenKind::Comma => error.help("separate arguments by line breaks, without commas"),
            TokenKind::OpenBrace => error.help("leave `=` out to define a block"),
            TokenKind::CloseBrace => error.help("put the closing brace on a line of its own"),
            TokenKind::Identifier => error.help("put each argument on a line of its own"),
            _ => error,
        }
    }

    pub(super) fn no_newline_after_block(&self, header: Span) -> SyntaxError {
        self.unexpected("a line break after the block").related(header, "the block")
    }

    pub(super) fn bad_block_header(&self, name: Token) -> SyntaxError {
        let found = self.peek();
        let error = self.unexpected("a label or `{` of the block").related(name.span, "the block begins here");
        match found.kind {
            TokenKind::Equal => error.help("leave `=` out to define a block; an argument has one name in front of it"),
            TokenKind::Newline | TokenKind::End => error.help("put `{` on the line of the block's header"),
            _ => error,
        }
    }

    pub(super) fn not_a_one_line_argument(&self) -> SyntaxError {
        let found = self.peek();
        let error = self.unexpected("an argument in the one-line block");
        match found.kind {
            TokenKind::Identifier => error.help("a one-line block holds one argument; put nested blocks on own lines"),
            _ => error,
        }
    }

    pub(super) fn bad_one_line_block(&self, open: Token) -> SyntaxError {
        let error = self.unexpected("`}` after the one argument of the block").related(open.span, "opened here");
        error.help("put each argument, and the closing brace, on a line of its own")
    }

    pub(super) fn bad_label(&self, token: Token) -> SyntaxError {
        let label = "not allowed here";
        match token.kind {
            TokenKind::OpenInterpolation | TokenKind::OpenDirective => {
                let message = "labels are plain text, without template sequences";
                let error = SyntaxError::new("rpk::hcl::template_in_label", message, token.span, label);
                error.help("write the label out, or double the sign to take it literally")
            }
            _ => self.bad_template_token(token),
        }
    }

    /// Says that a dot is followed by no name.
    pub(super) fn no_attribute_name(&self, dot: Token) -> SyntaxError {
        let error = self.unexpected("the name of an attribute after `.`");
        match self.peek().kind {
            TokenKind::OpenQuote => error.help("write `[\"name\"]` for names that need quotes"),
            TokenKind::OpenBracket => error.help("leave the dot out"),
            _ => error.related(dot.span, "this dot"),
        }
    }

    // Brackets, quotes and markers.

    /// Says that an opening bracket has no partner.
    pub(super) fn unclosed(&self, open: usize, noticed: usize) -> SyntaxError {
        let token = self.tokens[open];
        let opener = self.text_of(token.span);
        let closer = match token.kind {
            TokenKind::OpenBrace => "}",
            TokenKind::OpenBracket => "]",
            _ => ")",
        };
        if let Some(error) = self.swallower(open, noticed, closer) {
            return error;
        }
        let message = format!("`{opener}` is never closed");
        let error = SyntaxError::new("rpk::hcl::unclosed_bracket", message, token.span, "opened here");
        let noticed = self.tokens[noticed];
        let error = match noticed.kind {
            TokenKind::End => error,
            _ => error.related(noticed.span, format!("`{closer}` is missing before this")),
        };
        error.help(format!("add `{closer}`"))
    }

    /// Finds an unclosed string or heredoc that took the closing bracket for text.
    fn swallower(&self, open: usize, noticed: usize, closer: &str) -> Option<SyntaxError> {
        (open + 1..noticed).find_map(|at| {
            let token = self.tokens[at];
            let Partner::Missing(end) = self.partners[at] else { return None };
            let holds_closer =
                || self.text[token.span.end as usize..self.tokens[end].span.start as usize].contains(closer);
            match token.kind {
                TokenKind::OpenHeredoc => Some(self.unclosed_heredoc(token)),
                TokenKind::OpenQuote if holds_closer() => Some(self.unclosed_quote(at, end)),
                _ => None,
            }
        })
    }

    /// Returns where a quote is closed, or reports that it is not.
    pub(super) fn closing_quote(&mut self, index: usize) -> Result<usize, Reported> {
        match self.partners[index] {
            Partner::At(close) => Ok(close),
            Partner::Missing(noticed) => Err(self.fail_with(|parser| parser.unclosed_quote(index, noticed))),
            Partner::None => Err(Reported),
        }
    }

    fn unclosed_quote(&self, open: usize, noticed: usize) -> SyntaxError {
        // A sequence that is not closed takes the closing quote for an opening one.
        let sequence = (open + 1..noticed).find(|&at| {
            matches!(self.tokens[at].kind, TokenKind::OpenInterpolation | TokenKind::OpenDirective)
                && matches!(self.partners[at], Partner::Missing(_))
        });
        if let Some(at) = sequence {
            return self.unclosed_sequence(self.tokens[at]);
        }
        let message = "a string is not closed on its line";
        let error = SyntaxError::new("rpk::hcl::unclosed_quote", message, self.tokens[open].span, "opened here");
        error.help("add a closing quote; for text of several lines use a heredoc, or `\\n`")
    }

    pub(super) fn unclosed_sequence(&self, open: Token) -> SyntaxError {
        let opener = self.text_of(open.span);
        let message = format!("`{opener}` is never closed");
        let error = SyntaxError::new("rpk::hcl::unclosed_sequence", message, open.span, "opened here");
        let sign = &opener[..1];
        error.help(format!("add `}}`, or write `{sign}{sign}{{` if the text is meant for another language"))
    }

    pub(super) fn unclosed_heredoc(&self, open: Token) -> SyntaxError {
        let opener = self.text_of(open.span).trim_end();
        let marker = heredoc_marker(opener);
        let start = open.span.start as usize;
        let span = Span::new(start, start + opener.len());
        let message = format!("the heredoc is never closed by `{marker}`");
        let error = SyntaxError::new("rpk::hcl::unclosed_heredoc", message, span, "opened here");
        match self.near_marker(open.span.end as usize, marker) {
            Some((span, is_last)) => {
                let error = error.related(span, "does not close it");
                error.help(if is_last {
                    "end the line of the marker by a line break"
                } else {
                    "put the marker on a line of its own, and what follows it on the next line"
                })
            }
            None => error.help(format!("add a line that holds `{marker}` and nothing else")),
        }
    }

    /// Finds a line that begins like an end marker, and tells whether it only lacks its line break.
    fn near_marker(&self, from: usize, marker: &str) -> Option<(Span, bool)> {
        let mut start = from;
        for line in self.text[from..].split_inclusive('\n') {
            let trimmed = line.trim_start();
            if let Some(after) = trimmed.strip_prefix(marker) {
                let is_last = after.trim().is_empty() && !line.ends_with('\n');
                let continues = after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
                if is_last || !continues {
                    let at = start + line.len() - trimmed.len();
                    return Some((Span::new(at, at + marker.len()), is_last));
                }
            }
            start += line.len();
        }
        None
    }

    pub(super) fn bad_template_token(&self, token: Token) -> SyntaxError {
        let text = self.text_of(token.span);
        let (message, help) = match text {
            "\\" => ("a backslash at the end of the line", r"write `\\` for a backslash"),
            "$" | "%" => ("a template ends within a sign", "add what is missing"),
            _ if text.starts_with('\r') => ("a carriage return without a line feed", "use `\\n` or `\\r\\n`"),
            _ => ("text that no template holds", "remove it"),
        };
        SyntaxError::new("rpk::hcl::bad_character", message, token.span, "not allowed in a template").help(help)
    }

    /// Reports a block without closing brace, and tells whether it has one.
    pub(super) fn check_block_closed(&mut self, open: usize, header: Span) -> bool {
        if !matches!(self.partners[open], Partner::Missing(_)) {
            return true;
        }
        let name = self.text_of(header);
        let message = format!("the block `{name}` is never closed");
        let error = SyntaxError::new("rpk::hcl::unclosed_block", message, self.tokens[open].span, "opened here");
        let error = match self.misaligned_brace(open) {
            Some(span) => error.related(span, "closes a block within it, but is indented like the block itself"),
            None => error,
        };
        self.report(error.help("add `}`"));
        false
    }

    /// Finds the first brace in an unclosed block that closes something more deeply indented than itself.
    fn misaligned_brace(&self, open: usize) -> Option<Span> {
        (open + 1..self.tokens.len()).find_map(|at| {
            let Partner::At(close) = self.partners[at] else { return None };
            if self.tokens[at].kind != TokenKind::OpenBrace {
                return None;
            }
            let brace = self.tokens[close].span;
            let (opening, _) = self.line_before(self.tokens[at].span);
            let (closing, is_first) = self.line_before(brace);
            (is_first && closing < opening).then_some(brace)
        })
    }

    /// Returns the indentation of a token's line, and whether the token is the first in it.
    fn line_before(&self, span: Span) -> (usize, bool) {
        let before = &self.text[..span.start as usize];
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        (indentation, indentation == line.len())
    }
}

/// Returns the end marker that the opening of a heredoc announces.
pub(super) fn heredoc_marker(opener: &str) -> &str {
    opener.trim_end().trim_start_matches("<<").trim_start_matches('-')
}
