//! Log records for the tests: short builders, and strategies for any record.
#![allow(dead_code)] // Each test binary uses a part.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::prelude::*;

pub fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub fn string(text: &str) -> AnyValue {
    value(Value::StringValue(text.into()))
}

pub fn int(number: i64) -> AnyValue {
    value(Value::IntValue(number))
}

pub fn array(values: Vec<AnyValue>) -> AnyValue {
    value(Value::ArrayValue(ArrayValue { values }))
}

pub fn map(values: Vec<KeyValue>) -> AnyValue {
    value(Value::KvlistValue(KeyValueList { values }))
}

pub fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..Default::default() }
}

/// Text rich in what must be escaped or quoted.
pub fn any_text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(
        "\u{1b}\u{0}\n\r\t\u{7f}\u{80}\u{85}\u{9b}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}\"\\=| "
            .chars()
            .collect::<Vec<_>>(),
    );
    vec(prop_oneof![3 => nasty, 2 => any::<char>(), 3 => prop::char::range('a', 'e')], 0..12)
        .prop_map(|characters| characters.into_iter().collect())
}

pub fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue { value: None }),
        any_text().prop_map(|text| value(Value::StringValue(text))),
        any::<bool>().prop_map(|truth| value(Value::BoolValue(truth))),
        any::<i64>().prop_map(int),
        any::<u64>().prop_map(|bits| value(Value::DoubleValue(f64::from_bits(bits)))),
        prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1, -0.0, 1e300])
            .prop_map(|number| value(Value::DoubleValue(number))),
        vec(any::<u8>(), 0..9).prop_map(|bytes| value(Value::BytesValue(bytes))),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(array), vec(any_pair(inner), 0..6).prop_map(map)]
    })
}

fn any_pair(values: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (any_key(), prop::option::of(values)).prop_map(|(key, value)| KeyValue {
        key,
        value,
        ..Default::default()
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known = ["level", "trace_id", "fapilog.sequence", "exception.type", "exception.message"];
    prop_oneof![
        any_text(),
        "[a-c]",
        prop::sample::select(known.to_vec()).prop_map(String::from),
        Just("exception.stacktrace".to_string()),
    ]
}

/// Any record that a sender could make, ids of every length included.
pub fn any_record() -> impl Strategy<Value = LogRecord> {
    let times = (prop_oneof![Just(0), any::<u64>()], prop_oneof![Just(0), any::<u64>()]);
    let severity = (-1..26i32, any_text());
    let id = |length| prop_oneof![vec(any::<u8>(), length), vec(any::<u8>(), 0..20), vec(Just(0), length)];
    let content = (prop::option::of(any_value()), vec(any_pair(any_value()), 0..24), any_text());
    (times, severity, (id(16), id(8), any::<u32>()), content, any::<u32>()).prop_map(
        |(times, severity, trace, content, dropped_attributes_count)| LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: severity.0,
            severity_text: severity.1,
            body: content.0,
            attributes: content.1,
            dropped_attributes_count,
            flags: trace.2,
            trace_id: trace.0,
            span_id: trace.1,
            event_name: content.2,
        },
    )
}

/// Any request: several resources and scopes, present or absent, empty ones included.
pub fn any_request() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope = (any_text(), any_text(), vec(any_pair(any_value()), 0..3), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    let scope_logs = (prop::option::of(scope), vec(any_record(), 0..4), any_text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource = (vec(any_pair(any_value()), 0..3), any::<u32>()).prop_map(
        |(attributes, dropped_attributes_count)| Resource {
            attributes,
            dropped_attributes_count,
            ..Default::default()
        },
    );
    let resource_logs = (prop::option::of(resource), vec(scope_logs, 0..3), any_text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

/// What the view promises to differ in: ids of a wrong length or of zeros are absent, a pair always has a
/// value, and a negative severity is none.
pub fn normalised(mut record: LogRecord) -> LogRecord {
    let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|byte| *byte != 0);
    if !is_id(&record.trace_id, 16) {
        record.trace_id.clear();
    }
    if !is_id(&record.span_id, 8) {
        record.span_id.clear();
    }
    record.severity_number = record.severity_number.max(0);
    record.body.iter_mut().for_each(fill);
    record.attributes.iter_mut().for_each(|pair| fill(pair.value.get_or_insert_default()));
    record
}

/// Gives every pair inside a value.
pub fn fill(value: &mut AnyValue) {
    match &mut value.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(fill),
        Some(Value::KvlistValue(list)) => {
            list.values.iter_mut().for_each(|pair| fill(pair.value.get_or_insert_default()));
        }
        _ => {}
    }
}
