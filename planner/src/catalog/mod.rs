//! What the planner may ask about a component: its options, its checks, what it makes.
//!
//! | file | holds |
//! | --- | --- |
//! | `option.rs` | one option of a component, and how written values become it |
//! | `caching.rs` | what a component says of the reuse of its results |
//! | `decode.rs` | a component's options, checked and normalised, all problems together |
//! | `schema.rs` | a JSON Schema of templates, for editors |
//! | `known.rs` | Packer components that rpk does not build in, by name |
//!
//! The planner knows no component itself. Whoever runs components answers for [`Catalog`]; a component describes
//! itself with a [`ComponentSpec`], which is data, so that validation, editors' schemas and documentation read one
//! table.

mod caching;
mod decode;
mod known;
mod option;
mod schema;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub use caching::{Caching, Reads, Recipe};
pub use decode::{Decoding, decode};
pub use known::{known_components, plugin_of};
pub use option::{
    OptionSpec, OptionType, Rendering, block, block_list, boolean, duration, integer, integer_list, matrix, object,
    string, string_list, string_map,
};
pub use schema::legacy_schema;

/// A component's options after checking: names to values of the declared types, defaults not filled in.
pub type Settings = serde_json::Map<String, serde_json::Value>;

/// The kinds of component that a template names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ComponentKind {
    /// Makes a machine from a source.
    Builder,
    /// Changes a machine.
    Provisioner,
    /// Takes an artifact and gives one.
    PostProcessor,
    /// Gives values that templates use.
    DataSource,
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Builder => "builder",
            Self::Provisioner => "provisioner",
            Self::PostProcessor => "post-processor",
            Self::DataSource => "data source",
        })
    }
}

/// A problem that a component's own check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The option to underline; none means the whole block.
    pub option: Option<String>,
    /// What is wrong, as a fragment.
    pub message: String,
    /// What to do, as an imperative.
    pub help: Option<String>,
    /// Whether the template is refused for it.
    pub is_error: bool,
}

impl Problem {
    /// Makes a problem with one option.
    #[must_use]
    pub fn with(option: &str, message: impl Into<String>) -> Self {
        Self { option: Some(option.to_owned()), ..Self::of_block(message) }
    }

    /// Makes a problem of the block as a whole.
    #[must_use]
    pub fn of_block(message: impl Into<String>) -> Self {
        Self { option: None, message: message.into(), help: None, is_error: true }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.is_error = false;
        self
    }
}

/// What kind of thing travels along an artifact edge, as far as it can be known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactKind {
    /// An image in a container engine's store.
    Image,
    /// Files on this machine.
    Files,
    /// Something without files, such as a machine that was only provisioned.
    Nothing,
    /// Not known beforehand.
    Unknown,
}

impl fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "an image",
            Self::Files => "files",
            Self::Nothing => "no files",
            Self::Unknown => "an artifact",
        })
    }
}

/// What a post-processor does with artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFlow {
    /// The kinds that it can take; empty means any.
    pub takes: &'static [ArtifactKind],
    /// The kind that it gives; none means the one that it was given.
    pub gives: Option<ArtifactKind>,
    /// Whether the artifact that goes in is kept where the template does not say.
    pub keeps_input: bool,
    /// Whether a template may not say otherwise.
    pub keep_is_forced: bool,
}

/// What a component's own function says of checked options.
pub type Check = Arc<dyn Fn(&Settings) -> Vec<Problem> + Send + Sync>;

/// What a component does in a few words, for the plan.
pub type Describe = Arc<dyn Fn(&Settings, Moment) -> String + Send + Sync>;

/// Tells which build data a builder adds, from its options.
pub type Announces = Arc<dyn Fn(&Settings) -> Vec<String> + Send + Sync>;

/// Tells what a builder's capture gives, from its options.
pub type Captures = Arc<dyn Fn(&Settings) -> ArtifactKind + Send + Sync>;

/// Which node of a component is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A builder starts its machine.
    Boot,
    /// A builder captures its artifact.
    Capture,
    /// A provisioner or a post-processor runs.
    Run,
}

/// What a node keeps busy while it runs, so that no more of a kind run at once than that can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Load {
    /// Something that is not this machine's, or nothing much: a container's commands, a server far away.
    #[default]
    Elsewhere,
    /// The container engine itself: starting machines, taking and moving images.
    Engine,
    /// The processors of this machine.
    Processor,
    /// A process of this machine, of which nobody knows what it does.
    Process,
}

impl Load {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Elsewhere, Self::Engine, Self::Processor, Self::Process];
}

