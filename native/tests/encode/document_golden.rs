//! Documents beside those that the Collector's exporters made of the same requests (`tests/data/golden`).
//!
//! Where ours differ on purpose, `DIFFERENCES` says so; `docs/reference/document_shapes.md` gives the same list.

use fapilog_native::encode::action::BulkOptions;
use fapilog_native::encode::documents::{documents, Options, Shape};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use serde_json::{json, Map, Value};
use std::fs;
use std::path::Path;

const GOLDEN: [(&str, Shape); 5] = [
    ("splunk_hec", Shape::Hec),
    ("elasticsearch_otel", Shape::Otel),
    ("elasticsearch_ecs", Shape::Ecs),
    ("elasticsearch_raw", Shape::Raw),
    ("elasticsearch_bodymap", Shape::Bodymap),
];

/// A document, what is different in it, and why.
struct Difference {
    file: &'static str,
    /// Name of the request; `*`: all of them.
    request: &'static str,
    /// Number of the line among those of the request; of `*` all of them are changed by `pad`.
    line: usize,
    /// JSON pointer to the field; `""`: the line is not among the Collector's.
    field: &'static str,
    ours: fn() -> Value,
    reason: &'static str,
}

#[rustfmt::skip]
const DIFFERENCES: [Difference; 11] = [
    Difference { file: "splunk_hec", request: "two_records", line: 1, field: "/time", ours: || json!(1_795_219_200.123_456),
        reason: "microseconds: records of one millisecond keep their order" },
    Difference { file: "splunk_hec", request: "observed_only", line: 0, field: "/time", ours: || json!(1_795_219_200.000_001),
        reason: "microseconds" },
    Difference { file: "splunk_hec", request: "no_body", line: 0, field: "", ours: no_body,
        reason: "a record without a body is sent; the Collector drops it and counts nothing" },
    Difference { file: "splunk_hec", request: "event", line: 0, field: "/fields/event.name", ours: || json!("app.click"),
        reason: "an event keeps its name" },
    Difference { file: "elasticsearch_ecs", request: "event", line: 1, field: "/event/action", ours: || json!("app.click"),
        reason: "an event keeps its name, where the Collector puts the attribute `event.name`" },
    Difference { file: "elasticsearch_raw", request: "event", line: 1, field: "/EventName", ours: || json!("app.click"),
        reason: "an event keeps its name" },
    Difference { file: "elasticsearch_ecs", request: "types", line: 1, field: "/bytes", ours: || json!("00ff6869"),
        reason: "bytes are kept, as in `otel` documents" },
    Difference { file: "elasticsearch_raw", request: "types", line: 1, field: "/bytes", ours: || json!("00ff6869"),
        reason: "bytes are kept, as in `otel` documents" },
    Difference { file: "elasticsearch_ecs", request: "body_map", line: 1, field: "/message",
        ours: || json!(r#"{"message":"structured","user":{"id":"u1","roles":["a","b"]},"n":3}"#),
        reason: "a body that is no text is kept as the text of its JSON" },
    Difference { file: "elasticsearch_ecs", request: "body_list", line: 1, field: "/message", ours: || json!(r#"["a",1,{"b":2}]"#),
        reason: "a body that is no text is kept as the text of its JSON" },
    Difference { file: "elasticsearch_otel", request: "*", line: 0, field: "/observed_timestamp", ours: || Value::Null,
        reason: "1,500 ns are .001500 ms: Elasticsearch reads the Collector's .1500 as 150,000 ns" },
];

fn no_body() -> Value {
    json!({
        "time": 1_795_219_200, "host": "web-3", "event": "-",
        "fields": {
            "deployment.environment.name": "prod", "only": "attributes", "otel.log.severity.number": 9,
            "otel.log.severity.text": "INFO", "service.instance.id": "6f1b0e6e-8f4c-4b9e-9d9b-2d6d6f5a7c11",
            "service.name": "checkout", "service.version": "2.1.0", "telemetry.sdk.language": "python",
        },
    })
}

fn golden(name: &str) -> Map<String, Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/golden").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn made(request: &Value, shape: Shape) -> Vec<Value> {
    let request: ExportLogsServiceRequest = serde_json::from_value(request.clone()).unwrap();
    let bulk = (shape != Shape::Hec).then(BulkOptions::default);
    let documents = documents(&request.encode_to_vec(), shape, &Options { bulk, ..Options::default() });
    documents.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The Collector's lines with our differences.
fn expected(file: &str, request: &str, lines: &Value) -> Vec<Value> {
    let mut lines: Vec<Value> = lines.as_array().unwrap().clone();
    for difference in DIFFERENCES.iter().filter(|difference| difference.file == file) {
        let Difference { line, field, ours, .. } = difference;
        if difference.request == "*" {
            lines.iter_mut().for_each(pad);
        } else if difference.request == request && field.is_empty() {
            lines.insert(*line, ours());
        } else if difference.request == request {
            let (object, key) = field.rsplit_once('/').unwrap();
            let object = lines[*line].pointer_mut(object).unwrap().as_object_mut().unwrap();
            assert_ne!(
                object.insert(key.to_owned(), ours()),
                Some(ours()),
                "{file} {request}: no difference"
            );
        }
    }
    lines
}

fn pad(line: &mut Value) {
    for field in ["@timestamp", "observed_timestamp"] {
        if let Some(Value::String(time)) = line.get_mut(field) {
            let (millis, fraction) = time.split_once('.').unwrap();
            *time = if fraction == "0" { time.clone() } else { format!("{millis}.{fraction:0>6}") };
        }
    }
}

/// Numbers that are equal look alike: 1795219200 and 1795219200.000000.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() < 1e15 => {
                json!(double as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, plain(value))).collect(),
        other => other,
    }
}

#[test]
fn every_document_is_the_collectors_but_for_the_differences_that_are_listed() {
    let requests = golden("otlp_requests");
    assert_eq!(requests.len(), 18);
    for (file, shape) in GOLDEN {
        let lines = golden(file);
        for (name, request) in &requests {
            let made: Vec<_> = made(request, shape).into_iter().map(plain).collect();
            let expected: Vec<_> = expected(file, name, &lines[name]).into_iter().map(plain).collect();
            assert_eq!(made, expected, "{file} {name}");
        }
    }
}

#[test]
fn every_difference_has_a_reason_that_the_documentation_gives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/document_shapes.md");
    let page = fs::read_to_string(path).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for difference in &DIFFERENCES {
        assert!(page.contains(difference.reason), "{}", difference.reason);
    }
}
