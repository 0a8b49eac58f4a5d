//! Templates: quoted, heredoc and bare.
//!
//! A template is parsed in three steps. The first makes a flat list of literals and sequences and applies `~`; the
//! second takes the common indentation of a `<<-` heredoc away; the third joins literals and builds the tree of
//! directives. The order of the first two shows in the result, so it is HCL's order.

use super::message::heredoc_marker;
use super::{Parser, Partner};
use crate::hcl::ast::{
    Delimiter, Expression, ExpressionKind, Identifier, Interpolation, Marker, Template, TemplateFor, TemplateIf,
    TemplateLiteral, TemplatePart,
};
use crate::hcl::error::{Reported, SyntaxError};
use crate::hcl::literal::unescape;
use crate::hcl::token::{Token, TokenKind};
use std::iter::Peekable;
use std::vec::IntoIter;
use unicode_segmentation::UnicodeSegmentation;

/// An element of the flat list.
enum Piece {
    Literal(TemplateLiteral),
    Interpolation(Interpolation),
    If(Expression, Marker),
    Else(Marker),
    EndIf(Marker),
    For(Option<Identifier>, Identifier, Expression, Marker),
    EndFor(Marker),
}

impl Piece {
    /// Returns the marker of an `else`, `endif` or `endfor`.
    fn end(&self) -> Option<(&'static str, Marker)> {
        match self {
            Self::Else(marker) => Some(("else", *marker)),
            Self::EndIf(marker) => Some(("endif", *marker)),
            Self::EndFor(marker) => Some(("endfor", *marker)),
            _ => None,
        }
    }
}

type Pieces = Peekable<IntoIter<Piece>>;

