//! Stage 3 of 7, redact: finds what a name of secrets is given: `password=…`, `"api_key": "…"`. Thread: caller.

use crate::scan::context::Context;
use crate::scan::detect::credentials::placeholders::{is_placeholder, is_state};
use crate::scan::detect::credentials::properties::is_property;
use crate::scan::detect::credentials::LONG_BYTES;
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::words::{Word, Words};

/// Longest name, and how far its sign may stand.
const NAME_BYTES: usize = 40;
/// Longest head of an element, behind its name.
const HEAD_BYTES: usize = 200;
/// Longest quoted value; a quote without an end is none.
const QUOTED_BYTES: usize = 4096;

/// The kind that the whole value under a key has, if its name says so: `db.password`, `cookie`, `x-api-key`.
#[must_use]
pub fn whole_value(words: Words) -> Option<Kind> {
    let first = [Word::Password, Word::Cookie, Word::Authorization, Word::Secret, Word::ApiKey, Word::Token];
    first.into_iter().find(|word| words.has(*word)).map(|word| kind_of(word, words.has(Word::Aws)))
}

const fn kind_of(word: Word, aws: bool) -> Kind {
    match word {
        Word::Password => Kind::Password,
        Word::Cookie => Kind::Cookie,
        Word::Authorization | Word::Token => Kind::BearerToken,
        _ if aws => Kind::AwsSecretKey,
        _ => Kind::ApiKeyGeneric,
    }
}

/// True of a value that is a secret if its name says so: no placeholder, no state, no small number.
#[must_use]
pub fn is_secret_value(kind: Kind, value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let least = if kind == Kind::Password { 4 } else { 9 };
    let countable = value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    !(value.is_empty() || is_placeholder(value) || is_state(value) || (countable && digits < least))
}

/// A value with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// First byte.
    pub start: usize,
    /// First byte behind.
    pub end: usize,
    /// Assigned with `=`, or quoted: no prose.
    pub strict: bool,
}

/// Hides the value of the keyword, if it has one. Answers where it ends.
pub fn value_of(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) -> Option<usize> {
    let text = context.text;
    let end = hit.end as usize;
    let name_end = end + name_rest(text, end);
    let property = is_property(&text[end..name_end]);
    let kind = kind_of(hit.word, aws_near(context, hit));
    let found = match assigned(text, name_end) {
        Some(value) => {
            let given = &text[value.start..value.end];
            let long = given.len() > LONG_BYTES;
            let hidden =
                is_given(hit.word, kind, given, &value, text) && (!property || long || is_random(given));
            hidden.then_some(value)
        }
        None if property => None,
        None => listed(text, hit, name_end)
            .filter(|value| is_secret_value(kind, &text[value.start..value.end]))
            .or_else(|| in_prose(text, hit)),
    };
    if let Some(value) = found {
        findings.push(value.start, value.end, kind, "assigned");
        return Some(value.end);
    }
    None
}

/// True when the name of the keyword has to do with Amazon.
fn aws_near(context: &Context<'_>, hit: &Hit) -> bool {
    let from = (hit.start as usize).saturating_sub(16);
    let first = context.hits.partition_point(|other| (other.end as usize) < from);
    context.hits[first..].iter().take_while(|other| other.end <= hit.end).any(|other| other.word == Word::Aws)
}

/// What stands behind a quoted name in a list: `['--password', '…']` as programs are started, `('password', '…')`.
fn listed(text: &[u8], hit: &Hit, name_end: usize) -> Option<Value> {
    let quote = *text.get(name_end).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let name = text[..hit.start as usize].iter().rev().take(NAME_BYTES);
    let start = hit.start as usize - name.take_while(|byte| **byte != quote).count();
    if text[..start].last() != Some(&quote) {
        return None;
    }
    let pair = text[..start - 1].ends_with(b"(");
    let comma = text.get(name_end + 1..name_end + 3)?;
    if !(text[start..].starts_with(b"-") || pair) || comma.first() != Some(&b',') {
        return None;
    }
    let at = name_end + 2 + count(text, name_end + 2, 3, |byte| byte == b' ');
    let end = quoted_end(text, at + 1, *text.get(at).filter(|byte| **byte == quote)?)?;
    (at + 1 < end && (!pair || text.get(end + 1) == Some(&b')'))).then_some(Value {
        start: at + 1,
        end,
        strict: true,
    })
}

