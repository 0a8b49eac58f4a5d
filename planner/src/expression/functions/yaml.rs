//! YAML, in the dialect of `go-cty-yaml`: version 1.1's scalars.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Function, Type, Value, function, json, kinds, parameter, results, text};
use crate::expression::number::Number;
use crate::expression::scope::Host;

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 100;

/// Aliases can make a small text a huge value; beyond this many nodes it is refused.
const MAX_NODES: usize = 1_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    function("yamldecode", &[parameter("src", kinds::text)], results::dynamic, |arguments, _: &Host<'_>| {
        decode(text(arguments, 0)).map_err(Into::into)
    }),
    function(
        "yamlencode",
        &[parameter("value", kinds::any).nullable().unknown().dynamic()],
        results::text,
        |arguments, _| {
            if !arguments[0].is_wholly_known() {
                return Ok(Value::Unknown(Type::String));
            }
            Ok(Value::string(&encode(&arguments[0])))
        },
    ),
];

fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd => return Err("missing start of document".to_owned()),
            first => {
                let value = reader.node(first, 0)?;
                reader.next()?;
                return match reader.next()? {
                    Event::StreamEnd => Ok(value),
                    _ => Err("only one document is allowed".to_owned()),
                };
            }
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Value>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.events.next() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref())?, anchor),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                (Value::tuple(items), anchor)
            }
            Event::MappingStart(anchor, _) => (self.mapping(depth)?, anchor),
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned().ok_or("an alias stands inside its own anchor")?;
                self.count(size(&value))?;
                (value, 0)
            }
            _ => return Err("the document ends too early".to_owned()),
        };
        self.count(1)?;
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn count(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { Err("the document contains excessive aliasing".to_owned()) } else { Ok(()) }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let mut members: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let mut merged: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => break,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                    let event = self.next()?;
                    let value = self.node(event, depth + 1)?;
                    let sources = value.items().map_or_else(|| vec![value.clone()], <[Value]>::to_vec);
                    for source in sources {
                        let inner = source.members().ok_or("a merge key (<<) needs a mapping")?;
                        for (name, value) in inner {
                            merged.entry(name.clone()).or_insert_with(|| value.clone());
                        }
                    }
                    continue;
                }
                event => self.node(event, depth + 1)?,
            };
            let key = match crate::expression::convert::convert(&key, &Type::String) {
                Ok(Value::String(text)) => text,
                _ => return Err("only primitive values can be keys".to_owned()),
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            members.insert(key, value);
        }
        merged.extend(members);
        Ok(Value::Object(Arc::new(merged)))
    }
}

fn size(value: &Value) -> usize {
    let inner: usize = match (value.items(), value.members()) {
        (Some(items), _) => items.iter().map(size).sum(),
        (_, Some(members)) => members.values().map(size).sum(),
        _ => 0,
    };
    inner + 1
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    match tag.map(|tag| tag.suffix.as_str()) {
        Some("str" | "binary") => return Ok(Value::string(text)),
        Some("int" | "float") => {
            return number(text).ok_or_else(|| format!("cannot parse \"{text}\" as a number"));
        }
        Some("bool") => {
            return truth(text).map(Value::Bool).ok_or_else(|| format!("cannot parse \"{text}\" as a boolean"));
        }
        Some("null") => return Ok(Value::Null(Type::Dynamic)),
        Some("") | None if style == ScalarStyle::Plain => {}
        _ => return Ok(Value::string(text)),
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null(Type::Dynamic),
        text => truth(text)
            .map(Value::Bool)
            .or_else(|| number(text))
            .or_else(|| date(text))
            .unwrap_or_else(|| Value::string(text)),
    })
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Value::Number(Number::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Value::Number(Number::INFINITY.negated())),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins_well = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.starts_with('.') && unsigned[1..].starts_with(|c: char| c.is_ascii_digit());
    if !begins_well {
        return None;
    }
    Number::parse(&text.replace('_', "")).map(Value::Number)
}

/// A date without quotes becomes a time, written in full.
fn date(text: &str) -> Option<Value> {
    let is_date = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    is_date.then(|| Value::string(&format!("{text}T00:00:00Z")))
}

fn encode(value: &Value) -> String {
    let mut out = String::new();
    write_block(value, 0, &mut out);
    if matches!(value, Value::Null(_) | Value::Bool(_) | Value::Number(_)) {
        out.push_str("...\n");
    }
    out
}

/// Writes a value that begins at the current place and ends with a line break.
fn write_block(value: &Value, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(&pad);
                }
                out.push_str("- ");
                write_block(item, indent + 1, out);
            }
        }
        Value::Map(_, members) | Value::Object(members) if !members.is_empty() => {
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(&pad);
                }
                out.push_str(&json::encode(&Value::String(name.clone())));
                out.push(':');
                let is_open = |items: usize| items > 0;
                match member {
                    Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) if is_open(items.len()) => {
                        out.push('\n');
                        out.push_str(&pad);
                        write_block(member, indent, out);
                    }
                    Value::Map(_, inner) | Value::Object(inner) if is_open(inner.len()) => {
                        out.push('\n');
                        out.push_str(&"  ".repeat(indent + 1));
                        write_block(member, indent + 1, out);
                    }
                    _ => {
                        out.push(' ');
                        write_block(member, indent + 1, out);
                    }
                }
            }
        }
        Value::String(text) if text.contains('\n') => {
            let kept = text.len() - text.trim_end_matches('\n').len();
            out.push_str(match kept {
                0 => "|-\n",
                1 => "|\n",
                _ => "|+\n",
            });
            let pad = if indent == 0 { "  ".to_owned() } else { "  ".repeat(indent) };
            for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                if !line.is_empty() {
                    out.push_str(&pad);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        other => {
            out.push_str(&scalar_text(other));
            out.push('\n');
        }
    }
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::List(..) | Value::Set(..) | Value::Tuple(_) => "[]".to_owned(),
        Value::Map(..) | Value::Object(_) => "{}".to_owned(),
        Value::String(text) => {
            let quoted = json::encode(&Value::String(text.clone()));
            // YAML needs no escapes for these.
            quoted.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
        }
        other => json::encode(other),
    }
}
