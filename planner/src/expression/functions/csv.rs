//! Comma-separated values.

use std::collections::BTreeSet;

use super::{Function, Outcome, Type, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

pub(super) const FUNCTIONS: &[Function] =
    &[function("csvdecode", &[parameter("str", kinds::text)], results::dynamic, decode)];

fn decode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text(arguments, 0).as_bytes());
    let mut rows = reader.records();
    let header = match rows.next() {
        Some(header) => header.map_err(|error| error.to_string())?,
        None => return Err("missing header line".into()),
    };
    let mut seen = BTreeSet::new();
    if let Some(twice) = header.iter().find(|name| !seen.insert(*name)) {
        return Err(format!("duplicate column name \"{twice}\"").into());
    }
    let kind = Type::object(header.iter().map(|name| (name.into(), Type::String)));
    let mut values = Vec::new();
    for row in rows {
        let row = row.map_err(|error| error.to_string())?;
        if row.len() != header.len() {
            return Err(format!("wrong number of fields: {} instead of {}", row.len(), header.len()).into());
        }
        values
            .push(Value::object(header.iter().zip(row.iter()).map(|(name, cell)| (name.into(), Value::string(cell)))));
    }
    Ok(Value::list(kind, values))
}
