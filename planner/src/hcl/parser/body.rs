//! Bodies: attributes, blocks, and how to go on after a mistake in one.

use super::{Parser, Partner};
use crate::hcl::ast::{Attribute, Block, Body, Expression, ExpressionKind, Identifier, Item, Label};
use crate::hcl::error::Reported;
use crate::hcl::literal::unescape;
use crate::hcl::token::{Span, Token, TokenKind};
use std::collections::HashMap;

impl<'t> Parser<'t> {
    /// Parses items up to the end of the file or a closing brace, which is taken.
    pub(super) fn body(&mut self, end: TokenKind, open: Span) -> Body {
        let mut items = Vec::new();
        let mut names: HashMap<&'t str, Span> = HashMap::new();
        let start = open.after();
        loop {
            let token = self.peek();
            match token.kind {
                kind if kind == end => {
                    self.next();
                    return Body { items, span: start.to(Span { end: token.span.start, ..token.span }) };
                }
                // A block that is never closed: its opening brace was reported.
                TokenKind::End => return Body { items, span: start.to(token.span) },
                TokenKind::Newline => {
                    self.next();
                }
                TokenKind::Identifier => match self.item() {
                    Some(Item::Attribute(attribute)) => {
                        let name = self.text_of(attribute.name.span);
                        if let Some(&first) = names.get(name) {
                            self.fail_with(|parser| parser.duplicate(attribute.name.span, first));
                            continue;
                        }
                        names.insert(name, attribute.name.span);
                        items.push(Item::Attribute(attribute));
                    }
                    Some(block) => items.push(block),
                    None => {}
                },
                _ => {
                    let at = self.position;
                    self.fail_with(Self::not_an_item);
                    if token.kind == TokenKind::CloseBrace {
                        self.next();
                    }
                    self.skip_item(at);
                }
            }
        }
    }

    fn item(&mut self) -> Option<Item> {
        let start = self.position;
        self.lost = false;
        let name = self.next();
        let kind = match self.peek().kind {
            TokenKind::Newline if self.is_brace_below() => TokenKind::OpenBrace,
            kind => kind,
        };
        match kind {
            TokenKind::Equal => Some(Item::Attribute(self.attribute(name, start, true))),
            TokenKind::OpenQuote | TokenKind::OpenBrace | TokenKind::Identifier => {
                match self.nested(|parser| parser.block(name, start)) {
                    Ok(block) => Some(Item::Block(block)),
                    Err(Reported) => {
                        self.skip_item(start);
                        None
                    }
                }
            }
            _ => {
                self.fail_with(|parser| parser.half_an_item(name));
                self.skip_item(start);
                None
            }
        }
    }

    /// Parses `= value`, and the line break after it unless the attribute is alone in a one-line block.
    fn attribute(&mut self, name: Token, start: usize, ends_line: bool) -> Attribute {
        let equals = self.next();
        let value = self.expression();
        let span = name.span.to(self.previous);
        if value.is_ok() && ends_line && !self.at(TokenKind::End) && self.take(TokenKind::Newline).is_none() {
            self.fail_with(|parser| parser.no_newline_after_argument(name));
            self.skip_item(start);
        } else if value.is_err() && ends_line {
            self.skip_item(start);
        }
        let value = value.unwrap_or(Expression { kind: ExpressionKind::Invalid, span: equals.span.after() });
        Attribute { name: self.identifier(name), value, span }
    }

