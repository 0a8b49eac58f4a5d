//! One option of a component, and how a written value becomes one of its type.
//!
//! Packer decodes legacy templates weakly: `"5"` is a number where a number is wanted, a lone text is a list of one.
//! The rules are those of `mapstructure` with Packer's own hooks for booleans, lists and durations.

use std::borrow::Cow;

use serde_json::Value as Json;

use crate::value::{Value, duration as go_duration, number_text};

/// The type of an option's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// A text.
    String,
    /// True or false.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A length of time in Go's form.
    Duration,
    /// A list of texts.
    StringList,
    /// A list of whole numbers.
    IntegerList,
    /// A list of lists of texts.
    Matrix,
    /// Names to texts.
    StringMap,
    /// Names to anything, for programs that take JSON.
    Object,
    /// Anything, for programs that look at it themselves.
    Any,
    /// An object with options of its own.
    Block(Vec<OptionSpec>),
    /// A list of such objects.
    BlockList(Vec<OptionSpec>),
}

/// When the template text of an option is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// While lowering, once.
    Early,
    /// Only while running, with values that exist only then, such as `{{.Path}}`.
    Late,
    /// While lowering, and what comes out of it once more while running.
    Both,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name in templates.
    pub name: Cow<'static, str>,
    /// Its type.
    pub kind: OptionType,
    /// One sentence on what it does.
    pub doc: Cow<'static, str>,
    /// Whether a template must give it.
    pub is_required: bool,
    /// Whether its value must not be shown.
    pub is_sensitive: bool,
    /// When its text is rendered.
    pub rendering: Rendering,
    /// The allowed texts; empty means any.
    pub choices: Vec<Cow<'static, str>>,
    /// The option that took this one's place, if it is retired.
    pub replaced_by: Option<Cow<'static, str>>,
}

impl OptionSpec {
    /// Describes an option of any type.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, kind: OptionType, doc: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            kind,
            doc: doc.into(),
            is_required: false,
            is_sensitive: false,
            rendering: Rendering::Early,
            choices: Vec::new(),
            replaced_by: None,
        }
    }

    /// Makes it required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Makes its value one that is never shown.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.is_sensitive = true;
        self
    }

    /// Sets when its text is rendered.
    #[must_use]
    pub fn rendering(mut self, rendering: Rendering) -> Self {
        self.rendering = rendering;
        self
    }

    /// Allows just these texts.
    #[must_use]
    pub fn choices(mut self, choices: &[&'static str]) -> Self {
        self.choices = choices.iter().map(|choice| Cow::Borrowed(*choice)).collect();
        self
    }

    /// Marks it as retired in favour of another.
    #[must_use]
    pub fn replaced_by(mut self, name: &'static str) -> Self {
        self.replaced_by = Some(Cow::Borrowed(name));
        self
    }
}

/// Describes an option that is a text.
#[must_use]
pub fn string(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::String, doc)
}

/// Describes an option that is true or false.
#[must_use]
pub fn boolean(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::Bool, doc)
}

/// Describes an option that is a whole number.
#[must_use]
pub fn integer(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::Integer, doc)
}

/// Describes an option that is a length of time.
#[must_use]
pub fn duration(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::Duration, doc)
}

/// Describes an option that is a list of texts.
#[must_use]
pub fn string_list(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::StringList, doc)
}

/// Describes an option that is a list of whole numbers.
#[must_use]
pub fn integer_list(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::IntegerList, doc)
}

/// Describes an option that is a list of lists of texts.
#[must_use]
pub fn matrix(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::Matrix, doc)
}

/// Describes an option that maps names to texts.
#[must_use]
pub fn string_map(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::StringMap, doc)
}

/// Describes an option that is an object of whatever the template's author likes.
#[must_use]
pub fn object(name: &'static str, doc: &'static str) -> OptionSpec {
    OptionSpec::new(name, OptionType::Object, doc)
}

/// Describes an option that is an object with options of its own.
#[must_use]
pub fn block(name: &'static str, doc: &'static str, options: Vec<OptionSpec>) -> OptionSpec {
    OptionSpec::new(name, OptionType::Block(options), doc)
}

/// Describes an option that is a list of objects with options of their own.
#[must_use]
pub fn block_list(name: &'static str, doc: &'static str, options: Vec<OptionSpec>) -> OptionSpec {
    OptionSpec::new(name, OptionType::BlockList(options), doc)
}

