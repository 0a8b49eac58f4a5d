//! Calls of functions, and the functions that take their arguments unevaluated: `can`, `convert`, `templatefile`, `try`.

use std::sync::Arc;

use super::{Evaluator, Overlay};
use crate::diagnostic::{Diagnostic, closest};
use crate::expression::convert::convert;
use crate::expression::functions::{self, CallError};
use crate::expression::scope::Callable;
use crate::expression::type_expression::constraint;
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::ast::{Call, Expression};
use crate::hcl::{parse_template, relocate};

/// The functions of this file.
const OWN: [&str; 4] = ["can", "convert", "templatefile", "try"];

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: crate::hcl::Span) -> Value {
        let name = call.name.text.as_str();
        let callable = self.scope.map_or(Callable::None, |scope| scope.functions());
        let is_callable = match callable {
            Callable::All => name != "env",
            Callable::EnvironmentOnly => name == "env",
            Callable::None => false,
        };
        let is_hidden = name == "templatefile" && self.is_inside_template_file();
        let known = is_callable && !is_hidden && (OWN.contains(&name) || functions::find(name).is_some());
        if !known {
            return self.unknown_function(call, callable);
        }
        match name {
            "try" => self.attempt(call, span),
            "can" => self.can(call, span),
            "convert" => self.conversion(call, span),
            _ => {
                let errors = self.problems.errors_found();
                let Some(arguments) = self.arguments(call) else { return Value::DYNAMIC };
                if self.problems.errors_found() > errors {
                    return Value::DYNAMIC;
                }
                if name == "templatefile" {
                    return self.template_file(call, &arguments, span);
                }
                self.ordinary(call, &arguments, span)
            }
        }
    }

    fn unknown_function(&mut self, call: &Call, callable: Callable) -> Value {
        let name = call.name.text.as_str();
        let place = self.place(call.name.span);
        let (message, help) = match callable {
            Callable::All => {
                let names: Vec<&str> = functions::names().chain(OWN).filter(|known| *known != "env").collect();
                let help = match (name, closest(name, names)) {
                    ("env", _) => Some("use `env` in the default of a variable, and that variable here".to_owned()),
                    ("tostring" | "tonumber" | "tobool" | "tolist" | "toset" | "tomap", _) => {
                        Some("use `convert(value, TYPE)`".to_owned())
                    }
                    (_, close) => close.map(|close| format!("did you mean `{close}`?")),
                };
                (format!("call to unknown function: there is no function named `{name}`"), help)
            }
            Callable::EnvironmentOnly => (
                format!("call to unknown function: `{name}` cannot be called here"),
                Some("the default of a variable may call `env` alone; use a `local` for more".to_owned()),
            ),
            Callable::None => (
                format!("function calls not allowed: `{name}` cannot be called here"),
                Some("write the value out".to_owned()),
            ),
        };
        let mut problem = Diagnostic::error("rpk::hcl::unknown_function", message).at(place, "not a function");
        problem.help = help;
        self.problems.push(problem);
        Value::DYNAMIC
    }

    /// Evaluates the arguments; the last one is spread if the call says so. None if that one is unknown or wrong.
    fn arguments(&mut self, call: &Call) -> Option<Vec<Value>> {
        let mut values: Vec<Value> = call.arguments.iter().map(|argument| self.expression(argument)).collect();
        if !call.spreads_last {
            return Some(values);
        }
        let last = values.pop()?;
        match &last {
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => values.extend(items.iter().cloned()),
            Value::Unknown(Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => return None,
            other => {
                let span = call.arguments.last().map_or(call.name.span, |argument| argument.span);
                let message = if other.is_null() {
                    "invalid expanding argument value: it is null"
                } else {
                    "invalid expanding argument value: only a list, a set or a tuple can be spread"
                };
                self.fail("rpk::hcl::expanding_argument", message, span, "cannot be spread");
                return None;
            }
        }
        Some(values)
    }

    fn ordinary(&mut self, call: &Call, arguments: &[Value], span: crate::hcl::Span) -> Value {
        let (Some(scope), Some(function)) = (self.scope, functions::find(&call.name.text)) else {
            return Value::DYNAMIC;
        };
        let name = &call.name.text;
        match function.call(arguments, scope.host()) {
            Ok(value) => value,
            Err(CallError::TooFew { parameter }) => self.fail(
                "rpk::hcl::argument_count",
                format!("not enough function arguments: `{name}` needs one for \"{parameter}\""),
                span,
                &format!("{} given", arguments.len()),
            ),
            Err(CallError::TooMany { limit }) => self.fail(
                "rpk::hcl::argument_count",
                format!("too many function arguments: `{name}` takes {limit}"),
                span,
                &format!("{} given", arguments.len()),
            ),
            Err(CallError::Argument { index, parameter, message }) => {
                let at = call.arguments.get(index).or(call.arguments.last()).map_or(span, |argument| argument.span);
                self.fail(
                    "rpk::hcl::invalid_argument",
                    format!(
                        "invalid function argument: invalid value for \"{parameter}\" parameter of `{name}`: {message}"
                    ),
                    at,
                    "this argument",
                )
            }
            Err(CallError::Failed { message }) => self.fail(
                "rpk::hcl::function_failed",
                format!("error in function call: call to function `{name}` failed: {message}"),
                span,
                "this call",
            ),
        }
    }

    fn attempt(&mut self, call: &Call, span: crate::hcl::Span) -> Value {
        let mut reasons = Vec::new();
        for argument in &call.arguments {
            let (value, problems) = self.aside(|side| side.expression(argument));
            if problems.has_errors() {
                reasons.extend(problems.iter().map(|problem| problem.message.clone()));
                continue;
            }
            return if value.is_wholly_known() { value } else { Value::DYNAMIC };
        }
        let message = match reasons.as_slice() {
            [] => "error in function call: `try` needs at least one argument".to_owned(),
            reasons => format!("error in function call: no expression of `try` succeeded: {}", reasons.join("; ")),
        };
        self.fail("rpk::hcl::function_failed", message, span, "this call")
    }

    fn can(&mut self, call: &Call, span: crate::hcl::Span) -> Value {
        let Some(argument) = self.single(call, span) else { return Value::DYNAMIC };
        let (value, problems) = self.aside(|side| side.expression(argument));
        if problems.has_errors() {
            return Value::Bool(false);
        }
        if value.is_wholly_known() { Value::Bool(true) } else { Value::Unknown(Type::Bool) }
    }

    fn single<'e>(&mut self, call: &'e Call, span: crate::hcl::Span) -> Option<&'e Expression> {
        match call.arguments.as_slice() {
            [one] => Some(one),
            arguments => {
                let message = format!("wrong number of function arguments: `{}` takes one", call.name.text);
                self.fail("rpk::hcl::argument_count", message, span, &format!("{} given", arguments.len()));
                None
            }
        }
    }

    fn conversion(&mut self, call: &Call, span: crate::hcl::Span) -> Value {
        let [value, kind] = call.arguments.as_slice() else {
            let given = format!("{} given", call.arguments.len());
            let message = "wrong number of function arguments: `convert` takes a value and a type";
            return self.fail("rpk::hcl::argument_count", message, span, &given);
        };
        let errors = self.problems.errors_found();
        let result = self.expression(value);
        let (file, problems) = (self.file, &mut *self.problems);
        let Some(kind) = constraint(kind, file, problems) else { return Value::DYNAMIC };
        if self.problems.errors_found() > errors {
            return Value::DYNAMIC;
        }
        // `optional` is read and means nothing here: the attribute is needed all the same.
        let wanted = crate::expression::convert::without_optional(&kind.kind);
        convert(&result, &wanted).unwrap_or_else(|error| {
            let message = format!("error in function call: call to function `convert` failed: {error}");
            self.fail("rpk::hcl::function_failed", message, value.span, "cannot be converted")
        })
    }

    /// Inside a template file there is no `templatefile`, so that files cannot go in circles.
    fn is_inside_template_file(&self) -> bool {
        self.scope.is_some_and(|scope| scope.root(INSIDE).is_some())
    }

    fn template_file(&mut self, call: &Call, arguments: &[Value], span: crate::hcl::Span) -> Value {
        let Some(scope) = self.scope else { return Value::DYNAMIC };
        let (path, vars) = match arguments {
            [path, vars] => (path, vars),
            _ => {
                let message = "wrong number of function arguments: `templatefile` takes a path and variables";
                return self.fail("rpk::hcl::argument_count", message, span, &format!("{} given", arguments.len()));
            }
        };
        if !path.is_known() || !vars.is_known() {
            return Value::DYNAMIC;
        }
        let Ok(Value::String(path)) = convert(path, &Type::String) else {
            return self.fail(
                "rpk::hcl::invalid_argument",
                "invalid function argument: invalid value for \"path\" parameter of `templatefile`: string required",
                call.arguments.first().map_or(span, |argument| argument.span),
                "this argument",
            );
        };
        let Some(members) = vars.members() else {
            return self.fail(
                "rpk::hcl::invalid_argument",
                "invalid function argument: invalid value for \"vars\" parameter of `templatefile`: must be a map",
                call.arguments.last().map_or(span, |argument| argument.span),
                "this argument",
            );
        };
        let text = match functions::read_text(&path, scope.host()) {
            Ok(text) => text,
            Err(message) => {
                let message = format!("error in function call: call to function `templatefile` failed: {message}");
                return self.fail("rpk::hcl::function_failed", message, span, "this call");
            }
        };
        let parsed = parse_template(&text);
        if let Some(error) = parsed.errors.first() {
            let line = text[..(error.span.start as usize).min(text.len())].matches('\n').count() + 1;
            let message = format!("error in function call: {path} line {line}: {}", error.message);
            return self.fail("rpk::hcl::function_failed", message, span, "this call");
        }
        let mut tree = parsed.tree;
        // What is wrong in the file is shown at the call: the file is no part of the template.
        relocate(&mut tree, &|_| span);
        let mut names: Vec<(Arc<str>, Value)> =
            members.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        names.push((Arc::from(INSIDE), Value::Bool(true)));
        let overlay = Overlay { below: None, names, host: scope.host() };
        self.within(&overlay, |side| side.expression(&tree))
    }
}

/// No name that a template can write.
const INSIDE: &str = "<templatefile>";
