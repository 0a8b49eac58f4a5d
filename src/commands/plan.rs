//! `rpk plan`

use rpk_planner::graph::Graph;
use rpk_planner::key::NoFacts;
use rpk_planner::plan::{EmptyIndex, Options, Plan, plan};
use rpk_planner::render::{plan_json, plan_text};
use rpk_runtime::docker::describe_endpoint;
use rpk_runtime::registry::Registry;

use crate::cli::{Format, PlanArguments};
use crate::exit::Exit;
use crate::report::{Screen, diagnostic, write_out};
use crate::{input, report};

/// Prints what apply would do.
pub fn run(arguments: &PlanArguments) -> Exit {
    let mut read = input::read(&arguments.template);
    let graph = read.lower(&arguments.template, &Registry::default(), report::now_nanoseconds());
    let screen = Screen::new(&arguments.output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph else {
        return Exit::Failure;
    };
    let plan = decide(graph, &read.name);
    match arguments.format {
        Format::Text => write_out(&plan_text(&plan, screen.is_coloured())),
        Format::Json => {
            let diagnostics = read.diagnostics.iter().map(|found| diagnostic::json(&read.sources, found)).collect();
            write_out(&plan_json(&plan, env!("CARGO_PKG_VERSION"), diagnostics));
        }
    }
    if arguments.detailed_exitcode && plan.summary().run > 0 { Exit::SomethingToRun } else { Exit::Success }
}

/// Decides on a graph, for `plan` and `apply` alike.
pub fn decide(graph: Graph, template: &str) -> Plan {
    let needs_engine = graph.nodes().any(|node| node.uses_engine && node.excluded.is_none());
    let options =
        Options { template: template.to_owned(), engine: needs_engine.then(describe_endpoint), ..Options::default() };
    plan(graph, &NoFacts, &EmptyIndex, options)
}
