//! The parsed template: plain data, and how its pieces are written in messages.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::number::Number;

/// What a template does, in order.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text to be copied: its place in the template's text.
    Text(Range<usize>),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(RangeLoop),
    Template(TemplateCall),
    Break,
    Continue,
}

/// `if` or `with`: the first arm that holds is taken, else the last list.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub arms: Vec<(Pipeline, Vec<Node>)>,
    pub otherwise: Vec<Node>,
}

/// A `range` loop.
#[derive(Clone, Debug)]
pub(super) struct RangeLoop {
    pub pipeline: Pipeline,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// `{{template "name" pipeline}}`.
#[derive(Clone, Debug)]
pub(super) struct TemplateCall {
    pub place: Place,
    pub name: String,
    pub argument: Option<Pipeline>,
}

/// Where a piece stands in the template's text.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The byte that Go's messages name. For `.A.B` that is its second dot.
    pub position: usize,
    /// All bytes of the piece.
    pub span: Range<usize>,
}

/// Commands, each passing its result to the next as the last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub place: Place,
    /// Variables that receive the result.
    pub variables: Vec<String>,
    /// Whether the variables are set (`=`) rather than declared (`:=`).
    pub is_assignment: bool,
    pub commands: Vec<Command>,
}

/// A function, field or value with its arguments; there is always a first term.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub place: Place,
    pub first: Term,
    pub arguments: Vec<Term>,
}

/// One operand.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub place: Place,
    pub kind: TermKind,
}

#[derive(Clone, Debug)]
pub(super) enum TermKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    String {
        quoted: String,
        text: Arc<str>,
    },
    Field(Vec<String>),
    /// A variable, its name with the `$`, and fields of it.
    Variable(String, Vec<String>),
    Function(String),
    Pipeline(Box<Pipeline>),
    /// Fields of what another term yields.
    Chain(Box<Term>, Vec<String>),
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let operator = if self.is_assignment { "=" } else { ":=" };
            write!(f, "{} {operator} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            let separator = if index > 0 { " | " } else { "" };
            write!(f, "{separator}{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt_operand(f)?;
        for argument in &self.arguments {
            f.write_str(" ")?;
            argument.fmt_operand(f)?;
        }
        Ok(())
    }
}

impl Term {
    /// Writes the term as part of something larger, where a pipeline needs parentheses.
    fn fmt_operand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Pipeline(pipeline) => write!(f, "({pipeline})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = match &self.kind {
            TermKind::Dot => return f.write_str("."),
            TermKind::Nil => return f.write_str("nil"),
            TermKind::Bool(value) => return write!(f, "{value}"),
            TermKind::Number(number) => return f.write_str(&number.text),
            TermKind::String { quoted, .. } => return f.write_str(quoted),
            TermKind::Function(name) => return f.write_str(name),
            TermKind::Pipeline(pipeline) => return write!(f, "{pipeline}"),
            TermKind::Field(fields) => fields,
            TermKind::Variable(name, fields) => {
                f.write_str(name)?;
                fields
            }
            TermKind::Chain(term, fields) => {
                term.fmt_operand(f)?;
                fields
            }
        };
        fields.iter().try_for_each(|field| write!(f, ".{field}"))
    }
}

impl fmt::Display for TemplateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", super::quote::quote(&self.name))?;
        if let Some(argument) = &self.argument {
            write!(f, " {argument}")?;
        }
        f.write_str("}}")
    }
}
