//! Texts as bytes, in encodings by their names in IANA's register.
//!
//! `code_pages.tsv` has one line an encoding: its names, and what its bytes stand for, four digits each and dashes for
//! bytes that stand for nothing: all 256, or the upper 128 where the lower are ASCII. Encodings of more than one byte a
//! character have the name of what encodes them instead, after an equals sign.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, SHIFT_JIS};

use super::encoding::decoded;
use super::{Fault, Function, Outcome, Parameter, Value, function, kinds, parameter, results, text};
use crate::expression::scope::Host;

const ENCODING: Parameter = parameter("encoding", kinds::text);

pub(super) const FUNCTIONS: &[Function] = &[
    function("textdecodebase64", &[parameter("source", kinds::text), ENCODING], results::text, text_decode),
    function("textencodebase64", &[parameter("string", kinds::text), ENCODING], results::text, text_encode),
];

/// How a text may be encoded.
enum Code {
    Utf8,
    /// With a mark of the order of bytes, or in an order that is agreed upon.
    Utf16 {
        is_big: bool,
        has_mark: bool,
    },
    Ascii,
    /// Characters of the Chinese standard of 1980 in seven bits, between braces with tildes (RFC 1843).
    HzGb2312,
    /// What each byte stands for.
    Page(Vec<Option<char>>),
    Other(&'static Encoding),
}

/// The encodings with their names.
static CODES: LazyLock<Vec<(Vec<&str>, Code)>> = LazyLock::new(|| {
    let lines = include_str!("code_pages.tsv").lines().filter_map(|line| line.split_once('\t'));
    lines.filter_map(|(names, content)| Some((names.split(' ').collect(), code(content)?))).collect()
});

fn code(content: &str) -> Option<Code> {
    let Some(name) = content.strip_prefix('=') else {
        let mut page: Vec<Option<char>> = Vec::new();
        if content.len() == 4 * 128 {
            page.extend((0_u8..128).map(|byte| Some(char::from(byte))));
        }
        let codes = content.as_bytes().chunks(4).map(|digits| std::str::from_utf8(digits).unwrap_or_default());
        page.extend(codes.map(|digits| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)));
        return (page.len() == 256).then_some(Code::Page(page));
    };
    Some(match name {
        "utf-8" => Code::Utf8,
        "utf-16" => Code::Utf16 { is_big: true, has_mark: true },
        "utf-16be" => Code::Utf16 { is_big: true, has_mark: false },
        "utf-16le" => Code::Utf16 { is_big: false, has_mark: false },
        "us-ascii" => Code::Ascii,
        "hz-gb-2312" => Code::HzGb2312,
        "big5" => Code::Other(BIG5),
        "euc-kr" => Code::Other(EUC_KR),
        "extended_unix_code_packed_format_for_japanese" => Code::Other(EUC_JP),
        "gb18030" => Code::Other(GB18030),
        "gbk" => Code::Other(GBK),
        "iso-2022-jp" => Code::Other(ISO_2022_JP),
        "shift_jis" => Code::Other(SHIFT_JIS),
        _ => return None,
    })
}

fn find(name: &str) -> Result<&'static Code, Fault> {
    let wanted = name.trim().to_lowercase();
    CODES
        .iter()
        .find(|(names, _)| names.contains(&wanted.as_str()))
        .map(|(_, code)| code)
        .ok_or_else(|| Fault::Argument(1, format!("\"{name}\" is not a supported IANA encoding name or alias")))
}

fn text_encode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let (source, name) = (text(arguments, 0), text(arguments, 1));
    let bytes = find(name)?
        .encode(source)
        .ok_or_else(|| format!("the given string contains characters that cannot be represented in {name}"))?;
    Ok(Value::string(&BASE64_STANDARD.encode(bytes)))
}

fn text_decode(arguments: &[Value], _: &Host<'_>) -> Outcome {
    let name = text(arguments, 1);
    let code = find(name)?;
    let text = code
        .decode(&decoded(text(arguments, 0))?)
        // A character that stands for what could not be read is none that a text should have.
        .filter(|text| !text.contains(char::REPLACEMENT_CHARACTER))
        .ok_or_else(|| format!("the given base64 is not a text in {name}"))?;
    Ok(Value::string(&text))
}

impl Code {
    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Utf16 { is_big, has_mark } => {
                let mark = (*has_mark && !text.is_empty()).then_some(0xfeff);
                let units = mark.into_iter().chain(text.encode_utf16());
                Some(units.flat_map(|unit| if *is_big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect())
            }
            Self::HzGb2312 => encode_hz(text),
            Self::Page(page) => {
                let byte = |c: char| u8::try_from(page.iter().position(|other| *other == Some(c))?).ok();
                text.chars().map(byte).collect()
            }
            Self::Other(encoding) => {
                let (bytes, _, has_gaps) = encoding.encode(text);
                (!has_gaps).then(|| bytes.into_owned())
            }
        }
    }

    fn decode(&self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Self::Ascii => bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned()),
            Self::Utf16 { is_big, has_mark } => {
                let (is_big, bytes) = match bytes {
                    [0xfe, 0xff, rest @ ..] if *has_mark => (true, rest),
                    [0xff, 0xfe, rest @ ..] if *has_mark => (false, rest),
                    bytes => (*is_big, bytes),
                };
                let units = bytes.chunks_exact(2).map(|pair| {
                    let pair = [pair[0], pair[1]];
                    if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
                });
                let units: Vec<u16> = units.collect();
                (bytes.len() % 2 == 0).then_some(())?;
                String::from_utf16(&units).ok()
            }
            Self::HzGb2312 => decode_hz(bytes),
            Self::Page(page) => bytes.iter().map(|byte| page[usize::from(*byte)]).collect(),
            Self::Other(encoding) => {
                let (text, has_gaps) = encoding.decode_without_bom_handling(bytes);
                // Browsers take bytes of private meaning for characters of private use; Packer refuses them.
                let is_private = *encoding != GB18030 && text.contains(|c| ('\u{e000}'..='\u{f8ff}').contains(&c));
                (!has_gaps && !is_private).then(|| text.into_owned())
            }
        }
    }
}

