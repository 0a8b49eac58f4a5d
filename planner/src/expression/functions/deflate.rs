//! Compression by DEFLATE (RFC 1951) with the very choices that Go's library makes at its usual level.
//!
//! Any compressor would do for those who unpack the result, but the text that `base64gzip` gives is compared: by people,
//! and by caches. Which matches are taken follows from a hash of four bytes, how far its chain is followed, and one
//! step of looking ahead; which codes are used follows from [`huffman`](super::huffman).

use super::huffman::{Code, fixed_lengths, fixed_offsets, with_limit};

const WINDOW: usize = 1 << 15;
const MIN_MATCH: usize = 4;
const MAX_MATCH: usize = 258;
const HASH_BITS: u32 = 17;

/// A match of this length is not looked beyond.
const LAZY: usize = 16;

/// A match of this length is good enough to stop the search.
const NICE: usize = 128;

/// How many places are tried.
const TRIES: usize = 128;

/// A match as short as can be is not worth its distance if that is longer.
const FAR: usize = 4096;

/// A block ends with this number of tokens.
const MAX_TOKENS: usize = 1 << 14;

const MAX_STORED: usize = 65_535;
const END_OF_BLOCK: usize = 256;

/// The least length of each code, less three, and how many bits are added to it.
const LENGTHS: [(usize, u32); 29] = [
    (0, 0),
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 1),
    (10, 1),
    (12, 1),
    (14, 1),
    (16, 2),
    (20, 2),
    (24, 2),
    (28, 2),
    (32, 3),
    (40, 3),
    (48, 3),
    (56, 3),
    (64, 4),
    (80, 4),
    (96, 4),
    (112, 4),
    (128, 5),
    (160, 5),
    (192, 5),
    (224, 5),
    (255, 0),
];

/// The order in which the lengths of the codes of codes are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Compresses a text, flushes, and ends: what Go's writer makes of one write, a flush and a close.
pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor {
        data,
        out: Bits::default(),
        tokens: Vec::new(),
        heads: vec![0; 1 << HASH_BITS],
        previous: vec![0; data.len()],
        base: 0,
        filled: data.len().min(2 * WINDOW),
        block_start: Some(0),
    };
    compressor.run();
    let mut out = compressor.out;
    out.stored_header(0, false);
    out.stored_header(0, true);
    out.bytes
}

#[derive(Clone, Copy)]
enum Token {
    Literal(u8),
    Match { length: usize, distance: usize },
}

struct Compressor<'d> {
    data: &'d [u8],
    out: Bits,
    tokens: Vec<Token>,
    /// The last place of each hash, plus one.
    heads: Vec<usize>,
    /// The place before with the same hash, plus one.
    previous: Vec<usize>,
    /// Where the window begins: it moves by its half when its end is near.
    base: usize,
    /// Where it ends.
    filled: usize,
    /// Where the block begins that is being made; none if that has left the window.
    block_start: Option<usize>,
}

impl Compressor<'_> {
    fn run(&mut self) {
        let mut at = 0;
        let mut best = Found { length: MIN_MATCH - 1, distance: 0 };
        let mut is_pending = false;
        while at < self.data.len() {
            self.move_window(at);
            let head = if at + MIN_MATCH <= self.data.len() { self.insert(at) } else { 0 };
            let before = best;
            best = Found { length: MIN_MATCH - 1, distance: 0 };
            let lookahead = self.data.len() - at;
            let oldest = at.saturating_sub(WINDOW).max(self.base);
            if head > oldest && lookahead > before.length && before.length < LAZY {
                best = self.search(at, head - 1).unwrap_or(best);
            }
            if before.length >= MIN_MATCH && best.length <= before.length {
                // There was a match one byte ago, and this one is not better.
                self.tokens.push(Token::Match { length: before.length, distance: before.distance });
                let end = at + before.length - 1;
                for place in at + 1..end {
                    if place + MIN_MATCH <= self.data.len() {
                        self.insert(place);
                    }
                }
                at = end;
                is_pending = false;
                best.length = MIN_MATCH - 1;
                self.end_full_block(at);
            } else {
                if is_pending {
                    self.tokens.push(Token::Literal(self.data[at - 1]));
                    self.end_full_block(at);
                }
                at += 1;
                is_pending = true;
            }
        }
        if is_pending {
            self.tokens.extend(self.data.last().map(|byte| Token::Literal(*byte)));
        }
        if !self.tokens.is_empty() {
            self.end_block(at);
        }
    }

    fn move_window(&mut self, at: usize) {
        while self.filled < self.data.len() && self.filled - at < MIN_MATCH + MAX_MATCH {
            self.base += WINDOW;
            self.filled = (self.filled + WINDOW).min(self.data.len());
            self.block_start = self.block_start.filter(|start| *start >= self.base);
        }
    }

    /// Remembers a place by its hash; returns the place before with the same one, plus one.
    fn insert(&mut self, at: usize) -> usize {
        let bytes = [self.data[at], self.data[at + 1], self.data[at + 2], self.data[at + 3]];
        let hash = u32::from_be_bytes(bytes).wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS);
        let head = &mut self.heads[hash as usize];
        self.previous[at] = *head;
        std::mem::replace(head, at + 1)
    }

    fn search(&self, at: usize, head: usize) -> Option<Found> {
        let limit = (self.data.len() - at).min(MAX_MATCH);
        let nice = limit.min(NICE);
        let mut best = Found { length: MIN_MATCH - 1, distance: 0 };
        let mut place = head;
        for _ in 0..TRIES {
            if self.data[place + best.length] == self.data[at + best.length] {
                let pairs = self.data[place..].iter().zip(&self.data[at..at + limit]);
                let length = pairs.take_while(|(left, right)| left == right).count();
                if length > best.length && (length > MIN_MATCH || at - place <= FAR) {
                    best = Found { length, distance: at - place };
                    if length >= nice {
                        break;
                    }
                }
            }
            let before = self.previous[place];
            let oldest = at.saturating_sub(WINDOW).max(self.base);
            if place + WINDOW == at || before <= oldest {
                break;
            }
            place = before - 1;
        }
        (best.distance > 0).then_some(best)
    }

    fn end_full_block(&mut self, at: usize) {
        if self.tokens.len() == MAX_TOKENS {
            self.end_block(at);
        }
    }

    fn end_block(&mut self, at: usize) {
        let source = self.block_start.replace(at).map(|start| &self.data[start..at]);
        self.out.block(&self.tokens, source.filter(|source| source.len() <= MAX_STORED));
        self.tokens.clear();
    }
}

