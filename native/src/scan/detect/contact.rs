//! Stage 3 of 7, redact: finds e-mail addresses and telephone numbers. Thread: caller.

use crate::scan::classes::Run;
use crate::scan::context::Context;
use crate::scan::detect::calling_codes::is_dialled;
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;
use crate::scan::words::Word;

/// Longest local part and longest domain (RFC 5321, 4.5.3.1).
const LOCAL_BYTES: usize = 64;
const DOMAIN_BYTES: usize = 254;

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    for &at in &context.anchors.ats {
        email(context, at as usize, findings);
    }
    if !context.said.has(Word::Phone) {
        return;
    }
    for hit in context.hits.iter().filter(|hit| hit.word == Word::Phone) {
        let start = value_after(context.text, hit.end as usize);
        named_phone(context, if context.before(start) == b'(' { start - 1 } else { start }, findings);
    }
}

/// Finds the telephone number of North America that a short number begins.
#[inline]
pub fn area(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let separated = matches!(context.byte(run.end as usize), b' ' | b')' | b'-' | b'.');
    if separated && (run.len() == 3 || context.byte(run.start as usize) == b'1') {
        north_america(context, run.start as usize, findings);
    }
}

/// Finds the telephone number that a run of digits and dashes is.
pub fn dashed(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if run.len() >= 12 || context.byte(run.start as usize + 1) == b'-' {
        north_america(context, run.start as usize, findings);
    }
}

fn email(context: &Context<'_>, at: usize, findings: &mut Findings<'_>) {
    let text = context.text;
    let from = at.saturating_sub(LOCAL_BYTES);
    let local = text[from..at].iter().rev().take_while(|byte| is_local(**byte)).count();
    let mut start = at - local;
    while start < at && matches!(text[start], b'.' | b'-' | b'%' | b'+') {
        start += 1;
    }
    let local = &text[start..at];
    if local.is_empty() || local.ends_with(b".") {
        return;
    }
    let rest = &text[at + 1..text.len().min(at + 1 + DOMAIN_BYTES)];
    let Some(length) = domain_length(rest) else { return };
    let end = at + 1 + length;
    let scp = context.byte(end) == b':'
        && !context.byte(end + 1).is_ascii_digit()
        && !context.byte(end + 1).is_ascii_whitespace();
    if (scp && (is_account(local) || text[end..text.len().min(end + 80)].contains(&b'/')))
        || in_authority(context, start)
    {
        return;
    }
    findings.push(start, end, Kind::Email, "email");
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'%') || byte >= 0x80
}

fn is_account(local: &[u8]) -> bool {
    [&b"git"[..], b"hg", b"svn", b"deploy", b"root", b"ubuntu", b"ec2-user"].contains(&local)
}

/// True when `at` is inside of `scheme://user:password@`: the whole of it is found elsewhere.
fn in_authority(context: &Context<'_>, at: usize) -> bool {
    let schemes = &context.anchors.schemes;
    let behind = schemes.partition_point(|scheme| (*scheme as usize) < at);
    behind > 0 && {
        let start = schemes[behind - 1] as usize + 3;
        start <= at
            && at - start < 256
            && !context.text[start..at].iter().any(|byte| {
                matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>') || byte.is_ascii_whitespace()
            })
    }
}

/// Endings of names that have an `@` and are no address: files, units of systemd, images.
static NO_DOMAINS: WordSet = WordSet::new(
    "png jpg jpeg gif svg webp ico js ts jsx tsx mjs css json yaml yml xml html txt log conf cfg tar tgz zip \
     gz whl jar war dll exe service socket target timer mount slice device py lock",
);

/// How long the domain is that `text` begins with, if it is one.
fn domain_length(text: &[u8]) -> Option<usize> {
    let length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || **byte >= 0x80)
        .count();
    let mut domain = &text[..length];
    while let [rest @ .., b'.' | b'-'] = domain {
        domain = rest;
    }
    // A sentence may go on behind a full stop without a space; labels are checked from the left.
    let dot = domain.iter().rposition(|byte| *byte == b'.')?;
    let (labels, last) = (&domain[..dot], &domain[dot + 1..]);
    let alphabetic = last.len() >= 2 && last.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
        || last.starts_with(b"xn--");
    let labelled =
        labels.split(|byte| *byte == b'.').all(|label| !label.is_empty() && !label.starts_with(b"-"));
    (alphabetic && labelled && last.len() <= 24 && !NO_DOMAINS.has(last)).then_some(domain.len())
}

/// Finds the number with its country code that a run behind `+` begins.
pub fn international(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let start = run.start as usize;
    let before = start.checked_sub(2).map_or(0, |at| context.byte(at));
    if before.is_ascii_alphanumeric() || context.byte(start) == b'0' {
        return;
    }
    let codes = text_digits(context.text, start);
    let dialled = |digits: usize| (8..=15).contains(&digits) && is_dialled(codes[0], codes[1], digits);
    let (end, digits) = digits_from(context.text, start, 15);
    if dialled(digits) {
        findings.push(start - 1, end, Kind::Phone, "phone.e164");
        return;
    }
    // Another number may stand behind it.
    let text = &context.text[start..end];
    let mut count = 0;
    let mut shorter = None;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b' ' && dialled(count) {
            shorter = Some(start + at);
        }
        count += usize::from(byte.is_ascii_digit());
    }
    if let Some(end) = shorter {
        findings.push(start - 1, end, Kind::Phone, "phone.e164");
    }
}

