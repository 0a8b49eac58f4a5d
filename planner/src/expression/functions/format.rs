//! `format` and `formatlist`: values in texts by verbs, as cty has them.

use num_bigint::BigInt;

use super::text::graphemes;
use super::{Fault, Function, Outcome, Parameter, Type, Value, function, json, kinds, parameter, results, text};
use crate::expression::convert::convert;
use crate::expression::decimal::Decimal;
use crate::expression::number::Number;
use crate::expression::scope::Host;

/// Widths and precisions beyond this are refused: nobody means them.
const MAX_WIDTH: usize = 100_000;

const ARGS: Parameter = parameter("args", kinds::any).nullable().unknown();

pub(super) const FUNCTIONS: &[Function] = &[
    function("format", &[parameter("format", kinds::text)], results::text, |arguments, _| {
        if !arguments.iter().all(Value::is_wholly_known) {
            return Ok(Value::Unknown(Type::String));
        }
        let values: Vec<&Value> = arguments[1..].iter().collect();
        formatted(text(arguments, 0), &values).map(|text| Value::string(&text))
    })
    .variadic(ARGS),
    function("formatlist", &[parameter("format", kinds::text)], results::texts, format_list).variadic(ARGS),
];

fn format_list(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut length = None;
    let mut is_open = false;
    for (index, value) in arguments.iter().enumerate().skip(1) {
        let own = match value {
            Value::Set(_, items) if items.len() > 1 && !value.is_wholly_known() => None,
            Value::Unknown(Type::List(_) | Type::Set(_)) => None,
            Value::Unknown(Type::Tuple(kinds)) => {
                is_open = true;
                Some(kinds.len())
            }
            value => match value.items() {
                Some(items) => Some(items.len()),
                // All else takes part in every turn.
                None => continue,
            },
        };
        match (length, own) {
            (_, None) => is_open = true,
            (None, Some(own)) => length = Some(own),
            (Some(known), Some(own)) if known == own => {}
            (Some(known), Some(own)) => {
                let message =
                    format!("argument {index} has length {own}, which is inconsistent with argument of length {known}");
                return Err(Fault::Argument(index, message));
            }
        }
    }
    if is_open {
        return Ok(Value::Unknown(results::texts()));
    }
    let mut results = Vec::new();
    for turn in 0..length.unwrap_or(1) {
        let values: Vec<&Value> =
            arguments[1..].iter().map(|value| value.items().map_or(value, |items| &items[turn])).collect();
        if values.iter().all(|value| value.is_wholly_known()) {
            results.push(Value::string(&formatted(text(arguments, 0), &values)?));
        } else {
            results.push(Value::Unknown(Type::String));
        }
    }
    Ok(Value::list(Type::String, results))
}

/// A verb with all that stands before it.
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    hash: bool,
    zero: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    argument: usize,
    mode: char,
}

fn formatted(format: &str, values: &[&Value]) -> Result<String, Fault> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 0;
    let mut highest = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let verb_text = &rest[at + 1..];
        if let Some(after) = verb_text.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let offset = format.len() - rest.len() + at;
        let (verb, used) = parse(verb_text, next)
            .ok_or_else(|| Fault::Argument(0, format!("unrecognized format character at offset {offset}")))?;
        let value = values.get(verb.argument).ok_or_else(|| {
            Fault::Other(format!(
                "not enough arguments for \"{}\" at {offset}: need index {} but have {} total",
                &rest[at..at + 1 + used],
                verb.argument + 1,
                values.len()
            ))
        })?;
        next = verb.argument + 1;
        highest = highest.max(next);
        out.push_str(&verb.print(value).map_err(|reason| Fault::Argument(verb.argument + 1, reason))?);
        rest = &verb_text[used..];
    }
    out.push_str(rest);
    if highest < values.len() {
        return Err(Fault::Argument(highest + 1, "too many arguments; no verb uses this one".to_owned()));
    }
    Ok(out)
}

