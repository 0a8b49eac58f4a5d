//! How long a run will take, if each node takes as long as it did last time.
//!
//! Played as the executor does it: builds start in the order of how long they have to go, no more at a time than is
//! allowed, and within a build each node starts once everything before it has ended.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::Duration;

use super::{Action, Plan};
use crate::graph::NodeId;

/// How long a run will take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// From start to end.
    pub wall: Duration,
    /// Whether something is known of each node that runs; else it takes longer than this.
    pub is_whole: bool,
    /// The nodes that run one after the other and take longest together: making others faster saves nothing.
    pub critical_path: Vec<NodeId>,
    /// How long these take together.
    pub critical: Duration,
}

impl Plan {
    /// Estimates the run; none if nothing is known of any node that runs.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let mut is_known = false;
        let mut is_whole = true;
        let takes: Vec<Option<Duration>> = self
            .steps()
            .map(|step| match step.action {
                Action::Run | Action::Unknown => {
                    is_known |= step.decision.took.is_some();
                    is_whole &= step.decision.took.is_some();
                    Some(step.decision.took.unwrap_or_default())
                }
                Action::Reuse | Action::Skip => None,
            })
            .collect();
        if !is_known {
            return None;
        }
        let (critical, critical_path) = self.critical_path(&takes);
        let slots = self.parallel_builds.filter(|count| *count > 0);
        let wall = slots.map_or(critical, |slots| self.wall(&takes, slots));
        Some(Estimate { wall, is_whole, critical_path, critical })
    }

    fn critical_path(&self, takes: &[Option<Duration>]) -> (Duration, Vec<NodeId>) {
        let mut ends = vec![Duration::ZERO; takes.len()];
        let mut before: Vec<Option<usize>> = vec![None; takes.len()];
        for place in 0..takes.len() {
            let last = self.graph.inputs_at(place).map(|(_, from)| from).max_by_key(|from| (ends[*from], *from));
            ends[place] = last.map_or(Duration::ZERO, |from| ends[from]) + takes[place].unwrap_or_default();
            before[place] = last;
        }
        let mut at = (0..ends.len()).max_by_key(|place| (ends[*place], Reverse(*place)));
        let total = at.map_or(Duration::ZERO, |place| ends[place]);
        let mut path = Vec::new();
        while let Some(place) = at {
            if takes[place].is_some() {
                path.push(self.graph.at(place).id.clone());
            }
            at = before[place];
        }
        path.reverse();
        (total, path)
    }

    /// Tells by place how long it is from the start of each node that runs to the end of all that follows from it, as
    /// far as history tells: a node that nobody has timed counts as the mean of the others. All zero without history.
    ///
    /// What has the longest way to go is best begun first.
    #[must_use]
    pub fn remaining(&self) -> Vec<Duration> {
        let runs = |action| matches!(action, Action::Run | Action::Unknown);
        let known: Vec<Duration> =
            self.steps().filter(|step| runs(step.action)).filter_map(|step| step.decision.took).collect();
        let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let mean = known.iter().sum::<Duration>().checked_div(count).unwrap_or_default();
        let mut remaining: Vec<Duration> = self
            .steps()
            .map(|step| if runs(step.action) { step.decision.took.unwrap_or(mean) } else { Duration::ZERO })
            .collect();
        if !known.is_empty() {
            for place in (0..remaining.len()).rev() {
                let after = self.graph.outputs_at(place).map(|(_, to)| remaining[to]).max().unwrap_or_default();
                remaining[place] += after;
            }
        }
        remaining
    }

    fn wall(&self, takes: &[Option<Duration>], slots: usize) -> Duration {
        let mut free: BinaryHeap<Reverse<Duration>> =
            std::iter::repeat_n(Reverse(Duration::ZERO), slots.min(self.graph.builds.len())).collect();
        let mut ends = vec![Duration::ZERO; takes.len()];
        let mut latest = Duration::ZERO;
        // The nodes of a build follow one another.
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (place, node) in self.graph.nodes().enumerate() {
            match ranges.last_mut().filter(|range| self.graph.at(range.start).build == node.build) {
                Some(range) => range.end = place + 1,
                None => ranges.push(place..place + 1),
            }
        }
        let remaining = self.remaining();
        ranges.sort_by_key(|range| Reverse(remaining[range.start]));
        for nodes in ranges {
            if takes[nodes.clone()].iter().all(Option::is_none) {
                continue;
            }
            let Reverse(start) = free.pop().unwrap_or_default();
            let mut build_end = start;
            for at in nodes {
                let ready = self.graph.inputs_at(at).map(|(_, from)| ends[from]).max().unwrap_or_default();
                ends[at] = ready.max(start) + takes[at].unwrap_or_default();
                build_end = build_end.max(ends[at]);
            }
            free.push(Reverse(build_end));
            latest = latest.max(build_end);
        }
        latest
    }
}
