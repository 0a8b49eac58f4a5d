//! Tuples, objects, and the `for` expressions that make them.

use super::Parser;
use crate::hcl::ast::{Expression, ExpressionKind, For, Identifier, Literal, ObjectItem, ObjectKey};
use crate::hcl::error::{Reported, SyntaxError};
use crate::hcl::token::{Span, TokenKind};

impl Parser<'_> {
    pub(super) fn tuple(&mut self) -> Result<Expression, Reported> {
        let close = self.closing_bracket()?;
        let open = self.next().span;
        self.with_newlines(false, |parser| {
            if parser.at_word("for") {
                return Ok(parser.for_expression(open, close, false));
            }
            let mut elements = Vec::new();
            while parser.index() < close {
                elements.push(parser.element(close, false));
                if parser.index() < close && parser.take(TokenKind::Comma).is_none() {
                    let start = parser.position;
                    parser.fail_near("`,` or `]` after the element", open, "the list begins here");
                    parser.skip_element(start, close, false);
                    parser.take(TokenKind::Comma);
                }
            }
            parser.close(close);
            Ok(Expression { kind: ExpressionKind::Tuple(elements), span: open.to(parser.previous) })
        })
    }

    pub(super) fn object(&mut self) -> Result<Expression, Reported> {
        let close = self.closing_bracket()?;
        let open = self.next().span;
        if self.with_newlines(false, |parser| parser.at_word("for")) {
            return Ok(self.with_newlines(false, |parser| parser.for_expression(open, close, true)));
        }
        self.with_newlines(true, |parser| {
            let mut items = Vec::new();
            while parser.index() < close {
                if parser.take(TokenKind::Newline).is_some() {
                    continue;
                }
                let start = parser.position;
                match parser.object_item(open) {
                    Ok(item) => items.push(item),
                    Err(Reported) => parser.skip_element(start, close, true),
                }
                if parser.index() < close && !parser.take_item_separator() {
                    let start = parser.position;
                    parser.fail_near("a line break, `,` or `}` after the value", open, "the object begins here");
                    parser.skip_element(start, close, true);
                    parser.take_item_separator();
                }
            }
            parser.close(close);
            Ok(Expression { kind: ExpressionKind::Object(items), span: open.to(parser.previous) })
        })
    }

    fn take_item_separator(&mut self) -> bool {
        self.take(TokenKind::Comma).is_some() || self.take(TokenKind::Newline).is_some()
    }

    fn object_item(&mut self, open: Span) -> Result<ObjectItem, Reported> {
        let key = self.expression()?;
        if self.take(TokenKind::Equal).is_none() && self.take(TokenKind::Colon).is_none() {
            return Err(self.fail_with(|parser| parser.no_value(open)));
        }
        let value = self.expression()?;
        Ok(ObjectItem { key: self.object_key(key), value })
    }

    /// Makes a name of a key that is a bare word.
    fn object_key(&self, key: Expression) -> ObjectKey {
        let is_word = match &key.kind {
            ExpressionKind::Traversal(traversal) => traversal.steps.is_empty(),
            ExpressionKind::Literal(literal) => !matches!(literal, Literal::Number(_)),
            _ => false,
        };
        if is_word {
            ObjectKey::Name(Identifier { text: self.text_of(key.span).to_owned(), span: key.span })
        } else {
            ObjectKey::Expression(key)
        }
    }

    /// Parses the rest of `[for …]` or `{for …}`, brackets included.
    fn for_expression(&mut self, open: Span, close: usize, is_object: bool) -> Expression {
        let parsed = self.for_parts(is_object);
        if parsed.is_ok() && self.index() < close {
            let expected =
                if is_object { "`if` or `}` at the end of `for`" } else { "`if` or `]` at the end of `for`" };
            self.fail_near(expected, open, "the `for` expression begins here");
        }
        self.close(close);
        let kind = match parsed {
            Ok(parts) if is_object => ExpressionKind::ForObject(Box::new(parts)),
            Ok(parts) => ExpressionKind::ForTuple(Box::new(parts)),
            Err(Reported) => ExpressionKind::Invalid,
        };
        Expression { kind, span: open.to(self.previous) }
    }

    fn for_parts(&mut self, is_object: bool) -> Result<For, Reported> {
        self.next();
        let (key_variable, value_variable) = self.for_variables()?;
        let collection = self.expression()?;
        if self.take(TokenKind::Colon).is_none() {
            return Err(self.fail("`:` and a result after the collection of `for`"));
        }
        let first = self.expression()?;
        let (key, value) = match self.take(TokenKind::FatArrow) {
            Some(_) => (Some(first), self.expression()?),
            None => (None, first),
        };
        let ellipsis = self.take(TokenKind::Ellipsis);
        let condition = if self.at_word("if") {
            self.next();
            Some(self.expression()?)
        } else {
            None
        };
        let mut complain = |message: &str, span: Span, help: &str| {
            self.report(SyntaxError::new("rpk::hcl::bad_for", message, span, "in this `for`").help(help))
        };
        match (&key, ellipsis) {
            (Some(key), _) if !is_object => {
                complain("a list made by `for` has no keys", key.span, "leave `=>` out, or use braces for an object");
            }
            (None, Some(ellipsis)) if !is_object => {
                complain("only objects made by `for` can group values", ellipsis.span, "leave `...` out");
            }
            (None, _) if is_object => {
                complain("an object made by `for` needs keys", value.span, "write `key => value`, or use brackets");
            }
            _ => {}
        }
        Ok(For { key_variable, value_variable, collection, key, value, condition, groups: ellipsis.is_some() })
    }

    /// Parses `value in` or `key, value in`.
    pub(super) fn for_variables(&mut self) -> Result<(Option<Identifier>, Identifier), Reported> {
        let variable = |parser: &mut Self, expected: &str| match parser.take(TokenKind::Identifier) {
            Some(token) => Ok(parser.identifier(token)),
            None => Err(parser.fail(expected)),
        };
        let first = variable(self, "the name of a variable after `for`")?;
        let (key, value) = match self.take(TokenKind::Comma) {
            Some(_) => (Some(first), variable(self, "the name of a second variable after `,`")?),
            None => (None, first),
        };
        if !self.at_word("in") {
            return Err(self.fail("`in` after the variables of `for`"));
        }
        self.next();
        Ok((key, value))
    }
}
