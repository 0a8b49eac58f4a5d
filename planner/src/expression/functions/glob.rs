//! Which files a pattern names, as the library that Packer uses for `fileset` finds them.
//!
//! `*` and `?` stand for characters of one name, `**` for any number of folders, `[a-c]` and `[^a]` for one character
//! of a class, `{a,b}` for one of several patterns, which may have slashes. A pattern that cannot be read is an error
//! only where a name is held against it.

use crate::expression::scope::{FileKind, Files};

/// How deep a search goes: links can make a folder contain itself.
const MAX_DEPTH: usize = 64;

/// The pattern cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

/// Lists what a pattern names, folders included; the pattern begins with the folder to look in.
pub(super) fn glob(pattern: &str, files: &dyn Files) -> Result<Vec<String>, BadPattern> {
    let mut search = Search { files, found: Vec::new() };
    if let Some(inner) = pattern.strip_prefix('{') {
        let (all, rest) = choices(inner)?;
        for choice in all {
            search.found.extend(glob(&format!("{choice}{rest}"), files)?);
        }
        return Ok(search.found);
    }
    match pattern.strip_prefix('/') {
        Some(inside) => search.folder("/", inside, 0)?,
        None => search.folder(".", pattern, 0)?,
    }
    Ok(search.found)
}

struct Search<'f> {
    files: &'f dyn Files,
    found: Vec<String>,
}

fn joined(folder: &str, name: &str) -> String {
    match folder {
        "/" => format!("/{name}"),
        "." => name.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}

impl Search<'_> {
    fn folder(&mut self, folder: &str, pattern: &str, depth: usize) -> Result<(), BadPattern> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        // What stands before the first special character is a path.
        let fixed = match first_of(pattern, &['*', '?', '[', '{', '\\']) {
            Some(0) => None,
            Some(at) => last_slash(&pattern[..at]),
            None => last_slash(pattern),
        };
        let (folder, pattern) = match fixed {
            Some(at) if at > 0 => (joined(folder, &pattern[..at]), &pattern[at + 1..]),
            _ => (folder.to_owned(), pattern),
        };
        let Ok(kind) = self.files.kind(&folder) else { return Ok(()) };
        if pattern.is_empty() {
            self.found.push(folder);
            return Ok(());
        }
        let (FileKind::Folder, Ok(mut names)) = (kind, self.files.list(&folder)) else { return Ok(()) };
        names.sort();
        let slash = first_of(pattern, &['/']);
        let mut pattern = pattern;
        let mut result = Ok(());
        if pattern[..slash.unwrap_or(pattern.len())] == *"**" {
            for name in &names {
                let path = joined(&folder, name);
                // Links to nothing are passed over here.
                let Ok(kind) = self.files.kind(&path) else { continue };
                if slash.is_none() {
                    self.found.push(path.clone());
                }
                if matches!(kind, FileKind::Folder) {
                    result = self.folder(&path, pattern, depth + 1);
                }
            }
            match slash {
                None => return result,
                Some(slash) => pattern = &pattern[slash + 1..],
            }
        }
        for name in &names {
            let path = joined(&folder, name);
            result = Ok(());
            match component(pattern, name)? {
                None => {}
                Some(rest) if rest.is_empty() => self.found.push(path),
                Some(rest) => {
                    for pattern in rest {
                        // As there, the last of several faults counts.
                        result = self.folder(&path, &pattern, depth + 1);
                    }
                }
            }
        }
        result
    }
}

/// Finds the first of some characters that no backslash stands before.
fn first_of(text: &str, wanted: &[char]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(wanted)?;
        if !text[from..at].ends_with('\\') {
            return Some(at);
        }
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
}

fn last_slash(text: &str) -> Option<usize> {
    let mut end = text.len();
    loop {
        let at = text[..end].rfind('/')?;
        if !text[..at].ends_with('\\') {
            return Some(at);
        }
        end = at - 1;
    }
}

/// Splits `a,b}rest` into its choices and the rest.
fn choices(text: &str) -> Result<(Vec<&str>, &str), BadPattern> {
    let mut all = Vec::new();
    let (mut depth, mut start, mut is_escaped) = (1, 0, false);
    for (at, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
            continue;
        }
        match c {
            '\\' => is_escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                all.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            all.push(&text[start..at]);
            return Ok((all, &text[at + 1..]));
        }
    }
    Err(BadPattern)
}

