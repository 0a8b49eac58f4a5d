//! Values written as YAML, in the form of `go-cty-yaml`: texts in double quotes, broken at blanks where lines get long;
//! texts of several lines as they are, if YAML can show them so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::Value;

/// Lines are broken at the first blank beyond this column.
const WIDTH: usize = 80;

/// Keys longer than this get a line of their own.
const MAX_KEY: usize = 128;

/// Writes a known value as a document.
pub(super) fn encode(value: &Value) -> String {
    let mut writer = Writer { out: String::new(), column: 0 };
    writer.block(value, 0);
    if matches!(value, Value::Null(_) | Value::Bool(_) | Value::Number(_)) {
        writer.out.push_str("...\n");
    }
    writer.out
}

struct Writer {
    out: String,
    column: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn end_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn indent(&mut self, level: usize) {
        self.put(&"  ".repeat(level));
    }

    /// Writes a value that begins at the current place and ends with a line break.
    fn block(&mut self, value: &Value, level: usize) {
        match value {
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.indent(level);
                    }
                    self.put("- ");
                    self.block(item, level + 1);
                }
            }
            Value::Map(_, members) | Value::Object(members) if !members.is_empty() => self.members(members, level),
            Value::String(text) if text.contains('\n') && may_be_literal(text) => self.literal(text, level.max(1)),
            Value::String(text) => {
                self.quoted(text, Some(level.max(1)));
                self.end_line();
            }
            other => {
                self.put(&match other {
                    Value::List(..) | Value::Set(..) | Value::Tuple(_) => "[]".to_owned(),
                    Value::Map(..) | Value::Object(_) => "{}".to_owned(),
                    Value::Bool(flag) => flag.to_string(),
                    Value::Number(number) => number.to_string(),
                    _ => "null".to_owned(),
                });
                self.end_line();
            }
        }
    }

    fn members(&mut self, members: &BTreeMap<Arc<str>, Value>, level: usize) {
        for (index, (name, member)) in members.iter().enumerate() {
            if index > 0 {
                self.indent(level);
            }
            if name.len() > MAX_KEY || name.contains(is_break) {
                self.put("? ");
                self.block(&Value::String(name.clone()), level + 1);
                self.indent(level);
                self.put(": ");
                self.block(member, level + 1);
                continue;
            }
            self.quoted(name, None);
            self.put(":");
            let (is_sequence, is_mapping) = (
                member.items().is_some_and(|items| !items.is_empty()),
                member.members().is_some_and(|members| !members.is_empty()),
            );
            if is_sequence || is_mapping {
                // Sequences stand right below their key, not deeper.
                let inner = if is_sequence { level } else { level + 1 };
                self.end_line();
                self.indent(inner);
                self.block(member, inner);
            } else {
                self.put(" ");
                self.block(member, level + 1);
            }
        }
    }

    fn literal(&mut self, text: &str, level: usize) {
        self.put("|");
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.put("2");
        }
        let mut backwards = text.chars().rev();
        match (backwards.next().is_some_and(is_break), backwards.next().is_none_or(is_break)) {
            (false, _) => self.put("-"),
            (true, true) => self.put("+"),
            (true, false) => {}
        }
        self.end_line();
        let mut starts = true;
        for c in text.chars() {
            if is_break(c) {
                self.out.push(c);
                self.column = 0;
                starts = true;
                continue;
            }
            if starts {
                self.indent(level);
            }
            starts = false;
            self.put(c.encode_utf8(&mut [0; 4]));
        }
        if !starts {
            self.end_line();
        }
    }

    /// Writes a text in double quotes; with a level, it may be broken into lines of that level.
    fn quoted(&mut self, text: &str, level: Option<usize>) {
        self.put("\"");
        let mut was_blank = false;
        for (at, c) in text.char_indices() {
            let is_blank = c == ' ';
            match level {
                Some(level) if is_blank && !was_blank && self.column > WIDTH && at > 0 && at + 1 < text.len() => {
                    self.end_line();
                    self.indent(level);
                    if text[at + 1..].starts_with(' ') {
                        self.put("\\");
                    }
                }
                _ => self.put(&escaped(c)),
            }
            was_blank = is_blank;
        }
        self.put("\"");
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printed(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Tells whether a text can stand there without escapes, and without blanks that would go unseen.
fn may_be_literal(text: &str) -> bool {
    let has_blank_before_break =
        text.chars().zip(text.chars().skip(1)).any(|(first, second)| first == ' ' && is_break(second));
    text.chars().all(is_printed) && !has_blank_before_break && !text.ends_with(' ')
}

fn escaped(c: char) -> String {
    let short = match c {
        '"' | '\\' => c,
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printed(c) => return c.to_string(),
        c => {
            let mut out = String::new();
            let _ = match u32::from(c) {
                code @ ..=0xff => write!(out, "\\x{code:02X}"),
                code @ ..=0xffff => write!(out, "\\u{code:04X}"),
                code => write!(out, "\\U{code:08X}"),
            };
            return out;
        }
    };
    format!("\\{short}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_several_lines_are_literal_if_they_can_be() {
        for (text, expected) in [
            ("a\nb\n", "|\n  a\n  b\n"),
            ("a\nb", "|-\n  a\n  b\n"),
            ("a\n\n", "|+\n  a\n\n"),
            ("\n", "|2+\n\n"),
            (" a\nb", "|2-\n   a\n  b\n"),
            ("a \nb", "\"a \\nb\"\n"),
            ("a\nb ", "\"a\\nb \"\n"),
            ("a\tb\n", "\"a\\tb\\n\"\n"),
            ("\r\n", "\"\\r\\n\"\n"),
        ] {
            assert_eq!(encode(&Value::string(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_broken_at_blanks() {
        let words = format!("{} {} c  d", "a".repeat(40), "b".repeat(45));
        let expected = format!("\"{} {}\n  c  d\"\n", "a".repeat(40), "b".repeat(45));
        assert_eq!(encode(&Value::string(&words)), expected);
        let words = format!("{}  d", "a".repeat(90));
        assert_eq!(encode(&Value::string(&words)), format!("\"{}\n  \\ d\"\n", "a".repeat(90)));
    }

    #[test]
    fn keys_that_are_long_or_have_several_lines_stand_alone() {
        let object = |name: &str| Value::object([(Arc::from(name), Value::tuple([Value::Bool(true)]))]);
        assert_eq!(encode(&object("<")), "\"<\":\n- true\n");
        assert_eq!(encode(&object("a\nb")), "? |-\n  a\n  b\n: - true\n");
        assert_eq!(encode(&object(&"k".repeat(129))), format!("? \"{}\"\n: - true\n", "k".repeat(129)));
    }

    #[test]
    fn characters_that_are_not_seen_are_escaped() {
        assert_eq!(
            encode(&Value::string("\0\u{7f}\u{feff}\u{2028}😀é\u{a0}")),
            "\"\\0\\x7F\\uFEFF\\L\\U0001F600é\u{a0}\"\n"
        );
    }
}
