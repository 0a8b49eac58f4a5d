//! Numbers as HCL has them: binary floating point with 512 bits, rounded to the nearest, ties to even.
//!
//! Whole numbers that fit 64 bits are kept as such, since templates rarely have others.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, BigUint, Sign};

/// How many bits a mantissa has at most.
const PRECISION: u64 = 512;

/// Decimal exponents beyond this are refused: no template means them, and their digits would fill the memory.
const MAX_EXPONENT: i64 = 20_000;

/// A number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// Every number has one representation, so that equality and hashing follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    NegativeZero,
    /// An odd mantissa times a power of two; never a number that `Small` holds.
    Big {
        mantissa: BigInt,
        exponent: i64,
    },
    Infinity {
        is_negative: bool,
    },
}

impl Number {
    /// Positive infinity, which a division by zero gives.
    pub const INFINITY: Self = Self(Repr::Infinity { is_negative: false });

    /// Reads digits, perhaps with a sign, a point and an exponent, or `Inf`; none if the text is no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if matches!(text, "Inf" | "inf") {
            return Some(Self(Repr::Infinity { is_negative }));
        }
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = BigUint::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10)?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if digits == BigUint::ZERO {
            return Some(if is_negative { Self(Repr::NegativeZero) } else { Self::from(0_i64) });
        }
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let sign = if is_negative { Sign::Minus } else { Sign::Plus };
        let power = BigInt::from(10).pow(u32::try_from(exponent.abs()).ok()?);
        let digits = BigInt::from_biguint(sign, digits);
        Some(if exponent >= 0 { Self::rounded(digits * power, 0) } else { quotient(&digits, &power, 0) })
    }

    /// Takes a double; none if it is not a number.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self(Repr::Infinity { is_negative: value < 0.0 }));
        }
        if value == 0.0 {
            return Some(if value.is_sign_negative() { Self(Repr::NegativeZero) } else { Self::from(0_i64) });
        }
        let bits = value.to_bits();
        let raw = i64::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = if raw == 0 { (fraction, -1074) } else { (fraction | (1 << 52), raw - 1075) };
        let mantissa = BigInt::from(mantissa);
        Some(Self::rounded(if value < 0.0 { -mantissa } else { mantissa }, exponent))
    }

    /// Takes a double as the shortest decimal that Go shows for it; none if it is not a number.
    #[must_use]
    pub fn from_double(value: f64) -> Option<Self> {
        let exact = Self::from_f64(value)?;
        if value.abs() < 9_007_199_254_740_992.0 && value.fract() == 0.0 || value.is_infinite() {
            return Some(exact);
        }
        let (mantissa, exponent) = exact.parts()?;
        let zeros = mantissa.trailing_zeros().unwrap_or(0);
        let magnitude = mantissa.magnitude() >> zeros;
        let digits = shortest(&magnitude, exponent + i64::try_from(zeros).unwrap_or(0), 53);
        Self::parse(&if value < 0.0 { format!("-{digits}") } else { digits })
    }

    /// Returns the nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small(value) => *value as f64,
            Repr::NegativeZero => -0.0,
            Repr::Infinity { is_negative } => {
                if *is_negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            // The standard library reads decimals with correct rounding.
            Repr::Big { .. } => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// Returns the number if it is whole and fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::NegativeZero => Some(0),
            _ => None,
        }
    }

    /// Returns the number if it is whole.
    #[must_use]
    pub fn to_integer(&self) -> Option<BigInt> {
        match &self.0 {
            Repr::Small(value) => Some(BigInt::from(*value)),
            Repr::NegativeZero => Some(BigInt::ZERO),
            Repr::Big { mantissa, exponent } => {
                (*exponent >= 0).then(|| mantissa << u64::try_from(*exponent).unwrap_or(0))
            }
            Repr::Infinity { .. } => None,
        }
    }

    /// Tells whether it has no fraction.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Repr::Small(_) | Repr::NegativeZero => true,
            Repr::Big { exponent, .. } => *exponent >= 0,
            Repr::Infinity { .. } => false,
        }
    }

    /// Tells whether it is one of the infinities.
    #[must_use]
    pub fn is_infinite(&self) -> bool {
        matches!(self.0, Repr::Infinity { .. })
    }

    /// Tells whether it is less than zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(value) => *value < 0,
            Repr::NegativeZero => false,
            Repr::Big { mantissa, .. } => mantissa.sign() == Sign::Minus,
            Repr::Infinity { is_negative } => *is_negative,
        }
    }

    /// Tells whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        matches!(self.0, Repr::Small(0) | Repr::NegativeZero)
    }

    /// Returns the number without its sign.
    #[must_use]
    pub fn abs(&self) -> Self {
        if self.is_negative() || self.0 == Repr::NegativeZero { self.negated() } else { self.clone() }
    }

    /// Returns the number with the other sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        match &self.0 {
            Repr::Small(0) => Self(Repr::NegativeZero),
            Repr::NegativeZero => Self(Repr::Small(0)),
            Repr::Small(value) => match value.checked_neg() {
                Some(value) => Self(Repr::Small(value)),
                None => Self::rounded(-BigInt::from(*value), 0),
            },
            Repr::Big { mantissa, exponent } => Self::rounded(-mantissa, *exponent),
            Repr::Infinity { is_negative } => Self(Repr::Infinity { is_negative: !is_negative }),
        }
    }

    /// Returns the greatest whole number that is not greater.
    #[must_use]
    pub fn floor(&self) -> Self {
        match &self.0 {
            // A shift to the right rounds down, for negative numbers too.
            Repr::Big { mantissa, exponent } if *exponent < 0 => Self::rounded(mantissa >> exponent.unsigned_abs(), 0),
            Repr::NegativeZero => Self::from(0_i64),
            _ => self.clone(),
        }
    }

    /// Returns the least whole number that is not less.
    #[must_use]
    pub fn ceil(&self) -> Self {
        self.negated().floor().negated().plain_zero()
    }

    /// Returns the number without its fraction.
    #[must_use]
    pub fn truncated(&self) -> Self {
        if self.is_negative() { self.ceil() } else { self.floor() }
    }

    fn plain_zero(self) -> Self {
        if self.is_zero() { Self::from(0_i64) } else { self }
    }

    /// Adds; none for infinities of different signs.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Option<Self> {
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0)
            && let Some(sum) = left.checked_add(*right)
        {
            return Some(Self(Repr::Small(sum)));
        }
        if self.0 == Repr::NegativeZero && other.0 == Repr::NegativeZero {
            return Some(self.clone());
        }
        match (self.parts(), other.parts()) {
            (Some((left, left_exponent)), Some((right, right_exponent))) => {
                let exponent = left_exponent.min(right_exponent);
                let aligned = |mantissa: BigInt, from: i64| mantissa << (from - exponent).unsigned_abs();
                Some(Self::rounded(aligned(left, left_exponent) + aligned(right, right_exponent), exponent))
            }
            (None, None) => (self == other).then(|| self.clone()),
            (None, _) => Some(self.clone()),
            (_, None) => Some(other.clone()),
        }
    }

    /// Subtracts; none for infinities of one sign.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.negated())
    }

    /// Multiplies; none for zero times infinity.
    #[must_use]
    pub fn times(&self, other: &Self) -> Option<Self> {
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0)
            && let Some(product) = left.checked_mul(*right)
            && (product != 0 || (*left >= 0 && *right >= 0))
        {
            return Some(Self(Repr::Small(product)));
        }
        let is_negative = self.has_sign() != other.has_sign();
        match (self.parts(), other.parts()) {
            (Some((left, left_exponent)), Some((right, right_exponent))) => {
                let product = left * right;
                if product == BigInt::ZERO {
                    return Some(if is_negative { Self(Repr::NegativeZero) } else { Self::from(0_i64) });
                }
                Some(Self::rounded(product, left_exponent + right_exponent))
            }
            _ if self.is_zero() || other.is_zero() => None,
            _ => Some(Self(Repr::Infinity { is_negative })),
        }
    }

    /// Divides; a division of something by zero is infinite; none for zero by zero and infinity by infinity.
    #[must_use]
    pub fn divided_by(&self, other: &Self) -> Option<Self> {
        let is_negative = self.has_sign() != other.has_sign();
        match (self.parts(), other.parts()) {
            (Some(_), Some(_)) if other.is_zero() => (!self.is_zero()).then_some(Self(Repr::Infinity { is_negative })),
            (Some((left, left_exponent)), Some((right, right_exponent))) => {
                if self.is_zero() {
                    return Some(if is_negative { Self(Repr::NegativeZero) } else { Self::from(0_i64) });
                }
                Some(quotient(&left, &right, left_exponent - right_exponent))
            }
            (None, None) => None,
            (None, _) => Some(Self(Repr::Infinity { is_negative })),
            (_, None) => Some(if is_negative { Self(Repr::NegativeZero) } else { Self::from(0_i64) }),
        }
    }

    /// Returns what a division that gives a whole number leaves, with the sign of this one; the number itself if it is
    /// divided by zero, as in Packer; none for infinities.
    #[must_use]
    pub fn remainder(&self, other: &Self) -> Option<Self> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        if other.is_zero() {
            return Some(self.clone());
        }
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0) {
            return Some(Self(Repr::Small(left.checked_rem(*right).unwrap_or(0))));
        }
        // The quotient is rounded before its fraction goes, so that 0.3 holds 0.1 three times.
        self.minus(&self.divided_by(other)?.truncated().times(other)?)
    }

    fn has_sign(&self) -> bool {
        self.is_negative() || self.0 == Repr::NegativeZero
    }

    /// Returns mantissa and exponent; none for infinities.
    fn parts(&self) -> Option<(BigInt, i64)> {
        match &self.0 {
            Repr::Small(value) => Some((BigInt::from(*value), 0)),
            Repr::NegativeZero => Some((BigInt::ZERO, 0)),
            Repr::Big { mantissa, exponent } => Some((mantissa.clone(), *exponent)),
            Repr::Infinity { .. } => None,
        }
    }

    /// Brings a mantissa and an exponent into the one representation that the number has.
    fn rounded(mantissa: BigInt, exponent: i64) -> Self {
        let (sign, mut magnitude) = mantissa.into_parts();
        let mut exponent = exponent;
        let surplus = magnitude.bits().saturating_sub(PRECISION);
        if surplus > 0 {
            let is_half = magnitude.bit(surplus - 1);
            let has_more = magnitude.trailing_zeros().is_some_and(|zeros| zeros < surplus - 1);
            magnitude >>= surplus;
            exponent += i64::try_from(surplus).unwrap_or(i64::MAX);
            if is_half && (has_more || magnitude.bit(0)) {
                magnitude += 1_u32;
            }
        }
        let Some(zeros) = magnitude.trailing_zeros() else { return Self(Repr::Small(0)) };
        magnitude >>= zeros;
        exponent += i64::try_from(zeros).unwrap_or(i64::MAX);
        if exponent >= 0 && magnitude.bits() + exponent.unsigned_abs() <= 64 {
            let whole = BigInt::from_biguint(sign, magnitude.clone() << exponent.unsigned_abs());
            if let Ok(value) = i64::try_from(&whole) {
                return Self(Repr::Small(value));
            }
        }
        Self(Repr::Big { mantissa: BigInt::from_biguint(sign, magnitude), exponent })
    }
}

