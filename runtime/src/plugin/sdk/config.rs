//! What a component is configured with: elements laid over each other, the core's own words apart.

use rpk_planner::catalog::Settings;
use serde_json::Value as Json;

use super::super::msgpack::Value;
use super::Object;

/// The options of a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The component's own, by name; those that are null are left out.
    pub options: Settings,
    /// What the core says beside, such as `packer_build_name`.
    pub core: Settings,
}

impl Config {
    /// Reads the elements of a call.
    pub(super) fn read(body: &Value) -> Result<Self, String> {
        let mut config = Self::default();
        let Some(Value::Array(elements)) = body.get("Configs") else { return Ok(config) };
        for element in elements {
            let members = match element {
                // A document that says its types beside its values.
                Value::Bin(bytes) => {
                    let document: Json = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                    document.get("value").cloned().unwrap_or(Json::Null)
                }
                other => json(other),
            };
            let Json::Object(members) = members else { continue };
            // Values that stand in for those of a machine that is not there yet are no options.
            if members.get("PackerRunUUID").and_then(Json::as_str).is_some_and(|text| text.starts_with("Build_")) {
                continue;
            }
            for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
                if name.starts_with("packer_") {
                    config.core.insert(name, value);
                } else {
                    config.options.insert(name, value);
                }
            }
        }
        Ok(config)
    }

    /// Returns a text; empty if it is not given.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.options.get(name).and_then(Json::as_str).unwrap_or_default()
    }

    /// Refuses options that the schema does not have, as other plugins do.
    pub(super) fn check(&self, schema: &Object) -> Result<(), String> {
        let mut unknown = self.options.keys().filter(|name| *name != "type" && !schema.members.contains_key(*name));
        match unknown.next() {
            Some(name) => Err(format!("unknown configuration key: '{name}'")),
            None => Ok(()),
        }
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::Ext(..) => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Uint(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Str(text) => Json::String(text.clone()),
        Value::Bin(bytes) => Json::String(String::from_utf8_lossy(bytes).into_owned()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), json(value))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Type;
    use super::*;

    #[test]
    fn later_elements_win_and_the_cores_words_stand_apart() {
        let document = br#"{"value": {"a": "typed", "b": null}, "type": ["object", {}]}"#.to_vec();
        let body = Value::map([(
            "Configs",
            Value::Array(vec![
                Value::map([("a", Value::str("raw")), ("packer_force", Value::Bool(true))]),
                Value::Bin(document),
                Value::map([("PackerRunUUID", Value::str("Build_PackerRunUUID. later"))]),
                Value::Nil,
            ]),
        )]);
        let config = Config::read(&body).expect("is well-formed");
        assert_eq!(config.text("a"), "typed");
        assert_eq!(config.options.len(), 1);
        assert_eq!(config.core.get("packer_force"), Some(&Json::Bool(true)));
        assert!(config.check(&Object::of([("a", Type::String)])).is_ok());
        assert!(config.check(&Object::of([("x", Type::String)])).is_err());
    }
}
