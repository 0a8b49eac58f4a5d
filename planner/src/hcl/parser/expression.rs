//! Expressions: operators, conditionals and terms.

use super::{Parser, Partner};
use crate::hcl::ast::{
    Binary, BinaryOperator, BinaryStep, Call, Conditional, Expression, ExpressionKind, Identifier, Literal, Traversal,
    Unary, UnaryOperator,
};
use crate::hcl::error::{Reported, SyntaxError};
use crate::hcl::literal::is_number;
use crate::hcl::token::{Token, TokenKind};

/// The loosest level of precedence.
const LOOSEST: u8 = 0;

/// Returns the operator that a token is, and how tightly it binds.
fn binary_operator(kind: TokenKind) -> Option<(BinaryOperator, u8)> {
    use BinaryOperator as B;
    use TokenKind as T;
    Some(match kind {
        T::Or => (B::Or, LOOSEST),
        T::And => (B::And, 1),
        T::EqualEqual => (B::Equal, 2),
        T::NotEqual => (B::NotEqual, 2),
        T::Less => (B::Less, 3),
        T::LessEqual => (B::LessEqual, 3),
        T::Greater => (B::Greater, 3),
        T::GreaterEqual => (B::GreaterEqual, 3),
        T::Plus => (B::Add, 4),
        T::Minus => (B::Subtract, 4),
        T::Star => (B::Multiply, 5),
        T::Slash => (B::Divide, 5),
        T::Percent => (B::Modulo, 5),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression, Reported> {
        self.nested(Self::conditional)
    }

    fn conditional(&mut self) -> Result<Expression, Reported> {
        let condition = self.binary(LOOSEST)?;
        if self.take(TokenKind::Question).is_none() {
            return Ok(condition);
        }
        let question = self.previous;
        let then = self.expression()?;
        if self.take(TokenKind::Colon).is_none() {
            return Err(self.fail_near(
                "`:` and a value for when the condition is false",
                question,
                "needed by this `?`",
            ));
        }
        let otherwise = self.expression()?;
        let span = condition.span.to(otherwise.span);
        Ok(Expression { kind: ExpressionKind::Conditional(Box::new(Conditional { condition, then, otherwise })), span })
    }

    /// Parses operands joined by operators that bind at least as tightly as `loosest`.
    fn binary(&mut self, loosest: u8) -> Result<Expression, Reported> {
        let mut first = self.operand()?;
        while let Some((_, level)) = binary_operator(self.peek().kind).filter(|(_, level)| *level >= loosest) {
            let mut rest = Vec::new();
            let mut span = first.span;
            while let Some((operator, _)) = binary_operator(self.peek().kind).filter(|(_, next)| *next == level) {
                let operator_span = self.next().span;
                let operand = self.binary(level + 1)?;
                span = span.to(operand.span);
                rest.push(BinaryStep { operator, operator_span, operand });
            }
            first = Expression { kind: ExpressionKind::Binary(Box::new(Binary { first, rest })), span };
        }
        Ok(first)
    }

    /// Parses a term and the steps into it.
    fn operand(&mut self) -> Result<Expression, Reported> {
        let term = self.term()?;
        self.postfix(term)
    }

    fn term(&mut self) -> Result<Expression, Reported> {
        use TokenKind as T;
        let start = self.peek();
        match start.kind {
            T::Number => self.number(),
            T::Identifier => self.name_or_call(),
            T::OpenQuote | T::OpenHeredoc => self.template(),
            T::OpenBracket => self.tuple(),
            T::OpenBrace => self.object(),
            T::OpenParen => self.parentheses(),
            T::Minus | T::Bang => {
                self.next();
                let operand = self.nested(Self::operand)?;
                let span = start.span.to(operand.span);
                let operator = if start.kind == T::Minus { UnaryOperator::Negate } else { UnaryOperator::Not };
                let unary = Unary { operator, operator_span: start.span, operand };
                Ok(Expression { kind: ExpressionKind::Unary(Box::new(unary)), span })
            }
            _ => Err(self.fail_with(Self::no_expression)),
        }
    }

    fn number(&mut self) -> Result<Expression, Reported> {
        let token = self.next();
        let literal = self.number_of(token);
        Ok(Expression { kind: ExpressionKind::Literal(literal), span: token.span })
    }

    /// Checks a number and takes its text.
    pub(super) fn number_of(&mut self, token: Token) -> Literal {
        let text = self.text_of(token.span);
        if !is_number(text) {
            let error = SyntaxError::new("rpk::hcl::bad_number", "not a number", token.span, "cannot be read");
            self.report(error.help("write digits, at most one point, and at most one exponent; quote version numbers"));
        }
        Literal::Number(text.to_owned())
    }

    fn name_or_call(&mut self) -> Result<Expression, Reported> {
        let token = self.next();
        if matches!(self.peek().kind, TokenKind::OpenParen | TokenKind::DoubleColon) {
            return self.call(token);
        }
        let kind = match self.text_of(token.span) {
            "null" => ExpressionKind::Literal(Literal::Null),
            "true" => ExpressionKind::Literal(Literal::Bool(true)),
            "false" => ExpressionKind::Literal(Literal::Bool(false)),
            _ => ExpressionKind::Traversal(Traversal { root: self.identifier(token), steps: Vec::new() }),
        };
        Ok(Expression { kind, span: token.span })
    }

    fn call(&mut self, first: Token) -> Result<Expression, Reported> {
        let mut name = self.text_of(first.span).to_owned();
        while self.take(TokenKind::DoubleColon).is_some() {
            let Some(part) = self.take(TokenKind::Identifier) else {
                return Err(self.fail("the name of a function after `::`"));
            };
            name.push_str("::");
            name.push_str(self.text_of(part.span));
        }
        let name = Identifier { text: name, span: first.span.to(self.previous) };
        if !self.at(TokenKind::OpenParen) {
            return Err(self.fail("`(` after the name of a function"));
        }
        let close = self.closing_bracket()?;
        self.next();
        let (arguments, spreads_last) = self.with_newlines(false, |parser| parser.arguments(close));
        let span = first.span.to(self.previous);
        Ok(Expression { kind: ExpressionKind::Call(Call { name, arguments, spreads_last }), span })
    }

    /// Parses arguments and the parenthesis after them.
    fn arguments(&mut self, close: usize) -> (Vec<Expression>, bool) {
        let mut arguments = Vec::new();
        let mut spreads_last = false;
        while self.index() < close {
            arguments.push(self.element(close, false));
            if self.take(TokenKind::Ellipsis).is_some() {
                spreads_last = true;
                if self.index() < close {
                    let error = self.unexpected("`)` after `...`");
                    self.report(error.help("spread the last argument only"));
                }
                break;
            }
            if self.index() < close && self.take(TokenKind::Comma).is_none() {
                let start = self.position;
                self.fail("`,` or `)` after the argument");
                self.skip_element(start, close, false);
                self.take(TokenKind::Comma);
            }
        }
        self.close(close);
        (arguments, spreads_last)
    }

    fn parentheses(&mut self) -> Result<Expression, Reported> {
        let open_index = self.index();
        let close = self.closing_bracket()?;
        let open = self.next();
        let inner = self.with_newlines(false, |parser| {
            let inner = parser.element(close, false);
            if parser.index() < close {
                parser.fail_near("`)` after the expression", parser.tokens[open_index].span, "opened here");
            }
            parser.close(close);
            inner
        });
        let span = open.span.to(self.previous);
        Ok(Expression { kind: ExpressionKind::Parentheses(Box::new(inner)), span })
    }

    /// Parses one element of something that ends at the token `close`; on a mistake, goes on with the next element.
    pub(super) fn element(&mut self, close: usize, newlines_separate: bool) -> Expression {
        let start = self.index();
        match self.expression() {
            Ok(expression) => expression,
            Err(Reported) => {
                self.skip_element(start, close, newlines_separate);
                let span = self.tokens[start].span.to(self.previous);
                Expression { kind: ExpressionKind::Invalid, span }
            }
        }
    }

    /// Skips to the next separator on the level of an element that began at `start`, or to the closing bracket.
    pub(super) fn skip_element(&mut self, start: usize, close: usize, newlines_separate: bool) {
        if self.stopped {
            return;
        }
        let mut at = start;
        while at < close {
            let is_separator = match self.tokens[at].kind {
                TokenKind::Comma => true,
                TokenKind::Newline => newlines_separate,
                _ => false,
            };
            if is_separator && at >= self.position {
                break;
            }
            at = match self.partners[at] {
                Partner::At(end) => end + 1,
                Partner::Missing(_) | Partner::None => at + 1,
            };
        }
        self.jump(at.min(close));
    }

    /// Takes the closing bracket, and whatever still stands before it.
    pub(super) fn close(&mut self, close: usize) {
        if !self.stopped {
            self.jump(close);
            self.next();
        }
    }

    /// Returns where the bracket that comes next is closed.
    pub(super) fn closing_bracket(&mut self) -> Result<usize, Reported> {
        let index = self.index();
        match self.partners[index] {
            Partner::At(close) => Ok(close),
            Partner::Missing(noticed) => {
                self.lost = true;
                Err(self.fail_with(|parser| parser.unclosed(index, noticed)))
            }
            Partner::None => Err(self.fail("an opening bracket")),
        }
    }
}
