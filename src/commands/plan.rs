//! `rpk plan`, `rpk graph` and `rpk explain`: what apply would do, in several views.

use rpk_planner::graph::{Graph, NodeId};
use rpk_planner::key::NoFacts;
use rpk_planner::plan::{EmptyIndex, Options, Plan, plan};
use rpk_planner::render::{node_explanation, plan_dot, plan_json, plan_markdown, plan_mermaid, plan_svg, plan_text};
use rpk_runtime::docker::describe_endpoint;
use rpk_runtime::registry::Registry;

use super::against;
use super::saved::SavedPlan;
use crate::cli::{
    DrawingFormat, ExplainArguments, GraphArguments, OutputArguments, PlanArguments, PlanFormat, TemplateArguments,
};
use crate::exit::Exit;
use crate::report::{Screen, write_out};
use crate::{input, report};

/// Prints what apply would do.
pub fn run(arguments: &PlanArguments) -> Exit {
    let Some(mut planned) = prepare(&arguments.template, &arguments.output, &arguments.target, arguments.offline, None)
    else {
        return Exit::Failure;
    };
    planned.plan.parallel_builds = usize::try_from(arguments.parallel_builds).ok().filter(|count| *count > 0);
    if let Some(against) = &arguments.against {
        return against::run(arguments, &planned, against);
    }
    let plan = &planned.plan;
    if let Some(path) = &arguments.out
        && let Err(message) = SavedPlan::of(arguments, &planned).and_then(|saved| saved.write(path))
    {
        planned.screen.error(&message, None);
        return Exit::Failure;
    }
    match arguments.format {
        PlanFormat::Text => write_out(&plan_text(plan, planned.screen.is_coloured())),
        PlanFormat::Json => {
            write_out(&plan_json(plan, env!("CARGO_PKG_VERSION"), against::diagnostics(&planned)));
        }
        PlanFormat::Markdown => write_out(&plan_markdown(plan)),
    }
    let summary = plan.summary();
    let may_run = summary.run + summary.unknown > 0;
    if arguments.detailed_exitcode && may_run { Exit::SomethingToRun } else { Exit::Success }
}

/// Draws the graph.
pub fn graph(arguments: &GraphArguments) -> Exit {
    let Some(planned) = prepare(&arguments.template, &arguments.output, &[], false, None) else {
        return Exit::Failure;
    };
    write_out(&match arguments.format {
        DrawingFormat::Dot => plan_dot(&planned.plan),
        DrawingFormat::Mermaid => plan_mermaid(&planned.plan),
        DrawingFormat::Svg => plan_svg(&planned.plan),
    });
    Exit::Success
}

/// Explains one node.
pub fn explain(arguments: &ExplainArguments) -> Exit {
    let Some(planned) = prepare(&arguments.template, &arguments.output, &[], false, None) else {
        return Exit::Failure;
    };
    let found = find(&planned.plan.graph, &arguments.node, &planned.screen);
    let Some(text) = found.and_then(|id| node_explanation(&planned.plan, &id)) else {
        return Exit::Failure;
    };
    write_out(&text);
    Exit::Success
}

/// A plan with what it was made from.
pub struct Planned {
    /// The template, and what was found on the way.
    pub read: input::Read,
    /// Where problems are shown.
    pub screen: Screen,
    /// The instant of all time functions: Unix nanoseconds.
    pub now_nanoseconds: i128,
    /// The plan.
    pub plan: Plan,
}

/// Makes a plan; one to compare another with is made at the same time, and need not have all targets.
pub fn prepare(
    template: &TemplateArguments,
    output: &OutputArguments,
    targets: &[String],
    is_offline: bool,
    beside: Option<&Planned>,
) -> Option<Planned> {
    let mut read = input::read(template);
    if !is_offline {
        read.ask_data_sources();
    }
    read.seed = beside.map_or(read.seed, |other| other.read.seed);
    let now_nanoseconds = beside.map_or_else(report::now_nanoseconds, |other| other.now_nanoseconds);
    let graph = read.lower(template, &Registry::default(), now_nanoseconds);
    read.report_unasked(false);
    let screen = Screen::new(output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let graph = graph?;
    let targets = if beside.is_some() {
        targets.iter().filter_map(|name| node_named(&graph, name)).collect()
    } else {
        targets.iter().map(|name| find(&graph, name, &screen)).collect::<Option<Vec<NodeId>>>()?
    };
    let plan = decide_with(graph, Options { template: read.name.clone(), targets, ..Options::default() });
    Some(Planned { read, screen, now_nanoseconds, plan })
}

fn node_named(graph: &Graph, name: &str) -> Option<NodeId> {
    graph.nodes().find(|node| node.id.as_str() == name).map(|node| node.id.clone())
}

/// Finds a node by the name that the user gave; complains if there is none.
fn find(graph: &Graph, name: &str, screen: &Screen) -> Option<NodeId> {
    let found = node_named(graph, name);
    if found.is_none() {
        screen.error(&format!("there is no node `{name}`"), Some("`rpk plan` lists all nodes of a template"));
    }
    found
}

/// Decides on a graph, for `plan` and `apply` alike. Targets that it does not have count for nothing.
pub fn decide(graph: Graph, template: &str, targets: &[String]) -> Plan {
    let targets = targets.iter().filter_map(|name| node_named(&graph, name)).collect();
    decide_with(graph, Options { template: template.to_owned(), targets, ..Options::default() })
}

fn decide_with(graph: Graph, options: Options) -> Plan {
    let needs_engine = graph.nodes().any(|node| node.uses_engine && node.excluded.is_none());
    let options = Options { engine: needs_engine.then(describe_endpoint), ..options };
    plan(graph, &NoFacts, &EmptyIndex, options)
}