#[derive(Clone, Copy)]
struct Found {
    length: usize,
    distance: usize,
}

fn length_code(length: usize) -> usize {
    LENGTHS.partition_point(|(base, _)| *base <= length - 3) - 1
}

/// The code of a distance, what is added to its least distance, and in how many bits.
fn distance_code(distance: usize) -> (usize, usize, u32) {
    let distance = distance - 1;
    if distance < 4 {
        return (distance, 0, 0);
    }
    let extra = distance.ilog2() - 1;
    let code = 2 * extra as usize + (distance >> extra);
    (code, distance & ((1 << extra) - 1), extra)
}

/// Bits in the order of DEFLATE: the lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, bits: usize, count: u32) {
        self.waiting |= (bits as u64) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.waiting.to_le_bytes()[0]);
            self.waiting >>= 8;
            self.count -= 8;
        }
    }

    fn code(&mut self, code: Code) {
        self.put(usize::from(code.bits), code.length);
    }

    /// Starts a block that is stored, at the start of a byte.
    fn stored_header(&mut self, length: usize, is_last: bool) {
        self.put(usize::from(is_last), 3);
        self.put(0, (8 - self.count) % 8);
        self.put(length, 16);
        self.put(!length & 0xffff, 16);
    }

    /// Writes a block in the shortest of three ways; it can be stored only if its source is there.
    fn block(&mut self, tokens: &[Token], source: Option<&[u8]>) {
        let mut literals = vec![0; END_OF_BLOCK + 1 + LENGTHS.len()];
        let mut distances = vec![0; 30];
        let mut extra_bits = 0;
        for token in tokens {
            match token {
                Token::Literal(byte) => literals[usize::from(*byte)] += 1,
                Token::Match { length, distance } => {
                    let (code, (distance, _, more)) = (length_code(*length), distance_code(*distance));
                    literals[END_OF_BLOCK + 1 + code] += 1;
                    distances[distance] += 1;
                    extra_bits += u64::from(LENGTHS[code].1 + more);
                }
            }
        }
        literals[END_OF_BLOCK] = 1;
        // As there: what is not compared with the source is not counted.
        let extra_bits = if source.is_some() { extra_bits } else { 0 };
        let used = |counts: &[u64]| counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let literals_used = used(&literals);
        let mut distances_used = used(&distances);
        if distances_used == 0 {
            // There has to be one.
            distances[0] = 1;
            distances_used = 1;
        }
        let total = |counts: &[u64], codes: &[Code]| -> u64 {
            counts.iter().zip(codes).map(|(count, code)| count * u64::from(code.length)).sum()
        };
        let (fixed, fixed_distances) = (fixed_lengths(), fixed_offsets());
        let fixed_size = 3 + total(&literals, &fixed) + total(&distances, &fixed_distances) + extra_bits;
        let (own, own_distances) = (with_limit(&literals, 15), with_limit(&distances, 15));
        let header = Header::new(&own[..literals_used], &own_distances[..distances_used]);
        let own_size = header.size() + total(&literals, &own) + total(&distances, &own_distances) + extra_bits;
        if let Some(source) = source
            && (source.len() as u64 + 5) * 8 < fixed_size.min(own_size)
        {
            self.stored_header(source.len(), false);
            self.bytes.extend_from_slice(source);
            return;
        }
        if own_size < fixed_size {
            header.write(literals_used, distances_used, self);
            self.tokens(tokens, &own, &own_distances);
        } else {
            self.put(2, 3);
            self.tokens(tokens, &fixed, &fixed_distances);
        }
    }

    fn tokens(&mut self, tokens: &[Token], literals: &[Code], distances: &[Code]) {
        for token in tokens {
            match token {
                Token::Literal(byte) => self.code(literals[usize::from(*byte)]),
                Token::Match { length, distance } => {
                    let code = length_code(*length);
                    let (base, extra) = LENGTHS[code];
                    self.code(literals[END_OF_BLOCK + 1 + code]);
                    self.put(length - 3 - base, extra);
                    let (code, rest, extra) = distance_code(*distance);
                    self.code(distances[code]);
                    self.put(rest, extra);
                }
            }
        }
        self.code(literals[END_OF_BLOCK]);
    }
}

