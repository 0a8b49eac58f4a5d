//! `rpk plan`, `rpk graph` and `rpk explain`: what apply would do, in several views.

use std::sync::Arc;

use rpk_planner::graph::{Graph, NodeId};
use rpk_planner::plan::{Options, Plan};
use rpk_planner::render::{node_explanation, plan_dot, plan_json, plan_markdown, plan_mermaid, plan_svg, plan_text};
use rpk_runtime::registry::Registry;

use crate::cli::{
    DrawingFormat, ExplainArguments, GraphArguments, OutputArguments, PlanArguments, PlanFormat, TemplateArguments,
};
use crate::decide::{self, Grounds};
use crate::exit::Exit;
use crate::report::{Screen, diagnostic, write_out};
use crate::{input, report};

/// Prints what apply would do.
pub fn run(arguments: &PlanArguments) -> Exit {
    let Some(planned) = prepare(&arguments.template, &arguments.output, &arguments.target, arguments.offline) else {
        return Exit::Failure;
    };
    let plan = &planned.plan;
    match arguments.format {
        PlanFormat::Text => write_out(&plan_text(plan, planned.screen.is_coloured())),
        PlanFormat::Json => {
            let read = &planned.read;
            let diagnostics = read.diagnostics.iter().map(|found| diagnostic::json(&read.sources, found)).collect();
            write_out(&plan_json(plan, env!("CARGO_PKG_VERSION"), diagnostics));
        }
        PlanFormat::Markdown => write_out(&plan_markdown(plan)),
    }
    let summary = plan.summary();
    let may_run = summary.run + summary.unknown > 0;
    if arguments.detailed_exitcode && may_run { Exit::SomethingToRun } else { Exit::Success }
}

/// Draws the graph.
pub fn graph(arguments: &GraphArguments) -> Exit {
    let Some(planned) = prepare(&arguments.template, &arguments.output, &[], false) else {
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
    let Some(planned) = prepare(&arguments.template, &arguments.output, &[], false) else {
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
struct Planned {
    read: input::Read,
    screen: Screen,
    plan: Plan,
}

fn prepare(
    template: &TemplateArguments,
    output: &OutputArguments,
    targets: &[String],
    is_offline: bool,
) -> Option<Planned> {
    let mut read = input::read(template);
    if !is_offline {
        read.ask_data_sources();
    }
    let registry = Arc::new(Registry::default());
    let graph = read.lower(template, &registry, report::now_nanoseconds());
    read.report_unasked(false);
    let screen = Screen::new(output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let graph = graph?;
    let targets = targets.iter().map(|name| find(&graph, name, &screen)).collect::<Option<Vec<NodeId>>>()?;
    let options = Options { template: read.name.clone(), targets, ..Options::default() };
    let decided = Grounds::new(registry, is_offline).and_then(|grounds| {
        let (plan, _) = decide::threads()?.block_on(grounds.decide(graph, options));
        grounds.digests.store(&grounds.cache);
        Ok(plan)
    });
    let plan = decided.map_err(|failure| screen.failure(&failure)).ok()?;
    Some(Planned { read, screen, plan })
}

/// Finds a node by the name that the user gave; complains if there is none.
pub(super) fn find(graph: &Graph, name: &str, screen: &Screen) -> Option<NodeId> {
    let found = graph.nodes().find(|node| node.id.as_str() == name).map(|node| node.id.clone());
    if found.is_none() {
        screen.error(&format!("there is no node `{name}`"), Some("`rpk plan` lists all nodes of a template"));
    }
    found
}