/// Tells whether a pattern can stand for nothing.
fn may_be_nothing(pattern: &str) -> Result<bool, BadPattern> {
    if matches!(pattern, "" | "*" | "**") {
        return Ok(true);
    }
    let Some(inner) = pattern.strip_prefix('{') else { return Ok(false) };
    let (all, rest) = choices(inner)?;
    if !may_be_nothing(rest)? {
        return Ok(false);
    }
    for choice in all {
        if may_be_nothing(choice)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Holds one name against the start of a pattern. None if it does not match; else the patterns that what is inside of
/// it must match, of which there are none if the pattern ends here.
fn component(pattern: &str, name: &str) -> Result<Option<Vec<String>>, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    while let (Some(wanted), Some(c)) = (pattern.chars().next(), name.chars().next()) {
        let rest = &pattern[wanted.len_utf8()..];
        let after = &name[c.len_utf8()..];
        match wanted {
            '/' => {
                pattern = rest;
                break;
            }
            '\\' => {
                let literal = rest.chars().next().ok_or(BadPattern)?;
                if literal != c {
                    return Ok(None);
                }
                (pattern, name) = (&rest[literal.len_utf8()..], after);
            }
            '*' if rest.is_empty() => return Ok(Some(Vec::new())),
            '*' => {
                if let Some(inner) = rest.strip_prefix('/') {
                    return Ok(Some(vec![inner.to_owned()]));
                }
                for (at, _) in name.char_indices() {
                    if let Some(found) = component(rest, &name[at..])? {
                        return Ok(Some(found));
                    }
                }
                return Ok(None);
            }
            '[' => {
                let end = first_of(rest, &[']']).ok_or(BadPattern)?;
                if !is_in_class(&rest[..end], c)? {
                    return Ok(None);
                }
                (pattern, name) = (&rest[end + 1..], after);
            }
            '{' => {
                let (all, rest) = choices(rest)?;
                let mut found: Option<Vec<String>> = None;
                for choice in all {
                    if let Some(more) = component(&format!("{choice}{rest}"), name)? {
                        found.get_or_insert_default().extend(more);
                    }
                }
                return Ok(found);
            }
            wanted if wanted == '?' || wanted == c => (pattern, name) = (rest, after),
            _ => return Ok(None),
        }
    }
    if !name.is_empty() {
        return Ok(None);
    }
    if pattern.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let slash = first_of(pattern, &['/']);
    if !may_be_nothing(&pattern[..slash.unwrap_or(pattern.len())])? {
        return Ok(None);
    }
    Ok(Some(slash.map(|slash| pattern[slash + 1..].to_owned()).into_iter().collect()))
}

fn is_in_class(class: &str, c: char) -> Result<bool, BadPattern> {
    let (is_negated, inside) = match class.strip_prefix('^') {
        Some(inside) => (true, inside),
        None => (false, class),
    };
    if class.is_empty() {
        return Err(BadPattern);
    }
    let mut rest = inside.chars().peekable();
    let mut is_in = false;
    while let Some(first) = rest.next() {
        let literal = |c: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>| match c {
            '-' => Err(BadPattern),
            '\\' => rest.next().ok_or(BadPattern),
            c => Ok(c),
        };
        let low = literal(first, &mut rest)?;
        let mut high = low;
        if rest.next_if_eq(&'-').is_some() {
            let last = rest.next().ok_or(BadPattern)?;
            high = literal(last, &mut rest)?;
        }
        is_in |= (low..=high).contains(&c);
    }
    Ok(is_in != is_negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_against_patterns() {
        let matches = |pattern: &str, name: &str| component(pattern, name).map(|rest| rest.is_some());
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("a*", "a", true),
            ("a**", "ab", true),
            ("?.txt", "é.txt", true),
            ("[a-c]", "b", true),
            ("[^a]", "a", false),
            ("[!a]", "a", true),
            ("[!a]", "b", false),
            ("[]a]", "a", false),
            ("{a,b}.{x,y}", "b.x", true),
            ("{,a}b", "b", true),
            ("\\*", "*", true),
        ] {
            match matches(pattern, name) {
                Ok(found) => assert_eq!(found, expected, "{pattern} {name}"),
                Err(BadPattern) => assert_eq!(pattern, "[]a]"),
            }
        }
        for pattern in ["[", "[a-]", "[-a]", "{a", "\\"] {
            assert_eq!(matches(pattern, "a"), Err(BadPattern), "{pattern}");
        }
        assert_eq!(component("{a/b,a}/c", "a"), Ok(Some(vec!["b/c".to_owned(), "c".to_owned()])));
    }
}
