//! JSON text to values with places.
//!
//! Packer reads templates with Go's `encoding/json`, which is strict (RFC 8259): no comments, no trailing commas, no
//! byte-order mark, nothing after the value. `serde_json` reads the same language but keeps no places, and every
//! message about a template needs one; hence this reader. Half of a surrogate pair becomes U+FFFD, as in Go.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::span::{FileId, Sources, Span};
use crate::value::{Entry, Map, Setting, Value};

/// Nesting beyond this is refused: no template comes near it, and the reader must not exhaust the stack.
const MAX_DEPTH: usize = 256;

/// From this many members on an object keeps an index of its names, so that a generated template with a hundred
/// thousand variables reads in linear time.
const INDEX_FROM: usize = 16;

/// Reads one JSON value that takes up the whole text.
///
/// A syntax error ends the reading; duplicate names are reported all together.
///
/// # Errors
///
/// Returns what is wrong with the text; a text with duplicate names counts as wrong.
pub fn read(sources: &Sources, file: FileId) -> Result<Setting, Diagnostics> {
    read_with(sources, file, Duplicates::Refused)
}

/// What becomes of a name that an object has more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// It is an error.
    Refused,
    /// All of them are members of the [`Map`], in their order.
    Kept,
}

/// Reads one JSON value like [`read`], with a word on duplicate names.
///
/// # Errors
///
/// As for [`read`].
pub fn read_with(sources: &Sources, file: FileId, duplicates: Duplicates) -> Result<Setting, Diagnostics> {
    let text = &sources.file(file).text;
    let problems = Diagnostics::default();
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, depth: 0, file, duplicates, problems };
    match reader.document() {
        Ok(setting) if reader.problems.is_empty() => Ok(setting),
        Ok(_) => Err(reader.problems),
        Err(syntax) => {
            reader.problems.push(*syntax);
            Err(reader.problems)
        }
    }
}

type Fallible<T> = Result<T, Box<Diagnostic>>;

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    file: FileId,
    duplicates: Duplicates,
    problems: Diagnostics,
}

