//! Which nodes wait, which are ready, which have ended: plain data, no async.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use rpk_planner::catalog::Load;
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
    /// The ready nodes of builds that have begun, by what they keep busy.
    ready: [BTreeSet<Rank>; Load::ALL.len()],
    /// The ready nodes of builds that have not.
    fresh: [BTreeSet<Rank>; Load::ALL.len()],
    /// The same by build.
    fresh_of: HashMap<usize, Vec<usize>>,
    /// The builds that have begun.
    begun: HashSet<usize>,
    open: usize,
    /// How many nodes of each build have not ended.
    open_of: HashMap<usize, usize>,
}

/// What starts first: the longest way to go, then the plan's order.
type Rank = (Reverse<Duration>, usize);

/// Which nodes may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Whether a build may begin.
    pub build: bool,
    /// Whether another node may run that keeps this busy, in the order of [`Load::ALL`].
    pub load: [bool; Load::ALL.len()],
}

#[derive(Debug)]
struct NodeState {
    id: NodeId,
    build: usize,
    load: Load,
    /// How long it is from its start to the end of all that follows.
    remaining: Duration,
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
        let remaining = plan.remaining();
        let mut nodes = Vec::new();
        let mut index = HashMap::new();
        for step in plan.steps().filter(|step| has_work(step)) {
            index.insert(step.node.id.clone(), nodes.len());
            nodes.push(NodeState {
                id: step.node.id.clone(),
                build: step.node.build,
                load: step.node.load,
                remaining: remaining[step.place],
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
        let mut open_of = HashMap::new();
        for node in &nodes {
            *open_of.entry(node.build).or_default() += 1;
        }
        let mut states = Self {
            open: nodes.len(),
            nodes,
            index,
            ready: Default::default(),
            fresh: Default::default(),
            fresh_of: HashMap::new(),
            begun: HashSet::new(),
            open_of,
        };
        for at in 0..states.nodes.len() {
            if states.nodes[at].waiting_for == 0 {
                states.make_ready(at);
            }
        }
        states
    }

    fn make_ready(&mut self, at: usize) {
        let node = &self.nodes[at];
        let rank = (Reverse(node.remaining), at);
        if self.begun.contains(&node.build) {
            self.ready[node.load as usize].insert(rank);
        } else {
            self.fresh[node.load as usize].insert(rank);
            self.fresh_of.entry(node.build).or_default().push(at);
        }
    }

    fn make_unready(&mut self, at: usize) {
        let node = &self.nodes[at];
        let rank = (Reverse(node.remaining), at);
        let _ = self.ready[node.load as usize].remove(&rank) || self.fresh[node.load as usize].remove(&rank);
    }

    /// Takes the next ready node that there is room for, and marks it as running.
    ///
    /// A build that has begun goes on before a new one begins.
    pub fn start_next(&mut self, room: Room) -> Option<(NodeId, Load)> {
        let first = |queues: &[BTreeSet<Rank>]| {
            let open = queues.iter().zip(room.load).filter(|(_, has_room)| *has_room);
            open.filter_map(|(queue, _)| queue.first()).min().map(|(_, at)| *at)
        };
        let at = first(&self.ready).or_else(|| room.build.then(|| first(&self.fresh)).flatten())?;
        self.make_unready(at);
        self.begin(self.nodes[at].build);
        self.nodes[at].is_running = true;
        Some((self.nodes[at].id.clone(), self.nodes[at].load))
    }

    /// Lets the other ready nodes of a build go before new builds.
    fn begin(&mut self, build: usize) {
        if !self.begun.insert(build) {
            return;
        }
        for at in self.fresh_of.remove(&build).unwrap_or_default() {
            let rank = (Reverse(self.nodes[at].remaining), at);
            let load = self.nodes[at].load as usize;
            if self.fresh[load].remove(&rank) {
                self.ready[load].insert(rank);
            }
        }
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
            self.make_unready(at);
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
                    self.make_ready(target);
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
        self.ready.iter_mut().chain(&mut self.fresh).for_each(BTreeSet::clear);
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
