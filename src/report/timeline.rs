//! When what ran in a run: as a trace that browsers show, and as a picture.
//!
//! The trace format is that of Chromium's tracing tools ("Trace Event Format"): complete events (`"ph": "X"`) with
//! times in microseconds, one row (thread) a build.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

/// One node's time in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The node's id.
    pub node: String,
    /// What it does.
    pub title: String,
    /// Its build.
    pub build: String,
    /// When it began, in seconds after the run did.
    pub start: f64,
    /// How long it took, in seconds.
    pub length: f64,
    /// How it ended.
    pub status: String,
}

/// Finds out of a run's events when its nodes ran; those that did not run have no time.
pub fn spans(events: &[Json]) -> Vec<Span> {
    let word = |event: &Json, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let time = |event: &Json| event["time"].as_str()?.parse::<Timestamp>().ok();
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut started: BTreeMap<String, Timestamp> = BTreeMap::new();
    let (mut began, mut spans) = (None, Vec::new());
    for event in events {
        match event["event"].as_str().unwrap_or_default() {
            "plan" => {
                for node in event["nodes"].as_array().into_iter().flatten() {
                    known.insert(word(node, "id"), (word(node, "title"), word(node, "build")));
                }
            }
            "run_started" => began = time(event),
            "node_started" => {
                if let Some(time) = time(event) {
                    started.insert(word(event, "node"), time);
                }
            }
            "node_finished" => {
                let node = word(event, "node");
                let (Some(began), Some(start)) = (began, started.remove(&node)) else { continue };
                let (title, build) = known.get(&node).cloned().unwrap_or_default();
                spans.push(Span {
                    title,
                    build,
                    start: start.duration_since(began).as_secs_f64(),
                    length: event["duration_s"].as_f64().unwrap_or_default(),
                    status: word(event, "status"),
                    node,
                });
            }
            _ => {}
        }
    }
    spans.sort_by(|a, b| a.start.total_cmp(&b.start));
    spans
}

/// Writes a trace.
pub fn trace(spans: &[Span]) -> String {
    let mut rows: Vec<&str> = Vec::new();
    let mut events = Vec::new();
    for span in spans {
        let row = rows.iter().position(|build| *build == span.build).unwrap_or_else(|| {
            rows.push(&span.build);
            events.push(json!({
                "name": "thread_name", "ph": "M", "pid": 1, "tid": rows.len(), "args": { "name": span.build },
            }));
            rows.len() - 1
        });
        events.push(json!({
            "name": span.title,
            "cat": span.status,
            "ph": "X",
            "pid": 1,
            "tid": row + 1,
            "ts": (span.start * 1e6).round(),
            "dur": (span.length * 1e6).round(),
            "args": { "node": span.node, "status": span.status },
        }));
    }
    let mut text = json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string();
    text.push('\n');
    text
}

const ROW: f64 = 22.0;
const LABELS: f64 = 230.0;
const WIDTH: f64 = 960.0;

/// Draws the nodes' times as bars, one below the other.
pub fn svg(spans: &[Span]) -> String {
    let end = spans.iter().map(|span| span.start + span.length).fold(0.001, f64::max);
    let scale = (WIDTH - LABELS - 90.0) / end;
    let height = ROW * (spans.len() as f64 + 2.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let step = step(end);
    let mut at = 0.0;
    while at <= end {
        let x = LABELS + at * scale;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {ROW}V{:.1}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"15\" fill=\"#666\" \
             text-anchor=\"middle\">{} s</text>",
            height - ROW / 2.0,
            number(at)
        );
        at += step;
    }
    for (row, span) in spans.iter().enumerate() {
        let (y, x) = (ROW * (row as f64 + 1.0) + 4.0, LABELS + span.start * scale);
        let colour = match span.status.as_str() {
            "failed" => "#c62828",
            "cancelled" => "#9e9e9e",
            _ => "#1565c0",
        };
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{colour}\"><title>{}: {} ({})</title></rect>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#444\">{:.2} s</text>",
            LABELS - 8.0,
            y + 11.0,
            escape(&span.node),
            (span.length * scale).max(1.0),
            ROW - 8.0,
            escape(&span.node),
            escape(&span.title),
            span.status,
            x + (span.length * scale).max(1.0) + 4.0,
            y + 11.0,
            span.length
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Finds a round step that divides a length into some four to ten parts.
fn step(length: f64) -> f64 {
    let power = 10f64.powf((length / 5.0).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).rfind(|step| length / step >= 4.0).unwrap_or(power)
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Json> {
        let time = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        vec![
            json!({ "event": "plan", "nodes": [{ "id": "a/boot", "title": "start <a>", "build": "a" }] }),
            json!({ "event": "run_started", "time": time(1) }),
            json!({ "event": "node_started", "node": "a/boot", "time": time(3) }),
            json!({ "event": "node_finished", "node": "a/boot", "status": "ran", "duration_s": 2.5, "time": time(5) }),
            json!({ "event": "node_finished", "node": "b/boot", "status": "cached", "duration_s": 0.0, "time": time(5) }),
        ]
    }

    #[test]
    fn a_node_has_the_time_that_it_ran() {
        let spans = spans(&events());
        assert_eq!(spans.len(), 1, "what was reused has no time");
        assert_eq!((spans[0].start, spans[0].length), (2.0, 2.5));
        let trace: Json = serde_json::from_str(&trace(&spans)).expect("is JSON");
        assert_eq!(trace["traceEvents"][1]["ts"], 2_000_000.0);
        assert_eq!(trace["traceEvents"][1]["dur"], 2_500_000.0);
        assert!(svg(&spans).contains("start &lt;a&gt;"));
    }

    #[test]
    fn the_scale_is_round() {
        for (length, expected) in [(10.0, 2.0), (4.1, 0.5), (0.05, 0.01), (100.0, 20.0)] {
            assert!((step(length) - expected).abs() < 1e-9, "{length} {}", step(length));
        }
    }
}
