//! The borrowing reader against prost's owned one, and against bytes that no encoder makes.

use crate::records::{self, any_record, array, int, map, normalised, pair, string, value};
use fapilog_native::decode::{severity_short_name, AnyView, KvListView, RecordView, MAX_DEPTH};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use proptest::prelude::*;
use prost::Message;

fn owned(view: AnyView<'_>) -> AnyValue {
    let value = match view {
        AnyView::Empty => return AnyValue { value: None },
        AnyView::Str(text) => Value::StringValue(text.into()),
        AnyView::Bool(truth) => Value::BoolValue(truth),
        AnyView::Int(number) => Value::IntValue(number),
        AnyView::Double(number) => Value::DoubleValue(number),
        AnyView::Bytes(bytes) => Value::BytesValue(bytes.into()),
        AnyView::Array(values) => return array(values.iter().map(owned).collect()),
        AnyView::KvList(entries) => return map(owned_pairs(entries)),
    };
    records::value(value)
}

fn owned_pairs(entries: KvListView<'_>) -> Vec<KeyValue> {
    entries.iter().map(|(key, value)| pair(key, owned(value))).collect()
}

fn owned_record(view: &RecordView<'_>) -> LogRecord {
    LogRecord {
        time_unix_nano: view.time_unix_nanos,
        observed_time_unix_nano: view.observed_time_unix_nanos,
        severity_number: view.severity_number,
        severity_text: view.severity_text.into(),
        body: view.body.map(owned),
        attributes: owned_pairs(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
        flags: view.flags,
        trace_id: view.trace_id.map(|id| id.to_vec()).unwrap_or_default(),
        span_id: view.span_id.map(|id| id.to_vec()).unwrap_or_default(),
        event_name: view.event_name.into(),
    }
}

/// Visits every value, so that a panic anywhere shows.
fn visit(record: &[u8]) -> LogRecord {
    owned_record(&RecordView::parse(record))
}

proptest! {
    #[test]
    fn every_record_reads_as_prost_reads_it(record in any_record()) {
        let bytes = record.encode_to_vec();
        let view = RecordView::parse(&bytes);
        prop_assert!(!view.malformed);
        // Bytes, not structures: NaN is not equal to itself.
        prop_assert_eq!(owned_record(&view).encode_to_vec(), normalised(record).encode_to_vec());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        visit(&bytes);
    }

    #[test]
    fn a_damaged_record_never_panics(record in any_record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = record.encode_to_vec();
        if !bytes.is_empty() {
            let position = at.index(bytes.len());
            bytes[position] = byte;
        }
        visit(&bytes);
    }

    #[test]
    fn a_record_that_is_cut_off_keeps_the_fields_before_the_cut(record in any_record(), at in any::<prop::sample::Index>()) {
        let bytes = record.encode_to_vec();
        let cut = &bytes[..at.index(bytes.len() + 1)];
        let view = RecordView::parse(cut);
        let whole = visit(&bytes);
        let kept = owned_pairs(view.attributes);
        prop_assert!(kept.len() <= whole.attributes.len());
        let encoded = |pairs: &[KeyValue]| pairs.iter().map(Message::encode_to_vec).collect::<Vec<_>>();
        prop_assert_eq!(encoded(&kept), encoded(&whole.attributes[..kept.len()]));
        prop_assert!(view.malformed || LogRecord::decode(cut).is_ok());
    }

    #[test]
    fn unique_entries_are_the_first_of_each_key(keys in prop::collection::vec("[a-z]{0,2}", 0..60)) {
        let attributes = keys.iter().zip(0..).map(|(key, index)| pair(key, int(index))).collect();
        let bytes = LogRecord { attributes, ..Default::default() }.encode_to_vec();
        let mut expected: Vec<KeyValue> = Vec::new();
        for (key, index) in keys.iter().zip(0..) {
            if !expected.iter().any(|kept| kept.key == *key) {
                expected.push(pair(key, int(index)));
            }
        }
        let view = RecordView::parse(&bytes);
        let unique: Vec<_> = view.attributes.unique().map(|(key, value)| pair(key, owned(value))).collect();
        prop_assert_eq!(unique, expected);
    }
}

#[test]
fn strings_that_are_not_utf_8_lose_nothing_as_values_and_keep_their_start_as_names() {
    let mut record = vec![0x1a, 3, b'o', b'k', 0xff];
    record.extend([0x2a, 4, 0x0a, 2, b'a', 0xff]);
    record.extend([0x32, 7, 0x0a, 3, b'k', 0xc3, b'k', 0x12, 0]);
    let expected = LogRecord {
        severity_text: "ok".into(),
        body: Some(value(Value::BytesValue(vec![b'a', 0xff]))),
        attributes: vec![pair("k", AnyValue { value: None })],
        ..Default::default()
    };
    assert_eq!(visit(&record), expected);
}

#[test]
fn fields_of_an_unexpected_wire_type_and_unknown_fields_are_skipped() {
    let mut record = vec![0x08, 1, 0x12, 1, 0, 0x40, 1, 0xf8, 0x7f, 1];
    record.extend([0x10, 9]);
    assert_eq!(visit(&record), LogRecord { severity_number: 9, ..Default::default() });
}

#[test]
fn a_padded_varint_reads_as_its_value() {
    let value = [0x18, 0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
    let mut record = vec![0x2a, value.len() as u8];
    record.extend(value);
    assert_eq!(visit(&record).body, Some(int(5)));
}

fn nested(depth: usize) -> AnyValue {
    (0..depth).fold(string("core"), |inner, level| {
        if level % 2 == 0 {
            array(vec![inner])
        } else {
            map(vec![pair("k", inner)])
        }
    })
}

fn core_of(mut view: AnyView<'_>) -> AnyView<'_> {
    loop {
        view = match view {
            AnyView::Array(values) => values.iter().next().unwrap_or(AnyView::Empty),
            AnyView::KvList(entries) => entries.get("k").unwrap_or(AnyView::Empty),
            core => return core,
        };
    }
}

#[test]
fn containers_are_read_down_to_the_depth_limit_and_no_further() {
    for (depth, is_read) in
        [(usize::from(MAX_DEPTH), true), (usize::from(MAX_DEPTH) + 1, false), (2000, false)]
    {
        let bytes = LogRecord {
            body: Some(nested(depth)),
            attributes: vec![pair("deep", nested(depth))],
            ..Default::default()
        }
        .encode_to_vec();
        let view = RecordView::parse(&bytes);
        for value in [view.body, view.attributes.get("deep")] {
            let core = core_of(value.unwrap_or(AnyView::Empty));
            assert_eq!(matches!(core, AnyView::Str("core")), is_read, "{depth}");
            assert_eq!(matches!(core, AnyView::Empty), !is_read, "{depth}");
        }
    }
}

#[test]
fn severity_names_are_those_of_the_data_model() {
    for number in 1..=24 {
        let name = SeverityNumber::try_from(number).map(|severity| severity.as_str_name());
        assert_eq!(name, Ok(format!("SEVERITY_NUMBER_{}", severity_short_name(number)).as_str()));
    }
    for number in [i32::MIN, -1, 0, 25, i32::MAX] {
        assert_eq!(severity_short_name(number), "UNSPECIFIED");
    }
}

#[test]
fn the_timestamp_falls_back_to_the_observed_one_and_the_severity_to_its_number() {
    let bytes =
        LogRecord { observed_time_unix_nano: 7, severity_number: 17, ..Default::default() }.encode_to_vec();
    let view = RecordView::parse(&bytes);
    assert_eq!((view.timestamp_unix_nanos(), view.severity_name()), (7, "ERROR"));
    let record = LogRecord { time_unix_nano: 3, severity_text: "error".into(), ..Default::default() };
    let bytes = record.encode_to_vec();
    let view = RecordView::parse(&bytes);
    assert_eq!((view.timestamp_unix_nanos(), view.severity_name()), (3, "error"));
}
