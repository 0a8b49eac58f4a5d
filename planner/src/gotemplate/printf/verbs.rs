//! The verbs of a format: their flags, widths, precisions and values, and what Go prints for mistakes in them.

use super::{Flags, Printer};
use crate::gotemplate::Value;

/// Widths and precisions beyond this are mistakes to Go.
const MAX_WIDTH: usize = 1_000_000;

/// Where `printf` stands in its format and among its values.
pub(super) struct Verbs<'a> {
    pub format: &'a str,
    pub position: usize,
    pub values: &'a [Value],
    /// The next value to print.
    pub next: usize,
    /// Whether a verb has named its value; then Go no longer counts what is left over.
    pub is_reordered: bool,
}

impl Verbs<'_> {
    fn byte(&self) -> Option<u8> {
        self.format.as_bytes().get(self.position).copied()
    }

    /// Reads one verb, its percent sign past, and prints its value; false if the format ends before the verb.
    pub(super) fn print_next(&mut self, printer: &mut Printer) -> Result<bool, String> {
        let mut flags = Flags::default();
        loop {
            match self.byte() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => break,
            }
            self.position += 1;
        }
        let mut is_good = true;
        let mut is_indexed = self.index(&mut is_good);
        if self.byte() == Some(b'*') {
            self.position += 1;
            match self.star() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.zero &= width >= 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.push_str("%!(BADWIDTH)")?,
            }
            is_indexed = false;
        } else {
            flags.width = self.number();
            is_good &= !(is_indexed && flags.width.is_some());
        }
        if self.byte() == Some(b'.') && self.position + 1 < self.format.len() {
            self.position += 1;
            is_good &= !is_indexed;
            is_indexed = self.index(&mut is_good);
            if self.byte() == Some(b'*') {
                self.position += 1;
                let star = self.star();
                flags.precision = star.and_then(|precision| usize::try_from(precision).ok());
                if flags.precision.is_none() {
                    printer.push_str("%!(BADPREC)")?;
                }
                is_indexed = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !is_indexed {
            self.index(&mut is_good);
        }
        let Some(verb) = self.format.get(self.position..).and_then(|rest| rest.chars().next()) else {
            printer.push_str("%!(NOVERB)")?;
            return Ok(false);
        };
        self.position += verb.len_utf8();
        if verb == '%' {
            printer.push_str("%")?;
        } else if !is_good {
            printer.push_str(&format!("%!{verb}(BADINDEX)"))?;
        } else if let Some(value) = self.values.get(self.next) {
            if matches!(verb, 'v' | 'w') {
                // `%+v` is for structures, of which there are none.
                flags = Flags { syntax: flags.sharp, sharp: false, plus: false, ..flags };
            }
            self.next += 1;
            printer.value(value, verb, flags)?;
        } else {
            printer.push_str(&format!("%!{verb}(MISSING)"))?;
        }
        Ok(true)
    }

    /// Reads `[N]`, which names the value to use next; tells whether there was one.
    fn index(&mut self, is_good: &mut bool) -> bool {
        if self.byte() != Some(b'[') {
            return false;
        }
        self.is_reordered = true;
        let rest = &self.format[self.position + 1..];
        let Some(length) = rest.find(']').filter(|_| rest.len() >= 2) else {
            self.position += 1;
            *is_good = false;
            return false;
        };
        let digits = &rest[..length];
        self.position += length + 2;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<usize>().ok().filter(|number| is_number && *number <= MAX_WIDTH);
        match number.and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.values.len() => self.next = index,
            _ => *is_good = false,
        }
        number.is_some()
    }

    /// Reads a width or a precision. One that is too large swallows the rest of the format, as it does in Go.
    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.position..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return None;
        }
        let number = rest[..length].parse::<usize>().ok();
        // Go notices only once the number has another digit.
        let is_too_large = number.is_none_or(|number| number / 10 > MAX_WIDTH);
        self.position = if is_too_large { self.format.len() } else { self.position + length };
        number.filter(|_| !is_too_large)
    }

    /// Takes a width or a precision from among the values.
    fn star(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Value::Int(number) if number.unsigned_abs() <= MAX_WIDTH as u64 => Some(*number),
            _ => None,
        }
    }
}
