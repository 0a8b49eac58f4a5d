//! Huffman codes of limited length, the same among equally good ones that Go's library finds.

/// The code of a symbol, its bits in the order in which they are written.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    /// In bits; zero for a symbol that does not occur.
    pub(super) length: u32,
}

impl Code {
    fn new(bits: u16, length: u32) -> Self {
        Self { bits: (bits << (16 - length)).reverse_bits(), length }
    }
}

/// The codes for literals and lengths that need no header (RFC 1951, section 3.2.6).
pub(super) fn fixed_lengths() -> Vec<Code> {
    (0..286)
        .map(|symbol: u16| match symbol {
            0..144 => Code::new(symbol + 48, 8),
            144..256 => Code::new(symbol + 256, 9),
            256..280 => Code::new(symbol - 256, 7),
            _ => Code::new(symbol - 88, 8),
        })
        .collect()
}

/// The codes for distances that need no header.
pub(super) fn fixed_offsets() -> Vec<Code> {
    (0..30).map(|symbol| Code::new(symbol, 5)).collect()
}

/// Finds codes for symbols that occur so often, none longer than the limit, which is less than 16.
pub(super) fn with_limit(counts: &[u64], limit: usize) -> Vec<Code> {
    let mut codes = vec![Code::default(); counts.len()];
    let mut leaves: Vec<(u64, usize)> =
        counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(symbol, count)| (*count, symbol)).collect();
    if leaves.len() <= 2 {
        for (bits, (_, symbol)) in (0..).zip(&leaves) {
            codes[*symbol] = Code::new(bits, 1);
        }
        return codes;
    }
    leaves.sort_unstable();
    let frequencies: Vec<u64> = leaves.iter().map(|(count, _)| *count).collect();
    let mut next = 0;
    let mut rest = leaves.as_mut_slice();
    // The most frequent symbols have the shortest codes; those of one length stand in the order of the symbols.
    for (length, count) in (1..).zip(of_each_length(&frequencies, limit)) {
        next <<= 1;
        let (others, chunk) = rest.split_at_mut(rest.len() - count);
        chunk.sort_unstable_by_key(|(_, symbol)| *symbol);
        for (_, symbol) in chunk.iter() {
            codes[*symbol] = Code::new(next, length);
            next += 1;
        }
        rest = others;
    }
    codes
}

/// One level of the packages: what it has taken, and what it could take next.
#[derive(Clone, Copy)]
struct Level {
    last: u64,
    next_leaf: u64,
    next_pair: u64,
    needed: usize,
}

/// Nothing is left to take.
const NONE: u64 = u64::MAX;

/// How many codes there are of each length from one on, by the method of packages and merges, lazily from the top
/// (Katajainen, Moffat and Turpin: A fast and space-economical algorithm for length-limited coding).
///
/// There are three symbols at least, the rarest first.
fn of_each_length(frequencies: &[u64], limit: usize) -> Vec<usize> {
    let count = frequencies.len();
    let frequency = |index: usize| frequencies.get(index).copied().unwrap_or(NONE);
    let limit = limit.min(count - 1);
    let first =
        Level { last: frequency(1), next_leaf: frequency(2), next_pair: frequency(0) + frequency(1), needed: 0 };
    let mut levels = vec![first; limit + 2];
    levels[1].next_pair = NONE;
    levels[limit].needed = 2 * count - 4;
    // How many leaves each level has taken, at itself and at the levels below.
    let mut leaves = vec![vec![0; limit + 1]; limit + 1];
    for (level, taken) in leaves.iter_mut().enumerate().skip(1) {
        taken[level] = 2;
    }
    let mut at = limit;
    loop {
        let level = levels[at];
        if level.next_pair == NONE && level.next_leaf == NONE {
            // Everything is used up here, so that the level above can make no more pairs.
            levels[at].needed = 0;
            levels[at + 1].next_pair = NONE;
            at += 1;
            continue;
        }
        if level.next_leaf < level.next_pair {
            let taken = leaves[at][at] + 1;
            leaves[at][at] = taken;
            levels[at].last = level.next_leaf;
            levels[at].next_leaf = frequency(taken);
        } else {
            levels[at].last = level.next_pair;
            let (below, here) = leaves.split_at_mut(at);
            here[0][..at].copy_from_slice(&below[at - 1][..at]);
            levels[at - 1].needed = 2;
        }
        levels[at].needed -= 1;
        if levels[at].needed == 0 {
            if at == limit {
                break;
            }
            levels[at + 1].next_pair = level.last + levels[at].last;
            at += 1;
        } else {
            // The pair that was taken has to be made anew below.
            while levels[at - 1].needed > 0 {
                at -= 1;
            }
        }
    }
    let taken = &leaves[limit];
    (1..=limit).rev().map(|level| taken[level] - taken[level - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_as_short_as_the_limit_lets_them_be() {
        let lengths = |counts: &[u64], limit: usize| -> Vec<u32> {
            with_limit(counts, limit).iter().map(|code| code.length).collect()
        };
        assert_eq!(lengths(&[0, 5, 0], 15), [0, 1, 0]);
        assert_eq!(lengths(&[1, 1, 2, 4, 8], 15), [4, 4, 3, 2, 1]);
        assert_eq!(lengths(&[1, 1, 2, 4, 8], 3), [3, 3, 3, 3, 1]);
        assert_eq!(lengths(&[1; 6], 15).iter().map(|length| 1.0 / f64::from(1 << length)).sum::<f64>(), 1.0);
    }

    #[test]
    fn bits_are_written_the_other_way_round() {
        assert_eq!(with_limit(&[1, 1, 2], 15)[0], Code { bits: 0b01, length: 2 });
        assert_eq!(with_limit(&[1, 1, 2], 15)[1], Code { bits: 0b11, length: 2 });
        assert_eq!(fixed_lengths()[256], Code { bits: 0, length: 7 });
    }
}
