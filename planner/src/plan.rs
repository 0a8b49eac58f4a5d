//! Graph to plan: what will be done with each node, and why.
//!
//! A plan is plain data: it is printed, compared in code review and run. Apply runs what the plan says and nothing
//! else, so every choice is made here.

use crate::graph::{Exclusion, Graph, Node, NodeKind};

/// What is done with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is run.
    Run,
    /// It is left out.
    Skip,
}

impl Action {
    /// Returns the word that people and machines read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Skip => "skipped",
        }
    }
}

/// Why an action was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no stored result that could stand in for running it.
    NeverBuilt,
    /// Something leaves it out.
    Excluded(Exclusion),
    /// It is there for the case that another node fails.
    OnlyAfterFailure,
}

impl Reason {
    /// Returns the stable code that machines read.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NeverBuilt => "never-built",
            Self::Excluded(_) | Self::OnlyAfterFailure => "excluded",
        }
    }

    /// Says it in plain words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NeverBuilt => "no stored result",
            Self::Excluded(Exclusion::Build) => "its build is not selected",
            Self::Excluded(Exclusion::Filter) => "left out by the template's only/except",
            Self::Excluded(Exclusion::Except) => "left out by -except",
            Self::OnlyAfterFailure => "runs only if a provisioner fails",
        }
    }
}

/// One node with its decision.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The node.
    pub node: &'a Node,
    /// What is done with it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// The decided graph.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The template's path as the user gave it.
    pub template: String,
    /// The container engine that will be used, if any node needs one.
    pub engine: Option<String>,
    /// The nodes and edges.
    pub graph: Graph,
}

/// How many nodes meet which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All nodes.
    pub total: usize,
    /// Those that are run.
    pub run: usize,
    /// Those that are left out.
    pub skipped: usize,
}

impl Plan {
    /// Iterates over all steps, each after everything that it depends on.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.graph.nodes().map(|node| {
            let (action, reason) = decide(node);
            Step { node, action, reason }
        })
    }

    /// Counts the steps.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in self.steps() {
            summary.total += 1;
            match step.action {
                Action::Run => summary.run += 1,
                Action::Skip => summary.skipped += 1,
            }
        }
        summary
    }
}

/// Decides what is done with a graph's nodes.
#[must_use]
pub fn plan(graph: Graph, template: &str, engine: Option<String>) -> Plan {
    Plan { template: template.to_owned(), engine, graph }
}

fn decide(node: &Node) -> (Action, Reason) {
    match (node.excluded, &node.kind) {
        (Some(exclusion), _) => (Action::Skip, Reason::Excluded(exclusion)),
        (None, NodeKind::ErrorCleanup) => (Action::Skip, Reason::OnlyAfterFailure),
        (None, _) => (Action::Run, Reason::NeverBuilt),
    }
}
