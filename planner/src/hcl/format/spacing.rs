//! Where a blank stands between two tokens.

use crate::hcl::token::TokenKind as T;

/// Counts brackets: one for each that opens, minus one for each that closes.
pub(super) fn bracket_change(kind: T) -> i32 {
    match kind {
        T::OpenBrace | T::OpenBracket | T::OpenParen | T::OpenInterpolation | T::OpenDirective => 1,
        T::CloseBrace | T::CloseBracket | T::CloseParen | T::CloseSequence => -1,
        _ => 0,
    }
}

/// Decides whether a blank stands between `left` and `right`.
///
/// `before` is the token in front of `left` in the same cell. The order of the rules matters: the first that knows
/// the pair decides.
pub(super) fn needs_blank(before: Option<T>, left: T, left_is_in: bool, right: T) -> bool {
    match (left, right) {
        (_, T::Newline) => false,
        (T::Identifier, T::OpenParen | T::DoubleColon) | (T::DoubleColon, T::Identifier) => false,
        (T::Dot, _) | (_, T::Dot | T::Comma | T::Ellipsis) => false,
        (T::Comma, _) => true,
        (T::QuotedText | T::Text | T::OpenQuote | T::OpenHeredoc, _) => false,
        (_, T::QuotedText | T::Text | T::CloseQuote | T::CloseHeredoc) => false,
        // `[for x in [1, 2] : x]`: a word, although it looks like a list and its index.
        _ if left_is_in && before == Some(T::Identifier) => true,
        (T::Identifier | T::Number, T::OpenBracket) => false,
        (left, T::OpenBracket) if bracket_change(left) < 0 => false,
        (T::Bang, _) => false,
        (T::Minus, _) => !is_negation(before),
        (T::OpenBrace, T::CloseBrace) => false,
        (T::OpenBrace, _) | (_, T::CloseBrace) => true,
        (T::OpenInterpolation | T::OpenDirective, T::OpenBrace) | (T::CloseBrace, T::CloseSequence) => true,
        (T::CloseSequence, T::OpenInterpolation | T::OpenDirective) => false,
        (left, right) => bracket_change(left) <= 0 && bracket_change(right) >= 0,
    }
}

/// Guesses from the token before a minus whether it negates; after `${` it does not, as HCL has it.
fn is_negation(before: Option<T>) -> bool {
    let Some(before) = before else { return true };
    matches!(
        before,
        T::OpenParen
            | T::OpenBrace
            | T::OpenBracket
            | T::Equal
            | T::Colon
            | T::Comma
            | T::Question
            | T::Plus
            | T::Star
            | T::Slash
            | T::Percent
            | T::Minus
            | T::EqualEqual
            | T::NotEqual
            | T::Greater
            | T::GreaterEqual
            | T::Less
            | T::LessEqual
            | T::And
            | T::Or
            | T::Bang
    )
}
