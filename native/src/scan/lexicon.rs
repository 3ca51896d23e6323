//! Stage 3 of 7, redact: the phrases of the vocabulary, ready to be found. Thread: caller; built once.
//!
//! Words have numbers, phrases are paths over words. Most words of a text begin like none of the first, or are of another length: a sieve says so
//! without a look at the table.

use std::collections::HashMap;

use crate::scan::hashes::{load, load_four, mix, word_hash, Table, LOWER};
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
/// Places for the first or the last four letters of a word.
const QUADS: usize = 1024;

/// All phrases.
#[derive(Debug)]
pub struct Lexicon {
    /// By the first four letters: how long the words are that may begin a phrase.
    beginnings: Vec<u32>,
    words: Table,
    /// Of each word, the place behind it at the start of a phrase.
    firsts: Vec<Node>,
    steps: Table,
    places: Vec<Place>,
    spellings: Vec<Spelling>,
    /// By the first four letters: lengths of words that may go on.
    prefixes: Vec<u32>,
    /// By the last four letters: lengths of words that may have more before.
    suffixes: Vec<u32>,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The phrases that end here are `spellings[from..to]`.
    from: u16,
    to: u16,
    /// A phrase goes on from here.
    goes_on: bool,
}

/// What is read from the entries.
#[derive(Debug, Default)]
struct Draft {
    words: HashMap<u64, u16>,
    steps: HashMap<(Node, u16), Node>,
    ends: Vec<Vec<Spelling>>,
}

impl Draft {
    /// Where a word leads from `node`, which it may be the first to do.
    fn add_word(&mut self, node: Node, word: &[u8]) -> Node {
        let next = self.words.len() as u16 + 1;
        let number = *self.words.entry(word_hash(word, 0, word.len())).or_insert(next);
        *self.steps.entry((node, number)).or_insert_with(|| {
            self.ends.push(Vec::new());
            self.ends.len() as Node - 1
        })
    }
}

