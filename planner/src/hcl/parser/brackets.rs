//! Which closing token belongs to which opening one.

use crate::hcl::token::{Token, TokenKind};

/// Where the thing that a token opens ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partner {
    /// The token opens nothing.
    None,
    /// It is closed by the token of this index.
    At(usize),
    /// It is not closed, which shows at the token of this index.
    Missing(usize),
}

/// Joins opening tokens with closing ones.
///
/// A closing token takes the nearest opening one of its kind, within the same interpolation or directive; what was
/// opened in between then has no partner.
pub(super) fn join(tokens: &[Token]) -> Vec<Partner> {
    let mut partners = vec![Partner::None; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.kind.closer().is_some() {
            open.push(index);
        } else if token.kind.is_closer() {
            let Some(depth) = opener(tokens, &open, token.kind) else { continue };
            for missed in open.drain(depth + 1..) {
                partners[missed] = Partner::Missing(index);
            }
            if let Some(opener) = open.pop() {
                partners[opener] = Partner::At(index);
            }
        } else if token.kind == TokenKind::Cut {
            let depth = open.iter().rposition(|&at| is_cut_off(tokens[at].kind)).unwrap_or(open.len());
            for missed in open.drain(depth..) {
                partners[missed] = Partner::Missing(index);
            }
        }
    }
    for missed in open {
        partners[missed] = Partner::Missing(tokens.len() - 1);
    }
    partners
}

/// Finds what a closing token closes, as an index into the stack of what is open.
fn opener(tokens: &[Token], open: &[usize], closer: TokenKind) -> Option<usize> {
    for (depth, &at) in open.iter().enumerate().rev() {
        let kind = tokens[at].kind;
        if kind.closer() == Some(closer) {
            return Some(depth);
        }
        // Brackets do not reach out of a sequence, nor sequences out of quotes.
        if kind.closer() == Some(TokenKind::CloseSequence) || (closer == TokenKind::CloseSequence && is_cut_off(kind)) {
            return None;
        }
    }
    None
}

/// Tells whether the end of a line may cut such a thing off.
fn is_cut_off(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::OpenQuote | TokenKind::OpenInterpolation | TokenKind::OpenDirective)
}
