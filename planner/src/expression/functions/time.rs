//! Functions of dates and times.

use std::sync::Arc;

use jiff::Timestamp;
use num_bigint::BigInt;

use super::calendar::{date_of, days_from, days_of, week, weekday};
use super::{Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text, whole};
use crate::expression::scope::Host;
use crate::value::duration;
use crate::value::functions::{MONTHS, RFC_3339, WEEKDAYS, go_format, strftime};

const TIMESTAMP: Parameter = parameter("timestamp", kinds::text);
const FORMAT: Parameter = parameter("format", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("formatdate", &[FORMAT, parameter("time", kinds::text)], results::text, format_date),
    function("legacy_isotime", &[], results::text, |arguments, host| {
        legacy(arguments, host, "legacy_isotime", go_format)
    })
    .variadic(FORMAT),
    function("legacy_strftime", &[], results::text, |arguments, host| {
        legacy(arguments, host, "legacy_strftime", strftime)
    })
    .variadic(FORMAT),
    function(
        "rfc3339_parse",
        &[TIMESTAMP],
        || described("unix", Type::Number),
        |arguments, _| {
            let moment =
                Moment::parse(text(arguments, 0), Form::Lenient).map_err(|reason| Fault::Argument(0, reason))?;
            Ok(moment.describe("unix", Value::number(BigInt::from(moment.unix()))))
        },
    ),
    function("timeadd", &[TIMESTAMP, parameter("duration", kinds::text)], results::text, time_add),
    function("timestamp", &[], results::text, |_, host| {
        host.usage.borrow_mut().volatile.insert("timestamp".to_owned());
        Ok(Value::string(&go_format(RFC_3339, host.now)))
    }),
    function(
        "unix_timestamp_parse",
        &[parameter("unix_timestamp", kinds::number)],
        || described("rfc3339", Type::String),
        |arguments, _| {
            let moment = from_unix(whole(arguments, 0)?);
            Ok(moment.describe("rfc3339", Value::string(&moment.rfc3339())))
        },
    ),
];

fn legacy(arguments: &[Value], host: &Host<'_>, name: &str, format: fn(&str, Timestamp) -> String) -> Outcome {
    host.usage.borrow_mut().volatile.insert(name.to_owned());
    match arguments {
        [] => Ok(Value::string(&go_format(RFC_3339, host.now))),
        [_] => Ok(Value::string(&format(text(arguments, 0), host.now))),
        _ => Err(format!("too many values, expected 1, got {}", arguments.len()).into()),
    }
}

/// A time with the zone that it was written in.
#[derive(Clone, Copy)]
struct Moment {
    /// Seconds of the clock in that zone, from the start of 1970.
    local: i128,
    /// Seconds east of Greenwich.
    offset: i64,
}

/// How strictly a time is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By the letter of RFC 3339.
    Strict,
    /// As Go reads it when nobody asks for strictness: hours of one digit, a comma before the fraction, zones of 24
    /// hours; here with a blank for the `T` too.
    Lenient,
}

/// What is left of a text to read.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    /// Takes so many digits that make a number in these bounds.
    fn number(&mut self, digits: usize, low: i64, high: i64) -> Option<i64> {
        let taken = self.0.get(..digits).filter(|taken| taken.bytes().all(|byte| byte.is_ascii_digit()))?;
        self.0 = &self.0[digits..];
        taken.parse().ok().filter(|number| (low..=high).contains(number))
    }

    /// Takes one digit or two.
    fn short(&mut self, low: i64, high: i64) -> Option<i64> {
        let is_long = self.0.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        self.number(if is_long { 2 } else { 1 }, low, high)
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        self.0 = self.0.strip_prefix(sign)?;
        Some(())
    }

    /// Takes the fraction of a second, if there is one.
    fn fraction(&mut self, is_lenient: bool) -> Option<()> {
        if self.sign('.').or_else(|| if is_lenient { self.sign(',') } else { None }).is_some() {
            let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
            self.0 = self.0.get(digits..).filter(|_| digits > 0)?;
        }
        Some(())
    }

    /// Takes the zone; returns seconds east of Greenwich.
    fn zone(&mut self, is_lenient: bool) -> Option<i64> {
        if self.sign('Z').is_some() {
            return Some(0);
        }
        let is_west = self.sign('-').is_some();
        if !is_west {
            self.sign('+')?;
        }
        let hours = self.number(2, 0, if is_lenient { 24 } else { 23 })?;
        self.sign(':')?;
        let minutes = self.number(2, 0, if is_lenient { 60 } else { 59 })?;
        let seconds = hours * 3600 + minutes * 60;
        Some(if is_west { -seconds } else { seconds })
    }
}

