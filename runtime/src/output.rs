//! Cuts a byte stream into lines.

/// Longer lines are cut, so that a program that prints no line break cannot fill the memory.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Collects bytes and gives out whole lines.
///
/// A carriage return ends a line as a line feed does, since progress bars use it; the two together are one end.
/// Bytes that are no UTF-8 are replaced.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    pending: Vec<u8>,
    after_return: bool,
}

impl LineSplitter {
    /// Takes bytes and hands every line that is complete to `sink`.
    pub fn push(&mut self, bytes: &[u8], mut sink: impl FnMut(String)) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if *first == b'\n' && std::mem::take(&mut self.after_return) {
                rest = &rest[1..];
                continue;
            }
            self.after_return = false;
            let room = MAX_LINE_BYTES - self.pending.len();
            let end = rest.iter().take(room).position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.unwrap_or(room.min(rest.len()));
            self.pending.extend_from_slice(&rest[..length]);
            match end {
                Some(end) => {
                    self.after_return = rest[end] == b'\r';
                    sink(self.take());
                    rest = &rest[end + 1..];
                }
                None => {
                    if self.pending.len() == MAX_LINE_BYTES {
                        sink(self.take());
                    }
                    rest = &rest[length..];
                }
            }
        }
    }

    /// Hands out what is left when the stream has ended.
    pub fn finish(&mut self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |line| lines.push(line));
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_survive_any_cut_into_chunks() {
        let chunks: [&[u8]; 4] = [b"one\ntw", b"o\r", b"\nthree\r50%\r10", b"0%"];
        assert_eq!(split(&chunks), ["one", "two", "three", "50%", "100%"]);
    }

    #[test]
    fn empty_lines_are_kept_and_a_last_line_needs_no_end() {
        assert_eq!(split(&[b"a\n\nb"]), ["a", "", "b"]);
        assert_eq!(split(&[b""]), Vec::<String>::new());
    }

    #[test]
    fn an_endless_line_is_cut() {
        let lines = split(&[&vec![b'x'; MAX_LINE_BYTES + 1]]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES, 1]);
    }
}
