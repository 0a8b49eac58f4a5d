//! Random changes of texts, on the level of tokens and of characters.

use rpk_planner::hcl::scanner::scan;

/// Makes mutants from a corpus, the same ones for the same seed.
pub struct Mutator {
    state: u64,
    texts: Vec<String>,
    /// Tokens of all texts, and of things that no text should hold.
    words: Vec<String>,
}

const EXTRAS: &[&str] = &[
    "\n",
    "\r\n",
    "\n\n",
    " ",
    "\t",
    "  ",
    "# c\n",
    "// d\n",
    "/* e */",
    "/*f\n*/",
    "${",
    "%{",
    "${~",
    "~}",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "<<X\n",
    "<<-X\n",
    "\nX\n",
    "X\n",
    "=",
    ":",
    "::",
    "=>",
    "...",
    "..",
    ".",
    ",",
    "*",
    "[*]",
    ".*",
    ".0",
    "-",
    "!",
    "?",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "+",
    "/",
    "%",
    "for",
    "in",
    "if",
    "else",
    "endif",
    "endfor",
    "true",
    "null",
    "$",
    "$$",
    "%%",
    "$${",
    "%%{",
    "\\",
    "\\n",
    "\\u00e9",
    "\\x",
    "\r",
    "'",
    "`",
    ";",
    "&",
    "|",
    "^",
    "~",
    "é",
    "日本",
    "👩‍👩‍👧",
    "\u{feff}",
    "\u{a0}",
    "\u{301}",
    "“",
    "1",
    "1.5",
    "1e5",
    "1.2.3",
    "a",
    "a-b",
    "_x",
    "\"s\"",
    "\"${a}\"",
    "%{if a}",
    "%{endif}",
    "%{ for a, b in c }",
    "%{endfor}",
    "{ a = 1 }",
    "[1, 2]",
    "f(",
    "a.b",
    "x = 1\n",
    "b {\n",
    "}\n",
    "b \"l\" { y = 2 }\n",
];

/// Characters that mean something together.
const SOUP: [char; 40] = [
    '$', '$', '%', '{', '{', '}', '}', '~', '"', '\\', '\n', '\n', '\r', ' ', ' ', '\t', '<', '-', 'X', 'a', 'n', 'e',
    '1', '.', '=', '*', '[', ']', '(', ')', ',', ':', '?', '!', '#', '/', 'é', '\u{301}', '日', '\u{feff}',
];

impl Mutator {
    /// Prepares a mutator.
    pub fn new(seed: u64, corpus: &[(String, String)]) -> Self {
        let texts: Vec<String> = corpus.iter().map(|(_, text)| text.clone()).collect();
        let mut words: Vec<String> = Vec::new();
        for text in &texts {
            words.extend(pieces(text));
        }
        words.sort();
        words.dedup();
        words.retain(|word| word.len() < 40);
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, texts, words }
    }

    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % bound.max(1)
    }

    fn word(&mut self) -> String {
        if self.below(4) == 0 {
            let at = self.below(self.words.len());
            self.words[at].clone()
        } else {
            EXTRAS[self.below(EXTRAS.len())].to_owned()
        }
    }

    /// Returns a mutant of one of the texts, or a text of random words.
    pub fn mutant(&mut self) -> String {
        if self.below(20) == 0 {
            let count = 1 + self.below(60);
            let start = ["", "a = \"", "a = <<X\n", "a = <<-X\n"][self.below(4)];
            let end = ["", "\"", "\nX\n"][self.below(3)];
            let middle: String = (0..count).map(|_| SOUP[self.below(SOUP.len())]).collect();
            return [start, &middle, end].concat();
        }
        if self.below(20) == 0 {
            let count = 1 + self.below(30);
            return (0..count).map(|_| self.word()).collect();
        }
        let at = if self.below(2) == 0 { self.below(super::SEEDS.len()) } else { self.below(self.texts.len()) };
        let mut text = self.texts[at].clone();
        if text.len() > 4000 {
            let start = self.below(text.len() - 3000);
            text = text.bytes().skip(start).take(3000).map(char::from).filter(char::is_ascii).collect();
        }
        let mut parts = pieces(&text);
        // Blanks only, a few changes of any kind, or many.
        let (count, blanks_only) = match self.below(4) {
            0 => (1 + self.below(10), true),
            1 => (1, false),
            2 => (1 + self.below(4), false),
            _ => (1 + self.below(12), self.below(2) == 0),
        };
        for _ in 0..count {
            let at = self.below(parts.len() + 1);
            let has = at < parts.len();
            match self.below(if blanks_only { 3 } else { 8 }) {
                0 if has && parts[at].trim_matches([' ', '\t']).is_empty() => {
                    parts[at] = " ".repeat(self.below(4));
                }
                1 => parts.insert(at, [" ", "\t", "\n", "  ", "/* c */", "# c\n"][self.below(6)].to_owned()),
                0 | 2 => parts.insert(at, " ".to_owned()),
                3 | 4 if has => {
                    parts.remove(at);
                }
                5 if has => parts[at] = self.word(),
                6 if has => {
                    let other = self.below(parts.len());
                    parts.swap(at, other);
                }
                _ => {
                    let word = self.word();
                    parts.insert(at, word);
                }
            }
        }
        parts.concat()
    }
}

/// Cuts a text into its tokens and the blanks between them.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for token in scan(text) {
        let range = token.span.range();
        if range.start > end {
            pieces.push(text[end..range.start].to_owned());
        }
        end = range.end;
        pieces.push(text[range].to_owned());
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}
