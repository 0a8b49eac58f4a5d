//! What a plugin says of its options: read from protobuf or from gob, and written into the planner's table.
//!
//! The same schema types the documents in which HCL2's values travel; see [`Object::document`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use rpk_planner::catalog::{OptionSpec, OptionType, Rendering, Settings};
use serde_json::{Value as Json, json};

use super::gob::Gob;

/// How deep blocks and types may be nested.
const MAX_DEPTH: usize = 32;

/// The options of a component, or of a block of it, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// The options.
    pub members: BTreeMap<String, Member>,
}

/// One option.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// An attribute of a type.
    Attribute {
        /// The type.
        kind: Type,
        /// Whether it must be given.
        is_required: bool,
    },
    /// A block that may be there once.
    Block(Object),
    /// A block that may be there several times.
    BlockList(Object),
}

/// The type of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// A text.
    String,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A list.
    List(Box<Type>),
    /// A set.
    Set(Box<Type>),
    /// Names to values.
    Map(Box<Type>),
    /// An object of named types.
    Object(BTreeMap<String, Type>),
}

/// Why a schema could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the plugin says of its options cannot be read: {0}")]
pub struct Unreadable(pub String);

fn unreadable(reason: &str) -> Unreadable {
    Unreadable(reason.to_owned())
}

impl Object {
    /// Reads a schema in protobuf, as plugins that were started with `--protobuf` send it.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are none.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Self, Unreadable> {
        match spec(bytes, 0)? {
            Some(Member::Block(object)) => Ok(object),
            _ => Err(unreadable("it is no object")),
        }
    }

    /// Reads a schema in gob, as older plugins send it.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are none.
    pub fn from_gob(bytes: &[u8]) -> Result<Self, Unreadable> {
        gob_object(&Gob::read(bytes).map_err(|error| Unreadable(error.to_string()))?, 0)
    }

    /// Makes a schema of attributes.
    #[must_use]
    pub fn of<'a>(attributes: impl IntoIterator<Item = (&'a str, Type)>) -> Self {
        let attribute = |kind| Member::Attribute { kind, is_required: false };
        Self { members: attributes.into_iter().map(|(name, kind)| (name.to_owned(), attribute(kind))).collect() }
    }

    /// Writes the schema in protobuf.
    #[must_use]
    pub fn to_protobuf(&self) -> Vec<u8> {
        field(1, &self.members_to_protobuf())
    }

    fn members_to_protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, member) in &self.members {
            let spec = match member {
                Member::Attribute { kind, is_required } => {
                    let mut attribute = [field(1, name.as_bytes()), field(2, &kind.to_protobuf())].concat();
                    if *is_required {
                        attribute.extend([3 << 3, 1]);
                    }
                    field(2, &attribute)
                }
                Member::Block(inner) => field(3, &[field(1, name.as_bytes()), field(3, &inner.to_protobuf())].concat()),
                Member::BlockList(inner) => {
                    field(4, &[field(1, name.as_bytes()), field(2, &inner.to_protobuf())].concat())
                }
            };
            out.extend(field(1, &[field(1, name.as_bytes()), field(2, &spec)].concat()));
        }
        out
    }

    /// Lists the options for the planner, without those that only Packer's core sets.
    ///
    /// Texts are left to the plugin to render. `is_weak` is for legacy templates, where maps hold anything.
    #[must_use]
    pub fn options(&self, is_weak: bool) -> Vec<OptionSpec> {
        let own = self.members.iter().filter(|(name, _)| !name.starts_with("packer_"));
        own.map(|(name, member)| {
            let (kind, is_required) = match member {
                Member::Attribute { kind, is_required } => (option_type(kind, is_weak), *is_required),
                Member::Block(inner) => (OptionType::Block(inner.options(is_weak)), false),
                Member::BlockList(inner) => (OptionType::BlockList(inner.options(is_weak)), false),
            };
            let mut option = OptionSpec::new(Cow::Owned(name.clone()), kind, "").rendering(Rendering::Late);
            option.is_required = is_required;
            option.is_sensitive = is_secret(name);
            option
        })
        .collect()
    }

    /// Writes options as a document that says the type of everything in it.
    #[must_use]
    pub fn document(&self, settings: &Settings) -> Vec<u8> {
        let document = json!({ "value": self.value(settings), "type": self.kind() });
        document.to_string().into_bytes()
    }

    fn value(&self, settings: &Settings) -> Json {
        let members = self.members.iter().map(|(name, member)| {
            let given = settings.get(name).filter(|value| !value.is_null());
            let value = match (member, given) {
                (Member::Attribute { kind, .. }, Some(value)) => kind.value(value),
                (Member::Block(inner), Some(Json::Object(block))) => inner.value(block),
                (Member::BlockList(inner), given) => {
                    let blocks = given.and_then(Json::as_array).into_iter().flatten();
                    Json::Array(blocks.filter_map(|block| Some(inner.value(block.as_object()?))).collect())
                }
                _ => Json::Null,
            };
            (name.clone(), value)
        });
        Json::Object(members.collect())
    }

    fn kind(&self) -> Json {
        let members = self.members.iter().map(|(name, member)| {
            let kind = match member {
                Member::Attribute { kind, .. } => kind.json(),
                Member::Block(inner) => inner.kind(),
                Member::BlockList(inner) => json!(["list", inner.kind()]),
            };
            (name.clone(), kind)
        });
        json!(["object", Json::Object(members.collect())])
    }
}

