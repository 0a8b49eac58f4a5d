//! The words of HCL2: spans, tokens and what kinds of them there are.

use std::ops::Range;

/// A place in one text: bytes from `start` up to, not including, `end`.
///
/// Knows no file; whoever has one joins the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// Makes a span; offsets beyond 4 GiB are cut to that bound.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let cut = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: cut(start), end: cut(end) }
    }

    /// Returns the span from the start of this one to the end of another.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end.max(self.start) }
    }

    /// Returns the empty span behind this one.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, end: self.end }
    }

    /// Returns the bytes that the span covers, for slicing the text.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A token: its kind, and where its text stands.
///
/// Blanks between tokens belong to none; everything else of a text is in exactly one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A name: a letter or `_`, then letters, digits, `_` and `-`.
    Identifier,
    /// A number; whether its text makes sense is for the parser to say.
    Number,
    /// A comment of any style; `#` and `//` contain the line break that ends them.
    Comment,
    /// `\n` or `\r\n`.
    Newline,
    /// `"` where a quoted template begins.
    OpenQuote,
    /// `"` where a quoted template ends.
    CloseQuote,
    /// Text between quotes, escapes unresolved.
    QuotedText,
    /// Line breaks between quotes, which are not allowed there.
    QuotedNewline,
    /// `<<EOF` or `<<-EOF`, with its line break.
    OpenHeredoc,
    /// The end marker of a heredoc, with the blanks beside it and without its line break.
    CloseHeredoc,
    /// Text in a heredoc or a bare template; never more than one line.
    Text,
    /// `${` or `${~`.
    OpenInterpolation,
    /// `%{` or `%{~`.
    OpenDirective,
    /// `}` or `~}` that ends an interpolation or a directive.
    CloseSequence,
    /// A quoted template, or a sequence in one, that the end of its line cut off: only from [`super::scanner`]'s
    /// tolerant mode.
    Cut,
    /// `{`.
    OpenBrace,
    /// `}`.
    CloseBrace,
    /// `[`.
    OpenBracket,
    /// `]`.
    CloseBracket,
    /// `(`.
    OpenParen,
    /// `)`.
    CloseParen,
    /// `=`.
    Equal,
    /// `==`.
    EqualEqual,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `!`.
    Bang,
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Star,
    /// `/`.
    Slash,
    /// `%`.
    Percent,
    /// `?`.
    Question,
    /// `:`.
    Colon,
    /// `::`.
    DoubleColon,
    /// `.`.
    Dot,
    /// `...`.
    Ellipsis,
    /// `,`.
    Comma,
    /// `=>`.
    FatArrow,
    /// `&`, `|`, `^` or `~`: operators of other languages.
    Bitwise,
    /// `;`.
    Semicolon,
    /// `` ` ``.
    Backtick,
    /// `'`.
    Apostrophe,
    /// Anything else.
    Invalid,
    /// The end of the text; always the last token, and empty.
    End,
}

impl TokenKind {
    /// Returns the kind that closes what this one opens.
    #[must_use]
    pub fn closer(self) -> Option<Self> {
        Some(match self {
            Self::OpenBrace => Self::CloseBrace,
            Self::OpenBracket => Self::CloseBracket,
            Self::OpenParen => Self::CloseParen,
            Self::OpenQuote => Self::CloseQuote,
            Self::OpenHeredoc => Self::CloseHeredoc,
            Self::OpenInterpolation | Self::OpenDirective => Self::CloseSequence,
            _ => return None,
        })
    }

    /// Tells whether this kind closes something.
    #[must_use]
    pub fn is_closer(self) -> bool {
        matches!(
            self,
            Self::CloseBrace
                | Self::CloseBracket
                | Self::CloseParen
                | Self::CloseQuote
                | Self::CloseHeredoc
                | Self::CloseSequence
        )
    }
}