/// Reads a time as YAML has them, and writes it by RFC 3339: a date alone, or with the time of day, the zone after a `T`
/// only.
pub(super) fn of_yaml(written: &str) -> Option<String> {
    let mut rest = Rest(written);
    let year = i128::from(rest.number(4, 0, 9999)?);
    rest.sign('-')?;
    let month = rest.short(1, 12)?;
    rest.sign('-')?;
    let day = rest.short(1, 31)?;
    let mut moment = Moment { local: days_from(year, month, day) * 86_400, offset: 0 };
    if !rest.0.is_empty() {
        let has_zone = rest.sign('T').or_else(|| rest.sign('t')).is_some();
        if !has_zone {
            rest.0.starts_with(' ').then_some(())?;
            rest.0 = rest.0.trim_start_matches(' ');
        }
        let hour = rest.short(0, 23)?;
        rest.sign(':')?;
        let minute = rest.short(0, 59)?;
        rest.sign(':')?;
        moment.local += i128::from(hour * 3600 + minute * 60 + rest.short(0, 59)?);
        rest.fraction(true)?;
        if has_zone {
            moment.offset = rest.zone(true)?;
        }
    }
    (rest.0.is_empty() && day <= days_of(year, month)).then(|| moment.rfc3339())
}

impl Moment {
    /// Reads `2006-01-02T15:04:05Z` or the like.
    fn parse(written: &str, form: Form) -> Result<Self, String> {
        Self::read(written, form).ok_or_else(|| format!("not a valid RFC3339 timestamp: \"{written}\""))
    }

    fn read(written: &str, form: Form) -> Option<Self> {
        let is_lenient = form == Form::Lenient;
        let mut rest = Rest(written);
        let year = i128::from(rest.number(4, 0, 9999)?);
        rest.sign('-')?;
        let month = rest.number(2, 1, 12)?;
        rest.sign('-')?;
        let day = rest.number(2, 1, 31)?;
        if rest.sign('T').is_none() {
            (is_lenient && rest.0.starts_with(' ')).then_some(())?;
            rest.0 = rest.0.trim_start_matches(' ');
        }
        let hour = if is_lenient { rest.short(0, 23) } else { rest.number(2, 0, 23) }?;
        rest.sign(':')?;
        let minute = rest.number(2, 0, 59)?;
        rest.sign(':')?;
        let second = rest.number(2, 0, 59)?;
        rest.fraction(is_lenient)?;
        let offset = rest.zone(is_lenient)?;
        if !rest.0.is_empty() || day > days_of(year, month) {
            return None;
        }
        let seconds = hour * 3600 + minute * 60 + second;
        Some(Self { local: days_from(year, month, day) * 86_400 + i128::from(seconds), offset })
    }

    fn unix(&self) -> i128 {
        self.local - i128::from(self.offset)
    }

    fn days(&self) -> i128 {
        self.local.div_euclid(86_400)
    }

    /// Returns year, month and day.
    fn date(&self) -> (i128, i64, i64) {
        date_of(self.days())
    }

