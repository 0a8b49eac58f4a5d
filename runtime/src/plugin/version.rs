//! Versions of plugins, and constraints as `required_plugins` has them.

use std::cmp::Ordering;
use std::fmt;

/// A version: three numbers and perhaps a pre-release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The numbers.
    pub numbers: [u64; 3],
    /// What comes after the dash; empty for a release.
    pub pre_release: String,
}

impl Version {
    /// Reads `1.2.3` or `1.2.3-dev`, with or without a `v`; nothing may be left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, pre_release) = text.split_once('-').unwrap_or((text, ""));
        let is_sound = pre_release.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        let has_dash = text.contains('-');
        if !is_sound || has_dash && pre_release.is_empty() {
            return None;
        }
        let mut parts = numbers.split('.').map(number);
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then(|| Self { numbers, pre_release: pre_release.to_owned() })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    (is_canonical && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.pre_release.is_empty() { Ok(()) } else { write!(f, "-{}", self.pre_release) }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A release comes after its pre-releases.
        let rank = |version: &Self| version.pre_release.is_empty();
        (self.numbers, rank(self), &self.pre_release).cmp(&(other.numbers, rank(other), &other.pre_release))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which versions will do: all of the parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraint(Vec<(Operator, Vec<u64>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Above,
    AtLeast,
    Below,
    AtMost,
    /// The last number that is given may be higher.
    About,
}

impl Constraint {
    /// Reads parts with commas between them, such as `>= 1.0, < 2`.
    ///
    /// # Errors
    ///
    /// Returns why it is none, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(|part| {
            let part = part.trim();
            let operators = [
                (">=", Operator::AtLeast),
                ("<=", Operator::AtMost),
                ("!=", Operator::Unequal),
                ("~>", Operator::About),
                (">", Operator::Above),
                ("<", Operator::Below),
                ("=", Operator::Equal),
                ("", Operator::Equal),
            ];
            let found = operators.iter().find_map(|(sign, operator)| Some((*operator, part.strip_prefix(sign)?)));
            let (operator, rest) = found.unwrap_or((Operator::Equal, part));
            let version = rest.trim().trim_start_matches('v');
            if version.contains('-') {
                return Err(format!("`{part}` names a pre-release, which a constraint cannot"));
            }
            let numbers: Option<Vec<u64>> = version.split('.').map(|part| part.parse().ok()).collect();
            match numbers {
                Some(numbers) if numbers.len() <= 3 => Ok((operator, numbers)),
                _ => Err(format!("`{part}` is no constraint on a version")),
            }
        });
        parts.collect::<Result<_, String>>().map(Self)
    }

    /// Tells whether a version will do; its pre-release is not looked at.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().all(|(operator, wanted)| {
            let mut whole = [0; 3];
            for (number, wanted) in whole.iter_mut().zip(wanted) {
                *number = *wanted;
            }
            let order = version.numbers.cmp(&whole);
            match operator {
                Operator::Equal => order == Ordering::Equal,
                Operator::Unequal => order != Ordering::Equal,
                Operator::Above => order == Ordering::Greater,
                Operator::AtLeast => order != Ordering::Less,
                Operator::Below => order == Ordering::Less,
                Operator::AtMost => order != Ordering::Greater,
                Operator::About => {
                    let fixed = wanted.len().saturating_sub(1).max(usize::from(wanted.len() == 1));
                    order != Ordering::Less && version.numbers[..fixed] == whole[..fixed]
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn only_whole_versions_are_versions() {
        assert_eq!(version("v1.20.3").to_string(), "1.20.3");
        assert_eq!(version("1.1.5-dev").pre_release, "dev");
        for text in ["1.2", "1.2.3.4", "01.2.3", "1.2.3+x", "1.2.3-", "x", ""] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        assert!(version("1.0.10") > version("1.0.9") && version("1.0.0") > version("1.0.0-dev"));
    }

    #[test]
    fn constraints_hold_as_hashicorp_means_them() {
        for (constraint, yes, no) in [
            (">= 1.0, < 2", "1.9.0", "2.0.0"),
            ("~> 1.1", "1.9.0", "2.0.0"),
            ("~> 1.1.0", "1.1.7", "1.2.0"),
            ("~> 1", "1.5.0", "2.0.0"),
            ("1.2.3", "1.2.3", "1.2.4"),
            ("!= 1.0.0", "1.0.1", "1.0.0"),
            ("> 1.0", "1.0.1", "1.0.0"),
            ("<= v1.0.0", "1.0.0-dev", "1.0.1"),
        ] {
            let parsed = Constraint::parse(constraint).unwrap_or_else(|error| panic!("{error}"));
            assert!(parsed.allows(&version(yes)), "{constraint} {yes}");
            assert!(!parsed.allows(&version(no)), "{constraint} {no}");
        }
        for wrong in ["", ">= x", "1.0.0-dev", "1.2.3.4"] {
            assert!(Constraint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
