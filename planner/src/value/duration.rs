//! Lengths of time as Go writes them: `300ms`, `1h30m`.

use std::time::Duration;

/// Parses Go's form of a duration and returns nanoseconds.
///
/// # Errors
///
/// Returns what is wrong as a fragment that fits after the quoted text.
pub fn parse(text: &str) -> Result<i64, String> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err("is no length of time; write for example `30s` or `1h30m`".to_owned());
    }
    let mut total = 0_f64;
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        let number: f64 =
            number.parse().map_err(|_| "is no length of time; write for example `30s` or `1h30m`".to_owned())?;
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("lacks a unit; write for example `{text}s`")),
            other => return Err(format!("has the unknown unit `{other}`; units are ns us ms s m h")),
        };
        total += number * scale;
        rest = next;
    }
    if total >= 9_223_372_036_854_775_807.0 {
        return Err("is longer than 292 years".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bound is checked above")]
    let nanoseconds = total.round() as i64;
    Ok(if negative { -nanoseconds } else { nanoseconds })
}

/// Writes a duration as Go's `Duration.String` does: `1.5s`, `1h30m0s`, `2ms`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let fraction = |unit: u128, suffix: &str| {
        let whole = nanoseconds / unit;
        let rest = nanoseconds % unit;
        if rest == 0 {
            return format!("{whole}{suffix}");
        }
        let width = unit.to_string().len() - 1;
        let digits = format!("{rest:0width$}");
        format!("{whole}.{}{suffix}", digits.trim_end_matches('0'))
    };
    if nanoseconds == 0 {
        "0s".to_owned()
    } else if nanoseconds < 1_000 {
        format!("{nanoseconds}ns")
    } else if nanoseconds < 1_000_000 {
        fraction(1_000, "µs")
    } else if nanoseconds < 1_000_000_000 {
        fraction(1_000_000, "ms")
    } else {
        let seconds = duration.as_secs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let last = Duration::new(seconds % 60, duration.subsec_nanos());
        let digits = format!("{}.{:09}", last.as_secs(), last.subsec_nanos());
        let last = digits.trim_end_matches('0').trim_end_matches('.');
        match (hours, minutes) {
            (0, 0) => format!("{last}s"),
            (0, _) => format!("{minutes}m{last}s"),
            _ => format!("{hours}h{minutes}m{last}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_forms_are_read() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("10ns", 10),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("-2s", -2_000_000_000),
            ("2us", 2_000),
            (".5s", 500_000_000),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_a_reason() {
        for (text, part) in [
            ("10", "lacks a unit"),
            ("", "no length of time"),
            ("5 s", "unknown unit ` s`"),
            ("3d", "unknown unit `d`"),
            ("s", "no length of time"),
            ("9999999999h", "292 years"),
        ] {
            assert!(parse(text).expect_err(text).contains(part), "{text}");
        }
    }

    #[test]
    fn durations_print_as_go_prints_them() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (10, "10ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (10_000_000_000, "10s"),
            (5_400_000_000_000, "1h30m0s"),
            (90_000_000_000, "1m30s"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
