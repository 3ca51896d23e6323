//! Stage 3 of 7, redact: the phrases of the vocabulary, ready to be found. Thread: caller; built once.
//!
//! Words have numbers, phrases are paths over words. Most words of a text are in no phrase: a bit map of hashes says so
//! without a look at the table.

use std::collections::HashMap;

use crate::scan::words::Word;

/// One spelling of a keyword.
#[derive(Debug, Clone, Copy)]
pub struct Spelling {
    /// What it says.
    pub word: Word,
    /// More letters may stand behind it.
    pub open_behind: bool,
    /// More letters may stand before it.
    pub open_before: bool,
    /// Counts only as the name of a value.
    pub key_only: bool,
}

/// A place on the way through a phrase; 0 is the start.
pub type Node = u16;

/// Shortest word that may be part of a longer one.
const SHORTEST_OPEN: usize = 4;
const BLOOM_WORDS: usize = 1024;

/// All phrases.
#[derive(Debug)]
pub struct Lexicon {
    bloom: Vec<u64>,
    words: Table,
    steps: Table,
    /// Of each node, the phrases that end there.
    ends: Vec<Vec<Spelling>>,
    /// By the first four letters: lengths of words that may go on.
    prefixes: Vec<u32>,
    /// By the last four letters: lengths of words that may have more before.
    suffixes: Vec<u32>,
}

impl Lexicon {
    /// Builds it from entries as in `vocabulary`.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (Word, &'static str)>) -> Self {
        let mut built = Self {
            bloom: vec![0; BLOOM_WORDS],
            words: Table::default(),
            steps: Table::default(),
            ends: vec![Vec::new()],
            prefixes: vec![0; 1024],
            suffixes: vec![0; 1024],
        };
        let mut steps = HashMap::new();
        let mut words = HashMap::new();
        for (word, list) in entries {
            for entry in list.split(',') {
                built.add(word, entry.trim(), &mut words, &mut steps);
            }
        }
        built.words = Table::new(words.into_iter());
        built.steps = Table::new(steps.into_iter().map(|((node, word), next)| (step_hash(node, word), next)));
        built
    }

    fn add(
        &mut self,
        word: Word,
        entry: &str,
        words: &mut HashMap<u64, u16>,
        steps: &mut HashMap<(Node, u16), Node>,
    ) {
        let (key_only, entry) = entry.strip_prefix('=').map_or((false, entry), |rest| (true, rest));
        let (open_before, entry) = entry.strip_prefix('*').map_or((false, entry), |rest| (true, rest));
        let (open_behind, entry) = entry.strip_suffix('*').map_or((false, entry), |rest| (true, rest));
        for phrase in variants(entry, open_behind) {
            let mut node = 0;
            let mut last: &[u8] = &[];
            for part in phrase.split(' ') {
                last = part.as_bytes();
                let first = first_hash(load(last, 0) | LOWER, last.len());
                self.bloom[bloom_word(first)] |= 1 << (first & 63);
                let hash = hash_at(last, 0, last.len());
                let number = words.len() as u16 + 1;
                let number = *words.entry(hash).or_insert(number);
                let new = self.ends.len() as Node;
                node = *steps.entry((node, number)).or_insert_with(|| {
                    self.ends.push(Vec::new());
                    new
                });
            }
            let open_behind = open_behind && last.len() >= SHORTEST_OPEN;
            let open_before = open_before && last.len() >= SHORTEST_OPEN;
            if open_behind {
                self.prefixes[quad((load(last, 0) | LOWER) as u32)] |= 1 << last.len().min(31);
            }
            if open_before {
                self.suffixes[quad((load(last, last.len() - 4) | LOWER) as u32)] |= 1 << last.len().min(31);
            }
            self.ends[usize::from(node)].push(Spelling { word, open_behind, open_before, key_only });
        }
    }

    /// The number of a word, 0 of one that is in no phrase; and whether it may start with one that is.
    #[inline]
    #[must_use]
    pub fn look(&self, text: &[u8], start: usize, end: usize) -> (u16, bool) {
        let length = end - start;
        let loaded = load(text, start) | LOWER;
        let hash = first_hash(loaded, length);
        if self.bloom[bloom_word(hash)] >> (hash & 63) & 1 == 0 {
            return (0, length > SHORTEST_OPEN && self.prefixes[quad(loaded as u32)] != 0);
        }
        (self.words.get(hash_at(text, start, end)), length > SHORTEST_OPEN)
    }

    /// The number of a word; 0 of one that is in no phrase.
    #[must_use]
    pub fn number(&self, text: &[u8], start: usize, end: usize) -> u16 {
        self.words.get(hash_at(text, start, end))
    }

    /// Where `word` leads from `node`; 0 if nowhere.
    #[inline]
    #[must_use]
    pub fn step(&self, node: Node, word: u16) -> Node {
        self.steps.get(step_hash(node, word))
    }

    /// The phrases that end at `node`.
    #[inline]
    #[must_use]
    pub fn ends(&self, node: Node) -> &[Spelling] {
        self.ends.get(usize::from(node)).map_or(&[], Vec::as_slice)
    }

    /// Lengths of words in phrases that the word may be longer than: it starts with one.
    #[inline]
    #[must_use]
    pub fn prefix_lengths(&self, text: &[u8], start: usize, end: usize) -> u32 {
        self.prefixes[quad((load(text, start) | LOWER) as u32)] & ((1 << (end - start).min(31)) - 1)
    }

    /// The same for words that it ends with.
    #[inline]
    #[must_use]
    pub fn suffix_lengths(&self, text: &[u8], start: usize, end: usize) -> u32 {
        self.suffixes[quad((load(text, end.saturating_sub(4)) | LOWER) as u32)]
            & ((1 << (end - start).min(31)) - 1)
    }
}

