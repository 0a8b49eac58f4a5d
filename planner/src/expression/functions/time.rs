//! Functions of dates and times.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Fault, Function, Outcome, Parameter, Value, function, kinds, parameter, results, text, whole};
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
    function("rfc3339_parse", &[TIMESTAMP], results::dynamic, |arguments, _| {
        let moment = Moment::parse(text(arguments, 0), &['T', ' ']).map_err(|reason| Fault::Argument(0, reason))?;
        Ok(moment.describe(("unix", Value::number(moment.unix()))))
    }),
    function("timeadd", &[TIMESTAMP, parameter("duration", kinds::text)], results::text, time_add),
    function("timestamp", &[], results::text, |_, host| {
        host.usage.borrow_mut().volatile.insert("timestamp".to_owned());
        Ok(Value::string(&go_format(RFC_3339, host.now)))
    }),
    function(
        "unix_timestamp_parse",
        &[parameter("unix_timestamp", kinds::number)],
        results::dynamic,
        |arguments, _| {
            let instant = Timestamp::from_second(whole(arguments, 0)?)
                .map_err(|_| Fault::Argument(0, "the time is out of range".to_owned()))?;
            let moment = Moment { local: TimeZone::UTC.to_datetime(instant), offset: 0, is_utc: true };
            Ok(moment.describe(("rfc3339", Value::string(&moment.rfc3339()))))
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
    local: DateTime,
    /// Seconds east of Greenwich.
    offset: i32,
    /// Whether the zone was written as `Z`.
    is_utc: bool,
}

impl Moment {
    /// Reads `2006-01-02T15:04:05Z` or the like.
    fn parse(written: &str, separators: &[char]) -> Result<Self, String> {
        let fault = || format!("not a valid RFC3339 timestamp: \"{written}\"");
        let part = |range: std::ops::Range<usize>, low: i16, high: i16| -> Result<i16, String> {
            let digits =
                written.get(range).filter(|text| text.bytes().all(|b| b.is_ascii_digit())).ok_or_else(fault)?;
            digits.parse().ok().filter(|value| (low..=high).contains(value)).ok_or_else(fault)
        };
        let sign_at = |at: usize, sign: &[char]| -> Result<(), String> {
            let c = written.get(at..).and_then(|rest| rest.chars().next());
            c.filter(|c| sign.contains(c)).map(|_| ()).ok_or_else(fault)
        };
        let (year, month, day) = (part(0..4, 0, 9999)?, part(5..7, 1, 12)?, part(8..10, 1, 31)?);
        let (hour, minute, second) = (part(11..13, 0, 23)?, part(14..16, 0, 59)?, part(17..19, 0, 59)?);
        sign_at(4, &['-'])?;
        sign_at(7, &['-'])?;
        sign_at(10, separators)?;
        sign_at(13, &[':'])?;
        sign_at(16, &[':'])?;
        let mut at = 19;
        let mut nanosecond = 0;
        if written[at..].starts_with('.') {
            let digits: String = written[at + 1..].chars().take_while(char::is_ascii_digit).collect();
            if digits.is_empty() {
                return Err(fault());
            }
            at += 1 + digits.len();
            nanosecond = format!("{digits:0<9}")[..9].parse().map_err(|_| fault())?;
        }
        let (offset, is_utc) = match &written[at..] {
            "Z" => (0, true),
            zone if zone.len() == 6 => {
                sign_at(at, &['+', '-'])?;
                sign_at(at + 3, &[':'])?;
                let (hours, minutes) = (part(at + 1..at + 3, 0, 23)?, part(at + 4..at + 6, 0, 59)?);
                let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
                (if zone.starts_with('-') { -seconds } else { seconds }, false)
            }
            _ => return Err(fault()),
        };
        let small = |value: i16| i8::try_from(value).unwrap_or(i8::MAX);
        let local =
            DateTime::new(year, small(month), small(day), small(hour), small(minute), small(second), nanosecond)
                .map_err(|_| fault())?;
        Ok(Self { local, offset, is_utc })
    }

    fn unix(&self) -> i64 {
        let as_utc = TimeZone::UTC.to_timestamp(self.local).map_or(0, Timestamp::as_second);
        as_utc - i64::from(self.offset)
    }

    fn zone(&self, colon: bool) -> String {
        let (sign, seconds) = if self.offset < 0 { ('-', -self.offset) } else { ('+', self.offset) };
        format!("{sign}{:02}{}{:02}", seconds / 3600, if colon { ":" } else { "" }, seconds / 60 % 60)
    }

    fn rfc3339(&self) -> String {
        let zone = if self.is_utc || self.offset == 0 { "Z".to_owned() } else { self.zone(true) };
        let local = self.local;
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        )
    }

    /// Counts from Sunday.
    fn weekday(&self) -> i8 {
        self.local.date().weekday().to_sunday_zero_offset()
    }

    fn weekday_name(&self) -> &'static str {
        WEEKDAYS[usize::try_from(self.local.date().weekday().to_monday_zero_offset()).unwrap_or(0)]
    }

    fn month_name(&self) -> &'static str {
        MONTHS[usize::try_from(self.local.month() - 1).unwrap_or(0)]
    }

    fn describe(&self, other: (&str, Value)) -> Value {
        let local = self.local;
        let week = local.date().iso_week_date();
        let number = |name: &str, value: i64| (Arc::from(name), Value::number(value));
        Value::object([
            number("year", local.year().into()),
            number("year_day", local.date().day_of_year().into()),
            number("day", local.day().into()),
            number("month", local.month().into()),
            (Arc::from("month_name"), Value::string(self.month_name())),
            number("weekday", self.weekday().into()),
            (Arc::from("weekday_name"), Value::string(self.weekday_name())),
            number("hour", local.hour().into()),
            number("minute", local.minute().into()),
            number("second", local.second().into()),
            number("iso_year", week.year().into()),
            number("iso_week", week.week().into()),
            (Arc::from(other.0), other.1),
        ])
    }
}

