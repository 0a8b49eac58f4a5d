//! `rpk console`

use std::io::{BufRead as _, IsTerminal as _};

use rpk_planner::lower::Console;
use rpk_planner::lower::hcl::{self, HclConsole};
use rpk_planner::template::Written;
use rpk_planner::template::hcl::HclTemplate;
use rpk_runtime::registry::Registry;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};

use crate::cli::{ConfigType, ConsoleArguments};
use crate::exit::Exit;
use crate::report::{Screen, write_out};
use crate::{input, report};

const LEGACY_HELP: &str = "A line is rendered as a text of a template is, such as {{user `name`}} or {{upper `x`}}.\n\
                           `variables` lists the variables, `exit` ends.\n";
const HCL_HELP: &str = "A line is an expression as templates have it, such as var.name or upper(\"x\").\n\
                        `variables` lists variables and local values, `exit` ends.\n";

/// Renders lines with a template's variables. From a pipe, just the last line's result is printed, as Packer has it.
pub fn run(arguments: &ConsoleArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let has_template = arguments.template.template.is_some();
    let mut read = has_template.then(|| input::read(&arguments.template));
    if let Some(read) = &mut read {
        read.check_variables(&arguments.template, report::now_nanoseconds());
        screen.diagnostics(&read.sources, &read.diagnostics);
        if read.diagnostics.has_errors() {
            return Exit::Failure;
        }
    }
    let mut read = read.unwrap_or_default();
    let written = match read.template.take() {
        Some(written) => written,
        None if arguments.template.config_type == Some(ConfigType::Hcl2) => Written::Hcl(HclTemplate::default()),
        None => Written::Legacy(Box::default()),
    };
    match written {
        Written::Legacy(template) => {
            let inputs = read.inputs(&arguments.template, report::now_nanoseconds());
            let (console, problems) = Console::new(&template, &inputs);
            screen.diagnostics(&read.sources, &problems);
            converse(LEGACY_HELP, &[], &|| legacy_variables(&console), &mut |line| {
                console.evaluate(line).map_err(|reason| screen.error(&reason, None))
            })
        }
        Written::Hcl(template) => {
            let inputs = read.hcl_inputs(&arguments.template, report::now_nanoseconds());
            // Problems beyond the form are for `validate`, as in Packer.
            let (evaluated, _) = hcl::evaluate(&template, &inputs, &Registry::default(), &read.sources);
            let console = HclConsole::new(&evaluated);
            let mut sources = read.sources;
            converse(HCL_HELP, &console.names(), &|| console.variables(), &mut |line| {
                console.evaluate(line, &mut sources).map_err(|problems| screen.diagnostics(&sources, &problems))
            })
        }
    }
}

type Evaluate<'a> = dyn FnMut(&str) -> Result<String, ()> + 'a;

/// Answers line after line.
fn converse(help: &str, names: &[String], variables: &dyn Fn() -> String, evaluate: &mut Evaluate<'_>) -> Exit {
    let mut answer = |line: &str| match line.trim() {
        "" => Ok("\n".to_owned()),
        "help" => Ok(help.to_owned()),
        "variables" => Ok(variables()),
        text => evaluate(text).map(|result| format!("{result}\n")),
    };
    if std::io::stdin().is_terminal() {
        return by_hand(names, &mut answer);
    }
    let mut last = Ok(String::new());
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        last = answer(&line);
    }
    match last {
        Ok(text) => {
            write_out(&text);
            Exit::Success
        }
        Err(()) => Exit::Failure,
    }
}

/// Answers a person, who has a history and completion.
fn by_hand(names: &[String], answer: &mut dyn FnMut(&str) -> Result<String, ()>) -> Exit {
    let Ok(mut editor) = Editor::<Names, DefaultHistory>::new() else { return Exit::Failure };
    editor.set_helper(Some(Names(names.to_vec())));
    while let Ok(line) = editor.readline("> ") {
        if line.trim() == "exit" {
            break;
        }
        let _ = editor.add_history_entry(&line);
        if let Ok(text) = answer(&line) {
            write_out(&text);
        }
    }
    Exit::Success
}

/// Completes the names that an expression can begin with.
struct Names(Vec<String>);

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..at];
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let start = before
            .rfind(|c| !is_part(c))
            .map_or(0, |found| found + before[found..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        Ok((start, self.0.iter().filter(|name| name.starts_with(word)).cloned().collect()))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Validator for Names {}

impl Helper for Names {}

fn legacy_variables(console: &Console) -> String {
    let mut out = String::new();
    for (name, variable) in console.variables() {
        let value = if variable.is_sensitive { "<sensitive>" } else { &variable.value };
        out.push_str(&format!("{name}: {value},\n"));
    }
    out
}
