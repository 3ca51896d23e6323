//! Sensitive values are hidden wherever a record holds them, and nothing else changes.

use crate::records::{self, array, int, map, pair, string, value};
use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::values::memory::Memory;
use fapilog_native::redact::values::{Pass, ValuePolicy};
use fapilog_native::scan::kind::Kind;
use fapilog_native::scan::Settings;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;

const CARD: &str = "4111 1111 1111 1111";
const HIDDEN: &str = "[REDACTED:pan]";

fn policy() -> ValuePolicy {
    ValuePolicy::new(Settings::default(), [])
}

fn hidden(record: &LogRecord) -> Option<LogRecord> {
    let out = policy().without_values(&record.encode_to_vec(), &mut Memory::default())?;
    Some(LogRecord::decode(out.as_slice()).unwrap())
}

fn with(attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { time_unix_nano: 7, body: Some(string("paid")), attributes, ..LogRecord::default() }
}

/// What `given` becomes under the key `key`, and the note.
fn becomes(key: &str, given: AnyValue) -> (AnyValue, Vec<AnyValue>) {
    let mut attributes = hidden(&with(vec![pair(key, given)])).unwrap().attributes;
    let note = attributes.pop().unwrap();
    assert_eq!(note.key, "fapilog.redacted");
    let Some(AnyValue { value: Some(Value::ArrayValue(notes)) }) = note.value else { panic!("{note:?}") };
    let only = attributes.pop().unwrap();
    assert_eq!((only.key.as_str(), attributes.len()), (key, 0));
    (only.value.unwrap(), notes.values)
}

#[test]
fn a_record_without_any_is_left_alone() {
    let record = with(vec![pair("order", int(42)), pair("items", array(vec![string("a"), int(7)]))]);
    assert_eq!(hidden(&record), None);
}

#[test]
fn a_body_is_cut_where_the_value_stands_and_the_rest_stays() {
    let mut record = with(vec![pair("order", int(42))]);
    record.body = Some(string(&format!("paid with {CARD} today")));
    let out = hidden(&record).unwrap();
    record.body = Some(string("paid with [REDACTED:pan] today"));
    record.attributes.push(pair("fapilog.redacted", array(vec![string("body:pan")])));
    assert_eq!(out, record);
}

#[test]
fn it_is_found_in_texts_numbers_bytes_lists_and_maps() {
    let (text, number) = (|| string(CARD), || int(4_111_111_111_111_111));
    let cases = [
        (text(), string(HIDDEN)),
        (number(), string(HIDDEN)),
        (value(Value::DoubleValue(4_111_111_111_111_111.0)), string(HIDDEN)),
        (value(Value::BytesValue(CARD.into())), value(Value::BytesValue(HIDDEN.into()))),
        (array(vec![int(1), text(), number()]), array(vec![int(1), string(HIDDEN), string(HIDDEN)])),
    ];
    for (given, expected) in cases {
        assert_eq!(becomes("x", given), (expected, vec![string("x:pan")]));
    }
    let nested = map(vec![pair("a", map(vec![pair("b", text())])), pair("c", int(1))]);
    let expected = map(vec![pair("a", map(vec![pair("b", string(HIDDEN))])), pair("c", int(1))]);
    assert_eq!(becomes("x", nested), (expected, vec![string("x.a.b:pan")]));
}

#[test]
fn what_an_action_let_through_is_left_alone_by_a_second_pass() {
    let policy = ValuePolicy::new(Settings::default(), [(Kind::Ipv4, Action::Generalise)]);
    let once = policy.without_values_in("from 203.0.113.77");
    assert_eq!(once, "from [REDACTED:ip:203.0.113.0/24]");
    assert_eq!(policy.without_values_in(&once), once);
}

#[test]
fn a_number_is_found_over_members_that_are_no_text() {
    let members = array(vec![string("4111"), AnyValue::default(), string("1111"), int(1111), string("1111")]);
    assert_eq!(becomes("x", members), (array(vec![string(HIDDEN)]), vec![string("x:pan")]));
}

