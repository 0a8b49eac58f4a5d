//! The last runs of a template's nodes: what a plan compares with, and how long things take.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use rpk_planner::graph::NodeId;
use rpk_planner::plan::LastRun;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Cache, disk};

/// The last successful runs of a template's nodes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LastRuns {
    /// The template, as an absolute path.
    template: PathBuf,
    nodes: HashMap<NodeId, LastRun>,
}

impl LastRuns {
    /// Loads those of a template, as the user named it.
    #[must_use]
    pub fn load(cache: &Cache, template: &str) -> Self {
        let template = absolute(template);
        let loaded: Option<Self> = disk::read_json(&path(cache, &template));
        loaded.unwrap_or_else(|| Self { template, nodes: HashMap::new() })
    }

    /// Stores them. Another process that has stored the same template's meanwhile keeps the nodes that are not here.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn store(&self, cache: &Cache) -> io::Result<()> {
        let path = path(cache, &self.template);
        let mut all: Self = disk::read_json(&path).unwrap_or_default();
        all.template.clone_from(&self.template);
        all.nodes.extend(self.nodes.iter().map(|(id, last)| (id.clone(), last.clone())));
        disk::write_json(&path, &all, false)
    }

    /// Returns the last run of a node.
    #[must_use]
    pub fn get(&self, node: &NodeId) -> Option<&LastRun> {
        self.nodes.get(node)
    }

    /// Takes note of a run.
    pub fn set(&mut self, node: NodeId, last: LastRun) {
        self.nodes.insert(node, last);
    }

    /// Starts a list of just what is new, to be stored.
    #[must_use]
    pub fn news(&self) -> Self {
        Self { template: self.template.clone(), nodes: HashMap::new() }
    }

    /// Tells whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

fn absolute(template: &str) -> PathBuf {
    std::fs::canonicalize(template).or_else(|_| std::path::absolute(template)).unwrap_or_else(|_| template.into())
}

fn path(cache: &Cache, template: &Path) -> PathBuf {
    let digest = Sha256::digest(template.as_os_str().as_encoded_bytes());
    let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    cache.root().join("templates").join(format!("{name}.json"))
}
