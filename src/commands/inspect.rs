//! `rpk inspect`

use rpk_planner::inspect;
use rpk_planner::lower::hcl;
use rpk_planner::template::Written;
use rpk_runtime::registry::Registry;

use crate::cli::InspectArguments;
use crate::exit::Exit;
use crate::report::{Screen, machine, write_out};
use crate::{input, report};

/// Prints what a template consists of; nothing is rendered or checked beyond its form.
pub fn run(arguments: &InspectArguments) -> Exit {
    let mut read = input::read(&arguments.template);
    read.check_variables(&arguments.template, report::now_nanoseconds());
    let screen = Screen::new(&arguments.output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    if read.diagnostics.has_errors() {
        return Exit::Failure;
    }
    let text = match &read.template {
        None => return Exit::Failure,
        Some(Written::Legacy(template)) => {
            if arguments.output.machine_readable {
                for (kind, data) in inspect::machine(template) {
                    let data: Vec<&str> = data.iter().map(String::as_str).collect();
                    write_out(&machine::line("", kind, &data));
                }
            }
            inspect::text(template)
        }
        Some(Written::Hcl(template)) => {
            let inputs = read.hcl_inputs(&arguments.template, report::now_nanoseconds());
            // Problems beyond the form are for `validate`, as in Packer.
            let (evaluated, _) = hcl::evaluate(template, &inputs, &Registry::default(), &read.sources);
            hcl::inspect(&evaluated)
        }
    };
    if arguments.output.machine_readable {
        for line in text.lines() {
            write_out(&machine::line("", "ui", &["say", line]));
        }
    } else {
        write_out(&text);
    }
    Exit::Success
}
