//! What stands between the braces: pipelines, commands and their operands.

use super::{Parsed, Parser};
use crate::gotemplate::ast::{Command, Pipeline, Place, Term, TermKind};
use crate::gotemplate::lexer::{Kind, Token};
use crate::gotemplate::number::Number;
use crate::gotemplate::{builtins, quote};

/// How many variables one scope may hold. Every use searches them.
const MAX_VARIABLES: usize = 1000;

impl Parser<'_> {
    /// Reads a pipeline up to its `end`; `context` is what messages call it.
    pub(super) fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipeline> {
        let first = self.peek_non_space();
        let (variables, is_assignment) = self.declarations(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.cursor -= 1;
                    commands.push(self.command()?);
                }
                _ => return self.unexpected(token, context),
            }
        }
        if commands.is_empty() {
            return self.fail(first, format!("missing value for {context}"));
        }
        let is_value = |command: &Command| {
            matches!(
                command.first.kind,
                TermKind::Bool(_) | TermKind::Dot | TermKind::Nil | TermKind::Number(_) | TermKind::String { .. }
            )
        };
        if let Some(stage) = commands.iter().skip(1).position(is_value) {
            let place = &commands[stage + 1].place;
            let at = Token { kind: Kind::Text, start: place.span.start, end: place.span.end };
            return self.fail(at, format!("non executable command in pipeline stage {}", stage + 2));
        }
        let span = first.start..commands.last().map_or(first.end, |command| command.place.span.end);
        let place = Place { position: first.start, span };
        Ok(Pipeline { place, variables, is_assignment, commands })
    }

    /// Reads `$x :=`, `$x =` and, in a range, `$x, $y :=`.
    fn declarations(&mut self, context: &str) -> Parsed<(Vec<String>, bool)> {
        let mut names: Vec<String> = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok((names, false));
            }
            let start = self.cursor;
            self.cursor += 1;
            let name = self.value(variable).to_owned();
            let after = self.peek_non_space();
            match after.kind {
                Kind::Assign | Kind::Declare => {
                    self.cursor += 1;
                    self.declare(variable)?;
                    names.push(name);
                    return Ok((names, after.kind == Kind::Assign));
                }
                Kind::Char if self.value(after) == "," => {
                    self.cursor += 1;
                    self.declare(variable)?;
                    names.push(name);
                    if context != "range" || names.len() > 1 {
                        return self.fail(variable, format!("too many declarations in {context}"));
                    }
                    let following = self.peek_non_space();
                    if !matches!(following.kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return self.fail(following, "range can only initialize variables");
                    }
                }
                _ => {
                    // The variable is an operand.
                    self.cursor = start;
                    return Ok((names, false));
                }
            }
        }
    }

    fn declare(&mut self, variable: Token) -> Parsed<()> {
        if self.frame.variables.len() > MAX_VARIABLES {
            return self.fail(variable, format!("more than {MAX_VARIABLES} variables"));
        }
        let name = self.value(variable).to_owned();
        self.frame.variables.push(name);
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let start = self.peek_non_space();
        let mut terms = Vec::new();
        loop {
            self.peek_non_space();
            terms.extend(self.operand()?);
            let end = self.end();
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.cursor -= 1,
                Kind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            if terms.is_empty() {
                return self.fail(token, "empty command");
            }
            let first = terms.remove(0);
            let place = Place { position: start.start, span: start.start..end };
            return Ok(Command { place, first, arguments: terms });
        }
    }

    fn operand(&mut self) -> Parsed<Option<Term>> {
        let Some(mut term) = self.term()? else {
            return Ok(None);
        };
        let field = self.peek();
        if field.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            fields.push(self.value(token)[1..].to_owned());
        }
        let place = Place { position: field.start, span: term.place.span.start..self.end() };
        match &mut term.kind {
            TermKind::Field(names) | TermKind::Variable(_, names) => {
                names.extend(fields);
                term.place = place;
            }
            TermKind::Bool(_) | TermKind::String { .. } | TermKind::Number(_) | TermKind::Nil | TermKind::Dot => {
                let term = quote::quote(&term.to_string());
                return self.fail(field, format!("unexpected . after term {term}"));
            }
            _ => term = Term { place, kind: TermKind::Chain(Box::new(term), fields) },
        }
        Ok(Some(term))
    }

    fn term(&mut self) -> Parsed<Option<Term>> {
        let token = self.next_non_space();
        let value = self.value(token);
        let kind = match token.kind {
            Kind::Identifier if !(self.is_function)(value) && !builtins::is_builtin(value) => {
                let message = format!("function {} not defined", quote::quote(value));
                return self.fail(token, message);
            }
            Kind::Identifier => TermKind::Function(value.into()),
            Kind::Dot => TermKind::Dot,
            Kind::Nil => TermKind::Nil,
            Kind::Variable if !self.frame.variables.iter().any(|known| known == value) => {
                let message = format!("undefined variable {}", quote::quote(value));
                return self.fail(token, message);
            }
            Kind::Variable => TermKind::Variable(value.into(), Vec::new()),
            Kind::Field => TermKind::Field(vec![value[1..].into()]),
            Kind::Bool => TermKind::Bool(value == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let is_char = token.kind == Kind::CharConstant;
                let number = if is_char { Number::from_char(value) } else { Number::parse(value) };
                TermKind::Number(number.or_else(|message| self.fail(token, message))?)
            }
            Kind::String | Kind::RawString => {
                let text = quote::unquote(value).or_else(|message| self.fail(token, message))?;
                TermKind::String { quoted: value.into(), text: text.into() }
            }
            Kind::LeftParen => {
                let pipeline =
                    self.nested(token, |parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                let place = Place { position: pipeline.place.position, span: self.place_from(token.start).span };
                return Ok(Some(Term { place, kind: TermKind::Pipeline(Box::new(pipeline)) }));
            }
            _ => {
                self.cursor -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Term { place: self.place_from(token.start), kind }))
    }
}
