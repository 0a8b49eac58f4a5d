//! The executor: walks a template's trees over some data, within bounds.
//!
//! Go marks the piece that it works on before it evaluates it, and an error names the piece marked last. The marks
//! set here are Go's, so that errors name the same place.

mod evaluate;

use std::fmt::Display;

use super::ast::{Branch, Command, Node, Pipeline, Place, RangeLoop, TemplateCall, Term, TermKind};
use super::error::{ExecError, line_and_column};
use super::parser::Trees;
use super::printf::Printer;
use super::value::Value;
use super::{Functions, MAX_BYTES, MAX_DEPTH, MAX_STEPS, quote};

/// Runs the template `name` of `trees`.
pub(super) fn execute(
    name: &str,
    text: &str,
    trees: &Trees,
    data: &Value,
    functions: &dyn Functions,
) -> Result<String, ExecError> {
    let mut run = Run {
        name,
        text,
        trees,
        functions,
        output: String::with_capacity(text.len()),
        running: name,
        variables: Vec::new(),
        mark: None,
        depth: 0,
        steps: 0,
        made: 0,
    };
    let data = Operand::from(data.clone());
    run.variables.push(("$", data.clone()));
    let nodes = trees.get(name).map(Vec::as_slice).unwrap_or_default();
    run.walk_list(&data, nodes).map(|_| ()).map_err(|error| *error)?;
    Ok(run.output)
}

/// A value in use. Go tells apart what came straight out of a list or a map (an interface) and what did not; the
/// difference shows in messages, and in that fields of a nil are an error in one case and missing in the other.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub value: Value,
    pub boxed: bool,
}

impl Operand {
    /// A value straight out of a list or a map.
    pub fn boxed(value: Value) -> Self {
        Operand { value, boxed: true }
    }

    const NOTHING: Operand = Operand { value: Value::Nil, boxed: false };

    fn type_name(&self) -> &'static str {
        if self.boxed { "interface {}" } else { self.value.type_name() }
    }
}

impl From<Value> for Operand {
    fn from(value: Value) -> Self {
        Operand { value, boxed: false }
    }
}

/// Why a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Through,
    Break,
    Continue,
}

