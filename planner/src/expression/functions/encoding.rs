//! Base64, compressed or not, and URLs.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;

use super::deflate::deflate;
use super::{Fault, Function, Outcome, Parameter, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

const STR: Parameter = parameter("str", kinds::text);

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
    function("urlencode", &[STR], results::text, |arguments, _| Ok(Value::string(&url_encoded(text(arguments, 0))))),
];

/// Bits beyond the last byte mean nothing.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Reads base64 as Go does.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    // Go's decoder reads past line breaks.
    let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    LENIENT.decode(&text).map_err(|_| Fault::Argument(0, "failed to decode base64 data".to_owned()))
}

/// Compresses as Go's writer does when it is flushed before it is closed (RFC 1952).
fn gzip(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let content = text(arguments, 0).as_bytes();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    out.extend(deflate(content));
    let mut sum = flate2::Crc::new();
    sum.update(content);
    out.extend(sum.sum().to_le_bytes());
    out.extend(sum.amount().to_le_bytes());
    Ok(Value::string(&BASE64_STANDARD.encode(out)))
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
