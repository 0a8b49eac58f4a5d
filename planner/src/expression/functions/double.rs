//! Logarithms and powers of doubles, to the last digit as Go's library has them on the machines that Packer is mostly
//! run on; `f64`'s own functions are those of the system, and differ in the last digit.

/// The natural logarithm (the method of Sun's `e_log.c`).
pub(super) fn log(x: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const EVEN: [f64; 3] = [3.999_999_999_940_942e-1, 2.222_219_843_214_978_4e-1, 1.531_383_769_920_937_3e-1];
    const ODD: [f64; 4] =
        [6.666_666_666_666_735e-1, 2.857_142_874_366_239e-1, 1.818_357_216_161_805e-1, 1.479_819_860_511_658_6e-1];
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return x.ln();
    }
    // x is 2^k times something around one.
    let (mut fraction, mut exponent) = split(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let k = f64::from(exponent);
    let f = fraction - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let fourth = square * square;
    let odd = square * (ODD[0] + fourth * (ODD[1] + fourth * (ODD[2] + fourth * ODD[3])));
    let even = fourth * (EVEN[0] + fourth * (EVEN[1] + fourth * EVEN[2]));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)
}

/// The exponential function (the method of N. Shibata's SLEEF): a series for a sixteenth of what is left of the
/// argument, squared four times.
fn exp(x: f64) -> f64 {
    const LN2_HIGH: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
    const LN2_LOW: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
    const SERIES: [f64; 8] = [
        1.0,
        0.5,
        1.666_666_666_666_666_7e-1,
        4.166_666_666_666_666_4e-2,
        8.333_333_333_333_333e-3,
        1.388_888_888_888_889e-3,
        1.984_126_984_126_984e-4,
        2.480_158_730_158_73e-5,
    ];
    if !x.is_finite() || x > 709.782_712_893_384 {
        return x.exp();
    }
    let k = (x * std::f64::consts::LOG2_E).round_ties_even();
    let rest = (-k).mul_add(LN2_LOW, (-k).mul_add(LN2_HIGH, x)) * 0.0625;
    let sum = SERIES.iter().rev().copied().reduce(|sum, term| sum.mul_add(rest, term)).unwrap_or(1.0);
    let mut less_one = rest * sum;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the argument was bounded above")]
    scaled(less_one.mul_add(less_one + 2.0, 1.0), k as i32)
}

/// A power: the whole part of the exponent by squaring, its fraction by logarithm and exponential.
pub(super) fn pow(x: f64, y: f64) -> f64 {
    // What is exact, or no number, is so everywhere.
    if y == 0.0 || x == 1.0 || y == 1.0 || x == 0.0 || !x.is_finite() || !y.is_finite() {
        return x.powf(y);
    }
    if y.abs() == 0.5 {
        return if y > 0.0 { x.sqrt() } else { 1.0 / x.sqrt() };
    }
    let (mut whole, mut fraction) = (y.abs().trunc(), y.abs().fract());
    if fraction != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= 9_223_372_036_854_775_808.0 {
        return match () {
            () if x == -1.0 => 1.0,
            () if (x.abs() < 1.0) == (y > 0.0) => 0.0,
            () => f64::INFINITY,
        };
    }
    let (mut result, mut exponent) = (1.0, 0_i32);
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = exp(fraction * log(x));
    }
    // The powers of two are counted apart, so that nothing overflows on the way.
    let (mut base, mut base_exponent) = split(x);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are checked above")]
    let mut bits = whole as u64;
    while bits != 0 {
        if base_exponent.abs() > 1 << 12 {
            exponent += base_exponent;
            break;
        }
        if bits & 1 == 1 {
            result *= base;
            exponent += base_exponent;
        }
        base *= base;
        base_exponent *= 2;
        if base < 0.5 {
            base += base;
            base_exponent -= 1;
        }
        bits >>= 1;
    }
    if y < 0.0 {
        result = 1.0 / result;
        exponent = -exponent;
    }
    scaled(result, exponent)
}

/// Splits a number that is neither zero nor infinite into a fraction of at least one half, and a power of two.
fn split(x: f64) -> (f64, i32) {
    const FRACTION: u64 = (1 << 52) - 1;
    let (x, shift) = if x.is_subnormal() { (x * 4_503_599_627_370_496.0, -52) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0) - 1022;
    (f64::from_bits(bits & (FRACTION | 1 << 63) | 1022 << 52), exponent + shift)
}

/// Multiplies by a power of two, rounding once.
fn scaled(x: f64, exponent: i32) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let (fraction, own) = split(x);
    let exponent = exponent.saturating_add(own);
    let power = |exponent: i32| f64::from_bits(u64::try_from(exponent + 1023).unwrap_or(0) << 52);
    match exponent {
        1025.. => f64::INFINITY.copysign(x),
        -1021.. => fraction * 2.0 * power(exponent - 1),
        // Below are the numbers with fewer digits.
        -1075.. => fraction * 2.0 * power(exponent - 1 + 52) * 2.220_446_049_250_313e-16,
        _ => 0.0_f64.copysign(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_gos() {
        let ratio = |x: f64, base: f64| format!("{}", log(x) / log(base));
        assert_eq!(ratio(33.0, 3.0), "3.1826583386441385");
        assert_eq!(ratio(3.0, 7.0), "0.5645750340535796");
        assert_eq!(format!("{}", pow(11.0, 3.0)), "1331");
        assert_eq!(format!("{}", pow(1e-7, 3.0)), "0.0000000000000000000009999999999999997");
        assert_eq!(format!("{}", pow(12_345_678_901_234_567_890_123.0, 1.0 / 3.0)), "23112042.40901839");
    }

    #[test]
    fn bounds_are_those_of_doubles() {
        assert_eq!(pow(2.0, 1023.0).to_bits(), 2.0_f64.powi(1023).to_bits());
        assert!(pow(2.0, 1024.0).is_infinite() && pow(-2.0, 1025.0) < 0.0);
        assert_eq!(pow(2.0, -1074.0).to_bits(), 1);
        assert_eq!(pow(2.0, -1080.0).to_bits(), 0);
        assert!(pow(-8.0, 1.0 / 3.0).is_nan() && log(-1.0).is_nan());
        assert!(log(0.0).is_infinite());
    }
}
