//! Stage 3 of 7, redact: finds names and postal addresses behind words that announce them. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;

/// Most words of a name.
const NAME_WORDS: usize = 4;
/// Longest address.
const ADDRESS_BYTES: usize = 120;

/// Words that stand in capitals and are no names.
static NO_NAMES: WordSet = WordSet::new(
    "service portal api error exception server client agent request response session record records data \
     database account accounts support team group manager handler controller repository factory module queue \
     topic event events not found failed invalid missing unknown null none true false id number type status \
     name names profile login logout update updated created create delete deleted list index search view page \
     form field value config settings version build release test tests debug info warning warn system admin \
     root default internal external public private access denied card visa mastercard payment payments order \
     orders invoice email phone address street city country the this that with from and for has is was \
     authentication authorization token secret password key success cluster node pod job task worker lambda \
     bucket windows linux mac android chrome mozilla safari http get post put patch head options json xml sql \
     select insert where monday tuesday wednesday thursday friday saturday sunday january february march \
     april june july august september october november december identifier experience center care health \
     insurance engagement management context cache store stream gateway application connection timeout \
     certificate loyalty tier gold silver relations registration verification validation notification message \
     subscription consent hub dashboard report segment feedback survey directory sync import export dataset corp \
     inc ltd llc gmbh ag plc srl holdings company bank university hospital clinic school foundation institute",
);

/// True of a text that may be a name: words of letters, the whole of it.
#[must_use]
pub fn is_name(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let count = words.clone().count();
    (1..=6).contains(&count)
        && text.len() <= 80
        && words.clone().all(|word| {
            word.chars().all(|letter| letter.is_alphabetic() || matches!(letter, '.' | '\'' | '-' | '’'))
        })
        && words.clone().any(|word| word.chars().count() > 1)
        && !words.clone().all(|word| NO_NAMES.has(word.as_bytes()))
        && !matches!(text, "true" | "false" | "null" | "none" | "unknown" | "nil" | "undefined" | "anonymous")
}

/// A name behind a word that names it: `full_name: Anna Meyer`.
pub(super) fn named(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let assigned = context.text[hit.end as usize..start.min(context.text.len())]
        .iter()
        .any(|byte| matches!(byte, b':' | b'=' | b'>'));
    let end = name(context, start, if assigned { 1 } else { 2 }, findings);
    if let Some(end) = end.filter(|_| context.before(start) == b'"') {
        return names_of_list(context, end, findings);
    }
    if assigned && end.is_none() {
        in_capitals(context, start, findings);
    }
}

/// The further names of a list: `"given": ["Anna", "Maria"]`.
fn names_of_list(context: &Context<'_>, mut end: usize, findings: &mut Findings<'_>) {
    for _ in 0..NAME_WORDS {
        let next = match context.text.get(end..).unwrap_or_default() {
            [b'"', b',', b'"', ..] => end + 3,
            [b'"', b',', b' ', b'"', ..] => end + 4,
            _ => return,
        };
        // Before a colon it is the next name of a value.
        let word = capitalised(context.text, next);
        if word == 0 || context.text.get(next + word..next + word + 2).is_none_or(|behind| behind == b"\":") {
            return;
        }
        end = next + word;
        findings.push(next, end, Kind::PersonName, "name.keyword");
    }
}

/// Two to four words in capitals behind a name: `cardholder: ANNA MEYER`.
fn in_capitals(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let (mut end, mut words, mut at) = (start, 0, start);
    while words < NAME_WORDS {
        let length = context.text[at.min(context.text.len())..]
            .iter()
            .take(24)
            .take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'\'' | b'-'))
            .count();
        if length < 2 || NO_NAMES.has(&context.text[at..at + length]) {
            break;
        }
        (end, words, at) = (at + length, words + 1, at + length + 1);
        if context.byte(end) != b' ' {
            break;
        }
    }
    let behind = context.byte(end);
    if words >= 2 && !behind.is_ascii_alphanumeric() && !matches!(behind, b'_' | b'=' | b'/') {
        findings.push(start, end, Kind::PersonName, "name.keyword");
    }
}

/// A name behind `name=`, which things have too: two words at least, and nothing glued before.
pub(super) fn bare(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let glued = matches!(context.before(hit.start as usize), b'.' | b'_' | b'-');
    if !glued {
        name(context, value_after(context.text, hit.end as usize), 2, findings);
    }
}

/// True of two to four words that are written like names, none of which is known to be something else.
#[must_use]
pub fn is_full_name(text: &[u8]) -> bool {
    let words = || text.split(|byte| *byte == b' ');
    (2..=NAME_WORDS).contains(&words().count())
        && words().all(|word| capitalised(word, 0) == word.len() && !word.is_empty() && !NO_NAMES.has(word))
}

/// A name behind a form of address or a role: `Mrs Meyer`, `patient Anna Meyer`.
pub(super) fn addressed(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let text = context.text;
    let mut start = hit.end as usize;
    let title = start - hit.start as usize <= 8 && TITLES.has(&text[hit.start as usize..start]);
    start += usize::from(title && context.byte(start) == b'.');
    let next = value_after(text, start);
    let between = &text[start..next.min(text.len())];
    if between.is_empty()
        || between.iter().any(|byte| matches!(byte, b'_' | b'.' | b'/' | b'|' | b'[' | b'>'))
    {
        return;
    }
    name(context, next, if title { 1 } else { 2 }, findings);
}

