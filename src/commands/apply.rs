//! `rpk apply` and `rpk build`

use std::sync::Arc;

use rpk_planner::graph::NodeKind;
use rpk_planner::plan::{Action, Plan};
use rpk_runtime::cancel::{CancelReason, Cancellation};
use rpk_runtime::context::{OnError, Prompt, Services};
use rpk_runtime::event::{Reporter, RunStatus};
use rpk_runtime::executor::{self, Options};
use rpk_runtime::registry::Registry;
use tokio::task::JoinHandle;

use super::plan::decide;
use super::saved::SavedPlan;
use crate::cli::{self, ApplyArguments, Format};
use crate::exit::Exit;
use crate::prompt::{Nobody, Terminal};
use crate::report::{Screen, human::Human, json::JsonLines, machine::Machine};
use crate::{input, report};

/// Runs what the plan says.
pub fn run(arguments: &ApplyArguments) -> Exit {
    let screen = Screen::new(&arguments.output);
    let saved = match SavedPlan::named(&arguments.template) {
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
    let registry = Arc::new(Registry::default());
    read.warn_of_undeclared(arguments.warn_on_undeclared_var);
    read.ask_data_sources();
    let graph = read.lower(&template, &registry, now);
    read.report_unasked(true);
    screen.note(read.note.as_deref());
    screen.diagnostics(&read.sources, &read.diagnostics);
    let Some(graph) = graph.filter(|_| !read.diagnostics.has_errors()) else {
        return Exit::Failure;
    };
    let plan = decide(graph, &read.name, saved.as_ref().map_or(&[], SavedPlan::targets));
    if saved.is_some_and(|saved| !saved.holds(&plan, &screen)) {
        return Exit::Failure;
    }
    if plan.summary().run == 0 {
        screen.error(
            "there is nothing to build",
            Some("check `-only` and `-except`: they leave out every build of the template"),
        );
        return Exit::Failure;
    }
    if !check_components(&plan, &registry, &screen) {
        return Exit::Failure;
    }
    let is_for_machines = arguments.output.machine_readable || arguments.format == Format::Json;
    let mut reporter: Box<dyn Reporter> = if arguments.output.machine_readable {
        Box::new(Machine::new(&plan))
    } else if arguments.format == Format::Json {
        Box::new(JsonLines::new(&plan))
    } else {
        Box::new(Human::new(&plan, &screen, arguments.timestamp_ui))
    };
    let prompt: Box<dyn Prompt> = if is_for_machines { Box::new(Nobody) } else { Box::new(Terminal) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.error(&format!("cannot start threads: {error}"), None);
            return Exit::Failure;
        }
    };
    let status = runtime.block_on(execute(arguments, &plan, registry, prompt, reporter.as_mut(), &screen));
    // A question that nobody answers must not keep the program from ending.
    runtime.shutdown_background();
    match status {
        RunStatus::Succeeded => Exit::Success,
        RunStatus::Failed | RunStatus::Cancelled => Exit::Failure,
    }
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

async fn execute(
    arguments: &ApplyArguments,
    plan: &Plan,
    registry: Arc<Registry>,
    prompt: Box<dyn Prompt>,
    reporter: &mut dyn Reporter,
    screen: &Screen,
) -> RunStatus {
    let cancellation = Arc::new(Cancellation::default());
    let listener = match listen(cancellation.clone()) {
        Ok(listener) => listener,
        Err(error) => {
            screen.error(&format!("cannot listen for signals: {error}"), None);
            return RunStatus::Failed;
        }
    };
    let services = Arc::new(Services {
        run_id: uuid::Uuid::new_v4().to_string(),
        force: arguments.force,
        late: plan.graph.late.clone(),
        redactor: plan.graph.redactor.clone(),
        prompt,
        engine: tokio::sync::OnceCell::new(),
    });
    let options = Options {
        parallel_builds: usize::try_from(arguments.parallel_builds).ok().filter(|count| *count > 0),
        on_error: match arguments.on_error {
            cli::OnError::Cleanup => OnError::Cleanup,
            cli::OnError::Abort => OnError::Abort,
            cli::OnError::Ask => OnError::Ask,
            cli::OnError::RunCleanupProvisioner => OnError::RunCleanupProvisioner,
        },
    };
    let report = executor::apply(plan, registry, services, options, &cancellation, reporter).await;
    listener.abort();
    report.status
}

/// Turns signals into a cancellation. Further signals change nothing: cleaning up goes on.
///
/// The handlers stand when this returns, so that no signal can end rpk once a machine may exist.
#[cfg(unix)]
fn listen(cancellation: Arc<Cancellation>) -> std::io::Result<JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => CancelReason::Interrupt,
                _ = terminate.recv() => CancelReason::Terminate,
                _ = hang_up.recv() => CancelReason::HangUp,
            };
            cancellation.cancel(reason);
        }
    }))
}

#[cfg(not(unix))]
fn listen(cancellation: Arc<Cancellation>) -> std::io::Result<JoinHandle<()>> {
    Ok(tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            cancellation.cancel(CancelReason::Interrupt);
        }
    }))
}
