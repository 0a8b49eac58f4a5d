//! What may follow a term: attributes, indexes and splats.

use super::Parser;
use crate::hcl::ast::{Expression, ExpressionKind, Index, Literal, RelativeTraversal, Splat, Step, StepKind};
use crate::hcl::error::{Reported, SyntaxError};
use crate::hcl::token::{Span, Token, TokenKind};

impl Parser<'_> {
    /// Parses the steps into a value.
    pub(super) fn postfix(&mut self, term: Expression) -> Result<Expression, Reported> {
        let outer = self.depth;
        let result = self.steps(term);
        self.depth = outer;
        result
    }

    fn steps(&mut self, mut value: Expression) -> Result<Expression, Reported> {
        loop {
            match self.peek().kind {
                TokenKind::Dot => {
                    let dot = self.next();
                    value = if let Some(star) = self.take(TokenKind::Star) {
                        self.deepen()?;
                        self.attribute_splat(value, dot.span.to(star.span))?
                    } else {
                        let step = self.dotted_step(dot)?;
                        step_into(value, step)
                    };
                }
                TokenKind::OpenBracket => {
                    let close = self.closing_bracket()?;
                    let open = self.next();
                    value = if self.at(TokenKind::Star) {
                        self.deepen()?;
                        self.full_splat(value, open)?
                    } else {
                        self.index_step(value, open, close)?
                    };
                }
                _ => return Ok(value),
            }
        }
    }

    /// Counts one more level until the end of the steps: each splat and each computed index is one.
    fn deepen(&mut self) -> Result<(), Reported> {
        self.nested(|_| Ok(()))?;
        self.depth += 1;
        Ok(())
    }

    /// Parses what follows a dot, splats apart.
    fn dotted_step(&mut self, dot: Token) -> Result<Step, Reported> {
        let token = self.peek();
        let kind = match token.kind {
            TokenKind::Identifier => StepKind::Attribute(self.text_of(token.span).to_owned()),
            TokenKind::Number => {
                let text = self.text_of(token.span);
                if let Some((first, second)) = text.split_once('.') {
                    let message = "two indexes in a row need brackets";
                    let error = SyntaxError::new("rpk::hcl::legacy_index", message, token.span, "reads as one number");
                    return Err(self.report(error.help(format!("write `[{first}][{second}]`"))));
                }
                StepKind::Index(self.number_of(token))
            }
            _ => {
                return Err(self.fail_with(|parser| parser.no_attribute_name(dot)));
            }
        };
        self.next();
        Ok(Step { kind, span: dot.span.to(token.span) })
    }

    /// Parses the steps after `.*`: attributes and old-style indexes.
    fn attribute_splat(&mut self, source: Expression, marker: Span) -> Result<Expression, Reported> {
        let mut each = Expression { kind: ExpressionKind::SplatItem, span: marker };
        while let Some(dot) = self.take(TokenKind::Dot) {
            if self.at(TokenKind::Star) {
                let message = "a splat within a `.*` splat";
                let error = SyntaxError::new("rpk::hcl::nested_splat", message, self.peek().span, "not allowed here");
                return Err(self.report(error.help("use the full splat `[*]` for both")));
            }
            let step = self.dotted_step(dot)?;
            each = step_into(each, step);
        }
        Ok(splat(source, each, marker, false))
    }

    /// Parses `*]` and all steps after it, which apply to each element.
    fn full_splat(&mut self, source: Expression, open: Token) -> Result<Expression, Reported> {
        self.next();
        let Some(close) = self.take(TokenKind::CloseBracket) else {
            return Err(self.fail("`]` right after `[*`"));
        };
        let marker = open.span.to(close.span);
        let item = Expression { kind: ExpressionKind::SplatItem, span: marker };
        let each = self.nested(|parser| parser.steps(item))?;
        Ok(splat(source, each, marker, true))
    }

    /// Parses the key of an index and its closing bracket.
    fn index_step(&mut self, collection: Expression, open: Token, close: usize) -> Result<Expression, Reported> {
        let key = self.with_newlines(false, |parser| {
            let key = parser.element(close, false);
            if parser.index() < close {
                parser.fail_near("`]` after the index", open.span, "opened here");
            }
            parser.close(close);
            key
        });
        let span = open.span.to(self.previous);
        let kind = match &key.kind {
            ExpressionKind::Literal(literal) => StepKind::Index(literal.clone()),
            ExpressionKind::Template(template) => match template.as_literal() {
                Some(text) => StepKind::Key(text.to_owned()),
                None => return self.computed_index(collection, key),
            },
            ExpressionKind::Invalid => StepKind::Index(Literal::Null),
            _ => return self.computed_index(collection, key),
        };
        Ok(step_into(collection, Step { kind, span }))
    }

    fn computed_index(&mut self, collection: Expression, key: Expression) -> Result<Expression, Reported> {
        self.deepen()?;
        let span = collection.span.to(self.previous);
        Ok(Expression { kind: ExpressionKind::Index(Box::new(Index { collection, key })), span })
    }
}

/// Appends a step to a traversal, or begins one.
fn step_into(value: Expression, step: Step) -> Expression {
    let span = value.span.to(step.span);
    let kind = match value.kind {
        ExpressionKind::Traversal(mut traversal) => {
            traversal.steps.push(step);
            ExpressionKind::Traversal(traversal)
        }
        ExpressionKind::RelativeTraversal(mut traversal) => {
            traversal.steps.push(step);
            ExpressionKind::RelativeTraversal(traversal)
        }
        kind => {
            let source = Expression { kind, span: value.span };
            ExpressionKind::RelativeTraversal(Box::new(RelativeTraversal { source, steps: vec![step] }))
        }
    };
    Expression { kind, span }
}

fn splat(source: Expression, each: Expression, marker: Span, is_full: bool) -> Expression {
    let span = source.span.to(each.span.to(marker));
    let span = Span { end: span.end.max(each.span.end), ..span };
    Expression { kind: ExpressionKind::Splat(Box::new(Splat { source, each, is_full, marker })), span }
}
