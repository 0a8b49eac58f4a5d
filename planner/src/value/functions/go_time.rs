//! Times in the layouts of Go's `time.Format` and of `strftime`, always in UTC.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The layout of `isotime` without arguments.
pub(crate) const RFC_3339: &str = "2006-01-02T15:04:05Z07:00";

/// The names of the months.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The names of the days of the week, from Monday on.
pub(crate) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A piece of a layout that stands for a part of the time.
#[derive(Clone, Copy)]
enum Part {
    Year,
    ShortYear,
    MonthName,
    ShortMonthName,
    /// A month, day, hour of twelve, minute or second, with how it is padded to two places.
    Month(Padding),
    Day(Padding),
    Hour12(Padding),
    Minute(Padding),
    Second(Padding),
    Hour24,
    WeekdayName,
    ShortWeekdayName,
    YearDay(Padding),
    UpperHalf,
    LowerHalf,
    Zone,
    /// An offset in this form, which for UTC is all zeros.
    Offset(&'static str),
    /// An offset for which UTC is `Z`.
    ZuluOffset,
    Fraction {
        separator: char,
        digits: usize,
        trims: bool,
    },
}

#[derive(Clone, Copy)]
enum Padding {
    None,
    Zero,
    Space,
}

/// What a layout may contain, longer before shorter where one starts the other.
const PARTS: [(&str, Part); 37] = [
    ("January", Part::MonthName),
    ("Jan", Part::ShortMonthName),
    ("Monday", Part::WeekdayName),
    ("Mon", Part::ShortWeekdayName),
    ("MST", Part::Zone),
    ("01", Part::Month(Padding::Zero)),
    ("02", Part::Day(Padding::Zero)),
    ("03", Part::Hour12(Padding::Zero)),
    ("04", Part::Minute(Padding::Zero)),
    ("05", Part::Second(Padding::Zero)),
    ("06", Part::ShortYear),
    ("002", Part::YearDay(Padding::Zero)),
    ("15", Part::Hour24),
    ("1", Part::Month(Padding::None)),
    ("2006", Part::Year),
    ("2", Part::Day(Padding::None)),
    ("_2", Part::Day(Padding::Space)),
    ("__2", Part::YearDay(Padding::Space)),
    ("3", Part::Hour12(Padding::None)),
    ("4", Part::Minute(Padding::None)),
    ("5", Part::Second(Padding::None)),
    ("PM", Part::UpperHalf),
    ("pm", Part::LowerHalf),
    ("-070000", Part::Offset("+000000")),
    ("-07:00:00", Part::Offset("+00:00:00")),
    ("-0700", Part::Offset("+0000")),
    ("-07:00", Part::Offset("+00:00")),
    ("-07", Part::Offset("+00")),
    ("Z070000", Part::ZuluOffset),
    ("Z07:00:00", Part::ZuluOffset),
    ("Z0700", Part::ZuluOffset),
    ("Z07:00", Part::ZuluOffset),
    ("Z07", Part::ZuluOffset),
    (".0", Part::Fraction { separator: '.', digits: 0, trims: false }),
    (",0", Part::Fraction { separator: ',', digits: 0, trims: false }),
    (".9", Part::Fraction { separator: '.', digits: 0, trims: true }),
    (",9", Part::Fraction { separator: ',', digits: 0, trims: true }),
];

/// Formats `instant` as the example time `Mon Jan 2 15:04:05 MST 2006` is written in `layout`.
pub(crate) fn format(layout: &str, instant: Timestamp) -> String {
    let time = instant.to_zoned(TimeZone::UTC).datetime();
    let mut out = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((length, part)) = next_part(rest) {
            push(&mut out, part, time);
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Returns the part that `layout` starts with and its length.
fn next_part(layout: &str) -> Option<(usize, Part)> {
    // Go sees `_2006` as an underscore before a year, so that the day does not match there.
    if layout.starts_with("_2006") {
        return None;
    }
    let (token, part) = PARTS.iter().find(|(token, _)| layout.starts_with(token))?;
    let rest = &layout[token.len()..];
    match *part {
        Part::ShortMonthName | Part::ShortWeekdayName if rest.starts_with(|c: char| c.is_ascii_lowercase()) => None,
        Part::Fraction { separator, trims, .. } => {
            let digit = if trims { '9' } else { '0' };
            let more = rest.len() - rest.trim_start_matches(digit).len();
            if rest[more..].starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            Some((token.len() + more, Part::Fraction { separator, digits: 1 + more, trims }))
        }
        part => Some((token.len(), part)),
    }
}

fn push(out: &mut String, part: Part, time: DateTime) {
    let month = MONTHS[usize::try_from(time.month() - 1).unwrap_or(0)];
    let weekday = WEEKDAYS[usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0)];
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        Part::Year => push_number(out, time.year().into(), Padding::Zero, 4),
        Part::ShortYear => push_number(out, (time.year() % 100).into(), Padding::Zero, 2),
        Part::MonthName => out.push_str(month),
        Part::ShortMonthName => out.push_str(&month[..3]),
        Part::Month(padding) => push_number(out, time.month().into(), padding, 2),
        Part::Day(padding) => push_number(out, time.day().into(), padding, 2),
        Part::Hour12(padding) => push_number(out, hour.into(), padding, 2),
        Part::Minute(padding) => push_number(out, time.minute().into(), padding, 2),
        Part::Second(padding) => push_number(out, time.second().into(), padding, 2),
        Part::Hour24 => push_number(out, time.hour().into(), Padding::Zero, 2),
        Part::WeekdayName => out.push_str(weekday),
        Part::ShortWeekdayName => out.push_str(&weekday[..3]),
        Part::YearDay(padding) => push_number(out, time.day_of_year().into(), padding, 3),
        Part::UpperHalf => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        Part::LowerHalf => out.push_str(if time.hour() < 12 { "am" } else { "pm" }),
        Part::Zone => out.push_str("UTC"),
        Part::Offset(zeros) => out.push_str(zeros),
        Part::ZuluOffset => out.push('Z'),
        Part::Fraction { separator, digits, trims } => {
            let nanoseconds = format!("{:09}", time.subsec_nanosecond());
            let mut fraction = &nanoseconds[..digits.min(9)];
            if trims {
                fraction = fraction.trim_end_matches('0');
            }
            if !fraction.is_empty() {
                out.push(separator);
                out.push_str(fraction);
            }
        }
    }
}

fn push_number(out: &mut String, number: i64, padding: Padding, width: usize) {
    // Writing to a string cannot fail.
    let _ = match padding {
        Padding::None => write!(out, "{number}"),
        Padding::Zero => write!(out, "{number:0width$}"),
        Padding::Space => write!(out, "{number:width$}"),
    };
}

/// Formats `instant` by the letters behind percent signs in `format`. Unknown letters stay as they are.
pub(crate) fn strftime(format: &str, instant: Timestamp) -> String {
    let time = instant.to_zoned(TimeZone::UTC).datetime();
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let Some(letter) = after.chars().next() else {
            out.push('%');
            return out;
        };
        rest = &after[letter.len_utf8()..];
        let part = match letter {
            'A' => Part::WeekdayName,
            'a' => Part::ShortWeekdayName,
            'B' => Part::MonthName,
            'b' => Part::ShortMonthName,
            'd' => Part::Day(Padding::Zero),
            'H' => Part::Hour24,
            'I' => Part::Hour12(Padding::Zero),
            'L' => Part::Fraction { separator: '.', digits: 3, trims: false },
            'M' => Part::Minute(Padding::Zero),
            'm' => Part::Month(Padding::Zero),
            'p' => Part::UpperHalf,
            'S' => Part::Second(Padding::Zero),
            'Y' => Part::Year,
            'y' => Part::ShortYear,
            'Z' => Part::Zone,
            'z' => Part::Offset("+0000"),
            '%' => {
                out.push('%');
                continue;
            }
            letter => {
                out.extend(['%', letter]);
                continue;
            }
        };
        push(&mut out, part, time);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant() -> Timestamp {
        "2026-11-03T14:07:03.86305917Z".parse().expect("a good timestamp")
    }

    #[test]
    fn layouts_of_the_standard_library_are_understood() {
        for (layout, expected) in [
            (RFC_3339, "2026-11-03T14:07:03Z"),
            ("Mon Jan _2 15:04:05 2006", "Tue Nov  3 14:07:03 2026"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Tuesday, 03-Nov-26 14:07:03 UTC"),
            ("3:04PM", "2:07PM"),
            ("2006-01-02 15:04:05.999999999 -0700", "2026-11-03 14:07:03.86305917 +0000"),
            ("Month Janet Monk", "Month Janet Monk"),
            ("_2006 __2006 _20", "_2026 307026  30"),
            ("", ""),
        ] {
            assert_eq!(format(layout, instant()), expected, "{layout}");
        }
    }

    #[test]
    fn a_fraction_needs_no_digit_behind_it() {
        assert_eq!(format("x.000y ,99 .0005", instant()), "x.863y ,86 .0003");
        let whole = Timestamp::UNIX_EPOCH;
        assert_eq!(format("05.000 05.999", whole), "00.000 00");
    }

    #[test]
    fn midnight_and_noon_are_twelve() {
        let midnight = "2024-02-29T00:00:00Z".parse().expect("a good timestamp");
        let noon = "2024-02-29T12:00:00Z".parse().expect("a good timestamp");
        assert_eq!(format("3pm 002", midnight), "12am 060");
        assert_eq!(format("03PM 15", noon), "12PM 12");
    }

    #[test]
    fn strftime_keeps_what_it_does_not_know() {
        assert_eq!(strftime("%Y%m%d %L%% %e %é %", instant()), "20261103 .863% %e %é %");
    }
}
