//! Stage 3 of 7, redact: finds values that only a keyword before them gives away. Thread: caller.

use crate::scan::check::bank::is_bic;
use crate::scan::context::Context;
use crate::scan::detect::banking::{self, sort_code_end};
use crate::scan::detect::credentials;
use crate::scan::detect::dates::date_end;
use crate::scan::detect::follow::{token_end, value_after};
use crate::scan::detect::{person, segments};
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::words::{Word, Words};

/// Words that a value follows which nothing else gives away.
pub const WORDS: Words = Words::of(&[
    Word::Cvv,
    Word::Cid,
    Word::PinBlock,
    Word::Mrn,
    Word::Passport,
    Word::IdCard,
    Word::License,
    Word::HealthPlan,
    Word::Account,
    Word::Birth,
    Word::Latitude,
    Word::Longitude,
    Word::Position,
    Word::Plate,
    Word::Name,
    Word::Person,
    Word::Address,
    Word::BareName,
    Word::Bic,
    Word::SortCode,
    Word::Hl7,
]);

/// Finds the value under a key that names its kind.
pub fn whole_value(context: &Context<'_>, findings: &mut Findings<'_>) {
    let text = context.text;
    if context.key.hide.is_none() && !context.key.whole {
        return;
    }
    if let Some(kind) = context.key.hide {
        let telling = !context.key.property || credentials::is_random(text);
        if telling && credentials::is_secret_value(kind, text) {
            findings.push(0, text.len(), kind, "key");
        }
    }
    if !context.key.words.any(WHOLE_WORDS) || text.len() > 256 || credentials::is_placeholder(text) {
        return;
    }
    let from = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let to = text.len() - text.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let Some(text) = text.get(from..to).filter(|text| !text.is_empty()) else { return };
    let made = Made::of(text);
    if context.key.words.any(PERSON_WORDS) && person::is_full_name(text) {
        findings.push(from, to, Kind::PersonName, "key");
    }
    for (word, kind) in WHOLE {
        let machine =
            *kind == Kind::Address && context.key.words.has(Word::Machine) && !has_several_words(text);
        if context.key.words.has(*word) && !machine && is_whole(*kind, text, &made) {
            findings.push(from, to, *kind, "key");
        }
    }
}

/// What a value is made of.
struct Made {
    digits: usize,
    letters: usize,
    /// Letters, digits, dashes, spaces, dots and slashes of ASCII alone.
    plain: bool,
}

impl Made {
    fn of(text: &[u8]) -> Self {
        let (mut digits, mut letters, mut others) = (0, 0, 0);
        for byte in text {
            digits += usize::from(byte.is_ascii_digit());
            letters += usize::from(byte.is_ascii_alphabetic() || *byte >= 0x80);
            others += usize::from(!matches!(byte, b'-' | b' ' | b'.' | b'/' | 0x80..));
        }
        let plain = text.is_ascii() && others == digits + letters;
        Self { digits, letters, plain }
    }
}

/// Words that may be the name of a key whose value is a person.
const PERSON_WORDS: Words = Words::of(&[Word::Person, Word::BareName]);

/// Words in the name of a key that speak for its whole value.
pub const WHOLE_WORDS: Words = {
    let mut words = PERSON_WORDS;
    let mut at = 0;
    while at < WHOLE.len() {
        words = words.with(WHOLE[at].0);
        at += 1;
    }
    words
};

/// Kinds of whole values by what the name of the key says.
const WHOLE: &[(Word, Kind)] = &[
    (Word::Cvv, Kind::Cvv),
    (Word::PinBlock, Kind::PinBlock),
    (Word::Mrn, Kind::Mrn),
    (Word::HealthPlan, Kind::HealthPlan),
    (Word::Passport, Kind::UsPassport),
    (Word::License, Kind::DriverLicense),
    (Word::IdCard, Kind::IdCard),
    (Word::NationalId, Kind::NationalId),
    (Word::Account, Kind::BankAccount),
    (Word::Phone, Kind::Phone),
    (Word::Birth, Kind::DateOfBirth),
    (Word::Name, Kind::PersonName),
    (Word::Address, Kind::Address),
    (Word::Latitude, Kind::Geo),
    (Word::Longitude, Kind::Geo),
    (Word::Plate, Kind::LicensePlate),
    (Word::Bic, Kind::SwiftBic),
    (Word::SortCode, Kind::UkSortCode),
];

