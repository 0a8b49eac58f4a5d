//! Data sources in a graph: what is asked for before there is a plan, and who uses the answer.

use std::sync::Arc;
use std::time::Duration;

use super::{Graph, Node, NodeId};

/// A data source. It belongs to no build, and its answer stands before the plan does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// Its name, `data/<type>/<name>`.
    pub id: NodeId,
    /// Its type, such as `http`.
    pub component: Arc<str>,
    /// What was asked, in a line for people.
    pub title: String,
    /// The data sources that its options were worked out from, in the order of the graph.
    pub needs: Vec<NodeId>,
    /// Whether it was asked, and how long that took; none if its values are not known.
    pub asked: Option<Duration>,
}

impl DataSource {
    /// Says why there is an answer, or none.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.asked {
            Some(_) => "asked whenever a plan is made",
            None => "was not asked",
        }
    }

    /// Returns the word for what is done with it, as nodes have one.
    #[must_use]
    pub fn action(&self) -> &'static str {
        if self.asked.is_some() { "run" } else { "unknown" }
    }
}

impl NodeId {
    /// Makes the id of a data source.
    #[must_use]
    pub fn of_data(kind: &str, name: &str) -> Self {
        Self(format!("data/{kind}/{name}").into())
    }
}

impl Node {
    /// Names the data sources that its options were worked out from.
    #[must_use]
    pub fn data(&self) -> Vec<NodeId> {
        let used = self.origins.iter().flat_map(|origin| &origin.usage.data);
        let mut ids: Vec<NodeId> = used.map(|(kind, name)| NodeId::of_data(kind, name)).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

impl Graph {
    /// Finds a data source.
    #[must_use]
    pub fn data_source(&self, id: &NodeId) -> Option<&DataSource> {
        self.data.iter().find(|data| data.id == *id)
    }

    /// Finds the data sources that a node uses and that have not answered.
    pub(crate) fn unasked(&self, node: &Node) -> Vec<&DataSource> {
        if self.data.iter().all(|data| data.asked.is_some()) {
            return Vec::new();
        }
        let used = node.data();
        self.data.iter().filter(|data| data.asked.is_none() && used.contains(&data.id)).collect()
    }

    /// Names what uses a data source: other data sources, then nodes.
    #[must_use]
    pub fn users_of(&self, id: &NodeId) -> Vec<&NodeId> {
        let data = self.data.iter().filter(|data| data.needs.contains(id)).map(|data| &data.id);
        data.chain(self.nodes().filter(|node| node.data().contains(id)).map(|node| &node.id)).collect()
    }
}