static TITLES: WordSet = WordSet::new(
    "mr mrs ms dr miss prof herr herrn frau monsieur madame mme mlle sr sra signor signora dhr mevr pani",
);

/// Notes the capitalised words at `start`, if there are at least so many. Answers where they end.
fn name(context: &Context<'_>, start: usize, least: usize, findings: &mut Findings<'_>) -> Option<usize> {
    let mut end = start;
    let mut words = 0;
    let mut at = start;
    while words < NAME_WORDS {
        let length = capitalised(context.text, at);
        if length == 0 || NO_NAMES.has(&context.text[at..at + length]) {
            break;
        }
        words += 1;
        end = at + length;
        // Between the words: a space, or `von `, `de la `.
        let Some(next) = next_word(context.text, end) else { break };
        at = next;
    }
    let goes_on = matches!(context.byte(end), b'_' | b'(' | b'=' | b'/' | b'\\' | b'@')
        || context.byte(end).is_ascii_digit()
        || (context.byte(end) == b'.' && context.byte(end + 1).is_ascii_alphanumeric());
    if words >= least && !goes_on {
        findings.push(start, end, Kind::PersonName, "name.keyword");
        return Some(end);
    }
    None
}

/// The length of the word at `at`, if it is written like a name: `Anna`, `O'Neill`, `Meyer-Schulz`, `Łukasz`, `J.`.
fn capitalised(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80 || matches!(byte, b'\'' | b'-'))
        .count();
    let mut word = &rest[..length];
    while let [shorter @ .., b'\'' | b'-'] = word {
        word = shorter;
    }
    let Ok(letters) = std::str::from_utf8(word) else { return 0 };
    let mut characters = letters.chars();
    let first = characters.next().is_some_and(char::is_uppercase);
    let small = characters.any(char::is_lowercase);
    match (first, small, letters.chars().count()) {
        (true, true, 2..) => word.len(),
        (true, false, 1) if rest.get(1) == Some(&b'.') => 2,
        _ => 0,
    }
}

/// Where the next word of a name may start.
fn next_word(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.first() != Some(&b' ') {
        return None;
    }
    let small: [&[u8]; 12] = [
        b"von der ",
        b"van der ",
        b"van den ",
        b"de la ",
        b"von ",
        b"van ",
        b"de ",
        b"da ",
        b"dos ",
        b"del ",
        b"di ",
        b"zu ",
    ];
    let step = small.iter().find(|word| rest[1..].starts_with(word)).map_or(0, |word| word.len());
    Some(at + 1 + step)
}

/// An address behind a word that announces it, up to the end of the clause.
pub(super) fn address(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let text = context.text;
    let start = value_after(text, hit.end as usize);
    let assigned =
        text[hit.end as usize..start.min(text.len())].iter().any(|byte| matches!(byte, b':' | b'=' | b'>'));
    let rest = &text[start.min(text.len())..text.len().min(start + ADDRESS_BYTES)];
    let first = rest.first().copied().unwrap_or(0);
    if !(first.is_ascii_digit() || first.is_ascii_uppercase() || first >= 0x80) {
        return;
    }
    let quoted = matches!(context.before(start), b'"' | b'\'');
    let end = if quoted {
        rest.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'\n')).unwrap_or(rest.len())
    } else {
        clause_end(rest, assigned)
    };
    let value = &rest[..end];
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let capitals = value
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() && (pair[1].is_ascii_lowercase() || pair[1] >= 0x80))
        .count();
    if digits >= 1 && capitals >= 1 && value.contains(&b' ') && !value.contains(&b'@') {
        findings.push(start, start + end, Kind::Address, "address.keyword");
    }
}

/// Where an address ends in prose: at a sign that no address has, or before the first word in small letters that is no part of one.
fn clause_end(text: &[u8], assigned: bool) -> usize {
    let mut end = 0;
    let mut at = 0;
    while at < text.len() {
        let word = text[at..].iter().take_while(|byte| !is_break(**byte)).count();
        let given = &text[at..at + word];
        if word == 0 || !is_part(given, assigned) {
            break;
        }
        end = at + given.len() - usize::from(given.ends_with(b",") || given.ends_with(b"."));
        if text.get(at + word) != Some(&b' ') {
            break;
        }
        at += word + 1;
    }
    end
}

const fn is_break(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'"'
            | b';'
            | b'|'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'<'
            | b'>'
            | b'\n'
            | b'\\'
            | b'='
            | b'\t'
            | b'!'
            | b'?'
    )
}

/// Words in small letters that stand in addresses.
static SMALL: WordSet = WordSet::new(
    "de la le les du des der den dem am an im in bei auf zum zur van von rue avenue boulevard place calle via \
     del della dei do da dos das y e ul. of st. and al. os.",
);

fn is_part(word: &[u8], assigned: bool) -> bool {
    let bare = word.strip_suffix(b",").unwrap_or(word);
    let first = bare.first().copied().unwrap_or(0);
    let _ = assigned;
    first.is_ascii_digit() || first.is_ascii_uppercase() || first >= 0x80 || first == b'#' || SMALL.has(bare)
}
