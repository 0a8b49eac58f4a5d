//! What is wrong with a text that is not HCL2.

use thiserror::Error;

use super::token::Span;
use crate::diagnostic::Diagnostic;
use crate::span::FileId;

/// One mistake in a text: what is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// A stable name for scripts and search, such as `rpk::hcl::unclosed_quote`.
    pub code: &'static str,
    /// What is wrong: a lower-case fragment without a period.
    pub message: String,
    /// Where it is wrong.
    pub span: Span,
    /// What is to be seen there.
    pub label: String,
    /// Another place that explains it, such as the one where an unclosed bracket was missed.
    pub related: Option<(Span, String)>,
    /// What to do about it, as an imperative.
    pub help: Option<String>,
}

impl SyntaxError {
    /// Puts it into the form that all problems have, given the file that the text is of.
    #[must_use]
    pub fn diagnostic(self, file: FileId) -> Diagnostic {
        let place = |span: Span| crate::span::Span::new(file, span.start as usize, span.end as usize);
        let mut problem = Diagnostic::error(self.code, self.message).at(place(self.span), self.label);
        if let Some((span, text)) = self.related {
            problem = problem.at(place(span), text);
        }
        problem.help = self.help;
        problem
    }

    /// Makes an error at a place; `code` comes without its prefix `rpk::hcl::`.
    pub(super) fn new(code: &'static str, message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self { code, message: message.into(), span, label: label.into(), related: None, help: None }
    }

    /// Adds a second place.
    pub(super) fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related = Some((span, text.into()));
        self
    }

    /// Says what to do.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// Says that an error was recorded already, so that nobody up the stack records another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;