    /// Returns hour, minute and second.
    fn clock(&self) -> (i64, i64, i64) {
        let seconds = i64::try_from(self.local.rem_euclid(86_400)).unwrap_or(0);
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    fn zone(&self, colon: bool) -> String {
        let (sign, seconds) = if self.offset < 0 { ('-', -self.offset) } else { ('+', self.offset) };
        format!("{sign}{:02}{}{:02}", seconds / 3600, if colon { ":" } else { "" }, seconds / 60 % 60)
    }

    fn rfc3339(&self) -> String {
        let zone = if self.offset == 0 { "Z".to_owned() } else { self.zone(true) };
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        let (sign, year) = (if year < 0 { "-" } else { "" }, year.unsigned_abs());
        format!("{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
    }

    fn weekday_name(&self) -> &'static str {
        WEEKDAYS[usize::try_from(weekday(self.days())).unwrap_or(0)]
    }

    fn month_name(&self) -> &'static str {
        MONTHS[usize::try_from(self.date().1 - 1).unwrap_or(0)]
    }

    fn describe(&self, name: &str, other: Value) -> Value {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        let (iso_year, iso_week) = week(self.days());
        let number = |name: &str, value: i128| (Arc::from(name), Value::number(BigInt::from(value)));
        Value::object([
            number("year", year),
            number("year_day", self.days() - days_from(year, 1, 1) + 1),
            number("day", day.into()),
            number("month", month.into()),
            (Arc::from("month_name"), Value::string(self.month_name())),
            // Here weeks begin with Sunday.
            number("weekday", ((weekday(self.days()) + 1) % 7).into()),
            (Arc::from("weekday_name"), Value::string(self.weekday_name())),
            number("hour", hour.into()),
            number("minute", minute.into()),
            number("second", second.into()),
            number("iso_year", iso_year),
            number("iso_week", iso_week),
            (Arc::from(name), other),
        ])
    }
}

/// The type of what a time is described by.
fn described(name: &str, other: Type) -> Type {
    Moment { local: 0, offset: 0 }.describe(name, Value::Unknown(other)).kind()
}

/// A time by its seconds from the start of 1970. Go's count wraps around, long before the first year.
fn from_unix(seconds: i64) -> Moment {
    const FIRST: i128 = -9_223_372_028_741_760_000;
    let local = i128::from(seconds);
    Moment { local: if local < FIRST { local + (1 << 64) } else { local }, offset: 0 }
}

fn time_add(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let written = text(arguments, 0);
    let mut moment = Moment::parse(written, Form::Strict).map_err(|reason| Fault::Argument(0, reason))?;
    let length = duration::parse(text(arguments, 1)).map_err(|reason| Fault::Argument(1, reason))?;
    // The fraction of a second is not shown, but counts.
    let fraction = nanoseconds(written) + length.rem_euclid(1_000_000_000);
    moment.local += i128::from(length.div_euclid(1_000_000_000) + fraction / 1_000_000_000);
    Ok(Value::string(&moment.rfc3339()))
}

/// The fraction of the second in a time that was read already.
fn nanoseconds(written: &str) -> i64 {
    let Some((_, after)) = written.split_once('.') else { return 0 };
    let digits: String = after.chars().take_while(char::is_ascii_digit).chain("000000000".chars()).take(9).collect();
    digits.parse().unwrap_or(0)
}

fn format_date(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let moment = Moment::parse(text(arguments, 1), Form::Strict).map_err(|reason| Fault::Argument(1, reason))?;
    let format: Vec<char> = text(arguments, 0).chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < format.len() {
        let c = format[at];
        if c == '\'' {
            at = quoted(&format, at, &mut out)?;
            continue;
        }
        let run = format[at..].iter().take_while(|other| **other == c).count();
        if c.is_ascii_alphabetic() {
            out.push_str(&moment.verb(c, run).ok_or_else(|| {
                let verb: String = format[at..at + run].iter().collect();
                Fault::Argument(0, format!("invalid date format verb \"{verb}\""))
            })?);
        } else {
            out.extend(&format[at..at + run]);
        }
        at += run;
    }
    Ok(Value::string(&out))
}

