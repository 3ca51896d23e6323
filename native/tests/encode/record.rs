//! Stage 2: what `RecordWriter` writes is what a protobuf decoder reads.

use crate::records::{any_text, any_value, array, int, map, pair, string, value};
use fapilog_native::record::fields::{KeyField, SeverityField, TraceFields};
use fapilog_native::record::{patch_sequence, tag, Meta, RecordWriter};
use fapilog_native::redact::{redact, FrameSettings, Policy};
use fapilog_native::wire::{get_varint, varint_len};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ScopeLogs};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// Lengths around those where a length prefix grows, and the boundaries shifted by the prefixes around a text.
fn boundary_length() -> impl Strategy<Value = usize> {
    prop_oneof![0..40usize, 96..160usize, 16_352..16_400usize]
}

fn long_value() -> impl Strategy<Value = AnyValue> {
    (boundary_length(), 0..4).prop_map(|(length, shape)| {
        let text = string(&"x".repeat(length));
        match shape {
            0 => text,
            1 => value(Value::BytesValue(vec![0xff; length])),
            2 => array(vec![text]),
            _ => array(vec![map(vec![pair("k", array(vec![text, int(1)]))]), int(2)]),
        }
    })
}

fn attribute() -> impl Strategy<Value = KeyValue> {
    let key = prop_oneof![3 => any_text(), 1 => boundary_length().prop_map(|length| "k".repeat(length))];
    (key, prop_oneof![3 => any_value(), 1 => long_value()]).prop_map(|(key, value)| pair(&key, value))
}

/// Any record that capture can make.
fn record() -> impl Strategy<Value = LogRecord> {
    let body = prop::option::of(prop_oneof![any_value(), long_value()]);
    let trace = prop::option::of((any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>()));
    let head = (any::<u64>(), any::<u64>(), 0..25i32, any_text(), trace);
    (head, body, vec(attribute(), 0..8), any::<u32>(), any_text()).prop_map(
        |((time, observed, severity, text, trace), body, attributes, dropped, event_name)| {
            let (trace_id, span_id, flags) = trace.unwrap_or_default();
            let length = |length| if trace.is_some() { length } else { 0 };
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number: severity,
                severity_text: text,
                body,
                attributes,
                dropped_attributes_count: dropped,
                flags: flags.into(),
                trace_id: trace_id[..length(16)].to_vec(),
                span_id: span_id[..length(8)].to_vec(),
                event_name,
            }
        },
    )
}

/// Writes a value the way capture does: containers are opened, filled and closed.
fn write_value(writer: &mut RecordWriter, any: &AnyValue) {
    match &any.value {
        None => {}
        Some(Value::StringValue(text)) => writer.any_str(text.as_bytes()),
        Some(Value::BytesValue(bytes)) => writer.any_bytes(bytes),
        Some(Value::IntValue(number)) => writer.any_int(*number),
        Some(Value::DoubleValue(number)) => writer.any_double(*number),
        Some(Value::BoolValue(truth)) => writer.any_bool(*truth),
        Some(Value::ArrayValue(values)) => {
            let open = writer.open(tag::ARRAY);
            for member in &values.values {
                let member_open = writer.open(tag::KEY);
                write_value(writer, member);
                writer.close(member_open);
            }
            writer.close(open);
        }
        Some(Value::KvlistValue(values)) => {
            let open = writer.open(tag::KVLIST);
            for member in &values.values {
                let member_open = writer.open(tag::KEY);
                writer.key(member.key.as_bytes());
                if let Some(inner) = &member.value {
                    let value_open = writer.open(tag::VALUE);
                    write_value(writer, inner);
                    writer.close(value_open);
                }
                writer.close(member_open);
            }
            writer.close(open);
        }
        Some(other) => panic!("capture never writes {other:?}"),
    }
}

