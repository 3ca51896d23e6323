//! OTLP/JSON as the OpenTelemetry project's own Rust types read it, and as the specification spells it.

use crate::records::{any_request, array, fill, int, map, normalised, pair, string, value};
use fapilog_native::encode::{encode, encode_lines, Form};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;
use serde_json::{json, Value};

fn otlp_json(request: &[u8]) -> String {
    let mut out = String::new();
    encode(request, Form::OtlpJson, false, &mut out);
    out
}

fn of_record(record: LogRecord) -> Value {
    let scope_logs = ScopeLogs { log_records: vec![record], ..Default::default() };
    let resource_logs = ResourceLogs { scope_logs: vec![scope_logs], ..Default::default() };
    let request = ExportLogsServiceRequest { resource_logs: vec![resource_logs] };
    let mut document: Value = serde_json::from_str(&otlp_json(&request.encode_to_vec())).unwrap();
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].take()
}

fn of_value(value: AnyValue) -> Value {
    of_record(LogRecord { body: Some(value), ..Default::default() })["body"].take()
}

/// The readers of the OpenTelemetry project for Rust take no `"NaN"`; the text is tested by itself below.
fn finite(value: &mut AnyValue) {
    match &mut value.value {
        Some(Any::DoubleValue(number)) if !number.is_finite() => *number = 0.5,
        Some(Any::ArrayValue(array)) => array.values.iter_mut().for_each(finite),
        Some(Any::KvlistValue(list)) => {
            list.values.iter_mut().filter_map(|pair| pair.value.as_mut()).for_each(finite);
        }
        _ => {}
    }
}

fn finite_pair(pair: &mut KeyValue) {
    let value = pair.value.get_or_insert_default();
    fill(value);
    finite(value);
}

fn readable(mut request: ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    for logs in &mut request.resource_logs {
        let resource = logs.resource.iter_mut().flat_map(|resource| &mut resource.attributes);
        resource.for_each(finite_pair);
        for scope_logs in &mut logs.scope_logs {
            let scope = scope_logs.scope.iter_mut().flat_map(|scope| &mut scope.attributes);
            scope.for_each(finite_pair);
            for record in &mut scope_logs.log_records {
                *record = normalised(std::mem::take(record));
                record.body.iter_mut().for_each(finite);
                record.attributes.iter_mut().for_each(finite_pair);
            }
        }
    }
    request
}

/// Every record with what encloses it.
fn flat(request: &ExportLogsServiceRequest) -> Vec<(ResourceLogs, ScopeLogs, LogRecord)> {
    let mut records = Vec::new();
    for logs in &request.resource_logs {
        let resource = ResourceLogs { scope_logs: vec![], ..logs.clone() };
        for scope_logs in &logs.scope_logs {
            let scope = ScopeLogs { log_records: vec![], ..scope_logs.clone() };
            let enclosed =
                scope_logs.log_records.iter().map(|record| (resource.clone(), scope.clone(), record.clone()));
            records.extend(enclosed);
        }
    }
    records
}

proptest! {
    #[test]
    fn every_request_comes_back_equal_through_the_types_of_opentelemetry(request in any_request()) {
        let request = readable(request);
        let text = otlp_json(&request.encode_to_vec());
        let back: ExportLogsServiceRequest = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, request);
    }

    #[test]
    fn any_bytes_become_one_line_of_valid_json(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = otlp_json(&bytes);
        prop_assert!(!text.contains(['\n', '\r']));
        prop_assert!(serde_json::from_str::<Value>(&text).unwrap()["resourceLogs"].is_array());
    }

    #[test]
    fn no_text_can_break_the_line(request in any_request()) {
        let text = otlp_json(&request.encode_to_vec());
        let harmful = |character: char| {
            character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}')
        };
        prop_assert!(!text.contains(harmful));
    }

    #[test]
    fn lines_hold_every_record_once_in_order_and_no_line_is_too_long(
        request in any_request(), max_line_bytes in 0usize..3_000,
    ) {
        let request = readable(request);
        let mut text = "earlier\n".to_owned();
        encode_lines(&request.encode_to_vec(), Form::OtlpJson, max_line_bytes, &mut text);
        let mut lines = text.split_inclusive('\n');
        prop_assert_eq!(lines.next(), Some("earlier\n"));
        let mut records = Vec::new();
        for line in lines {
            prop_assert!(line.ends_with('\n'));
            let part: ExportLogsServiceRequest = serde_json::from_str(line).unwrap();
            let in_line = flat(&part);
            prop_assert!(line.len() <= max_line_bytes || in_line.len() == 1, "{} records in {line}", in_line.len());
            prop_assert!(!in_line.is_empty());
            records.extend(in_line);
        }
        prop_assert_eq!(records, flat(&request));
    }

    #[test]
    fn a_style_writes_what_the_console_would(request in any_request()) {
        use fapilog_native::console::{render, ConsoleSettings, Style};
        let bytes = request.encode_to_vec();
        for (name, style) in
            [("pretty", Style::Pretty), ("json", Style::Json), ("logfmt", Style::Logfmt), ("minimal", Style::Minimal)]
        {
            let settings = ConsoleSettings { style, colour: true, show_scope: true };
            let mut expected = String::new();
            let scopes = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
            for (scope, record) in scopes.flat_map(|logs| logs.log_records.iter().map(move |record| (logs, record))) {
                let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
                render(&record.encode_to_vec(), name, &settings, &mut expected);
            }
            let mut out = String::new();
            encode(&bytes, Form::from_name(name).unwrap(), true, &mut out);
            prop_assert_eq!(out, expected);
        }
    }
}