fn time_add(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut moment = Moment::parse(text(arguments, 0), &['T']).map_err(|reason| Fault::Argument(0, reason))?;
    let length = duration::parse(text(arguments, 1)).map_err(|reason| Fault::Argument(1, reason))?;
    moment.local = moment
        .local
        .checked_add(jiff::SignedDuration::from_nanos(length))
        .map_err(|_| Fault::Other("the time is out of range".to_owned()))?;
    Ok(Value::string(&moment.rfc3339()))
}

fn format_date(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let moment = Moment::parse(text(arguments, 1), &['T']).map_err(|reason| Fault::Argument(1, reason))?;
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

/// Copies what stands between single quotes; two of them are one.
fn quoted(format: &[char], start: usize, out: &mut String) -> Result<usize, Fault> {
    let mut at = start + 1;
    let begin = out.len();
    loop {
        match format.get(at) {
            None => return Err(Fault::Argument(0, "unterminated literal '".to_owned())),
            Some('\'') if format.get(at + 1) == Some(&'\'') && at > start => {
                out.push('\'');
                at += 2;
            }
            Some('\'') => {
                // An empty pair of quotes stands for a quote.
                if out.len() == begin {
                    out.push('\'');
                }
                return Ok(at + 1);
            }
            Some(c) => {
                out.push(*c);
                at += 1;
            }
        }
    }
}

impl Moment {
    fn verb(&self, letter: char, run: usize) -> Option<String> {
        let local = self.local;
        let hour12 = if local.hour() % 12 == 0 { 12 } else { local.hour() % 12 };
        let short = |name: &str| name[..3].to_owned();
        Some(match (letter, run) {
            ('Y', 2) => format!("{:02}", local.year().rem_euclid(100)),
            ('Y', 4) => format!("{:04}", local.year()),
            ('M', 1) => local.month().to_string(),
            ('M', 2) => format!("{:02}", local.month()),
            ('M', 3) => short(self.month_name()),
            ('M', 4) => self.month_name().to_owned(),
            ('D', 1) => local.day().to_string(),
            ('D', 2) => format!("{:02}", local.day()),
            ('E', 3) => short(self.weekday_name()),
            ('E', 4) => self.weekday_name().to_owned(),
            ('h', 1) => local.hour().to_string(),
            ('h', 2) => format!("{:02}", local.hour()),
            ('H', 1) => hour12.to_string(),
            ('H', 2) => format!("{hour12:02}"),
            ('A', 2) => if local.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            ('a', 2) => if local.hour() < 12 { "am" } else { "pm" }.to_owned(),
            ('m', 1) => local.minute().to_string(),
            ('m', 2) => format!("{:02}", local.minute()),
            ('s', 1) => local.second().to_string(),
            ('s', 2) => format!("{:02}", local.second()),
            ('Z', 1) if self.offset == 0 => "Z".to_owned(),
            ('Z', 1) => self.zone(true),
            ('Z', 3) if self.offset == 0 => "UTC".to_owned(),
            ('Z', 3 | 4) => self.zone(false),
            ('Z', 5) => self.zone(true),
            _ => return None,
        })
    }
}