/// The lengths of a block's own codes, in codes themselves.
struct Header {
    /// Each with what is added to it, in how many bits.
    symbols: Vec<(usize, usize, u32)>,
    counts: Vec<u64>,
    codes: Vec<Code>,
    /// How many lengths of codes of codes are written.
    used: usize,
}

impl Header {
    fn new(literals: &[Code], distances: &[Code]) -> Self {
        let lengths: Vec<u32> = literals.iter().chain(distances).map(|code| code.length).collect();
        let mut symbols = Vec::new();
        for run in lengths.chunk_by(|left, right| left == right) {
            let mut count = run.len();
            let length = run[0] as usize;
            if length == 0 {
                while count >= 11 {
                    let taken = count.min(138);
                    symbols.push((18, taken - 11, 7));
                    count -= taken;
                }
                if count >= 3 {
                    symbols.push((17, count - 3, 3));
                    count = 0;
                }
            } else {
                symbols.push((length, 0, 0));
                count -= 1;
                while count >= 3 {
                    let taken = count.min(6);
                    symbols.push((16, taken - 3, 2));
                    count -= taken;
                }
            }
            symbols.extend(std::iter::repeat_n((length, 0, 0), count));
        }
        let mut counts = vec![0; ORDER.len()];
        for (symbol, ..) in &symbols {
            counts[*symbol] += 1;
        }
        let used = ORDER.iter().rposition(|symbol| counts[*symbol] > 0).map_or(4, |last| (last + 1).max(4));
        let codes = with_limit(&counts, 7);
        Self { symbols, counts, codes, used }
    }

    fn size(&self) -> u64 {
        let codes = self.counts.iter().zip(&self.codes).map(|(count, code)| count * u64::from(code.length));
        let added = self.symbols.iter().map(|(_, _, bits)| u64::from(*bits));
        3 + 5 + 5 + 4 + 3 * self.used as u64 + codes.sum::<u64>() + added.sum::<u64>()
    }

    fn write(&self, literals: usize, distances: usize, out: &mut Bits) {
        out.put(4, 3);
        out.put(literals - END_OF_BLOCK - 1, 5);
        out.put(distances - 1, 5);
        out.put(self.used - 4, 4);
        for symbol in &ORDER[..self.used] {
            out.put(self.codes[*symbol].length as usize, 3);
        }
        for (symbol, added, bits) in &self.symbols {
            out.code(self.codes[*symbol]);
            out.put(*added, *bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// Bytes that repeat now and then, always the same.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *state >> 24
        };
        (0..length).map(|at| if at % 7 < 4 { b"word"[at % 7] } else { (next(&mut state) % 64) as u8 + 32 }).collect()
    }

    #[test]
    fn what_is_compressed_can_be_read_again() {
        for data in
            [Vec::new(), b"a".to_vec(), b"abababababab".to_vec(), noise(5_000), noise(300_000), vec![0; 100_000]]
        {
            let mut read = Vec::new();
            flate2::read::DeflateDecoder::new(deflate(&data).as_slice()).read_to_end(&mut read).expect("is DEFLATE");
            assert!(read == data, "{} bytes", data.len());
        }
    }

    #[test]
    fn codes_of_lengths_and_distances() {
        assert_eq!([3, 10, 11, 257, 258].map(length_code), [0, 7, 8, 27, 28]);
        assert_eq!(distance_code(1), (0, 0, 0));
        assert_eq!(distance_code(5), (4, 0, 1));
        assert_eq!(distance_code(32_768), (29, 8_191, 13));
    }
}
