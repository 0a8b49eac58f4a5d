//! Texts with `{{ … }}` into texts with `${ … }`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::gotemplate::{Application, Argument, Piece, Template as GoTemplate};
use crate::template::Template;

/// Turns texts of one template.
pub(super) struct Texts {
    declared: BTreeSet<String>,
    /// Variables that HCL2 has as local values, since their defaults ask for more than the environment.
    locals: BTreeSet<String>,
    /// Variables that are used and nowhere declared.
    pub undeclared: RefCell<BTreeSet<String>>,
    /// What could not be turned.
    pub notes: RefCell<Vec<String>>,
}

impl Texts {
    pub fn new(template: &Template) -> Self {
        let declared = template.variables.iter().map(|variable| variable.name.clone()).collect();
        let is_worked_out = |default: &str| {
            let pieces = parse(default).and_then(|parsed| parsed.outline());
            pieces.is_none_or(|pieces| {
                pieces.iter().any(|piece| match piece {
                    Piece::Text(_) => false,
                    Piece::Call(call) => call.function != "env",
                    Piece::Other(_) => true,
                })
            })
        };
        let locals = template
            .variables
            .iter()
            .filter(|variable| variable.default.as_deref().is_some_and(is_worked_out))
            .map(|variable| variable.name.clone())
            .collect();
        Self { declared, locals, undeclared: RefCell::default(), notes: RefCell::default() }
    }

    pub fn is_local(&self, name: &str) -> bool {
        self.locals.contains(name)
    }

    /// Turns a text into an expression: a quoted template.
    pub fn convert(&self, text: &str) -> String {
        let Some(pieces) = parse(text).and_then(|parsed| parsed.outline()) else {
            if text.contains("{{") {
                self.note(format!("this text has loops or conditions and stays as it is: {text}"));
            }
            return literal(text);
        };
        let mut out = String::from("\"");
        for piece in &pieces {
            match piece {
                Piece::Text(text) => out.push_str(&escaped(text)),
                Piece::Other(text) => out.push_str(&escaped(text)),
                Piece::Call(call) => match self.call(call) {
                    Some(expression) => {
                        out.push_str("${");
                        out.push_str(&expression);
                        out.push('}');
                    }
                    None => out.push_str(&escaped(&rewritten(call))),
                },
            }
        }
        out.push('"');
        out
    }

    fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Turns a call into an expression; none if HCL2 has nothing like it, or the old form still works.
    fn call(&self, call: &Application) -> Option<String> {
        let argument = |index: usize| call.arguments.get(index).and_then(|argument| self.argument(argument));
        let text = |index: usize| match call.arguments.get(index) {
            Some(Argument::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let has_calls = call.arguments.iter().any(|argument| matches!(argument, Argument::Call(_)));
        Some(match call.function.as_str() {
            "user" => {
                let name = text(0)?;
                if self.is_local(name) {
                    format!("local.{name}")
                } else {
                    if !self.declared.contains(name) {
                        self.undeclared.borrow_mut().insert(name.to_owned());
                    }
                    format!("var.{name}")
                }
            }
            "env" => format!("env({})", argument(0)?),
            // Components render it in HCL2 as well, and no function of HCL2 gives the same.
            "timestamp" => return None,
            "isotime" => format!("legacy_isotime({})", argument(0).unwrap_or_default()),
            "strftime" => format!("legacy_strftime({})", argument(0).unwrap_or_default()),
            "build" => format!("build.{}", text(0)?),
            "build_name" => "source.name".to_owned(),
            "build_type" => "source.type".to_owned(),
            "template_dir" => "path.root".to_owned(),
            "pwd" => "path.cwd".to_owned(),
            "packer_version" => "packer.version".to_owned(),
            "uuid" => "uuidv4()".to_owned(),
            "consul_key" => format!("consul_key({})", argument(0)?),
            "vault" => format!("vault({}, {})", argument(0)?, argument(1)?),
            "aws_secretsmanager" => {
                format!("aws_secretsmanager({}, {})", argument(0)?, argument(1).unwrap_or_else(|| "null".to_owned()))
            }
            "aws_secretsmanager_raw" => format!("aws_secretsmanager_raw({})", argument(0)?),
            // With plain arguments the old form works in HCL2 as well.
            _ if !has_calls => return None,
            function @ ("upper" | "lower") => format!("{function}({})", argument(0)?),
            "replace_all" => format!("replace({}, {}, {})", argument(2)?, argument(0)?, argument(1)?),
            "split" => format!("split({}, {})[{}]", argument(1)?, argument(0)?, argument(2)?),
            function => {
                self.note(format!("there is no function for `{function}` in HCL2: {}", rewritten(call)));
                return None;
            }
        })
    }

    fn argument(&self, argument: &Argument) -> Option<String> {
        match argument {
            Argument::Text(text) => Some(literal(text)),
            Argument::Number(text) => Some(text.clone()),
            Argument::Call(call) => self.call(call),
        }
    }
}

fn parse(text: &str) -> Option<GoTemplate> {
    GoTemplate::parse("root", text, &|_| true).ok()
}

/// Writes a call in the old form again.
fn rewritten(call: &Application) -> String {
    fn inner(call: &Application) -> String {
        let mut out = call.function.clone();
        for argument in &call.arguments {
            match argument {
                Argument::Text(text) if !text.contains('`') => out.push_str(&format!(" `{text}`")),
                Argument::Text(text) => out.push_str(&format!(" {}", crate::gotemplate::quote::quote(text))),
                Argument::Number(text) => out.push_str(&format!(" {text}")),
                Argument::Call(call) => out.push_str(&format!(" ({})", inner(call))),
            }
        }
        out
    }
    format!("{{{{ {} }}}}", inner(call))
}

/// Writes a text as a constant.
pub(super) fn literal(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Escapes a text for a place between double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if text[at + 1..].starts_with('{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_become_expressions() {
        let texts = Texts::new(&Template::default());
        for (text, expected) in [
            ("plain ${HOME} %{x}", r#""plain $${HOME} %%{x}""#),
            ("a {{user `x`}} b", r#""a ${var.x} b""#),
            ("{{ user `x` | upper }}", r#""${upper(var.x)}""#),
            ("{{isotime \"2006\"}}", r#""${legacy_isotime("2006")}""#),
            ("{{build `ID`}}{{.Path}}", r#""${build.ID}{{.Path}}""#),
            ("{{ upper `x` }}", r#""{{ upper `x` }}""#),
            ("say \"hi\"\\n", r#""say \"hi\"\\n""#),
        ] {
            assert_eq!(texts.convert(text), expected, "{text}");
        }
    }
}