impl OptionType {
    /// Names the type for an error message, with its article.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Bool => "a boolean",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Duration => "a length of time such as `30s`",
            Self::StringList => "a list of strings",
            Self::IntegerList => "a list of whole numbers",
            Self::Matrix => "a list of lists of strings",
            Self::StringMap => "an object of strings",
            Self::Object | Self::Block(_) => "an object",
            Self::BlockList(_) => "a list of objects",
            Self::Any => "a value",
        }
    }

    /// Makes a scalar option's value of what was written; lists and objects are `decode.rs`'s work.
    ///
    /// # Errors
    ///
    /// Returns why it cannot be, as a fragment that follows "option `x` …".
    pub(super) fn scalar(&self, value: &Value) -> Result<Json, String> {
        let mismatch = || format!("must be {}, not {}", self.noun(), value.kind());
        match (self, value) {
            (Self::String, Value::String(text)) => Ok(Json::String(text.clone())),
            (Self::String, Value::Number(number)) => Ok(Json::String(number_text(*number))),
            (Self::String, Value::Bool(flag)) => Ok(Json::String(if *flag { "1" } else { "0" }.to_owned())),
            (Self::Bool, Value::Bool(flag)) => Ok(Json::Bool(*flag)),
            (Self::Bool, Value::Number(number)) => Ok(Json::Bool(*number != 0.0)),
            (Self::Bool, Value::String(text)) => {
                parse_bool(text).map(Json::Bool).ok_or_else(|| format!("must be a boolean; `{text}` is none"))
            }
            (Self::Integer, Value::Bool(flag)) => Ok(Json::from(i64::from(*flag))),
            (Self::Integer, Value::Number(number)) => Ok(whole(*number)),
            (Self::Integer, Value::String(text)) => {
                parse_integer(text).map(Json::from).ok_or_else(|| format!("must be a whole number; `{text}` is none"))
            }
            (Self::Number, Value::Bool(flag)) => Ok(Json::from(i64::from(*flag))),
            (Self::Number, Value::Number(number)) if number.fract() == 0.0 => Ok(whole(*number)),
            (Self::Number, Value::Number(number)) => Ok(Json::from(*number)),
            (Self::Number, Value::String(text)) => match (parse_integer(text), text.parse::<f64>()) {
                (Some(number), _) => Ok(Json::from(number)),
                (None, Ok(number)) if number.is_finite() => Ok(Json::from(number)),
                _ => Err(format!("must be a number; `{text}` is none")),
            },
            (Self::Duration, Value::String(text)) => match go_duration::parse(text) {
                Ok(_) => Ok(Json::String(text.clone())),
                Err(reason) => Err(format!("must be a length of time; `{text}` {reason}")),
            },
            // Packer takes a bare number for nanoseconds.
            (Self::Duration, Value::Number(number)) => Ok(Json::String(format!("{}ns", number_text(number.trunc())))),
            _ => Err(mismatch()),
        }
    }
}

/// Cuts a number to its whole part, as Packer's decoder does.
fn whole(number: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "a double out of range saturates")]
    let whole = number as i64;
    Json::from(whole)
}

/// Reads a boolean as Go's `strconv.ParseBool` does; an empty text is false.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" | "" => Some(false),
        _ => None,
    }
}

/// Reads a whole number with Go's base prefixes.
fn parse_integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_ascii_lowercase();
    let parsed = if let Some(hex) = lower.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        i64::from_str_radix(octal, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        i64::from_str_radix(&lower[1..], 8)
    } else {
        lower.parse()
    };
    parsed.ok().map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::String(value.to_owned())
    }

    #[test]
    fn written_values_become_the_options_type() {
        for (kind, value, expected) in [
            (OptionType::String, Value::Number(5.5), Json::from("5.5")),
            (OptionType::String, Value::Bool(true), Json::from("1")),
            (OptionType::Bool, text("True"), Json::from(true)),
            (OptionType::Bool, text(""), Json::from(false)),
            (OptionType::Integer, text("0x10"), Json::from(16)),
            (OptionType::Integer, text("010"), Json::from(8)),
            (OptionType::Integer, text("-3"), Json::from(-3)),
            (OptionType::Number, text("1.5"), Json::from(1.5)),
            (OptionType::Number, Value::Number(3.0), Json::from(3)),
            (OptionType::Duration, text("1m"), Json::from("1m")),
            (OptionType::Duration, Value::Number(5e9), Json::from("5000000000ns")),
        ] {
            assert_eq!(kind.scalar(&value), Ok(expected), "{kind:?} {value:?}");
        }
    }

    #[test]
    fn other_values_are_refused_with_what_was_wanted() {
        for (kind, value, reason) in [
            (OptionType::Bool, text("yes"), "must be a boolean; `yes` is none"),
            (OptionType::Integer, text("x"), "must be a whole number; `x` is none"),
            (OptionType::String, Value::List(vec![]), "must be a string, not a list"),
        ] {
            assert_eq!(kind.scalar(&value), Err(reason.to_owned()));
        }
    }
}