impl Type {
    fn json(&self) -> Json {
        match self {
            Self::String => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::List(element) => json!(["list", element.json()]),
            Self::Set(element) => json!(["set", element.json()]),
            Self::Map(element) => json!(["map", element.json()]),
            Self::Object(members) => {
                let members = members.iter().map(|(name, kind)| (name.clone(), kind.json()));
                json!(["object", Json::Object(members.collect())])
            }
        }
    }

    /// Makes a value be of the type to the letter, as plugins want it.
    fn value(&self, value: &Json) -> Json {
        match (self, value) {
            (Self::String, Json::Number(number)) => Json::String(number.to_string()),
            (Self::String, Json::Bool(flag)) => Json::String(flag.to_string()),
            (Self::Number, Json::String(text)) => {
                serde_json::from_str(text).ok().filter(Json::is_number).unwrap_or_else(|| value.clone())
            }
            (Self::Bool, Json::String(text)) => text.parse().map_or_else(|_| value.clone(), Json::Bool),
            (Self::List(element) | Self::Set(element), Json::Array(items)) => {
                Json::Array(items.iter().map(|item| element.value(item)).collect())
            }
            (Self::Map(element), Json::Object(members)) => {
                let members = members.iter().map(|(name, value)| (name.clone(), element.value(value)));
                Json::Object(members.collect())
            }
            (Self::Object(kinds), Json::Object(members)) => {
                let members = kinds.iter().map(|(name, kind)| {
                    (name.clone(), members.get(name).map_or(Json::Null, |value| kind.value(value)))
                });
                Json::Object(members.collect())
            }
            _ => value.clone(),
        }
    }
}

impl Type {
    fn to_protobuf(&self) -> Vec<u8> {
        let primitive = |name: &[u8]| field(1, &field(1, name));
        match self {
            Self::String => primitive(b"cty.String"),
            Self::Number => primitive(b"cty.Number"),
            Self::Bool => primitive(b"cty.Bool"),
            Self::List(element) | Self::Set(element) => field(2, &field(1, &element.to_protobuf())),
            // The protocol knows no objects; maps come closest.
            Self::Map(element) => field(3, &field(1, &element.to_protobuf())),
            Self::Object(_) => field(3, &field(1, &Self::String.to_protobuf())),
        }
    }
}

/// Writes a field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or_default());
    out.extend(bytes);
    out
}

/// Plugins do not say which options are secret; the names do.
fn is_secret(name: &str) -> bool {
    let is_named = ["password", "secret_key", "secret", "token", "passphrase", "private_key"];
    is_named.iter().any(|word| name.ends_with(word))
}

fn option_type(kind: &Type, is_weak: bool) -> OptionType {
    match kind {
        Type::String => OptionType::String,
        Type::Number => OptionType::Number,
        Type::Bool => OptionType::Bool,
        Type::List(element) | Type::Set(element) => match element.as_ref() {
            Type::String => OptionType::StringList,
            Type::Number => OptionType::IntegerList,
            Type::List(inner) if **inner == Type::String => OptionType::Matrix,
            _ => OptionType::Any,
        },
        Type::Map(element) if **element == Type::String && !is_weak => OptionType::StringMap,
        // The decoder of legacy templates takes whatever the plugin's own struct does.
        Type::Map(_) if is_weak => OptionType::Any,
        Type::Map(_) | Type::Object(_) => OptionType::Object,
    }
}

