//! The executor on fakes: order, parallelism, failures, cancellation. Time is tokio's paused clock.

use std::sync::Arc;
use std::time::Duration;

use rpk_planner::plan::Plan;
use rpk_runtime::cache::Ledger;
use rpk_runtime::cancel::{CancelReason, Cancellation};
use rpk_runtime::context::{OnError, Services};
use rpk_runtime::engine::LazyEngine;
use rpk_runtime::event::{Event, NodeStatus, RunReport, RunStatus};
use rpk_runtime::executor::{Options, apply};
use rpk_runtime::journal::Journal;
use rpk_runtime::testing::{Answers, Recorder, plan, plan_after, registry};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

struct Run {
    plan: Plan,
    options: Options,
    answers: Answers,
    cancel_after: Option<Duration>,
}

struct Done {
    report: RunReport,
    diary: String,
    events: Vec<Event>,
    elapsed: Duration,
}

impl Run {
    fn of(template: &str) -> Self {
        Self { plan: plan(template), options: Options::default(), answers: Answers::default(), cancel_after: None }
    }

    async fn apply(self) -> Done {
        let services = Arc::new(Services {
            run_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            force: false,
            late: self.plan.graph.late.clone(),
            redactor: self.plan.graph.redactor.clone(),
            prompt: Box::new(self.answers),
            engine: LazyEngine::default(),
            journal: Journal::default(),
        });
        let cancellation = Arc::new(Cancellation::default());
        if let Some(after) = self.cancel_after {
            let cancellation = cancellation.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                cancellation.cancel(CancelReason::Interrupt);
            });
        }
        let ledger = Arc::new(Ledger::none(&self.plan));
        let mut recorder = Recorder::default();
        let began = Instant::now();
        let report =
            apply(&self.plan, Arc::new(registry()), services, ledger, self.options, &cancellation, &mut recorder).await;
        let elapsed = began.elapsed();
        // The law of the contract: every node of the plan finishes exactly once.
        for node in self.plan.graph.nodes() {
            let ends = recorder
                .events
                .iter()
                .filter(|event| matches!(event, Event::NodeFinished { node: ended, .. } if *ended == node.id))
                .count();
            assert_eq!(ends, 1, "{} in\n{}", node.id, recorder.diary());
        }
        Done { report, diary: recorder.diary(), events: recorder.events, elapsed }
    }
}

fn record(name: &str, diary: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/events");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, diary));
}

#[tokio::test(start_paused = true)]
async fn a_build_runs_from_boot_to_its_last_post_processor() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "provisioners": [{"type": "fake", "prints": "one\ntwo"}, {"type": "fake"}],
            "post-processors": [["fake", "fake"], {"type": "fake", "keep_input_artifact": true}]}"#,
    )
    .apply()
    .await;
    assert_eq!(done.report.status, RunStatus::Succeeded);
    record("one-build", &done.diary);
}

