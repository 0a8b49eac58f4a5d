//! Which nodes wait, which are ready, which have ended: plain data, no async.

use std::collections::{BTreeSet, HashMap};

use rpk_planner::graph::{Edge, NodeId};
use rpk_planner::plan::{Action, Plan, Step};

use crate::event::NodeStatus;

/// Tells whether there is something to do for a step, be it just to go on from a stored state.
///
/// What is not known before other nodes have run is run, to be on the safe side.
pub(crate) fn has_work(step: &Step<'_>) -> bool {
    matches!(step.action, Action::Run | Action::Unknown) || step.decision.is_start
}

/// The states of the nodes that a plan runs.
#[derive(Debug)]
pub(crate) struct States {
    nodes: Vec<NodeState>,
    index: HashMap<NodeId, usize>,
    /// Ordered, so that nodes start in the plan's order.
    ready: BTreeSet<usize>,
    open: usize,
    /// How many nodes of each build have not ended.
    open_of: HashMap<usize, usize>,
}

#[derive(Debug)]
struct NodeState {
    id: NodeId,
    build: usize,
    /// How many inputs have not ended.
    waiting_for: usize,
    is_running: bool,
    has_ended: bool,
    outputs: Vec<(Edge, usize)>,
}

impl States {
    /// Takes the nodes that the plan runs, or from whose stored state it goes on; the others have ended before the run
    /// begins.
    pub fn new(plan: &Plan) -> Self {
        let mut nodes = Vec::new();
        let mut index = HashMap::new();
        for step in plan.steps().filter(|step| has_work(step)) {
            index.insert(step.node.id.clone(), nodes.len());
            nodes.push(NodeState {
                id: step.node.id.clone(),
                build: step.node.build,
                waiting_for: 0,
                is_running: false,
                has_ended: false,
                outputs: Vec::new(),
            });
        }
        for at in 0..nodes.len() {
            let outputs: Vec<(Edge, usize)> = plan
                .graph
                .outputs(&nodes[at].id)
                .filter_map(|(edge, node)| Some((edge, *index.get(&node.id)?)))
                .collect();
            for (_, target) in &outputs {
                nodes[*target].waiting_for += 1;
            }
            nodes[at].outputs = outputs;
        }
        let ready = (0..nodes.len()).filter(|at| nodes[*at].waiting_for == 0).collect();
        let mut open_of = HashMap::new();
        for node in &nodes {
            *open_of.entry(node.build).or_default() += 1;
        }
        Self { open: nodes.len(), nodes, index, ready, open_of }
    }

    /// Takes the next ready node that `may_start` lets through, given its id and build, and marks it as running.
    pub fn start_next(&mut self, mut may_start: impl FnMut(&NodeId, usize) -> bool) -> Option<NodeId> {
        let at = *self.ready.iter().find(|at| {
            let node = &self.nodes[**at];
            may_start(&node.id, node.build)
        })?;
        self.ready.remove(&at);
        self.nodes[at].is_running = true;
        Some(self.nodes[at].id.clone())
    }

    /// Ends a running node and returns the nodes that can no longer run for it, which have ended as cancelled.
    pub fn end(&mut self, id: &NodeId, status: NodeStatus) -> Vec<NodeId> {
        let mut cancelled = Vec::new();
        let mut ended = self.index.get(id).map(|at| vec![(*at, status)]).unwrap_or_default();
        while let Some((at, status)) = ended.pop() {
            if std::mem::replace(&mut self.nodes[at].has_ended, true) {
                continue;
            }
            self.open -= 1;
            self.close(at);
            self.ready.remove(&at);
            self.nodes[at].is_running = false;
            for (edge, target) in self.nodes[at].outputs.clone() {
                let state = &mut self.nodes[target];
                if state.has_ended {
                    continue;
                }
                state.waiting_for -= 1;
                if edge != Edge::Order && !status.is_success() {
                    cancelled.push(state.id.clone());
                    ended.push((target, NodeStatus::Cancelled));
                } else if state.waiting_for == 0 {
                    self.ready.insert(target);
                }
            }
        }
        cancelled
    }

    /// Ends all nodes that have not started, as cancelled, and returns them in the plan's order.
    pub fn cancel_waiting(&mut self) -> Vec<NodeId> {
        let waiting: Vec<usize> =
            (0..self.nodes.len()).filter(|at| !self.nodes[*at].is_running && !self.nodes[*at].has_ended).collect();
        for at in &waiting {
            self.nodes[*at].has_ended = true;
            self.close(*at);
        }
        self.open -= waiting.len();
        self.ready.clear();
        waiting.into_iter().map(|at| self.nodes[at].id.clone()).collect()
    }

    /// Counts a node of its build out.
    fn close(&mut self, at: usize) {
        if let Some(open) = self.open_of.get_mut(&self.nodes[at].build) {
            *open -= 1;
        }
    }

    /// Tells whether all nodes have ended.
    pub fn all_ended(&self) -> bool {
        self.open == 0
    }

    /// Tells whether all nodes of a build have ended.
    pub fn build_has_ended(&self, build: usize) -> bool {
        self.open_of.get(&build).is_none_or(|open| *open == 0)
    }
}