impl Lexicon {
    /// Builds it from entries as in `vocabulary`.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (Word, &'static str)>) -> Self {
        let mut built = Self {
            beginnings: vec![0; BEGINNINGS],
            words: Table::default(),
            firsts: Vec::new(),
            steps: Table::default(),
            places: Vec::new(),
            spellings: Vec::new(),
            prefixes: vec![0; QUADS],
            suffixes: vec![0; QUADS],
        };
        let mut draft = Draft { ends: vec![Vec::new()], ..Draft::default() };
        for (word, list) in entries {
            for entry in list.split(',') {
                built.add(word, entry.trim(), &mut draft);
            }
        }
        built.close(draft);
        built
    }

    fn add(&mut self, word: Word, entry: &str, draft: &mut Draft) {
        let (key_only, entry) = entry.strip_prefix('=').map_or((false, entry), |rest| (true, rest));
        let (open_before, entry) = entry.strip_prefix('*').map_or((false, entry), |rest| (true, rest));
        let (open_behind, entry) = entry.strip_suffix('*').map_or((false, entry), |rest| (true, rest));
        for phrase in variants(entry, open_behind) {
            let node = phrase.split(' ').fold(0, |node, part| draft.add_word(node, part.as_bytes()));
            self.begin(&phrase, open_behind);
            let last = phrase.split(' ').next_back().unwrap_or_default().as_bytes();
            let open_behind = open_behind && last.len() >= SHORTEST_OPEN;
            let open_before = open_before && last.len() >= SHORTEST_OPEN;
            if open_behind {
                self.prefixes[quad(load(last, 0) | LOWER)] |= 1 << last.len().min(31);
            }
            if open_before {
                self.suffixes[quad(load(last, last.len() - 4) | LOWER)] |= 1 << last.len().min(31);
            }
            draft.ends[usize::from(node)].push(Spelling { word, open_behind, open_before, key_only });
        }
    }

    /// Lets words through that may begin the phrase: of one word that is open behind, longer ones too.
    fn begin(&mut self, phrase: &str, open_behind: bool) {
        let first = phrase.split(' ').next().unwrap_or_default().as_bytes();
        let longest = if open_behind && first.len() == phrase.len() { LONGEST } else { first.len() };
        for length in first.len()..=longest.max(first.len()) {
            self.beginnings[beginning(first, 0, length)] |= 1 << length.min(LONGEST);
        }
    }

    /// Puts what was read where it is found fast.
    fn close(&mut self, draft: Draft) {
        for ends in draft.ends {
            let from = self.spellings.len() as u16;
            self.spellings.extend(ends);
            self.places.push(Place { from, to: self.spellings.len() as u16, goes_on: false });
        }
        self.firsts = vec![0; draft.words.len() + 1];
        for ((node, word), next) in &draft.steps {
            match *node {
                0 => self.firsts[usize::from(*word)] = *next,
                node => self.places[usize::from(node)].goes_on = true,
            }
        }
        self.words = Table::new(draft.words.into_iter());
        let steps = draft.steps.into_iter();
        self.steps = Table::new(steps.map(|((node, word), next)| (step_hash(node, word), next)));
    }

    /// False of a word that begins no phrase, whole or in part: of most words.
    #[inline]
    #[must_use]
    pub fn may_begin(&self, text: &[u8], start: usize, end: usize) -> bool {
        let length = end - start;
        let lengths = self.beginnings.get(beginning(text, start, length)).copied().unwrap_or(0);
        lengths >> length.min(LONGEST) & 1 != 0
    }

    /// The number of a word; 0 of one that is in no phrase.
    #[must_use]
    pub fn number(&self, text: &[u8], start: usize, end: usize) -> u16 {
        self.words.get(word_hash(text, start, end))
    }

    /// Where `word` leads from `node`; 0 if nowhere.
    #[inline]
    #[must_use]
    pub fn step(&self, node: Node, word: u16) -> Node {
        if node == 0 {
            return self.firsts.get(usize::from(word)).copied().unwrap_or(0);
        }
        self.steps.get(step_hash(node, word))
    }

    /// The phrases that end at `node`.
    #[inline]
    #[must_use]
    pub fn ends(&self, node: Node) -> &[Spelling] {
        let place = self.places.get(usize::from(node)).copied().unwrap_or_default();
        self.spellings.get(usize::from(place.from)..usize::from(place.to)).unwrap_or_default()
    }

    /// True when a phrase goes on from `node`.
    #[inline]
    #[must_use]
    pub fn goes_on(&self, node: Node) -> bool {
        self.places.get(usize::from(node)).is_some_and(|place| place.goes_on)
    }

    /// Lengths of words in phrases that the word may be longer than: it starts with one.
    #[inline]
    #[must_use]
    pub fn prefix_lengths(&self, text: &[u8], start: usize, end: usize) -> u32 {
        self.prefixes[quad(load(text, start) | LOWER)] & ((1 << (end - start).min(31)) - 1)
    }

    /// The same for words that it ends with.
    #[inline]
    #[must_use]
    pub fn suffix_lengths(&self, text: &[u8], start: usize, end: usize) -> u32 {
        self.suffixes[quad(load(text, end.saturating_sub(4)) | LOWER)] & ((1 << (end - start).min(31)) - 1)
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

#[inline]
const fn step_hash(node: Node, word: u16) -> u64 {
    mix(0x51, (node as u64) << 16 | word as u64)
}

/// A place for the first four letters of a word, or for all if they are fewer.
#[inline]
fn beginning(text: &[u8], start: usize, length: usize) -> usize {
    let kept = KEPT[if length < 4 { length } else { 4 }];
    let letters = (load_four(text, start) | LOWER as u32) & kept;
    (letters.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BEGINNINGS.ilog2())) as usize
}

/// Places for beginnings.
const BEGINNINGS: usize = 4096;
/// The first letters of so many.
const KEPT: [u32; 5] = [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff];
/// Words that are longer count as if they were as long.
const LONGEST: usize = 31;

/// A place for four letters.
#[inline]
const fn quad(letters: u64) -> usize {
    mix(4, letters & 0xffff_ffff) as usize % QUADS
}