#[tokio::test(start_paused = true)]
async fn builds_run_at_the_same_time_up_to_the_limit() {
    let template = r#"{"builders": [{"type": "fake", "name": "a", "takes": "1m"}, {"type": "fake", "name": "b", "takes": "1m"},
                                    {"type": "fake", "name": "c", "takes": "1m"}]}"#;
    for (limit, minutes) in [(None, 1), (Some(2), 2), (Some(1), 3)] {
        let mut run = Run::of(template);
        run.options.parallel_builds = limit;
        assert_eq!(run.apply().await.elapsed, minutes * MINUTE, "{limit:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_build_with_the_longest_way_to_go_begins_first() {
    let template = r#"{"builders": [{"type": "fake", "name": "a", "takes": "1m"}, {"type": "fake", "name": "b", "takes": "1m"},
                                    {"type": "fake", "name": "c", "takes": "2m"}]}"#;
    let history = [("a/boot", MINUTE), ("b/boot", MINUTE), ("c/boot", 2 * MINUTE)];
    for (history, minutes) in [(&history[..], 2), (&[], 3), (&history[2..], 3)] {
        let mut run = Run { plan: plan_after(template, history), ..Run::of(template) };
        run.options.parallel_builds = Some(2);
        if history.len() == 3 {
            let options = run.plan.estimate().expect("all is known");
            assert_eq!(options.critical, minutes * MINUTE);
        }
        assert_eq!(run.apply().await.elapsed, minutes * MINUTE, "{history:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_nodes_keep_the_processors_busy_than_there_are_processors() {
    let processors = std::thread::available_parallelism().expect("is known").get();
    let builders: Vec<String> =
        (0..=processors).map(|at| format!(r#"{{"type": "fake", "name": "build-{at}"}}"#)).collect();
    let template = format!(
        r#"{{"builders": [{}], "post-processors": [{{"type": "heavy", "takes": "1m"}}]}}"#,
        builders.join(", ")
    );
    assert_eq!(Run::of(&template).apply().await.elapsed, 2 * MINUTE);
    let light = template.replace("heavy", "fake");
    assert_eq!(Run::of(&light).apply().await.elapsed, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn provisioners_of_a_machine_run_one_after_the_other() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "provisioners": [{"type": "fake", "takes": "1m"}, {"type": "fake", "takes": "1m"}]}"#,
    )
    .apply()
    .await;
    assert_eq!(done.elapsed, 2 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_failed_provisioner_runs_the_cleanup_and_destroys_its_machine() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake", "name": "good"}, {"type": "fake", "name": "bad"}],
            "provisioners": [{"type": "fake", "prints": "last words", "fails": true, "only": ["bad"]}],
            "error-cleanup-provisioner": {"type": "fake", "prints": "sweeping"},
            "post-processors": ["fake"]}"#,
    )
    .apply()
    .await;
    assert_eq!(done.report.status, RunStatus::Failed);
    let bad = &done.report.builds[0];
    assert_eq!(bad.errors[0].last_lines, ["last words"]);
    assert_eq!(bad.errors[0].failure.exit_status, Some(3));
    assert_eq!(done.report.builds[1].status, RunStatus::Succeeded, "other builds go on");
    let is_of_bad = |line: &&str| line.starts_with("bad/") || line.starts_with("build 0");
    let of_bad: Vec<&str> = done.diary.lines().filter(is_of_bad).collect();
    record("failed-provisioner", &of_bad.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn on_error_says_what_becomes_of_the_machine() {
    let template = r#"{"builders": [{"type": "fake"}],
                       "provisioners": [{"type": "fake", "fails": true}],
                       "error-cleanup-provisioner": {"type": "fake", "prints": "sweeping"}}"#;
    for (on_error, sweeps, destroys) in [
        (OnError::Cleanup, true, true),
        (OnError::Abort, false, false),
        (OnError::RunCleanupProvisioner, true, false),
        // Nobody answers.
        (OnError::Ask, true, true),
    ] {
        let mut run = Run::of(template);
        run.options.on_error = on_error;
        let done = run.apply().await;
        assert_eq!(done.diary.contains("sweeping"), sweeps, "{on_error:?}\n{}", done.diary);
        assert_eq!(done.diary.contains("destroyed"), destroys, "{on_error:?}\n{}", done.diary);
        assert_eq!(done.report.status, RunStatus::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_asked_can_try_again() {
    let mut run = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "provisioners": [{"type": "fake", "fails_times": 2, "key": "a_user_who_is_asked"}]}"#,
    );
    run.options.on_error = OnError::Ask;
    run.answers = Answers::new(&["r", "what?", "retry"]);
    let done = run.apply().await;
    assert_eq!(done.report.status, RunStatus::Succeeded, "{}", done.diary);
    assert!(done.diary.contains("Incorrect input"), "{}", done.diary);
}

#[tokio::test(start_paused = true)]
async fn retries_pauses_and_timeouts_hold_for_each_attempt() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "provisioners": [{"type": "fake", "takes": "1h", "pause_before": "1m", "timeout": "1m", "max_retries": 1}]}"#,
    )
    .apply()
    .await;
    assert_eq!(done.elapsed, 4 * MINUTE);
    record("retries", &done.diary);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_succeeds_is_a_success() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "provisioners": [{"type": "fake", "fails_times": 2, "key": "a_retry_that_succeeds", "max_retries": "2"}]}"#,
    )
    .apply()
    .await;
    assert_eq!(done.report.status, RunStatus::Succeeded, "{}", done.diary);
}