/// Bytes of the name that stand behind the keyword: `_hash` of `password_hash`.
fn name_rest(text: &[u8], at: usize) -> usize {
    text[at..]
        .iter()
        .take(NAME_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        .count()
}

/// The value that is assigned to the name that ends at `at`.
#[must_use]
pub fn assigned(text: &[u8], at: usize) -> Option<Value> {
    if text.get(at) == Some(&b' ') {
        if let Some(value) = spelled_element(text, at) {
            return Some(value);
        }
    }
    let closed = count(text, at, 6, |byte| matches!(byte, b'"' | b'\'' | b']' | b')' | b' ' | b'\\' | b'`'));
    let mut at = at + closed;
    let sign = *text.get(at)?;
    if sign == b'>' {
        return element(text, at + 1);
    }
    if !matches!(sign, b'=' | b':') || text[at..].starts_with(b"://") || text[at..].starts_with(b"::") {
        return None;
    }
    at += count(text, at, 3, |byte| matches!(byte, b'=' | b':' | b'>'));
    let before = at;
    at += count(text, at, 8, |byte| matches!(byte, b' ' | b'(' | b'[' | b'\\' | b'b' | b'"' | b'\'' | b'`'));
    // A `b` is the letter of bytes only before a quote.
    let quote = text[before..at].iter().rposition(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let Some(place) = quote else {
        let spaces = count(text, before, 8, |byte| matches!(byte, b' ' | b'(' | b'['));
        let start = before + spaces;
        let end = plain_end(text, start);
        return (start < end).then_some(Value { start, end, strict: sign == b'=' });
    };
    let start = before + place + 1;
    let end = quoted_end(text, start, text[start - 1]).unwrap_or_else(|| plain_end(text, start));
    (start < end).then_some(Value { start, end, strict: true })
}

/// The text of an element with attributes, whose name ends at `at`: `<Password Type="text">…</Password>`.
fn spelled_element(text: &[u8], at: usize) -> Option<Value> {
    let head = &text[at..text.len().min(at + HEAD_BYTES)];
    let end = head.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
    (head[end] == b'>').then(|| element(text, at + end + 1)).flatten()
}

/// The text of an element: `<password>…</password>`.
fn element(text: &[u8], start: usize) -> Option<Value> {
    let end = plain_end(text, start);
    (start < end && text[end..].starts_with(b"</")).then_some(Value { start, end, strict: true })
}

fn count(text: &[u8], at: usize, most: usize, accept: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take(most).take_while(|byte| accept(**byte)).count()
}

/// The closing quote; of a quote that is escaped itself, the backslash before.
fn quoted_end(text: &[u8], start: usize, quote: u8) -> Option<usize> {
    let escaped = start >= 2 && text[start - 2] == b'\\';
    let rest = &text[start..text.len().min(start + QUOTED_BYTES)];
    let mut skip = false;
    rest.iter()
        .position(|byte| {
            let ends = *byte == quote && !skip;
            skip = *byte == b'\\' && !skip && !escaped;
            ends
        })
        .map(|end| start + end - usize::from(escaped && end > 0 && rest[end - 1] == b'\\'))
}

/// A table of the bytes in `signs`, and of letters and digits if asked.
const fn table_of(signs: &[u8], alphanumeric: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < signs.len() {
        table[signs[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] |= alphanumeric && byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
}

/// Bytes that may end a value without quotes.
const MAY_END: [bool; 256] = table_of(b" \t\n\r\"'`<>\\,;&)]}|", false);
/// Bytes that tokens are made of.
const IN_TOKEN: [bool; 256] = table_of(b"!#$%*+,-./:=@^_|~", true);

/// The end of a value without quotes. Signs of lists end it only where something else begins behind.
#[must_use]
pub fn plain_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        if !MAY_END[usize::from(byte)] {
            at += 1;
            continue;
        }
        let ends = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' => true,
            b'\\' => matches!(text.get(at + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')),
            b',' | b';' | b'&' | b')' | b']' | b'}' | b'|' => at > start && begins_next(text, at + 1),
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// True when the value is over before `at`: at an end, at another sign, or where a name and its sign begin.
fn begins_next(text: &[u8], at: usize) -> bool {
    let Some(&byte) = text.get(at) else { return true };
    if byte.is_ascii_whitespace() || b"\"'`,;&)]}|\\<.".contains(&byte) {
        return true;
    }
    let name = count(text, at, NAME_BYTES, |byte| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(&byte));
    name > 0 && matches!(text.get(at + name), Some(b'=' | b':'))
}

/// True of an assigned value that is a secret.
fn is_given(word: Word, kind: Kind, given: &[u8], value: &Value, text: &[u8]) -> bool {
    if given.len() > LONG_BYTES {
        // Too long to be read twice: better hidden for nothing than shown.
        return true;
    }
    if !is_secret_value(kind, given) || given.starts_with(b"{") {
        return false;
    }
    let lettered = is_mixed(given);
    match word {
        Word::Password if value.strict => true,
        Word::Password => lettered || text.get(value.end).is_none_or(|byte| *byte != b' '),
        Word::Secret if value.strict => given.len() >= 6,
        Word::Aws | Word::Azure => is_random(given),
        _ => {
            let telling = if value.strict { lettered } else { given.iter().any(u8::is_ascii_digit) };
            given.len() >= 6 && (telling || given.len() >= 16) && !given.contains(&b'(') && is_token(given)
        }
    }
}

/// A digit, a sign or a capital behind a small letter: no plain word.
fn is_mixed(given: &[u8]) -> bool {
    given.iter().any(|byte| !byte.is_ascii_alphabetic() && !matches!(byte, b'.' | b'-' | b'_' | b'/'))
        || given.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Made of what tokens are made of.
fn is_token(given: &[u8]) -> bool {
    given.iter().all(|byte| IN_TOKEN[usize::from(*byte)])
}

/// Capitals, small letters and digits, at least twenty: no word, no path, no number.
#[must_use]
pub fn is_random(given: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| given.iter().any(class);
    given.len() >= 20
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && given.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'..=b'/' | b'=' | b'_' | b'~')
        })
}

/// A value that only stands behind its keyword: `aws secret key fGq…`, `password is hunter2!`.
fn in_prose(text: &[u8], hit: &Hit) -> Option<Value> {
    let after = hit.end as usize;
    let start = value_after(text, after);
    if start == after {
        return None;
    }
    let end = plain_end(text, start);
    let given = &text[start..end];
    let given = given.strip_suffix(b".").unwrap_or(given);
    let end = start + given.len();
    let has = |class: fn(&u8) -> bool| given.iter().any(class);
    let found = match hit.word {
        _ if is_option(text, hit) => start == after + 1 && !given.starts_with(b"-") && given.len() >= 4,
        Word::Password if is_code(&text[hit.start as usize..after]) => {
            (4..=8).contains(&given.len()) && given.iter().all(u8::is_ascii_digit)
        }
        Word::Password => {
            (6..=64).contains(&given.len())
                && has(u8::is_ascii_digit)
                && has(u8::is_ascii_alphabetic)
                && (has(u8::is_ascii_punctuation) || start > after + 1)
                && !given.contains(&b'=')
                && !given.starts_with(b"/")
        }
        Word::Secret | Word::ApiKey => is_random(given) || is_long_hex(given) || is_uuid(given),
        Word::Token => is_random(given),
        _ => false,
    };
    (found && is_secret_value(Kind::Password, given)).then_some(Value { start, end, strict: false })
}

/// True of an option of a command line: `--db-password`.
fn is_option(text: &[u8], hit: &Hit) -> bool {
    let name = text[..hit.start as usize]
        .iter()
        .rev()
        .take(NAME_BYTES)
        .take_while(|byte| !byte.is_ascii_whitespace());
    let length = name.count();
    text[hit.start as usize - length..].starts_with(b"--")
}

/// True of a word for a short number: `otp`, `passcode`, `verification code`.
fn is_code(word: &[u8]) -> bool {
    [&b"code"[..], b"otp", b"pin"]
        .iter()
        .any(|end| word.len() >= end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end))
}

fn is_long_hex(given: &[u8]) -> bool {
    matches!(given.len(), 32 | 40 | 64 | 128) && given.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(given: &[u8]) -> bool {
    given.len() == 36
        && given.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
