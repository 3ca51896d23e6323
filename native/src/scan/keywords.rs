//! Stage 3 of 7, redact: which keywords a text holds, and which stand near a place. Thread: caller.

use std::sync::OnceLock;

use crate::scan::blocks::{class, Blocks};
use crate::scan::lexicon::{Lexicon, Node, Spelling};
use crate::scan::vocabulary::VOCABULARY;
use crate::scan::vocabulary_further::FURTHER;
use crate::scan::vocabulary_secrets::SECRETS;
use crate::scan::words::{Word, Words};

/// A keyword in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// First byte.
    pub start: u32,
    /// First byte behind.
    pub end: u32,
    /// What it says.
    pub word: Word,
}

/// Bytes before a value in which a keyword speaks for it.
const BEFORE_BYTES: usize = 32;
/// Bytes behind a value in which a keyword speaks for it.
const AFTER_BYTES: usize = 16;

fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(|| Lexicon::new(VOCABULARY.iter().chain(SECRETS).chain(FURTHER).copied()))
}

/// Appends the keywords in `text` to `hits`, ordered by their ends. Answers what they say.
pub fn find(text: &[u8], blocks: &Blocks, hits: &mut Vec<Hit>) -> Words {
    let mut said = Words::NONE;
    let found = |hit: Hit, spelling: &Spelling| {
        if !spelling.key_only || names_value(text, hit.end as usize) {
            said = said.with(hit.word);
            hits.push(hit);
        }
    };
    Search::new(text, false, found).run(blocks);
    said
}

/// The words in the name of a key, where everything counts as a name.
#[must_use]
pub fn in_key(name: &str) -> Words {
    let name = name.as_bytes();
    let mut blocks = Blocks::default();
    blocks.read(name);
    let mut words = Words::NONE;
    let found = |hit: Hit, spelling: &Spelling| {
        // `customer` is a person, `customer.tier` is none; a `name` alone may be one's, a `queue.name` is not.
        let last = !spelling.key_only && !matches!(hit.word, Word::Person | Word::BareName);
        let bare = hit.word == Word::BareName && hit.start > 0 && hit.end - hit.start == 4;
        // `duration_ms` is no woman: titles stand before names, not in the names of keys.
        let title = hit.word == Word::Person && hit.end - hit.start <= LONGEST_TITLE;
        if (last || ends_name(&name[hit.end as usize..])) && !bare && !title {
            words = words.with(hit.word);
        }
    };
    Search::new(name, true, found).run(&blocks);
    if MACHINES.contains(&name) {
        words = words.with(Word::Machine);
    }
    words
}

/// Addresses of machines, where a single word is nobody's home (OpenTelemetry's semantic conventions). A map of a person may have the same path.
const MACHINES: [&[u8]; 6] = [
    b"server.address",
    b"client.address",
    b"source.address",
    b"destination.address",
    b"network.peer.address",
    b"network.local.address",
];

/// Letters of `mrs`.
const LONGEST_TITLE: u32 = 3;

/// Most phrases that are open at once.
const MOST_OPEN: usize = 3;

/// A walk over the words of a text.
struct Search<'a, F> {
    lexicon: &'a Lexicon,
    text: &'a [u8],
    /// Phrases that have begun and may go on with the next word: where they are, and where they began.
    open: [(Node, u32); MOST_OPEN],
    /// How many of them there are.
    opened: usize,
    /// Where the word before ends.
    behind: usize,
    /// Look for words within words from the end too, which is worth its time for names of keys alone.
    thorough: bool,
    found: F,
}

impl<'a, F: FnMut(Hit, &Spelling)> Search<'a, F> {
    fn new(text: &'a [u8], thorough: bool, found: F) -> Self {
        Self { lexicon: lexicon(), text, open: [(0, 0); MOST_OPEN], opened: 0, behind: 0, thorough, found }
    }

