//! The patterns of `-only` and `-except`, by the rules of the library that Packer uses.
//!
//! | pattern | matches |
//! | --- | --- |
//! | `*`, `**` | any run of characters |
//! | `?` | one character |
//! | `[abc]`, `[a-z]`, `[!a-z]` | one character of a set or a range; never mixed |
//! | `{a,b}` | one of the alternatives |
//! | `\x` | `x` itself |

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Character(char),
    Any,
    Run,
    Set { characters: Vec<char>, is_negated: bool },
    Range { low: char, high: char, is_negated: bool },
    Alternatives(Vec<Vec<Piece>>),
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Says why the text is no pattern.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let characters: Vec<char> = text.chars().collect();
        let mut at = 0;
        Ok(Self(pieces(&characters, &mut at, 0)?))
    }

    /// Tells whether a whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let pieces: Vec<&Piece> = self.0.iter().collect();
        matches(&pieces, &text)
    }
}

fn pieces(characters: &[char], at: &mut usize, depth: usize) -> Result<Vec<Piece>, &'static str> {
    let mut found = Vec::new();
    while let Some(character) = characters.get(*at).copied() {
        *at += 1;
        match character {
            '*' => {
                if found.last() != Some(&Piece::Run) {
                    found.push(Piece::Run);
                }
            }
            '?' => found.push(Piece::Any),
            '\\' => {
                let escaped = characters.get(*at).copied().ok_or("it ends with `\\`")?;
                *at += 1;
                found.push(Piece::Character(escaped));
            }
            '[' => found.push(class(characters, at)?),
            '{' => {
                if depth > 50 {
                    return Err("its braces are nested too deeply");
                }
                found.push(alternatives(characters, at, depth)?);
            }
            ',' | '}' if depth > 0 => {
                *at -= 1;
                return Ok(found);
            }
            other => found.push(Piece::Character(other)),
        }
    }
    Ok(found)
}

/// Reads what follows a `{`; an end of the text ends it too.
fn alternatives(characters: &[char], at: &mut usize, depth: usize) -> Result<Piece, &'static str> {
    let mut all = Vec::new();
    loop {
        all.push(pieces(characters, at, depth + 1)?);
        match characters.get(*at) {
            Some(',') => *at += 1,
            Some(_) => {
                *at += 1;
                return Ok(Piece::Alternatives(all));
            }
            None => return Ok(Piece::Alternatives(all)),
        }
    }
}

fn class(characters: &[char], at: &mut usize) -> Result<Piece, &'static str> {
    let is_negated = characters.get(*at) == Some(&'!');
    *at += usize::from(is_negated);
    let end = characters[*at..].iter().position(|c| *c == ']').ok_or("a `[` has no `]`")? + *at;
    let inside = &characters[*at..end];
    *at = end + 1;
    match inside {
        [] => Err("`[]` is empty"),
        [low, '-', high] if low <= high => Ok(Piece::Range { low: *low, high: *high, is_negated }),
        set if set.contains(&'-') => Err("a range in `[…]` has two ends and stands alone"),
        set => Ok(Piece::Set { characters: set.to_vec(), is_negated }),
    }
}

fn matches(pieces: &[&Piece], text: &[char]) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return text.is_empty() };
    let one = |is_match: bool| is_match && matches(rest, &text[1..]);
    match first {
        Piece::Run => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        Piece::Alternatives(all) => all.iter().any(|alternative| {
            let joined: Vec<&Piece> = alternative.iter().chain(rest.iter().copied()).collect();
            matches(&joined, text)
        }),
        _ if text.is_empty() => false,
        Piece::Any => one(true),
        Piece::Character(character) => one(text[0] == *character),
        Piece::Set { characters, is_negated } => one(characters.contains(&text[0]) != *is_negated),
        Piece::Range { low, high, is_negated } => one((*low..=*high).contains(&text[0]) != *is_negated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_packer() {
        for (pattern, text, expected) in [
            ("*.a", "bn.null.a", true),
            ("bn.*", "bn", false),
            ("[^ab]", "c", false),
            ("[!ab]", "c", true),
            ("x.{a", "x.a", true),
            ("x.{a,b}", "x.b", true),
            ("{a,b{c,d}}e", "bde", true),
            ("***", "q.r", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a\\*", "a*", true),
            ("a]", "a]", true),
            ("a}", "a}", true),
            ("[a-c]x", "bx", true),
        ] {
            let glob = Glob::parse(pattern).expect("is a pattern");
            assert_eq!(glob.matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for pattern in ["[", "[]", "[a-]", "[a-cx]", "a\\"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }
}