/// Copies what stands between single quotes; two of them are one. Returns where it ends.
fn quoted(format: &[char], start: usize, out: &mut String) -> Result<usize, Fault> {
    if format.get(start + 1) == Some(&'\'') {
        out.push('\'');
        return Ok(start + 2);
    }
    let mut end = start + 1;
    while end < format.len() && (format[end] != '\'' || format.get(end + 1) == Some(&'\'')) {
        end += if format[end] == '\'' { 2 } else { 1 };
    }
    let end = (end + 1).min(format.len());
    // A doubled quote at the very end closes the text as well.
    let [_, inside @ .., '\''] = &format[start..end] else {
        return Err(Fault::Argument(0, "unterminated literal '".to_owned()));
    };
    let mut at = 0;
    while let Some(c) = inside.get(at) {
        out.push(*c);
        at += if *c == '\'' { 2 } else { 1 };
    }
    Ok(end)
}

impl Moment {
    fn verb(&self, letter: char, run: usize) -> Option<String> {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.clock());
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let short = |name: &str| name[..3].to_owned();
        Some(match (letter, run) {
            ('Y', 2) => format!("{:02}", year.rem_euclid(100)),
            ('Y', 4) => format!("{:04}", year),
            ('M', 1) => month.to_string(),
            ('M', 2) => format!("{:02}", month),
            ('M', 3) => short(self.month_name()),
            ('M', 4) => self.month_name().to_owned(),
            ('D', 1) => day.to_string(),
            ('D', 2) => format!("{:02}", day),
            ('E', 3) => short(self.weekday_name()),
            ('E', 4) => self.weekday_name().to_owned(),
            ('h', 1) => hour.to_string(),
            ('h', 2) => format!("{:02}", hour),
            ('H', 1) => hour12.to_string(),
            ('H', 2) => format!("{hour12:02}"),
            ('A', 2) => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            ('a', 2) => if hour < 12 { "am" } else { "pm" }.to_owned(),
            ('m', 1) => minute.to_string(),
            ('m', 2) => format!("{:02}", minute),
            ('s', 1) => second.to_string(),
            ('s', 2) => format!("{:02}", second),
            ('Z', 1) if self.offset == 0 => "Z".to_owned(),
            ('Z', 1) => self.zone(true),
            ('Z', 3) if self.offset == 0 => "UTC".to_owned(),
            ('Z', 3 | 4) => self.zone(false),
            ('Z', 5) => self.zone(true),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_seconds_wraps_around() {
        assert_eq!(from_unix(i64::MIN).rfc3339(), "292277026596-12-04T15:30:08Z");
        assert_eq!(from_unix(-62_135_596_801).rfc3339(), "0000-12-31T23:59:59Z");
    }

    #[test]
    fn lenient_times_may_be_sloppy() {
        for text in [
            "2020-02-03T4:05:06Z",
            "2020-02-03T04:05:06,5Z",
            "2020-02-03  04:05:06Z",
            "2020-02-03T04:05:06+24:00",
            "2020-02-03T04:05:06-00:60",
        ] {
            assert!(Moment::read(text, Form::Lenient).is_some(), "{text}");
            assert!(Moment::read(text, Form::Strict).is_none(), "{text}");
        }
        for text in ["2020-02-30T00:00:00Z", "2020-02-03T24:00:00Z", "2020-02-03T04:05:06.Z", "2020-02-03T04:05:06"] {
            assert!(Moment::read(text, Form::Lenient).is_none(), "{text}");
        }
    }

    #[test]
    fn quotes_in_formats() {
        let quotes = |format: &str| {
            let mut out = String::new();
            let format: Vec<char> = format.chars().collect();
            quoted(&format, 0, &mut out).ok().map(|end| (out, end))
        };
        let some = |text: &str, end: usize| Some((text.to_owned(), end));
        assert_eq!(quotes("''''"), some("'", 2));
        assert_eq!(quotes("'it''s' hh"), some("it's", 7));
        assert_eq!(quotes("'a''"), some("a'", 4));
        assert_eq!(quotes("'open"), None);
        assert_eq!(quotes("'"), None);
    }
}