/// One field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Splits a protobuf message into its fields.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Field<'_>)>, Unreadable> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| unreadable("a length is too large"))?;
                let (value, rest) = bytes.split_at_checked(length).ok_or_else(|| unreadable("it ends too early"))?;
                bytes = rest;
                Field::Bytes(value)
            }
            _ => return Err(unreadable("a field has an unknown form")),
        };
        fields.push((tag >> 3, field));
    }
    Ok(fields)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(|| unreadable("it ends too early"))?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(unreadable("a number is too long"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads a `Spec`; an object comes back as a block.
fn spec(bytes: &[u8], depth: usize) -> Result<Option<Member>, Unreadable> {
    if depth > MAX_DEPTH {
        return Err(unreadable("it is nested too deep"));
    }
    for (number, field) in fields(bytes)? {
        let Field::Bytes(bytes) = field else { continue };
        return Ok(Some(match number {
            1 => Member::Block(object(bytes, depth)?),
            2 => attribute(bytes, depth)?,
            3 => Member::Block(nested(bytes, 3, depth)?),
            4 => Member::BlockList(nested(bytes, 2, depth)?),
            _ => continue,
        }));
    }
    Ok(None)
}

fn object(bytes: &[u8], depth: usize) -> Result<Object, Unreadable> {
    let mut object = Object::default();
    for (number, field) in fields(bytes)? {
        let (1, Field::Bytes(entry)) = (number, field) else { continue };
        let (mut name, mut member) = (String::new(), None);
        for part in fields(entry)? {
            match part {
                (1, Field::Bytes(bytes)) => name = text(bytes),
                (2, Field::Bytes(bytes)) => member = spec(bytes, depth + 1)?,
                _ => {}
            }
        }
        if let Some(member) = member {
            object.members.insert(name, member);
        }
    }
    Ok(object)
}

fn nested(bytes: &[u8], at: u64, depth: usize) -> Result<Object, Unreadable> {
    for (number, field) in fields(bytes)? {
        if let (true, Field::Bytes(bytes)) = (number == at, field)
            && let Some(Member::Block(object)) = spec(bytes, depth + 1)?
        {
            return Ok(object);
        }
    }
    Ok(Object::default())
}

fn attribute(bytes: &[u8], depth: usize) -> Result<Member, Unreadable> {
    let (mut kind, mut is_required) = (Type::String, false);
    for field in fields(bytes)? {
        match field {
            (2, Field::Bytes(bytes)) => kind = cty(bytes, depth + 1)?,
            (3, Field::Number(flag)) => is_required = flag != 0,
            _ => {}
        }
    }
    Ok(Member::Attribute { kind, is_required })
}

fn cty(bytes: &[u8], depth: usize) -> Result<Type, Unreadable> {
    if depth > MAX_DEPTH {
        return Err(unreadable("a type is nested too deep"));
    }
    for (number, field) in fields(bytes)? {
        let Field::Bytes(bytes) = field else { continue };
        let mut inner = fields(bytes)?.into_iter().filter_map(|field| match field {
            (1, Field::Bytes(bytes)) => Some(bytes),
            _ => None,
        });
        let inner = inner.next().unwrap_or_default();
        return match number {
            1 => primitive(inner.strip_prefix(b"cty.").unwrap_or(inner)),
            2 => Ok(Type::List(Box::new(cty(inner, depth + 1)?))),
            3 => Ok(Type::Map(Box::new(cty(inner, depth + 1)?))),
            _ => continue,
        };
    }
    Err(unreadable("an attribute has no type"))
}

fn primitive(name: &[u8]) -> Result<Type, Unreadable> {
    match name {
        b"String" | b"S" => Ok(Type::String),
        b"Number" | b"N" => Ok(Type::Number),
        b"Bool" | b"B" => Ok(Type::Bool),
        _ => Err(Unreadable(format!("there is no type `{}`", text(name)))),
    }
}

fn gob_object(value: &Gob, depth: usize) -> Result<Object, Unreadable> {
    let value = match value {
        Gob::Interface(_, inner) => inner.as_ref(),
        other => other,
    };
    let Gob::Map(entries) = value else { return Err(unreadable("it is no object")) };
    let mut object = Object::default();
    for (name, member) in entries {
        object.members.insert(name.text().to_owned(), gob_member(member, depth + 1)?);
    }
    Ok(object)
}

fn gob_member(value: &Gob, depth: usize) -> Result<Member, Unreadable> {
    let Gob::Interface(name, value) = value else { return Err(unreadable("an option says nothing of itself")) };
    if depth > MAX_DEPTH {
        return Err(unreadable("it is nested too deep"));
    }
    let is_required = *value.field("Required") == Gob::Bool(true);
    // Older releases carry their libraries in folders of their own.
    let name = name.rsplit('.').next().unwrap_or_default();
    Ok(match name {
        "AttrSpec" => Member::Attribute { kind: gob_type(value.field("Type"), depth)?, is_required },
        "BlockAttrsSpec" => {
            let element = gob_type(value.field("ElementType"), depth)?;
            Member::Attribute { kind: Type::Map(Box::new(element)), is_required }
        }
        "BlockSpec" => Member::Block(gob_object(value.field("Nested"), depth)?),
        "BlockListSpec" => Member::BlockList(gob_object(value.field("Nested"), depth)?),
        "ObjectSpec" => Member::Block(gob_object(value, depth)?),
        other => return Err(Unreadable(format!("there is no option of the form `{other}`"))),
    })
}

/// Reads a type, which encodes itself: its bytes are a stream of their own.
fn gob_type(value: &Gob, depth: usize) -> Result<Type, Unreadable> {
    if depth > MAX_DEPTH {
        return Err(unreadable("a type is nested too deep"));
    }
    let Gob::Bytes(bytes) = value else { return Err(unreadable("an attribute has no type")) };
    let whole = Gob::read(bytes).map_err(|error| Unreadable(error.to_string()))?;
    let Gob::Interface(name, inner) = whole.field("Impl") else { return Err(unreadable("a type says nothing")) };
    let element = || gob_type(inner.field("ElementTypeT"), depth + 1).map(Box::new);
    Ok(match name.rsplit('.').next().unwrap_or_default() {
        "primitiveType" => match inner.field("Kind") {
            Gob::Uint(kind) => primitive(&[u8::try_from(*kind).unwrap_or_default()])?,
            Gob::Int(kind) => primitive(&[u8::try_from(*kind).unwrap_or_default()])?,
            _ => return Err(unreadable("a type says nothing")),
        },
        "typeList" => Type::List(element()?),
        "typeSet" => Type::Set(element()?),
        "typeMap" => Type::Map(element()?),
        "typeObject" => {
            let Gob::Map(entries) = inner.field("AttrTypes") else { return Ok(Type::Object(BTreeMap::new())) };
            let members = entries.iter().map(|(name, kind)| Ok((name.text().to_owned(), gob_type(kind, depth + 1)?)));
            Type::Object(members.collect::<Result<_, Unreadable>>()?)
        }
        other => return Err(Unreadable(format!("there is no type `{other}`"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Object {
        let attribute = |kind| Member::Attribute { kind, is_required: false };
        let inner = Object { members: [("pull".to_owned(), attribute(Type::Bool))].into() };
        Object {
            members: [
                ("image".to_owned(), attribute(Type::String)),
                ("size".to_owned(), attribute(Type::Number)),
                ("tags".to_owned(), attribute(Type::List(Box::new(Type::String)))),
                ("build".to_owned(), Member::Block(inner.clone())),
                ("disk".to_owned(), Member::BlockList(inner)),
                ("packer_debug".to_owned(), attribute(Type::Bool)),
            ]
            .into(),
        }
    }

    #[test]
    fn a_protobuf_schema_is_read() {
        // `force`, a boolean, of docker's post-processor `tag`.
        let entry = b"\x0a\x20\x0a\x05force\x12\x17\x12\x15\x0a\x05force\x12\x0c\x0a\x0a\x0a\x08cty.Bool";
        let mut bytes = vec![0x0a, u8::try_from(entry.len()).expect("is short")];
        bytes.extend(entry);
        let object = Object::from_protobuf(&bytes).expect("is well-formed");
        let expected = Member::Attribute { kind: Type::Bool, is_required: false };
        assert_eq!(object.members.get("force"), Some(&expected));
        for length in 0..bytes.len() {
            let _ = Object::from_protobuf(&bytes[..length]);
        }
    }

    #[test]
    fn what_is_written_in_protobuf_is_read_again() {
        assert_eq!(Object::from_protobuf(&sample().to_protobuf()), Ok(sample()));
    }

    #[test]
    fn a_document_says_the_type_of_everything() {
        let settings: Settings =
            serde_json::from_str(r#"{"image": "debian", "build": {"pull": true}, "size": "5"}"#).expect("is an object");
        let document: Json = serde_json::from_slice(&sample().document(&settings)).expect("is JSON");
        assert_eq!(
            document,
            json!({
                "value": {
                    "image": "debian", "size": 5, "tags": null, "build": {"pull": true}, "disk": [],
                    "packer_debug": null,
                },
                "type": ["object", {
                    "image": "string", "size": "number", "tags": ["list", "string"],
                    "build": ["object", {"pull": "bool"}], "disk": ["list", ["object", {"pull": "bool"}]],
                    "packer_debug": "bool",
                }],
            })
        );
    }

    #[test]
    fn the_planner_gets_what_templates_may_set() {
        let names: Vec<String> = sample().options(true).iter().map(|option| option.name.to_string()).collect();
        assert_eq!(names, ["build", "disk", "image", "size", "tags"]);
    }
}