fn write_attribute(writer: &mut RecordWriter, attribute: &KeyValue, short_forms: bool) {
    let key = KeyField::new(attribute.key.as_bytes());
    let any = attribute.value.as_ref().unwrap();
    match &any.value {
        None if short_forms => writer.attribute_none(&key),
        Some(Value::StringValue(text)) if short_forms => writer.attribute_str(&key, text.as_bytes()),
        Some(Value::IntValue(number)) if short_forms => writer.attribute_int(&key, *number),
        Some(Value::DoubleValue(number)) if short_forms => writer.attribute_double(&key, *number),
        Some(Value::BoolValue(truth)) if short_forms => writer.attribute_bool(&key, *truth),
        _ => {
            let open = writer.open_attribute(&key);
            write_value(writer, any);
            writer.close_attribute(open);
        }
    }
}

fn write(writer: &mut RecordWriter, record: &LogRecord, short_forms: bool) {
    let long = record.severity_text.len() > SeverityField::TEXT_BYTES;
    let text = if long { "" } else { record.severity_text.as_str() };
    let severity = SeverityField::new(record.severity_number.try_into().unwrap(), text);
    let span = match (record.trace_id[..].try_into(), record.span_id[..].try_into()) {
        (Ok(trace_id), Ok(span_id)) => Some(TraceFields::new(trace_id, span_id, record.flags as u8)),
        _ => None,
    };
    writer.begin(record.time_unix_nano, record.observed_time_unix_nano, &severity, span.as_ref());
    if long {
        writer.severity_text(record.severity_text.as_bytes());
    }
    match record.body.as_ref() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) if short_forms => {
            writer.body_str(text.as_bytes());
        }
        Some(body) => {
            let open = writer.open_body();
            write_value(writer, body);
            writer.close(open);
        }
        None => {}
    }
    for attribute in &record.attributes {
        write_attribute(writer, attribute, short_forms);
    }
    writer.dropped_attributes(record.dropped_attributes_count);
    writer.event_name(record.event_name.as_bytes());
}

/// NaN is not equal to itself; its text is.
fn same(left: &LogRecord, right: &LogRecord) -> bool {
    format!("{left:?}") == format!("{right:?}")
}

fn frame(writer: &mut RecordWriter, sequenced: bool, number: u64) -> Vec<u8> {
    let meta = Meta { severity: 9, protected: false };
    let settings = FrameSettings { record_bytes: usize::MAX, sequenced };
    let mut redacted = redact(writer, meta, &Policy::default(), settings);
    if sequenced {
        patch_sequence(redacted.frame_mut(), number);
    }
    redacted.frame().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_written_is_what_is_decoded(records in vec(record(), 1..4), short_forms in any::<bool>()) {
        // One writer for all: nothing of a record may be left in the next.
        let mut writer = RecordWriter::new();
        for record in &records {
            write(&mut writer, record, short_forms);
            prop_assert_eq!(writer.len(), writer.record().len());
            let decoded = LogRecord::decode(writer.record()).unwrap();
            prop_assert!(same(&decoded, record), "{decoded:?}\nis not\n{record:?}");
            writer.relax();
        }
    }

    #[test]
    fn both_forms_of_an_attribute_are_the_same_bytes(attributes in vec(attribute(), 0..8)) {
        let record = LogRecord { attributes, ..LogRecord::default() };
        let (mut short, mut open) = (RecordWriter::new(), RecordWriter::new());
        write(&mut short, &record, true);
        write(&mut open, &record, false);
        prop_assert_eq!(short.record(), open.record());
    }

    #[test]
    fn a_rewind_forgets_what_was_written_since(kept in record(), forgotten in attribute(), after in attribute()) {
        let mut writer = RecordWriter::new();
        write(&mut writer, &kept, true);
        let length = writer.len();
        // Left open on purpose: capture fails in the middle of a value.
        let _ = writer.open_attribute(&KeyField::new(b"half"));
        write_value(&mut writer, forgotten.value.as_ref().unwrap());
        writer.rewind(length);
        write_attribute(&mut writer, &after, true);

        let mut expected = kept;
        expected.attributes.push(after);
        prop_assert!(same(&LogRecord::decode(writer.record()).unwrap(), &expected));
    }

    #[test]
    fn a_frame_is_a_field_of_scope_logs(record in record(), number in 0..1u64 << 49, sequenced in any::<bool>()) {
        let mut writer = RecordWriter::new();
        write(&mut writer, &record, true);
        let frame = frame(&mut writer, sequenced, number);

        let mut at = 1;
        prop_assert_eq!(get_varint(&frame, &mut at), Some((frame.len() - at) as u64));
        let scope = ScopeLogs::decode(frame.as_slice()).unwrap();
        let mut expected = record;
        if sequenced {
            expected.attributes.push(pair("fapilog.sequence", int(number.try_into().unwrap())));
        }
        // The policy hides credentials of URLs; these records hold none, so nothing else may change.
        prop_assert!(same(&scope.log_records[0], &expected));
        prop_assert_eq!(scope.log_records.len(), 1);
    }

    #[test]
    fn a_varint_is_as_long_as_foretold(bits in 0..64u32, noise in any::<u64>()) {
        let value = noise >> bits;
        let mut bytes = Vec::new();
        fapilog_native::wire::put_varint(&mut bytes, value);
        prop_assert_eq!(bytes.len(), varint_len(value));
        prop_assert_eq!(get_varint(&bytes, &mut 0), Some(value));
    }
}

