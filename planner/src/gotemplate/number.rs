//! Go's number literals: read with every prefix, underscore and exponent that Go allows.

use super::quote;

/// A number as it is written in a template.
#[derive(Clone, Debug)]
pub(super) struct Number {
    /// The literal's text.
    pub text: String,
    /// What the number is where no type is asked for.
    pub constant: Constant,
    /// What the number is where an integer is asked for.
    pub int: Option<i64>,
}

/// The value of a number literal by itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Constant {
    Int(i64),
    Float(f64),
    /// An integer that only an unsigned type could hold.
    Overflow,
}

impl Number {
    /// Reads a character constant.
    pub fn from_char(text: &str) -> Result<Self, String> {
        let code = i64::from(quote::unquote_char_constant(text)?);
        Ok(Number { text: text.into(), constant: Constant::Int(code), int: Some(code) })
    }

    /// Reads an integer or a floating-point number.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with('i') {
            return Err(format!("complex numbers are not supported: {}", quote::quote(text)));
        }
        let (digits, is_negative) = match text.as_bytes().first() {
            Some(b'-') => (&text[1..], true),
            Some(b'+') => (&text[1..], false),
            _ => (text, false),
        };
        let magnitude = parse_magnitude(digits);
        let int = magnitude
            .and_then(|value| if is_negative { 0_i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() });
        // A sign excludes the unsigned types.
        let is_unsigned = magnitude.is_some() && digits.len() == text.len();
        let looks_like_float = text.contains(['.', 'e', 'E', 'p', 'P']);
        let (float, int) = match int {
            #[expect(clippy::cast_precision_loss, reason = "Go rounds here as well")]
            Some(value) => (value as f64, Some(value)),
            None if is_unsigned => (0.0, None),
            None => match parse_float(digits) {
                Some(_) if !looks_like_float => {
                    return Err(format!("integer overflow: {}", quote::quote(text)));
                }
                Some(value) => {
                    let value = if is_negative { -value } else { value };
                    (value, exact_int(value))
                }
                None => return Err(format!("illegal number syntax: {}", quote::quote(text))),
            },
        };
        // `0x1e` is an integer in spite of its `e`; with a sign before it Go takes it for a float.
        let is_hex_int =
            text.len() > 2 && text.starts_with(['0']) && matches!(&text[1..2], "x" | "X") && !text.contains(['p', 'P']);
        let constant = match int {
            _ if looks_like_float && !is_hex_int && !(int.is_none() && is_unsigned) => Constant::Float(float),
            Some(value) => Constant::Int(value),
            None => Constant::Overflow,
        };
        Ok(Number { text: text.into(), constant, int })
    }
}

/// Returns the integer that equals `value`, if there is one.
fn exact_int(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the limits")]
    (value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value)).then_some(value as i64)
}

/// Reads an integer without a sign: decimal, or `0x`, `0o`, `0b`, or octal after a bare `0`.
fn parse_magnitude(text: &str) -> Option<u64> {
    if !has_good_underscores(text) {
        return None;
    }
    let (digits, radix) = match text.get(..2).unwrap_or_default() {
        "0x" | "0X" => (&text[2..], 16),
        "0o" | "0O" => (&text[2..], 8),
        "0b" | "0B" => (&text[2..], 2),
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text, 10),
    };
    let digits = digits.replace('_', "");
    // `from_str_radix` would take a sign.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(&digits, radix).ok() }
}

/// Checks that underscores stand between digits, or between a prefix and a digit.
fn has_good_underscores(text: &str) -> bool {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let has_prefix = is_hex || ["0b", "0B", "0o", "0O"].iter().any(|prefix| text.starts_with(prefix));
    let mut previous = if has_prefix { '0' } else { '^' };
    for c in text.chars().skip(if has_prefix { 2 } else { 0 }) {
        let class = match c {
            '_' => '_',
            c if c.is_ascii_digit() || is_hex && c.is_ascii_hexdigit() => '0',
            _ => '!',
        };
        if class == '_' && previous != '0' || previous == '_' && class != '0' {
            return false;
        }
        previous = class;
    }
    previous != '_'
}

/// Reads a floating-point number without a sign; one too large for the type is refused.
fn parse_float(text: &str) -> Option<f64> {
    if !has_good_underscores(text) {
        return None;
    }
    let plain = text.replace('_', "");
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return parse_hex_float(&digits.to_ascii_lowercase());
    }
    // Rust also reads words such as `inf`.
    if !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    plain.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads `MANTISSApEXPONENT`; the exponent is mandatory.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let mut exponent = exponent.parse::<i32>().ok()?.clamp(-10_000, 10_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0_u64;
    for (index, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(c.to_digit(16)?);
        let is_fraction = index >= whole.len();
        // Sixty bits are more than a float keeps; what follows only moves the point.
        if value >> 56 == 0 {
            value = value << 4 | digit;
            exponent -= if is_fraction { 4 } else { 0 };
        } else if !is_fraction {
            exponent += 4;
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest float is what is wanted")]
    let mut result = value as f64;
    while exponent != 0 && result != 0.0 && result.is_finite() {
        // In steps, since the power alone may be out of range when the product is not.
        let step = exponent.clamp(-500, 500);
        result *= 2_f64.powi(step);
        exponent -= step;
    }
    result.is_finite().then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(text: &str) -> Result<String, String> {
        Number::parse(text).map(|number| match number.constant {
            Constant::Int(value) => format!("int {value}"),
            Constant::Float(value) => format!("float {value}"),
            Constant::Overflow => "overflow".into(),
        })
    }

    #[test]
    fn literals_have_the_type_that_go_gives_them() {
        for (text, expected) in [
            ("0", "int 0"),
            ("-0", "int 0"),
            ("1_000", "int 1000"),
            ("0x_1F", "int 31"),
            ("0x1e", "int 30"),
            ("-0x1e", "float -30"),
            ("0b101", "int 5"),
            ("0o17", "int 15"),
            ("017", "int 15"),
            ("0_7", "int 7"),
            ("-9223372036854775808", "int -9223372036854775808"),
            ("18446744073709551615", "overflow"),
            ("1e3", "float 1000"),
            (".5", "float 0.5"),
            ("5.", "float 5"),
            ("0x1p-2", "float 0.25"),
            ("0x1.8p1", "float 3"),
        ] {
            assert_eq!(constant(text), Ok(expected.into()), "{text}");
        }
    }

    #[test]
    fn bad_literals_are_refused() {
        for (text, message) in [
            ("08", "integer overflow: \"08\""),
            ("99999999999999999999", "integer overflow: \"99999999999999999999\""),
            ("1__0", "illegal number syntax: \"1__0\""),
            ("1_", "illegal number syntax: \"1_\""),
            (".", "illegal number syntax: \".\""),
            ("0x", "illegal number syntax: \"0x\""),
            ("1e999", "illegal number syntax: \"1e999\""),
            ("0x1.8", "illegal number syntax: \"0x1.8\""),
        ] {
            assert_eq!(constant(text), Err(message.into()), "{text}");
        }
    }

    #[test]
    fn whole_floats_serve_as_integers() {
        assert_eq!(Number::parse("1e3").map(|number| number.int), Ok(Some(1000)));
        assert_eq!(Number::parse("1.5").map(|number| number.int), Ok(None));
    }
}
