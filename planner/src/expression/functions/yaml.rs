//! YAML, in the dialect of `go-cty-yaml`: version 1.1's scalars.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Function, Type, Value, function, kinds, parameter, results, text, time, yaml_text};
use crate::expression::convert::convert;
use crate::expression::number::Number;
use crate::expression::scope::Host;

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 100;

/// Aliases can make a small text a huge value; beyond this many nodes it is refused.
const MAX_NODES: usize = 1_000_000;

const TAG_PREFIX: &str = "tag:yaml.org,2002:";

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
            Ok(Value::string(&yaml_text::encode(&arguments[0])))
        },
    ),
];

fn decode(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check(text)?;
    let mut reader = Reader { source: text, events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd => return Err("missing start of document".to_owned()),
            first => {
                let value = reader.node(first, 0)?;
                reader.next()?;
                return match reader.next()? {
                    // Packer takes a document of nothing for one that it does not know yet.
                    Event::StreamEnd if value == Value::Null(Type::Dynamic) => Ok(Value::DYNAMIC),
                    Event::StreamEnd => Ok(value),
                    _ => Err("only one document is allowed".to_owned()),
                };
            }
        }
    }
}

struct Reader<'t> {
    source: &'t str,
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Value>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.events.next() {
            // A block of nothing but line ends has none, unless its header says that it keeps them.
            Some(Ok((
                Event::Scalar(content, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag),
                span,
            ))) if content.chars().all(|c| c == '\n') => {
                let header = self.source.chars().skip(span.start.index()).take_while(|c| *c != '\n');
                let content = if header.into_iter().any(|c| c == '+') { content } else { "".into() };
                Ok(Event::Scalar(content, style, anchor, tag))
            }
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
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, tag.as_deref())?.value(), anchor),
            Event::SequenceStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "seq")?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
                (Value::tuple(items), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "map")?;
                (self.mapping(depth)?, anchor)
            }
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
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Value::Object(Arc::new(members))),
                Event::Scalar(text, style, anchor, tag) => {
                    let key = scalar(&text, style, tag.as_deref())?;
                    if anchor != 0 {
                        self.anchors.insert(anchor, key.clone().value());
                    }
                    key
                }
                _ => return Err("only strings are allowed as mapping keys".to_owned()),
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            match key {
                // What is merged replaces what stands before it, as if its members were written here.
                Scalar::Merge => {
                    let Value::Object(inner) = value else {
                        return Err(format!("cannot merge {} into mapping", value.kind()));
                    };
                    members.extend(inner.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                Scalar::Plain(key) => {
                    let Ok(Value::String(name)) = convert(&key, &Type::String) else {
                        return Err("mapping key cannot be null".to_owned());
                    };
                    members.insert(name, value);
                }
            }
        }
    }
}

fn expect_tag(tag: Option<&Tag>, kind: &str) -> Result<(), String> {
    let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default();
    if tag.is_empty() || tag.strip_prefix(TAG_PREFIX) == Some(kind) {
        return Ok(());
    }
    Err(format!("can't interpret a {kind} as {tag}"))
}

fn size(value: &Value) -> usize {
    let inner: usize = match (value.items(), value.members()) {
        (Some(items), _) => items.iter().map(size).sum(),
        (_, Some(members)) => members.values().map(size).sum(),
        _ => 0,
    };
    inner + 1
}

/// What a scalar means.
#[derive(Clone)]
enum Scalar {
    Plain(Value),
    /// The key `<<`: the members of its value belong to the mapping itself.
    Merge,
}