    /// Visits every word: letters, cut where a capital follows a small letter.
    fn run(mut self, blocks: &Blocks) {
        let (mut letter_before, mut small_before, mut digit_before) = (0, 0, 0);
        for block in 0..blocks.len() {
            let maps = blocks.maps(block);
            let (letters, upper, digits) = (maps[class::LETTER], maps[class::UPPER], maps[class::DIGIT]);
            let small = letters & !upper;
            let camel = upper & (small << 1 | small_before);
            // One letter behind a digit, or two between digits, are no words.
            let splinters = (digits << 1 | digit_before) & (!(letters >> 1 | 1 << 63) | digits >> 2);
            let mut starts = (letters & !(letters << 1 | letter_before) & !splinters) | camel;
            (letter_before, small_before, digit_before) = (letters >> 63, small >> 63, digits >> 63);
            while starts != 0 {
                let bit = starts.trailing_zeros() as usize;
                starts &= starts - 1;
                // Up to the next capital, or to the end of the letters, which mostly is in the same block.
                let stops = (!letters & u64::MAX << bit) | starts;
                let length = bit_or(stops, || 64 + first_stop(blocks, block + 1, small_before)) - bit;
                let start = block * 64 + bit;
                self.word(start, start + length);
                self.behind = start + length;
            }
        }
    }

    #[inline]
    fn word(&mut self, start: usize, end: usize) {
        let ends = || self.looks_within(end) && self.lexicon.suffix_lengths(self.text, start, end) != 0;
        if self.opened > 0 || self.lexicon.may_begin(self.text, start, end) || ends() {
            return self.look(start, end);
        }
        self.opened = 0;
    }

    /// Looks a word up.
    #[inline(never)]
    fn look(&mut self, start: usize, end: usize) {
        let number = self.lexicon.number(self.text, start, end);
        let going_on = self.going_on(start);
        self.opened = 0;
        if number == 0 {
            return self.similar(start, end, going_on);
        }
        for at in 0..going_on {
            let (node, from) = self.open[at];
            self.step(node, from, number, end);
        }
        self.step(0, start as u32, number, end);
    }

    /// Goes on with a phrase, or begins one.
    #[inline]
    fn step(&mut self, node: Node, from: u32, number: u16, end: usize) {
        let next = self.lexicon.step(node, number);
        for spelling in self.lexicon.ends(next) {
            (self.found)(Hit { start: from, end: end as u32, word: spelling.word }, spelling);
        }
        if self.opened < MOST_OPEN && self.lexicon.goes_on(next) {
            self.open[self.opened] = (next, from);
            self.opened += 1;
        }
    }

    /// True of a word that may end with a keyword: one in the name of a key, or of a value: `PGPASSWORD=`.
    #[inline]
    fn looks_within(&self, end: usize) -> bool {
        self.thorough || matches!(self.text.get(end), Some(b'=' | b':' | b'"' | b'\''))
    }

    /// How many phrases may go on with the word at `start`.
    #[inline]
    fn going_on(&self, start: usize) -> usize {
        let joined = || matches!(self.text.get(self.behind), Some(b' ' | b'_' | b'-' | b'.' | b'\'' | b'/'));
        let adjacent = start == self.behind || (start == self.behind + 1 && joined());
        if adjacent {
            self.opened
        } else {
            0
        }
    }

    /// A word that is in no phrase may start with one that is, or end with one.
    fn similar(&mut self, start: usize, end: usize, going_on: usize) {
        for length in lengths_of(self.lexicon.prefix_lengths(self.text, start, end)) {
            let number = self.lexicon.number(self.text, start, start + length);
            let begun = self.open.into_iter().take(going_on).chain([(0, start as u32)]);
            for (node, from) in begun.filter(|_| number != 0) {
                let next = self.lexicon.step(node, number);
                for spelling in self.lexicon.ends(next).iter().filter(|spelling| spelling.open_behind) {
                    (self.found)(Hit { start: from, end: end as u32, word: spelling.word }, spelling);
                }
            }
        }
        if !self.looks_within(end) {
            return;
        }
        for length in lengths_of(self.lexicon.suffix_lengths(self.text, start, end)) {
            let number = self.lexicon.number(self.text, end - length, end);
            let next = if number == 0 { 0 } else { self.lexicon.step(0, number) };
            for spelling in self.lexicon.ends(next).iter().filter(|spelling| spelling.open_before) {
                (self.found)(Hit { start: start as u32, end: end as u32, word: spelling.word }, spelling);
            }
        }
    }
}

/// The lowest bit that is set; if none is, what the other says.
#[inline]
fn bit_or(map: u64, other: impl FnOnce() -> usize) -> usize {
    if map == 0 {
        other()
    } else {
        map.trailing_zeros() as usize
    }
}

/// Where the word that the block before began ends in this one; no word of the vocabulary is longer than a block.
#[inline(never)]
fn first_stop(blocks: &Blocks, block: usize, small_before: u64) -> usize {
    let (letters, upper) = (blocks.map(class::LETTER, block), blocks.map(class::UPPER, block));
    let camel = upper & ((letters & !upper) << 1 | small_before);
    bit_or(!letters | camel, || 64)
}

