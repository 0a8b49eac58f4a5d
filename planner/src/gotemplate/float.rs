//! Floating-point numbers in the formats of Go's `strconv.FormatFloat`.

/// More digits than any float has; a longer precision only adds zeros.
const MAX_DIGITS: usize = 1100;

/// Formats a number as `%e %E %f %g %G %x %X %b` do, without any flags.
///
/// No precision means as many digits as it takes to read the same number back.
pub(crate) fn format(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let value = value.abs();
    if value.is_infinite() {
        return if sign.is_empty() { "+Inf".into() } else { "-Inf".into() };
    }
    let digits = match verb {
        'e' | 'E' => exponential(value, precision),
        'f' => fixed(value, precision),
        'x' | 'X' => hexadecimal(value, precision),
        'b' => binary(value),
        _ => general(value, precision),
    };
    let digits = if verb.is_ascii_uppercase() { digits.to_ascii_uppercase() } else { digits };
    format!("{sign}{digits}")
}

/// Returns the digits of `value` after `d.`, and its decimal exponent.
fn decimal(value: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.min(MAX_DIGITS)),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn zeros(precision: Option<usize>) -> String {
    "0".repeat(precision.unwrap_or(0).saturating_sub(MAX_DIGITS))
}

fn with_exponent(mantissa: &str, mark: char, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{mark}{sign}{:02}", exponent.unsigned_abs())
}

fn pointed(digits: &str) -> String {
    match digits.split_at_checked(1) {
        Some((first, rest)) if !rest.is_empty() => format!("{first}.{rest}"),
        _ => digits.to_owned(),
    }
}

fn exponential(value: f64, precision: Option<usize>) -> String {
    let (digits, exponent) = decimal(value, precision);
    with_exponent(&(pointed(&digits) + &zeros(precision)), 'e', exponent)
}

fn fixed(value: f64, precision: Option<usize>) -> String {
    match precision {
        Some(length) => format!("{value:.*}", length.min(MAX_DIGITS)) + &zeros(precision),
        None => format!("{value}"),
    }
}

fn general(value: f64, precision: Option<usize>) -> String {
    let wanted = precision.map(|precision| precision.max(1));
    let (digits, exponent) = decimal(value, wanted.map(|digits| digits - 1));
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    let limit = wanted.map_or(6, |digits| i32::try_from(digits).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= limit {
        return with_exponent(&pointed(digits), 'e', exponent);
    }
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    };
    match digits.split_at_checked(whole) {
        Some((whole, "")) if !whole.is_empty() => whole.to_owned(),
        Some(("", fraction)) => format!("0.{fraction}"),
        Some((whole, fraction)) => format!("{whole}.{fraction}"),
        None => format!("{digits}{}", "0".repeat(whole - digits.len())),
    }
}

/// Splits a finite number into a whole mantissa and the power of two it is multiplied by.
fn split(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0) {
        0 => (mantissa, -1074),
        exponent => (mantissa | 1 << 52, exponent - 1075),
    }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = split(value);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}p{sign}{}", exponent.unsigned_abs())
}

fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = split(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one goes to bit 60, with fifteen digits behind it.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = u32::try_from(precision * 4).unwrap_or(0);
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(length) if length <= 15 => digits[..length].to_owned(),
        Some(length) => digits + &"0".repeat(length - 15),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    with_exponent(&format!("0x{}{point}{fraction}", mantissa >> 60), 'p', exponent)
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn numbers_read_as_go_writes_them() {
        for (value, verb, precision, expected) in [
            (0.0, 'g', None, "0"),
            (-0.0, 'g', None, "-0"),
            (1.5e-7, 'g', None, "1.5e-07"),
            (0.000_123, 'g', None, "0.000123"),
            (1_234_567.0, 'g', None, "1.234567e+06"),
            (100_000.0, 'g', None, "100000"),
            (123_456_789.0, 'g', None, "1.23456789e+08"),
            (123_456_789.0, 'g', Some(3), "1.23e+08"),
            (100_000.0, 'g', Some(3), "1e+05"),
            (2.5, 'e', Some(6), "2.500000e+00"),
            (2.5, 'f', Some(0), "2"),
            (1.0, 'x', None, "0x1p+00"),
            (1.0, 'b', None, "4503599627370496p-52"),
            (f64::INFINITY, 'g', None, "+Inf"),
            (f64::NAN, 'f', Some(2), "NaN"),
        ] {
            assert_eq!(format(value, verb, precision), expected, "{value} {verb} {precision:?}");
        }
    }
}
