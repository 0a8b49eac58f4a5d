//! Calls with unknown, null and odd arguments, against what Packer's functions answered.
//!
//! `tests/recorded/hcl/record_calls.go` made the recording and says how its values are written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::blocks::Ground;
use crate::diagnostic::Diagnostics;
use crate::expression::evaluate::evaluate;
use crate::expression::number::Number;
use crate::expression::scope::{Host, Root, Scope};
use crate::expression::types::Type;
use crate::expression::value::Value;
use crate::hcl::parse_expression;
use crate::span::Sources;

struct Names<'a> {
    values: BTreeMap<&'static str, Value>,
    host: &'a Host<'a>,
}

impl Scope for Names<'_> {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        self.values.get(name).map(|value| Root::Value(value.clone()))
    }

    fn root_names(&self) -> Vec<&str> {
        self.values.keys().copied().collect()
    }

    fn host(&self) -> &Host<'_> {
        self.host
    }
}

/// The variables that the calls use; the recorder has the same.
fn variables() -> BTreeMap<&'static str, Value> {
    let (text, number) = (Value::string as fn(&str) -> Value, |value: i64| Value::number(value));
    let (unknown, null) = (Value::Unknown as fn(Type) -> Value, Value::Null as fn(Type) -> Value);
    let pairs = |pairs: &[(&str, Value)]| -> Vec<(Arc<str>, Value)> {
        pairs.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect()
    };
    let object = |members: &[(&str, Value)]| Value::object(pairs(members));
    let object_of_number = Type::object([(Arc::from("a"), Type::Number)]);
    BTreeMap::from([
        ("s", text("abc")),
        ("sn", text("12.5")),
        ("sb", text("true")),
        ("se", text("")),
        ("n", number(5)),
        ("nf", Number::parse("1.5").map_or(Value::DYNAMIC, Value::Number)),
        ("nn", number(-3)),
        ("z", number(0)),
        ("b", Value::Bool(true)),
        ("nu", null(Type::Dynamic)),
        ("nus", null(Type::String)),
        ("nun", null(Type::Number)),
        ("nul", null(Type::list(Type::String))),
        ("nuo", null(object_of_number.clone())),
        ("ls", Value::list(Type::String, [text("x"), text("y")])),
        ("ln", Value::list(Type::Number, [number(1), number(2), number(3)])),
        ("le", Value::list(Type::String, [])),
        ("ss", Value::set(Type::String, [text("q"), text("p")])),
        ("sen", Value::set(Type::Number, [number(10), number(9)])),
        ("see", Value::set(Type::Number, [])),
        ("mn", Value::map(Type::Number, pairs(&[("a", number(1)), ("b", number(2))]))),
        ("ms", Value::map(Type::String, pairs(&[("a", text("1")), ("c", text("z"))]))),
        ("me", Value::map(Type::Bool, [])),
        ("t", Value::tuple([number(1), text("a"), Value::Bool(true)])),
        ("te", Value::tuple([])),
        ("o", object(&[("a", number(1)), ("b", text("x")), ("l", Value::list(Type::Number, [number(7)]))])),
        ("oe", object(&[])),
        ("lo", Value::list(object_of_number.clone(), [object(&[("a", number(1))]), object(&[("a", number(2))])])),
        ("tu", Value::tuple([number(1), unknown(Type::String)])),
        ("ou", object(&[("a", unknown(Type::Number)), ("b", number(2))])),
        ("lu", Value::list(Type::Number, [number(1), unknown(Type::Number)])),
        ("su", Value::set(Type::String, [text("k"), unknown(Type::String)])),
        ("us", unknown(Type::String)),
        ("un", unknown(Type::Number)),
        ("ub", unknown(Type::Bool)),
        ("ud", Value::DYNAMIC),
        ("ul", unknown(Type::list(Type::String))),
        ("uset", unknown(Type::set(Type::Number))),
        ("um", unknown(Type::map(Type::Number))),
        ("ut", unknown(Type::tuple([Type::Number, Type::String]))),
        ("uo", unknown(object_of_number)),
    ])
}

fn written_type(kind: &Type) -> Json {
    match kind {
        Type::List(element) => json!(["list", written_type(element)]),
        Type::Set(element) => json!(["set", written_type(element)]),
        Type::Map(element) => json!(["map", written_type(element)]),
        Type::Tuple(items) => {
            Json::Array(std::iter::once("tuple".into()).chain(items.iter().map(written_type)).collect())
        }
        Type::Object(attributes) => {
            let kinds = attributes.iter().map(|(name, attribute)| (name.to_string(), written_type(&attribute.kind)));
            json!(["object", kinds.collect::<Map<String, Json>>()])
        }
        simple => simple.to_string().into(),
    }
}

fn written(value: &Value) -> Json {
    let members = |members: &BTreeMap<Arc<str>, Value>| -> Map<String, Json> {
        members.iter().map(|(name, value)| (name.to_string(), written(value))).collect()
    };
    let sequence =
        |head: Vec<Json>, items: &[Value]| Json::Array(head.into_iter().chain(items.iter().map(written)).collect());
    match value {
        Value::Unknown(kind) => json!(["?", written_type(kind)]),
        Value::Null(kind) => json!(["null", written_type(kind)]),
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => json!(["n", number.to_string()]),
        Value::String(text) => text.as_ref().into(),
        Value::List(element, items) => sequence(vec!["list".into(), written_type(element)], items),
        Value::Set(element, items) => sequence(vec!["set".into(), written_type(element)], items),
        Value::Tuple(items) => sequence(vec!["tuple".into()], items),
        Value::Map(element, inner) => json!(["map", written_type(element), members(inner)]),
        Value::Object(inner) => json!(["object", members(inner)]),
    }
}

#[test]
fn calls_answer_as_packers_did() {
    let ground = Ground::default();
    let usage = RefCell::default();
    let random = || [0; 16];
    let host = ground.host(&random, &usage);
    let scope = Names { values: variables(), host: &host };
    let file = Sources::default().add("call", "");
    for line in include_str!("../../../tests/recorded/hcl/calls.jsonl").lines() {
        let row: Json = serde_json::from_str(line).expect("is JSON");
        let call = row["call"].as_str().expect("is a text");
        let parsed = parse_expression(call);
        assert!(parsed.errors.is_empty(), "{call}");
        let mut problems = Diagnostics::default();
        let value = evaluate(&parsed.tree, file, &scope, &mut problems);
        assert_eq!(problems.has_errors(), row["fails"] == true, "{call}: {value:?}");
        if !problems.has_errors() {
            assert_eq!(written(&value), row["answer"], "{call}");
        }
    }
}