impl Reader<'_> {
    fn document(&mut self) -> Fallible<Setting> {
        if self.text.starts_with('\u{feff}') {
            return Err(Box::new(
                Diagnostic::error("rpk::json::syntax", "the text starts with a byte-order mark")
                    .at(self.span(0, 3), "remove these bytes")
                    .help("save the file as UTF-8 without a byte-order mark"),
            ));
        }
        self.skip_space();
        let setting = self.value()?;
        self.skip_space();
        if self.at < self.bytes.len() {
            return Err(self.unexpected("the end of the file"));
        }
        Ok(setting)
    }

    fn value(&mut self) -> Fallible<Setting> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Setting { value, span: self.span(start, self.at) })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Fallible<Value>) -> Fallible<Value> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(
                self.at,
                self.at + 1,
                format!("nested deeper than {MAX_DEPTH} levels"),
                "this level is too deep",
            ));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Fallible<Value> {
        let mut map = Map::default();
        let mut count = 0_usize;
        let mut index: HashMap<String, Span> = HashMap::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Map(map));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                let trailing = self.peek() == Some(b'}') && count > 0;
                let mut error = self.unexpected("a name in double quotes");
                if trailing {
                    error.help = Some("remove the comma before the closing brace".to_owned());
                }
                return Err(error);
            }
            let key = self.string()?;
            let key_span = self.span(start, self.at);
            self.skip_space();
            if !self.take(b':') {
                return Err(self.unexpected("`:` after the name"));
            }
            self.skip_space();
            let setting = self.value()?;

            if count == INDEX_FROM {
                index = map.iter().map(|entry| (entry.key.clone(), entry.key_span)).collect();
            }
            let known = if self.duplicates == Duplicates::Kept {
                None
            } else if count < INDEX_FROM {
                map.get(&key).map(|entry| entry.key_span)
            } else {
                index.insert(key.clone(), key_span)
            };
            if let Some(first) = known {
                self.problems.push(
                    Diagnostic::error("rpk::json::duplicate", format!("`{key}` is given twice"))
                        .at(key_span, "given again here")
                        .at(first, "first given here")
                        .help("keep one of the two"),
                );
            } else {
                map.push_new(Entry { key, key_span, setting });
            }
            count += 1;
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Map(map));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn list(&mut self) -> Fallible<Value> {
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.skip_space();
            if self.peek() == Some(b']') {
                let mut error = self.unexpected("a value");
                error.help = Some("remove the comma before the closing bracket".to_owned());
                return Err(error);
            }
            items.push(self.value()?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::List(items));
            }
            if !self.take(b',') {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Fallible<String> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let run = self.at;
            while let Some(byte) = self.peek() {
                if matches!(byte, b'"' | b'\\') || byte < 0x20 {
                    break;
                }
                self.at += 1;
            }
            out.push_str(&self.text[run..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(b'\n' | b'\r') | None => {
                    return Err(self.error(
                        open,
                        self.at,
                        "a string is not closed",
                        "it starts here and its line ends without `\"`",
                    ));
                }
                Some(_) => {
                    let mut error =
                        self.error(self.at, self.at + 1, "a control character in a string", "not allowed as it stands");
                    error.help = Some("write it as an escape, a tab for example as `\\t`".to_owned());
                    return Err(error);
                }
            }
        }
    }

    fn escape(&mut self) -> Fallible<char> {
        let start = self.at;
        self.at += 1;
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex(start)?;
                if (0xd800..0xdc00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u") {
                    let before = self.at;
                    self.at += 2;
                    let low = self.hex(before)?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    // The second escape is a character of its own.
                    self.at = before;
                }
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => {
                let width = self.text[start + 1..].chars().next().map_or(0, char::len_utf8);
                let mut error = self.error(start, start + 1 + width, "an unknown escape in a string", "not an escape");
                error.help =
                    Some(r#"write a backslash as `\\`; the escapes are \" \\ \/ \b \f \n \r \t \uXXXX"#.to_owned());
                return Err(error);
            }
        })
    }

    fn hex(&mut self, escape_start: usize) -> Fallible<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| {
            digits.iter().try_fold(0_u32, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
        });
        match digits {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => Err(self.error(
                escape_start,
                escape_start + 2,
                "an unfinished escape in a string",
                "`\\u` needs four hexadecimal digits",
            )),
        }
    }

    fn number(&mut self) -> Fallible<Value> {
        let start = self.at;
        self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("a digit")),
        }
        if self.take(b'.') {
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("a digit after the decimal point"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("a digit in the exponent"));
            }
            self.digits();
        }
        match self.text[start..self.at].parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(number)),
            _ => Err(self.error(start, self.at, "a number too large", "does not fit a double")),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Fallible<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.unexpected("a value"))
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    fn error(&self, start: usize, end: usize, message: impl Into<String>, label: &str) -> Box<Diagnostic> {
        let end = end.min(self.bytes.len()).max(start);
        Box::new(Diagnostic::error("rpk::json::syntax", message).at(self.span(start, end), label))
    }

    /// Says what was wanted, what stands there instead and, for the habits of other JSON dialects, what to do.
    fn unexpected(&self, wanted: &str) -> Box<Diagnostic> {
        let rest = &self.text[self.at..];
        let Some(found) = rest.chars().next() else {
            return self.error(
                self.at,
                self.at,
                format!("the file ends where {wanted} is expected"),
                "the file ends here",
            );
        };
        let word_len =
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()).max(found.len_utf8());
        let word: String = rest[..word_len].chars().take(40).collect();
        let mut error = self.error(
            self.at,
            self.at + word_len,
            format!("expected {wanted}, found `{word}`"),
            &format!("expected {wanted}"),
        );
        error.help = match found {
            '/' | '#' => Some("JSON has no comments; use a root key that starts with `_`".to_owned()),
            '\'' => Some("use double quotes".to_owned()),
            _ => None,
        };
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Setting, Diagnostics> {
        let mut sources = Sources::default();
        let file = sources.add("t.json", text);
        read(&sources, file)
    }

    fn first_message(text: &str) -> String {
        let problems = read_text(text).expect_err(text);
        let message = problems.iter().next().map(|first| first.message.clone());
        message.expect("an error holds a diagnostic")
    }

    #[test]
    fn values_have_the_places_of_their_text() {
        let text = r#"{"a": [1, "b\u00e9\ud83d\ude00"], "c": {}}"#;
        let root = read_text(text).expect("is valid");
        let Value::Map(map) = &root.value else { panic!() };
        let list = &map.get("a").expect("a").setting;
        assert_eq!(&text[list.span.range()], r#"[1, "b\u00e9\ud83d\ude00"]"#);
        let Value::List(items) = &list.value else { panic!() };
        assert_eq!(items[1].value, Value::String("bé😀".to_owned()));
        assert_eq!(&text[map.get("c").expect("c").key_span.range()], "\"c\"");
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (text, message) in [
            ("", "the file ends where a value is expected"),
            ("{\"a\": 1,}", "expected a name in double quotes, found `}`"),
            ("[1,]", "expected a value, found `]`"),
            ("{'a': 1}", "expected a name in double quotes, found `'`"),
            ("{\"a\" 1}", "expected `:` after the name, found `1`"),
            ("{} x", "expected the end of the file, found `x`"),
            ("// c\n{}", "expected a value, found `/`"),
            ("[01]", "expected `,` or `]`, found `1`"),
            ("[1.]", "expected a digit after the decimal point, found `]`"),
            ("[nul]", "expected a value, found `nul`"),
            ("[1e999]", "a number too large"),
            ("\"a\nb\"", "a string is not closed"),
            ("\"a\\qb\"", "an unknown escape in a string"),
            ("\"\\u12\"", "an unfinished escape in a string"),
            ("\u{feff}{}", "the text starts with a byte-order mark"),
            ("[\"a", "a string is not closed"),
        ] {
            assert_eq!(first_message(text), message, "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        for (text, value) in [(r#""\ud800x""#, "\u{fffd}x"), (r#""\ud800\u0041""#, "\u{fffd}A")] {
            assert_eq!(read_text(text).expect(text).value, Value::String(value.to_owned()));
        }
    }

    #[test]
    fn all_duplicates_are_reported() {
        let problems = read_text(r#"{"a": 1, "a": 2, "b": {"c": 1, "c": 1}}"#).expect_err("duplicates");
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["`a` is given twice", "`c` is given twice"]);
    }

    #[test]
    fn a_duplicate_among_many_members_is_found() {
        let members: Vec<String> = (0..100).map(|i| format!("\"k{i}\": {i}")).collect();
        let text = format!("{{{}, \"k3\": 0, \"k77\": 0}}", members.join(","));
        assert_eq!(read_text(&text).expect_err("duplicates").error_count(), 2);
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let text = "[".repeat(10_000);
        assert_eq!(first_message(&text), "nested deeper than 256 levels");
        let fits = format!("{}{}", "[".repeat(256), "]".repeat(256));
        assert!(read_text(&fits).is_ok());
    }
}
