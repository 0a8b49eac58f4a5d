//! What a template asks for: found by reading it, without running it.

use super::ast::{Command, Node, Pipeline, Term, TermKind};

/// A function called or a field read by a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A function is called.
    Function {
        /// The function's name.
        name: String,
        /// Its arguments: the text where it is a literal string, else nothing.
        arguments: Vec<Option<String>>,
        /// The byte of the text where the name stands.
        offset: usize,
    },
    /// A field is read: of the data, or within `with` and `range` of whatever the dot is there.
    Field {
        /// The names along the way: `.A.B` has two.
        path: Vec<String>,
        /// The byte of the text where the expression starts.
        offset: usize,
    },
}

impl Call {
    /// Returns the byte of the text where the call stands.
    #[must_use]
    pub fn offset(&self) -> usize {
        match self {
            Call::Function { offset, .. } | Call::Field { offset, .. } => *offset,
        }
    }
}

/// Adds what `nodes` call.
pub(super) fn collect(nodes: &[Node], calls: &mut Vec<Call>) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Action(pipeline) => collect_pipeline(pipeline, calls),
            Node::If(branch) | Node::With(branch) => {
                for (pipeline, body) in &branch.arms {
                    collect_pipeline(pipeline, calls);
                    collect(body, calls);
                }
                collect(&branch.otherwise, calls);
            }
            Node::Range(range) => {
                collect_pipeline(&range.pipeline, calls);
                collect(&range.body, calls);
                collect(&range.otherwise, calls);
            }
            Node::Template(call) => call.argument.iter().for_each(|pipeline| collect_pipeline(pipeline, calls)),
        }
    }
}

fn collect_pipeline(pipeline: &Pipeline, calls: &mut Vec<Call>) {
    let mut previous: Option<&Command> = None;
    for command in &pipeline.commands {
        // What comes through the pipe is the last argument.
        let piped = previous.map(|previous| match previous.arguments.as_slice() {
            [] => literal(&previous.first),
            _ => None,
        });
        collect_term(&command.first, command.arguments.iter().map(literal).chain(piped).collect(), calls);
        command.arguments.iter().for_each(|term| collect_term(term, Vec::new(), calls));
        previous = Some(command);
    }
}

fn collect_term(term: &Term, arguments: Vec<Option<String>>, calls: &mut Vec<Call>) {
    let offset = term.place.span.start;
    match &term.kind {
        TermKind::Function(name) => calls.push(Call::Function { name: name.clone(), arguments, offset }),
        TermKind::Field(path) => calls.push(Call::Field { path: path.clone(), offset }),
        // `$` is the data that the template was given.
        TermKind::Variable(name, path) if name == "$" && !path.is_empty() => {
            calls.push(Call::Field { path: path.clone(), offset });
        }
        TermKind::Pipeline(pipeline) => collect_pipeline(pipeline, calls),
        TermKind::Chain(inner, _) => collect_term(inner, Vec::new(), calls),
        TermKind::Dot
        | TermKind::Nil
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String { .. }
        | TermKind::Variable(..) => {}
    }
}

/// Returns the text of a literal string, within parentheses or without.
fn literal(term: &Term) -> Option<String> {
    match &term.kind {
        TermKind::String { text, .. } => Some(text.as_ref().to_owned()),
        TermKind::Pipeline(pipeline) if pipeline.variables.is_empty() => match pipeline.commands.as_slice() {
            [Command { first, arguments, .. }] if arguments.is_empty() => literal(first),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::*;

    fn calls(text: &str) -> Vec<String> {
        let template = Template::parse("root", text, &|_| true).expect("it parses");
        let describe = |call| match call {
            Call::Function { name, arguments, offset } => format!("{offset} {name} {arguments:?}"),
            Call::Field { path, offset } => format!("{offset} .{}", path.join(".")),
        };
        template.calls().into_iter().map(describe).collect()
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        assert_eq!(calls("no action"), [""; 0]);
        assert_eq!(calls("{{user `a`}}"), ["2 user [Some(\"a\")]"]);
        assert_eq!(calls("{{`a` | user | upper}}"), ["8 user [Some(\"a\")]", "15 upper [None]"]);
        assert_eq!(
            calls("{{split (user \"a\") (\"-\") 0}}"),
            ["2 split [None, Some(\"-\"), None]", "9 user [Some(\"a\")]"]
        );
        assert_eq!(
            calls("{{define \"x\"}}{{uuid}}{{end}}{{if .A.B}}{{else if $.C}}{{range f}}{{g}}{{end}}{{end}}"),
            ["16 uuid []", "34 .A.B", "50 .C", "63 f []", "68 g []"]
        );
    }
}