#[test]
fn every_field_is_spelled_as_the_specification_says() {
    let record = LogRecord {
        time_unix_nano: 1_544_712_660_300_000_000,
        observed_time_unix_nano: u64::MAX,
        severity_number: 10,
        severity_text: "Information".into(),
        body: Some(string("Example \"log\"\n")),
        attributes: vec![pair("a", int(i64::MIN)), pair("a", int(1))],
        dropped_attributes_count: 3,
        flags: u32::MAX,
        trace_id: (0xf0..=0xff).collect(),
        span_id: vec![0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74],
        event_name: "browser.page_view".into(),
    };
    let expected = json!({
        "timeUnixNano": "1544712660300000000",
        "observedTimeUnixNano": "18446744073709551615",
        "severityNumber": 10,
        "severityText": "Information",
        "body": {"stringValue": "Example \"log\"\n"},
        "attributes": [
            {"key": "a", "value": {"intValue": "-9223372036854775808"}},
            {"key": "a", "value": {"intValue": "1"}},
        ],
        "droppedAttributesCount": 3,
        "flags": u32::MAX,
        "traceId": "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "spanId": "eee19b7ec3c1b174",
        "eventName": "browser.page_view",
    });
    assert_eq!(of_record(record), expected);
    assert_eq!(of_record(LogRecord::default()), json!({}));
}

#[test]
fn every_kind_of_value_is_spelled_as_the_specification_says() {
    let nothing = || AnyValue { value: None };
    let double = |number| value(Any::DoubleValue(number));
    let cases = [
        (nothing(), json!({})),
        (string(""), json!({"stringValue": ""})),
        (value(Any::BoolValue(false)), json!({"boolValue": false})),
        (int(0), json!({"intValue": "0"})),
        (double(0.0), json!({"doubleValue": 0.0})),
        (double(f64::NAN), json!({"doubleValue": "NaN"})),
        (double(f64::INFINITY), json!({"doubleValue": "Infinity"})),
        (double(f64::NEG_INFINITY), json!({"doubleValue": "-Infinity"})),
        (value(Any::BytesValue(vec![])), json!({"bytesValue": ""})),
        (value(Any::BytesValue(vec![0xfb, 0xff])), json!({"bytesValue": "+/8="})),
        (array(vec![]), json!({"arrayValue": {"values": []}})),
        (array(vec![nothing(), int(1)]), json!({"arrayValue": {"values": [{}, {"intValue": "1"}]}})),
        (map(vec![pair("k", nothing())]), json!({"kvlistValue": {"values": [{"key": "k", "value": {}}]}})),
    ];
    for (value, expected) in cases {
        assert_eq!(of_value(value), expected);
    }
}

#[test]
fn resource_and_scope_stand_around_the_records() {
    let scope = InstrumentationScope {
        name: "shop".into(),
        version: "1.0".into(),
        attributes: vec![pair("s", string("1"))],
        dropped_attributes_count: 1,
    };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records: vec![], schema_url: "scope-url".into() };
    let resource = Resource {
        attributes: vec![pair("service.name", string("shop"))],
        dropped_attributes_count: 2,
        ..Default::default()
    };
    let logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![scope_logs],
        schema_url: "resource-url".into(),
    };
    let request = ExportLogsServiceRequest { resource_logs: vec![logs, ResourceLogs::default()] };
    let expected = concat!(
        r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],"#,
        r#""droppedAttributesCount":2},"schemaUrl":"resource-url","scopeLogs":[{"scope":{"name":"shop","#,
        r#""version":"1.0","attributes":[{"key":"s","value":{"stringValue":"1"}}],"droppedAttributesCount":1},"#,
        r#""schemaUrl":"scope-url","logRecords":[]}]},{"scopeLogs":[]}]}"#,
    );
    assert_eq!(otlp_json(&request.encode_to_vec()), expected);
    assert_eq!(otlp_json(b""), r#"{"resourceLogs":[]}"#);
}
