//! `rpk plan`, `rpk graph` and `rpk explain`: what apply would do, in several views.

use rpk_planner::graph::{Graph, NodeId};
use rpk_planner::plan::{Options, Plan};
use rpk_planner::render::{
    node_explanation, plan_dot, plan_markdown, plan_mermaid, plan_svg, plan_text, write_plan_json,
};
use rpk_runtime::cache::Cache;

use super::against;
use super::saved::SavedPlan;
use crate::cli::{
    DrawingFormat, ExplainArguments, GraphArguments, OutputArguments, PlanArguments, PlanFormat, TemplateArguments,
};
use crate::decide::{self, Grounds};
use crate::exit::Exit;
use crate::report::{Screen, record, write_out, write_out_by};
use crate::{input, plugins, report};

/// Prints what apply would do.
pub fn run(arguments: &PlanArguments) -> Exit {
    let request = Request {
        targets: &arguments.target,
        is_offline: arguments.offline,
        is_saved: arguments.out.is_some(),
        ..Request::of(&arguments.template, &arguments.output)
    };
    let Some(mut planned) = prepare(request) else {
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
            let diagnostics = against::diagnostics(&planned);
            write_out_by(|out| write_plan_json(plan, env!("CARGO_PKG_VERSION"), diagnostics, out));
        }
        PlanFormat::Markdown => write_out(&plan_markdown(plan)),
    }
    let summary = plan.summary();
    let may_run = summary.run + summary.unknown > 0;
    // The process ends here. To take a large plan apart node by node would take as long as to make it.
    std::mem::forget(planned);
    if arguments.detailed_exitcode && may_run { Exit::SomethingToRun } else { Exit::Success }
}

/// Draws the graph.
pub fn graph(arguments: &GraphArguments) -> Exit {
    let Some(planned) = prepare(Request::of(&arguments.template, &arguments.output)) else {
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
    let Some(planned) = prepare(Request::of(&arguments.template, &arguments.output)) else {
        return Exit::Failure;
    };
    let graph = &planned.plan.graph;
    let data = graph.data.iter().find(|data| data.id.as_str() == arguments.node).map(|data| data.id.clone());
    let found = data.or_else(|| find(graph, &arguments.node, &planned.screen));
    let Some((id, text)) = found.and_then(|id| Some((id.clone(), node_explanation(&planned.plan, &id)?))) else {
        return Exit::Failure;
    };
    write_out(&text);
    if let Some((run, status)) = record::last_of_node(planned.cache.root(), &planned.plan.template, id.as_str()) {
        let when = run.started.strftime("%Y-%m-%d %H:%M:%S");
        write_out(&format!("  log        rpk runs {} {id}  ({status} in the run of {when} UTC)\n", run.short_id()));
    }
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
    /// Where results are stored.
    pub cache: Cache,
    /// The plan.
    pub plan: Plan,
}

/// What a plan is made of.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Which template, and with which variables.
    pub template: &'a TemplateArguments,
    /// What output looks like.
    pub output: &'a OutputArguments,
    /// If any: just these nodes and what they depend on.
    pub targets: &'a [String],
    /// Whether nobody is asked for anything.
    pub is_offline: bool,
    /// Whether the plan is saved: what keys its digests has to be there later, too.
    pub is_saved: bool,
    /// The plan that this one is compared with: made at the same time, and with targets that may not exist here.
    pub beside: Option<&'a Planned>,
}

impl<'a> Request<'a> {
    /// Asks for a plan of a whole template.
    pub fn of(template: &'a TemplateArguments, output: &'a OutputArguments) -> Self {
        Self { template, output, targets: &[], is_offline: false, is_saved: false, beside: None }
    }
}

/// Makes a plan; says why if there is none.
pub fn prepare(request: Request<'_>) -> Option<Planned> {
    let Request { template, output, targets, is_offline, is_saved, beside } = request;
    let mut read = input::read(template);
    if !is_offline {
        read.ask_data_sources();
    }
    read.seed = beside.map_or(read.seed, |other| other.read.seed);
    let now_nanoseconds = beside.map_or_else(report::now_nanoseconds, |other| other.now_nanoseconds);
    let registry = plugins::registry(&mut read, template, plugins::Conduct::default());
    let graph = read.lower(template, &registry, now_nanoseconds);
    read.report_unasked(false);
    let screen = Screen::new(output);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let graph = graph?;
    let targets = if beside.is_some() {
        nodes_named(&graph, targets)
    } else {
        targets.iter().map(|name| find(&graph, name, &screen)).collect::<Option<Vec<NodeId>>>()?
    };
    let options = Options { template: read.name.clone(), targets, ..Options::default() };
    let decided = Grounds::new(registry, is_offline, template.engine.map(Into::into)).and_then(|mut grounds| {
        if let Some(other) = beside {
            // A secret that is not written down yet would be another one each time.
            grounds.cache = other.cache.clone();
        } else if is_saved {
            grounds.cache.prepare()?;
        }
        let (plan, _) = decide::threads()?.block_on(grounds.decide(graph, options));
        // What another plan has looked at may be gone as soon as it is made.
        if beside.is_none() {
            grounds.digests.store(&grounds.cache);
        }
        Ok((plan, grounds.cache))
    });
    let (plan, cache) = decided.map_err(|failure| screen.failure(&failure)).ok()?;
    Some(Planned { read, screen, now_nanoseconds, cache, plan })
}

/// Finds the nodes of these names, as far as there are any.
pub(super) fn nodes_named(graph: &Graph, names: &[String]) -> Vec<NodeId> {
    names.iter().filter_map(|name| node_named(graph, name)).collect()
}

fn node_named(graph: &Graph, name: &str) -> Option<NodeId> {
    graph.nodes().find(|node| node.id.as_str() == name).map(|node| node.id.clone())
}

/// Finds a node by the name that the user gave; complains if there is none.
pub(super) fn find(graph: &Graph, name: &str, screen: &Screen) -> Option<NodeId> {
    let found = node_named(graph, name);
    if found.is_none() {
        screen.error(&format!("there is no node `{name}`"), Some("`rpk plan` lists all nodes of a template"));
    }
    found
}