/// The piece that errors name.
#[derive(Clone, Copy)]
enum Mark<'t> {
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Term(&'t Term),
    Template(&'t TemplateCall),
}

impl<'t> Mark<'t> {
    fn place(self) -> (&'t Place, &'t dyn Display) {
        match self {
            Mark::Pipeline(piece) => (&piece.place, piece),
            Mark::Command(piece) => (&piece.place, piece),
            Mark::Term(Term { kind: TermKind::Pipeline(piece), .. }) => (&piece.place, piece.as_ref()),
            Mark::Term(piece) => (&piece.place, piece),
            Mark::Template(piece) => (&piece.place, piece),
        }
    }
}

type Ran<T> = Result<T, Box<ExecError>>;

struct Run<'t> {
    name: &'t str,
    text: &'t str,
    trees: &'t Trees,
    functions: &'t dyn Functions,
    output: String,
    /// The template that is running.
    running: &'t str,
    /// Variables by name, the innermost last.
    variables: Vec<(&'t str, Operand)>,
    mark: Option<Mark<'t>>,
    depth: usize,
    steps: usize,
    /// Bytes that functions have made.
    made: usize,
}

impl<'t> Run<'t> {
    #[cold]
    fn fail<T>(&self, detail: impl Into<String>) -> Ran<T> {
        let (place, expression) = match self.mark {
            Some(mark) => mark.place(),
            None => (&Place { position: 0, span: 0..0 }, &"" as &dyn Display),
        };
        let (line, column) = line_and_column(self.text, place.position);
        Err(Box::new(ExecError {
            name: self.name.into(),
            template: self.running.into(),
            expression: expression.to_string().into(),
            detail: detail.into().into(),
            line,
            column,
            span: place.span.clone(),
        }))
    }

    /// Counts a step, and `bytes` of work that grows with the texts at hand.
    fn step(&mut self, bytes: usize) -> Ran<()> {
        self.steps = self.steps.saturating_add(1 + bytes / 64);
        if self.steps > MAX_STEPS {
            return self.fail(format!("exceeded maximum number of steps ({MAX_STEPS})"));
        }
        Ok(())
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Ran<T>) -> Ran<T> {
        if self.depth == MAX_DEPTH {
            return self.fail(format!("exceeded maximum template depth ({MAX_DEPTH})"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn write(&mut self, text: &str) -> Ran<()> {
        if self.output.len() + text.len() > MAX_BYTES {
            return self.fail(format!("output exceeds {MAX_BYTES} bytes"));
        }
        self.output.push_str(text);
        Ok(())
    }

    fn walk_list(&mut self, dot: &Operand, nodes: &'t [Node]) -> Ran<Flow> {
        self.nested(|run| {
            for node in nodes {
                let flow = run.walk(dot, node)?;
                if flow != Flow::Through {
                    return Ok(flow);
                }
            }
            Ok(Flow::Through)
        })
    }

    fn walk(&mut self, dot: &Operand, node: &'t Node) -> Ran<Flow> {
        self.step(0)?;
        match node {
            Node::Text(range) => self.write(&self.text[range.clone()])?,
            Node::Action(pipeline) => self.walk_action(dot, pipeline)?,
            Node::If(branch) => return self.walk_branch(dot, branch, false),
            Node::With(branch) => return self.walk_branch(dot, branch, true),
            Node::Range(range) => return self.walk_range(dot, range),
            Node::Template(call) => self.walk_template(dot, call)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Through)
    }

    fn walk_action(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Ran<()> {
        let result = self.pipeline(dot, pipeline)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        match &result.value {
            Value::Nil => self.write("<no value>"),
            Value::String(text) => self.write(text),
            value => match Printer::new(MAX_BYTES).print(std::slice::from_ref(value)) {
                Ok(text) => self.write(&text),
                Err(message) => self.fail(message),
            },
        }
    }

    fn walk_branch(&mut self, dot: &Operand, branch: &'t Branch, sets_dot: bool) -> Ran<Flow> {
        let variables = self.variables.len();
        let mut taken = (branch.otherwise.as_slice(), None);
        for (pipeline, body) in &branch.arms {
            let result = self.pipeline(dot, pipeline)?;
            if result.value.is_true() {
                taken = (body, sets_dot.then_some(result));
                break;
            }
        }
        let (nodes, new_dot) = taken;
        let flow = self.walk_list(new_dot.as_ref().unwrap_or(dot), nodes)?;
        self.variables.truncate(variables);
        Ok(flow)
    }

    fn walk_range(&mut self, dot: &Operand, range: &'t RangeLoop) -> Ran<Flow> {
        let variables = self.variables.len();
        let over = self.pipeline(dot, &range.pipeline)?.value;
        let turns: Box<dyn Iterator<Item = (Operand, Operand)>> = match &over {
            Value::Nil => Box::new(std::iter::empty()),
            Value::Int(count) if range.pipeline.variables.len() > 1 => {
                return self.fail(format!("can't use {count} to iterate over more than one variable"));
            }
            Value::Int(count) => Box::new((0..*count).map(|turn| (Operand::NOTHING, Value::Int(turn).into()))),
            Value::List(items) => {
                let items = items.iter().cloned().map(Operand::boxed);
                Box::new((0..).map(|index| Value::Int(index).into()).zip(items))
            }
            Value::Map(entries) => Box::new(
                entries.iter().map(|(key, value)| (Value::from(key.as_str()).into(), Operand::boxed(value.clone()))),
            ),
            other => {
                let text = Printer::new(MAX_BYTES).print(std::slice::from_ref(other)).unwrap_or_default();
                return self.fail(format!("range can't iterate over {text}"));
            }
        };
        let scope = self.variables.len();
        let mut has_run = false;
        let mut flow = Flow::Through;
        for (key, value) in turns {
            has_run = true;
            self.step(0)?;
            self.set_loop_variables(range, scope, key, &value)?;
            flow = self.walk_list(&value, &range.body)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        flow = match (has_run, flow) {
            (false, _) => self.walk_list(dot, &range.otherwise)?,
            // The loop has dealt with them.
            (true, _) => Flow::Through,
        };
        self.variables.truncate(variables);
        Ok(flow)
    }

    fn set_loop_variables(&mut self, range: &'t RangeLoop, scope: usize, key: Operand, value: &Operand) -> Ran<()> {
        let names = range.pipeline.variables.as_slice();
        let values = match names {
            [] => return Ok(()),
            [_] => vec![value.clone()],
            _ => vec![key, value.clone()],
        };
        for (index, (name, value)) in names.iter().zip(values).enumerate() {
            if range.pipeline.is_assignment {
                self.set_variable(name, value)?;
            } else {
                // The pipeline has just declared them, on top.
                self.variables[scope - names.len() + index].1 = value;
            }
        }
        Ok(())
    }

    fn walk_template(&mut self, dot: &Operand, call: &'t TemplateCall) -> Ran<()> {
        self.mark = Some(Mark::Template(call));
        let Some((name, nodes)) = self.trees.get_key_value(&call.name) else {
            return self.fail(format!("template {} not defined", quote::quote(&call.name)));
        };
        let argument = match &call.argument {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => Operand::NOTHING,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", argument.clone())]);
        let running = std::mem::replace(&mut self.running, name);
        self.walk_list(&argument, nodes)?;
        self.variables = outer;
        self.running = running;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_NESTING, NoFunctions, Template};
    use super::*;

    fn run(text: &str) -> Result<String, ExecError> {
        let template = Template::parse("root", text, &|_| false).expect("it parses");
        template.execute(&Value::Nil, &NoFunctions)
    }

    fn detail(text: &str) -> String {
        run(text).expect_err(text).detail.into()
    }

    #[test]
    fn errors_carry_the_place_to_underline() {
        let text = "é\n{{ len \"ab\" }} {{ print (len 3) }}";
        let error = run(text).expect_err("three has no length");
        assert_eq!(&text[error.span.clone()], "len 3");
        assert_eq!((error.line, error.column), (2, 25));
        assert_eq!(&*error.expression, "len 3");
    }

    #[test]
    fn endless_templates_end_with_an_error() {
        assert_eq!(
            detail("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}"),
            "exceeded maximum template depth (250)"
        );
        assert_eq!(detail("{{range 9000000000}}{{end}}"), "exceeded maximum number of steps (2000000)");
        assert_eq!(
            detail("{{$x := \"ab\"}}{{range 100}}{{$x = print $x $x}}{{end}}"),
            "error calling print: text is too long"
        );
        assert_eq!(
            detail("{{$x := printf \"%1000000d\" 1}}{{range 100}}{{$x}}{{end}}"),
            "output exceeds 16777216 bytes"
        );
        let wide = "%1000000d".repeat(20);
        assert_eq!(
            detail(&format!("{{{{printf \"{wide}\"{}}}}}", " 1".repeat(20))),
            "error calling printf: text is too long"
        );
        assert_eq!(
            detail("{{$x := printf \"%9000000d\" 1}}{{range 100000}}{{$y := eq $x $x}}{{end}}"),
            "exceeded maximum number of steps (2000000)"
        );
    }

    #[test]
    fn what_parses_runs_in_a_small_stack() {
        let parens = format!("{{{{{}print 1{}}}}}", "print (".repeat(MAX_NESTING), ")".repeat(MAX_NESTING));
        let blocks = format!("{}x{}", "{{with 1}}".repeat(MAX_NESTING), "{{end}}".repeat(MAX_NESTING));
        let recursion = "{{define \"a\"}}{{if 1}}{{with print (print (print 1))}}{{template \"a\"}}{{end}}{{end}}{{end}}\
                         {{template \"a\"}}";
        let run_all = move || {
            assert_eq!(run(&parens), Ok("1".into()));
            assert_eq!(run(&blocks), Ok("x".into()));
            assert!(run(recursion).is_err());
        };
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(run_all).expect("a thread starts");
        thread.join().expect("the stack suffices");
    }
}
