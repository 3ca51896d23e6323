//! Stage 3 of 7, redact: finds addresses of machines: IP of both versions, network cards. Thread: caller.

use crate::scan::classes::{class, flag, Run};
use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;
use crate::scan::sets::WordSet;
use crate::scan::words::Word;

/// Appends what it finds beside runs.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.anchors.has(flag::COLONS) {
        with_colons(context, findings);
    }
    if findings.wants(Kind::UserPath) {
        home_directories(context, findings);
    }
}

/// Finds the address whose first number is the run.
#[inline]
pub fn octet(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if context.byte(run.end as usize) == b'.' {
        ip_version_4(context, run.start as usize, findings);
    }
}

/// Finds the address of a network card that a run of four is a part of.
#[inline]
pub fn dotted(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if !run.holds(class::DASH | class::UNDERSCORE) {
        dotted_mac(context, run.start as usize, findings);
    }
}

/// Finds the address of a network card that a run is.
pub fn dashed(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if run.holds(class::DASH) && is_mac(&context.text[run.range()], b'-') {
        findings.push(run.start as usize, run.end as usize, Kind::Mac, "mac");
    }
}

/// `192.0.2.7`, but neither `v1.2.3.4` nor `version=1.2.3.4` nor `Chrome/1.2.3.4`.
fn ip_version_4(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let before = context.before(start);
    if before == b'.' || (before == b'-' && context.before(start - 1).is_ascii_alphanumeric()) {
        return;
    }
    let Some((octets, end)) = four_octets(context.text, start) else { return };
    let behind = context.byte(end);
    let continues =
        matches!(behind, b'.' | b'-' | b'+' | b'_') && context.byte(end + 1).is_ascii_alphanumeric();
    if continues || is_version(context, start) {
        return;
    }
    let rule = match octets {
        [0 | 127 | 255, ..] | [1, 0, 0, 0] => return,
        // In an address of a service, a private host is nobody's.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] if matches!(before, b'@' | b'/') => return,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] | [100, 64..=127, ..] => "ip.private",
        [224..=254, ..] => "ip.multicast",
        _ => "ip",
    };
    findings.push(start, end, Kind::Ipv4, rule);
}

fn four_octets(text: &[u8], start: usize) -> Option<([u8; 4], usize)> {
    let mut octets = [0; 4];
    let mut at = start;
    for (place, octet) in octets.iter_mut().enumerate() {
        if place > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let digits = text.get(at..)?.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let group = text.get(at..at + digits)?;
        if digits == 0 || digits > 3 || (digits > 1 && group[0] == b'0') {
            return None;
        }
        let value = group.iter().fold(0u32, |value, byte| value * 10 + u32::from(byte - b'0'));
        *octet = u8::try_from(value).ok()?;
        at += digits;
    }
    (!text.get(at).is_some_and(u8::is_ascii_alphanumeric)).then_some((octets, at))
}

/// Bytes before a dotted number in which a word of versions speaks.
const VERSION_BYTES: usize = 24;

/// True of the dotted number of a version: behind `v`, behind `product/`, or behind a word of versions with no word of addresses closer.
fn is_version(context: &Context<'_>, start: usize) -> bool {
    let before = context.before(start);
    if before.is_ascii_alphabetic()
        || (before == b'/'
            && context.before(start - 1).is_ascii_alphanumeric()
            && !is_cidr_path(context, start))
    {
        return true;
    }
    if context.key.words.has(Word::Version) && !context.key.words.has(Word::Ip) {
        return true;
    }
    let from = start.saturating_sub(VERSION_BYTES);
    let first = context.hits.partition_point(|hit| (hit.end as usize) < from);
    let near = context.hits[first..].iter().take_while(|hit| hit.end as usize <= start);
    let speaking: Option<&Hit> = near.filter(|hit| matches!(hit.word, Word::Version | Word::Ip)).last();
    speaking.is_some_and(|hit| hit.word == Word::Version)
}

/// True when the slash before `start` belongs to a URL or a path: `http://`, `peer/`.
fn is_cidr_path(context: &Context<'_>, start: usize) -> bool {
    context.text[..start].ends_with(b"://")
}

