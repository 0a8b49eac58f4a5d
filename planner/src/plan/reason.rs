//! Why an action was chosen, as data and in words.

use std::borrow::Cow;

use crate::graph::{Exclusion, NodeId};
use crate::key::InputValue;

/// An input that is another than last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path, such as `inline[0]` or `var:tag`.
    pub input: String,
    /// Its value last time; none if it is new.
    pub before: Option<InputValue>,
    /// Its value now; none if it is gone.
    pub after: Option<InputValue>,
}

/// Why an action was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has never been run before.
    NeverBuilt,
    /// Inputs of its own are others than last time.
    InputChanged(Vec<Change>),
    /// A node that it depends on runs; this is the first such node on the way.
    UpstreamRuns(NodeId),
    /// What it depends on is known only once this node has run.
    UpstreamUnknown(NodeId),
    /// It was run with these inputs, but its result is no longer stored.
    CacheEvicted,
    /// It is run each time; the words say why.
    NotCacheable(String),
    /// It uses functions whose answer is another at each run.
    Volatile(Vec<String>),
    /// The command line asks for it.
    Forced,
    /// A part of its result was changed or deleted; the words say which.
    ArtifactMissing(String),
    /// This node runs and needs the state that this one leaves, which is not stored.
    StateMissing(NodeId),
    /// What it starts from or reads could not be looked at.
    SourceUnknown,
    /// Its stored result is used.
    Cached,
    /// Its stored result is used: files that were lost are put back; the words say what became of them.
    CachedCopy(String),
    /// Its stored result is used: the machine's state, from which the build goes on.
    CachedState,
    /// Something leaves it out.
    Excluded(Exclusion),
    /// It is there for the case that another node fails.
    OnlyAfterFailure,
    /// No node that the command line names needs it.
    NotTargeted,
}

impl Reason {
    /// Returns the stable code that machines read.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeverBuilt => "never-built",
            Self::InputChanged(_) => "input-changed",
            Self::UpstreamRuns(_) => "upstream-runs",
            Self::UpstreamUnknown(_) | Self::SourceUnknown => "upstream-unknown",
            Self::CacheEvicted => "cache-evicted",
            Self::NotCacheable(_) => "not-cacheable",
            Self::Volatile(_) => "volatile",
            Self::Forced => "forced",
            Self::ArtifactMissing(_) | Self::StateMissing(_) => "artifact-missing",
            Self::Cached | Self::CachedCopy(_) | Self::CachedState => "cached",
            Self::Excluded(_) | Self::OnlyAfterFailure | Self::NotTargeted => "excluded",
        }
    }

    /// Lists the changed inputs.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::InputChanged(changes) => changes,
            _ => &[],
        }
    }

    /// Says it in plain words.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::NeverBuilt => "never built".into(),
            Self::InputChanged(changes) => {
                let named: Vec<String> = changes.iter().map(Change::name).collect();
                format!("{} changed", named.join(", ")).into()
            }
            Self::UpstreamRuns(node) => format!("{node} runs").into(),
            Self::UpstreamUnknown(node) => format!("known once {node} has run").into(),
            Self::CacheEvicted => "its result is no longer stored".into(),
            Self::NotCacheable(words) | Self::ArtifactMissing(words) => words.as_str().into(),
            Self::Volatile(names) => {
                let named: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("uses {}, which differs every time", named.join(", ")).into()
            }
            Self::Forced => "asked for on the command line".into(),
            Self::StateMissing(node) => format!("{node} runs, and nothing to go on from is stored").into(),
            Self::SourceUnknown => "what it starts from or reads is not known yet".into(),
            Self::Cached => "nothing changed".into(),
            Self::CachedCopy(words) => format!("nothing changed; {words}, and is put back").into(),
            Self::CachedState => "nothing changed; the build goes on from its stored state".into(),
            Self::Excluded(Exclusion::Build) => "its build is not selected".into(),
            Self::Excluded(Exclusion::Filter) => "left out by the template's only/except".into(),
            Self::Excluded(Exclusion::Except) => "left out by -except".into(),
            Self::OnlyAfterFailure => "runs only if a provisioner fails".into(),
            Self::NotTargeted => "no target needs it".into(),
        }
    }
}

impl Change {
    /// Names the input in words.
    #[must_use]
    pub fn name(&self) -> String {
        match self.input.split_once(':') {
            Some(("file", path)) => format!("file `{path}`"),
            Some(("var", name)) => format!("variable `{name}`"),
            Some(("upstream", node)) => format!("what {node} gives"),
            Some(("rpk", "version")) => "rpk's implementation".to_owned(),
            Some(("rpk", name)) => format!("`{name}`"),
            _ if self.input == "image" => "base image".to_owned(),
            _ => format!("`{}`", self.input),
        }
    }
}
