//! A data source that lives in a plugin.

use std::sync::Arc;

use rpk_planner::catalog::Settings;
use rpk_planner::expression::number::Number;
use rpk_planner::expression::types::Type;
use rpk_planner::expression::value::Value as Evaluated;
use serde_json::Value as Json;

use super::component::Component;
use super::msgpack::Value;
use crate::failure::{Failure, Outcome};

/// Asks a data source; waits for its answer.
///
/// # Errors
///
/// Fails if the plugin refuses the options or has no answer.
pub fn ask(component: &Arc<Component>, settings: &Settings) -> Outcome<Evaluated> {
    let (component, settings) = (component.clone(), settings.clone());
    let host = component.host.clone();
    host.wait(async move {
        let plugin = component.prepared(&settings).await?.plugin;
        let answer = plugin.call("Datasource.Execute", &Value::Nil).await?;
        if let Some(message) = answer.get("Error").and_then(|error| error.get("Message")).and_then(Value::as_str) {
            return Err(Failure::new(message.trim()));
        }
        let Some(Value::Bin(bytes)) = answer.get("Value") else {
            return Err(Failure::new("the plugin gives no value"));
        };
        if !component.launch.is_protobuf {
            return Err(Failure::new("the plugin gives its value in a form that rpk does not read")
                .help("install a newer release of the plugin"));
        }
        let (value, _) = Value::read(bytes).map_err(|error| Failure::new(error.to_string()))?;
        match &value {
            // With its type in front.
            Value::Array(parts) if parts.len() == 2 => match parts.as_slice() {
                [Value::Bin(kind), value] => {
                    let kind = serde_json::from_slice(kind).map_err(|error| Failure::new(error.to_string()))?;
                    Ok(typed(value, &kind, 0))
                }
                _ => Ok(Evaluated::DYNAMIC),
            },
            _ => Err(Failure::new("the plugin does not say of what type its value is")),
        }
    })
}

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// Makes a value of a type that is given as HCL2's library writes it: `"string"`, `["list", …]`, `["object", {…}]`.
fn typed(value: &Value, kind: &Json, depth: usize) -> Evaluated {
    if matches!(value, Value::Ext(..)) || depth > MAX_DEPTH {
        return Evaluated::Unknown(type_of(kind, depth));
    }
    let inner = |index: usize| kind.get(1).and_then(|inner| inner.get(index)).unwrap_or(&Json::Null);
    let word = kind.as_str().or_else(|| kind.get(0)?.as_str()).unwrap_or_default();
    let element = kind.get(1).unwrap_or(&Json::Null);
    match (word, value) {
        (_, Value::Nil) => Evaluated::Null(type_of(kind, depth)),
        ("bool", Value::Bool(flag)) => Evaluated::Bool(*flag),
        ("number", Value::Int(number)) => Evaluated::number(*number),
        ("number", Value::Uint(number)) => Evaluated::number(*number),
        ("number", Value::Float(number)) => Number::from_double(*number).map_or(Evaluated::DYNAMIC, Evaluated::number),
        ("number", Value::Str(text)) => Number::parse(text).map_or(Evaluated::DYNAMIC, Evaluated::number),
        ("string", value) => Evaluated::string(value.as_str().unwrap_or_default()),
        ("list" | "set", Value::Array(items)) => {
            Evaluated::list(type_of(element, depth), items.iter().map(|item| typed(item, element, depth + 1)))
        }
        ("tuple", Value::Array(items)) => {
            Evaluated::tuple(items.iter().enumerate().map(|(index, item)| typed(item, inner(index), depth + 1)))
        }
        ("map", Value::Map(entries)) => Evaluated::map(
            type_of(element, depth),
            entries.iter().map(|(name, value)| (named(name), typed(value, element, depth + 1))),
        ),
        ("object", Value::Map(entries)) => Evaluated::object(entries.iter().map(|(name, value)| {
            let kind = name.as_str().and_then(|name| element.get(name)).unwrap_or(&Json::Null);
            (named(name), typed(value, kind, depth + 1))
        })),
        // A value that is sent with its own type, since nobody knows it beforehand.
        ("dynamic", Value::Array(parts)) => match parts.as_slice() {
            [Value::Bin(kind), value] => {
                serde_json::from_slice(kind).map_or(Evaluated::DYNAMIC, |kind| typed(value, &kind, depth + 1))
            }
            _ => Evaluated::DYNAMIC,
        },
        _ => Evaluated::DYNAMIC,
    }
}

fn named(name: &Value) -> Arc<str> {
    Arc::from(name.as_str().unwrap_or_default())
}

fn type_of(kind: &Json, depth: usize) -> Type {
    let element = || if depth > MAX_DEPTH { Type::Dynamic } else { type_of(&kind[1], depth + 1) };
    match kind.as_str().or_else(|| kind.get(0)?.as_str()).unwrap_or_default() {
        "bool" => Type::Bool,
        "number" => Type::Number,
        "string" => Type::String,
        "list" => Type::list(element()),
        "set" => Type::set(element()),
        "map" => Type::map(element()),
        "tuple" if depth <= MAX_DEPTH => {
            Type::tuple(kind[1].as_array().into_iter().flatten().map(|kind| type_of(kind, depth + 1)))
        }
        "object" if depth <= MAX_DEPTH => {
            let members = kind[1].as_object().into_iter().flatten();
            Type::object(members.map(|(name, kind)| (Arc::from(name.as_str()), type_of(kind, depth + 1))))
        }
        _ => Type::Dynamic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_of_the_types_that_come_with_them() {
        let kind = serde_json::json!(["object", {"a": ["list", "number"], "b": "string", "c": ["map", "bool"]}]);
        let value = Value::map([
            ("a", Value::Array(vec![Value::Int(1)])),
            ("b", Value::Nil),
            ("c", Value::map([("x", Value::Bool(true))])),
        ]);
        let expected = Evaluated::object([
            (Arc::from("a"), Evaluated::list(Type::Number, [Evaluated::number(1_i64)])),
            (Arc::from("b"), Evaluated::Null(Type::String)),
            (Arc::from("c"), Evaluated::map(Type::Bool, [(Arc::from("x"), Evaluated::Bool(true))])),
        ]);
        assert_eq!(typed(&value, &kind, 0), expected);
    }
}
