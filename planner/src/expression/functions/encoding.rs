//! Base64, the encodings of texts, and URLs.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::Encoding;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::{Fault, Function, Outcome, Parameter, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

const STR: Parameter = parameter("str", kinds::text);
const ENCODING: Parameter = parameter("encoding", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("base64decode", &[STR], results::text, |arguments, _| {
        let bytes = decoded(text(arguments, 0))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| "the result of decoding the provided string is not valid UTF-8".to_owned())?;
        Ok(Value::string(&text))
    }),
    function("base64encode", &[STR], results::text, |arguments, _| {
        Ok(Value::string(&BASE64_STANDARD.encode(text(arguments, 0))))
    }),
    function("base64gzip", &[STR], results::text, gzip),
    function("textdecodebase64", &[parameter("source", kinds::text), ENCODING], results::text, text_decode),
    function("textencodebase64", &[parameter("string", kinds::text), ENCODING], results::text, text_encode),
    function("urlencode", &[STR], results::text, |arguments, _| Ok(Value::string(&url_encoded(text(arguments, 0))))),
];

fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    // Go's decoder reads past line breaks.
    let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    BASE64_STANDARD.decode(&text).map_err(|_| Fault::Argument(0, "failed to decode base64 data".to_owned()))
}

/// Compresses as Go's writer does when it is flushed before it is closed (RFC 1952); the bytes in between depend on
/// the library.
fn gzip(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let content = text(arguments, 0).as_bytes();
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).and_then(|()| encoder.flush()).map_err(|error| error.to_string())?;
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(encoder.get_ref());
    // The end of the stream: an empty block, stored.
    out.extend([1, 0, 0, 0xff, 0xff]);
    let mut sum = flate2::Crc::new();
    sum.update(content);
    out.extend(sum.sum().to_le_bytes());
    out.extend(sum.amount().to_le_bytes());
    Ok(Value::string(&BASE64_STANDARD.encode(out)))
}

/// How a text may be encoded.
enum Code {
    Utf16 { is_big: bool },
    Other(&'static Encoding),
}

/// Finds an encoding by a name of IANA's list.
fn encoding(name: &str) -> Result<Code, Fault> {
    let upper = name.to_uppercase();
    let fault = || Fault::Argument(1, format!("\"{name}\" is not a supported IANA encoding name or alias"));
    match upper.as_str() {
        "UTF-16LE" => return Ok(Code::Utf16 { is_big: false }),
        "UTF-16BE" | "UTF-16" => return Ok(Code::Utf16 { is_big: true }),
        // Labels that browsers know and IANA does not.
        "UTF8" | "UNICODE-1-1-UTF-8" | "X-USER-DEFINED" | "UTF-16-LE" | "UNICODE" => return Err(fault()),
        _ => {}
    }
    Encoding::for_label_no_replacement(upper.as_bytes()).map(Code::Other).ok_or_else(fault)
}

fn text_encode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let (source, name) = (text(arguments, 0), text(arguments, 1));
    let bytes = match encoding(name)? {
        Code::Utf16 { is_big } => source
            .encode_utf16()
            .flat_map(|unit| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect(),
        Code::Other(code) => {
            let (bytes, _, has_gaps) = code.encode(source);
            if has_gaps {
                return Err(format!("the given string contains characters that cannot be represented in {name}").into());
            }
            bytes.into_owned()
        }
    };
    Ok(Value::string(&BASE64_STANDARD.encode(bytes)))
}

fn text_decode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let bytes = decoded(text(arguments, 0))?;
    let name = text(arguments, 1);
    let text = match encoding(name)? {
        Code::Utf16 { is_big } => {
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| {
                    let pair = [pair[0], pair.get(1).copied().unwrap_or(0)];
                    if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
                })
                .collect();
            String::from_utf16_lossy(&units)
        }
        Code::Other(code) => {
            let (text, has_gaps) = code.decode_without_bom_handling(&bytes);
            if has_gaps {
                return Err(format!("the given base64 is not a text in {name}").into());
            }
            text.into_owned()
        }
    };
    Ok(Value::string(&text))
}

fn url_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
