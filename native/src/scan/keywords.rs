//! Stage 3 of 7, redact: which keywords a text holds, and which stand near a place. Thread: caller.

use std::sync::OnceLock;

use crate::scan::automaton::Automaton;
use crate::scan::vocabulary::VOCABULARY;
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

/// One spelling of a keyword.
struct Spelling {
    word: Word,
    letters: u16,
    /// More letters may stand before, as in German compounds.
    open_before: bool,
    /// More letters may stand behind.
    open_behind: bool,
    /// Counts only as the name of a value: `rc=`, `"cf":`.
    key_only: bool,
}

struct Keywords {
    automaton: Automaton,
    spellings: Vec<Spelling>,
}

fn keywords() -> &'static Keywords {
    static KEYWORDS: OnceLock<Keywords> = OnceLock::new();
    KEYWORDS.get_or_init(Keywords::new)
}

impl Keywords {
    fn new() -> Self {
        let mut spellings = Vec::new();
        let mut phrases: Vec<Vec<u8>> = Vec::new();
        for (word, entries) in VOCABULARY {
            for entry in *entries {
                let (key_only, entry) = entry.strip_prefix('=').map_or((false, *entry), |rest| (true, rest));
                let (open_before, entry) =
                    entry.strip_prefix('*').map_or((false, entry), |rest| (true, rest));
                let (open_behind, entry) =
                    entry.strip_suffix('*').map_or((false, entry), |rest| (true, rest));
                for phrase in variants(entry) {
                    let letters = phrase.len() as u16;
                    spellings.push(Spelling { word: *word, letters, open_before, open_behind, key_only });
                    phrases.push(phrase.into_bytes());
                }
            }
        }
        Self { automaton: Automaton::new(phrases.iter().map(Vec::as_slice)), spellings }
    }
}

/// A phrase as written, and with its words run together: `date of birth`, `dateofbirth`.
fn variants(phrase: &str) -> Vec<String> {
    let mut all = vec![phrase.to_owned()];
    if phrase.contains(' ') {
        all.push(phrase.replace(' ', ""));
    }
    let plain: Vec<String> = all.iter().map(|one| one.chars().map(without_accent).collect()).collect();
    all.extend(plain);
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

/// Appends the keywords in `text` to `hits`, ordered by their ends.
pub fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let keywords = keywords();
    keywords.automaton.find(text, |phrase, end| {
        let spelling = &keywords.spellings[usize::from(phrase)];
        let start = end - usize::from(spelling.letters);
        if stands_alone(text, start, end, spelling) {
            hits.push(Hit { start: start as u32, end: end as u32, word: spelling.word });
        }
    });
}

/// The words in the name of a key, where everything counts as a name.
#[must_use]
pub fn in_key(name: &str) -> Words {
    let keywords = keywords();
    let mut words = Words::NONE;
    keywords.automaton.find(name.as_bytes(), |phrase, end| {
        let spelling = &keywords.spellings[usize::from(phrase)];
        let start = end - usize::from(spelling.letters);
        let last = !spelling.key_only || ends_name(&name.as_bytes()[end..]);
        if last && bounded(name.as_bytes(), start, end, spelling) {
            words = words.with(spelling.word);
        }
    });
    words
}

/// True when nothing but digits and separators follows in the name.
fn ends_name(rest: &[u8]) -> bool {
    rest.iter().all(|byte| !byte.is_ascii_alphabetic())
}

fn stands_alone(text: &[u8], start: usize, end: usize, spelling: &Spelling) -> bool {
    bounded(text, start, end, spelling) && (!spelling.key_only || names_value(text, end))
}

fn bounded(text: &[u8], start: usize, end: usize, spelling: &Spelling) -> bool {
    let before = start.checked_sub(1).map_or(b' ', |at| text[at]);
    let behind = text.get(end).copied().unwrap_or(b' ');
    let (first, last) = (text[start], text[end - 1]);
    let free_before = spelling.open_before
        || !is_letter(before)
        || (before.is_ascii_lowercase() && first.is_ascii_uppercase());
    let plural = behind == b's' && !text.get(end + 1).is_some_and(|byte| is_letter(*byte));
    let free_behind = spelling.open_behind
        || plural
        || !is_letter(behind)
        || (last.is_ascii_lowercase() && behind.is_ascii_uppercase());
    free_before && free_behind
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// True when `:` or `=` follows, perhaps behind a quote, a bracket or a space.
fn names_value(text: &[u8], end: usize) -> bool {
    text[end..]
        .iter()
        .take(4)
        .find(|byte| !matches!(byte, b'"' | b'\'' | b' ' | b']' | b'\\' | b')'))
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
        if name.strict || !words.is_empty() {
            return words;
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