fn is_whole(kind: Kind, text: &[u8], made: &Made) -> bool {
    let Made { digits, letters, plain } = *made;
    match kind {
        Kind::Cvv => matches!(text.len(), 3 | 4) && digits == text.len(),
        Kind::PinBlock => text.len() >= 16 && text.iter().all(u8::is_ascii_hexdigit),
        Kind::Mrn => plain && digits >= 3 && (4..=20).contains(&text.len()),
        Kind::HealthPlan | Kind::NationalId => plain && digits >= 5 && (6..=24).contains(&text.len()),
        Kind::UsPassport | Kind::IdCard => plain && digits >= 4 && (6..=16).contains(&text.len()),
        Kind::DriverLicense => plain && digits >= 4 && (5..=24).contains(&text.len()),
        Kind::BankAccount => plain && digits >= 6 && letters <= 4 && text.len() <= 40,
        Kind::Phone => (7..=16).contains(&digits) && letters <= 4 && text.len() <= 32,
        Kind::DateOfBirth => {
            date_end(text, 0).is_some_and(|end| end == text.len() || text[end..].starts_with(b"T"))
        }
        Kind::PersonName => person::is_name(text),
        Kind::SwiftBic => is_bic(text),
        Kind::UkSortCode => sort_code_end(text, 0) == Some(text.len()),
        Kind::Address => {
            letters >= 3 && !text.contains(&b'@') && !text.starts_with(b"http") && is_place(text)
        }
        Kind::Geo => is_coordinate(text),
        Kind::LicensePlate => plain && text.len() <= 12 && digits > 0 && text.len() > 3,
        _ => false,
    }
}

fn has_several_words(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b','))
}

/// Words, no name of a machine: `db-1.example.com`.
fn is_place(text: &[u8]) -> bool {
    has_several_words(text)
        || !text.is_ascii()
        || !text.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'/' | b'_'))
}

fn is_coordinate(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|byte| *byte == b'.');
    point.is_some_and(|point| (1..=3).contains(&point) && digits.len() - point > 3)
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Goes over the keywords of the text.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    for hit in context.hits {
        match hit.word {
            Word::Cvv => verification_value(context, hit, findings),
            Word::Cid if context.said.has(Word::Card) => verification_value(context, hit, findings),
            Word::PinBlock => pin_block(context, hit, findings),
            Word::Mrn => token(context, hit, Kind::Mrn, (5, 14, 3), findings),
            Word::Passport => token(context, hit, Kind::UsPassport, (6, 12, 4), findings),
            Word::IdCard => token(context, hit, Kind::IdCard, (6, 14, 4), findings),
            Word::License => token(context, hit, Kind::DriverLicense, (5, 20, 4), findings),
            Word::HealthPlan => token(context, hit, Kind::HealthPlan, (6, 16, 5), findings),
            Word::Account => token(context, hit, Kind::BankAccount, (6, 20, 6), findings),
            Word::Birth => birth(context, hit, findings),
            Word::Latitude | Word::Longitude | Word::Position => coordinates(context, hit, findings),
            Word::Plate => plate(context, hit, findings),
            Word::Bic => banking::bic(context, hit, findings),
            Word::SortCode => banking::sort_code(context, hit, findings),
            Word::Hl7 => segments::patient(context, hit, findings),
            Word::BareName => person::bare(context, hit, findings),
            Word::Name => person::named(context, hit, findings),
            Word::Person => person::addressed(context, hit, findings),
            Word::Address => person::address(context, hit, findings),
            _ => {}
        }
    }
}

