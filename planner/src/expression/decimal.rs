//! Numbers as decimal digits, and the ways in which Go's formatting shows them.

use super::number::Number;

/// A number as digits and the place of the point: `0.d1d2d3… × 10^exponent`.
pub(super) struct Decimal {
    /// Whether a minus stands before it.
    pub(super) is_negative: bool,
    /// From the first that is not zero to the last.
    digits: Vec<u8>,
    /// Where the point stands, counted from before the first digit.
    exponent: i64,
}

impl Decimal {
    /// Writes a finite number out.
    pub(super) fn of(number: &Number) -> Self {
        let text = number.to_string();
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all = format!("{whole}{fraction}");
        let leading = all.bytes().take_while(|byte| *byte == b'0').count();
        let digits = all[leading..].trim_end_matches('0').as_bytes().to_vec();
        let exponent = if digits.is_empty() { 0 } else { whole.len() as i64 - leading as i64 };
        Self { is_negative, digits, exponent }
    }

    /// Rounds to that many digits, ties to even as far as the digits tell.
    fn rounded(&self, count: i64) -> Self {
        let keep = usize::try_from(count).unwrap_or(0);
        let mut result = Self { is_negative: self.is_negative, digits: self.digits.clone(), exponent: self.exponent };
        if count < 0 || keep >= self.digits.len() {
            if count < 0 {
                result.digits.clear();
            }
            return result;
        }
        let next = self.digits[keep];
        let is_tie = next == b'5' && keep + 1 == self.digits.len();
        let is_odd = keep > 0 && self.digits[keep - 1] % 2 == 1;
        result.digits.truncate(keep);
        if next > b'5' || next == b'5' && (!is_tie || is_odd) {
            let mut at = keep;
            loop {
                if at == 0 {
                    result.digits = vec![b'1'];
                    result.exponent += 1;
                    break;
                }
                at -= 1;
                if result.digits[at] < b'9' {
                    result.digits[at] += 1;
                    result.digits.truncate(at + 1);
                    break;
                }
            }
        }
        while result.digits.last() == Some(&b'0') {
            result.digits.pop();
        }
        if result.digits.is_empty() {
            result.exponent = 0;
        }
        result
    }

    fn digit(&self, index: i64) -> char {
        usize::try_from(index).ok().and_then(|index| self.digits.get(index)).map_or('0', |digit| char::from(*digit))
    }

    /// Writes it as Go's `%e` does, without the sign.
    pub(super) fn scientific(&self, precision: Option<usize>) -> String {
        let rounded = precision.map_or_else(|| self.rounded(i64::MAX), |places| self.rounded(places as i64 + 1));
        let places = precision.unwrap_or(rounded.digits.len().saturating_sub(1));
        let mut out = String::from(rounded.digit(0));
        if places > 0 {
            out.push('.');
            out.extend((1..=places).map(|index| rounded.digit(index as i64)));
        }
        let exponent = if rounded.digits.is_empty() { 0 } else { rounded.exponent - 1 };
        out.push_str(&format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()));
        out
    }

    /// Writes it as Go's `%f` does, without the sign.
    pub(super) fn fixed(&self, precision: Option<usize>) -> String {
        let rounded =
            precision.map_or_else(|| self.rounded(i64::MAX), |places| self.rounded(self.exponent + places as i64));
        let places = precision.map_or((rounded.digits.len() as i64 - rounded.exponent).max(0), |places| places as i64);
        let mut out = String::new();
        if rounded.exponent > 0 {
            out.extend((0..rounded.exponent).map(|index| rounded.digit(index)));
        } else {
            out.push('0');
        }
        if places > 0 {
            out.push('.');
            out.extend((0..places).map(|index| rounded.digit(rounded.exponent + index)));
        }
        out
    }

    /// Writes it as Go's `%g` does, without the sign.
    pub(super) fn general(&self, precision: Option<usize>) -> String {
        let precision = precision.map(|digits| digits.max(1));
        let rounded = precision.map_or_else(|| self.rounded(i64::MAX), |digits| self.rounded(digits as i64));
        let exponent = rounded.exponent - 1;
        let mut limit = precision.unwrap_or(6) as i64;
        if precision.is_some() && limit > rounded.digits.len() as i64 && rounded.digits.len() as i64 >= rounded.exponent
        {
            limit = rounded.digits.len() as i64;
        }
        if exponent < -4 || exponent >= limit { rounded.scientific(None) } else { rounded.fixed(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_rounded_and_placed_as_go_does() {
        let decimal = |text: &str| Decimal::of(&Number::parse(text).expect("is a number"));
        assert_eq!(decimal("97.58").general(Some(0)), "1e+02");
        assert_eq!(decimal("0").general(Some(2)), "0");
        assert_eq!(decimal("1000000").general(None), "1e+06");
        assert_eq!(decimal("0.00001234").general(Some(3)), "1.23e-05");
        assert_eq!(decimal("999.5").fixed(Some(0)), "1000");
        assert_eq!(decimal("2.5").scientific(Some(0)), "2e+00");
    }
}
