//! `rpk fix`

use rpk_planner::diagnostic::Diagnostic;
use rpk_planner::fix::{fix, print};
use rpk_planner::lower;
use rpk_planner::span::Sources;
use rpk_planner::template::json;
use serde_json::Value;

use crate::cli::FixArguments;
use crate::exit::Exit;
use crate::input;
use crate::report::{Screen, write_out};

/// Prints a template with its outdated parts rewritten, and checks the result.
pub fn run(arguments: &FixArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let name = arguments.template.display().to_string();
    if arguments.template.is_dir() || input::is_hcl(&arguments.template) {
        screen.error(&format!("{name} is no JSON template; only these are fixed"), Some("name a legacy JSON template"));
        return Exit::Failure;
    }
    let bytes = match std::fs::read(&arguments.template) {
        Ok(bytes) => bytes,
        Err(error) => {
            screen.error(&format!("cannot read template {name}: {error}"), None);
            return Exit::Failure;
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let value = match serde_json::Deserializer::from_str(&text).into_iter::<Value>().next() {
        Some(Ok(value)) => value,
        // The planner's reader says the same with the place and the text.
        Some(Err(error)) => return refuse(&screen, &name, &text, &error.to_string()),
        None => return refuse(&screen, &name, &text, "the file is empty"),
    };
    let fixed = match fix(value) {
        Ok(fixed) => fixed,
        Err(error) => {
            screen.error(&format!("{name} cannot be fixed: {error}"), None);
            return Exit::Failure;
        }
    };
    let printed = print(&fixed.template);
    write_out(&printed);
    if !arguments.validate {
        return Exit::Success;
    }
    let mut sources = Sources::default();
    let file = sources.add(format!("{name}, fixed"), printed);
    let (template, mut problems) = json::read(&sources, file);
    if let Some(template) = template.filter(|_| !problems.has_errors()) {
        problems.extend(lower::check(&template));
    }
    screen.diagnostics(&sources, &problems);
    if problems.has_errors() { Exit::Failure } else { Exit::Success }
}

/// Shows why a text is no JSON.
fn refuse(screen: &Screen, name: &str, text: &str, reason: &str) -> Exit {
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (_, mut problems) = json::read(&sources, file);
    if !problems.has_errors() {
        problems.push(Diagnostic::error("rpk::fix::syntax", format!("{name} is no JSON: {reason}")));
    }
    screen.diagnostics(&sources, &problems);
    Exit::Failure
}
