//! Cache keys: when may an earlier result stand in for running a node?
//!
//! A key covers what a node is told (its component, the component's version, its options, resolved), what it reads
//! (digests of the files it names, of the image it starts from) and what it is given (the keys of its inputs). Names
//! shown to people, timeouts, retries and parallelism stay out.
//!
//! One walk, [`describe`], serves two sinks, so that what is explained cannot drift from what is hashed: [`key`] and
//! [`inputs`].

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::graph::{Edge, Graph, Node, NodeId, NodeKind};
use crate::value::redactor::Redactor;

/// Identifies the result of a node: equal keys, interchangeable results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        f.write_str(str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

/// A text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cache key is 64 hexadecimal digits")]
pub struct NoKey;

impl FromStr for CacheKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoKey);
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| NoKey)?;
        }
        Ok(Self(bytes))
    }
}

impl From<CacheKey> for String {
    fn from(key: CacheKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for CacheKey {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        text.parse()
    }
}

/// One thing that a node's result depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it is: `inline[0]`, `file:app/server.js`, `var:tag`, `image`, `upstream:web/provision/0`.
    pub path: String,
    /// Its value, as far as it may be told.
    pub value: InputValue,
    /// For a value that was worked out: a digest of what stands in the template, and the inputs that it has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<InputOrigin>,
}

/// Where the value of an input came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputOrigin {
    /// A digest of what stands in the template.
    pub written: String,
    /// The paths of other inputs that the value was made from, such as `var:tag`.
    pub used: Vec<String>,
}

impl Input {
    /// Makes an input that stands in the template as it is, or comes from outside.
    #[must_use]
    pub fn new(path: impl Into<String>, value: InputValue) -> Self {
        Self { path: path.into(), value, origin: None }
    }
}

/// The value of an input, in the form in which it is compared, shown and stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputValue {
    /// A value that may be shown: JSON, or a text as it is.
    Text(String),
    /// The content of a file or of an image.
    Content {
        /// Its digest, such as `sha256:…`.
        digest: String,
        /// Its size, where there is one.
        size_bytes: Option<u64>,
    },
    /// A value that must not be shown: a keyed digest, so that a guess cannot be checked against a stolen cache.
    Sensitive {
        /// The digest, keyed with the store's own secret.
        digest: String,
    },
    /// Not known before another node has run.
    Unknown,
}

impl fmt::Display for InputValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Content { digest, .. } => f.write_str(digest),
            Self::Sensitive { .. } => f.write_str("<sensitive>"),
            Self::Unknown => f.write_str("not known yet"),
        }
    }
}

/// What the world says about one node before anything is run; gathered by whoever can look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Contents that the node reads, by input path; unknown ones are [`InputValue::Unknown`].
    ///
    /// - `image`: the digest of the image that a boot starts from;
    /// - `file:PATH` for each of [`Node::reads`], and `file:PATH/NAME` for each file below if it is a folder. An
    ///   entry of a tree has its mode in the digest. A file that does not exist has the text `missing`;
    /// - `platform`: a text, what kind of machine the engine makes.
    pub contents: Vec<Input>,
}

/// Answers for the world; gathered before planning, since a planner looks at nothing itself.
pub trait Facts {
    /// Returns what is known of a node's files and images.
    fn node(&self, id: &NodeId) -> Option<&NodeFacts>;
}

/// Knows nothing: for graphs whose nodes read no files and start from no image.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn node(&self, _: &NodeId) -> Option<&NodeFacts> {
        None
    }
}

impl Facts for std::collections::HashMap<NodeId, NodeFacts> {
    fn node(&self, id: &NodeId) -> Option<&NodeFacts> {
        self.get(id)
    }
}

/// One node with all that its key depends on.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The graph that it is in.
    pub graph: &'a Graph,
    /// Its place there.
    pub place: usize,
    /// What is known of its files and image.
    pub facts: Option<&'a NodeFacts>,
    /// The keys of all nodes before it, by place.
    pub keys: &'a [Option<CacheKey>],
    /// Keys the digests of sensitive values.
    pub secret: &'a [u8; 32],
}

/// Works out the key of a node; none as long as something that it depends on is not known.
#[must_use]
pub fn key(subject: Subject<'_>) -> Option<CacheKey> {
    let mut sink =
        Hashing { redactor: &subject.graph.redactor, secret: subject.secret, hasher: Sha256::new(), is_whole: true };
    // Raised when the walk changes, after which no older key may match.
    sink.field(b"rpk key 1");
    describe(subject, &mut sink);
    sink.is_whole.then(|| CacheKey(sink.hasher.finalize().into()))
}

