//! Stage 3: one record never costs more than its cap, and says when it lost something.

use crate::records::{any_record, array, int, map, pair, string, value};
use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::{patch_sequence, Meta, RecordWriter};
use fapilog_native::redact::truncate::{fit, TRUNCATED_KEY};
use fapilog_native::redact::{redact, FrameSettings, Policy};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ScopeLogs};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// Longest mark that `fit` adds: the attribute, and a count of dropped attributes.
const MARK_BYTES: usize = 27 + 6;

fn mark() -> KeyValue {
    pair(TRUNCATED_KEY, value(Value::BoolValue(true)))
}

/// Text with characters of every length, repeated.
fn text() -> impl Strategy<Value = String> {
    ("[a-cä€𝄞]{0,9}", 0..400usize).prop_map(|(text, times)| text.repeat(times))
}

fn big_value() -> impl Strategy<Value = AnyValue> {
    prop_oneof![
        text().prop_map(|text| string(&text)),
        vec(any::<u8>(), 0..900).prop_map(|bytes| value(Value::BytesValue(bytes))),
        vec(any::<i64>(), 0..300).prop_map(|numbers| array(numbers.into_iter().map(int).collect())),
        vec(("[a-z]{0,40}", text()), 0..8)
            .prop_map(|pairs| map(pairs.iter().map(|(key, text)| pair(key, string(text))).collect())),
    ]
}

fn big_record() -> impl Strategy<Value = LogRecord> {
    let attributes = vec(("[a-zä]{0,60}", big_value()), 0..30);
    (any_record(), big_value(), attributes).prop_map(|(record, body, attributes)| LogRecord {
        body: Some(body),
        attributes: attributes.into_iter().map(|(key, value)| pair(&key, value)).collect(),
        ..record
    })
}

/// True when `cut` is `whole`, or a prefix of it that splits no character.
fn is_cut_of(cut: &AnyValue, whole: &AnyValue) -> bool {
    match (&cut.value, &whole.value) {
        (Some(Value::StringValue(cut)), Some(Value::StringValue(whole))) => whole.starts_with(cut.as_str()),
        (Some(Value::BytesValue(cut)), Some(Value::BytesValue(whole))) => whole.starts_with(cut),
        (Some(Value::ArrayValue(cut)), Some(Value::ArrayValue(whole))) => {
            cut.values.len() == whole.values.len()
                && cut.values.iter().zip(&whole.values).all(|(cut, whole)| is_cut_of(cut, whole))
        }
        (Some(Value::KvlistValue(cut)), Some(Value::KvlistValue(whole))) => {
            are_cuts_of(&cut.values, &whole.values)
        }
        _ => format!("{cut:?}") == format!("{whole:?}"),
    }
}

fn are_cuts_of(cut: &[KeyValue], whole: &[KeyValue]) -> bool {
    cut.len() == whole.len() && cut.iter().zip(whole).all(|(cut, whole)| pair_is_cut_of(cut, whole))
}

