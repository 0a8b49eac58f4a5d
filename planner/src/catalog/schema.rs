//! A JSON Schema of legacy templates, made from the tables that templates are checked with.
//!
//! The dialect is draft 7, which editors understand best.

use serde_json::{Map, Value, json};

use super::{Catalog, ComponentKind, ComponentSpec, OptionSpec, OptionType};

/// Describes all legacy templates that the catalog's components allow.
#[must_use]
pub fn legacy_schema(catalog: &dyn Catalog) -> Value {
    let list = |kind| json!({ "type": "array", "items": { "$ref": format!("#/definitions/{}", definition(kind)) } });
    let step = json!({ "anyOf": [
        { "type": "string", "enum": catalog.names(ComponentKind::PostProcessor) },
        { "$ref": "#/definitions/post-processor" },
    ] });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Legacy JSON template",
        "type": "object",
        "required": ["builders"],
        "properties": {
            "description": { "type": "string", "description": "What the template is for." },
            "min_packer_version": { "type": "string", "description": "The lowest version of Packer that will do." },
            "variables": {
                "type": "object",
                "description": "User variables with their defaults; null makes one required.",
                "additionalProperties": { "type": ["string", "number", "boolean", "array", "null"] },
            },
            "sensitive-variables": {
                "type": "array",
                "description": "Variables whose values are never shown.",
                "items": { "type": "string" },
            },
            "builders": list(ComponentKind::Builder),
            "provisioners": list(ComponentKind::Provisioner),
            "error-cleanup-provisioner": { "$ref": "#/definitions/provisioner" },
            "post-processors": {
                "type": "array",
                "items": { "anyOf": [step.clone(), { "type": "array", "items": step }] },
            },
        },
        "patternProperties": { "^_": { "type": "string", "description": "A comment." } },
        "additionalProperties": false,
        "definitions": {
            "builder": components(catalog, ComponentKind::Builder, &json!({
                "name": { "type": "string", "description": "What the build is called; the type if not given." },
            })),
            "provisioner": components(catalog, ComponentKind::Provisioner, &json!({
                "only": names("Just these builds."),
                "except": names("All builds but these."),
                "override": { "type": "object", "description": "Options by build, laid over the others." },
                "pause_before": { "type": "string", "description": "How long to wait before it runs." },
                "timeout": { "type": "string", "description": "How long one attempt may take." },
                "max_retries": { "type": ["integer", "string"], "description": "How often to try again." },
            })),
            "post-processor": components(catalog, ComponentKind::PostProcessor, &json!({
                "name": { "type": "string", "description": "What `-except` calls it." },
                "only": names("Just these builds."),
                "except": names("All builds but these."),
                "keep_input_artifact": { "type": "boolean", "description": "Keeps the artifact that goes in." },
            })),
        },
    })
}

fn definition(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Builder => "builder",
        ComponentKind::Provisioner => "provisioner",
        ComponentKind::PostProcessor => "post-processor",
        ComponentKind::DataSource => "data-source",
    }
}

fn names(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

/// Describes the components of a kind: a type to choose, and with each type its options.
fn components(catalog: &dyn Catalog, kind: ComponentKind, common: &Value) -> Value {
    let names = catalog.names(kind);
    let known = names.iter().filter_map(|name| catalog.find(kind, name)).filter(|spec| !spec.is_open);
    let rules: Vec<Value> = known
        .map(|spec| {
            json!({
                "if": { "properties": { "type": { "const": spec.name } } },
                "then": options(spec, common),
            })
        })
        .collect();
    json!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "type": "string", "enum": names } },
        "allOf": rules,
    })
}

fn options(spec: &ComponentSpec, common: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!(true));
    properties.extend(common.as_object().cloned().unwrap_or_default());
    properties.extend(spec.options.iter().map(|option| (option.name.to_string(), option_schema(option))));
    json!({
        "properties": properties,
        "required": required(&spec.options),
        "additionalProperties": false,
        "patternProperties": { "^packer_": true },
    })
}

fn required(options: &[OptionSpec]) -> Vec<&str> {
    options.iter().filter(|option| option.is_required).map(|option| option.name.as_ref()).collect()
}

fn option_schema(option: &OptionSpec) -> Value {
    let mut schema = type_schema(&option.kind);
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), json!(option.doc));
        if !option.choices.is_empty() {
            object.insert("enum".to_owned(), json!(option.choices));
        }
        if let Some(replacement) = &option.replaced_by {
            object.insert("deprecated".to_owned(), json!(true));
            object.insert("description".to_owned(), json!(format!("{} Use `{replacement}`.", option.doc)));
        }
    }
    schema
}

/// The types that a legacy template may write: scalars convert, and a lone value is a list of one.
fn type_schema(kind: &OptionType) -> Value {
    match kind {
        OptionType::String => json!({ "type": ["string", "number", "boolean", "null"] }),
        OptionType::Bool => json!({ "type": ["boolean", "string", "number", "null"] }),
        OptionType::Integer => json!({ "type": ["integer", "string", "boolean", "null"] }),
        OptionType::Number => json!({ "type": ["number", "string", "boolean", "null"] }),
        OptionType::Duration => json!({ "type": ["string", "number", "null"] }),
        OptionType::StringList | OptionType::IntegerList => {
            json!({ "type": ["array", "string", "number", "boolean", "null"] })
        }
        OptionType::Matrix => json!({ "type": ["array", "null"] }),
        OptionType::StringMap => json!({ "type": ["object", "array", "null"] }),
        OptionType::Object => json!({ "type": ["object", "null"] }),
        OptionType::Any => json!({}),
        OptionType::Block(options) => block_schema(options, &["object", "array", "null"]),
        OptionType::BlockList(options) => block_schema(options, &["array", "object", "null"]),
    }
}

fn block_schema(options: &[OptionSpec], kinds: &[&str]) -> Value {
    let properties: Map<String, Value> =
        options.iter().map(|option| (option.name.to_string(), option_schema(option))).collect();
    let inner = json!({ "properties": properties, "required": required(options), "additionalProperties": false });
    json!({
        "type": kinds,
        "items": inner,
        "properties": properties,
    })
}
