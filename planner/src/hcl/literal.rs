//! The insides of literals: escapes in text, and which numbers are numbers.

use super::error::SyntaxError;
use super::token::{Span, Token, TokenKind};

/// Resolves the escapes of a text token and appends the result.
///
/// `\n` and its like mean something between quotes only, `$${` and `%%{` everywhere.
pub(super) fn unescape(text: &str, token: Token, out: &mut String, errors: &mut Vec<SyntaxError>) {
    let source = &text[token.span.range()];
    let has_backslashes = token.kind == TokenKind::QuotedText;
    // The scanner gives an escaped opener a token of its own, but `\$${` is an unknown escape and then an opener.
    let mut rest = source;
    while let Some(at) = rest.find(['\\', '$', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = if rest.starts_with("$${") || rest.starts_with("%%{") {
            out.push_str(&rest[1..3]);
            3
        } else if has_backslashes && rest.starts_with('\\') {
            let start = token.span.start as usize + source.len() - rest.len();
            backslash(rest, start, out, errors)
        } else {
            out.push_str(&rest[..1]);
            1
        };
        rest = &rest[used..];
    }
    out.push_str(rest);
}

/// Resolves one escape at the start of `rest` and returns its length.
fn backslash(rest: &str, start: usize, out: &mut String, errors: &mut Vec<SyntaxError>) -> usize {
    let selector = rest[1..].chars().next();
    let plain = match selector {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some(c @ ('"' | '\\')) => c,
        Some(c @ ('u' | 'U')) => return code_point(rest, c, start, out, errors),
        other => {
            let used = 1 + other.map_or(0, char::len_utf8);
            let written = &rest[..used];
            let error = SyntaxError::new(
                "rpk::hcl::unknown_escape",
                format!("`{written}` is no escape sequence"),
                Span::new(start, start + used),
                "unknown escape",
            );
            errors.push(error.help(match other {
                Some('$' | '%') => "double the sign, as in `$${`, to take a template sequence literally",
                _ => r#"write `\\` for a backslash; the escapes are \n \r \t \" \\ \uXXXX \UXXXXXXXX"#,
            }));
            out.extend(other);
            return used;
        }
    };
    out.push(plain);
    2
}

/// Resolves `\uXXXX` or `\UXXXXXXXX`.
fn code_point(rest: &str, selector: char, start: usize, out: &mut String, errors: &mut Vec<SyntaxError>) -> usize {
    let wanted = if selector == 'u' { 4 } else { 8 };
    let digits = rest[2..].bytes().take(wanted).take_while(u8::is_ascii_hexdigit).count();
    let used = 2 + digits;
    let written = &rest[..used];
    let mut complain = |message: String, label: &str| {
        errors.push(SyntaxError::new("rpk::hcl::bad_code_point", message, Span::new(start, start + used), label));
    };
    if digits < wanted {
        complain(format!("`\\{selector}` needs {wanted} hexadecimal digits"), &format!("{digits} given"));
        return used;
    }
    match u32::from_str_radix(&written[2..], 16).ok().and_then(char::from_u32) {
        Some(c) => out.push(c),
        None => complain(format!("`{written}` is no Unicode character"), "not a character"),
    }
    used
}

/// Tells whether the text of a number token is a number.
///
/// The bounds on exponents are those of the floating-point numbers that HCL computes with.
pub(super) fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.is_empty() || !all_digits(digits) {
        return false;
    }
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let mantissa = format!("{whole}{fraction}");
    let significant = mantissa.trim_start_matches('0').len();
    if significant == 0 {
        return true;
    }
    // Bits of the mantissa as an integer, near enough.
    let bits = (significant as f64 * std::f64::consts::LOG2_10) as i64;
    let power = exponent.saturating_sub(fraction.len() as i64).saturating_add(bits);
    i32::try_from(power).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (String, Vec<&'static str>) {
        let token = Token { kind: TokenKind::QuotedText, span: Span::new(0, text.len()) };
        let (mut out, mut errors) = (String::new(), Vec::new());
        unescape(text, token, &mut out, &mut errors);
        (out, errors.iter().map(|error| error.code).collect())
    }

    #[test]
    fn escapes_stand_for_their_characters() {
        for (text, expected) in [
            (r"a\nb\tc\\d\re", "a\nb\tc\\d\re"),
            (r#"\""#, "\""),
            (r"\u00e9\U0001f600\u00E9x", "é😀éx"),
            ("$${a} %%{b} $ % $x %y", "${a} %{b} $ % $x %y"),
        ] {
            assert_eq!(resolved(text), (expected.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn bad_escapes_are_named() {
        for (text, code) in [
            (r"\x41", "rpk::hcl::unknown_escape"),
            (r"\$", "rpk::hcl::unknown_escape"),
            (r"\é", "rpk::hcl::unknown_escape"),
            (r"\u12", "rpk::hcl::bad_code_point"),
            (r"\ud800", "rpk::hcl::bad_code_point"),
            (r"\U00110000", "rpk::hcl::bad_code_point"),
        ] {
            assert_eq!(resolved(text).1, [code], "{text}");
        }
    }

    #[test]
    fn backslashes_in_heredocs_are_text() {
        let text = r"C:\new $${x}";
        let token = Token { kind: TokenKind::Text, span: Span::new(0, text.len()) };
        let (mut out, mut errors) = (String::new(), Vec::new());
        unescape(text, token, &mut out, &mut errors);
        assert_eq!((out.as_str(), errors.len()), (r"C:\new ${x}", 0));
    }

    #[test]
    fn numbers_have_one_point_and_one_exponent() {
        for (text, expected) in [
            ("0", true),
            ("007", true),
            ("1.5", true),
            ("1.e5", true),
            ("1e+5", true),
            ("1.5E-3", true),
            ("1..2", false),
            ("1.2.3", false),
            ("1e5e5", false),
            ("1e5.5", false),
            ("1e99999999999", false),
            ("1e-99999999999", false),
            ("0e99999999999", true),
        ] {
            assert_eq!(is_number(text), expected, "{text}");
        }
    }
}