/// Everything the planner knows of one component.
#[derive(Clone)]
pub struct ComponentSpec {
    /// What it is.
    pub kind: ComponentKind,
    /// The name that templates use, such as `docker`.
    pub name: Cow<'static, str>,
    /// Its options, in the order of its documentation.
    pub options: Vec<OptionSpec>,
    /// Whether other options are let through unchecked, since the component describes itself elsewhere.
    pub is_open: bool,
    /// Whether it lives in a plugin, which is told more in settings of its own: see [`frame`](crate::lower::frame).
    pub is_plugin: bool,
    /// Why `apply` cannot run it, or none if it can.
    pub missing: Option<String>,
    /// The component's own check of options that passed the table.
    pub check: Option<Check>,
    /// The component's words for the plan.
    pub describe: Option<Describe>,
    /// For a builder: what its capture gives.
    pub captures: Option<Captures>,
    /// For a post-processor: what it takes and gives.
    pub flow: Option<ArtifactFlow>,
    /// Whether it needs a container engine.
    pub uses_engine: bool,
    /// What it keeps busy while it runs.
    pub load: Load,
    /// For a builder: the names of build data that it adds to those all builders have.
    pub build_data: &'static [&'static str],
    /// For a builder: names of build data that it adds with these options, beside those.
    pub announces: Option<Announces>,
    /// Whether and when its results may be reused.
    pub recipe: Recipe,
}

impl ComponentSpec {
    /// Starts the description of a component that rpk can run.
    #[must_use]
    pub fn new(kind: ComponentKind, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            name: name.into(),
            options: caching::options(kind),
            is_open: false,
            is_plugin: false,
            missing: None,
            check: None,
            describe: None,
            captures: None,
            flow: None,
            uses_engine: false,
            load: Load::Elsewhere,
            build_data: &[],
            announces: None,
            recipe: Recipe::default(),
        }
    }

    /// Sets whether and when its results may be reused.
    #[must_use]
    pub fn recipe(mut self, recipe: Recipe) -> Self {
        self.recipe = recipe;
        self
    }

    /// Adds options.
    #[must_use]
    pub fn options(mut self, options: impl IntoIterator<Item = OptionSpec>) -> Self {
        self.options.extend(options);
        self
    }

    /// Sets the component's own check.
    #[must_use]
    pub fn check(mut self, check: impl Fn(&Settings) -> Vec<Problem> + Send + Sync + 'static) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// Sets the words for the plan.
    #[must_use]
    pub fn describe(mut self, describe: impl Fn(&Settings, Moment) -> String + Send + Sync + 'static) -> Self {
        self.describe = Some(Arc::new(describe));
        self
    }

    /// Sets what a builder's capture gives.
    #[must_use]
    pub fn captures(mut self, captures: impl Fn(&Settings) -> ArtifactKind + Send + Sync + 'static) -> Self {
        self.captures = Some(Arc::new(captures));
        self
    }

    /// Says that it needs a container engine.
    #[must_use]
    pub fn uses_engine(mut self) -> Self {
        self.uses_engine = true;
        self.load = Load::Engine;
        self
    }

    /// Sets what it keeps busy while it runs.
    #[must_use]
    pub fn load(mut self, load: Load) -> Self {
        self.load = load;
        self
    }

    /// Sets the names of build data that a builder adds.
    #[must_use]
    pub fn build_data(mut self, names: &'static [&'static str]) -> Self {
        self.build_data = names;
        self
    }

    /// Sets what a post-processor takes and gives.
    #[must_use]
    pub fn flow(mut self, flow: ArtifactFlow) -> Self {
        self.flow = Some(flow);
        self
    }

    /// Finds an option; names match without regard to case, as in Packer's decoder.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&OptionSpec> {
        self.options
            .iter()
            .find(|option| option.name == name)
            .or_else(|| self.options.iter().find(|option| option.name.eq_ignore_ascii_case(name)))
    }

    /// Says in a few words what a node of this component does.
    #[must_use]
    pub fn title(&self, settings: &Settings, moment: Moment) -> String {
        match (&self.describe, moment) {
            (Some(describe), _) => describe(settings, moment),
            (None, Moment::Boot) => format!("start a machine with {}", self.name),
            (None, Moment::Capture) => format!("capture the artifact of {}", self.name),
            (None, Moment::Run) => format!("run {}", self.name),
        }
    }
}

impl fmt::Debug for ComponentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentSpec").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Answers the planner's questions about components.
pub trait Catalog {
    /// Finds a component by the name that templates use.
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec>;

    /// Lists all names of a kind, for suggestions.
    fn names(&self, kind: ComponentKind) -> Vec<&str>;
}

/// A plain list of components, such as [`known_components`].
impl Catalog for Vec<ComponentSpec> {
    fn find(&self, kind: ComponentKind, name: &str) -> Option<&ComponentSpec> {
        self.iter().find(|spec| spec.kind == kind && spec.name == name)
    }

    fn names(&self, kind: ComponentKind) -> Vec<&str> {
        self.iter().filter(|spec| spec.kind == kind).map(|spec| spec.name.as_ref()).collect()
    }
}