/// The first two digits from `start` on.
fn text_digits(text: &[u8], start: usize) -> [u8; 2] {
    let mut digits = text[start..].iter().copied().filter(u8::is_ascii_digit);
    [digits.next().unwrap_or(0), digits.next().unwrap_or(0)]
}

/// `555-123-4567`, `(555) 123-4567`, `1.555.123.4567`: area and exchange neither start with 0 or 1 nor are service codes.
fn north_america(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let text = context.text;
    let mut at = start;
    let mut groups = [0u32; 3];
    let bracket = context.before(start) == b'(';
    if !bracket && text.get(at) == Some(&b'1') && matches!(text.get(at + 1), Some(b'-' | b'.' | b' ')) {
        at += 2;
    }
    let mut separators = [0u8; 2];
    for (place, (group, size)) in groups.iter_mut().zip([3usize, 3, 4]).enumerate() {
        let Some(digits) = text.get(at..at + size).filter(|digits| digits.iter().all(u8::is_ascii_digit))
        else {
            return;
        };
        *group = digits.iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
        at += size;
        if place == 2 {
            break;
        }
        separators[place] = context.byte(at);
        at += match text.get(at..).unwrap_or_default() {
            [b')', b' ' | b'-' | b'.', ..] if bracket && place == 0 => 2,
            [b')', ..] if bracket && place == 0 => 1,
            [b'-' | b'.' | b' ', ..] => 1,
            _ => return,
        };
    }
    let before = start.checked_sub(if bracket { 2 } else { 1 }).map_or(0, |at| context.byte(at));
    let glued = before.is_ascii_alphanumeric() || matches!(before, b'-' | b'.' | b'_' | b'/');
    let behind = context.byte(at);
    let goes_on = behind.is_ascii_alphanumeric()
        || (matches!(behind, b'-' | b'.' | b'_') && context.byte(at + 1).is_ascii_alphanumeric());
    let alike = bracket || separators[0] == separators[1];
    if glued || goes_on || !alike || !is_code(groups[0]) || !is_code(groups[1]) {
        return;
    }
    let begin = if bracket { start - 1 } else { start };
    let words = context.near(begin, at);
    let spaced = !bracket && separators[0] == b' ';
    if words.has(Word::Phone) || (!spaced && !words.has(Word::Serial)) {
        findings.push(begin, at, Kind::Phone, "phone.nanp");
    }
}

const fn is_code(group: u32) -> bool {
    group >= 200 && group % 100 != 11
}

/// Whatever digits stand behind a word for telephones.
fn named_phone(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let first = context.byte(start);
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'(')) || context.before(start).is_ascii_digit() {
        return;
    }
    let (end, digits) = digits_from(context.text, start, 15);
    let behind = context.byte(end);
    let glued = behind.is_ascii_alphabetic()
        || behind == b'_'
        || (matches!(behind, b':' | b'.') && context.byte(end + 1).is_ascii_digit());
    if (7..=15).contains(&digits) && !glued {
        let start = if context.before(start) == b'+' { start - 1 } else { start };
        findings.push(start, end, Kind::Phone, "phone.keyword");
    }
}

/// The end of a number with spaces, dots, dashes, slashes and brackets in it, and how many digits it has.
pub(super) fn digits_from(text: &[u8], start: usize, most: usize) -> (usize, usize) {
    let (mut at, mut end, mut digits, mut gap) = (start, start, 0, 0);
    while let Some(&byte) = text.get(at) {
        if byte.is_ascii_digit() {
            if gap > 0 && (digits >= most || stops_at(text, at, digits)) {
                break;
            }
            digits += 1;
            end = at + 1;
            gap = 0;
        } else if matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'+')
            && gap < 3
            && (digits > 0 || byte != b' ')
        {
            gap += 1;
        } else if byte == 0xc2 && text.get(at + 1) == Some(&0xa0) && gap < 3 {
            at += 1;
            gap += 1;
        } else {
            break;
        }
        at += 1;
    }
    (end, digits)
}

/// True when the digits behind a space are another number: enough are there, and what comes is long or a date.
fn stops_at(text: &[u8], at: usize, digits: usize) -> bool {
    let next = text.get(at..).unwrap_or_default();
    let group = next.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let date =
        group == 4 && matches!(next.get(4), Some(b'-' | b'/')) && next.get(5).is_some_and(u8::is_ascii_digit);
    let spaced = text.get(at.wrapping_sub(1)) == Some(&b' ');
    spaced && digits >= 7 && (date || digits + group > 14 || next.get(group) == Some(&b':'))
}
