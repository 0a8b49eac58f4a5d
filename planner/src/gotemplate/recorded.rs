//! Every recorded case of the real `text/template`: the same output, or the same error, to the letter.
//!
//! `tests/recorded/gotemplate/` holds the cases, the recording and the Go program that made it.

use std::collections::BTreeMap;

use super::{Functions, Parameter, Signature, Template, Value};

/// The functions of `record.go`.
struct Recorded;

impl Functions for Recorded {
    fn signature(&self, name: &str) -> Option<Signature> {
        use Parameter::{Int, String};
        let (fixed, variadic): (&'static [Parameter], _) = match name {
            "upper" => (&[String], None),
            "split" => (&[String, String, Int], None),
            "fail" => (&[], None),
            "many" => (&[], Some(String)),
            "rest" => (&[Int], Some(String)),
            _ => return None,
        };
        Some(Signature { fixed, variadic })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let join = |values: &[Value]| values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        Ok(match (name, arguments) {
            ("upper", [Value::String(text)]) => text.to_uppercase().into(),
            ("split", [Value::String(text), Value::String(separator), Value::Int(index)]) => {
                let part = usize::try_from(*index).ok().and_then(|index| text.split(separator.as_ref()).nth(index));
                part.ok_or("no such part")?.into()
            }
            ("many", values) => join(values).into(),
            ("rest", [Value::Int(number), values @ ..]) => {
                format!("{number}{}{}", if join(values).is_empty() { " " } else { "" }, join(values)).trim_end().into()
            }
            _ => return Err("boom".into()),
        })
    }
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().collect()
}

/// The data of `record.go`.
fn data() -> Value {
    map([
        ("S", "text".into()),
        ("Empty", "".into()),
        ("I", 42.into()),
        ("Zero", 0.into()),
        ("F", 1.5.into()),
        ("T", true.into()),
        ("False", false.into()),
        ("Nil", Value::Nil),
        ("L", vec!["a".into(), 2.into(), Value::Nil, 2.5.into()].into()),
        ("E", Vec::new().into()),
        ("LL", vec![vec![1.into(), 2.into()].into(), Vec::new().into()].into()),
        ("M", map([("b", 1.into()), ("a", "x".into()), ("c", Value::Nil)])),
        ("D", map([("E", map([("F", "deep".into())]))])),
        ("U", "héllo→".into()),
        ("H", "<a href=\"x\">'&'</a>".into()),
    ])
}

#[test]
fn every_text_gives_what_go_gave() {
    let recording = include_str!("../../tests/recorded/gotemplate/recorded.jsonl");
    let mut different = Vec::new();
    let mut count = 0;
    for line in recording.lines() {
        let case: BTreeMap<String, String> = serde_json::from_str(line).expect("a line is an object of strings");
        let text = &case["text"];
        let result = Template::parse("root", text, &|name| Recorded.signature(name).is_some())
            .map_err(|error| error.to_string())
            .and_then(|template| template.execute(&data(), &Recorded).map_err(|error| error.to_string()));
        let expected = match case.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(case["output"].clone()),
        };
        if result != expected {
            different.push(format!("{text}\n  go:   {expected:?}\n  here: {result:?}"));
        }
        count += 1;
    }
    assert!(different.is_empty(), "{} of {count} differ\n{}", different.len(), different.join("\n"));
    assert!(count > 350, "only {count} cases");
}