/// A phrase as written and its plural, with its words run together, all without accents, and in capitals.
fn variants(phrase: &str, open: bool) -> Vec<String> {
    let mut all = vec![phrase.to_lowercase()];
    if phrase.contains(' ') {
        all.push(phrase.to_lowercase().replace(' ', ""));
    }
    if phrase.is_ascii()
        && phrase.len() > 2
        && !phrase.ends_with('s')
        && (!open || phrase.len() <= SHORTEST_OPEN)
    {
        all.extend(all.clone().into_iter().map(|one| one + "s"));
    }
    let plain: Vec<String> = all.iter().map(|one| one.chars().map(without_accent).collect()).collect();
    all.extend(plain);
    // The hash makes letters small, but only those of ASCII.
    all.extend(all.clone().iter().filter(|one| !one.is_ascii()).map(|one| one.to_uppercase()));
    all.sort();
    all.dedup();
    all
}

/// The letter that people write who have no accents on their keys.
const fn without_accent(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'é' | 'è' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' => 'n',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ș' => 's',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ý' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

const LOWER: u64 = 0x2020_2020_2020_2020;

/// Hash of the first eight letters and the length. Hardly a branch: words are too short to guess their length.
#[inline]
const fn first_hash(loaded: u64, length: usize) -> u64 {
    let kept = if length < 8 { length } else { 8 };
    mix(length as u64, loaded & u64::MAX.wrapping_shr(64 - 8 * kept as u32))
}

/// Hash of the letters in `start..end`, whatever their case.
#[inline]
fn hash_at(text: &[u8], start: usize, end: usize) -> u64 {
    let mut hash = first_hash(load(text, start) | LOWER, end - start);
    let mut at = start + 8;
    while at < end {
        hash = mix(hash, load(text, at.min(end - 8)) | LOWER);
        at += 8;
    }
    hash
}

/// Eight bytes as a number, with zeros behind the end of the text.
#[inline]
fn load(text: &[u8], at: usize) -> u64 {
    if let Some(Ok(eight)) = text.get(at..at + 8).map(TryInto::try_into) {
        return u64::from_le_bytes(eight);
    }
    text.get(at..).unwrap_or_default().iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[inline]
const fn mix(hash: u64, value: u64) -> u64 {
    let product = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

#[inline]
const fn step_hash(node: Node, word: u16) -> u64 {
    mix(0x51, (node as u64) << 16 | word as u64)
}

#[inline]
const fn bloom_word(hash: u64) -> usize {
    (hash >> 6) as usize % BLOOM_WORDS
}

/// A place for four letters.
#[inline]
const fn quad(letters: u32) -> usize {
    (letters.wrapping_mul(0x9e37_79b1) >> 22) as usize
}

/// Numbers by hash.
#[derive(Debug, Default)]
struct Table {
    slots: Vec<(u32, u16)>,
}

impl Table {
    fn new(entries: impl ExactSizeIterator<Item = (u64, u16)>) -> Self {
        let size = (entries.len() * 2).next_power_of_two();
        let mut slots = vec![(0, 0); size];
        for (hash, value) in entries {
            let mut at = hash as usize & (size - 1);
            while slots[at].1 != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = ((hash >> 32) as u32, value);
        }
        Self { slots }
    }

    /// The number with this hash, 0 without one.
    #[inline]
    fn get(&self, hash: u64) -> u16 {
        let last = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & last;
        while let Some(&(tag, value)) = self.slots.get(at) {
            if value == 0 || tag == (hash >> 32) as u32 {
                return value;
            }
            at = (at + 1) & last;
        }
        0
    }
}