#[test]
fn bytes_that_are_no_text_go_as_a_whole() {
    let mixed = [&[0xff, 0xfe, b' '], CARD.as_bytes()].concat();
    let expected = (value(Value::BytesValue(HIDDEN.into())), vec![string("x:pan")]);
    assert_eq!(becomes("x", value(Value::BytesValue(mixed))), expected);
}

#[test]
fn a_number_that_was_split_over_a_list_is_found() {
    let pieces = array(vec![string("4111"), string("1111"), int(1111), string("1111")]);
    assert_eq!(becomes("x", pieces), (array(vec![string(HIDDEN)]), vec![string("x:pan")]));
}

#[test]
fn a_key_that_holds_one_is_cut_and_not_repeated_in_the_note() {
    let out = hidden(&with(vec![pair(&format!("card {CARD}"), int(1))])).unwrap();
    let expected =
        vec![pair("card [REDACTED:pan]", int(1)), pair("fapilog.redacted", array(vec![string("*:pan")]))];
    assert_eq!(out.attributes, expected);
}

#[test]
fn an_action_decides_what_stands_there() {
    let actions = [(Kind::Pan, Action::Truncate { first: 6, last: 4 })];
    let policy = ValuePolicy::new(Settings::default(), actions);
    let record = with(vec![pair("x", string(CARD))]).encode_to_vec();
    let out = policy.without_values(&record, &mut Memory::default()).unwrap();
    let first = LogRecord::decode(out.as_slice()).unwrap().attributes.remove(0);
    assert_eq!(first, pair("x", string("[REDACTED:pan:411111...1111]")));
}

#[test]
fn what_is_hidden_stays_as_it_is_in_a_second_pass() {
    let once = hidden(&with(vec![pair("card", string(CARD)), pair("note", string(CARD))])).unwrap();
    assert_eq!(hidden(&once), None);
}

#[test]
fn a_record_that_cannot_be_read_to_its_end_keeps_only_what_can() {
    let mut bytes = with(vec![pair("order", int(42))]).encode_to_vec();
    let whole = bytes.clone();
    bytes.extend_from_slice(&[0x32, 0x7f, b'4']);
    assert_eq!(policy().without_values(&bytes, &mut Memory::default()), Some(whole));
}

#[test]
fn hide_replaces_the_record_of_a_writer() {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.body_str(format!("card {CARD}").as_bytes());
    assert!(!policy().hide(&mut writer, Pass::Record));
    let record = LogRecord::decode(writer.record()).unwrap();
    assert_eq!(
        (record.time_unix_nano, record.severity_number, record.body),
        (1, 9, Some(string("card [REDACTED:pan]")))
    );
}

proptest! {
    #[test]
    fn any_record_stays_readable_and_a_second_pass_finds_nothing(record in records::any_record()) {
        if let Some(once) = hidden(&record) {
            // Two names that only together look like something are looked at again, and stay.
            let again = hidden(&once).unwrap_or_else(|| once.clone());
            prop_assert_eq!(again.encode_to_vec(), once.encode_to_vec());
            prop_assert_eq!(once.time_unix_nano, record.time_unix_nano);
        }
    }

    #[test]
    fn what_came_by_before_changes_nothing(order in prop::collection::vec((0usize..8, 0usize..4), 1..60)) {
        let texts = ["paid", CARD, "eu-west-1", "a@b.org", "password=hunter2", "INFO", "4111", "order placed"];
        let keys = ["region", "note", "password_hint", "user.email"];
        let mut memory = Memory::default();
        let policy = policy();
        for (text, key) in order {
            let mut record = with(vec![pair(keys[key], string(texts[text])), pair("card", string(CARD))]);
            record.body = Some(string(texts[(text + key) % texts.len()]));
            let record = record.encode_to_vec();
            prop_assert_eq!(
                policy.without_values(&record, &mut memory),
                policy.without_values(&record, &mut Memory::default()),
            );
        }
    }
}

#[test]
fn what_is_found_in_a_scope_is_not_counted_as_a_body() {
    let policy = policy();
    assert_eq!(policy.without_values_in(CARD), HIDDEN);
    let places = policy.found().counts().places.into_iter().collect::<Vec<_>>();
    assert_eq!(places, [(("scope".into(), "PAN".into()), 1)]);
}