#[tokio::test(start_paused = true)]
async fn cancelling_reaches_every_node_and_destroys_every_machine() {
    for seconds in [0, 30, 90, 150, 210] {
        let mut run = Run::of(
            r#"{"builders": [{"type": "fake", "name": "a", "takes": "1m"}, {"type": "fake", "name": "b", "takes": "1m"}],
                "provisioners": [{"type": "fake", "takes": "1m"}],
                "post-processors": [["fake", {"type": "fake", "takes": "1m"}]]}"#,
        );
        run.cancel_after = Some(Duration::from_secs(seconds));
        let done = run.apply().await;
        let expected = if seconds < 180 { RunStatus::Cancelled } else { RunStatus::Succeeded };
        assert_eq!(done.report.status, expected, "{seconds}");
        let booted = done.diary.matches("booted").count();
        assert_eq!(done.diary.matches("destroyed").count(), booted, "{seconds}\n{}", done.diary);
        assert!(done.elapsed <= Duration::from_secs(seconds.min(180)), "{seconds}: {:?}", done.elapsed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_post_processor_stops_its_sequence_alone_and_keeps_the_artifact() {
    let done = Run::of(
        r#"{"builders": [{"type": "fake"}],
            "post-processors": [[{"type": "fake", "fails": true}, "fake"], ["fake"]]}"#,
    )
    .apply()
    .await;
    let status = |id: &str| {
        done.events.iter().find_map(|event| match event {
            Event::NodeFinished { node, status, .. } if node.as_str() == id => Some(*status),
            _ => None,
        })
    };
    assert_eq!(status("fake/post-process/0.0"), Some(NodeStatus::Failed));
    assert_eq!(status("fake/post-process/0.1"), Some(NodeStatus::Cancelled));
    assert_eq!(status("fake/post-process/1.0"), Some(NodeStatus::Ran));
    assert!(!done.diary.contains("discarded artifact of fake\n"), "{}", done.diary);
}

#[tokio::test(start_paused = true)]
async fn an_artifact_that_nobody_keeps_is_discarded_once_all_have_read_it() {
    let template = r#"{"builders": [{"type": "fake"}], "post-processors": [["fake", "fake"], ["fake"]]}"#;
    let done = Run::of(template).apply().await;
    let artifacts: Vec<&str> = done.report.builds[0].artifacts.iter().map(|artifact| artifact.id.as_str()).collect();
    assert_eq!(artifacts, ["artifact of fake/post-process/0.1", "artifact of fake/post-process/1.0"]);
    assert_eq!(done.diary.matches("discarded").count(), 2, "{}", done.diary);
}

#[tokio::test(start_paused = true)]
async fn a_failed_capture_destroys_the_machine() {
    let template = r#"{"builders": [{"type": "fake", "capture_fails": true}], "post-processors": ["fake"]}"#;
    let done = Run::of(template).apply().await;
    assert_eq!(done.report.status, RunStatus::Failed);
    assert!(done.diary.contains("destroyed"), "{}", done.diary);
}

#[tokio::test(start_paused = true)]
async fn a_component_that_panics_fails_its_node_and_loses_no_machine() {
    let template = r#"{"builders": [{"type": "fake"}], "provisioners": [{"type": "fake", "panics": true}]}"#;
    let done = Run::of(template).apply().await;
    assert_eq!(done.report.status, RunStatus::Failed);
    assert!(done.diary.contains("rpk itself failed"), "{}", done.diary);
    assert!(done.diary.contains("destroyed"), "{}", done.diary);
}
