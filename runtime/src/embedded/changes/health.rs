//! `HEALTHCHECK`: how a container is asked whether it is well.

use serde_json::{Map, Value as Json, json};

use crate::failure::{Failure, Outcome};

/// Reads what comes after the instruction's name.
pub fn parse(rest: &str) -> Outcome<Json> {
    let mut found = Map::new();
    let mut rest = rest.trim();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        rest = after.trim_start();
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let key = match name {
            "interval" => "Interval",
            "timeout" => "Timeout",
            "start-period" => "StartPeriod",
            "retries" => "Retries",
            _ => return Err(Failure::new(format!("Unknown flag: {name}"))),
        };
        let number = if key == "Retries" { value.parse::<i64>().ok() } else { nanoseconds(value) };
        let number = number.ok_or_else(|| Failure::new(format!("`{value}` is no value for --{name}")))?;
        found.insert(key.to_owned(), json!(number));
    }
    let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = command.trim();
    let test = match (kind.to_uppercase().as_str(), command) {
        ("", _) => return Err(Failure::new("HEALTHCHECK requires at least one argument")),
        ("NONE", "") => json!(["NONE"]),
        ("NONE", _) => return Err(Failure::new("HEALTHCHECK NONE takes no arguments")),
        ("CMD", "") => return Err(Failure::new("Missing command after HEALTHCHECK CMD")),
        ("CMD", command) => match serde_json::from_str::<Vec<String>>(command) {
            Ok(words) => json!([vec!["CMD".to_owned()], words].concat()),
            Err(_) => json!(["CMD-SHELL", command]),
        },
        (other, _) => {
            return Err(Failure::new(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)")));
        }
    };
    found.insert("Test".to_owned(), test);
    Ok(Json::Object(found))
}

/// Reads a length of time such as `1m30s` or `100ms`.
fn nanoseconds(text: &str) -> Option<i64> {
    let (mut rest, mut total) = (text, 0.0f64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let unit = match &rest[digits..end] {
            "h" => 3600e9,
            "m" => 60e9,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[end..];
    }
    #[expect(clippy::cast_possible_truncation, reason = "a number out of range saturates")]
    (!text.is_empty()).then_some(total.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_as_the_engine_reads_them() {
        for (text, expected) in [
            ("NONE", json!({ "Test": ["NONE"] })),
            ("CMD curl x", json!({ "Test": ["CMD-SHELL", "curl x"] })),
            (
                "--interval=1m30s --retries=3 CMD [\"a\"]",
                json!({ "Interval": 90_000_000_000_i64, "Retries": 3, "Test": ["CMD", "a"] }),
            ),
        ] {
            assert_eq!(parse(text).expect("is well-formed"), expected);
        }
        for text in ["", "CMD", "SOON", "--often=1s CMD x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