/// Divides mantissas, with all bits that rounding has to see.
fn quotient(left: &BigInt, right: &BigInt, exponent: i64) -> Number {
    let shift = (PRECISION + 2 + right.bits()).saturating_sub(left.bits());
    let scaled = left << shift;
    let mut whole = &scaled / right;
    let has_rest = &scaled % right != BigInt::ZERO;
    // One more bit says that there is more, which is all that rounding needs to know.
    whole <<= 1_u32;
    if has_rest {
        whole += if whole.sign() == Sign::Minus { -1 } else { 1 };
    }
    Number::rounded(whole, exponent - i64::try_from(shift).unwrap_or(i64::MAX) - 1)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::rounded(BigInt::from(value), 0), Self::from)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<BigInt> for Number {
    fn from(value: BigInt) -> Self {
        Self::rounded(value, 0)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Negative zero comes right before zero, so that order and equality agree; expressions ask [`Number::compare`].
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other).then_with(|| other.has_sign().cmp(&self.has_sign()))
    }
}

impl Number {
    /// Compares by value.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0) {
            return left.cmp(right);
        }
        match (self.parts(), other.parts()) {
            (Some((left, left_exponent)), Some((right, right_exponent))) => {
                let exponent = left_exponent.min(right_exponent);
                let aligned = |mantissa: BigInt, from: i64| mantissa << (from - exponent).unsigned_abs();
                aligned(left, left_exponent).cmp(&aligned(right, right_exponent))
            }
            (None, None) => other.is_negative().cmp(&self.is_negative()),
            (None, _) => {
                if self.is_negative() {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (_, None) => {
                if other.is_negative() {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
        }
    }
}

/// Writes the shortest decimal that reads back as the same number, without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(f, "{value}"),
            Repr::NegativeZero => f.write_str("-0"),
            Repr::Infinity { is_negative } => f.write_str(if *is_negative { "-Inf" } else { "+Inf" }),
            Repr::Big { mantissa, exponent } => {
                if mantissa.sign() == Sign::Minus {
                    f.write_str("-")?;
                }
                f.write_str(&shortest(mantissa.magnitude(), *exponent, PRECISION))
            }
        }
    }
}

