//! Which builds and post-processors the command line chooses, by patterns.

use super::builds::BuildBlock;
use super::glob::Glob;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// The patterns of `-only` and `-except`.
pub(super) struct Selection {
    only: Option<Vec<Glob>>,
    except: Vec<Glob>,
}

impl Selection {
    /// Reads the patterns; says which are none, and warns if there are more than what they match.
    pub fn new(given: &super::Selection, builds: &[BuildBlock], problems: &mut Diagnostics) -> Self {
        let mut read = |flag: &str, texts: &[String]| -> Vec<Glob> {
            texts
                .iter()
                .filter_map(|text| match Glob::parse(text) {
                    Ok(glob) => Some(glob),
                    Err(reason) => {
                        problems.push(Diagnostic::error(
                            "rpk::hcl::pattern",
                            format!("invalid {flag} pattern `{text}`: {reason}"),
                        ));
                        None
                    }
                })
                .collect()
        };
        let only = given.only.as_ref().map(|texts| read("-only", texts));
        let except = read("-except", &given.except);
        let selection = Self { only, except };
        selection.warn(given, builds, problems);
        selection
    }

    /// Tells whether a build of that full name is chosen.
    pub fn includes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|glob| glob.matches(name)))
            && !self.except.iter().any(|glob| glob.matches(name))
    }

    /// Tells whether `-except` names a post-processor, and so cuts the rest of its sequence off.
    pub fn cuts(&self, step: &str) -> bool {
        self.except.iter().any(|glob| glob.matches(step))
    }

    fn warn(&self, given: &super::Selection, builds: &[BuildBlock], problems: &mut Diagnostics) {
        let names: Vec<String> = builds
            .iter()
            .flat_map(|build| {
                build.sources.iter().map(|source| full_name(&build.name, &source.kind, &source.local_name))
            })
            .collect();
        let steps: Vec<&str> =
            builds.iter().flat_map(|build| build.sequences.iter().flatten()).map(|step| step.name_or_type()).collect();
        let is_matched = |glob: &Glob, with_steps: bool| {
            names.iter().any(|name| glob.matches(name)) || with_steps && steps.iter().any(|step| glob.matches(step))
        };
        let only = self.only.iter().flatten().zip(given.only.iter().flatten()).map(|pair| ("-only", pair, false));
        let except = self.except.iter().zip(&given.except).map(|pair| ("-except", pair, true));
        for (flag, (glob, text), with_steps) in only.chain(except) {
            if !text.is_empty() && !is_matched(glob, with_steps) {
                problems.push(
                    Diagnostic::warning("rpk::lower::unknown_selection", format!("`{flag}={text}` matches nothing"))
                        .help(format!("the builds are {}", names.join(", "))),
                );
            }
        }
    }
}

/// Returns the name that a build has on the command line and in reports.
pub(super) fn full_name(build: &str, kind: &str, local_name: &str) -> String {
    if build.is_empty() { format!("{kind}.{local_name}") } else { format!("{build}.{kind}.{local_name}") }
}
