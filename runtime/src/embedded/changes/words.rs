//! Words of instructions: how they are split, quoted, and filled with variables.

use std::iter::Peekable;
use std::str::Chars;

use crate::failure::{Failure, Outcome};

/// Splits a text at blanks outside of quotes; quotes and backslashes stay.
pub fn split(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quote, mut chars) = (None, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote != Some('\'') => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            '\'' | '"' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            c if c.is_whitespace() && quote.is_none() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Takes quotes away and puts variables in.
pub fn fill(word: &str, env: &[String]) -> Outcome<String> {
    let mut chars = word.chars().peekable();
    text(&mut chars, None, env)
}

/// Reads up to a closing character, or to the end if there is none.
fn text(chars: &mut Peekable<Chars<'_>>, until: Option<char>, env: &[String]) -> Outcome<String> {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == until => return Ok(out),
            '\'' => loop {
                match chars.next() {
                    Some('\'') => break,
                    Some(c) => out.push(c),
                    None => return Err(unended("single-quoted string")),
                }
            },
            '"' => quoted(chars, env, &mut out)?,
            '$' => out.push_str(&variable(chars, env)?),
            '\\' => match chars.next() {
                Some(c) => out.push(c),
                None => return Ok(out),
            },
            c => out.push(c),
        }
    }
    match until {
        Some(_) => Err(unended("substitution")),
        None => Ok(out),
    }
}

fn quoted(chars: &mut Peekable<Chars<'_>>, env: &[String], out: &mut String) -> Outcome<()> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('$') => out.push_str(&variable(chars, env)?),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '$' | '\\')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => return Err(unended("double-quoted string")),
            },
            Some(c) => out.push(c),
            None => return Err(unended("double-quoted string")),
        }
    }
}

fn variable(chars: &mut Peekable<Chars<'_>>, env: &[String]) -> Outcome<String> {
    if chars.next_if_eq(&'{').is_none() {
        let name = name(chars);
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        return Ok(value(env, &name).unwrap_or_default());
    }
    let name = name(chars);
    let found = value(env, &name);
    match chars.next() {
        _ if name.is_empty() => Err(Failure::new("syntax error: bad substitution")),
        Some('}') => Ok(found.unwrap_or_default()),
        Some(':') => {
            let modifier = chars.next();
            let word = text(chars, Some('}'), env)?;
            let is_set = found.as_ref().is_some_and(|value| !value.is_empty());
            match modifier {
                Some('-') if !is_set => Ok(word),
                Some('+') if is_set => Ok(word),
                Some('+') => Ok(String::new()),
                Some('-') => Ok(found.unwrap_or_default()),
                Some('?') if is_set => Ok(found.unwrap_or_default()),
                Some('?') => Err(Failure::new(format!("{name}: {word}"))),
                _ => Err(Failure::new("unsupported modifier in substitution")),
            }
        }
        _ => Err(Failure::new("syntax error: bad substitution")),
    }
}

fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
        // A digit in front is a name by itself.
        if name.len() == 1 && c.is_ascii_digit() {
            break;
        }
    }
    name
}

/// Finds a variable of an environment.
pub fn value(env: &[String], name: &str) -> Option<String> {
    env.iter().find_map(|entry| match entry.split_once('=') {
        Some((known, value)) if known == name => Some(value.to_owned()),
        _ => None,
    })
}

fn unended(what: &str) -> Failure {
    Failure::new(format!("unexpected end of statement while looking for matching {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_outside_of_quotes() {
        for (text, words) in [
            ("a  b", vec!["a", "b"]),
            (r#"K="a b" L='c d' M=e\ f"#, vec![r#"K="a b""#, "L='c d'", r"M=e\ f"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text), words);
        }
    }

    #[test]
    fn variables_are_put_in_and_quotes_taken_away() {
        let env = vec!["X=1".to_owned(), "E=".to_owned()];
        for (word, filled) in [
            ("$X-${X}", "1-1"),
            (r#""a $X" '$X'"#, "a 1 $X"),
            ("${N:-d}${X:-d}${E:-e}", "d1e"),
            ("${X:+y}${N:+y}", "y"),
            (r"\$X", "$X"),
            (r#""\n\"""#, "\\n\""),
            ("$", "$"),
        ] {
            assert_eq!(fill(word, &env).expect("is well-formed"), filled, "{word}");
        }
        for word in ["'a", "${X", "${}"] {
            assert!(fill(word, &env).is_err(), "{word}");
        }
    }
}
