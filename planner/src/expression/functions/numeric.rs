//! Functions of numbers. `log` and `pow` compute with doubles, as in Packer.

use num_bigint::BigInt;

use super::double;
use super::{
    Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text, typed, whole,
};
use crate::expression::number::Number;
use crate::expression::scope::Host;

const NUM: Parameter = parameter("num", kinds::number);
const NUMBERS: Parameter = parameter("numbers", kinds::number);

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", &[NUM], results::number, |arguments, _| Ok(Value::Number(number(arguments, 0)?.abs()))),
    function("ceil", &[NUM], results::number, |arguments, _| Ok(Value::Number(number(arguments, 0)?.ceil()))),
    function("floor", &[NUM], results::number, |arguments, _| Ok(Value::Number(number(arguments, 0)?.floor()))),
    function("log", &[NUM, parameter("base", kinds::number)], results::number, |arguments, _| {
        shown(double::log(double_of(arguments, 0)?) / double::log(double_of(arguments, 1)?))
    }),
    function("max", &[], results::number, |arguments, _| best(arguments, |new, old| new > old)).variadic(NUMBERS),
    function("min", &[], results::number, |arguments, _| best(arguments, |new, old| new < old)).variadic(NUMBERS),
    typed(
        "parseint",
        &[parameter("number", kinds::any), parameter("base", kinds::number)],
        |arguments| match arguments[0].kind() {
            Type::String => Ok(Type::Number),
            other => Err(Fault::Argument(0, format!("first argument must be a string, not {other}"))),
        },
        parseint,
    ),
    function("pow", &[NUM, parameter("power", kinds::number)], results::number, |arguments, _| {
        shown(double::pow(double_of(arguments, 0)?, double_of(arguments, 1)?))
    }),
    function("signum", &[NUM], results::number, |arguments, _| Ok(Value::number(whole(arguments, 0)?.signum()))),
    function("sum", &[parameter("list", kinds::any)], results::number, sum),
];

fn number(arguments: &[Value], index: usize) -> Result<&Number, Fault> {
    match arguments.get(index) {
        Some(Value::Number(number)) => Ok(number),
        _ => Err(Fault::Argument(index, "a number is required".to_owned())),
    }
}

/// Takes a number as a double. Only infinity itself becomes one.
fn double_of(arguments: &[Value], index: usize) -> Result<f64, Fault> {
    let number = number(arguments, index)?;
    let double = number.to_f64();
    if double.is_infinite() && !number.is_infinite() {
        return Err(Fault::Argument(index, "value must be between the bounds of doubles".to_owned()));
    }
    Ok(double)
}

/// Takes the result of a computation with doubles: as many digits as a double has.
fn shown(value: f64) -> Outcome {
    Number::from_double(value).map(Value::Number).ok_or_else(|| "the result is not a number".into())
}

fn best(arguments: &[Value], is_better: fn(&Number, &Number) -> bool) -> Outcome {
    let mut best = None;
    for index in 0..arguments.len() {
        let candidate = number(arguments, index)?;
        if best.is_none_or(|best| is_better(candidate, best)) {
            best = Some(candidate);
        }
    }
    best.map(|best| Value::Number(best.clone())).ok_or_else(|| "must pass at least one number".into())
}

/// Knows digits beyond those of other libraries: upper case after lower case from base 37 on, as Go has it.
fn parseint(arguments: &[Value], _: &Type) -> Outcome {
    let base = whole(arguments, 1)?;
    if !(2..=62).contains(&base) {
        return Err(Fault::Argument(1, "base must be a whole number between 2 and 62 inclusive".to_owned()));
    }
    let written = text(arguments, 0);
    let (is_negative, digits) = match written.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, written.strip_prefix('+').unwrap_or(written)),
    };
    let fault = || Fault::Argument(0, format!("cannot parse \"{written}\" as a base {base} integer"));
    if digits.is_empty() {
        return Err(fault());
    }
    let mut value = BigInt::ZERO;
    for c in digits.chars() {
        let digit = match c {
            '0'..='9' => i64::from(u32::from(c) - u32::from('0')),
            'a'..='z' => i64::from(u32::from(c) - u32::from('a')) + 10,
            'A'..='Z' => i64::from(u32::from(c) - u32::from('A')) + if base <= 36 { 10 } else { 36 },
            _ => return Err(fault()),
        };
        if digit >= base {
            return Err(fault());
        }
        value = value * base + digit;
    }
    Ok(Value::number(if is_negative { -value } else { value }))
}

fn sum(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let items = arguments.first().and_then(Value::items);
    let items = items.ok_or_else(|| Fault::Argument(0, "must be a list, a set or a tuple of numbers".to_owned()))?;
    if !items.iter().all(Value::is_wholly_known) {
        return Ok(Value::Unknown(Type::Number));
    }
    if items.is_empty() {
        return Err(Fault::Argument(0, "cannot sum an empty list".to_owned()));
    }
    let mut total = Number::from(0_i64);
    for item in items {
        let item = crate::expression::convert::convert(item, &Type::Number)
            .map_err(|_| Fault::Argument(0, "must be a list, a set or a tuple of numbers".to_owned()))?;
        let Value::Number(number) = item else {
            return Err(Fault::Argument(0, "must not have null values".to_owned()));
        };
        total = total.plus(&number).ok_or("infinities of different signs have no sum")?;
    }
    Ok(Value::Number(total))
}
