//! Classes of characters, and escapes inside and outside of them.

use std::fmt::Write as _;

use regex::Regex;

use super::Reader;

const DIGITS: &str = "0-9";
const SPACES: &str = "\\t\\n\\f\\r ";
const WORD: &str = "0-9A-Za-z_";

impl Reader<'_> {
    /// Reads an escape that stands for many characters; returns what stands for it in a class.
    pub(super) fn class_escape(&mut self) -> Result<Option<String>, String> {
        let class = match self.rest.peek() {
            Some('d') => DIGITS.to_owned(),
            Some('D') => format!("[^{DIGITS}]"),
            Some('s') => SPACES.to_owned(),
            Some('S') => format!("[^{SPACES}]"),
            Some('w') => WORD.to_owned(),
            Some('W') => format!("[^{WORD}]"),
            Some(letter @ ('p' | 'P')) => {
                let is_negated = *letter == 'P';
                self.rest.next();
                return self.unicode_class(is_negated).map(Some);
            }
            _ => return Ok(None),
        };
        self.rest.next();
        Ok(Some(class))
    }

    fn unicode_class(&mut self, is_negated: bool) -> Result<String, String> {
        let fault = || "invalid character class range".to_owned();
        let mut name = String::new();
        match self.rest.next().ok_or_else(fault)? {
            '{' => loop {
                match self.rest.next().ok_or_else(fault)? {
                    '}' => break,
                    c => name.push(c),
                }
            },
            c => name.push(c),
        }
        let (is_inverted, name) = match name.strip_prefix('^') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | ' '));
        if !is_word {
            return Err(fault());
        }
        let letter = if is_negated == is_inverted { 'p' } else { 'P' };
        // Categories and scripts only; the library knows other properties besides.
        let candidates = match name.to_ascii_lowercase().as_str() {
            "any" | "ascii" | "assigned" => vec![format!("\\{letter}{{{name}}}")],
            _ => vec![format!("\\{letter}{{gc={name}}}"), format!("\\{letter}{{sc={name}}}")],
        };
        candidates.into_iter().find(|class| Regex::new(class).is_ok()).ok_or_else(fault)
    }

    /// Reads an escape that stands for one character, by its code; a surrogate has one too.
    pub(super) fn character_escape(&mut self) -> Result<u32, String> {
        let fault = || "invalid escape sequence".to_owned();
        let c = self.rest.next().ok_or("trailing backslash at end of expression")?;
        let is_octal = |c: &char| ('0'..='7').contains(c);
        match c {
            '0'..='7' if c == '0' || self.rest.peek().is_some_and(is_octal) => {
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(is_octal) else { break };
                    code = code * 8 + digit.to_digit(8).unwrap_or(0);
                }
                Ok(code)
            }
            'x' => {
                let mut digits = Vec::new();
                if self.take('{') {
                    while !self.take('}') {
                        digits.push(self.rest.next().ok_or_else(fault)?);
                    }
                } else {
                    digits.extend(self.rest.next());
                    digits.extend(self.rest.next());
                    if digits.len() < 2 {
                        return Err(fault());
                    }
                }
                if digits.is_empty() {
                    return Err(fault());
                }
                let mut code = 0_u32;
                for digit in digits {
                    code = code * 16 + digit.to_digit(16).ok_or_else(fault)?;
                    if code > u32::from(char::MAX) {
                        return Err(fault());
                    }
                }
                Ok(code)
            }
            'a' => Ok(7),
            'f' => Ok(12),
            'n' => Ok(10),
            'r' => Ok(13),
            't' => Ok(9),
            'v' => Ok(11),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(u32::from(c)),
            _ => Err(fault()),
        }
    }

    /// Reads a class after its bracket.
    pub(super) fn class(&mut self) -> Result<String, String> {
        let mut out = String::from(if self.take('^') { "[^" } else { "[" });
        let mut is_first = true;
        while is_first || self.rest.peek() != Some(&']') {
            is_first = false;
            if self.looks_at("[:")
                && let Some(named) = self.named_class()?
            {
                out.push_str(&named);
                continue;
            }
            let low = if self.take('\\') {
                if let Some(class) = self.class_escape()? {
                    out.push_str(&class);
                    continue;
                }
                self.character_escape()?
            } else {
                self.class_character()?
            };
            let mut high = low;
            // A hyphen before the end is one.
            let mut ahead = self.rest.clone();
            if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
                self.rest.next();
                high = if self.take('\\') { self.character_escape()? } else { self.class_character()? };
                if high < low {
                    return Err("invalid character class range".to_owned());
                }
            }
            write_range(low, high, &mut out);
        }
        self.rest.next();
        out.push(']');
        Ok(out)
    }

    fn class_character(&mut self) -> Result<u32, String> {
        self.rest.next().map(u32::from).ok_or_else(|| "missing closing ]".to_owned())
    }

    /// Reads `[:alpha:]`; nothing if the colon at the end is missing.
    fn named_class(&mut self) -> Result<Option<String>, String> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit",
        ];
        let rest: String = self.rest.clone().skip(2).collect();
        let Some(end) = rest.find(":]") else { return Ok(None) };
        let name = &rest[..end];
        if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err("invalid character class range".to_owned());
        }
        let taken = name.chars().count() + 4;
        self.rest.nth(taken - 1);
        Ok(Some(format!("[:{name}:]")))
    }
}

/// Writes a range of a class, without the surrogates in it.
fn write_range(low: u32, high: u32, out: &mut String) {
    for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
        if low <= high {
            let _ = write!(out, "\\x{{{low:X}}}-\\x{{{high:X}}}");
        }
    }
    if (0xd800..0xe000).contains(&low) && (0xd800..0xe000).contains(&high) {
        out.push_str("[^\\x{0}-\\x{10FFFF}]");
    }
}
