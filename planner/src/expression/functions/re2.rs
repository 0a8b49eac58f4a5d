//! Regular expressions in the syntax of RE2, as Go reads it, for a library that reads another one.
//!
//! The two syntaxes differ in what is an error, in escapes, in classes and in names of groups. So a pattern is read
//! here by the rules of RE2, and what it means is written anew in what both understand: no flags but around the very
//! element that they concern, groups by number, classes of code points. What matches, and which match is found first,
//! is the same in both libraries.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// How often something may be repeated, all repetitions around it counted.
const MAX_REPEAT: u32 = 1000;

/// The memory that a compiled pattern may take.
const MAX_SIZE: usize = 64 << 20;

const DIGITS: &str = "0-9";
const SPACES: &str = "\\t\\n\\f\\r ";
const WORD: &str = "0-9A-Za-z_";

/// A pattern, ready to be searched for.
pub(super) struct Pattern {
    /// Finds it.
    pub(super) regex: Regex,
    /// The names of the groups in their order; a name may stand there twice.
    pub(super) groups: Vec<Option<String>>,
}

/// Reads a pattern.
pub(super) fn compile(pattern: &str) -> Result<Pattern, String> {
    let mut reader = Reader { rest: pattern.chars().peekable(), groups: Vec::new() };
    let translated = reader.pattern().map_err(|reason| format!("invalid regexp pattern: {reason}"))?;
    let regex = RegexBuilder::new(&translated)
        .size_limit(MAX_SIZE)
        .build()
        .map_err(|_| "invalid regexp pattern: it is too large".to_owned())?;
    Ok(Pattern { regex, groups: reader.groups })
}

#[derive(Clone, Copy, Default)]
struct Flags {
    folds_case: bool,
    is_multi_line: bool,
    dot_takes_all: bool,
    is_lazy: bool,
}

/// Something that can be repeated.
struct Piece {
    text: String,
    /// How often its innermost repetition may happen.
    repeats: u32,
}

impl Piece {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), repeats: 1 }
    }
}

/// What stands between parentheses, as far as it is read.
#[derive(Default)]
struct Group {
    /// What goes before its content, such as `(`.
    open: &'static str,
    /// The flags that hold again after it.
    flags: Flags,
    choices: Vec<Piece>,
    sequence: Vec<Piece>,
}

impl Group {
    fn choice(&mut self) -> Piece {
        let pieces = std::mem::take(&mut self.sequence);
        Piece {
            repeats: pieces.iter().map(|piece| piece.repeats).max().unwrap_or(1),
            text: pieces.into_iter().map(|piece| piece.text).collect(),
        }
    }

    fn closed(mut self) -> Piece {
        let last = self.choice();
        self.choices.push(last);
        let repeats = self.choices.iter().map(|piece| piece.repeats).max().unwrap_or(1);
        let texts: Vec<String> = self.choices.into_iter().map(|piece| piece.text).collect();
        Piece { text: format!("{}{})", self.open, texts.join("|")), repeats }
    }
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    groups: Vec<Option<String>>,
}