fn pair_is_cut_of(cut: &KeyValue, whole: &KeyValue) -> bool {
    let values = match (&cut.value, &whole.value) {
        (Some(cut), Some(whole)) => is_cut_of(cut, whole),
        (cut, whole) => cut.is_none() && whole.is_none(),
    };
    cut.key == whole.key && values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_truncated_record_fits_is_marked_and_counts_what_it_lost(record in big_record(), limit in 300..20_000usize) {
        let bytes = record.encode_to_vec();
        let Some(short) = fit(&bytes, limit, &Policy::default()) else {
            prop_assert!(bytes.len() <= limit);
            return Ok(());
        };
        prop_assert!(short.len() <= limit, "{} > {limit}", short.len());
        // Decoding checks that every string is valid UTF-8.
        let mut cut = LogRecord::decode(short.as_slice()).unwrap();
        prop_assert_eq!(cut.attributes.pop(), Some(mark()));
        let lost = record.attributes.len() - cut.attributes.len();
        let dropped = u64::from(record.dropped_attributes_count) + lost as u64;
        prop_assert_eq!(u64::from(cut.dropped_attributes_count), dropped.min(u64::from(u32::MAX)));
        let mut whole = record.attributes.iter();
        for kept in &cut.attributes {
            prop_assert!(whole.any(|attribute| pair_is_cut_of(kept, attribute)), "not in order: {kept:?}");
        }
        if let Some(body) = &cut.body {
            prop_assert!(is_cut_of(body, record.body.as_ref().unwrap()));
        }
    }

    #[test]
    fn what_says_what_the_record_is_stays_before_attributes(record in big_record(), limit in 700..5_000usize) {
        let Some(short) = fit(&record.encode_to_vec(), limit, &Policy::default()) else { return Ok(()) };
        let cut = LogRecord::decode(short.as_slice()).unwrap();
        let identity = |record: &LogRecord| LogRecord {
            body: None,
            attributes: vec![],
            dropped_attributes_count: 0,
            ..record.clone()
        };
        prop_assert_eq!(identity(&cut), identity(&record));
    }

    #[test]
    fn the_frame_with_its_number_is_within_the_cap(record in big_record(), limit in 300..20_000usize) {
        let mut writer = RecordWriter::new();
        writer.begin(0, 0, &SeverityField::NONE, None);
        writer.replace(&record.encode_to_vec());
        let meta = Meta { severity: 9, protected: false };
        let settings = FrameSettings { record_bytes: limit, sequenced: true };
        let mut redacted = redact(&mut writer, meta, &Policy::default(), settings);
        patch_sequence(redacted.frame_mut(), 5);
        prop_assert!(redacted.frame().len() <= limit, "{} > {limit}", redacted.frame().len());
        let scope = ScopeLogs::decode(redacted.frame()).unwrap();
        prop_assert_eq!(scope.log_records[0].attributes.last(), Some(&pair("fapilog.sequence", int(5))));
    }

    #[test]
    fn any_bytes_fit_and_never_panic(bytes in vec(any::<u8>(), 0..2_000), limit in 0..1_000usize) {
        if let Some(short) = fit(&bytes, limit, &Policy::default()) {
            prop_assert!(short.len() <= limit.max(MARK_BYTES));
        }
    }
}

#[test]
fn a_record_that_fits_is_left_alone() {
    let record = LogRecord { body: Some(string(&"x".repeat(500))), ..LogRecord::default() };
    assert_eq!(fit(&record.encode_to_vec(), 1_000, &Policy::default()), None);
}

#[test]
fn a_long_body_is_cut_and_everything_else_is_kept() {
    let attributes = vec![pair("user", string("ada")), pair("count", int(3))];
    let record = LogRecord {
        body: Some(string(&"ä".repeat(5_000))),
        attributes: attributes.clone(),
        event_name: "order".into(),
        ..LogRecord::default()
    };
    let cut = LogRecord::decode(fit(&record.encode_to_vec(), 1_000, &Policy::default()).unwrap().as_slice())
        .unwrap();
    let expected = LogRecord {
        body: Some(string(&"ä".repeat(230))),
        attributes: [attributes, vec![mark()]].concat(),
        event_name: "order".into(),
        ..LogRecord::default()
    };
    assert_eq!(cut, expected);
}

#[test]
fn attributes_without_end_cost_neither_the_message_nor_the_event_name() {
    let attributes = (0..2_000)
        .map(|number| pair(&format!("key{number}"), string("some forty letters of an ordinary value")));
    let record = LogRecord {
        body: Some(string("payment of 30 EUR was refused by the bank")),
        attributes: attributes.collect(),
        event_name: "payment.refused".into(),
        ..LogRecord::default()
    };
    let cut = LogRecord::decode(fit(&record.encode_to_vec(), 16_384, &Policy::default()).unwrap().as_slice())
        .unwrap();
    assert_eq!((&cut.body, &cut.event_name), (&record.body, &record.event_name));
    assert_eq!(cut.attributes.len() as u32 - 1 + cut.dropped_attributes_count, 2_000);
    assert_eq!(cut.attributes[0], record.attributes[0]);
}

#[test]
fn a_count_that_would_overflow_stays_at_its_maximum() {
    let mut record = LogRecord {
        dropped_attributes_count: u32::MAX,
        attributes: vec![pair(&"k".repeat(3_000), int(1))],
        ..LogRecord::default()
    }
    .encode_to_vec();
    // The same field again, with the largest varint.
    record.extend_from_slice(b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    let cut = LogRecord::decode(fit(&record, 1_000, &Policy::default()).unwrap().as_slice()).unwrap();
    assert_eq!(cut.dropped_attributes_count, u32::MAX);
}