/// Lists the inputs of a node: what its key was made from, in the form that may be shown and stored.
#[must_use]
pub fn inputs(subject: Subject<'_>) -> Vec<Input> {
    let node = subject.graph.at(subject.place);
    let mut sink = Listing { subject, inputs: Vec::new() };
    describe(subject, &mut sink);
    let mut inputs = sink.inputs;
    for origin in node.origins.iter() {
        // An option of several lines, such as a list that one expression gives, is told by its parts.
        let covers = |path: &str| {
            path.strip_prefix(origin.option.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        };
        let variables = origin.usage.variables.iter().map(|name| format!("var:{name}"));
        let used: Vec<String> = variables.chain(origin.usage.files.iter().map(|path| format!("file:{path}"))).collect();
        let written = keyed(subject.secret, &origin.written);
        // What the template's language gave comes first, and what `{{ … }}` in it have made of that second.
        for input in inputs.iter_mut().filter(|input| input.origin.is_none() && covers(&input.path)) {
            input.origin = Some(InputOrigin { written: written.clone(), used: used.clone() });
        }
    }
    inputs
}

/// The value of one input on its way to a sink.
enum Part<'a> {
    Text(&'a str),
    Json(&'a Json),
    Content(&'a InputValue),
    Upstream(&'a NodeId, Option<CacheKey>),
}

/// Takes the inputs of a node, one after the other.
trait Sink {
    fn put(&mut self, path: &str, part: Part<'_>);
}

/// Walks over everything that a node's result depends on, always in the same order.
fn describe(subject: Subject<'_>, sink: &mut dyn Sink) {
    let Subject { graph, place, facts, .. } = subject;
    let node = graph.at(place);
    let moment = node.kind.moment();
    sink.put("rpk:component", Part::Text(&node.component));
    sink.put("rpk:version", Part::Json(&Json::from(node.recipe.version)));
    if let Some(implementation) = &node.recipe.implementation {
        sink.put("rpk:plugin", Part::Text(implementation));
    }
    match node.kind {
        // An artifact has one owner: taken away from one, it must not be missing for another of the same content.
        NodeKind::Capture | NodeKind::PostProcess { .. } => sink.put("rpk:node", Part::Text(node.id.as_str())),
        NodeKind::Boot | NodeKind::Provision { .. } | NodeKind::ErrorCleanup => {
            sink.put("rpk:node", Part::Text(node.kind.word()));
        }
    }
    if !matches!(node.kind, NodeKind::Boot | NodeKind::Capture) {
        // Scripts see them though nobody has declared them.
        let names = graph.build_of(node).names();
        sink.put("rpk:build_name", Part::Text(names.name));
        sink.put("rpk:builder_type", Part::Text(names.builder_type));
    }
    if let NodeKind::PostProcess { .. } = node.kind {
        sink.put("keep_input_artifact", Part::Json(&Json::Bool(node.keeps_input)));
    }
    let mut path = String::new();
    for (name, value) in node.settings.iter() {
        // The image counts by its content, not by its name.
        let is_image = node.recipe.image_option == Some(name.as_str());
        if node.recipe.matters(name, moment) && !is_image {
            path.clear();
            path.push_str(name);
            leaves(value, &mut path, sink);
        }
    }
    variables(graph, node, sink);
    contents(graph, node, facts, sink);
    let mut given: Vec<(Edge, usize)> = graph.inputs_at(place).filter(|(edge, _)| *edge != Edge::Order).collect();
    given.sort_by_key(|(_, from)| *from);
    for (_, from) in given {
        let upstream = graph.at(from);
        sink.put("upstream:", Part::Upstream(&upstream.id, subject.keys.get(from).copied().flatten()));
    }
}

/// Walks over the leaves of an option's value.
fn leaves(value: &Json, path: &mut String, sink: &mut dyn Sink) {
    let length = path.len();
    match value {
        Json::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(path, "[{index}]");
                leaves(item, path, sink);
                path.truncate(length);
            }
        }
        Json::Object(map) if !map.is_empty() => {
            // Maps are walked in the order of their names: two templates may write them differently.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            for (name, item) in entries {
                path.push('.');
                path.push_str(name);
                leaves(item, path, sink);
                path.truncate(length);
            }
        }
        Json::String(text) => sink.put(path, Part::Text(text)),
        other => sink.put(path, Part::Json(other)),
    }
}

/// Walks over the variables that options have used: a text that is rendered only later does not show their values.
fn variables(graph: &Graph, node: &Node, sink: &mut dyn Sink) {
    let mut names: Vec<&str> = node
        .origins
        .iter()
        .filter(|origin| {
            let option = origin.option.split(['[', '.']).next().unwrap_or_default();
            node.recipe.matters(option, node.kind.moment()) && node.recipe.image_option != Some(option)
        })
        .flat_map(|origin| origin.usage.variables.iter().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if let Some(variable) = graph.variables.get(name) {
            sink.put(&format!("var:{name}"), Part::Text(&variable.value));
        }
    }
}

/// Walks over the contents that a node reads; what nobody has looked at is unknown.
fn contents(graph: &Graph, node: &Node, facts: Option<&NodeFacts>, sink: &mut dyn Sink) {
    for data in graph.unasked(node) {
        sink.put(data.id.as_str(), Part::Content(&InputValue::Unknown));
    }
    let mut found: Vec<&Input> = facts.map_or(&[][..], |facts| &facts.contents).iter().collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    for input in &found {
        sink.put(&input.path, Part::Content(&input.value));
    }
    let has = |path: &str| found.iter().any(|input| input.path == path);
    if node.kind == NodeKind::Boot
        // What another build makes counts as that.
        && node.chained.is_empty()
        && node.recipe.image_option.is_some_and(|option| node.settings.contains_key(option))
        && !has("image")
    {
        sink.put("image", Part::Content(&InputValue::Unknown));
    }
    for read in &node.reads {
        let path = format!("file:{}", read.path);
        if !has(&path) {
            sink.put(&path, Part::Content(&InputValue::Unknown));
        }
    }
}

/// Digests a text that must not be shown, so that without the secret no guess can be checked.
pub(crate) fn keyed(secret: &[u8; 32], text: &str) -> String {
    let inner = Sha256::new().chain_update(secret).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(secret).chain_update(inner).finalize();
    outer[..16].iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Makes the key.
struct Hashing<'a> {
    redactor: &'a Redactor,
    secret: &'a [u8; 32],
    hasher: Sha256,
    is_whole: bool,
}

impl Hashing<'_> {
    /// Takes bytes together with their number, so that no two rows of fields read alike.
    fn field(&mut self, bytes: &[u8]) {
        self.hasher.update((bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }
}

impl Sink for Hashing<'_> {
    fn put(&mut self, path: &str, part: Part<'_>) {
        self.field(path.as_bytes());
        match part {
            // Plans show keys: without the store's secret nobody may check a guess of a sensitive value against one.
            Part::Text(text) if self.redactor.hides(text) => {
                self.field(b"s");
                self.field(keyed(self.secret, text).as_bytes());
            }
            Part::Text(text) => {
                self.field(b"t");
                self.field(text.as_bytes());
            }
            Part::Json(value) => {
                self.field(b"j");
                self.field(value.to_string().as_bytes());
            }
            Part::Content(InputValue::Unknown) => self.is_whole = false,
            Part::Content(value) => {
                self.field(b"c");
                let text = match value {
                    InputValue::Text(text) => text,
                    InputValue::Content { digest, .. } | InputValue::Sensitive { digest } => digest,
                    InputValue::Unknown => "",
                };
                self.field(text.as_bytes());
            }
            Part::Upstream(_, Some(key)) => self.field(key.as_bytes()),
            Part::Upstream(_, None) => self.is_whole = false,
        }
    }
}

/// Makes the list that is shown and stored.
struct Listing<'a> {
    subject: Subject<'a>,
    inputs: Vec<Input>,
}

impl Sink for Listing<'_> {
    fn put(&mut self, path: &str, part: Part<'_>) {
        let redactor = &self.subject.graph.redactor;
        let (path, value) = match part {
            Part::Text(text) if redactor.hides(text) => {
                (redactor.redact(path), InputValue::Sensitive { digest: keyed(self.subject.secret, text) })
            }
            Part::Text(text) => (redactor.redact(path), InputValue::Text(text.to_owned())),
            Part::Json(value) => (redactor.redact(path), InputValue::Text(value.to_string())),
            Part::Content(value) => (redactor.redact(path), value.clone()),
            Part::Upstream(id, key) => {
                let value = key.map_or(InputValue::Unknown, |key| InputValue::Text(key.to_string()));
                (format!("upstream:{id}"), value)
            }
        };
        self.inputs.push(Input::new(path, value));
    }
}
