//! Problems of a template, collected rather than thrown one by one.
//!
//! A diagnostic answers three questions: what is wrong (the message), where (the labels) and what to do (the help).
//! How it looks on a terminal is the business of the command line.

use crate::span::Span;
use crate::value::redactor::Redactor;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is wrong, but there is a better way; said by `validate` alone.
    Advice,
    /// The template is usable, but the user should know.
    Warning,
    /// The template is refused.
    Error,
}

/// A marked place with a few words on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The marked text.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for scripts and search, such as `rpk::template::unknown_option`.
    pub code: &'static str,
    /// What is wrong: a lower-case fragment without a period.
    pub message: String,
    /// Where it is wrong; the first label is the main one.
    pub labels: Vec<Label>,
    /// What to do about it, as an imperative.
    pub help: Option<String>,
    /// What the names in a wrong expression stood for; none if nobody has looked yet.
    pub operands: Option<Vec<Operand>>,
}

/// A name in an expression and what it stood for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The name as it is written, such as `var.tags["release"]`.
    pub name: String,
    /// The value in a few words: a short value itself, of others the type and size.
    pub value: String,
}

impl Diagnostic {
    /// Makes an error without a place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            operands: None,
        }
    }

    /// Makes a warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Makes a piece of advice without a place.
    #[must_use]
    pub fn advice(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Advice, ..Self::error(code, message) }
    }

    /// Adds a marked place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// The problems found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    /// How many of them are errors.
    errors: usize,
}

impl Diagnostics {
    /// Adds one problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        self.all.push(diagnostic);
    }

    /// Adds all problems of another collection.
    pub fn extend(&mut self, other: Diagnostics) {
        self.errors += other.errors;
        self.all.extend(other.all);
    }

    /// Returns the problems found since there were this many, to say more about them.
    pub(crate) fn since(&mut self, count: usize) -> &mut [Diagnostic] {
        self.all.get_mut(count..).unwrap_or_default()
    }

    /// Replaces sensitive values in everything that the problems say.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        for diagnostic in &mut self.all {
            let texts = [Some(&mut diagnostic.message), diagnostic.help.as_mut()].into_iter().flatten();
            let labels = diagnostic.labels.iter_mut().map(|label| &mut label.text);
            let operands = diagnostic.operands.iter_mut().flatten().map(|operand| &mut operand.value);
            for text in texts.chain(labels).chain(operands) {
                if redactor.hides(text) {
                    *text = redactor.redact(text);
                }
            }
        }
    }

    /// Drops the problems with these codes, which follow from others.
    pub fn forget(&mut self, codes: &[&str]) {
        self.all.retain(|diagnostic| !codes.contains(&diagnostic.code));
        self.errors = self.all.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    }

    /// Tells whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Counts the errors as they were found: one that was found twice counts twice.
    ///
    /// Takes no time, so that every step can tell whether it found any.
    #[must_use]
    pub fn errors_found(&self) -> usize {
        self.errors
    }

    /// Counts the errors that a report shows: each once.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Tells whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Counts all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Iterates in the order of the template, problems without a place first.
    ///
    /// A problem that several builds have in common comes once.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.all.iter().collect();
        // Found by several passes over the template, read from top to bottom.
        sorted.sort_by_key(|diagnostic| (diagnostic.labels.first().map(|label| label.span), &diagnostic.message));
        // The same mistake with other values, as in the rounds of a loop, is one mistake.
        sorted.dedup_by(|one, other| {
            (&one.message, &one.labels, &one.help, one.severity, one.code)
                == (&other.message, &other.labels, &other.help, other.severity, other.code)
        });
        sorted.into_iter()
    }
}

/// Finds the name that the user most likely meant, if one is close enough.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        // A third of the word may be wrong; more would be guessing.
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_was_found_twice_is_shown_once() {
        let mut problems = Diagnostics::default();
        for code in ["rpk::a", "rpk::b", "rpk::b"] {
            problems.push(Diagnostic::error(code, code));
        }
        problems.push(Diagnostic::warning("rpk::c", "c"));
        problems.extend(problems.clone());
        assert_eq!((problems.errors_found(), problems.error_count()), (6, 2));
        problems.forget(&["rpk::b"]);
        assert_eq!((problems.errors_found(), problems.error_count()), (2, 1));
    }

    #[test]
    fn a_suggestion_is_close_or_absent() {
        for (word, expected) in
            [("dokcer", Some("docker")), ("Docker", Some("docker")), ("dcker-tag", Some("docker-tag")), ("xyz", None)]
        {
            assert_eq!(closest(word, ["docker", "docker-tag", "null"]), expected, "{word}");
        }
    }
}
