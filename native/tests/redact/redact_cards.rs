//! No output of the redactor holds a card number: never more of one than its first six and last four digits.
#![allow(clippy::cast_precision_loss)] // Numbers of up to 15 digits.

use crate::records::{array, int, map, pair, string, value};
use fapilog_native::redact::actions::token::{TokenKey, TokenKeys};
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::values::memory::Memory;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::scan::kind::Kind;
use fapilog_native::scan::Settings;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;
use std::sync::Arc;

/// Beginnings and lengths of the large networks.
const NETWORKS: [(&str, usize); 8] =
    [("4", 16), ("4", 13), ("4", 19), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("36", 14)];

fn with_check_digit(mut digits: Vec<u8>) -> String {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| u32::from(if at % 2 == 0 { doubled(*digit) } else { *digit }))
        .sum();
    digits.push(((10 - sum % 10) % 10) as u8);
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// Any valid number; its digits are various enough that seven of them stand nowhere by chance.
fn card() -> impl Strategy<Value = String> {
    let network = prop::sample::select(NETWORKS.to_vec());
    (network, prop::collection::vec(0..10u8, 19))
        .prop_map(|((start, length), random)| {
            let given = start.bytes().map(|byte| byte - b'0');
            with_check_digit(given.chain(random).take(length - 1).collect())
        })
        .prop_filter("various", |card| {
            let mut digits: Vec<u8> = card.bytes().collect();
            digits.sort_unstable();
            digits.dedup();
            digits.len() > 4
        })
}

fn groups(card: &str, between: &str) -> String {
    let sizes: &[usize] = match card.len() {
        13 => &[4, 3, 3, 3],
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        _ => &[4, 4, 4, 4, 3],
    };
    let (mut parts, mut at) = (Vec::new(), 0);
    for size in sizes {
        let end = (at + size).min(card.len());
        parts.extend((at < end).then(|| card[at..end].to_owned()));
        at = end;
    }
    parts.join(between)
}

/// The number in some spelling.
fn spelled(card: &str, spelling: u8) -> String {
    let wide = |text: &str| {
        let wide = |digit: char| char::from_u32(digit as u32 + 0xfee0).unwrap_or(digit);
        text.chars().map(|sign| if sign.is_ascii_digit() { wide(sign) } else { sign }).collect()
    };
    match spelling % 10 {
        0 => card.to_owned(),
        1 => groups(card, " "),
        2 => groups(card, "-"),
        3 => groups(card, "\u{a0}"),
        4 => groups(card, "\u{2009}"),
        5 => wide(card),
        6 => groups(card, "%20"),
        7 => format!("{{\"n\":\"{}\"}}", groups(card, " ")),
        8 => format!("{{\\\"n\\\":\\\"{card}\\\"}}"),
        _ => groups(card, "\u{200b}"),
    }
}

/// The number in some place of a record.
fn placed(card: &str, spelling: u8, place: u8) -> LogRecord {
    let text = spelled(card, spelling);
    let number: i64 = card.parse().unwrap();
    let parts = || groups(card, " ").split(' ').map(string).collect();
    let (key, given): (&str, AnyValue) = match place % 11 {
        0 => return LogRecord { body: Some(string(&format!("paid {text} now"))), ..LogRecord::default() },
        1 => ("x", string(&text)),
        2 => ("card.number", string(&text)),
        3 => ("x", int(number)),
        4 => ("x", value(Value::BytesValue(text.into_bytes()))),
        5 => ("x", array(parts())),
        6 => ("x", array(vec![int(1), string(&text)])),
        7 => ("x", map(vec![pair("a", array(vec![map(vec![pair("b", string(&text))])]))])),
        8 => (&text, int(1)),
        9 => ("x", map(vec![pair(&text, string("y"))])),
        // Above 2^53 a double is not the number any more.
        _ if card.len() < 16 => ("x", value(Value::DoubleValue(number as f64))),
        _ => ("x", string(&format!("{text}, and again {text}"))),
    };
    LogRecord { attributes: vec![pair(key, given)], ..LogRecord::default() }
}

fn policy(action: u8) -> ValuePolicy {
    let action = match action % 6 {
        0 => Action::Remove,
        1 => Action::Mask { keep_last: 4 },
        2 => Action::Mask { keep_last: 8 },
        3 => Action::Truncate { first: 6, last: 4 },
        4 => Action::Token(Arc::new(TokenKeys::new(TokenKey::new(1, &[7; 32], "test")))),
        _ => Action::Generalise,
    };
    ValuePolicy::new(Settings::default(), [(Kind::Pan, action)])
}

/// Every text, key and number of a value.
fn texts_of(given: &AnyValue, out: &mut Vec<String>) {
    match given.value.as_ref() {
        Some(Value::StringValue(text)) => out.push(text.clone()),
        Some(Value::IntValue(number)) => out.push(number.to_string()),
        Some(Value::DoubleValue(number)) => out.push(number.to_string()),
        Some(Value::BytesValue(bytes)) => out.push(String::from_utf8_lossy(bytes).into_owned()),
        Some(Value::ArrayValue(list)) => {
            let mut inside = Vec::new();
            list.values.iter().for_each(|one| texts_of(one, &mut inside));
            out.push(inside.concat());
        }
        Some(Value::KvlistValue(pairs)) => pairs.values.iter().for_each(|one| texts_of_pair(one, out)),
        _ => {}
    }
}

fn texts_of_pair(given: &KeyValue, out: &mut Vec<String>) {
    out.push(given.key.clone());
    given.value.iter().for_each(|value| texts_of(value, out));
}

/// The digits that stand together for a reader: without separators, in ASCII; what truncation leaves out parts them.
fn digits(text: &str) -> String {
    text.replace("...", "#")
        .replace("%20", "")
        .chars()
        .filter_map(|sign| match sign as u32 {
            0xff10..=0xff19 => char::from_u32(sign as u32 - 0xfee0),
            _ => (sign.is_ascii_alphanumeric() || sign == '#').then_some(sign),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_more_of_a_card_number_than_six_and_four_is_left(
        card in card(), spelling in any::<u8>(), place in any::<u8>(), action in any::<u8>()
    ) {
        let record = placed(&card, spelling, place);
        let out = policy(action).without_values(&record.encode_to_vec(), &mut Memory::default());
        prop_assert!(out.is_some(), "left alone: {record:?}");
        let left = LogRecord::decode(out.unwrap().as_slice()).unwrap();
        let mut texts = Vec::new();
        left.body.iter().for_each(|body| texts_of(body, &mut texts));
        left.attributes.iter().for_each(|pair| texts_of_pair(pair, &mut texts));
        for text in &texts {
            let text = digits(text);
            let windows = (0..=card.len() - 7).map(|at| &card[at..at + 7]);
            for window in windows {
                prop_assert!(!text.contains(window), "{window} of {card} in {texts:?}");
            }
        }
    }
}
