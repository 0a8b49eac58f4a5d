//! `rpk apply` and `rpk build`

use rpk_planner::graph::{Graph, NodeKind};
use rpk_planner::plan::{self, Action, Plan};
use rpk_runtime::budget::SnapshotPolicy;
use rpk_runtime::cache::{Ledger, keep_within_limit, size_limit};
use rpk_runtime::context::{OnError, Prompt};
use rpk_runtime::event::{Reporter, RunStatus};
use rpk_runtime::executor::Options;
use rpk_runtime::failure::Outcome;
use rpk_runtime::recovery;
use rpk_runtime::registry::Registry;

use super::plan::{find, nodes_named};
use super::saved::SavedPlan;
use crate::cli::{self, ApplyArguments, Format};
use crate::decide::{self, Grounds};
use crate::execution::{Execution, decide_alone, execute, prepare, told};
use crate::exit::Exit;
use crate::prompt::{Nobody, Terminal};
use crate::report::{Screen, human::Human, json::JsonLines, machine::Machine, record};
use crate::{input, plugins, report};

/// Runs what the plan says.
pub fn run(arguments: &ApplyArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let saved = match SavedPlan::named(&arguments.template) {
        Ok(Some(_)) if arguments.no_cache || arguments.force || !arguments.no_cache_from.is_empty() => {
            screen.error("a saved plan runs as it is, without `-no-cache`, `-no-cache-from` and `-force`", None);
            return Exit::Failure;
        }
        Ok(saved) => saved,
        Err(message) => {
            screen.error(&message, None);
            return Exit::Failure;
        }
    };
    let template =
        saved.as_ref().map_or_else(|| arguments.template.clone(), |saved| saved.arguments(&arguments.template));
    let mut read = input::read(&template);
    read.seed = saved.as_ref().map_or(read.seed, |saved| saved.seed);
    let now = saved.as_ref().map_or_else(report::now_nanoseconds, SavedPlan::now_nanoseconds);
    let conduct = plugins::Conduct { force: arguments.force, on_error: Some(arguments.on_error) };
    let registry = plugins::registry(&mut read, &template, conduct);
    read.warn_of_undeclared(arguments.warn_on_undeclared_var);
    read.ask_data_sources();
    let graph = read.lower(&template, &registry, now);
    match graph.as_ref().map(|graph| decide::run_inside(graph, template.engine.map(Into::into))) {
        Some(Ok(Some(0))) => return Exit::Success,
        Some(Ok(Some(_))) => return Exit::Failure,
        Some(Err(failure)) => {
            screen.failure(&failure);
            return Exit::Failure;
        }
        Some(Ok(None)) | None => {}
    }
    read.report_unasked(true);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    let ended = Grounds::new(registry, false, template.engine.map(Into::into)).and_then(|mut grounds| {
        let runtime = decide::threads()?;
        let status = runtime.block_on(apply(arguments, graph, &read.name, saved.as_ref(), &mut grounds, &screen));
        // A question that nobody answers must not keep the program from ending.
        runtime.shutdown_background();
        status
    });
    match ended {
        Ok(RunStatus::Succeeded) => Exit::Success,
        Ok(RunStatus::Failed | RunStatus::Cancelled) => Exit::Failure,
        Err(failure) => {
            screen.failure(&failure);
            Exit::Failure
        }
    }
}