/// `0011.2233.4455`
fn dotted_mac(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    if context.byte(start + 4) != b'.' && context.before(start) != b'.' {
        return;
    }
    // The groups before may hold letters alone, and be no anchor.
    let first = (0..3).rev().map(|groups| start.wrapping_sub(groups * 5)).find(|first| {
        context.text.get(*first..first.wrapping_add(14)).is_some_and(is_dotted_mac)
            && !matches!(context.before(*first), b'.' | b'-')
            && !context.before(*first).is_ascii_alphanumeric()
            && !context.byte(first + 14).is_ascii_alphanumeric()
    });
    if let Some(first) = first.filter(|first| !findings.covers(*first)) {
        findings.push(first, first + 14, Kind::Mac, "mac");
    }
}

fn is_dotted_mac(text: &[u8]) -> bool {
    text.iter()
        .enumerate()
        .all(|(at, byte)| if at % 5 == 4 { *byte == b'.' } else { byte.is_ascii_hexdigit() })
        && text.iter().any(u8::is_ascii_digit)
}

fn is_mac(text: &[u8], separator: u8) -> bool {
    text.len() == 17
        && text.iter().enumerate().all(|(at, byte)| {
            if at % 3 == 2 {
                *byte == separator
            } else {
                byte.is_ascii_hexdigit()
            }
        })
        && text.iter().any(|byte| !matches!(byte, b'0' | b'f' | b'F') && *byte != separator)
}

/// Longest address of version 6, with version 4 at its end.
const LONGEST: usize = 45;

/// Stretches of hexadecimal digits and colons.
fn with_colons(context: &Context<'_>, findings: &mut Findings<'_>) {
    let text = context.text;
    let mut done = 0;
    for &colon in &context.anchors.assigns {
        let colon = colon as usize;
        let next = context.byte(colon + 1);
        if colon < done || !(next == b':' || next.is_ascii_hexdigit()) {
            continue;
        }
        let back =
            text[done..colon].iter().rev().take(LONGEST).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let start = colon - back;
        let length = text[start..]
            .iter()
            .take(LONGEST + 1)
            .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            .count();
        let mut end = start + length;
        while end > colon + 2 && matches!(text[end - 1], b':' | b'.') && !text[..end].ends_with(b"::") {
            end -= 1;
        }
        done = end.max(colon + 1);
        let glued = is_word(context.before(start)) || is_word(context.byte(end));
        if glued || length > LONGEST {
            continue;
        }
        let found = &text[start..end];
        if is_mac(found, b':') {
            findings.push(start, end, Kind::Mac, "mac");
        } else if let Some(rule) = ip_version_6(found) {
            findings.push(start, end, Kind::Ipv6, rule);
        }
    }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn ip_version_6(text: &[u8]) -> Option<&'static str> {
    if text.len() < 6 || text.split(|byte| *byte == b':').count() < 3 {
        return None;
    }
    let address: std::net::Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    match address.segments() {
        [0x2000..=0x3fff, ..] => Some("ip"),
        [0, 0, 0, 0, 0, 0xffff, high, _] if high >> 8 != 127 && high != 0 => Some("ip.mapped"),
        [0x64, 0xff9b, ..] => Some("ip.mapped"),
        [0xfc00..=0xfdff | 0xfe80..=0xfebf, ..] => Some("ip.private"),
        _ => None,
    }
}

/// Names of accounts that are no person's.
static ACCOUNTS: WordSet = WordSet::new(
    "app ubuntu runner root user ec2-user node jenkins circleci vscode public default shared www git deploy \
     docker linuxbrew jovyan airflow admin administrator",
);

/// `/home/anna/`, `/Users/anna/`, `C:\Users\anna\`: the name alone.
fn home_directories(context: &Context<'_>, findings: &mut Findings<'_>) {
    for &before in &[&b"/home/"[..], b"/Users/", b"\\Users\\", b"\\\\Users\\\\", b"/users/home/"] {
        let mut at = 0;
        while let Some(found) = context.text.get(at..).and_then(|rest| memchr::memmem::find(rest, before)) {
            let start = at + found + before.len();
            let name = context.text[start..]
                .iter()
                .take(40)
                .take_while(|byte| is_word(**byte) || matches!(byte, b'.' | b'-'))
                .count();
            let given = &context.text[start..start + name];
            at = start + name;
            if matches!(context.byte(at), b'/' | b'\\') && !ACCOUNTS.has(given) {
                findings.push(start, at, Kind::UserPath, "path.home");
            }
        }
    }
}
