//! Go's own encoding, as far as it cannot be avoided: the exit status of a command, and the schemas of older plugins.

use std::collections::{BTreeMap, HashMap};

/// The definition that comes before each exit status; constant.
const DEFINITION: &[u8] =
    b"\x2c\xff\x81\x03\x01\x01\x0fCommandFinished\x01\xff\x82\x00\x01\x01\x01\x0aExitStatus\x01\x04\x00\x00\x00";

/// How deep types and values may be nested.
const MAX_DEPTH: usize = 64;

/// Why bytes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's gob data cannot be read: {0}")]
pub struct Malformed(&'static str);

/// Writes the exit status of a command.
#[must_use]
pub fn exit_status(status: i64) -> Vec<u8> {
    let mut value = vec![0xff, 0x82];
    if status != 0 {
        value.push(1);
        write_signed(status, &mut value);
    }
    value.push(0);
    let mut out = DEFINITION.to_vec();
    write_unsigned(value.len() as u64, &mut out);
    out.extend(value);
    out
}

/// Reads the exit status of a command.
///
/// # Errors
///
/// Fails if the bytes hold none.
pub fn read_exit_status(bytes: &[u8]) -> Result<i64, Malformed> {
    let mut reader = Bytes { bytes };
    loop {
        let length = reader.length()?;
        let mut message = Bytes { bytes: reader.take(length)? };
        if message.signed()? < 0 {
            continue;
        }
        return match message.unsigned()? {
            1 => message.signed(),
            _ => Ok(0),
        };
    }
}

fn write_unsigned(number: u64, out: &mut Vec<u8>) {
    if number < 128 {
        out.push(u8::try_from(number).unwrap_or_default());
        return;
    }
    let bytes = number.to_be_bytes();
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    out.push(u8::try_from(256 - (8 - skipped)).unwrap_or_default());
    out.extend(&bytes[skipped..]);
}

fn write_signed(number: i64, out: &mut Vec<u8>) {
    write_unsigned(((number << 1) ^ (number >> 63)).cast_unsigned(), out);
}

/// A value of any type, as generic readers see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Gob {
    /// A field that was left out, or an empty interface.
    Nothing,
    /// A boolean.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A number with a fraction.
    Float(f64),
    /// Bytes, or a value of a type that encodes itself.
    Bytes(Vec<u8>),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Gob>),
    /// Keys and values.
    Map(Vec<(Gob, Gob)>),
    /// The fields of a struct that are not zero.
    Struct(BTreeMap<String, Gob>),
    /// A value with the name of its type.
    Interface(String, Box<Gob>),
}

impl Gob {
    /// Reads the first value of a stream.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or it is not understood.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut stream = Stream { rest: bytes, message: Bytes { bytes: &[] }, types: HashMap::new() };
        stream.top()
    }

    /// Returns a field of a struct.
    #[must_use]
    pub fn field(&self, name: &str) -> &Gob {
        match self {
            Self::Struct(fields) => fields.get(name).unwrap_or(&Self::Nothing),
            _ => &Self::Nothing,
        }
    }

    /// Returns a text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::String(text) => text,
            _ => "",
        }
    }
}

#[derive(Clone, Debug)]
enum Type {
    List(i64),
    Map(i64, i64),
    Struct(Vec<(String, i64)>),
    Opaque,
}

struct Bytes<'a> {
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn unsigned(&mut self) -> Result<u64, Malformed> {
        let first = self.take(1)?[0];
        if first < 128 {
            return Ok(u64::from(first));
        }
        let length = 256 - usize::from(first);
        if length > 8 {
            return Err(Malformed("a number is too long"));
        }
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self) -> Result<i64, Malformed> {
        let number = self.unsigned()?;
        let half = (number >> 1).cast_signed();
        Ok(if number & 1 == 1 { !half } else { half })
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.unsigned()?).map_err(|_| Malformed("a length is too large"))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = self.length()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}

struct Stream<'a> {
    rest: &'a [u8],
    message: Bytes<'a>,
    types: HashMap<i64, Type>,
}