async fn apply(
    arguments: &ApplyArguments,
    graph: Graph,
    template: &str,
    saved: Option<&SavedPlan>,
    grounds: &mut Grounds,
    screen: &Screen,
) -> Outcome<RunStatus> {
    let limit = size_limit()?;
    prepare(grounds, screen).await?;
    let ids = |names: &[String]| names.iter().map(|name| find(&graph, name, screen)).collect::<Option<Vec<_>>>();
    let (Some(no_cache_from), Some(targets)) = (ids(&arguments.no_cache_from), ids(&arguments.target)) else {
        return Ok(RunStatus::Failed);
    };
    let options = plan::Options {
        template: template.to_owned(),
        no_cache: arguments.no_cache || arguments.force,
        no_cache_from,
        targets: saved.map_or(targets, |saved| nodes_named(&graph, saved.targets())),
        ..plan::Options::default()
    };
    let (plan, stored, locks) = decide_alone(grounds, graph.clone(), options, screen).await?;
    if saved.is_some_and(|saved| !saved.holds(&plan, screen)) {
        return Ok(RunStatus::Failed);
    }
    let summary = plan.summary();
    if summary.total == summary.skipped {
        screen.error(
            "there is nothing to build",
            Some("check `-only` and `-except`: they leave out every build of the template"),
        );
        return Ok(RunStatus::Failed);
    }
    if !check_components(&plan, &grounds.registry, screen) {
        return Ok(RunStatus::Failed);
    }
    let is_for_machines = arguments.output.machine_readable || arguments.format == Format::Json;
    let reporter: Box<dyn Reporter> = if arguments.output.machine_readable {
        Box::new(Machine::new(&plan))
    } else if arguments.format == Format::Json {
        Box::new(JsonLines::new(&plan))
    } else {
        Box::new(Human::new(&plan, screen, arguments.timestamp_ui))
    };
    let prompt: Box<dyn Prompt> = if is_for_machines { Box::new(Nobody) } else { Box::new(Terminal) };
    let snapshots = match arguments.snapshots {
        _ if arguments.no_cache => SnapshotPolicy::Never,
        cli::Snapshots::Auto => SnapshotPolicy::Auto,
        cli::Snapshots::Always => SnapshotPolicy::Always,
        cli::Snapshots::Never => SnapshotPolicy::Never,
    };
    let ledger = Ledger::new(grounds.cache.clone(), grounds.digests.clone(), stored, &plan, snapshots);
    let on_error = match arguments.on_error {
        cli::OnError::Cleanup | cli::OnError::Shell => OnError::Cleanup,
        cli::OnError::Abort => OnError::Abort,
        cli::OnError::Ask => OnError::Ask,
        cli::OnError::RunCleanupProvisioner => OnError::RunCleanupProvisioner,
        cli::OnError::Continue => OnError::Continue,
    };
    let parallel_builds = usize::try_from(arguments.parallel_builds).ok().filter(|count| *count > 0);
    let run = Execution {
        options: Options { parallel_builds, on_error },
        force: arguments.force,
        trace: arguments.trace.as_deref(),
    };
    let report = execute(&plan, grounds, ledger, prompt, reporter, run).await?;
    drop(locks);
    told(recovery::clean_up_late(&grounds.cache, &grounds.engine).await, screen);
    record::forget_old(grounds.cache.root());
    // A run that kept nothing new cannot have gone beyond the limit, and need not look at all that is stored.
    if summary.run + summary.unknown > 0 {
        keep_within_limit(&grounds.cache, &grounds.engine, limit).await;
    }
    if arguments.on_error == cli::OnError::Shell
        && let Some(failed) = report.builds.iter().flat_map(|build| &build.errors).next()
    {
        screen.note(Some(&format!("Opening a shell in the machine as it was before {}...", failed.node)));
        super::shell::open(&failed.node, graph, template, grounds, screen).await?;
    }
    Ok(report.status)
}

/// Refuses a plan with components that rpk cannot run, before anything is started.
fn check_components(plan: &Plan, registry: &Registry, screen: &Screen) -> bool {
    let mut reported: Vec<String> = Vec::new();
    for step in plan.steps() {
        let may_run =
            step.action == Action::Run || step.node.kind == NodeKind::ErrorCleanup && step.node.excluded.is_none();
        if !may_run {
            continue;
        }
        let node = step.node;
        let made = match node.kind {
            NodeKind::Boot | NodeKind::Capture => registry.builder(&node.component, &node.settings).map(|_| ()),
            NodeKind::Provision { .. } | NodeKind::ErrorCleanup => {
                registry.provisioner(&node.component, &node.settings).map(|_| ())
            }
            NodeKind::PostProcess { .. } => registry.post_processor(&node.component, &node.settings).map(|_| ()),
        };
        if let Err(failure) = made {
            let message = failure.to_string();
            if !reported.contains(&message) {
                screen.error(&message, failure.help.as_deref());
                reported.push(message);
            }
        }
    }
    reported.is_empty()
}
