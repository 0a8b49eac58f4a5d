//! MessagePack, in the flavour that plugins speak: values in memory, to and from bytes.
//!
//! Text travels as `str`, bytes as `bin`; a missing list comes as nil. Values arrive in pieces, so reading tells a
//! value that is not whole yet from one that never will be.

use serde_json::Value as Json;

/// Deeper values than this are refused: no plugin sends them, and reading them would eat the stack.
const MAX_DEPTH: usize = 128;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A number that was written as a signed one.
    Int(i64),
    /// A number that was written as an unsigned one.
    Uint(u64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Str(String),
    /// Bytes.
    Bin(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// Keys and values, in their order.
    Map(Vec<(Value, Value)>),
    /// Something of an own type, such as a time.
    Ext(i8, Vec<u8>),
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is more to come.
    #[error("the value is not whole")]
    Incomplete,
    /// What is there is none.
    #[error("the bytes are no MessagePack value")]
    Invalid,
}

impl Value {
    /// Makes a text.
    pub fn str(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// Makes a map whose keys are texts.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(name, value)| (Self::str(name), value)).collect())
    }

    /// Makes a list of texts.
    pub fn strings<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::Array(texts.into_iter().map(|text| Self::str(text)).collect())
    }

    /// Returns a member of a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// Returns a text, be it written as bytes.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Bin(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Returns a whole number that is not negative.
    #[must_use]
    pub fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Int(number) => u32::try_from(*number).ok(),
            Self::Uint(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Returns the texts of a list; nil is an empty one.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let Self::Array(items) = self else { return Vec::new() };
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// Takes a JSON value.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nil,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Int(whole),
                (_, Some(whole)) => Self::Uint(whole),
                _ => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::str(text.as_str()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => {
                Self::Map(members.iter().map(|(name, value)| (Self::str(name), Self::from_json(value))).collect())
            }
        }
    }

    /// Appends the value's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0xc0),
            Self::Bool(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
            Self::Int(number) => write_signed(*number, out),
            Self::Uint(number) => write_unsigned(*number, out),
            Self::Float(number) => {
                out.push(0xcb);
                out.extend(number.to_be_bytes());
            }
            Self::Str(text) => {
                let length = text.len();
                match length {
                    0..32 => out.push(0xa0 | narrow(length)),
                    32..256 => out.extend([0xd9, narrow(length)]),
                    _ => write_length(&[0xda, 0xdb], length, out),
                }
                out.extend(text.as_bytes());
            }
            Self::Bin(bytes) => {
                match bytes.len() {
                    length @ 0..256 => out.extend([0xc4, narrow(length)]),
                    length => write_length(&[0xc5, 0xc6], length, out),
                }
                out.extend(bytes);
            }
            Self::Array(items) => {
                match items.len() {
                    length @ 0..16 => out.push(0x90 | narrow(length)),
                    length => write_length(&[0xdc, 0xdd], length, out),
                }
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                match entries.len() {
                    length @ 0..16 => out.push(0x80 | narrow(length)),
                    length => write_length(&[0xde, 0xdf], length, out),
                }
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::Ext(kind, bytes) => {
                match bytes.len() {
                    1 => out.push(0xd4),
                    2 => out.push(0xd5),
                    4 => out.push(0xd6),
                    8 => out.push(0xd7),
                    16 => out.push(0xd8),
                    length @ 0..256 => out.extend([0xc7, narrow(length)]),
                    length => write_length(&[0xc8, 0xc9], length, out),
                }
                out.extend(kind.to_be_bytes());
                out.extend(bytes);
            }
        }
    }

    /// Reads the value at the front and returns it with the number of bytes that it took.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no value, or not all of it.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value(0)?;
        Ok((value, reader.at))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "callers have looked at the size")]
fn narrow(length: usize) -> u8 {
    length as u8
}

