//! The outline of a template: its texts and calls in their order, for those who write it in another language.

use super::ast::{Command, Node, Pipeline, Term, TermKind};
use super::template::Template;

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// A call of a function, perhaps with calls among its arguments.
    Call(Application),
    /// Anything else, as it would be written again, braces included.
    Other(String),
}

/// A function with its arguments; what comes through a pipe is the last of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The function.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A literal text.
    Text(String),
    /// A literal number, as it was written.
    Number(String),
    /// Another call.
    Call(Application),
}

impl Template {
    /// Returns the pieces; none if there are loops, conditions or the like among them.
    #[must_use]
    pub fn outline(&self) -> Option<Vec<Piece>> {
        let Some(nodes) = self.main() else { return Some(vec![Piece::Text(self.text().to_owned())]) };
        nodes
            .iter()
            .map(|node| match node {
                Node::Text(range) => Some(Piece::Text(self.text()[range.clone()].to_owned())),
                Node::Action(pipeline) => Some(match application(pipeline) {
                    Some(application) => Piece::Call(application),
                    None => Piece::Other(format!("{{{{{pipeline}}}}}")),
                }),
                _ => None,
            })
            .collect()
    }
}

fn application(pipeline: &Pipeline) -> Option<Application> {
    if !pipeline.variables.is_empty() {
        return None;
    }
    let mut result: Option<Argument> = None;
    for command in &pipeline.commands {
        result = Some(applied(command, result)?);
    }
    match result? {
        Argument::Call(application) => Some(application),
        Argument::Text(_) | Argument::Number(_) => None,
    }
}

fn applied(command: &Command, piped: Option<Argument>) -> Option<Argument> {
    let TermKind::Function(function) = &command.first.kind else {
        let is_alone = command.arguments.is_empty() && piped.is_none();
        return if is_alone { argument(&command.first) } else { None };
    };
    let mut arguments: Vec<Argument> = command.arguments.iter().map(argument).collect::<Option<_>>()?;
    arguments.extend(piped);
    Some(Argument::Call(Application { function: function.clone(), arguments }))
}

fn argument(term: &Term) -> Option<Argument> {
    match &term.kind {
        TermKind::String { text, .. } => Some(Argument::Text(text.to_string())),
        TermKind::Number(number) => Some(Argument::Number(number.text.to_string())),
        TermKind::Function(function) => {
            Some(Argument::Call(Application { function: function.clone(), arguments: Vec::new() }))
        }
        TermKind::Pipeline(pipeline) => application(pipeline).map(Argument::Call),
        _ => None,
    }
}