#[test]
fn every_length_around_a_growing_prefix_is_written_right() {
    let mut writer = RecordWriter::new();
    for length in (60..140).chain(16_300..16_400) {
        let text = "x".repeat(length);
        let nested = array(vec![map(vec![pair("key", string(&text))])]);
        let record = LogRecord {
            body: Some(string(&text)),
            attributes: vec![pair("text", string(&text)), pair("nested", nested), pair(&text, int(-1))],
            ..LogRecord::default()
        };
        for short_forms in [true, false] {
            write(&mut writer, &record, short_forms);
            assert_eq!(LogRecord::decode(writer.record()).unwrap(), record, "{length} {short_forms}");
        }
    }
}

#[test]
fn the_padded_number_is_minimal_protobuf_up_to_49_bits() {
    for number in [0, 1, 127, 128, 16_383, 16_384, (1 << 48) - 1, (1 << 49) - 1] {
        let mut frame = vec![0xff; 10];
        patch_sequence(&mut frame, number);
        assert_eq!(frame[..3], [0xff; 3]);
        let mut at = 3;
        assert_eq!(get_varint(&frame, &mut at), Some(number));
        assert_eq!(at, frame.len());
    }
}

#[test]
fn a_late_time_replaces_the_first_one_only() {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.set_time(3);
    let record = LogRecord::decode(writer.record()).unwrap();
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (3, 2));
}

#[test]
fn encoded_attributes_are_copied_as_they_stand() {
    let mut first = RecordWriter::new();
    first.begin(0, 0, &SeverityField::NONE, None);
    let start = first.len();
    first.attribute_str(&KeyField::new(b"user"), b"ada");
    let fields = first.record()[start..].to_vec();
    let mut second = RecordWriter::new();
    second.begin(0, 0, &SeverityField::NONE, None);
    second.encoded_attributes(&fields);
    assert_eq!(LogRecord::decode(second.record()).unwrap().attributes, vec![pair("user", string("ada"))]);
}

#[test]
fn a_writer_without_a_record_is_empty_and_a_huge_one_gives_its_memory_back() {
    let mut writer = RecordWriter::new();
    assert!(writer.is_empty());
    assert_eq!(writer.record(), b"");
    writer.begin(1, 1, &SeverityField::NONE, None);
    assert!(!writer.is_empty());
    writer.body_str(&vec![b'x'; 100_000]);
    writer.relax();
    assert!(writer.is_empty());
}

#[test]
fn an_empty_body_is_a_body() {
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    writer.body_str(b"");
    assert_eq!(LogRecord::decode(writer.record()).unwrap().body, Some(string("")));
}
