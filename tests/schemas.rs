//! The recorded JSON forms of plans and comparisons are what their schemas in `docs/` say.
//!
//! The checker knows just those words of JSON Schema that the schemas use, and refuses others. It is stricter than a
//! validator in one thing: whatever stands in a document has to be described.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

type Schemas = BTreeMap<String, Value>;

fn schemas() -> Schemas {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let names = ["plan.schema.json", "comparison.schema.json"];
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).expect("the schema exists");
        (name.to_owned(), serde_json::from_str(&text).expect("the schema is JSON"))
    };
    names.into_iter().map(read).collect()
}

/// Finds what is wrong with a value; `file` is the schema's own, for references.
fn check(schemas: &Schemas, file: &str, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(words) = schema.as_object() else {
        return if schema == &json!(true) { found } else { vec![format!("{path} may not be there")] };
    };
    let mut inner = |schema: &Value, value: &Value, path: String| {
        found.extend(check(schemas, file, schema, value, &path));
    };
    let mut wrong = Vec::new();
    for (word, rule) in words {
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "additionalProperties" => {}
            "$ref" => {
                let target = rule.as_str().expect("a reference is a text");
                let (name, pointer) = target.split_once('#').expect("a reference has a fragment");
                let name = if name.is_empty() { file } else { name };
                let target = schemas[name].pointer(pointer).expect("a reference leads somewhere");
                wrong.extend(check(schemas, name, target, value, path));
            }
            "type" => {
                let is = |name: &Value| match name.as_str().expect("a type is a text") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("there is no type {other}"),
                };
                if !rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is)) {
                    wrong.push(format!("{path} is {value}, not {rule}"));
                }
            }
            "const" if rule != value => wrong.push(format!("{path} is {value}, not {rule}")),
            "enum" if !rule.as_array().expect("a list").contains(value) => {
                wrong.push(format!("{path} is {value}, none of {rule}"));
            }
            "const" | "enum" => {}
            "minimum" => {
                if value.as_f64().is_some_and(|value| value < rule.as_f64().expect("a number")) {
                    wrong.push(format!("{path} is {value}, less than {rule}"));
                }
            }
            "pattern" => {
                assert_eq!(rule, "^[0-9a-f]{64}$");
                let is_hex =
                    |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if value.as_str().is_some_and(|text| !is_hex(text)) {
                    wrong.push(format!("{path} is {value}, no key"));
                }
            }
            "required" => {
                for name in rule.as_array().expect("a list").iter().filter_map(Value::as_str) {
                    if value.as_object().is_some_and(|map| !map.contains_key(name)) {
                        wrong.push(format!("{path} has no {name}"));
                    }
                }
            }
            "properties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    let path = format!("{path}.{name}");
                    match rule.get(name) {
                        Some(rule) => inner(rule, value, path),
                        None => wrong.push(format!("{path} is not described")),
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    inner(rule, item, format!("{path}[{index}]"));
                }
            }
            "anyOf" => {
                let rules = rule.as_array().expect("a list");
                if !rules.iter().any(|rule| check(schemas, file, rule, value, path).is_empty()) {
                    wrong.push(format!("{path} is {value}, none of the kinds that it may be"));
                }
            }
            other => panic!("the checker does not know `{other}`"),
        }
    }
    if let (Some(rule), None) = (words.get("additionalProperties"), words.get("properties")) {
        for (name, value) in value.as_object().into_iter().flatten() {
            inner(rule, value, format!("{path}.{name}"));
        }
    }
    found.extend(wrong);
    found
}

/// Takes the JSON documents that a recorded transcript has after commands with all these words.
fn documents(text: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut command = String::new();
    while let Some(line) = rest.lines().next() {
        if line.starts_with("$ rpk ") {
            line.clone_into(&mut command);
        }
        if line == "{" {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                found.push((command.clone(), value));
                rest = &rest[values.byte_offset()..];
                continue;
            }
        }
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    found
}

#[test]
fn recorded_documents_are_as_described() {
    let schemas = schemas();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["plan", "diagnostics", "cli"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(folder);
        files.extend(std::fs::read_dir(folder).expect("it exists").map(|entry| entry.expect("is readable").path()));
    }
    let mut counts = BTreeMap::new();
    for file in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "snap")) {
        let text = std::fs::read_to_string(file).expect("it can be read");
        for (command, value) in documents(&text) {
            let name = match &value {
                value if value.get("against").is_some() => "comparison.schema.json",
                value if value.get("nodes").is_some() => "plan.schema.json",
                // Another command's.
                _ => continue,
            };
            *counts.entry(name).or_insert(0) += 1;
            let found = check(&schemas, name, &schemas[name], &value, "$");
            assert!(found.is_empty(), "{} {command}: {found:#?}", file.display());
        }
    }
    assert!(counts["plan.schema.json"] >= 3 && counts["comparison.schema.json"] >= 1, "{counts:?}");
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schemas = schemas();
    let good = json!({
        "format_version": "1.0", "rpk_version": "1", "template": "t", "engine": null, "variables": {"a": "b"},
        "nodes": [], "diagnostics": [],
        "summary": {"total": 0, "run": 0, "cached": 0, "skipped": 0, "unknown": 0, "estimate_s": null,
            "parallel_builds": null, "critical_path": []}
    });
    let problems = |value: &Value| check(&schemas, "plan.schema.json", &schemas["plan.schema.json"], value, "$");
    assert_eq!(problems(&good), [""; 0]);
    for (pointer, value, problem) in [
        ("/format_version", json!("2.0"), "$.format_version is \"2.0\", not \"1.0\""),
        ("/variables/a", json!(1), "$.variables.a is 1, none of the kinds that it may be"),
        ("/summary/total", json!(-1), "$.summary.total is -1, less than 0"),
        ("/summary/run", json!("x"), "$.summary.run is \"x\", not \"integer\""),
        ("/nodes", json!([{}]), "$.nodes[0] has no id"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("it is there") = value;
        assert!(problems(&bad).contains(&problem.to_owned()), "{problem}: {:?}", problems(&bad));
    }
    let mut more = good.clone();
    more["secret"] = json!(1);
    assert_eq!(problems(&more), ["$.secret is not described"]);
}
