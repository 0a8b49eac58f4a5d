//! Files given by `-var-file`: a JSON object of strings. Of a name that stands there twice the last value counts.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::span::{FileId, Sources};
use crate::value::{Value, json_text};

/// Reads a variable file into names and values, in the written order.
///
/// # Errors
///
/// Returns all problems: syntax, a root that is no object, a value that is no string.
pub fn read(sources: &Sources, file: FileId) -> Result<Vec<(String, String)>, Diagnostics> {
    let root = json_text::read_with(sources, file, json_text::Duplicates::Kept)?;
    let mut problems = Diagnostics::default();
    let mut variables = Vec::new();
    match root.value {
        Value::Map(map) => {
            for entry in map {
                match entry.setting.value {
                    Value::String(text) => variables.push((entry.key, text)),
                    // Go's decoder leaves a string at its zero value.
                    Value::Null => variables.push((entry.key, String::new())),
                    other => problems.push(
                        Diagnostic::error(
                            "rpk::variable_file::shape",
                            format!("variable `{}` must be a string, not {}", entry.key, other.kind()),
                        )
                        .at(entry.setting.span, "expected a string")
                        .help("put the value in double quotes"),
                    ),
                }
            }
        }
        other => problems.push(
            Diagnostic::error(
                "rpk::variable_file::shape",
                format!("a variable file is an object, this is {}", other.kind()),
            )
            .at(root.span, "expected `{`"),
        ),
    }
    if problems.is_empty() { Ok(variables) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_variables_and_everything_else_is_an_error() {
        let mut sources = Sources::default();
        let good = sources.add("v.json", r#"{"a": "1", "b": null}"#);
        assert_eq!(
            read(&sources, good).expect("is valid"),
            [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]
        );
        let bad = sources.add("w.json", r#"{"a": 1, "b": ["x"]}"#);
        assert_eq!(read(&sources, bad).expect_err("has problems").errors_found(), 2);
    }
}
