//! HCL2 templates: files into declarations, checked for their shape and nothing else.
//!
//! | file | does |
//! | --- | --- |
//! | `content.rs` | checks which attributes and blocks may stand in a block |
//! | `read.rs` | the top-level blocks of files into an [`HclTemplate`] |
//! | `json.rs` | the JSON form of the syntax into the same tree |
//! | `version.rs` | version constraints, as `required_version` has them |
//!
//! Expressions are kept as they are; [`lower`](crate::lower) evaluates them.

pub(crate) mod content;
pub(crate) mod json;
mod read;
pub(crate) mod version;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::hcl::ast::{Block, Expression};
use crate::span::{FileId, Span};

pub(crate) use read::is_identifier;
pub use read::{VariableFile, read, read_variables};

/// A template in HCL2: what its files declare, in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct HclTemplate {
    /// The declared variables.
    pub variables: Vec<VariableDeclaration>,
    /// The local values.
    pub locals: Vec<LocalDeclaration>,
    /// The data sources: blocks with a type and a name.
    pub data: Vec<Declaration>,
    /// The sources: blocks with a type and a name.
    pub sources: Vec<Declaration>,
    /// The builds.
    pub builds: Vec<Declaration>,
    /// The blocks that describe an HCP registry, which rpk reads past.
    pub registries: Vec<Declaration>,
    /// The plugins that the template says it needs.
    pub required_plugins: Vec<RequiredPlugin>,
}

/// A block and the file that it stands in.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The file.
    pub file: FileId,
    /// The block.
    pub block: Arc<Block>,
}

impl Declaration {
    /// Returns a label's text; those that the block must have are there once it was read.
    #[must_use]
    pub fn label(&self, index: usize) -> &str {
        self.block.labels.get(index).map_or("", |label| label.text.as_str())
    }

    /// Returns the place of what stands before the opening brace.
    #[must_use]
    pub fn header(&self) -> Span {
        place(self.file, self.block.header)
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub struct VariableDeclaration {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The file.
    pub file: FileId,
    /// Its type, as an expression of the type language.
    pub kind: Option<Expression>,
    /// Its default.
    pub default: Option<Expression>,
    /// Whether its value must not be shown.
    pub is_sensitive: bool,
    /// The rules that its value must follow.
    pub validations: Vec<Validation>,
}

/// A rule for a variable's value.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Holds if the value is good.
    pub condition: Expression,
    /// What to say if not.
    pub error_message: String,
    /// Where the rule stands.
    pub span: Span,
}

/// A local value.
#[derive(Clone, Debug)]
pub struct LocalDeclaration {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The file.
    pub file: FileId,
    /// Its value.
    pub value: Expression,
    /// Whether it must not be shown.
    pub is_sensitive: bool,
}

/// A plugin that a template says it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredPlugin {
    /// The prefix of the plugin's component types.
    pub name: String,
    /// Where it comes from, such as `github.com/hashicorp/docker`.
    pub source: String,
    /// Which versions will do.
    pub version: String,
    /// Where it stands.
    pub span: Span,
}

/// Joins a place of the syntax tree with its file.
#[must_use]
pub fn place(file: FileId, span: crate::hcl::Span) -> Span {
    Span::new(file, span.start as usize, span.end as usize)
}

/// Says that something is declared for the second time.
pub(crate) fn duplicate(code: &'static str, message: impl Into<String>, second: Span, first: Span) -> Diagnostic {
    Diagnostic::error(code, message).at(second, "the second one").at(first, "the first one")
}