impl Stream<'_> {
    fn next_message(&mut self) -> Result<(), Malformed> {
        let mut rest = Bytes { bytes: self.rest };
        let length = rest.length()?;
        self.message = Bytes { bytes: rest.take(length)? };
        self.rest = rest.bytes;
        Ok(())
    }

    fn top(&mut self) -> Result<Gob, Malformed> {
        loop {
            self.next_message()?;
            let id = self.message.signed()?;
            if id >= 0 {
                return self.at_top(id, 0);
            }
            self.define(-id)?;
        }
    }

    /// Reads a value as it stands at the top of a stream or inside an interface.
    fn at_top(&mut self, id: i64, depth: usize) -> Result<Gob, Malformed> {
        if !matches!(self.types.get(&id), Some(Type::Struct(_))) && self.message.unsigned()? != 0 {
            return Err(Malformed("a value does not begin as it should"));
        }
        self.value(id, depth)
    }

    /// Reads the definition of a type: a value of a struct that everybody knows.
    fn define(&mut self, id: i64) -> Result<(), Malformed> {
        let mut kind = -1_i64;
        let mut found = None;
        loop {
            let delta = self.message.signed_delta()?;
            if delta == 0 {
                break;
            }
            kind += delta;
            found = Some(self.definition(kind)?);
        }
        self.types.insert(id, found.ok_or(Malformed("a type is not defined"))?);
        Ok(())
    }

    fn definition(&mut self, kind: i64) -> Result<Type, Malformed> {
        let mut field = -1_i64;
        let (mut first, mut second, mut fields) = (0, 0, Vec::new());
        loop {
            let delta = self.message.signed_delta()?;
            if delta == 0 {
                break;
            }
            field += delta;
            match (kind, field) {
                (_, 0) => self.common()?,
                (2, 1) => {
                    let count = self.message.length()?;
                    for _ in 0..count {
                        fields.push(self.struct_field()?);
                    }
                }
                (0 | 1 | 3, 1) => first = self.message.signed()?,
                (0 | 3, 2) => second = self.message.signed()?,
                _ => return Err(Malformed("a type has an unknown form")),
            }
        }
        Ok(match kind {
            0 | 1 => Type::List(first),
            2 => Type::Struct(fields),
            3 => Type::Map(first, second),
            _ => Type::Opaque,
        })
    }

    fn common(&mut self) -> Result<(), Malformed> {
        self.struct_field().map(|_| ())
    }

    /// Reads a struct of a name and an id.
    fn struct_field(&mut self) -> Result<(String, i64), Malformed> {
        let (mut name, mut id, mut field) = (String::new(), 0, -1_i64);
        loop {
            let delta = self.message.signed_delta()?;
            if delta == 0 {
                return Ok((name, id));
            }
            field += delta;
            match field {
                0 => name = self.message.text()?,
                1 => id = self.message.signed()?,
                _ => return Err(Malformed("a type has an unknown form")),
            }
        }
    }

    fn value(&mut self, id: i64, depth: usize) -> Result<Gob, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed("it is nested too deep"));
        }
        Ok(match id {
            1 => Gob::Bool(self.message.unsigned()? != 0),
            2 => Gob::Int(self.message.signed()?),
            3 => Gob::Uint(self.message.unsigned()?),
            4 => Gob::Float(f64::from_bits(self.message.unsigned()?.swap_bytes())),
            5 => self.opaque()?,
            6 => Gob::String(self.message.text()?),
            8 => self.interface(depth)?,
            _ => match self.types.get(&id).cloned().ok_or(Malformed("a type is not defined"))? {
                Type::Opaque => self.opaque()?,
                Type::List(element) => {
                    let count = self.message.length()?;
                    let mut items = Vec::new();
                    for _ in 0..count {
                        items.push(self.value(element, depth + 1)?);
                    }
                    Gob::List(items)
                }
                Type::Map(key, element) => {
                    let count = self.message.length()?;
                    let mut entries = Vec::new();
                    for _ in 0..count {
                        entries.push((self.value(key, depth + 1)?, self.value(element, depth + 1)?));
                    }
                    Gob::Map(entries)
                }
                Type::Struct(fields) => {
                    let mut members = BTreeMap::new();
                    let mut field = -1_i64;
                    loop {
                        let delta = self.message.signed_delta()?;
                        if delta == 0 {
                            break Gob::Struct(members);
                        }
                        field += delta;
                        let (name, id) = usize::try_from(field)
                            .ok()
                            .and_then(|at| fields.get(at))
                            .cloned()
                            .ok_or(Malformed("a struct has an unknown field"))?;
                        members.insert(name, self.value(id, depth + 1)?);
                    }
                }
            },
        })
    }

    fn opaque(&mut self) -> Result<Gob, Malformed> {
        let length = self.message.length()?;
        Ok(Gob::Bytes(self.message.take(length)?.to_vec()))
    }

    fn interface(&mut self, depth: usize) -> Result<Gob, Malformed> {
        let name = self.message.text()?;
        if name.is_empty() {
            return Ok(Gob::Nothing);
        }
        // Definitions inside a value have no length of their own, and may end the message.
        let id = loop {
            if self.message.bytes.is_empty() {
                self.next_message()?;
            }
            let id = self.message.signed()?;
            if id >= 0 {
                break id;
            }
            self.define(-id)?;
            if !self.message.bytes.is_empty() {
                self.message.unsigned()?;
            }
        };
        self.message.unsigned()?;
        let value = self.at_top(id, depth + 1)?;
        Ok(Gob::Interface(name, Box::new(value)))
    }
}

impl Bytes<'_> {
    /// Reads how far on the next field of a struct is; 0 ends it.
    fn signed_delta(&mut self) -> Result<i64, Malformed> {
        i64::try_from(self.unsigned()?).map_err(|_| Malformed("a field is too far on"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_written_as_go_writes_them() {
        for (status, expected) in [
            (0, &[0x03, 0xff, 0x82, 0x00][..]),
            (1, &[0x05, 0xff, 0x82, 0x01, 0x02, 0x00]),
            (137, &[0x07, 0xff, 0x82, 0x01, 0xfe, 0x01, 0x12, 0x00]),
            (2_300_218, &[0x08, 0xff, 0x82, 0x01, 0xfd, 0x46, 0x32, 0x74, 0x00]),
        ] {
            let written = exit_status(status);
            assert_eq!(&written[DEFINITION.len()..], expected);
            assert_eq!(read_exit_status(&written), Ok(status));
        }
        assert_eq!(read_exit_status(&exit_status(-1)), Ok(-1));
    }

    #[test]
    fn later_releases_of_go_number_types_otherwise() {
        let mut bytes = vec![0x2b, 0x7f];
        bytes.extend(&DEFINITION[3..DEFINITION.len()]);
        bytes.extend([0x03, 0xff, 0x80, 0x00]);
        // The definition is skipped by its length, whatever is in it.
        assert_eq!(read_exit_status(&bytes), Ok(0));
    }

    #[test]
    fn what_ends_too_early_is_an_error_and_no_panic() {
        let whole = exit_status(7);
        for length in 0..whole.len() {
            assert!(read_exit_status(&whole[..length]).is_err());
            let _ = Gob::read(&whole[..length]);
        }
    }

    #[test]
    fn a_struct_is_read_by_its_own_definition() {
        let value = Gob::read(&exit_status(7)).expect("is well-formed");
        assert_eq!(*value.field("ExitStatus"), Gob::Int(7));
    }
}
