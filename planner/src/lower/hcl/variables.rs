//! The values of an HCL2 template's variables: defaults, environment, files and the command line.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::blocks::Ground;
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::expression::convert::convert;
use crate::expression::evaluate::evaluate;
use crate::expression::scope::{Callable, Host, Root, Scope};
use crate::expression::type_expression::{Constraint, constraint};
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::ast::Expression;
use crate::hcl::parse_expression;
use crate::span::{FileId, Sources, Span};
use crate::template::hcl::{HclTemplate, VariableDeclaration, VariableFile};

/// A text given for a variable on the command line or in the environment.
#[derive(Clone, Debug)]
pub struct GivenText {
    /// The variable's name.
    pub name: String,
    /// The text, as a file among the sources, so that problems in it can be shown.
    pub file: FileId,
}

/// Everything that gives values to variables, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// From `PKR_VAR_…`; names that are not declared mean nothing.
    pub environment: Vec<GivenText>,
    /// From files, in their order: those found beside the template, then those of `-var-file`.
    pub files: Vec<VariableFile>,
    /// From `-var`, in their order.
    pub arguments: Vec<GivenText>,
    /// Whether a name in a file that is not declared is worth a warning.
    pub warns_of_undeclared: bool,
}

/// Where a variable's final value came from, in the words of Packer's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Default,
    Environment,
    File,
    Argument,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "env",
            Self::File => "varfile",
            Self::Argument => "cmd",
        }
    }
}

/// The variables of a template with their values.
#[derive(Debug, Default)]
pub struct Variables {
    /// The values; a variable without one is unknown, of its type.
    pub values: BTreeMap<Arc<str>, Value>,
    /// The names of sensitive ones.
    pub sensitive: BTreeSet<String>,
    /// Those that nothing gives a value.
    unset: BTreeSet<String>,
    origins: BTreeMap<String, Origin>,
}

/// Works out the values of all variables.
///
/// What is only wrong once the values are used, unset variables and broken rules, is [`Variables::check`]'s.
pub fn resolve(
    template: &HclTemplate,
    given: &Given,
    sources: &Sources,
    ground: &Ground,
    problems: &mut Diagnostics,
) -> Variables {
    let mut resolver = Resolver { sources, ground, problems };
    let mut variables = Variables::default();
    let mut types = BTreeMap::new();
    for declaration in &template.variables {
        let kind = resolver.declare(declaration, &mut variables);
        types.insert(declaration.name.as_str(), kind);
    }
    for text in &given.environment {
        if let Some(kind) = types.get(text.name.as_str())
            && let Some(value) = resolver.text(text, kind, "invalid value for variable")
        {
            variables.set(&text.name, value, Origin::Environment);
        }
    }
    for file in &given.files {
        for (name, span, expression) in &file.values {
            let Some(kind) = types.get(name.as_str()) else {
                if given.warns_of_undeclared {
                    resolver.problems.push(undeclared(name, *span, types.keys().copied()));
                }
                continue;
            };
            let value = resolver.literal(expression, file.file, Callable::None);
            if let Some(value) = resolver.convert(name, value, kind, *span, "invalid value for variable") {
                variables.set(name, value, Origin::File);
            }
        }
    }
    for text in &given.arguments {
        let Some(kind) = types.get(text.name.as_str()) else {
            let mut problem = Diagnostic::error(
                "rpk::hcl::undefined_argument",
                format!("undefined -var variable: the template has no variable `{}`", text.name),
            );
            problem.help = Some(match closest(&text.name, types.keys().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("declare it with `variable \"{}\" {{}}`", text.name),
            });
            resolver.problems.push(problem);
            continue;
        };
        if let Some(value) = resolver.text(text, kind, "invalid argument value for -var variable") {
            variables.set(&text.name, value, Origin::Argument);
        }
    }
    variables
}

fn undeclared<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let help = match closest(name, known) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("declare it with `variable \"{name}\" {{}}`, or take it out"),
    };
    Diagnostic::warning("rpk::hcl::undefined_variable", format!("undefined variable `{name}`"))
        .at(span, "no such variable in the template")
        .help(help)
}

impl Variables {
    fn set(&mut self, name: &str, value: Value, origin: Origin) {
        self.unset.remove(name);
        self.origins.insert(name.to_owned(), origin);
        self.values.insert(Arc::from(name), value);
    }

    /// Says which variables have no value, and which break their rules.
    pub fn check(&self, template: &HclTemplate, ground: &Ground, problems: &mut Diagnostics) {
        for declaration in &template.variables {
            let name = &declaration.name;
            if self.unset.contains(name) {
                problems.push(
                    Diagnostic::error("rpk::hcl::unset_variable", format!("unset variable `{name}`"))
                        .at(declaration.span, "has neither a value nor a default")
                        .help(format!(
                            "give it with `-var {name}=…`, in a `.pkrvars.hcl` file, or as PKR_VAR_{name} in the \
                             environment"
                        )),
                );
                continue;
            }
            let Some(value) = self.values.get(name.as_str()) else { continue };
            let from = self.origins.get(name).map_or("default", |origin| origin.word());
            for rule in &declaration.validations {
                let usage = RefCell::default();
                let random = || ground.draw();
                // Paths in rules are relative to the working directory, as in Packer.
                let host = Host { template_directory: "", ..ground.host(&random, &usage) };
                let var = Value::object([(Arc::from(name.as_str()), value.clone())]);
                let scope = LiteralScope { var: Some(var), callable: Callable::All, host: &host };
                let errors = problems.errors_found();
                let result = evaluate(&rule.condition, declaration.file, &scope, problems);
                if problems.errors_found() > errors {
                    continue;
                }
                match convert(&result, &Type::Bool) {
                    Ok(Value::Bool(true) | Value::Unknown(_)) => {}
                    Ok(Value::Bool(false)) => problems.push(
                        Diagnostic::error(
                            "rpk::hcl::invalid_value",
                            format!("invalid value for {from} variable `{name}`: {}", rule.error_message),
                        )
                        .at(rule.span, "this rule is broken")
                        .at(declaration.span, "the variable"),
                    ),
                    _ => problems.push(
                        Diagnostic::error(
                            "rpk::hcl::validation_condition",
                            "invalid variable validation result: the condition must be true or false",
                        )
                        .at(rule.span, "gives something else"),
                    ),
                }
            }
        }
    }
}

