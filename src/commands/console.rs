//! `rpk console`

use std::io::{BufRead as _, IsTerminal as _};

use rpk_planner::lower::Console;
use rpk_planner::template::Template;

use crate::cli::ConsoleArguments;
use crate::exit::Exit;
use crate::report::{Screen, write_err, write_out};
use crate::{input, report};

const HELP: &str = "A line is rendered as a text of a template is, such as {{user `name`}} or {{upper `x`}}.\n\
                    `variables` lists the variables, `exit` ends.\n";

/// Renders lines with a template's variables. From a pipe, just the last line's result is printed, as Packer has it.
pub fn run(arguments: &ConsoleArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let has_template = arguments.template.template.is_some();
    let read = has_template.then(|| input::read(&arguments.template));
    if let Some(read) = &read {
        screen.diagnostics(&read.sources, &read.diagnostics);
        if read.diagnostics.has_errors() {
            return Exit::Failure;
        }
    }
    let read = read.unwrap_or_default();
    let template = read.template.clone().unwrap_or_else(Template::default);
    let inputs = read.inputs(&arguments.template, report::now_nanoseconds());
    let (console, problems) = Console::new(&template, &inputs);
    screen.diagnostics(&read.sources, &problems);

    let is_interactive = std::io::stdin().is_terminal();
    let mut last = String::new();
    if is_interactive {
        write_err("> ");
    }
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        last = match line.trim() {
            "exit" => break,
            "" => String::new(),
            "help" => HELP.to_owned(),
            "variables" => variables(&console),
            text => match console.evaluate(text) {
                Ok(result) => format!("{result}\n"),
                Err(reason) => {
                    screen.error(&reason, None);
                    String::new()
                }
            },
        };
        if is_interactive {
            write_out(&std::mem::take(&mut last));
            write_err("> ");
        }
    }
    write_out(&last);
    Exit::Success
}

fn variables(console: &Console) -> String {
    let mut out = String::new();
    for (name, variable) in console.variables() {
        let value = if variable.is_sensitive { "<sensitive>" } else { &variable.value };
        out.push_str(&format!("{name}: {value},\n"));
    }
    out
}
