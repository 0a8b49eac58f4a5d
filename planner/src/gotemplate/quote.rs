//! Go's quoted strings: written for messages and `%q`, read from literals.

use std::fmt::Write as _;

/// Quotes `text` as a Go string literal, as Go's `strconv.Quote` does.
pub(crate) fn quote(text: &str) -> String {
    quote_with(text, '"', false)
}

/// Quotes `text` within `mark`, escaping everything that is not printable, or not ASCII if `ascii` is set.
pub(super) fn quote_with(text: &str, mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        push_escaped(&mut out, c, mark, ascii);
    }
    out.push(mark);
    out
}

fn push_escaped(out: &mut String, c: char, mark: char, ascii: bool) {
    let escape = match c {
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{b}' => 'v',
        '\\' => '\\',
        c if c == mark => mark,
        c if is_printable(c) && (c.is_ascii() || !ascii) => return out.push(c),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                0..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(escape);
}

/// Tells whether Go would print `c` as it is: letters, marks, numbers, punctuation, symbols, and the ASCII space.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // `escape_debug` knows the printable characters but no function tells. Of a string it escapes combining marks
    // only in the first place, hence the letter.
    let mut buffer = *b"a\0\0\0\0";
    let length = c.encode_utf8(&mut buffer[1..]).len();
    std::str::from_utf8(&buffer[..=length]).is_ok_and(|text| text.escape_debug().nth(1) == Some(c))
}

/// Tells whether `text` can stand between backquotes unchanged.
pub(super) fn can_backquote(text: &str) -> bool {
    text.chars().all(|c| !matches!(c, '`' | '\u{7f}' | '\u{feff}') && (c >= ' ' || c == '\t'))
}

/// Names a character by its code point, as Go's `%#U` does: `U+00E9 'é'`.
pub(super) fn unicode(c: char) -> String {
    let code = u32::from(c);
    if is_printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

/// Reads a quoted or raw string literal, quotes included.
///
/// Fails on a bad escape, and on bytes that are no UTF-8: Go's strings may hold those, ours may not.
pub(super) fn unquote(literal: &str) -> Result<String, String> {
    if let Some(raw) = literal.strip_prefix('`') {
        let raw = raw.strip_suffix('`').ok_or("invalid syntax")?;
        // Go drops carriage returns from raw strings.
        return Ok(raw.replace('\r', ""));
    }
    let body = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or("invalid syntax")?;
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        match unquote_char(&mut rest, '"').ok_or("invalid syntax")? {
            Unquoted::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Unquoted::Byte(byte) => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("string is not valid UTF-8: {literal}"))
}

/// Reads a character constant, quotes included, and returns its code.
pub(super) fn unquote_char_constant(literal: &str) -> Result<u32, String> {
    let mut rest = literal.get(1..).ok_or("invalid syntax")?;
    let value = unquote_char(&mut rest, '\'').ok_or("invalid syntax")?;
    if rest != "'" {
        return Err(format!("malformed character constant: {literal}"));
    }
    Ok(match value {
        Unquoted::Char(c) => u32::from(c),
        Unquoted::Byte(byte) => u32::from(byte),
    })
}

enum Unquoted {
    Char(char),
    Byte(u8),
}

/// Reads one character or escape off `rest`.
fn unquote_char(rest: &mut &str, mark: char) -> Option<Unquoted> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    if first == mark || first == '\n' {
        return None;
    }
    if first != '\\' {
        *rest = chars.as_str();
        return Some(Unquoted::Char(first));
    }
    let escape = chars.next()?;
    let mut number = |first: Option<char>, radix: u32, count: usize| {
        let digits = first.into_iter().chain(chars.by_ref().take(count));
        let (value, seen) = digits.fold((Some(0_u32), 0), |(value, seen), c| {
            (value.and_then(|value| value.checked_mul(radix)?.checked_add(c.to_digit(radix)?)), seen + 1)
        });
        value.filter(|_| seen == count + usize::from(first.is_some()))
    };
    let value = match escape {
        'a' => Unquoted::Char('\u{7}'),
        'b' => Unquoted::Char('\u{8}'),
        'f' => Unquoted::Char('\u{c}'),
        'n' => Unquoted::Char('\n'),
        'r' => Unquoted::Char('\r'),
        't' => Unquoted::Char('\t'),
        'v' => Unquoted::Char('\u{b}'),
        '\\' => Unquoted::Char('\\'),
        c if c == mark => Unquoted::Char(mark),
        'x' => Unquoted::Byte(u8::try_from(number(None, 16, 2)?).ok()?),
        'u' => Unquoted::Char(char::from_u32(number(None, 16, 4)?)?),
        'U' => Unquoted::Char(char::from_u32(number(None, 16, 8)?)?),
        '0'..='7' => Unquoted::Byte(u8::try_from(number(Some(escape), 8, 2)?).ok()?),
        _ => return None,
    };
    *rest = chars.as_str();
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_escapes_what_is_not_printable() {
        assert_eq!(quote("a\"b\\\n\u{1}é\u{a0}\u{301}\u{10ffff}"), "\"a\\\"b\\\\\\n\\x01é\\u00a0\u{301}\\U0010ffff\"");
        assert_eq!(quote_with("é'", '\'', true), "'\\u00e9\\''");
    }

    #[test]
    fn unquoting_reads_every_escape() {
        assert_eq!(unquote(r#""\a\101\x42\u00e9\U0001F600\"""#).as_deref(), Ok("\u{7}ABé😀\""));
        assert_eq!(unquote("\"\\xc3\\xa9\"").as_deref(), Ok("é"));
        assert_eq!(unquote("`a\\n\r`").as_deref(), Ok("a\\n"));
        for bad in [r#""\'""#, r#""\x4""#, r#""\400""#, r#""\ud800""#, r#""\z""#] {
            assert_eq!(unquote(bad), Err("invalid syntax".into()), "{bad}");
        }
        assert!(unquote(r#""\xff""#).is_err());
    }

    #[test]
    fn character_constants_are_numbers() {
        assert_eq!(unquote_char_constant("'a'"), Ok(97));
        assert_eq!(unquote_char_constant(r"'\''"), Ok(39));
        assert_eq!(unquote_char_constant("'ab'"), Err("malformed character constant: 'ab'".into()));
        assert_eq!(unquote_char_constant("''"), Err("invalid syntax".into()));
    }
}
