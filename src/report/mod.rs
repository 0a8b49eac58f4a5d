//! What people and machines see.
//!
//! | file | shows |
//! | --- | --- |
//! | `diagnostic.rs` | problems of a template, with the text they are in |
//! | `human.rs` | a run, as Packer's users know it, with a live line a node on a terminal |
//! | `json.rs` | a run as JSON lines |
//! | `machine.rs` | a run as Packer's `-machine-readable` lines |
//! | `record.rs` | a run's record, and earlier ones |
//! | `timeline.rs` | when the nodes of a run ran |
//!
//! What was asked for goes to standard output, everything else to standard error.

pub mod diagnostic;
pub mod human;
pub mod json;
pub mod machine;
pub mod record;
pub mod timeline;

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rpk_planner::diagnostic::{Diagnostic, Diagnostics, Severity};
use rpk_planner::span::Sources;
use rpk_runtime::failure::Failure;

use crate::cli::OutputArguments;

/// The two streams and what may be done with them.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    colours_out: bool,
    colours_err: bool,
    /// Whether both streams are a terminal that a live line can be drawn on.
    pub is_live: bool,
}

impl Screen {
    /// Looks at the streams, the flags and the environment.
    pub fn new(arguments: &OutputArguments) -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let allowed =
            arguments.color && !arguments.machine_readable && !is_set("NO_COLOR") && !is_set("PACKER_NO_COLOR");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colours_out: allowed && out,
            colours_err: allowed && err,
            is_live: out && err && !is_dumb && !arguments.machine_readable,
        }
    }

    /// Tells whether standard output takes colours.
    pub fn is_coloured(&self) -> bool {
        self.colours_out
    }

    /// Shows problems on standard error, advice left out.
    pub fn diagnostics(&self, sources: &Sources, diagnostics: &Diagnostics) {
        self.diagnostics_from(Severity::Warning, sources, diagnostics);
    }

    /// Shows problems of at least this severity on standard error.
    pub fn diagnostics_from(&self, severity: Severity, sources: &Sources, diagnostics: &Diagnostics) {
        for found in diagnostics.iter().filter(|found| found.severity >= severity) {
            write_err(&diagnostic::text(sources, found, self.colours_err));
        }
        let errors = diagnostics.error_count();
        if errors > 1 {
            write_err(&format!("{errors} errors\n"));
        }
    }

    /// Shows an error that has no place in a text.
    pub fn error(&self, message: &str, help: Option<&str>) {
        let mut problem = Diagnostic::error("rpk::run", message);
        problem.help = help.map(str::to_owned);
        write_err(&diagnostic::text(&Sources::default(), &problem, self.colours_err));
    }

    /// Shows what went wrong beside the template.
    pub fn failure(&self, failure: &Failure) {
        self.error(&failure.to_string(), failure.help.as_deref());
    }

    /// Shows a remark, if there is one.
    #[expect(clippy::unused_self, reason = "everything that is shown goes through the screen")]
    pub fn note(&self, text: Option<&str>) {
        if let Some(text) = text {
            write_err(&format!("{text}\n"));
        }
    }
}

/// Writes to standard output. A reader that has gone away is no failure of what was done.
pub fn write_out(text: &str) {
    write_later(text);
    flush_out();
}

/// What waits to be written to standard output.
static PENDING: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// How many bytes may wait.
const MOST_PENDING: usize = 1 << 16;

/// Writes to standard output soon, at the latest when [`flush_out`] is called: a run that prints very much should not
/// ask the system for each line.
pub fn write_later(text: &str) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    pending.extend_from_slice(text.as_bytes());
    if pending.len() > MOST_PENDING {
        flush(&mut pending);
    }
}

/// Writes what waits to standard output.
pub fn flush_out() {
    flush(&mut PENDING.lock().unwrap_or_else(PoisonError::into_inner));
}

fn flush(pending: &mut Vec<u8>) {
    if !pending.is_empty() {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(pending).and_then(|()| out.flush());
        pending.clear();
    }
}

/// Lets something large write itself to standard output, piece by piece.
pub fn write_out_by(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) {
    flush_out();
    let _ = write(&mut std::io::stdout().lock());
}

/// Writes to standard error.
pub fn write_err(text: &str) {
    flush_out();
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Returns the time of day in Unix nanoseconds.
pub fn now_nanoseconds() -> i128 {
    jiff::Timestamp::now().as_nanosecond()
}

/// Writes a length of time as Packer does: the two largest units that are not zero.
pub fn duration_text(duration: Duration) -> String {
    const UNITS: [(u128, &str); 8] = [
        (365 * 24 * 3600 * 1_000_000, "year"),
        (7 * 24 * 3600 * 1_000_000, "week"),
        (24 * 3600 * 1_000_000, "day"),
        (3600 * 1_000_000, "hour"),
        (60 * 1_000_000, "minute"),
        (1_000_000, "second"),
        (1_000, "millisecond"),
        (1, "microsecond"),
    ];
    let mut rest = duration.as_micros();
    let mut parts = Vec::new();
    for (size, name) in UNITS {
        let count = rest / size;
        rest %= size;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if parts.is_empty() {
        return "0 seconds".to_owned();
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        for (micros, text) in [
            (0, "0 seconds"),
            (7, "7 microseconds"),
            (1_009_000, "1 second 9 milliseconds"),
            (300_404_000, "5 minutes 404 milliseconds"),
            (90_000_000, "1 minute 30 seconds"),
        ] {
            assert_eq!(duration_text(Duration::from_micros(micros)), text);
        }
    }
}
