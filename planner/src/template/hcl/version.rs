//! Version constraints such as `>= 1.7.0, < 2.0.0`, by the rules of HashiCorp's `go-version`.

/// One condition of a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    operator: Operator,
    numbers: Vec<u64>,
    has_prerelease: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Pessimistic,
}

/// A set of conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constraint(Vec<Condition>);

impl Constraint {
    /// Reads a constraint; none if the text is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',').map(condition).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Tells whether any of its versions is a pre-release.
    pub fn has_prerelease(&self) -> bool {
        self.0.iter().any(|condition| condition.has_prerelease)
    }

    /// Tells whether a released version, such as `1.16.0`, fulfils it.
    pub fn allows(&self, version: &str) -> bool {
        let ours = numbers(version).unwrap_or_default();
        self.0.iter().all(|condition| condition.allows(&ours))
    }
}

impl Condition {
    fn allows(&self, ours: &[u64]) -> bool {
        let length = ours.len().max(self.numbers.len()).max(3);
        let padded = |numbers: &[u64]| -> Vec<u64> {
            numbers.iter().copied().chain(std::iter::repeat(0)).take(length).collect()
        };
        let (left, right) = (padded(ours), padded(&self.numbers));
        // A pre-release comes before its release, and ours is one.
        let order = left.cmp(&right).then(if self.has_prerelease {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        });
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual => order.is_le(),
            Operator::Pessimistic => {
                let fixed = self.numbers.len().saturating_sub(1);
                order.is_ge() && left[..fixed] == right[..fixed]
            }
        }
    }
}

fn condition(text: &str) -> Option<Condition> {
    const OPERATORS: [(&str, Operator); 7] = [
        (">=", Operator::GreaterEqual),
        ("<=", Operator::LessEqual),
        ("!=", Operator::NotEqual),
        ("~>", Operator::Pessimistic),
        ("=", Operator::Equal),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ];
    let text = text.trim();
    let (operator, rest) = OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
        .unwrap_or((Operator::Equal, text));
    let version = rest.trim();
    let bare = version.split_once('+').map_or(version, |(version, _)| version);
    let (bare, has_prerelease) = bare.split_once('-').map_or((bare, false), |(bare, _)| (bare, true));
    Some(Condition { operator, numbers: numbers(bare)?, has_prerelease })
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    text.split('.').map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_decide_as_go_version_does() {
        for (text, expected) in [
            (">= 1.7.0", Some(true)),
            ("1.16.0", Some(true)),
            ("= v1.16", Some(true)),
            ("~> 1.15", Some(true)),
            ("~> 1.15.3", Some(false)),
            (">= 1.7, < 2", Some(true)),
            (">= 2.0.0", Some(false)),
            ("!= 1.16.0", Some(false)),
            (">= 1.16.0-beta", Some(true)),
            ("= 1.16.0-dev", Some(false)),
            ("> 1.15.9", Some(true)),
            ("", None),
            (">= 1.0,", None),
            ("== 1.0", None),
            ("=> 1.0", None),
            ("^1.0", None),
            ("x", None),
        ] {
            let found = Constraint::parse(text).map(|constraint| constraint.allows("1.16.0"));
            assert_eq!(found, expected, "{text}");
        }
    }
}
