//! What the working out of a value has asked for: why it may be another one next time.

use std::collections::BTreeSet;

/// What the working out of a value has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User variables, by name.
    pub variables: BTreeSet<String>,
    /// Environment variables, by name.
    pub environment: BTreeSet<String>,
    /// Functions whose answer is another at each run, such as `timestamp` and `uuid`.
    pub volatile: BTreeSet<String>,
    /// Files whose content or existence was asked for, by path; a folder that was searched, by its path and a `/`.
    pub files: BTreeSet<String>,
    /// Builds whose artifacts were asked for, by name.
    pub artifacts: BTreeSet<String>,
    /// Whether a secret was read.
    pub reads_secrets: bool,
    /// Whether a sensitive variable or local value was asked for.
    pub reads_sensitive: bool,
    /// Data sources, by type and name.
    pub data: BTreeSet<(String, String)>,
}

impl Usage {
    /// Adds what another value has asked for.
    pub fn extend(&mut self, other: &Self) {
        self.variables.extend(other.variables.iter().cloned());
        self.environment.extend(other.environment.iter().cloned());
        self.volatile.extend(other.volatile.iter().cloned());
        self.files.extend(other.files.iter().cloned());
        self.artifacts.extend(other.artifacts.iter().cloned());
        self.reads_secrets |= other.reads_secrets;
        self.reads_sensitive |= other.reads_sensitive;
        self.data.extend(other.data.iter().cloned());
    }
}

/// Where the value of one option came from.
///
/// A change of it is explained by what was written if that has changed, and else by what it has used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The option's path within the settings, such as `inline[0]` or `metadata.files[1]`.
    pub option: String,
    /// What stands in the template.
    pub written: String,
    /// What its working out has asked for.
    pub usage: Usage,
}
