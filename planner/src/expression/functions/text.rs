//! Functions of texts. Characters are grapheme clusters, but for `split`, which knows code points.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Fault, Function, Outcome, Parameter, Type, Value, function, kinds, parameter, results, text, texts, whole,
};
use crate::expression::scope::Host;
use crate::value::functions::{lower_case, upper_case};

const STR: Parameter = parameter("str", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("chomp", &[STR], results::text, |arguments, _| {
        Ok(Value::string(text(arguments, 0).trim_end_matches(['\r', '\n'])))
    }),
    function("endswith", &[STR, parameter("suffix", kinds::text)], results::flag, |arguments, _| {
        Ok(Value::Bool(text(arguments, 0).ends_with(text(arguments, 1))))
    }),
    function("indent", &[parameter("spaces", kinds::number), STR], results::text, indent),
    function("join", &[parameter("separator", kinds::text)], results::text, join)
        .variadic(parameter("lists", kinds::texts)),
    function("lower", &[STR], results::text, |arguments, _| Ok(Value::string(&lower_case(text(arguments, 0))))),
    function(
        "replace",
        &[STR, parameter("substr", kinds::text), parameter("replace", kinds::text)],
        results::text,
        |arguments, _| Ok(Value::string(&text(arguments, 0).replace(text(arguments, 1), text(arguments, 2)))),
    ),
    function("split", &[parameter("separator", kinds::text), STR], results::texts, split),
    function("startswith", &[STR, parameter("prefix", kinds::text)], results::flag, |arguments, _| {
        Ok(Value::Bool(text(arguments, 0).starts_with(text(arguments, 1))))
    }),
    function("strcontains", &[STR, parameter("substr", kinds::text)], results::flag, |arguments, _| {
        Ok(Value::Bool(text(arguments, 0).contains(text(arguments, 1))))
    }),
    function("strrev", &[STR], results::text, |arguments, _| {
        Ok(Value::string(&text(arguments, 0).graphemes(true).rev().collect::<String>()))
    }),
    function(
        "substr",
        &[STR, parameter("offset", kinds::number), parameter("length", kinds::number)],
        results::text,
        substr,
    ),
    function("title", &[STR], results::text, title),
    function("trim", &[STR, parameter("cutset", kinds::text)], results::text, |arguments, _| {
        let cut = text(arguments, 1);
        Ok(Value::string(text(arguments, 0).trim_matches(|c| cut.contains(c))))
    }),
    function("trimprefix", &[STR, parameter("prefix", kinds::text)], results::text, |arguments, _| {
        let whole = text(arguments, 0);
        Ok(Value::string(whole.strip_prefix(text(arguments, 1)).unwrap_or(whole)))
    }),
    function("trimspace", &[STR], results::text, |arguments, _| Ok(Value::string(text(arguments, 0).trim()))),
    function("trimsuffix", &[STR, parameter("suffix", kinds::text)], results::text, |arguments, _| {
        let whole = text(arguments, 0);
        Ok(Value::string(whole.strip_suffix(text(arguments, 1)).unwrap_or(whole)))
    }),
    function("upper", &[STR], results::text, |arguments, _| Ok(Value::string(&upper_case(text(arguments, 0))))),
];

fn indent(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let spaces = usize::try_from(whole(arguments, 0)?)
        .ok()
        .filter(|spaces| *spaces <= 1 << 20)
        .ok_or_else(|| Fault::Argument(0, "must be a small number that is not negative".to_owned()))?;
    let joint = format!("\n{}", " ".repeat(spaces));
    Ok(Value::string(&text(arguments, 1).replace('\n', &joint)))
}

fn join(arguments: &[Value], _: &Host<'_>) -> Outcome {
    if arguments.len() < 2 {
        return Err("at least one list is required".into());
    }
    if !arguments.iter().all(Value::is_wholly_known) {
        return Ok(Value::Unknown(Type::String));
    }
    let mut all = Vec::new();
    for (index, list) in arguments.iter().enumerate().skip(1) {
        all.extend(texts(list, index)?);
    }
    Ok(Value::string(&all.join(text(arguments, 0))))
}

fn split(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let (separator, whole) = (text(arguments, 0), text(arguments, 1));
    // A text without characters has no part between them, and one part between separators.
    let parts: Vec<Value> = if separator.is_empty() {
        whole.chars().map(|c| Value::string(c.encode_utf8(&mut [0; 4]))).collect()
    } else {
        whole.split(separator).map(Value::string).collect()
    };
    Ok(Value::list(Type::String, parts))
}

fn substr(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let graphemes: Vec<&str> = text(arguments, 0).graphemes(true).collect();
    let count = i64::try_from(graphemes.len()).unwrap_or(i64::MAX);
    let (offset, length) = (whole(arguments, 1)?, whole(arguments, 2)?);
    let start = if offset < 0 { offset.saturating_add(count) } else { offset };
    if start < 0 {
        // Packer counts the missing part as none: nothing is left of the start but the start itself.
        return Ok(Value::string(&take(&graphemes, 0, length)));
    }
    Ok(Value::string(&take(&graphemes, usize::try_from(start).unwrap_or(usize::MAX), length)))
}

fn take(graphemes: &[&str], start: usize, length: i64) -> String {
    let limit = usize::try_from(length).unwrap_or(usize::MAX);
    graphemes.iter().skip(start).take(limit).copied().collect()
}

fn title(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut out = String::new();
    let mut starts = true;
    for c in text(arguments, 0).chars() {
        if starts {
            out.push_str(&upper_case(c.encode_utf8(&mut [0; 4])))
        } else {
            out.push(c)
        }
        starts = !(c.is_alphanumeric() || c == '_');
    }
    Ok(Value::string(&out))
}
