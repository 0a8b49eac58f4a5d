//! Go's `fmt`: how values print, by themselves and through the verbs of `printf`.

mod verbs;

use std::fmt::Write as _;

use self::verbs::Verbs;
use super::value::Value;
use super::{float, quote};

/// Prints values into a text of bounded length.
pub(super) struct Printer {
    out: String,
    limit: usize,
}

/// The flags, width and precision of a verb.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a verb")]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%#v`, which prints Go syntax.
    syntax: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Formats one value for a message; one that is too long is cut off.
pub(super) fn format_with(format: &str, value: &Value) -> String {
    Printer::new(1 << 16).printf(format, std::slice::from_ref(value)).unwrap_or_else(|_| "...".into())
}

type Printed = Result<(), String>;

impl Printer {
    /// Makes a printer that refuses to print more than `limit` bytes, give or take one value.
    pub fn new(limit: usize) -> Self {
        Printer { out: String::new(), limit }
    }

    /// Prints the values, with spaces between those of which neither is a string.
    pub fn print(mut self, values: &[Value]) -> Result<String, String> {
        let mut was_string = true;
        for value in values {
            let is_string = value.as_str().is_some();
            if !was_string && !is_string {
                self.out.push(' ');
            }
            self.value(value, 'v', Flags::default())?;
            was_string = is_string;
        }
        Ok(self.out)
    }

