//! A template as it was written, before any value is known.
//!
//! | file | reads |
//! | --- | --- |
//! | `hcl/` | reads HCL2 templates into [`hcl::HclTemplate`] |
//! | `json.rs` | legacy JSON templates into [`Template`] |
//! | `variable_file.rs` | files given by `-var-file` |
//!
//! Texts that may hold `{{ … }}` are kept as they are; [`lower`](crate::lower) renders them.

pub mod hcl;
pub mod json;
pub mod variable_file;

use crate::span::Span;
use crate::value::Map;

/// A template in either of the two languages.
#[derive(Clone, Debug)]
pub enum Written {
    /// Legacy JSON.
    Legacy(Box<Template>),
    /// HCL2, in its native form or in JSON.
    Hcl(hcl::HclTemplate),
}

/// A legacy JSON template: what the user wrote, checked for its shape and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// The `description`, verbatim.
    pub description: Option<String>,
    /// The `min_packer_version` and its place.
    pub min_packer_version: Option<(String, Span)>,
    /// The declared variables, in the written order.
    pub variables: Vec<Variable>,
    /// The names listed as sensitive.
    pub sensitive_variables: Vec<String>,
    /// The builders, in the written order.
    pub builders: Vec<Builder>,
    /// The provisioners, in the written order.
    pub provisioners: Vec<Provisioner>,
    /// The provisioner that runs when provisioning failed.
    pub error_cleanup: Option<Provisioner>,
    /// The post-processor sequences; each starts from the builder's artifact.
    pub post_processors: Vec<Vec<PostProcessor>>,
}

/// A declared user variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The default, a text that may hold `{{ … }}`; none means that the variable is required.
    pub default: Option<String>,
    /// Where the default stands.
    pub span: Span,
}

/// A builder as it was declared.
#[derive(Clone, Debug)]
pub struct Builder {
    /// The component type, such as `docker`.
    pub component: String,
    /// Where the type stands.
    pub component_span: Span,
    /// The `name` as written, or the type: what `only`, `except` and `override` refer to.
    pub raw_name: String,
    /// Where the builder stands.
    pub span: Span,
    /// The component's own options.
    pub settings: Map,
}

/// A provisioner as it was declared.
#[derive(Clone, Debug)]
pub struct Provisioner {
    /// The component type, such as `shell`.
    pub component: String,
    /// Where the type stands.
    pub component_span: Span,
    /// Where the provisioner stands.
    pub span: Span,
    /// Which builds it runs in.
    pub filter: Filter,
    /// Options per build (raw name) that are laid over the component's own.
    pub overrides: Vec<Override>,
    /// How long to wait before it runs; negative means not to wait.
    pub pause_before: Option<Nanoseconds>,
    /// How long one attempt may take.
    pub timeout: Option<Nanoseconds>,
    /// How often to try again after a failure: a text that may hold `{{ … }}`.
    pub max_retries: Option<(String, Span)>,
    /// The component's own options.
    pub settings: Map,
}

/// A signed length of time as Go's `time.Duration` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nanoseconds(pub i64);

impl Nanoseconds {
    /// Returns the length as a wait; negative lengths are no wait.
    #[must_use]
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

/// Options of a provisioner for one build.
#[derive(Clone, Debug)]
pub struct Override {
    /// The raw name of the build.
    pub build: String,
    /// Where the name stands.
    pub build_span: Span,
    /// The options.
    pub settings: Map,
}

/// A post-processor as it was declared.
#[derive(Clone, Debug)]
pub struct PostProcessor {
    /// The component type, such as `docker-tag`.
    pub component: String,
    /// Where the type stands.
    pub component_span: Span,
    /// The `name`, or the type: what `-except` on the command line matches.
    pub name: String,
    /// Where the post-processor stands.
    pub span: Span,
    /// Which builds it runs in.
    pub filter: Filter,
    /// The user's word on keeping the artifact that goes in.
    pub keep_input_artifact: Option<bool>,
    /// The component's own options.
    pub settings: Map,
}

/// A template's own choice of builds: `only` or `except`, by raw names.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// If not empty, just these builds.
    pub only: Vec<(String, Span)>,
    /// All builds but these.
    pub except: Vec<(String, Span)>,
}

impl Filter {
    /// Tells whether a build of that raw name is chosen.
    #[must_use]
    pub fn includes(&self, raw_name: &str) -> bool {
        let listed = |names: &[(String, Span)]| names.iter().any(|(name, _)| name == raw_name);
        if self.only.is_empty() { !listed(&self.except) } else { listed(&self.only) }
    }
}