/// Finds the shortest decimal between the neighbours of a number of so many bits: the digits up to where the two differ.
fn shortest(mantissa: &BigUint, exponent: i64, precision: u64) -> String {
    // Half the distance to the next number above. Below a power of two it is half of that again, but Go takes no notice.
    let spare = precision.saturating_sub(mantissa.bits());
    let below = exponent - i64::try_from(spare).unwrap_or(0) - 1;
    // Everything times 2^-below is whole.
    let center = mantissa << (exponent - below).unsigned_abs();
    let upper = &center + 1_u32;
    let lower = &center - 1_u32;
    // Then times 10^places, to have all decimals: 2^below is 5^-below / 10^-below.
    let places = usize::try_from(below.min(0).unsigned_abs()).unwrap_or(0);
    let power = BigUint::from(5_u32).pow(u32::try_from(places).unwrap_or(u32::MAX));
    let scaled = |value: &BigUint| (value << below.max(0).unsigned_abs()) * &power;
    let texts = [&lower, &center, &upper].map(|value| scaled(value).to_string());
    let width = texts[2].len().max(places + 1);
    let [lower, center, upper] = texts.map(|text| format!("{text:0>width$}").into_bytes());
    // Ties go to even, so the ends belong to the interval if the last bit of 512 is no one.
    let is_inclusive = spare > 0;
    let digits = cut(&lower, &center, &upper, is_inclusive);
    let whole_length = width - places;
    let mut whole: String = digits.iter().take(whole_length).map(|digit| char::from(*digit)).collect();
    while whole.len() < whole_length {
        whole.push('0');
    }
    let whole = whole.trim_start_matches('0');
    let fraction: String = digits.iter().skip(whole_length).map(|digit| char::from(*digit)).collect();
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Cuts the digits of a number after as few as identify it, rounded to the nearest.
fn cut(lower: &[u8], center: &[u8], upper: &[u8], is_inclusive: bool) -> Vec<u8> {
    let inside = |digits: &[u8]| {
        let padded: Vec<u8> = digits.iter().copied().chain(std::iter::repeat(b'0')).take(center.len()).collect();
        let above = padded.as_slice().cmp(lower);
        let below = padded.as_slice().cmp(upper);
        (above.is_gt() || is_inclusive && above.is_eq()) && (below.is_lt() || is_inclusive && below.is_eq())
    };
    // No decimal is short enough before the first digit in which the ends differ.
    let common = lower.iter().zip(upper).take_while(|(low, high)| low == high).count();
    for length in common..center.len() {
        let down = center[..length].to_vec();
        let up = incremented(&down);
        let half = center.get(length).copied().unwrap_or(b'0');
        let rest_is_zero = center[(length + 1).min(center.len())..].iter().all(|digit| *digit == b'0');
        let rounds_up = half > b'5' || half == b'5' && (!rest_is_zero || down.last().is_some_and(|last| last % 2 == 1));
        let candidates = if rounds_up { [up, Some(down)] } else { [Some(down), up] };
        if let Some(found) = candidates.into_iter().flatten().find(|digits| inside(digits)) {
            return found;
        }
    }
    center.to_vec()
}

/// Adds one to the last of some digits; none if they would become one more.
fn incremented(digits: &[u8]) -> Option<Vec<u8>> {
    let mut digits = digits.to_vec();
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return Some(digits);
        }
        *digit = b'0';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("is a number")
    }

    #[test]
    fn texts_read_back_as_they_were() {
        for text in [
            "0",
            "-0",
            "1",
            "-5",
            "0.1",
            "1.5",
            "-2.25",
            "12345678901234567890123",
            "0.0000001",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775809",
            "12345678901234567890.123456789",
            "0.3",
            "100000000000000000000000",
        ] {
            assert_eq!(number(text).to_string(), text);
        }
        for (text, shown) in [("1e3", "1000"), ("1e-7", "0.0000001"), ("010", "10"), ("1.0", "1"), ("1.50", "1.5")] {
            assert_eq!(number(text).to_string(), shown);
        }
        for text in ["", "x", "1e", "1.2.3", "1e99999999", "0x10"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_rounds_as_512_bits_do() {
        let third = number("1").divided_by(&number("3")).expect("is finite");
        let text = third.to_string();
        assert!(text.starts_with("0.333333") && text.len() == 157 && text.ends_with("35"), "{text}");
        let two_thirds = number("2").divided_by(&number("3")).expect("is finite").to_string();
        assert!(two_thirds.ends_with("667") && two_thirds.len() == 156, "{two_thirds}");
        assert_eq!(number("0.1").plus(&number("0.2")).expect("is finite"), number("0.3"));
        let sum = number("0.3").plus(&number("0.3")).and_then(|sum| sum.plus(&number("0.3"))).expect("is finite");
        assert_ne!(sum, number("0.9"));
        assert!(sum.to_string().starts_with("0.9000") && sum.to_string().len() == 157, "{sum}");
    }

    #[test]
    fn the_rules_of_infinity_and_zero() {
        let (zero, one) = (number("0"), number("1"));
        assert_eq!(one.divided_by(&zero), Some(Number::INFINITY));
        assert_eq!(zero.divided_by(&zero), None);
        assert_eq!(Number::INFINITY.minus(&Number::INFINITY), None);
        assert_eq!(number("-5").remainder(&number("3")), Some(number("-2")));
        assert_eq!(number("5.5").remainder(&number("2")), Some(number("1.5")));
        assert_eq!(number("0.3").remainder(&number("0.0000001")), Some(number("0")));
        assert_eq!(number("12.5").remainder(&number("-0")), Some(number("12.5")));
        assert_eq!(number("1e30").remainder(&number("7")), Some(number("1")));
        assert_eq!(number(&i64::MIN.to_string()).remainder(&number("-1")), Some(number("0")));
        assert_eq!(number("0").remainder(&Number::INFINITY), None);
        assert_eq!(number("-0").minus(&number("-0")), Some(number("0")));
        assert_eq!(number("-0").plus(&number("-0")), Some(number("-0")));
        assert_eq!(number("-0").minus(&number("0")), Some(number("-0")));
        assert_eq!(number("-Inf"), Number::INFINITY.negated());
        assert_eq!(number("-1.1").floor(), number("-2"));
        assert_eq!(number("-1.1").ceil(), number("-1"));
        assert_eq!(number("0.5").to_f64().to_bits(), 0.5_f64.to_bits());
        for (double, text) in [(0.1, "0.1"), (18_446_744_073_709_551_616.0, "18446744073709550000"), (-3.0, "-3")] {
            assert_eq!(Number::from_double(double).expect("is a number").to_string(), text);
        }
        assert_eq!(Number::from_f64(0.1).expect("is a number").to_f64().to_bits(), 0.1_f64.to_bits());
    }
}