/// The bits that are set.
fn lengths_of(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        lowest
    })
}

/// True when nothing but digits and separators follows in the name.
fn ends_name(rest: &[u8]) -> bool {
    rest.iter().all(|byte| !byte.is_ascii_alphabetic())
}

/// True when `:` or `=` follows, perhaps behind a quote, a bracket or a space.
fn names_value(text: &[u8], end: usize) -> bool {
    text[end..]
        .iter()
        .take(4)
        .find(|byte| !matches!(byte, b'"' | b'\'' | b' ' | b']' | b'\\' | b')' | b'0'..=b'9'))
        .is_some_and(|byte| matches!(byte, b':' | b'='))
}

/// The part of `hits` that ends in `from..=to`.
fn ending_in(hits: &[Hit], from: usize, to: usize) -> impl Iterator<Item = &Hit> {
    let first = hits.partition_point(|hit| (hit.end as usize) < from);
    hits[first..].iter().take_while(move |hit| hit.end as usize <= to)
}

/// What the keywords around `start..end` say.
///
/// A value that is assigned (`key=value`, `"key":"value"`) hears its own name alone. In prose, and behind `name: `,
/// 32 bytes before and 16 behind count; behind, only what is not the name of the next value.
#[must_use]
pub fn near(text: &[u8], hits: &[Hit], start: usize, end: usize) -> Words {
    if hits.is_empty() {
        return Words::NONE;
    }
    let mut words = Words::NONE;
    if let Some(name) = assigned_name(text, start) {
        for hit in ending_in(hits, name.start + 1, name.end) {
            words = words.with(hit.word);
        }
        if name.strict && !(words.is_empty() && says_nothing(&text[name.start..name.end])) {
            return words;
        }
        if !words.is_empty() {
            let clause = clause_start(text, name.start);
            return ending_in(hits, clause, start).fold(words, |words, hit| words.with(hit.word));
        }
    }
    for hit in ending_in(hits, start.saturating_sub(BEFORE_BYTES), start) {
        words = words.with(hit.word);
    }
    for hit in ending_in(hits, end + 1, end + AFTER_BYTES) {
        if hit.start as usize >= end && !names_value(text, hit.end as usize) {
            words = words.with(hit.word);
        }
    }
    words
}

/// True of a name that any value may have: `"type": "ssn", "value": "…"`.
fn says_nothing(name: &[u8]) -> bool {
    [&b"value"[..], b"val", b"number", b"content", b"data", b"text", b"extension"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// Where the words begin that belong to the name before `at`: `CPF do cliente: 1` but not `ssn: 1, order: 2`.
fn clause_start(text: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(BEFORE_BYTES);
    let sign = text[from..at].iter().rposition(|byte| b",;|:={}\"".contains(byte));
    sign.map_or(from, |sign| from + sign + 1)
}

/// Where the name of an assigned value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssignedName {
    /// First byte.
    pub start: usize,
    /// First byte behind.
    pub end: usize,
    /// False for `name: value`, which may as well be prose.
    pub strict: bool,
}

/// The name of the value that starts at `start`, if it is assigned: `name=`, `"name": "`, `name: `, `[name]=(`.
#[must_use]
pub fn assigned_name(text: &[u8], start: usize) -> Option<AssignedName> {
    let mut at = start;
    let mut quoted = false;
    let mut space = false;
    let limit = start.saturating_sub(6);
    while at > limit && matches!(text[at - 1], b'"' | b'\'' | b' ' | b'(' | b'[' | b'\\' | b'#' | b'+') {
        quoted |= matches!(text[at - 1], b'"' | b'\'');
        space |= text[at - 1] == b' ';
        at -= 1;
    }
    if at == 0 || !matches!(text[at - 1], b'=' | b':') {
        return None;
    }
    let equals = text[at - 1] == b'=';
    at -= 1;
    let limit = at.saturating_sub(4);
    let mut name_quoted = false;
    while at > limit && matches!(text[at - 1], b'"' | b'\'' | b' ' | b')' | b']' | b'\\') {
        name_quoted |= matches!(text[at - 1], b'"' | b'\'');
        at -= 1;
    }
    let end = at;
    let limit = end.saturating_sub(64);
    while at > limit && is_name(text[at - 1]) {
        at -= 1;
    }
    let strict = equals || name_quoted || (quoted && !space);
    (at < end).then_some(AssignedName { start: at, end, strict })
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
}