fn verification_value(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let mut from = hit.end as usize;
    // The digit of `cvv2`.
    while context.byte(from).is_ascii_digit() && from < hit.end as usize + 1 {
        from += 1;
    }
    let start = value_after(context.text, from);
    let digits = context.text[start.min(context.text.len())..]
        .iter()
        .take(5)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let behind = context.byte(start + digits);
    let glued = behind.is_ascii_alphanumeric()
        || matches!(behind, b'_' | b'-')
        || (behind == b'.' && context.byte(start + digits + 1).is_ascii_digit());
    if matches!(digits, 3 | 4) && start > from && !glued {
        findings.push(start, start + digits, Kind::Cvv, "cvv.keyword");
    }
}

fn pin_block(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let length = context.text[start.min(context.text.len())..]
        .iter()
        .take(40)
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    if (16..=32).contains(&length) {
        findings.push(start, start + length, Kind::PinBlock, "pin.keyword");
    }
}

/// A token of letters, digits and dashes with at least so many digits: (shortest, longest, digits).
fn token(
    context: &Context<'_>,
    hit: &Hit,
    kind: Kind,
    (shortest, longest, least): (usize, usize, usize),
    findings: &mut Findings<'_>,
) {
    let start = value_after(context.text, hit.end as usize);
    if start == hit.end as usize {
        return;
    }
    let end = token_end(context.text, start, longest);
    let value = &context.text[start.min(end)..end];
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let behind = context.byte(end);
    let glued = behind == b'_'
        || (behind == b'.' && context.byte(end + 1).is_ascii_alphanumeric())
        || behind == b':' && context.byte(end + 1).is_ascii_digit();
    let words = value
        .split(|byte| *byte == b'-')
        .filter(|part| part.len() > 4 && part.iter().all(u8::is_ascii_lowercase))
        .count();
    if (shortest..=longest).contains(&value.len())
        && digits >= least
        && !glued
        && words == 0
        && date_end(value, 0).is_none_or(|end| value.len() == 8 || end < value.len())
    {
        findings.push(start, end, kind, "keyword");
    }
}

/// Up to three groups of capitals and digits: `ABC 1234`, `B-MW 1234`, `AB12 CDE`.
fn plate(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let (mut end, mut groups) = (start, 0);
    while groups < 3 && end - start <= 9 {
        let from = end + usize::from(groups > 0 && matches!(context.byte(end), b' ' | b'-'));
        let group = context.text[from.min(context.text.len())..]
            .iter()
            .take(8)
            .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            .count();
        if group == 0 || (groups > 0 && from == end) || context.byte(from + group).is_ascii_lowercase() {
            break;
        }
        (end, groups) = (from + group, groups + 1);
    }
    let given = &context.text[start.min(end)..end];
    let (letters, digits) = (given.iter().any(u8::is_ascii_uppercase), given.iter().any(u8::is_ascii_digit));
    if start > hit.end as usize && letters && digits && (4..=11).contains(&given.len()) {
        findings.push(start, end, Kind::LicensePlate, "plate.keyword");
    }
}

fn birth(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    if let Some(end) = date_end(context.text, start) {
        let time =
            context.text[end..].iter().take(30).take_while(|byte| b"0123456789:.TZ+-".contains(byte)).count();
        let end = if context.byte(end) == b'T' { end + time } else { end };
        findings.push(start, end, Kind::DateOfBirth, "birth.keyword");
    }
}

/// One coordinate behind `lat`, a pair behind `gps`: at least three digits behind the point, about a hundred metres.
fn coordinates(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let Some(end) = coordinate_end(context.text, start) else { return };
    if hit.word != Word::Position {
        return findings.push(start, end, Kind::Geo, "geo.keyword");
    }
    let signs = context.text[end..].iter().take(3).take_while(|byte| b", ;/".contains(byte)).count();
    if let Some(second) = coordinate_end(context.text, end + signs).filter(|_| signs > 0) {
        findings.push(start, end, Kind::Geo, "geo.keyword");
        findings.push(end + signs, second, Kind::Geo, "geo.keyword");
    }
}

fn coordinate_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..)?;
    let length =
        rest.iter().take(24).take_while(|byte| byte.is_ascii_digit() || b".-+".contains(byte)).count();
    let mut value = &rest[..length];
    while let [shorter @ .., b'.' | b'-'] = value {
        value = shorter;
    }
    is_coordinate(value.strip_prefix(b"+").unwrap_or(value)).then_some(start + value.len())
}
