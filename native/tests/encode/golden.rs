//! Golden records: each case of `tests/golden/cases.json`, written by the core alone, is the OTLP/JSON that
//! `tests/golden/test_golden.py` compares with what Python logs.

use fapilog_native::decode::severity_short_name;
use fapilog_native::record::fields::{SeverityField, TraceFields};
use fapilog_native::record::{tag, Meta, RecordWriter};
use fapilog_native::redact::{redact, FrameSettings, KeyDecision, Policy, SECRET_MARKER};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use serde_json::{json, Map, Value};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

const NOW: u64 = 1_767_225_600_000_000_000;
const POLICY_SOURCE: &str = include_str!("../../../fapilog/redaction/policy.py");

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn read(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(path)).unwrap()).unwrap()
}

/// The default policy, from where its words are written.
fn policy() -> Policy {
    let words = |name: &str| {
        let start = POLICY_SOURCE.find(&format!("{name} = (")).unwrap();
        let tuple = POLICY_SOURCE[start..].split(')').next().unwrap();
        tuple.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    Policy::new(&words("_ANYWHERE"), &words("_LAST"), &[])
}

fn text(content: &Value) -> &str {
    content.as_str().unwrap()
}

/// The text of `str`, `repeat` and `join`.
fn text_of(kind: &str, content: &Value) -> Option<String> {
    match kind {
        "str" => Some(text(content).to_owned()),
        "repeat" => {
            let count = usize::try_from(content[1].as_u64().unwrap()).unwrap();
            Some(text(&content[0]).repeat(count))
        }
        "join" => {
            content.as_array().unwrap().iter().map(|part| text_of(tagged(part).0, tagged(part).1)).collect()
        }
        _ => None,
    }
}

fn tagged(value: &Value) -> (&str, &Value) {
    let (kind, content) = value.as_object().unwrap().iter().next().unwrap();
    (kind, content)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Writes one value into the message that is open in the writer, as capture does.
fn write_value(writer: &mut RecordWriter, policy: &Policy, value: &Value) {
    let (kind, content) = tagged(value);
    match kind {
        "none" => {}
        "bool" => writer.any_bool(content.as_bool().unwrap()),
        "int" => writer.any_int(text(content).parse().unwrap()),
        "double" => writer.any_double(content.as_f64().unwrap_or_else(|| text(content).parse().unwrap())),
        "bytes" => writer.any_bytes(&bytes_of(text(content))),
        "list" => {
            let list = writer.open(tag::ARRAY);
            for item in content.as_array().unwrap() {
                let open = writer.open(tag::KEY);
                write_value(writer, policy, item);
                writer.close(open);
            }
            writer.close(list);
        }
        "map" => {
            let map = writer.open(tag::KVLIST);
            for pair in content.as_array().unwrap() {
                write_pair(writer, policy, tag::KEY, pair);
            }
            writer.close(map);
        }
        _ => writer.any_str(text_of(kind, content).unwrap().as_bytes()),
    }
}

/// Writes `[key, value]` as a `KeyValue` under `field`; under a secret name, the marker.
fn write_pair(writer: &mut RecordWriter, policy: &Policy, field: u8, pair: &Value) {
    let key = text(&pair[0]);
    let entry = writer.open(field);
    writer.key(key.as_bytes());
    let open = writer.open(tag::VALUE);
    if policy.decide(key) == KeyDecision::Hide {
        writer.any_str(SECRET_MARKER.as_bytes());
    } else {
        write_value(writer, policy, &pair[1]);
    }
    writer.close(open);
    writer.close(entry);
}

/// What the core makes of a case.
fn record_of(case: &Value, policy: &Policy) -> LogRecord {
    let severity = u8::try_from(case["severity"].as_u64().unwrap()).unwrap();
    let field = SeverityField::new(severity, severity_short_name(i32::from(severity)));
    let span =
        case["ids"].as_u64().map(|id| TraceFields::new(u128::from(id).to_be_bytes(), id.to_be_bytes(), 1));
    let mut writer = RecordWriter::new();
    writer.begin(case["timestamp"].as_u64().unwrap_or(NOW), NOW, &field, span.as_ref());
    let body = writer.open_body();
    write_value(&mut writer, policy, &case["body"]);
    writer.close(body);
    for pair in case["attributes"].as_array().into_iter().flatten() {
        write_pair(&mut writer, policy, tag::ATTRIBUTE, pair);
    }
    writer.event_name(case["event_name"].as_str().unwrap_or_default().as_bytes());
    let record_bytes = usize::try_from(case["record_bytes"].as_u64().unwrap_or(65_536)).unwrap();
    let meta = Meta { severity, protected: severity >= 17 };
    let redacted =
        redact(&mut writer, meta, &Policy::default(), FrameSettings { record_bytes, sequenced: false });
    assert!(redacted.record().len() <= record_bytes);
    LogRecord::decode(redacted.record()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let number = (0..3).fold(0, |number, at| number << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        let letter =
            |at| if at > chunk.len() { '=' } else { char::from(LETTERS[number >> (18 - 6 * at) & 63]) };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// OTLP/JSON of a value.
fn value_json(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None => json!({}),
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(truth)) => json!({ "boolValue": truth }),
        Some(Any::IntValue(number)) => json!({ "intValue": number.to_string() }),
        Some(Any::DoubleValue(number)) => json!({ "doubleValue": double_json(*number) }),
        Some(Any::BytesValue(bytes)) => json!({ "bytesValue": base64(bytes) }),
        Some(Any::ArrayValue(array)) => {
            json!({ "arrayValue": { "values": array.values.iter().map(|item| value_json(Some(item))).collect::<Vec<_>>() } })
        }
        Some(Any::KvlistValue(list)) => json!({ "kvlistValue": { "values": pairs_json(&list.values) } }),
        Some(other) => panic!("no value that capture writes: {other:?}"),
    }
}

fn double_json(number: f64) -> Value {
    if number.is_finite() {
        return json!(number);
    }
    json!(if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    })
}

fn pairs_json(pairs: &[KeyValue]) -> Vec<Value> {
    pairs.iter().map(|pair| json!({ "key": pair.key, "value": value_json(pair.value.as_ref()) })).collect()
}

/// OTLP/JSON of a record; absent fields are left out.
fn record_json(record: &LogRecord) -> Value {
    let number = |number: u64| if number == 0 { Value::Null } else { json!(number) };
    let string = |text: String| if text.is_empty() || text == "0" { Value::Null } else { json!(text) };
    let attributes = pairs_json(&record.attributes);
    let fields = [
        ("timeUnixNano", string(record.time_unix_nano.to_string())),
        ("observedTimeUnixNano", string(record.observed_time_unix_nano.to_string())),
        ("severityNumber", number(u64::try_from(record.severity_number).unwrap())),
        ("severityText", string(record.severity_text.clone())),
        ("body", record.body.as_ref().map_or(Value::Null, |body| value_json(Some(body)))),
        ("attributes", if attributes.is_empty() { Value::Null } else { json!(attributes) }),
        ("droppedAttributesCount", number(u64::from(record.dropped_attributes_count))),
        ("flags", number(u64::from(record.flags))),
        ("traceId", string(hex(&record.trace_id))),
        ("spanId", string(hex(&record.span_id))),
        ("eventName", string(record.event_name.clone())),
    ];
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

#[test]
fn every_case_becomes_its_golden_record() {
    let policy = policy();
    let cases = read("cases.json");
    assert!(!cases.as_array().unwrap().is_empty());
    for case in cases.as_array().unwrap() {
        let name = text(&case["name"]);
        let golden = read(&format!("expected/{name}.otlp.json"));
        let ours = record_json(&record_of(case, &policy));
        assert_eq!(Some(&ours), golden.pointer("/resourceLogs/0/scopeLogs/0/logRecords/0"), "case {name}");
    }
}
