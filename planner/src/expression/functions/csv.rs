//! Comma-separated values, as strictly as Go reads them (RFC 4180).

use std::collections::BTreeSet;

use super::{Function, Outcome, Type, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

pub(super) const FUNCTIONS: &[Function] =
    &[function("csvdecode", &[parameter("str", kinds::text)], results::dynamic, decode)];

fn decode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut lines = Lines { rest: text(arguments, 0), number: 0 };
    let header = record(&mut lines)?.ok_or("missing header line")?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = header.iter().find(|name| !seen.insert(*name)) {
        return Err(format!("duplicate column name \"{twice}\"").into());
    }
    let kind = Type::object(header.iter().map(|name| (name.as_str().into(), Type::String)));
    let mut values = Vec::new();
    while let Some(row) = record(&mut lines)? {
        if row.len() != header.len() {
            return Err(lines.error("wrong number of fields").into());
        }
        let cells = header.iter().zip(&row).map(|(name, cell)| (name.as_str().into(), Value::string(cell)));
        values.push(Value::object(cells));
    }
    Ok(Value::list(kind, values))
}

/// Lines with their ends, which are always `\n`.
struct Lines<'t> {
    rest: &'t str,
    /// The number of the line that was read last.
    number: usize,
}

impl Lines<'_> {
    fn next(&mut self) -> Option<String> {
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        if end == 0 {
            return None;
        }
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.number += 1;
        Some(match line.strip_suffix("\r\n") {
            Some(line) => format!("{line}\n"),
            None if rest.is_empty() => line.strip_suffix('\r').unwrap_or(line).to_owned(),
            None => line.to_owned(),
        })
    }

    fn error(&self, what: &str) -> String {
        format!("CSV parse error on line {}: {what}", self.number)
    }
}

/// Reads the fields of the next line that is not blank, and of more lines if a text in quotes goes on there.
fn record(lines: &mut Lines<'_>) -> Result<Option<Vec<String>>, String> {
    let line = loop {
        match lines.next() {
            Some(line) if matches!(line.as_str(), "" | "\n") => {}
            Some(line) => break line,
            None => return Ok(None),
        }
    };
    let mut fields = Vec::new();
    let mut line = line;
    let mut at = 0;
    loop {
        let Some(quoted) = line[at..].strip_prefix('"') else {
            let rest = &line[at..];
            let end = rest.find(',');
            let field = end.map_or_else(|| rest.strip_suffix('\n').unwrap_or(rest), |end| &rest[..end]);
            if field.contains('"') {
                return Err(lines.error("bare \" in non-quoted-field"));
            }
            fields.push(field.to_owned());
            match end {
                Some(end) => at += end + 1,
                None => return Ok(Some(fields)),
            }
            continue;
        };
        let mut field = String::new();
        let mut rest = quoted.to_owned();
        let is_last = loop {
            let Some((before, after)) = rest.split_once('"') else {
                field.push_str(&rest);
                rest = lines.next().ok_or_else(|| lines.error("extraneous or missing \" in quoted-field"))?;
                continue;
            };
            field.push_str(before);
            if let Some(more) = after.strip_prefix('"') {
                field.push('"');
                rest = more.to_owned();
            } else if let Some(more) = after.strip_prefix(',') {
                (line, at) = (more.to_owned(), 0);
                break false;
            } else if matches!(after, "" | "\n") {
                break true;
            } else {
                return Err(lines.error("extraneous or missing \" in quoted-field"));
            }
        };
        fields.push(field);
        if is_last {
            return Ok(Some(fields));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut lines = Lines { rest: text, number: 0 };
        let mut all = Vec::new();
        while let Some(fields) = record(&mut lines)? {
            all.push(fields);
        }
        Ok(all)
    }

    #[test]
    fn quotes_commas_and_line_ends() {
        for (text, expected) in [
            ("a,b\r\n\r\n1,2\r", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("\"x,\"\"y\"\"\",\"1\r\n2\"\n", vec![vec!["x,\"y\"", "1\n2"]]),
            ("a\rb\n\r", vec![vec!["a\rb"]]),
            (",\n\"\",", vec![vec!["", ""], vec!["", ""]]),
            ("\u{feff}a, b", vec![vec!["\u{feff}a", " b"]]),
        ] {
            let expected: Vec<Vec<String>> =
                expected.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect();
            assert_eq!(records(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn stray_quotes_are_refused() {
        for text in ["x\"y", " \"a\"", "\"a\" ,b", "\"x\"y", "\"open", "\"open\n"] {
            assert!(records(text).is_err(), "{text:?}");
        }
    }
}