    fn block(&mut self, name: Token, start: usize) -> Result<Block, Reported> {
        let mut labels = Vec::new();
        let open = loop {
            let token = self.peek();
            match token.kind {
                TokenKind::OpenBrace => break self.next(),
                TokenKind::OpenQuote => labels.push(self.quoted_label()?),
                TokenKind::Identifier => {
                    let Identifier { text, span } = self.identifier(token);
                    labels.push(Label { text, span, is_quoted: false });
                    self.next();
                }
                _ => {
                    self.fail_with(|parser| parser.bad_block_header(name));
                    if !self.is_brace_below() {
                        return Err(Reported);
                    }
                    self.next();
                }
            }
        };
        let header = name.span.to(labels.last().map_or(name.span, |label| label.span));
        let open_index = self.position - 1;
        let is_closed = self.check_block_closed(open_index, header);
        let one_line = !matches!(self.peek().kind, TokenKind::Newline | TokenKind::End | TokenKind::CloseBrace);
        let body = if one_line && is_closed {
            self.one_line_body(open, open_index)
        } else {
            self.body(TokenKind::CloseBrace, open.span)
        };
        let span = name.span.to(self.previous);
        if !self.at(TokenKind::End) && self.take(TokenKind::Newline).is_none() {
            self.fail_with(|parser| parser.no_newline_after_block(header));
            self.skip_item(start);
        }
        Ok(Block { kind: self.identifier(name), labels, body, span, header })
    }

    /// Tells whether the line ends here and the next begins with the brace that should stand in this one.
    fn is_brace_below(&self) -> bool {
        self.at(TokenKind::Newline) && self.tokens[self.position + 1].kind == TokenKind::OpenBrace
    }

    /// Parses the one argument of a block that opens and closes on one line, and the brace.
    fn one_line_body(&mut self, open: Token, open_index: usize) -> Body {
        let start = self.position;
        let mut items = Vec::new();
        let name = self.peek();
        let is_argument = name.kind == TokenKind::Identifier && self.tokens[start + 1].kind == TokenKind::Equal;
        if is_argument {
            self.next();
            let attribute = self.attribute(name, start, false);
            if attribute.value.kind != ExpressionKind::Invalid && !self.at(TokenKind::CloseBrace) {
                self.fail_with(|parser| parser.bad_one_line_block(open));
            }
            items.push(Item::Attribute(attribute));
        } else {
            self.fail_with(Self::not_a_one_line_argument);
        }
        if let Partner::At(close) = self.partners[open_index] {
            self.jump(close.max(self.position));
        }
        let close = self.peek().span;
        self.take(TokenKind::CloseBrace);
        Body { items, span: open.span.after().to(Span { end: close.start, ..close }) }
    }

    /// Parses a quoted label, in which escapes but no sequences are allowed.
    fn quoted_label(&mut self) -> Result<Label, Reported> {
        let open_index = self.position;
        let open = self.next();
        let close = self.closing_quote(open_index)?;
        let mut text = String::new();
        while self.position < close {
            let token = self.next();
            if token.kind == TokenKind::QuotedText {
                let mut errors = Vec::new();
                unescape(self.text, token, &mut text, &mut errors);
                for error in errors {
                    self.report(error);
                }
            } else {
                self.fail_with(|parser| parser.bad_label(token));
                self.jump(close);
            }
        }
        let span = open.span.to(self.next().span);
        Ok(Label { text, span, is_quoted: true })
    }

    /// Skips the rest of an item that began at `start`: to behind its line break, or to the brace that ends its body.
    fn skip_item(&mut self, start: usize) {
        let lost = std::mem::take(&mut self.lost);
        if self.stopped {
            return;
        }
        let mut at = start;
        loop {
            match self.tokens[at].kind {
                TokenKind::End => break,
                TokenKind::CloseBrace if at >= self.position => break,
                TokenKind::Newline if at + 1 >= self.position => {
                    at += 1;
                    if !lost || self.looks_like_item(at) {
                        break;
                    }
                }
                _ => {
                    at = match self.partners[at] {
                        Partner::At(close) => close + 1,
                        Partner::Missing(_) | Partner::None => at + 1,
                    }
                }
            }
        }
        self.jump(at);
    }

    /// Tells whether a line looks like the start of an item, rather than like the rest of a list without end.
    fn looks_like_item(&self, at: usize) -> bool {
        use TokenKind as T;
        match self.tokens[at].kind {
            T::End | T::CloseBrace => true,
            T::Identifier => {
                matches!(self.tokens[at + 1].kind, T::Equal | T::OpenBrace | T::OpenQuote | T::Identifier)
            }
            _ => false,
        }
    }
}