/// The bytes that make a character of the Chinese standard, with the upper bits away.
const FIRST: std::ops::RangeInclusive<u8> = 0x21..=0x7d;
const SECOND: std::ops::RangeInclusive<u8> = 0x21..=0x7e;

fn encode_hz(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut is_chinese = false;
    for c in text.chars() {
        if c == '~' {
            out.extend(b"~~");
        } else if c.is_ascii() {
            if std::mem::take(&mut is_chinese) {
                out.extend(b"~}");
            }
            out.push(u8::try_from(c).ok()?);
        } else {
            let mut buffer = [0; 4];
            let (bytes, _, has_gaps) = GBK.encode(c.encode_utf8(&mut buffer));
            let [first, second] = bytes.as_ref() else { return None };
            let pair = [first.wrapping_sub(0x80), second.wrapping_sub(0x80)];
            if has_gaps || !FIRST.contains(&pair[0]) || !SECOND.contains(&pair[1]) {
                return None;
            }
            if !std::mem::replace(&mut is_chinese, true) {
                out.extend(b"~{");
            }
            out.extend(pair);
        }
    }
    Some(out)
}

fn decode_hz(bytes: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut is_chinese = false;
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return Some(out),
            [b'~', b'{', rest @ ..] => {
                is_chinese = true;
                rest
            }
            [b'~', b'}', rest @ ..] => {
                is_chinese = false;
                rest
            }
            [b'~', b'~', rest @ ..] => {
                out.push('~');
                rest
            }
            [b'~', b'\n', rest @ ..] => rest,
            [first, second, rest @ ..] if is_chinese && FIRST.contains(first) && SECOND.contains(second) => {
                let pair = [first | 0x80, second | 0x80];
                let (text, has_gaps) = GBK.decode_without_bom_handling(&pair);
                (!has_gaps).then(|| out.push_str(&text))?;
                rest
            }
            [byte, rest @ ..] if !is_chinese && byte.is_ascii() && *byte != b'~' => {
                out.push(char::from(*byte));
                rest
            }
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str, text: &str) -> Option<Vec<u8>> {
        find(name).ok().and_then(|code| code.encode(text))
    }

    fn read(name: &str, bytes: &[u8]) -> Option<String> {
        find(name).ok().and_then(|code| code.decode(bytes))
    }

    #[test]
    fn every_line_is_an_encoding() {
        assert_eq!(CODES.len(), include_str!("code_pages.tsv").lines().count());
        for (names, code) in CODES.iter() {
            let text = code.encode("Az09 ").and_then(|bytes| code.decode(&bytes));
            assert_eq!(text.as_deref(), Some("Az09 "), "{names:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_register() {
        for name in ["csUTF8", "IBM852", "ms936", "L1", " utf-8 ", "CP437", "ISO-8859-8-I"] {
            assert!(find(name).is_ok(), "{name}");
        }
        for name in ["utf8", "x-sjis", "windows-31j", "GB2312", "ISO-8859-11", "cp1252", "ASCII", ""] {
            assert!(find(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_has_no_bytes_or_no_character_is_refused() {
        assert_eq!(encoded("IBM437", "é"), Some(vec![0x82]));
        assert_eq!(encoded("IBM037", "a"), Some(vec![0x81]));
        assert_eq!(encoded("latin1", "€"), None);
        assert_eq!(read("latin1", &[0x82]).as_deref(), Some("\u{82}"));
        assert_eq!(read("windows-1252", &[0x81]), None);
        assert_eq!(read("us-ascii", &[0xe9]), None);
        assert_eq!(read("GBK", &[0xa7, 0x42]), None);
        assert_eq!(encoded("UTF-16", "a"), Some(vec![0xfe, 0xff, 0, b'a']));
        assert_eq!(read("UTF-16", &[0xff, 0xfe, b'a', 0]).as_deref(), Some("a"));
        assert_eq!(read("UTF-16LE", b"a"), None);
        assert_eq!(encoded("HZ-GB-2312", "a~中b"), Some(b"a~~~{VP~}b".to_vec()));
        assert_eq!(read("HZ-GB-2312", b"a~~~{VP~}b").as_deref(), Some("a~中b"));
        assert_eq!(encoded("HZ-GB-2312", "€"), None);
    }
}