/// What a variable's values must be.
enum Kind {
    /// A declared type.
    Declared(Constraint),
    /// The type of the default.
    OfDefault(Type),
    /// Anything.
    Any,
}

impl Kind {
    /// Tells whether a given text is the value itself, not an expression.
    fn takes_text(&self) -> bool {
        let kind = match self {
            Self::Declared(constraint) => &constraint.kind,
            Self::OfDefault(kind) => kind,
            Self::Any => return true,
        };
        matches!(kind, Type::String | Type::Number | Type::Dynamic)
    }
}

struct Resolver<'a> {
    sources: &'a Sources,
    ground: &'a Ground,
    problems: &'a mut Diagnostics,
}

impl Resolver<'_> {
    fn declare(&mut self, declaration: &VariableDeclaration, variables: &mut Variables) -> Kind {
        let name = &declaration.name;
        if declaration.is_sensitive {
            variables.sensitive.insert(name.clone());
        }
        let errors = self.problems.errors_found();
        let declared = declaration.kind.as_ref().and_then(|kind| constraint(kind, declaration.file, self.problems));
        let default = declaration
            .default
            .as_ref()
            .map(|default| (self.literal(default, declaration.file, Callable::EnvironmentOnly), default.span));
        let is_sound = self.problems.errors_found() == errors;
        let mut kind = match declared {
            Some(constraint) if constraint.kind != Type::Dynamic => Kind::Declared(constraint),
            _ => Kind::Any,
        };
        let Some((value, span)) = default else {
            variables.unset.insert(name.clone());
            let unknown = match &kind {
                Kind::Declared(constraint) => Value::Unknown(constraint.kind.clone()),
                _ => Value::DYNAMIC,
            };
            variables.values.insert(Arc::from(name.as_str()), unknown);
            return kind;
        };
        if !is_sound {
            variables.values.insert(Arc::from(name.as_str()), Value::DYNAMIC);
            return kind;
        }
        let value = match &kind {
            Kind::Declared(_) => {
                let span = crate::template::hcl::place(declaration.file, span);
                self.convert(name, value, &kind, span, "invalid default value for variable").unwrap_or(Value::DYNAMIC)
            }
            _ => {
                let imposes_nothing = match &value {
                    Value::Null(_) => true,
                    Value::Tuple(items) => items.is_empty(),
                    Value::Object(members) => members.is_empty(),
                    _ => false,
                };
                if !imposes_nothing {
                    kind = Kind::OfDefault(value.kind());
                }
                value
            }
        };
        variables.set(name, value, Origin::Default);
        kind
    }

    fn literal(&mut self, expression: &Expression, file: FileId, callable: Callable) -> Value {
        let usage = RefCell::default();
        let random = || self.ground.draw();
        let host = self.ground.host(&random, &usage);
        let scope = LiteralScope { var: None, callable, host: &host };
        evaluate(expression, file, &scope, self.problems)
    }

    fn text(&mut self, given: &GivenText, kind: &Kind, title: &str) -> Option<Value> {
        let text = &self.sources.file(given.file).text;
        let span = Span::new(given.file, 0, text.len());
        let value = if kind.takes_text() {
            Value::string(text)
        } else {
            let parsed = parse_expression(text);
            if !parsed.errors.is_empty() {
                for error in parsed.errors {
                    self.problems.push(error.diagnostic(given.file));
                }
                return None;
            }
            let errors = self.problems.errors_found();
            let value = self.literal(&parsed.tree, given.file, Callable::None);
            if self.problems.errors_found() > errors {
                return None;
            }
            value
        };
        self.convert(&given.name, value, kind, span, title)
    }

    fn convert(&mut self, name: &str, value: Value, kind: &Kind, span: Span, title: &str) -> Option<Value> {
        let converted = match kind {
            Kind::Any => return Some(value),
            Kind::Declared(constraint) => constraint.convert(&value),
            Kind::OfDefault(kind) => convert(&value, kind),
        };
        match converted {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(
                    Diagnostic::error("rpk::hcl::invalid_value", format!("{title} `{name}`: {error}"))
                        .at(span, "not of the variable's type"),
                );
                None
            }
        }
    }
}

/// A place in which next to nothing may be used.
struct LiteralScope<'a> {
    /// The one variable that a rule may use.
    var: Option<Value>,
    callable: Callable,
    host: &'a Host<'a>,
}

impl Scope for LiteralScope<'_> {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        let var = self.var.as_ref().filter(|_| name == "var")?;
        Some(Root::Value(var.clone()))
    }

    fn root_names(&self) -> Vec<&str> {
        self.var.iter().map(|_| "var").collect()
    }

    fn functions(&self) -> Callable {
        self.callable
    }

    fn host(&self) -> &Host<'_> {
        self.host
    }
}
