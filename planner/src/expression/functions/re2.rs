//! Regular expressions in the syntax of RE2, as Go reads it, for a library that reads another one.
//!
//! The two syntaxes differ in what is an error, in escapes, in classes and in names of groups. So a pattern is read
//! here by the rules of RE2, and what it means is written anew in what both understand: no flags but around the very
//! element that they concern, groups by number, classes of code points. What matches, and which match is found first,
//! is the same in both libraries.

mod class;

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// How often something may be repeated, all repetitions around it counted.
const MAX_REPEAT: u32 = 1000;

/// The memory that a compiled pattern may take.
const MAX_SIZE: usize = 64 << 20;

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

#[cfg(test)]
mod tests;