impl Parser<'_> {
    /// Parses a quoted template or a heredoc.
    pub(super) fn template(&mut self) -> Result<Expression, Reported> {
        let open_index = self.index();
        let open = self.next();
        let (close, delimiter) = match (open.kind, self.partners[open_index]) {
            (TokenKind::OpenQuote, _) => (self.closing_quote(open_index)?, Delimiter::Quotes),
            (_, Partner::At(close)) => {
                let opener = self.text_of(open.span);
                let is_indented = opener.starts_with("<<-");
                (close, Delimiter::Heredoc { marker: heredoc_marker(opener).to_owned(), is_indented })
            }
            _ => return Err(self.fail_with(|parser| parser.unclosed_heredoc(open))),
        };
        let is_indented = matches!(delimiter, Delimiter::Heredoc { is_indented: true, .. });
        let parts = self.template_parts(close, is_indented);
        let span = open.span.to(self.next().span);
        Ok(Expression { kind: ExpressionKind::Template(Template { delimiter, parts }), span })
    }

    /// Parses everything up to the token `close`, which is left.
    pub(super) fn template_parts(&mut self, close: usize, is_indented: bool) -> Vec<TemplatePart> {
        let mut pieces = self.pieces(close);
        if is_indented {
            take_indentation(&mut pieces);
        }
        let mut pieces = join_literals(pieces).into_iter().peekable();
        let mut parts = Vec::new();
        while let Some(piece) = pieces.next() {
            if let Ok(part) = self.part(piece, &mut pieces) {
                parts.push(part);
            }
        }
        parts
    }

    fn pieces(&mut self, close: usize) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut trims_next = false;
        while self.position < close {
            let index = self.position;
            let trims = std::mem::take(&mut trims_next);
            let token = self.next();
            match token.kind {
                TokenKind::QuotedText | TokenKind::Text => {
                    let mut text = String::new();
                    let mut errors = Vec::new();
                    unescape(self.text, token, &mut text, &mut errors);
                    for error in errors {
                        self.report(error);
                    }
                    let text = if trims { text.trim_start().to_owned() } else { text };
                    pieces.push(Piece::Literal(TemplateLiteral { text, span: token.span }));
                }
                TokenKind::OpenInterpolation | TokenKind::OpenDirective => {
                    let Partner::At(end) = self.partners[index] else {
                        self.fail_with(|parser| parser.unclosed_sequence(token));
                        self.jump(close);
                        break;
                    };
                    let marker = Marker {
                        span: token.span.to(self.tokens[end].span),
                        trims_before: self.text_of(token.span).ends_with('~'),
                        trims_after: self.text_of(self.tokens[end].span).starts_with('~'),
                    };
                    if let Some(Piece::Literal(literal)) = pieces.last_mut().filter(|_| marker.trims_before) {
                        literal.text.truncate(literal.text.trim_end().len());
                    }
                    trims_next = marker.trims_after;
                    let piece = self.with_newlines(false, |parser| parser.sequence(token, marker, end));
                    pieces.extend(piece);
                    if !self.stopped {
                        self.jump(end + 1);
                    }
                }
                _ => {
                    self.fail_with(|parser| parser.bad_template_token(token));
                }
            }
        }
        pieces
    }

    /// Parses the inside of `${…}` or `%{…}`; whatever stands before the closing brace must be used up.
    fn sequence(&mut self, open: Token, marker: Marker, end: usize) -> Option<Piece> {
        let is_interpolation = open.kind == TokenKind::OpenInterpolation;
        let piece = if is_interpolation {
            self.expression().map(|value| Piece::Interpolation(Interpolation { value, marker }))
        } else {
            self.directive(marker)
        };
        if piece.is_ok() && self.index() < end {
            self.fail_with(|parser| parser.long_sequence(open));
        }
        piece.ok()
    }

    fn directive(&mut self, marker: Marker) -> Result<Piece, Reported> {
        let Some(keyword) = self.take(TokenKind::Identifier) else {
            let error = self.unexpected("`if`, `else`, `endif`, `for` or `endfor` after `%{`");
            return Err(self.report(error.help("write `%%{` if the text is meant for another language")));
        };
        match self.text_of(keyword.span) {
            "if" => Ok(Piece::If(self.expression()?, marker)),
            "else" => Ok(Piece::Else(marker)),
            "endif" => Ok(Piece::EndIf(marker)),
            "for" => {
                let (key, value) = self.for_variables()?;
                Ok(Piece::For(key, value, self.expression()?, marker))
            }
            "endfor" => Ok(Piece::EndFor(marker)),
            other => {
                let message = format!("there is no directive `{other}`");
                let error = SyntaxError::new("rpk::hcl::unknown_directive", message, keyword.span, "unknown directive");
                let help = match other {
                    "elseif" | "elif" => "nest another `%{if}` in `%{else}`",
                    "end" => "write `%{endif}` or `%{endfor}`",
                    _ => "use `if`, `else`, `endif`, `for` or `endfor`; write `%%{` for a literal `%{`",
                };
                Err(self.report(error.help(help)))
            }
        }
    }

    /// Makes a part of a piece, and of those after it that it holds.
    fn part(&mut self, piece: Piece, rest: &mut Pieces) -> Result<TemplatePart, Reported> {
        match piece {
            Piece::Literal(literal) => Ok(TemplatePart::Literal(literal)),
            Piece::Interpolation(interpolation) => Ok(TemplatePart::Interpolation(interpolation)),
            Piece::If(condition, start) => self.nested(|parser| parser.if_part(condition, start, rest)),
            Piece::For(key_variable, value_variable, collection, start) => {
                let body = self.nested(|parser| parser.inner_parts(rest))?;
                let end = match rest.next() {
                    Some(Piece::EndFor(end)) => end,
                    other => return Err(self.wrong_end("for", start, "endfor", other)),
                };
                let part = TemplateFor { key_variable, value_variable, collection, body, start, end };
                Ok(TemplatePart::For(Box::new(part)))
            }
            Piece::Else(marker) => Err(self.stray("else", marker)),
            Piece::EndIf(marker) => Err(self.stray("endif", marker)),
            Piece::EndFor(marker) => Err(self.stray("endfor", marker)),
        }
    }

    fn if_part(&mut self, condition: Expression, start: Marker, rest: &mut Pieces) -> Result<TemplatePart, Reported> {
        let then = self.inner_parts(rest)?;
        let (mut otherwise, mut middle) = (Vec::new(), None);
        if let Some(Piece::Else(marker)) = rest.next_if(|piece| matches!(piece, Piece::Else(_))) {
            middle = Some(marker);
            otherwise = self.inner_parts(rest)?;
        }
        let end = match rest.next() {
            Some(Piece::EndIf(end)) => end,
            other => return Err(self.wrong_end("if", start, "endif", other)),
        };
        Ok(TemplatePart::If(Box::new(TemplateIf { condition, then, otherwise, start, middle, end })))
    }

    /// Makes the parts up to the next `else`, `endif`, `endfor` or the end, which is left.
    fn inner_parts(&mut self, rest: &mut Pieces) -> Result<Vec<TemplatePart>, Reported> {
        let mut parts = Vec::new();
        while let Some(piece) = rest.next_if(|piece| piece.end().is_none()) {
            parts.push(self.part(piece, rest)?);
        }
        Ok(parts)
    }

    /// Reports that a directive ends with another end, or with none.
    fn wrong_end(&mut self, name: &str, start: Marker, wanted: &str, found: Option<Piece>) -> Reported {
        let code = "rpk::hcl::unbalanced_directive";
        self.report(match found.and_then(|piece| piece.end()) {
            Some((found, end)) => {
                let message = format!("expected `%{{{wanted}}}`, found `%{{{found}}}`");
                let error = SyntaxError::new(code, message, end.span, "does not fit");
                error.related(start.span, format!("for this `{name}`"))
            }
            None => {
                let message = format!("`%{{{name}}}` without `%{{{wanted}}}`");
                SyntaxError::new(code, message, start.span, "never closed").help(format!("add `%{{{wanted}}}`"))
            }
        })
    }

    fn stray(&mut self, name: &str, marker: Marker) -> Reported {
        let message = format!("`%{{{name}}}` without a directive that it belongs to");
        self.report(SyntaxError::new("rpk::hcl::unbalanced_directive", message, marker.span, "belongs to nothing"))
    }
}

/// Takes the common indentation of all lines away.
///
/// Lines of white space only do not count and stay as they are; a line that begins with a sequence has none.
fn take_indentation(pieces: &mut [Piece]) {
    let mut common = usize::MAX;
    let mut starts = Vec::new();
    let mut at_line_start = true;
    for (index, piece) in pieces.iter().enumerate() {
        let text = match piece {
            Piece::Literal(literal) => literal.text.as_str(),
            _ => "",
        };
        let is_blank_line = text.ends_with('\n') && text.trim_start().is_empty();
        if at_line_start && !is_blank_line {
            let blanks = &text[..text.len() - text.trim_start().len()];
            common = common.min(blanks.graphemes(true).count());
            starts.push(index);
        }
        at_line_start = text.ends_with('\n');
    }
    for index in starts {
        if let Piece::Literal(literal) = &mut pieces[index] {
            let cut: usize = literal.text.graphemes(true).take(common).map(str::len).sum();
            literal.text.drain(..cut);
        }
    }
}

/// Makes one literal of several in a row.
fn join_literals(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Literal(last)), Piece::Literal(next)) => {
                last.text.push_str(&next.text);
                last.span = last.span.to(next.span);
            }
            (_, piece) => joined.push(piece),
        }
    }
    joined
}
