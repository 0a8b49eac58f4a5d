//! Functions of texts. Characters are grapheme clusters, but for `split`, which knows code points.

use unicode_normalization::char::is_combining_mark;
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
        Ok(Value::string(&graphemes(text(arguments, 0)).into_iter().rev().collect::<String>()))
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

/// Splits a text into its grapheme clusters, by the rules of Unicode 13.
///
/// Later versions take consonants of Indic scripts that are joined for one; they are two here.
pub(super) fn graphemes(text: &str) -> Vec<&str> {
    text.graphemes(true).flat_map(split_conjuncts).collect()
}

fn split_conjuncts(cluster: &str) -> impl Iterator<Item = &str> {
    let is_joined = |(at, c): &(usize, char)| {
        let is_syllable = matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}');
        let is_mark = is_combining_mark(*c) || matches!(c, '\u{e33}' | '\u{eb3}' | '\u{ff9e}' | '\u{ff9f}');
        let goes_before = cluster[..*at].chars().next_back().is_some_and(|before| !is_combining_mark(before));
        *at > 0 && c.is_alphabetic() && !is_syllable && !is_mark && !goes_before
    };
    let mut starts: Vec<usize> = cluster.char_indices().filter(is_joined).map(|(at, _)| at).collect();
    starts.insert(0, 0);
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([cluster.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &cluster[start..end])
}

fn indent(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let spaces = whole(arguments, 0)?;
    let small = usize::try_from(spaces).ok().filter(|spaces| *spaces <= 1 << 20);
    let text = text(arguments, 1);
    match small {
        // Where nothing is indented, any number will do.
        _ if spaces >= 0 && !text.contains('\n') => Ok(arguments[1].clone()),
        Some(spaces) => Ok(Value::string(&text.replace('\n', &format!("\n{}", " ".repeat(spaces))))),
        None => Err(Fault::Argument(0, "must be a small number that is not negative".to_owned())),
    }
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
    let graphemes = graphemes(text(arguments, 0));
    let count = i64::try_from(graphemes.len()).unwrap_or(i64::MAX);
    let (offset, length) = (whole(arguments, 1)?, whole(arguments, 2)?);
    if offset >= 0 && length == 0 {
        return Ok(Value::string(""));
    }
    let start = if offset < 0 { offset.saturating_add(count) } else { offset };
    // What lies before the text is not there; counted from the end, a length of none is one without limit.
    let start = usize::try_from(start.max(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(length).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    Ok(Value::string(&graphemes.iter().skip(start).take(limit).copied().collect::<String>()))
}

fn title(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut out = String::new();
    let mut starts = true;
    for c in text(arguments, 0).chars() {
        if starts {
            out.push_str(&title_case(c))
        } else {
            out.push(c)
        }
        starts = if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { c.is_whitespace() };
    }
    Ok(Value::string(&out))
}

/// The form of a letter at the start of a word; it is another one than the capital for letters that are two in one.
fn title_case(c: char) -> String {
    let code = u32::from(c);
    let title = match code {
        0x1c4..=0x1cc => 0x1c5 + (code - 0x1c4) / 3 * 3,
        0x1f1..=0x1f3 => 0x1f2,
        // Georgian has capitals, but not at the start of words.
        0x10d0..=0x10fa | 0x10fd..=0x10ff => code,
        _ => return upper_case(c.encode_utf8(&mut [0; 4])),
    };
    char::from_u32(title).unwrap_or(c).to_string()
}

#[cfg(test)]
mod tests {
    use crate::expression::functions::tests::call;
    use crate::expression::value::Value;

    fn text(name: &str, arguments: &[Value]) -> String {
        let value = call(name, arguments).expect("is a call");
        value.as_text().expect("is a text").to_owned()
    }

    #[test]
    fn words_begin_after_blanks_and_ascii_signs() {
        let title = |words: &str| text("title", &[Value::string(words)]);
        assert_eq!(title("it's a-b a_b 1ab"), "It'S A-B A_b 1ab");
        assert_eq!(title("à\u{301}b é·a"), "À\u{301}b É·a");
        assert_eq!(title("ǆ ǅ Ǆ ა"), "ǅ ǅ ǅ ა");
    }

    #[test]
    fn joined_consonants_are_two_characters() {
        assert_eq!(super::graphemes("क्षa"), ["क्", "ष", "a"]);
        assert_eq!(super::graphemes("한กำe\u{301}"), ["한", "กำ", "e\u{301}"]);
        assert_eq!(super::graphemes("👨\u{200d}👩"), ["👨\u{200d}👩"]);
    }

    #[test]
    fn a_length_of_none_counts_only_from_the_start() {
        let part = |offset: i64, length: i64| {
            text("substr", &[Value::string("abcd"), Value::number(offset), Value::number(length)])
        };
        assert_eq!([part(1, 0), part(-3, 0), part(-3, 1), part(-9, 2), part(1, -1)], ["", "bcd", "b", "ab", "bcd"]);
    }
}
