//! The values of pipelines, commands and their operands.

use super::{Mark, Operand, Ran, Run};
use crate::gotemplate::ast::{Command, Pipeline, Term, TermKind};
use crate::gotemplate::number::Constant;
use crate::gotemplate::{MAX_BYTES, Parameter, Signature, Value, builtins, quote};

/// How a function is called: with which arguments, and what came through the pipe.
struct Invocation<'t> {
    arguments: &'t [Term],
    piped: Option<Operand>,
    /// What an error of the function itself is pinned to.
    mark: Mark<'t>,
}

impl<'t> Run<'t> {
    /// Returns the value of a pipeline, and gives it to the variables that the pipeline names.
    pub(super) fn pipeline(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Ran<Operand> {
        self.mark = Some(Mark::Pipeline(pipeline));
        let mut result = None;
        for command in &pipeline.commands {
            let value = self.command(dot, command, result)?.value;
            result = Some(Operand::from(value));
        }
        let result = result.unwrap_or(Operand::NOTHING);
        for name in &pipeline.variables {
            if pipeline.is_assignment {
                self.set_variable(name, result.clone())?;
            } else {
                self.variables.push((name, result.clone()));
            }
        }
        Ok(result)
    }

    /// Finds the innermost variable of that name.
    fn variable_index(&mut self, name: &str) -> Ran<usize> {
        let Some(index) = self.variables.iter().rposition(|(known, _)| *known == name) else {
            return self.fail(format!("undefined variable: {name}"));
        };
        // The search takes time, too.
        self.step(self.variables.len() - index)?;
        Ok(index)
    }

    fn variable(&mut self, name: &str) -> Ran<Operand> {
        let index = self.variable_index(name)?;
        Ok(self.variables[index].1.clone())
    }

    pub(super) fn set_variable(&mut self, name: &str, value: Operand) -> Ran<()> {
        let index = self.variable_index(name)?;
        self.variables[index].1 = value;
        Ok(())
    }

    fn command(&mut self, dot: &Operand, command: &'t Command, piped: Option<Operand>) -> Ran<Operand> {
        self.step(0)?;
        let first = &command.first;
        let has_arguments = !command.arguments.is_empty() || piped.is_some();
        if let TermKind::Function(name) = &first.kind {
            self.mark = Some(Mark::Term(first));
            let invocation = Invocation { arguments: &command.arguments, piped, mark: Mark::Command(command) };
            return self.function(dot, name, invocation);
        }
        // Go looks for arguments before it turns to a parenthesized pipeline, and so at the mark before it.
        if !matches!(first.kind, TermKind::Pipeline(_)) {
            self.mark = Some(Mark::Term(first));
        }
        match &first.kind {
            TermKind::Field(fields) => return self.fields(dot.clone(), fields, has_arguments),
            TermKind::Chain(inner, fields) => {
                let receiver = self.chain_receiver(dot, inner)?;
                return self.fields(receiver, fields, has_arguments);
            }
            TermKind::Variable(name, fields) => {
                let receiver = self.variable(name)?;
                if !fields.is_empty() || !has_arguments {
                    return self.fields(receiver, fields, has_arguments);
                }
            }
            _ => {}
        }
        match &first.kind {
            _ if has_arguments => self.fail(format!("can't give argument to non-function {first}")),
            TermKind::Pipeline(pipeline) => self.nested(|run| run.pipeline(dot, pipeline)),
            TermKind::Dot => Ok(dot.clone()),
            TermKind::Nil => self.fail("nil is not a command"),
            _ => self.literal(first),
        }
    }

    /// Returns the value of a literal where no type is asked for.
    fn literal(&self, term: &Term) -> Ran<Operand> {
        let value = match &term.kind {
            TermKind::Bool(value) => Value::Bool(*value),
            TermKind::String { text, .. } => Value::String(text.clone()),
            TermKind::Number(number) => match number.constant {
                Constant::Int(value) => Value::Int(value),
                Constant::Float(value) => Value::Float(value),
                Constant::Overflow => return self.fail(format!("{} overflows int", number.text)),
            },
            _ => {
                return self.fail(format!("can't evaluate command {}", quote::quote(&term.to_string())));
            }
        };
        Ok(value.into())
    }

    fn chain_receiver(&mut self, dot: &Operand, inner: &'t Term) -> Ran<Operand> {
        self.mark = Some(Mark::Term(inner));
        match &inner.kind {
            TermKind::Pipeline(pipeline) => self.nested(|run| run.pipeline(dot, pipeline)),
            TermKind::Function(name) => {
                self.function(dot, name, Invocation { arguments: &[], piped: None, mark: Mark::Term(inner) })
            }
            _ => self.literal(inner),
        }
    }

    /// Follows `fields` from `receiver`.
    fn fields(&mut self, mut receiver: Operand, fields: &[String], has_arguments: bool) -> Ran<Operand> {
        for (index, field) in fields.iter().enumerate() {
            let is_last = index + 1 == fields.len();
            receiver = match &receiver.value {
                Value::Nil if receiver.boxed => {
                    return self.fail(format!("nil pointer evaluating interface {{}}.{field}"));
                }
                Value::Nil => Operand::NOTHING,
                Value::Map(_) if is_last && has_arguments => {
                    return self.fail(format!("{field} is not a method but has arguments"));
                }
                Value::Map(entries) => {
                    entries.get(field).map_or(Operand::NOTHING, |value| Operand::boxed(value.clone()))
                }
                _ => {
                    let kind = receiver.type_name();
                    return self.fail(format!("can't evaluate field {field} in type {kind}"));
                }
            };
        }
        Ok(receiver)
    }

    fn function(&mut self, dot: &Operand, name: &str, invocation: Invocation<'t>) -> Ran<Operand> {
        let own = self.functions.signature(name);
        let Some(signature) = own.or_else(|| builtins::signature(name)) else {
            return self.fail(format!("{} is not a defined function", quote::quote(name)));
        };
        let Invocation { arguments, piped, mark } = invocation;
        let given = arguments.len() + usize::from(piped.is_some());
        let wanted = signature.fixed.len();
        if signature.variadic.is_some() && given < wanted {
            let given = arguments.len();
            return self.fail(format!("wrong number of args for {name}: want at least {wanted} got {given}"));
        }
        if signature.variadic.is_none() && given != wanted {
            return self.fail(format!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        if own.is_none() && matches!(name, "and" | "or") {
            return self.and_or(dot, name == "or", arguments, piped);
        }
        let values = self.arguments(dot, signature, arguments, piped)?;
        let size = |operand: &Operand| operand.value.as_str().map_or(0, str::len);
        self.step(values.iter().map(size).sum())?;
        let result = if own.is_some() {
            let values: Vec<Value> = values.into_iter().map(|operand| operand.value).collect();
            self.functions.call(name, &values).map(Operand::from)
        } else {
            let callee = arguments.first().map_or_else(|| quote_piped(&values), ToString::to_string);
            builtins::call(name, &values, &callee, MAX_BYTES - self.made.min(MAX_BYTES))
        };
        match result {
            Ok(result) => {
                self.made = self.made.saturating_add(size(&result));
                if self.made > MAX_BYTES {
                    self.mark = Some(mark);
                    return self.fail(format!("error calling {name}: functions made more than {MAX_BYTES} bytes"));
                }
                Ok(result)
            }
            Err(message) => {
                self.mark = Some(mark);
                self.fail(format!("error calling {name}: {message}"))
            }
        }
    }

    /// Runs `and` or `or`: the first argument that settles the matter is the result, else the last.
    fn and_or(&mut self, dot: &Operand, is_or: bool, terms: &'t [Term], piped: Option<Operand>) -> Ran<Operand> {
        let mut result = Operand::NOTHING;
        for term in terms {
            result = self.argument(dot, Parameter::Any, term)?;
            if result.value.is_true() == is_or {
                return Ok(result);
            }
        }
        Ok(piped.unwrap_or(result))
    }

    fn arguments(
        &mut self,
        dot: &Operand,
        signature: Signature,
        terms: &'t [Term],
        piped: Option<Operand>,
    ) -> Ran<Vec<Operand>> {
        let parameter = |index: usize| signature.fixed.get(index).copied().or(signature.variadic);
        let mut values = Vec::with_capacity(terms.len() + 1);
        for term in terms {
            let wanted = parameter(values.len()).unwrap_or(Parameter::Any);
            values.push(self.argument(dot, wanted, term)?);
        }
        if let Some(piped) = piped {
            let wanted = parameter(values.len()).unwrap_or(Parameter::Any);
            values.push(self.validate(piped, wanted)?);
        }
        Ok(values)
    }

    fn argument(&mut self, dot: &Operand, wanted: Parameter, term: &'t Term) -> Ran<Operand> {
        self.mark = Some(Mark::Term(term));
        let value = match &term.kind {
            TermKind::Dot => dot.clone(),
            TermKind::Nil if wanted == Parameter::Any => return Ok(Operand::NOTHING),
            TermKind::Nil => return self.fail(format!("cannot assign nil to {}", type_of(wanted))),
            TermKind::Field(fields) => self.fields(dot.clone(), fields, false)?,
            TermKind::Variable(name, fields) => {
                let receiver = self.variable(name)?;
                self.fields(receiver, fields, false)?
            }
            TermKind::Pipeline(pipeline) => self.nested(|run| run.pipeline(dot, pipeline))?,
            TermKind::Function(name) => {
                self.function(dot, name, Invocation { arguments: &[], piped: None, mark: Mark::Term(term) })?
            }
            TermKind::Chain(inner, fields) => {
                let receiver = self.chain_receiver(dot, inner)?;
                self.fields(receiver, fields, false)?
            }
            TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {
                return self.literal_argument(wanted, term);
            }
        };
        self.validate(value, wanted)
    }

    fn literal_argument(&self, wanted: Parameter, term: &Term) -> Ran<Operand> {
        match (wanted, &term.kind) {
            (Parameter::Any, _) | (Parameter::String, TermKind::String { .. }) => self.literal(term),
            (Parameter::String, _) => self.fail(format!("expected string; found {term}")),
            (Parameter::Int, TermKind::Number(number)) if number.int.is_some() => {
                Ok(number.int.map_or(Value::Nil, Value::Int).into())
            }
            (Parameter::Int, _) => self.fail(format!("expected integer; found {term}")),
        }
    }

    /// Checks that a value is what a parameter wants.
    fn validate(&self, operand: Operand, wanted: Parameter) -> Ran<Operand> {
        match (wanted, &operand.value) {
            (Parameter::Any, _) | (Parameter::String, Value::String(_)) | (Parameter::Int, Value::Int(_)) => {
                Ok(operand)
            }
            (_, Value::Nil) if !operand.boxed => self.fail(format!("invalid value; expected {}", type_of(wanted))),
            (_, value) => {
                let found = if *value == Value::Nil { operand.type_name() } else { value.type_name() };
                self.fail(format!("wrong type for value; expected {}; got {found}", type_of(wanted)))
            }
        }
    }
}

fn type_of(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::String => "string",
        Parameter::Int => "int",
        Parameter::Any => "interface {}",
    }
}

/// Names a callee that came through the pipe, the way Go's `reflect.Value` prints.
fn quote_piped(values: &[Operand]) -> String {
    match values.first().map(|operand| &operand.value) {
        Some(Value::String(text)) => text.as_ref().to_owned(),
        Some(other) => format!("<{} Value>", other.type_name()),
        None => String::new(),
    }
}
