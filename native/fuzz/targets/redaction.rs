//! Stage 3: a text for the scanner, and a record for the redactor.

use fapilog_native::redact::actions::token::{TokenKey, TokenKeys};
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::values::memory::Memory;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::scan::finding::Finding;
use fapilog_native::scan::keys::KeyPlan;
use fapilog_native::scan::kind::Kind;
use fapilog_native::scan::{Scanner, Scratch, Settings};
use fapilog_native::wire::put_bytes;
use std::sync::Arc;

/// Keys that say nothing, that speak for a number, and that name a secret.
const KEYS: [&str; 8] =
    ["", "note", "card.number", "user.password", "patient.name", "ssn", "iban", "http.url"];

fn plan(first: u8) -> KeyPlan {
    match KEYS[usize::from(first) % KEYS.len()] {
        "" => KeyPlan::NONE,
        name => KeyPlan::new(name),
    }
}

fn scan(scanner: &Scanner, text: &str, key: &KeyPlan) -> Vec<Finding> {
    scanner.scan(text, key, &mut Scratch::default()).to_vec()
}

/// The text with a marker for each finding.
fn marked(text: &str, findings: &[Finding]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for finding in findings {
        out.push_str(&text[at..finding.range().start]);
        out.extend(["[REDACTED:", finding.kind.word(), "]"]);
        at = finding.range().end;
    }
    out + &text[at..]
}

/// A text under a key, which the first byte picks: findings in order, apart, at borders of characters; the same again;
/// markers are never found.
pub fn scan_text(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (text, key, scanner) = (String::from_utf8_lossy(rest), plan(*first), Scanner::default());
    let findings = scan(&scanner, &text, &key);
    let mut end = 0;
    for finding in &findings {
        let range = finding.range();
        assert!(range.start >= end && range.start < range.end, "{findings:?} of {text:?}");
        assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
        end = range.end;
    }
    assert_eq!(scan(&scanner, &text, &key), findings);
    let once = marked(&text, &findings);
    for finding in scan(&scanner, &once, &key) {
        let hidden = &once[finding.range()];
        assert!(
            !(hidden.starts_with("[REDACTED:") && hidden.find(']') == Some(hidden.len() - 1)),
            "{once:?}"
        );
    }
}

pub fn texts() -> Vec<Vec<u8>> {
    let text = |key: u8, text: &str| [&[key][..], text.as_bytes()].concat();
    vec![
        text(0, "card 4111 1111 1111 1111 ssn 536-22-1034, mail a%40b.org"),
        text(1, "GET https://u:p4ss@h/?sig=abcdef&b=2 from 2001:db8::1 00:1b:44:11:3a:b7"),
        text(2, "4111\u{a0}1111\u{2009}1111 \u{ff11}111"),
        text(3, "hunter2"),
        text(4, "Anna Meyer, born 1990-02-03, 12 Main St, Springfield, IL 62704"),
        text(0, "{\"msg\":\"{\\\"iban\\\":\\\"DE89 3704 0044 0532 0130 00\\\"}\",\"token\":\"eyJhbGciOiJIUzI1NiJ9.e30.x\"}"),
        text(0, "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY----- Cookie: sid=abcdef123456; a=b"),
        text(5, "%B4111111111111111^DOE/JOHN^2512101?;4111111111111111=2512?"),
    ]
}

fn policy(first: u8) -> ValuePolicy {
    let token = || Action::Token(Arc::new(TokenKeys::new(TokenKey::new(1, &[7; 32], "test"))));
    let actions = match first % 4 {
        0 => vec![],
        1 => vec![(Kind::Pan, Action::Truncate { first: 6, last: 4 }), (Kind::Email, token())],
        2 => vec![(Kind::Pan, Action::Mask { keep_last: 4 }), (Kind::Ipv4, Action::Generalise)],
        _ => vec![(Kind::Pan, token()), (Kind::DateOfBirth, Action::Generalise)],
    };
    ValuePolicy::new(Settings::default(), actions)
}

/// A record, or bytes that pretend to be one: ends, does not panic, gives a record that reads the same again.
pub fn redact_record(data: &[u8]) {
    let Some((first, record)) = data.split_first() else { return };
    let policy = policy(*first);
    let Some(once) = policy.without_values(record, &mut Memory::default()) else { return };
    let again = policy.without_values(record, &mut Memory::default());
    assert_eq!(again.as_deref(), Some(&once[..]), "not the same twice");
    // Hidden values stay hidden. What the cut of one value laid bare may need another pass, never a third.
    if let Some(twice) = policy.without_values(&once, &mut Memory::default()) {
        let third = policy.without_values(&twice, &mut Memory::default());
        assert_eq!(third, None, "{once:02x?}");
    }
}

fn text_value(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    put_bytes(&mut value, 0x0a, text.as_bytes());
    value
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    let (mut pair, mut out) = (Vec::new(), Vec::new());
    put_bytes(&mut pair, 0x0a, key.as_bytes());
    put_bytes(&mut pair, 0x12, value);
    put_bytes(&mut out, 0x32, &pair);
    out
}

fn record(body: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0x10, 9];
    put_bytes(&mut out, 0x2a, &text_value(body));
    out.extend(attributes.concat());
    out
}

pub fn records() -> Vec<Vec<u8>> {
    let card = "4111 1111 1111 1111";
    let mut list = Vec::new();
    for part in ["4111", "1111", "1111", "1111"] {
        put_bytes(&mut list, 0x0a, &text_value(part));
    }
    let mut array = Vec::new();
    put_bytes(&mut array, 0x2a, &list);
    let number = [&[0x18][..], &[0xc7, 0xe3, 0x99, 0xa2, 0xe4, 0xbd, 0x83, 0x07]].concat();
    let nested = |key: &str, value: &[u8]| {
        let (mut pair, mut map, mut out) = (Vec::new(), Vec::new(), Vec::new());
        put_bytes(&mut pair, 0x0a, key.as_bytes());
        put_bytes(&mut pair, 0x12, value);
        put_bytes(&mut map, 0x0a, &pair);
        put_bytes(&mut out, 0x32, &map);
        out
    };
    let all = [
        record(card, &[attribute("email", &text_value("a@b.org")), attribute(card, &number)]),
        record("x", &[attribute("parts", &array), attribute("deep", &nested("pan", &nested("n", &number)))]),
        record("clean", &[attribute("order", &[0x18, 42])]),
        record(&format!("{{\"card\":\"{card}\"}}"), &[attribute("user.password", &text_value("hunter2"))]),
    ];
    all.iter().enumerate().map(|(at, record)| [&[at as u8], &record[..]].concat()).collect()
}
