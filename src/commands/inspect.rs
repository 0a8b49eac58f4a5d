//! `rpk inspect`

use rpk_planner::inspect;

use crate::cli::InspectArguments;
use crate::exit::Exit;
use crate::input;
use crate::report::{Screen, machine, write_out};

/// Prints what a template consists of; nothing is rendered or checked beyond its form.
pub fn run(arguments: &InspectArguments) -> Exit {
    let read = input::read(&arguments.template);
    let screen = Screen::new(&arguments.output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(template) = read.template.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    if arguments.output.machine_readable {
        for (kind, data) in inspect::machine(&template) {
            let data: Vec<&str> = data.iter().map(String::as_str).collect();
            write_out(&machine::line("", kind, &data));
        }
        for line in inspect::text(&template).lines() {
            write_out(&machine::line("", "ui", &["say", line]));
        }
    } else {
        write_out(&inspect::text(&template));
    }
    Exit::Success
}