fn write_length(marks: &[u8; 2], length: usize, out: &mut Vec<u8>) {
    if let Ok(short) = u16::try_from(length) {
        out.push(marks[0]);
        out.extend(short.to_be_bytes());
    } else {
        out.push(marks[1]);
        out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

fn write_signed(number: i64, out: &mut Vec<u8>) {
    if (-32..128).contains(&number) {
        out.extend(i8::try_from(number).unwrap_or_default().to_be_bytes());
    } else if let Ok(number) = i8::try_from(number) {
        out.push(0xd0);
        out.extend(number.to_be_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xd1);
        out.extend(number.to_be_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(0xd2);
        out.extend(number.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend(number.to_be_bytes());
    }
}

fn write_unsigned(number: u64, out: &mut Vec<u8>) {
    if let Ok(number) = u8::try_from(number) {
        if number >= 128 {
            out.push(0xcc);
        }
        out.push(number);
    } else if let Ok(number) = u16::try_from(number) {
        out.push(0xcd);
        out.extend(number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        out.push(0xce);
        out.extend(number.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend(number.to_be_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed::Invalid)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed::Incomplete)?;
        self.at = end;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Invalid)
    }

    fn length(&mut self, width: usize) -> Result<usize, Malformed> {
        Ok(self.take(width)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed::Invalid);
        }
        let [mark] = self.fixed()?;
        Ok(match mark {
            0x00..=0x7f => Value::Int(i64::from(mark)),
            0xe0..=0xff => Value::Int(i64::from(i8::from_be_bytes([mark]))),
            0x80..=0x8f => self.map(usize::from(mark & 0x0f), depth)?,
            0x90..=0x9f => self.array(usize::from(mark & 0x0f), depth)?,
            0xa0..=0xbf => self.text(usize::from(mark & 0x1f))?,
            0xc0 => Value::Nil,
            0xc1 => return Err(Malformed::Invalid),
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(1 << (mark - 0xc4))?;
                Value::Bin(self.take(length)?.to_vec())
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (mark - 0xc7))?;
                self.ext(length)?
            }
            0xca => Value::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Value::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Value::Uint(u64::from(u8::from_be_bytes(self.fixed()?))),
            0xcd => Value::Uint(u64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Value::Uint(u64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => Value::Uint(u64::from_be_bytes(self.fixed()?)),
            0xd0 => Value::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Value::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Value::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Value::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4..=0xd8 => self.ext(1 << (mark - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(1 << (mark - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(2 << (mark - 0xdc))?;
                self.array(length, depth)?
            }
            0xde | 0xdf => {
                let length = self.length(2 << (mark - 0xde))?;
                self.map(length, depth)?
            }
        })
    }

    fn text(&mut self, length: usize) -> Result<Value, Malformed> {
        // Output of commands need not be UTF-8.
        Ok(Value::Str(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    fn ext(&mut self, length: usize) -> Result<Value, Malformed> {
        let kind = i8::from_be_bytes(self.fixed()?);
        Ok(Value::Ext(kind, self.take(length)?.to_vec()))
    }

    // Lengths are not trusted with memory: a list grows as its items come.
    fn array(&mut self, length: usize, depth: usize) -> Result<Value, Malformed> {
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, Malformed> {
        let mut entries = Vec::new();
        for _ in 0..length {
            entries.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        value.write(&mut out);
        out
    }

    #[test]
    fn what_is_written_is_read_again() {
        let long = "x".repeat(70_000);
        let values = [
            Value::Nil,
            Value::Bool(true),
            Value::Float(1.5),
            Value::Str(long.clone()),
            Value::str("short"),
            Value::str("x".repeat(200)),
            Value::Bin(vec![1; 300]),
            Value::Array(vec![Value::Nil; 20]),
            Value::map([("a", Value::Bool(false)), ("b", Value::strings(["c", "d"]))]),
            Value::Ext(-1, vec![0; 12]),
        ];
        for value in values {
            let written = bytes(&value);
            assert_eq!(Value::read(&written), Ok((value, written.len())));
            assert!(Value::read(&written[..written.len() - 1]).is_err());
        }
        for number in [0, 127, 128, -1, -32, -33, 300, -300, 70_000, i64::MIN, i64::MAX] {
            assert_eq!(Value::read(&bytes(&Value::Int(number))).map(|(value, _)| value), Ok(Value::Int(number)));
        }
        assert_eq!(bytes(&Value::Int(300)), [0xd1, 0x01, 0x2c], "as Go writes it");
    }

    #[test]
    fn what_is_not_whole_is_told_from_what_is_wrong() {
        assert_eq!(Value::read(&[0x92, 0xc0]), Err(Malformed::Incomplete));
        assert_eq!(Value::read(&[0xc1]), Err(Malformed::Invalid));
        assert_eq!(Value::read(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Incomplete));
        assert_eq!(Value::read(&[0x91; 1000]), Err(Malformed::Invalid), "too deep");
    }
}