impl Reader<'_> {
    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn looks_at(&self, text: &str) -> bool {
        let mut rest = self.rest.clone();
        text.chars().all(|c| rest.next() == Some(c))
    }

    fn pattern(&mut self) -> Result<String, String> {
        let mut flags = Flags::default();
        let mut stack: Vec<Group> = Vec::new();
        let mut group = Group { open: "(?:", ..Group::default() };
        let mut is_repeated = false;
        while let Some(c) = self.rest.next() {
            let was_repeated = std::mem::take(&mut is_repeated);
            match c {
                '(' if self.take('?') => match self.after_question_mark(flags)? {
                    Opened::Group(open, inner) => {
                        stack.push(std::mem::replace(&mut group, Group { open, flags, ..Group::default() }));
                        flags = inner;
                    }
                    Opened::Flags(changed) => flags = changed,
                },
                '(' => {
                    self.groups.push(None);
                    stack.push(std::mem::replace(&mut group, Group { open: "(", flags, ..Group::default() }));
                }
                ')' => {
                    let outer = stack.pop().ok_or("unexpected )")?;
                    flags = group.flags;
                    let piece = std::mem::replace(&mut group, outer).closed();
                    group.sequence.push(piece);
                }
                '|' => {
                    let choice = group.choice();
                    group.choices.push(choice);
                }
                '*' | '+' | '?' => {
                    let limits = if c == '+' { (1, None) } else { (0, (c == '?').then_some(1)) };
                    self.repeat(&mut group, limits, c.to_string(), flags, was_repeated)?;
                    is_repeated = true;
                }
                '{' => match self.counts() {
                    Some((text, low, high)) => {
                        let is_fine = low <= MAX_REPEAT && high.is_none_or(|high| low <= high && high <= MAX_REPEAT);
                        if !is_fine {
                            return Err("invalid repeat count".to_owned());
                        }
                        self.repeat(&mut group, (low, high), text, flags, was_repeated)?;
                        is_repeated = true;
                    }
                    None => group.sequence.push(literal('{', flags)),
                },
                '^' => group.sequence.push(Piece::new(if flags.is_multi_line { "(?m:^)" } else { "^" })),
                '$' => group.sequence.push(Piece::new(if flags.is_multi_line { "(?m:$)" } else { "$" })),
                '.' => group.sequence.push(Piece::new(if flags.dot_takes_all { "(?s:.)" } else { "." })),
                '[' => {
                    let class = self.class()?;
                    group.sequence.push(folded(class, flags));
                }
                '\\' => self.escape(&mut group, flags)?,
                c => group.sequence.push(literal(c, flags)),
            }
        }
        if stack.is_empty() { Ok(group.closed().text) } else { Err("missing closing )".to_owned()) }
    }

    /// Repeats the last piece; `text` says how.
    fn repeat(
        &mut self,
        group: &mut Group,
        (low, high): (u32, Option<u32>),
        text: String,
        flags: Flags,
        was_repeated: bool,
    ) -> Result<(), String> {
        let is_lazy = self.take('?') != flags.is_lazy;
        if was_repeated {
            return Err("invalid nested repetition operator".to_owned());
        }
        let piece = group.sequence.pop().ok_or_else(|| format!("missing argument to repetition operator: {text}"))?;
        let times = high.unwrap_or(low).max(1);
        let repeats = if high == Some(0) { 1 } else { times.saturating_mul(piece.repeats) };
        if (low >= 2 || high.is_some_and(|high| high >= 2)) && repeats > MAX_REPEAT {
            return Err("invalid repeat count".to_owned());
        }
        let lazy = if is_lazy { "?" } else { "" };
        group.sequence.push(Piece { text: format!("(?:{}){text}{lazy}", piece.text), repeats });
        Ok(())
    }

    /// Reads `2}`, `2,}` or `2,3}` after a brace; nothing if it is not one of these.
    fn counts(&mut self) -> Option<(String, u32, Option<u32>)> {
        let mut ahead = self.rest.clone();
        let low = count(&mut ahead)?;
        let mut text = format!("{{{low}");
        let mut high = Some(low);
        if ahead.next_if_eq(&',').is_some() {
            text.push(',');
            high = if ahead.peek() == Some(&'}') { None } else { Some(count(&mut ahead)?) };
            if let Some(high) = high {
                let _ = write!(text, "{high}");
            }
        }
        ahead.next_if_eq(&'}')?;
        text.push('}');
        self.rest = ahead;
        Some((text, low, high))
    }

    /// Reads what follows `(?`.
    fn after_question_mark(&mut self, flags: Flags) -> Result<Opened, String> {
        if self.looks_at("P<") || self.looks_at("<") {
            self.take('P');
            self.rest.next();
            let mut name = String::new();
            loop {
                match self.rest.next() {
                    Some('>') if !name.is_empty() => break,
                    Some(c) if c == '_' || c.is_ascii_alphanumeric() => name.push(c),
                    _ => return Err("invalid named capture".to_owned()),
                }
            }
            self.groups.push(Some(name));
            return Ok(Opened::Group("(", flags));
        }
        let mut changed = flags;
        let mut turns_on = true;
        let mut has_some = false;
        loop {
            let flag = match self.rest.next() {
                Some('i') => &mut changed.folds_case,
                Some('m') => &mut changed.is_multi_line,
                Some('s') => &mut changed.dot_takes_all,
                Some('U') => &mut changed.is_lazy,
                Some('-') if turns_on => {
                    (turns_on, has_some) = (false, false);
                    continue;
                }
                Some(':') if turns_on || has_some => return Ok(Opened::Group("(?:", changed)),
                Some(')') if turns_on || has_some => return Ok(Opened::Flags(changed)),
                _ => return Err("invalid or unsupported Perl syntax".to_owned()),
            };
            *flag = turns_on;
            has_some = true;
        }
    }

    /// Reads what follows a backslash outside of classes.
    fn escape(&mut self, group: &mut Group, flags: Flags) -> Result<(), String> {
        let piece = match self.rest.peek() {
            Some('A') => Piece::new("\\A"),
            Some('z') => Piece::new("\\z"),
            Some('b') => Piece::new("(?-u:\\b)"),
            Some('B') => Piece::new("(?-u:\\B)"),
            Some('Q') => {
                self.rest.next();
                while !self.looks_at("\\E") {
                    let Some(c) = self.rest.next() else { return Ok(()) };
                    group.sequence.push(literal(c, flags));
                }
                self.rest.next();
                self.rest.next();
                return Ok(());
            }
            _ => {
                let piece = match self.class_escape()? {
                    Some(class) => folded(format!("[{class}]"), flags),
                    None => literal_of(self.character_escape()?, flags),
                };
                group.sequence.push(piece);
                return Ok(());
            }
        };
        self.rest.next();
        group.sequence.push(piece);
        Ok(())
    }

    /// Reads an escape that stands for many characters; returns what stands for it in a class.
    fn class_escape(&mut self) -> Result<Option<String>, String> {
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
    fn character_escape(&mut self) -> Result<u32, String> {
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
    fn class(&mut self) -> Result<String, String> {
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

/// What a parenthesis with a question mark opens.
enum Opened {
    /// A group, by what it is written with, and the flags inside of it.
    Group(&'static str, Flags),
    /// None: it changes the flags of the rest of the group that it stands in.
    Flags(Flags),
}

/// Reads a number without leading zeros; what is too large is large enough to be refused.
fn count(rest: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

fn literal(c: char, flags: Flags) -> Piece {
    folded(regex::escape(c.encode_utf8(&mut [0; 4])), flags)
}

/// A surrogate is part of no text.
fn literal_of(code: u32, flags: Flags) -> Piece {
    char::from_u32(code).map_or_else(|| Piece::new("[^\\x{0}-\\x{10FFFF}]"), |c| literal(c, flags))
}

fn folded(text: String, flags: Flags) -> Piece {
    Piece::new(if flags.folds_case { format!("(?i:{text})") } else { text })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(pattern: &str, text: &'t str) -> Vec<&'t str> {
        let compiled = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        compiled.regex.find_iter(text).map(|found| found.as_str()).collect()
    }

    #[test]
    fn what_only_re2_reads_is_read() {
        for (pattern, text, expected) in [
            (r"\Q.*\Ea", "x.*a", vec![".*a"]),
            (r"\Qa.", "xa.b", vec!["a."]),
            ("a{,3}", "aa{,3}", vec!["a{,3}"]),
            ("{", "a{b", vec!["{"]),
            (r"[\d-a]+", "1-a", vec!["1-a"]),
            ("[[a]b]", "[b] ab]", vec!["[b]", "ab]"]),
            ("[a&&b]+", "a&b", vec!["a&b"]),
            ("[a-]+", "-a", vec!["-a"]),
            ("[]a]+", "a]", vec!["a]"]),
            (r"\<", "a<", vec!["<"]),
            (r"\w+", "àb", vec!["b"]),
            (r"\b.", "àb", vec!["b"]),
            (r"\d", "1२", vec!["1"]),
            (r"[^\W\d]+", "a1b_", vec!["a", "b_"]),
            (r"(?i)[^a]", "aAb", vec!["b"]),
            ("a(?i)b|C", "aB c", vec!["aB", "c"]),
            ("(?U)a+", "aa", vec!["a", "a"]),
            ("(?U)a+?", "aa", vec!["aa"]),
            ("a(?i)*b", "aab", vec!["aab"]),
            ("(?s-i:.)", "\n", vec!["\n"]),
            (r"\101\x41\x{41}", "AAA", vec!["AAA"]),
            (r"\p{^Greek}", "αa", vec!["a"]),
            (r"\P{^L}", "1a", vec!["a"]),
            ("[[:^alpha:]]", "a1", vec!["1"]),
            ("(?m)^.$", "a\nb", vec!["a", "b"]),
        ] {
            assert_eq!(found(pattern, text), expected, "{pattern}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "a**",
            "x{2}{3}",
            "a{1001}",
            "(a{500}){3}",
            "*",
            "(*)",
            "|*",
            "(?x)a",
            "(?i-)a",
            "(?u)a",
            "(?=a)",
            r"\1",
            r"\u0041",
            r"\Z",
            r"\C",
            r"\h",
            r"\é",
            r"[\b]",
            "[b-a]",
            "[",
            "[a",
            "(",
            ")",
            "(?P<é>a)",
            "(?P<>a)",
            "(?P<a",
            r"\p{Nope}",
            r"\p{Alphabetic}",
            r"\p",
            "[[:nope:]]",
            r"\x{110000}",
            r"\x4",
            "\\",
            r"\8",
        ] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn groups_may_have_any_name_even_twice() {
        let names = |pattern: &str| compile(pattern).expect("is a pattern").groups;
        assert_eq!(names("(?P<1>a)(b)(?<x>c)|(?P<x>d)").iter().flatten().collect::<Vec<_>>(), ["1", "x", "x"]);
    }
}
