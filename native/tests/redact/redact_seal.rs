//! What is sealed goes beside the record, opens with the private key alone, and survives a second look.

use crate::records::{array, int, map, pair, string};
use fapilog_native::redact::actions::seal::entry::{base64url, from_base64url, Entry};
use fapilog_native::redact::actions::seal::open::{KeyPair, Opened};
use fapilog_native::redact::actions::seal::{Sealer, SEALED_KEY};
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

const CARD: &str = "4111 1111 1111 1111";
const HIDDEN: &str = "[REDACTED:pan]";

fn pair_of_keys() -> KeyPair {
    KeyPair::from_private(&[7; 32]).unwrap()
}

fn policy() -> ValuePolicy {
    let sealer = Arc::new(Sealer::new(pair_of_keys().public()).unwrap());
    let by_kind = [Kind::Pan, Kind::Email].map(|kind| (kind, Action::Seal(Arc::clone(&sealer))));
    ValuePolicy::new(Settings::default(), by_kind)
}

fn redacted(policy: &ValuePolicy, record: &LogRecord) -> Option<LogRecord> {
    let out = policy.without_values(&record.encode_to_vec(), &mut Memory::default())?;
    Some(LogRecord::decode(out.as_slice()).unwrap())
}

fn entries(record: &LogRecord) -> Vec<String> {
    let lists: Vec<_> = record.attributes.iter().filter(|pair| pair.key == SEALED_KEY).collect();
    assert!(lists.len() <= 1, "one attribute");
    let Some(list) = lists.first() else { return Vec::new() };
    let Some(Value::ArrayValue(list)) = list.value.clone().and_then(|list| list.value) else {
        panic!("no list")
    };
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        other => panic!("no text: {other:?}"),
    };
    list.values.into_iter().map(|value| text(value.value)).collect()
}

fn opened(record: &LogRecord) -> Vec<(String, String, String)> {
    let text = |each: Opened| (each.path, each.kind, String::from_utf8(each.value).unwrap());
    pair_of_keys().open(&entries(record)).unwrap().into_iter().map(text).collect()
}

fn row(path: &str, kind: &str, value: &str) -> (String, String, String) {
    (path.to_owned(), kind.to_owned(), value.to_owned())
}

fn record(body: AnyValue, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { body: Some(body), attributes, ..LogRecord::default() }
}

#[test]
fn values_are_removed_in_place_and_open_from_beside_the_record() {
    let given = record(
        string(&format!("paid with {CARD}")),
        vec![
            pair("user", map(vec![pair("email", string("ann@example.org"))])),
            pair("number", int(4_111_111_111_111_111)),
            pair("digits", array(vec![string("4111"), string("1111"), string("1111"), string("1111")])),
        ],
    );
    let out = redacted(&policy(), &given).unwrap();
    assert_eq!(out.body, Some(string(&format!("paid with {HIDDEN}"))));
    assert!(!format!("{out:?}").contains("4111") && !format!("{out:?}").contains("ann@"), "{out:?}");
    assert_eq!(
        opened(&out),
        [
            row("body", "PAN", CARD),
            row("user.email", "EMAIL", "ann@example.org"),
            row("number", "PAN", "4111111111111111"),
            row("digits", "PAN", "4111 1111 1111 1111"),
        ]
    );
}

#[test]
fn a_second_look_changes_nothing_and_what_comes_later_joins_the_list() {
    let policy = policy();
    let first = redacted(&policy, &record(string(CARD), vec![])).unwrap();
    assert_eq!(redacted(&policy, &first), None);
    // Another policy has nothing to find in ciphertext either.
    assert_eq!(redacted(&ValuePolicy::new(Settings::default(), []), &first), None);
    let mut more = first.clone();
    more.attributes.push(pair("to", string("ann@example.org")));
    let second = redacted(&policy, &more).unwrap();
    assert_eq!(opened(&second), [row("body", "PAN", CARD), row("to", "EMAIL", "ann@example.org")]);
    assert_eq!(entries(&second)[0], entries(&first)[0]);
}

#[test]
fn what_only_looks_like_the_attribute_is_looked_through_as_any_other() {
    for inside in
        [string(CARD), array(vec![string(CARD)]), array(vec![string(&format!("1.0a1b2c3d.PAN..{CARD}"))])]
    {
        let out = redacted(&policy(), &record(string("x"), vec![pair(SEALED_KEY, inside)])).unwrap();
        assert!(!format!("{out:?}").contains("1111"), "{out:?}");
    }
    let first = redacted(&policy(), &record(string(CARD), vec![])).unwrap();
    let moved = entries(&first)[0].replace(".body", &format!(".{CARD}"));
    let given = record(string("x"), vec![pair(SEALED_KEY, array(vec![string(&moved)]))]);
    let out = redacted(&policy(), &given).unwrap();
    assert!(!format!("{out:?}").contains("1111 1111"), "{out:?}");
}

#[test]
fn a_record_full_of_values_seals_the_first_and_removes_all() {
    let cards = vec![CARD; 100].join(", ");
    let out = redacted(&policy(), &record(string(&cards), vec![])).unwrap();
    assert_eq!(out.body, Some(string(&vec![HIDDEN; 100].join(", "))));
    assert_eq!(opened(&out), vec![row("body", "PAN", CARD); 64]);
}

#[test]
fn a_token_is_never_one_for_a_value_that_was_not_looked_at_as_one() {
    let keys = Arc::new(TokenKeys::new(TokenKey::new(1, &[7; 32], "")));
    let policy = ValuePolicy::new(Settings::default(), [(Kind::Pan, Action::Token(keys))]);
    let split = array(vec![string("4111"), string("1111"), string("1111"), string("1111")]);
    let out = redacted(&policy, &record(string("x"), vec![pair("digits", split)])).unwrap();
    assert_eq!(out.attributes[0], pair("digits", array(vec![string(HIDDEN)])));
    let tokens = redacted(&policy, &record(string(CARD), vec![])).unwrap();
    assert!(format!("{:?}", tokens.body).contains("[REDACTED:pan:tok_1_"), "{tokens:?}");
    assert_eq!(redacted(&policy, &tokens), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_value_opens_as_it_was(kind in "[A-Z_]{1,12}", path in ".{0,24}", value in any::<Vec<u8>>()) {
        let sealer = Sealer::new(pair_of_keys().public()).unwrap();
        let entry = sealer.seal(&kind, &path, &value, &mut String::new()).unwrap();
        let opened = pair_of_keys().open(&[entry]);
        prop_assert_eq!(opened, Ok(vec![Opened { path, kind, value }]));
    }

    #[test]
    fn whatever_is_read_as_an_entry_is_written_as_it_was(text in "1\\.[0-9a-f]{8}\\.[A-Z ]{1,4}\\.(A{107})?\\.[A-Za-z0-9_-]{30,44}\\..{0,9}") {
        let written = Entry::parse(&text).map(|entry| entry.to_text());
        prop_assert!(written.is_none_or(|written| written == text));
    }

    #[test]
    fn bytes_and_text_say_the_same(bytes in any::<Vec<u8>>(), text in "[A-Za-z0-9_-]{0,24}") {
        prop_assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        prop_assert!(from_base64url(&text).is_none_or(|bytes| base64url(&bytes) == text));
    }

    #[test]
    fn no_text_makes_the_opener_fail_otherwise_than_by_saying_so(entries in prop::collection::vec(".{0,60}", 0..3)) {
        prop_assert_eq!(pair_of_keys().open(&entries).is_ok(), entries.is_empty());
    }
}