/// Reads a verb after its `%`; returns it and how many bytes it takes.
fn parse(text: &str, next: usize) -> Option<(Verb, usize)> {
    let mut verb = Verb { argument: next, ..Verb::default() };
    let bytes = text.as_bytes();
    let mut at = 0;
    let number = |at: &mut usize| -> Option<usize> {
        let start = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        text[start..*at].parse().ok().filter(|value| *value <= MAX_WIDTH)
    };
    let index = |at: &mut usize, verb: &mut Verb| -> Option<()> {
        if bytes.get(*at) == Some(&b'[') {
            *at += 1;
            (bytes.get(*at) != Some(&b'0')).then_some(())?;
            verb.argument = number(at)?.checked_sub(1)?;
            (bytes.get(*at) == Some(&b']')).then_some(())?;
            *at += 1;
        }
        Some(())
    };
    loop {
        match bytes.get(at) {
            Some(b'-') => verb.minus = true,
            Some(b'+') => verb.plus = true,
            Some(b'#') => verb.hash = true,
            Some(b'0') => verb.zero = true,
            Some(b' ') => verb.space = true,
            _ => break,
        }
        at += 1;
    }
    if bytes.get(at).is_some_and(u8::is_ascii_digit) {
        verb.width = Some(number(&mut at)?);
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        verb.precision = Some(if bytes.get(at).is_some_and(u8::is_ascii_digit) { number(&mut at)? } else { 0 });
    }
    index(&mut at, &mut verb)?;
    verb.mode = text[at..].chars().next()?;
    "vsqdboxXeEfgGt".contains(verb.mode).then(|| (verb, at + 1))
}

impl Verb {
    fn print(&self, value: &Value) -> Result<String, String> {
        let body = match self.mode {
            'v' => match value {
                Value::String(text) if !self.hash => text.to_string(),
                Value::Number(number) if !self.hash => plain(number),
                other => json::encode(other)?,
            },
            _ if value.is_null() => {
                return Err("unsupported value for the verb: null value cannot be formatted".to_owned());
            }
            's' => self.cut(&as_text(value)?),
            'q' => json::encode(&Value::string(&self.cut(&as_text(value)?)))?,
            't' => match convert(value, &Type::Bool) {
                Ok(Value::Bool(flag)) => return Ok(flag.to_string()),
                _ => return Err("a bool is required".to_owned()),
            },
            mode => {
                let Ok(Value::Number(number)) = convert(value, &Type::Number) else {
                    return Err("a number is required".to_owned());
                };
                if "dboxX".contains(mode) {
                    return self.integer(&number);
                }
                return Ok(self.number(&number, mode));
            }
        };
        Ok(self.padded(body))
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(limit) if limit > 0 => graphemes(text).into_iter().take(limit).collect(),
            _ => text.to_owned(),
        }
    }

    fn integer(&self, number: &Number) -> Result<String, String> {
        let whole = number.to_integer().ok_or("an integer is required")?;
        let (radix, is_upper) = match self.mode {
            'b' => (2, false),
            'o' => (8, false),
            'x' => (16, false),
            'X' => (16, true),
            _ => (10, false),
        };
        if whole == BigInt::ZERO && self.precision == Some(0) {
            return Ok(String::new());
        }
        let mut digits = whole.magnitude().to_str_radix(radix);
        if is_upper {
            digits = digits.to_uppercase();
        }
        let prefix = match self.mode {
            'b' => "0b",
            'o' => "0",
            'x' => "0x",
            'X' => "0X",
            _ => "",
        };
        let prefix = self.signed(number.is_negative(), (if self.hash { prefix } else { "" }).to_owned());
        // A precision is a number of digits; without one, zeros may fill the width.
        let places = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            (None, Some(width)) if self.zero && !self.minus => width.saturating_sub(prefix.len()),
            _ => 0,
        };
        let spaces = Self { zero: false, ..*self };
        Ok(spaces.padded(format!("{prefix}{digits:0>places$}")))
    }

    fn number(&self, number: &Number, mode: char) -> String {
        if number.is_infinite() {
            let sign = match () {
                () if number.is_negative() => "-",
                () if self.space => " ",
                () => "+",
            };
            let spaces = Self { zero: false, ..*self };
            return spaces.padded(format!("{sign}Inf"));
        }
        let decimal = Decimal::of(number);
        let digits = match mode {
            'e' | 'E' => decimal.scientific(Some(self.precision.unwrap_or(6))),
            'f' => decimal.fixed(Some(self.precision.unwrap_or(6))),
            _ => decimal.general(self.precision),
        };
        let digits = if mode.is_uppercase() { digits.to_uppercase() } else { digits };
        let body = self.signed(decimal.is_negative, digits);
        let Some(width) = self.width.filter(|_| self.zero) else { return self.padded(body) };
        // Zeros go between sign and digits, even if the number was to stand at the left.
        let sign = usize::from(body.starts_with(['-', '+', ' ']));
        let places = width.saturating_sub(sign);
        format!("{}{:0>places$}", &body[..sign], &body[sign..])
    }

    fn signed(&self, is_negative: bool, digits: String) -> String {
        match () {
            () if is_negative => format!("-{digits}"),
            () if self.plus => format!("+{digits}"),
            () if self.space => format!(" {digits}"),
            () => digits,
        }
    }

    fn padded(&self, body: String) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(graphemes(&body).len());
        let filler = (if self.zero { "0" } else { " " }).repeat(missing);
        if self.minus { body + &filler } else { filler + &body }
    }
}