    /// Prints the values with spaces between them and a newline behind.
    pub fn println(mut self, values: &[Value]) -> Result<String, String> {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.push(' ');
            }
            self.value(value, 'v', Flags::default())?;
        }
        self.out.push('\n');
        Ok(self.out)
    }

    /// Prints the values as `format` says. Mistakes in it show in the text, as in Go.
    pub fn printf(mut self, format: &str, values: &[Value]) -> Result<String, String> {
        let mut verbs = Verbs { format, position: 0, values, next: 0, is_reordered: false };
        while let Some(length) = format[verbs.position..].find('%') {
            let percent = verbs.position + length;
            self.push_str(&format[verbs.position..percent])?;
            verbs.position = percent + 1;
            if !verbs.print_next(&mut self)? {
                verbs.position = format.len();
            }
        }
        self.push_str(&format[verbs.position..])?;
        if !verbs.is_reordered && verbs.next < values.len() {
            self.out.push_str("%!(EXTRA ");
            for (index, value) in values[verbs.next..].iter().enumerate() {
                if index > 0 {
                    self.out.push_str(", ");
                }
                self.typed(value, Flags::default())?;
            }
            self.out.push(')');
        }
        Ok(self.out)
    }

    fn push_str(&mut self, text: &str) -> Printed {
        if self.out.len() + text.len() > self.limit {
            return Err("text is too long".into());
        }
        self.out.push_str(text);
        Ok(())
    }

    fn fill(&mut self, count: usize, flags: Flags) -> Printed {
        let fill = if flags.zero && !flags.minus { "0" } else { " " };
        self.push_str(&fill.repeat(count))
    }

    /// Prints `text`, padded to the width.
    fn pad(&mut self, text: &str, flags: Flags) -> Printed {
        let count = flags.width.map_or(0, |width| width.saturating_sub(text.chars().count()));
        if flags.minus {
            self.push_str(text)?;
            self.fill(count, flags)
        } else {
            self.fill(count, flags)?;
            self.push_str(text)
        }
    }

    /// Prints a value with its type, as in `int=5`.
    fn typed(&mut self, value: &Value, flags: Flags) -> Printed {
        if *value == Value::Nil {
            return self.push_str("<nil>");
        }
        self.push_str(value.type_name())?;
        self.push_str("=")?;
        self.value(value, 'v', flags)
    }

    fn bad_verb(&mut self, value: &Value, verb: char, flags: Flags) -> Printed {
        self.push_str(&format!("%!{verb}("))?;
        self.typed(value, flags)?;
        self.push_str(")")
    }

    fn value(&mut self, value: &Value, verb: char, flags: Flags) -> Printed {
        match (verb, value) {
            ('T' | 'v', Value::Nil) => self.pad("<nil>", flags),
            ('T', value) => self.string(value.type_name(), flags),
            // There are no addresses and no errors among the values.
            ('p' | 'w', value) | (_, value @ Value::Nil) => self.bad_verb(value, verb, flags),
            ('t' | 'v', Value::Bool(value)) => self.pad(if *value { "true" } else { "false" }, flags),
            (_, Value::Int(number)) => self.int(value, *number, verb, flags),
            (_, Value::Float(number)) => self.float(value, *number, verb, flags),
            ('v', Value::String(text)) if flags.syntax => self.quoted(text, flags),
            ('v' | 's', Value::String(text)) => self.string(text, flags),
            ('q', Value::String(text)) => self.quoted(text, flags),
            ('x' | 'X', Value::String(text)) => self.hex(text.as_bytes(), verb == 'X', flags),
            (_, Value::List(items)) => {
                let (open, separator, close) =
                    if flags.syntax { ("[]interface {}{", ", ", "}") } else { ("[", " ", "]") };
                self.push_str(open)?;
                for (index, item) in items.iter().enumerate() {
                    self.push_str(if index > 0 { separator } else { "" })?;
                    self.element(item, verb, flags)?;
                }
                self.push_str(close)
            }
            (_, Value::Map(entries)) => {
                let (open, separator, close) =
                    if flags.syntax { ("map[string]interface {}{", ", ", "}") } else { ("map[", " ", "]") };
                self.push_str(open)?;
                for (index, (key, item)) in entries.iter().enumerate() {
                    self.push_str(if index > 0 { separator } else { "" })?;
                    self.value(&key.as_str().into(), verb, flags)?;
                    self.push_str(":")?;
                    self.element(item, verb, flags)?;
                }
                self.push_str(close)
            }
            _ => self.bad_verb(value, verb, flags),
        }
    }

    /// Prints a value within a list or a map.
    fn element(&mut self, value: &Value, verb: char, flags: Flags) -> Printed {
        match value {
            Value::Nil if flags.syntax => self.push_str("interface {}(nil)"),
            Value::Nil => self.push_str("<nil>"),
            value => self.value(value, verb, flags),
        }
    }

    fn string(&mut self, text: &str, flags: Flags) -> Printed {
        self.pad(cut(text, flags), flags)
    }

    fn quoted(&mut self, text: &str, flags: Flags) -> Printed {
        let text = cut(text, flags);
        if flags.sharp && quote::can_backquote(text) {
            return self.pad(&format!("`{text}`"), flags);
        }
        self.pad(&quote::quote_with(text, '"', flags.plus), flags)
    }

    fn hex(&mut self, bytes: &[u8], is_upper: bool, flags: Flags) -> Printed {
        let bytes = &bytes[..flags.precision.map_or(bytes.len(), |precision| precision.min(bytes.len()))];
        let prefix = match (flags.sharp && !bytes.is_empty(), is_upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut text = String::with_capacity(2 * bytes.len() + 2);
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && flags.space {
                text.push(' ');
            }
            if index == 0 || flags.space {
                text.push_str(prefix);
            }
            // Writing to a string cannot fail.
            let _ = if is_upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        }
        self.pad(&text, flags)
    }

    fn int(&mut self, value: &Value, number: i64, verb: char, flags: Flags) -> Printed {
        let magnitude = number.unsigned_abs();
        let digits = match verb {
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' | 'q' | 'U' => return self.code_point(number, verb, flags),
            _ => return self.bad_verb(value, verb, flags),
        };
        let is_negative = number < 0;
        let mut wanted = 0;
        match flags.precision {
            // Nothing stands for a zero of no digits.
            Some(0) if number == 0 => {
                return self.fill(flags.width.unwrap_or(0), Flags { zero: false, ..flags });
            }
            Some(precision) => wanted = precision,
            None if flags.zero && !flags.minus => {
                let has_sign = is_negative || flags.plus || flags.space;
                wanted = flags.width.unwrap_or(0).saturating_sub(usize::from(has_sign));
            }
            None => {}
        }
        let digits = format!("{}{digits}", "0".repeat(wanted.saturating_sub(digits.len())));
        let prefix = match (verb, flags.sharp) {
            ('b', true) => "0b",
            ('o', true) if !digits.starts_with('0') => "0",
            ('O', true) if !digits.starts_with('0') => "0o0",
            ('O', _) => "0o",
            ('x', true) => "0x",
            ('X', true) => "0X",
            _ => "",
        };
        let sign = match (is_negative, flags.plus, flags.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        self.pad(&format!("{sign}{prefix}{digits}"), Flags { zero: false, ..flags })
    }

    fn code_point(&mut self, number: i64, verb: char, flags: Flags) -> Printed {
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        if verb == 'U' {
            let digits = flags.precision.unwrap_or(0).max(4);
            let mut text = format!("U+{number:0digits$X}", digits = digits.min(usize::from(u16::MAX)));
            if let Some(c) = c.filter(|c| flags.sharp && quote::is_printable(*c)) {
                text.extend([' ', '\'', c, '\'']);
            }
            return self.pad(&text, Flags { zero: false, ..flags });
        }
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'c' => self.pad(c.encode_utf8(&mut [0; 4]), flags),
            _ => self.pad(&quote::quote_with(c.encode_utf8(&mut [0; 4]), '\'', flags.plus), flags),
        }
    }

    fn float(&mut self, value: &Value, number: f64, verb: char, flags: Flags) -> Printed {
        let (format, precision) = match verb {
            'v' => ('g', flags.precision),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, flags.precision),
            'e' | 'E' => (verb, flags.precision.or(Some(6))),
            'f' | 'F' => ('f', flags.precision.or(Some(6))),
            _ => return self.bad_verb(value, verb, flags),
        };
        let text = float::format(number, format, precision);
        let (mut sign, mut digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits.to_owned()),
            None => ("+", text.clone()),
        };
        if flags.space && sign == "+" && !flags.plus {
            sign = " ";
        }
        if !number.is_finite() {
            // There is no padding an infinity with zeros.
            let bare = number.is_nan() && !flags.space && !flags.plus;
            let sign = if bare { "" } else { sign };
            return self.pad(&format!("{sign}{digits}"), Flags { zero: false, ..flags });
        }
        if flags.sharp && format != 'b' {
            digits = keep_zeros(&digits, format, precision);
        }
        if sign == "+" && !flags.plus {
            return self.pad(&digits, flags);
        }
        let length = digits.len() + 1;
        match flags.width {
            Some(width) if flags.zero && !flags.minus && width > length => {
                self.push_str(sign)?;
                self.fill(width - length, flags)?;
                self.push_str(&digits)
            }
            _ => self.pad(&format!("{sign}{digits}"), flags),
        }
    }
}

/// Cuts `text` to as many characters as the precision allows.
fn cut(text: &str, flags: Flags) -> &str {
    let end = flags.precision.and_then(|precision| text.char_indices().nth(precision));
    end.map_or(text, |(end, _)| &text[..end])
}

/// What `#` does to a float: the point stays, and for `%g` the zeros at its end.
fn keep_zeros(number: &str, verb: char, precision: Option<usize>) -> String {
    let marks: &[char] = if matches!(verb, 'x' | 'X') { &['p', 'P'] } else { &['e', 'E'] };
    let (mantissa, tail) = number.split_at(number.find(marks).unwrap_or(number.len()));
    let mut missing = if matches!(verb, 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    let significant = mantissa.trim_start_matches(['0', '.']).chars().filter(|c| *c != '.').count();
    missing = missing.saturating_sub(significant);
    let mut out = mantissa.to_owned();
    if !mantissa.contains('.') {
        if mantissa == "0" {
            missing = missing.saturating_sub(1);
        }
        out.push('.');
    }
    out + &"0".repeat(missing) + tail
}
