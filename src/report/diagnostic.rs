//! Problems of a template, with the text they are in.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};
use rpk_planner::diagnostic::{Diagnostic, Severity};
use rpk_planner::span::{Sources, TemplateFile};
use serde_json::{Value as Json, json};

/// How wide a message may be.
const WIDTH: usize = 100;

/// Writes a problem for people: what, where with the text, what to do.
pub fn text(sources: &Sources, diagnostic: &Diagnostic, coloured: bool) -> String {
    let mut theme = if coloured { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    // The severity stands before the message as a word.
    for sign in [&mut theme.characters.error, &mut theme.characters.warning, &mut theme.characters.advice] {
        sign.clear();
    }
    let mut out = String::new();
    let shown = Shown::new(sources, diagnostic);
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_wrap_lines(false)
        .with_context_lines(1)
        .without_syntax_highlighting();
    if handler.render_report(&mut out, &shown).is_err() {
        // Rendering fails if a span does not fit its text; the message is worth more than the picture.
        out = format!("{}\n", diagnostic.message);
    }
    let word = match diagnostic.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Advice => "Advice",
    };
    let mut text = format!("{word}: {}\n", out.trim_matches('\n').trim_start());
    for (index, operand) in diagnostic.operands.iter().flatten().enumerate() {
        let lead = if index == 0 { "where:" } else { "" };
        text.push_str(&format!("  {lead:6} {} is {}\n", operand.name, operand.value));
    }
    text.push('\n');
    text
}

/// Writes a problem for scripts.
pub fn json(sources: &Sources, diagnostic: &Diagnostic) -> Json {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    let places: Vec<Json> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let start = sources.position(label.span);
            json!({
                "file": sources.file(label.span.file).name,
                "line": start.line,
                "column": start.column,
                "text": label.text,
            })
        })
        .collect();
    let operands: Vec<Json> = diagnostic
        .operands
        .iter()
        .flatten()
        .map(|operand| json!({ "name": operand.name, "value": operand.value }))
        .collect();
    json!({
        "severity": severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "labels": places,
        "operands": operands,
    })
}

/// A text with its name; miette's own type for this wants a copy of the text.
#[derive(Debug)]
struct NamedText<'a>(&'a TemplateFile);

impl SourceCode for NamedText<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        // Without context just the position is asked for.
        if lines_before + lines_after > 0
            && let Some(window) = self.window(span)
        {
            return Ok(Box::new(window));
        }
        let contents = self.0.text.read_span(span, lines_before, lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.name.clone(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        )))
    }
}

/// Lines longer than this are shown in part: a template without line breaks must not flood the terminal.
const LONG_LINE: usize = 300;

/// How much of a long line is shown before and after the marked place.
const AROUND: usize = 60;

impl NamedText<'_> {
    /// Cuts a piece out of the text around a place in a long line; none if the lines around it are short.
    fn window(&self, span: &SourceSpan) -> Option<MietteSpanContents<'_>> {
        let text = self.0.text.as_str();
        let (start, end) = (span.offset(), span.offset() + span.len());
        // The lines that would be shown: those of the place and one before and after.
        let before = text.get(..start)?.rmatch_indices('\n').nth(1).map_or(0, |(at, _)| at + 1);
        let after = text.get(end..)?.match_indices('\n').nth(1).map_or(text.len(), |(at, _)| end + at);
        if text[before..after].lines().all(|line| line.len() <= LONG_LINE) {
            return None;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let mut from = start.saturating_sub(AROUND).max(line_start);
        let mut to = end.min(start + LONG_LINE).saturating_add(AROUND).min(line_end);
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to += 1;
        }
        Some(MietteSpanContents::new_named(
            self.0.name.clone(),
            &text.as_bytes()[from..to],
            (from, to - from).into(),
            text[..from].matches('\n').count(),
            text[line_start..from].chars().count(),
            1,
        ))
    }
}

/// A diagnostic in the form that miette shows.
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<NamedText<'a>>,
}

impl<'a> Shown<'a> {
    fn new(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Self {
        let file = diagnostic.labels.first().map(|label| label.span.file);
        Self {
            diagnostic,
            source: file.map(|id| {
                let file = sources.file(id);
                NamedText(file)
            }),
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let file = self.diagnostic.labels.first()?.span.file;
        let labels = self.diagnostic.labels.iter().filter(move |label| label.span.file == file);
        Some(Box::new(labels.enumerate().map(|(index, label)| {
            let range = label.span.range();
            let text = Some(label.text.clone());
            if index == 0 {
                LabeledSpan::new_primary_with_span(text, range)
            } else {
                LabeledSpan::new_with_span(text, range)
            }
        })))
    }
}