/// A number as `%v` shows it: as many digits as it has, and no sign but a minus.
fn plain(number: &Number) -> String {
    if number.is_infinite() {
        return number.to_string();
    }
    let decimal = Decimal::of(number);
    format!("{}{}", if decimal.is_negative { "-" } else { "" }, decimal.general(None))
}

fn as_text(value: &Value) -> Result<String, String> {
    match convert(value, &Type::String) {
        Ok(Value::String(text)) => Ok(text.to_string()),
        _ => Err("a string is required".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: &str, value: Value) -> String {
        formatted(format, &[&value]).unwrap_or_else(|fault| panic!("{format}: {fault:?}"))
    }

    #[test]
    fn numbers_fill_their_width_as_in_go() {
        let number = |text: &str| Value::Number(Number::parse(text).expect("is a number"));
        for (format, value, expected) in [
            ("%#012b", "5", "0b0000000101"),
            ("%05.2x", "255", "   ff"),
            ("%-05d|", "-7", "-7   |"),
            ("%.0d", "0", ""),
            ("%#.x", "0", ""),
            ("%-05.f", "1.02", "00001"),
            ("%08.2f", "-1.5", "-0001.50"),
            ("%5v", "Inf", " +Inf"),
            ("%+e", "Inf", "+Inf"),
            ("% 06g", "Inf", "   Inf"),
            ("%.0v", "123456", "123456"),
            ("%10.3v", "1000000", "     1e+06"),
        ] {
            assert_eq!(text(format, number(value)), expected, "{format} {value}");
        }
    }

    #[test]
    fn texts_are_filled_too() {
        assert_eq!(text("%-05s|", Value::string("ab")), "ab000|");
        assert_eq!(text("%.0s", Value::string("ab")), "ab");
        assert_eq!(text("%.1q", Value::string("ab")), "\"a\"");
        assert_eq!(text("%9t", Value::Bool(true)), "true");
        for format in ["%[1]5d", "%[01]d", "%c", "%"] {
            assert!(formatted(format, &[&Value::number(1_i64)]).is_err(), "{format}");
        }
        assert!(formatted("%x", &[&Value::string("1.5")]).is_err());
    }
}
