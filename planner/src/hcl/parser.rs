//! From tokens to the syntax tree: the entrances, the cursor and the collecting of errors.
//!
//! # Going on after a mistake
//! Before anything is parsed, every opening bracket, quote and sequence is joined with its closing partner
//! ([`brackets`]). That answers the question that makes recovery hard, where the current construct ends. A bracket
//! without a partner is reported where it stands and its construct given up; after any other mistake the parser
//! skips to the next element of the same list, the end of the same sequence, or the end of the same item.
//!
//! # Line breaks
//! Runs of line breaks and comments become one token each or none, so that looking ahead costs one step. Whether a
//! line break counts depends on the innermost brackets: it ends items of bodies and objects, and is white space
//! between parentheses, square brackets and the braces of a sequence.
//!
//! # Depth
//! Nesting beyond [`MAX_DEPTH`] ends the parse with an error, since whoever walks the tree recurses as deep.

mod body;
mod brackets;
mod collection;
mod expression;
mod message;
mod postfix;
mod template;

use super::ast::{Body, Delimiter, Expression, ExpressionKind, Identifier, Template};
use super::error::{Reported, SyntaxError};
use super::scanner::{scan_template, scan_tolerant};
use super::token::{Span, Token, TokenKind};
use brackets::Partner;

/// How deep brackets, blocks and operators may be nested.
pub const MAX_DEPTH: usize = 100;

/// After this many errors the rest of the file goes unread.
const MAX_ERRORS: usize = 100;

/// What a parser made of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    /// The syntax tree; has gaps where there are errors.
    pub tree: T,
    /// What is wrong, in the order of the text.
    pub errors: Vec<SyntaxError>,
}

/// Parses a whole file.
#[must_use]
pub fn parse(text: &str) -> Parsed<Body> {
    let mut parser = Parser::new(text, scan_tolerant(text));
    let body = parser.body(TokenKind::End, Span::default());
    parser.finish(body)
}

/// Parses one expression, such as the value of a variable on the command line; line breaks do not matter.
#[must_use]
pub fn parse_expression(text: &str) -> Parsed<Expression> {
    let mut parser = Parser::new(text, scan_tolerant(text));
    parser.newlines = false;
    let expression = parser.expression();
    if expression.is_ok() && parser.peek().kind != TokenKind::End {
        parser.fail("the end of the expression");
    }
    let whole = Span::new(0, text.len());
    parser.finish(expression.unwrap_or(Expression { kind: ExpressionKind::Invalid, span: whole }))
}

/// Parses a text that is a template as a whole, as strings of the JSON syntax are.
#[must_use]
pub fn parse_template(text: &str) -> Parsed<Expression> {
    let mut parser = Parser::new(text, scan_template(text));
    let span = Span::new(0, text.len());
    let parts = parser.template_parts(parser.tokens.len() - 1, false);
    let kind = ExpressionKind::Template(Template { delimiter: Delimiter::Bare, parts });
    parser.finish(Expression { kind, span })
}

pub(super) struct Parser<'t> {
    text: &'t str,
    /// Without comments, and without more than one line break in a row.
    tokens: Vec<Token>,
    /// For each token that opens something, where that ends.
    partners: Vec<Partner>,
    position: usize,
    /// The place of the token that was taken last.
    previous: Span,
    /// Whether line breaks count.
    newlines: bool,
    depth: usize,
    /// Whether a bracket without partner was met in the current item, whose end is then a guess.
    lost: bool,
    errors: Vec<SyntaxError>,
    stopped: bool,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, all: Vec<Token>) -> Self {
        let mut tokens: Vec<Token> = Vec::with_capacity(all.len());
        for mut token in all {
            if token.kind == TokenKind::Comment {
                if !text[token.span.range()].ends_with('\n') {
                    continue;
                }
                token = Token { kind: TokenKind::Newline, span: Span { start: token.span.end - 1, ..token.span } };
            }
            let repeats = tokens.last().is_some_and(|last| last.kind == TokenKind::Newline);
            if token.kind != TokenKind::Newline || !repeats {
                tokens.push(token);
            }
        }
        Self {
            text,
            partners: brackets::join(&tokens),
            tokens,
            position: 0,
            previous: Span::default(),
            newlines: true,
            depth: 0,
            lost: false,
            errors: Vec::new(),
            stopped: false,
        }
    }

    fn finish<T>(self, tree: T) -> Parsed<T> {
        let mut errors = self.errors;
        errors.sort_by_key(|error| error.span);
        Parsed { tree, errors }
    }

    // The cursor.

    fn index(&self) -> usize {
        let skips = !self.newlines && self.tokens[self.position].kind == TokenKind::Newline;
        if skips { self.position + 1 } else { self.position }
    }

    fn peek(&self) -> Token {
        self.tokens[self.index()]
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.peek().kind == kind
    }

    /// Takes the next token; the end is never taken.
    fn next(&mut self) -> Token {
        let index = self.index();
        let token = self.tokens[index];
        self.previous = token.span;
        self.position = if token.kind == TokenKind::End { index } else { index + 1 };
        token
    }

    /// Takes the next token if it is of that kind.
    fn take(&mut self, kind: TokenKind) -> Option<Token> {
        self.at(kind).then(|| self.next())
    }

    fn text_of(&self, span: Span) -> &'t str {
        &self.text[span.range()]
    }

    fn identifier(&self, token: Token) -> Identifier {
        Identifier { text: self.text_of(token.span).to_owned(), span: token.span }
    }

    fn at_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Identifier && self.text_of(token.span) == word
    }

    /// Moves to a token, as if all before it had been taken.
    fn jump(&mut self, to: usize) {
        self.position = to.min(self.tokens.len() - 1);
        if let Some(before) = self.position.checked_sub(1) {
            self.previous = self.tokens[before].span;
        }
    }

    fn with_newlines<T>(&mut self, newlines: bool, parse: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.newlines, newlines);
        let result = parse(self);
        self.newlines = outer;
        result
    }

    /// Parses something one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Reported>) -> Result<T, Reported> {
        if self.depth >= MAX_DEPTH {
            self.fail_with(Self::too_deep);
            self.stop();
            return Err(Reported);
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    // Errors.

    fn report(&mut self, error: SyntaxError) -> Reported {
        if !self.stopped {
            self.errors.push(error);
            if self.errors.len() >= MAX_ERRORS {
                self.stop();
            }
        }
        Reported
    }

    /// Reports an error that `make` describes.
    ///
    /// Never inlined, so that the functions that recurse need no room on the stack for errors.
    #[inline(never)]
    fn fail_with(&mut self, make: impl FnOnce(&Self) -> SyntaxError) -> Reported {
        let error = make(self);
        self.report(error)
    }

    /// Reports that something else was expected than what comes next.
    fn fail(&mut self, expected: &str) -> Reported {
        self.fail_with(|parser| parser.unexpected(expected))
    }

    /// Reports the same, with another place that explains it.
    fn fail_near(&mut self, expected: &str, place: Span, text: &str) -> Reported {
        self.fail_with(|parser| parser.unexpected(expected).related(place, text))
    }

    /// Ends the parse: everything up the stack finds the end of the text.
    fn stop(&mut self) {
        self.stopped = true;
        self.position = self.tokens.len() - 1;
    }
}

#[cfg(test)]
mod tests;