impl Scalar {
    fn value(self) -> Value {
        match self {
            Self::Plain(value) => value,
            Self::Merge => Value::string("<<"),
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
    // What has no quotes has no blanks around it either.
    let text = if style == ScalarStyle::Plain { text.trim_matches([' ', '\t']) } else { text };
    let scalar = resolved(text, style, tag)?;
    match scalar {
        // A text in lines of its own stays one, but is read before: `yes` becomes `true`.
        Scalar::Plain(value) if tag.is_none() && matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) => {
            convert(&value, &Type::String).map(Scalar::Plain).map_err(|error| error.to_string())
        }
        scalar => Ok(scalar),
    }
}

fn resolved(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Scalar, String> {
    let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default();
    let mut kind = match tag.as_str() {
        "" => "",
        full => full
            .strip_prefix(TAG_PREFIX)
            .filter(|kind| ["str", "bool", "int", "float", "null", "timestamp", "binary"].contains(kind))
            .ok_or_else(|| format!("unsupported tag \"{full}\""))?,
    };
    let plain = |value: Value| Ok(Scalar::Plain(value));
    let first = text.chars().next();
    let may_mean_something = first.is_none_or(|c| c.is_ascii_digit() || "+-.yYnNtTfFoO~".contains(c));
    if may_mean_something && !matches!(kind, "str" | "binary") {
        if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            return plain(Value::string(text));
        }
        if let Some(value) = word(text) {
            return plain(value);
        }
        match first {
            Some('.') => {
                if kind.is_empty() && matches!(text, ".nan" | ".NaN" | ".NAN") {
                    return Err("floating point NaN is not supported".to_owned());
                }
                if let Some(number) = Number::parse(text) {
                    return plain(Value::Number(number));
                }
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-') => {
                if matches!(kind, "" | "timestamp")
                    && let Some(time) = time::of_yaml(text)
                {
                    return plain(Value::string(&time));
                }
                let digits = text.replace('_', "");
                if let Some(number) = Number::parse(&digits) {
                    return plain(Value::Number(number));
                }
                if digits.starts_with("0b") || digits.starts_with("-0b") {
                    kind = "int";
                }
            }
            _ => {}
        }
    }
    let fault = || format!("cannot parse \"{text}\" as !!{kind}");
    match kind {
        "" if text == "<<" => Ok(Scalar::Merge),
        "binary" if !is_base64(text) => Err(fault()),
        "bool" => match word(text) {
            Some(value @ Value::Bool(_)) => plain(value),
            _ => Err(fault()),
        },
        "int" | "float" => {
            let digits = text.replace('_', "");
            Number::parse(&digits)
                .or_else(|| integer(&digits))
                .map(|number| Scalar::Plain(Value::Number(number)))
                .ok_or_else(fault)
        }
        "timestamp" => time::of_yaml(text).map(|time| Scalar::Plain(Value::string(&time))).ok_or_else(fault),
        "null" => plain(Value::Null(Type::Dynamic)),
        _ => plain(Value::string(text)),
    }
}

/// The words that mean something else than themselves.
fn word(text: &str) -> Option<Value> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => Value::Bool(false),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null(Type::Dynamic),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Number(Number::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Number(Number::INFINITY.negated()),
        _ => return None,
    })
}

/// Reads a whole number of 64 bits with one of Go's prefixes.
fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, radix)| Some((radix, lower.strip_prefix(prefix)?)))?;
    let value = u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))?;
    if is_negative { (value <= 1 << 63).then(|| Number::from(value).negated()) } else { Some(Number::from(value)) }
}

fn is_base64(text: &str) -> bool {
    super::encoding::decoded(text).is_ok()
}

/// Refuses what the reader would take, but Packer's does not: versions of YAML that came later, directives that nobody
/// knows, and a tab before the first word.
fn check(text: &str) -> Result<(), String> {
    for line in text.lines() {
        let words = line.trim_start_matches([' ', '\t']);
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if line.starts_with('%') {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("%YAML"), Some("1.1")) | (Some("%TAG"), _) => continue,
                (Some("%YAML"), _) => return Err("found incompatible YAML document".to_owned()),
                _ => return Err("found unknown directive name".to_owned()),
            }
        }
        let indent = &line[..line.len() - words.len()];
        return if indent.contains('\t') {
            Err("found character that cannot start any token".to_owned())
        } else {
            Ok(())
        };
    }
    Err("missing start of document".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_they_did_in_version_1_1() {
        let number = |text: &str| Ok(Value::Number(Number::parse(text).expect("is a number")));
        for (text, expected) in [
            ("0b11", number("3")),
            ("-0b1_1", number("-3")),
            ("!!int 0x1f", number("31")),
            ("!!int 0o17", number("15")),
            ("!!int \"5\"", Ok(Value::string("5"))),
            ("0x1f", Ok(Value::string("0x1f"))),
            ("1_000", number("1000")),
            ("2020-1-2 3:4:5", Ok(Value::string("2020-01-02T03:04:05Z"))),
            ("! \"5\"", Err(())),
            ("!foo a", Err(())),
            ("!!set {a}", Err(())),
            ("!!seq a", Err(())),
            ("!!str [1]", Err(())),
            (".nan", Err(())),
            ("!!timestamp a", Err(())),
            ("!!binary a", Err(())),
            ("%YAML 1.2\n---\na", Err(())),
            ("%FOO 1\n---\na", Err(())),
            ("\ta: 1", Err(())),
            ("~", Ok(Value::DYNAMIC)),
            ("- |\n- |+\n\n", Ok(Value::tuple([Value::Null(Type::String), Value::string("\n")]))),
            ("|-\n  yes", Ok(Value::string("true"))),
            ("\u{feff}a: ", Ok(Value::object([(Arc::from("a"), Value::Null(Type::Dynamic))]))),
            (" \n# x", Err(())),
        ] {
            assert_eq!(decode(text).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn merged_members_stand_where_they_are_merged() {
        let object = |value: i64| Ok(Value::object([(Arc::from("a"), Value::number(value))]));
        assert_eq!(decode("a: 1\n<<: {a: 2}"), object(2));
        assert_eq!(decode("<<: {a: 2}\na: 1"), object(1));
        assert_eq!(decode("\"<<\": {a: 2}"), object(2));
        assert!(decode("<<: [{a: 1}]").is_err());
        assert!(decode("[a]: 1").is_err());
    }
}
