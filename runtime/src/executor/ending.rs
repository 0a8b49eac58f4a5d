//! How builds end: what becomes of their artifacts, and what is reported.

use std::time::Duration;

use futures::FutureExt as _;
use rpk_planner::graph::{Edge, Node, NodeKind};

use super::task::{Ended, Product};
use super::{Run, Work};
use crate::artifact::Artifact;
use crate::event::{BuildReport, Event, NodeStatus, RunStatus};
use crate::lane::Maker;

impl<'a> Run<'a> {
    /// Reports the builds of which nothing runs any more.
    pub(super) fn finish_builds(&mut self) {
        for build in std::mem::take(&mut self.touched) {
            let lane = &self.lanes[build];
            let is_done = !lane.has_ended && lane.running == 0 && self.states.build_has_ended(build);
            if !is_done || !self.plan.graph.builds[build].is_selected {
                continue;
            }
            if let Some((node, artifact)) = self.artifact_to_discard(build) {
                self.discard(node, artifact);
                continue;
            }
            self.finish_build(build);
        }
    }

    /// Returns the builder's artifact if no sequence keeps it and nothing went wrong.
    ///
    /// Packer destroys it too when a post-processor failed, which loses the work of the whole build.
    fn artifact_to_discard(&mut self, build: usize) -> Option<(&'a Node, Artifact)> {
        let lane = &mut self.lanes[build];
        if !lane.errors.is_empty() || lane.was_cancelled {
            return None;
        }
        let capture = self.plan.graph.at(self.own[build].capture);
        let mut readers = self.plan.graph.outputs(&capture.id).filter(|(edge, _)| *edge == Edge::Artifact).peekable();
        let is_read = readers.peek().is_some();
        if !is_read || readers.any(|(_, node)| node.keeps_input) {
            return None;
        }
        Some((capture, lane.artifacts.remove(&capture.id)?))
    }

    fn discard(&mut self, node: &Node, artifact: Artifact) {
        let ctx = self.context(node);
        let maker = Maker::of(node, &self.registry);
        let task_ctx = ctx.clone();
        let (ledger, id) = (self.ledger.clone(), node.id.clone());
        // A later artifact may hold some of its files, as a checksum's does.
        let mut kept = Artifact::default();
        for other in self.lanes[node.build].artifacts.values() {
            kept.files.extend(other.files.iter().cloned());
        }
        let task = async move {
            let result = match maker {
                Ok(maker) => maker.discard(&task_ctx, &artifact, Some(&kept)).await,
                Err(failure) => Err(failure),
            };
            if result.is_ok() {
                ledger.consumed(&id);
            }
            Ended { result: result.map(|()| Product::Nothing), decision: None }
        };
        self.spawn(Work::DiscardArtifact, node, &ctx, task.boxed());
    }

    fn finish_build(&mut self, build: usize) {
        let cleanup = self.cleanup_of(build);
        if let Some(cleanup) = cleanup
            && !self.lanes[build].cleanup_has_run
        {
            self.finish_node(&cleanup.id, NodeStatus::Skipped, Duration::ZERO, None);
        }
        let artifacts = self.results(build);
        let lane = &mut self.lanes[build];
        lane.has_ended = true;
        self.active -= usize::from(lane.started.is_some());
        let status = if !lane.errors.is_empty() {
            RunStatus::Failed
        } else if lane.was_cancelled {
            RunStatus::Cancelled
        } else {
            RunStatus::Succeeded
        };
        let report = BuildReport {
            build,
            status,
            errors: std::mem::take(&mut lane.errors),
            artifacts,
            duration: lane.started.map(|started| started.elapsed()).unwrap_or_default(),
        };
        self.reporter.report(&Event::BuildFinished { report: report.clone() });
        self.reports.push(report);
    }

    /// Lists a build's artifacts as Packer does: the builder's if it is kept, then for each sequence what is kept of
    /// its steps, and its last.
    fn results(&self, build: usize) -> Vec<Artifact> {
        let lane = &self.lanes[build];
        let mut results = Vec::new();
        for node in self.own[build].places.clone().map(|place| self.plan.graph.at(place)) {
            let Some(artifact) = lane.artifacts.get(&node.id) else {
                continue;
            };
            let is_kept = match node.kind {
                // One that is not kept has been taken out already.
                NodeKind::Capture => true,
                _ => self
                    .plan
                    .graph
                    .outputs(&node.id)
                    .filter(|(edge, reader)| *edge == Edge::Artifact && lane.artifacts.contains_key(&reader.id))
                    .all(|(_, reader)| reader.keeps_input),
            };
            if is_kept {
                results.push(artifact.clone());
            }
        }
        results
    }
}
