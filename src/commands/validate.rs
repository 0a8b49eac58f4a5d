//! `rpk validate`

use rpk_planner::diagnostic::Severity;
use serde_json::json;

use crate::cli::{Format, ValidateArguments};
use crate::exit::Exit;
use crate::report::{Screen, diagnostic, machine, write_out};
use crate::{input, plugins, report};

/// Checks a template and prints what is wrong with it.
pub fn run(arguments: &ValidateArguments) -> Exit {
    let mut read = input::read(&arguments.template);
    let screen = Screen::new(&arguments.output);
    screen.note(read.note.as_deref());
    read.warn_of_undeclared(!arguments.no_warn_undeclared_var);
    let valid = if arguments.syntax_only {
        read.check_variables(&arguments.template, report::now_nanoseconds());
        "Syntax-only check passed. Everything looks okay."
    } else {
        if arguments.evaluate_datasources {
            read.ask_data_sources();
        }
        let registry = plugins::registry(&mut read, &arguments.template, plugins::Conduct::default());
        read.lower(&arguments.template, &registry, report::now_nanoseconds());
        if arguments.evaluate_datasources {
            read.report_unasked(true);
        }
        "The configuration is valid."
    };
    if arguments.format == Format::Json {
        let diagnostics: Vec<_> = read.diagnostics.iter().map(|found| diagnostic::json(&read.sources, found)).collect();
        let is_valid = !read.diagnostics.has_errors();
        let report = json!({ "format_version": "1.0", "valid": is_valid, "diagnostics": diagnostics });
        write_out(&format!("{report:#}\n"));
        return if is_valid { Exit::Success } else { Exit::Failure };
    }
    screen.diagnostics_from(Severity::Advice, &read.sources, &read.diagnostics);
    if read.diagnostics.has_errors() {
        return Exit::Failure;
    }
    if arguments.output.machine_readable {
        write_out(&machine::line("", "ui", &["say", valid]));
    } else {
        write_out(&format!("{valid}\n"));
    }
    Exit::Success
}
