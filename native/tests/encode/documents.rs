//! Documents of any request, and what each shape does with awkward records.

use crate::records::{any_request, array, int, map, pair, string, value};
use fapilog_native::encode::action::BulkOptions;
use fapilog_native::encode::documents::{documents, Documents, Options, Shape, SHAPES};
use fapilog_native::encode::hec::{EventForm, HecOptions};
use fapilog_native::encode::members::Allowed;
use fapilog_native::encode::stream::StreamOptions;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;
use serde_json::{json, Value};
use std::collections::HashSet;

/// A request of these records; the resource and the scope have these attributes.
fn request(resource: Vec<KeyValue>, scope: Vec<KeyValue>, log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope = InstrumentationScope { attributes: scope, ..Default::default() };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records, ..Default::default() };
    let resource = Resource { attributes: resource, ..Default::default() };
    let logs = ResourceLogs { resource: Some(resource), scope_logs: vec![scope_logs], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec()
}

fn record(body: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { body: Some(string(body)), attributes, ..Default::default() }
}

fn bulk(ids: bool) -> Options {
    Options { bulk: Some(BulkOptions { ids, require_data_stream: None }), ..Options::default() }
}

/// The lines of all documents.
fn lines(made: &Documents) -> Vec<Value> {
    made.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The document of one record with these attributes.
fn of_attributes(shape: Shape, attributes: Vec<KeyValue>) -> Value {
    let made = documents(&request(vec![], vec![], vec![record("b", attributes)]), shape, &Options::default());
    lines(&made).remove(0)
}

/// What `attributes` add to the document of a record that has none.
fn added(shape: Shape, attributes: Vec<KeyValue>) -> Value {
    let Value::Object(mut document) = of_attributes(shape, attributes) else { unreachable!() };
    let Value::Object(bare) = of_attributes(shape, vec![]) else { unreachable!() };
    document.retain(|key, value| bare.get(key) != Some(value));
    Value::Object(document)
}

/// Members of all objects in `value`.
fn count_members(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.len() + fields.values().map(count_members).sum::<usize>(),
        Value::Array(values) => values.iter().map(count_members).sum(),
        _ => 0,
    }
}

/// Members as they are written, also those that a reader of JSON would take for the same one.
fn count_written(text: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn double(number: f64) -> AnyValue {
    value(Any::DoubleValue(number))
}

fn bytes(bytes: &[u8]) -> AnyValue {
    value(Any::BytesValue(bytes.to_vec()))
}

proptest! {
    #[test]
    fn any_request_becomes_lines_of_json_that_the_offsets_partition(
        request in any_request(), with_bulk: bool, ids: bool,
    ) {
        let raw = request.encode_to_vec();
        let records = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
        let records: usize = records.map(|scope| scope.log_records.len()).sum();
        for (name, shape) in SHAPES {
            let with_bulk = with_bulk && shape != Shape::Hec;
            let made = documents(&raw, shape, &if with_bulk { bulk(ids) } else { Options::default() });
            let skipped: u64 = made.skipped().map(|(_, count)| count).sum();
            prop_assert_eq!(made.records.len() as u64 + skipped, records as u64, "{}", name);
            prop_assert_eq!(made.offsets.len(), made.records.len() + 1);
            prop_assert_eq!((made.offsets[0], *made.offsets.last().unwrap()), (0, made.text.len()));
            for place in made.offsets.windows(2) {
                let document = &made.text[place[0]..place[1]];
                prop_assert_eq!(document.matches('\n').count(), 1 + usize::from(with_bulk), "{}", name);
                for line in document.lines() {
                    let read: Value = serde_json::from_str(line).unwrap();
                    prop_assert!(read.is_object());
                    prop_assert_eq!(count_members(&read), count_written(line), "{}: {}", name, line);
                }
            }
        }
    }

    #[test]
    fn any_bytes_become_lines_of_json(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, shape) in SHAPES {
            let made = documents(&bytes, shape, &Options::default());
            for line in made.text.lines() {
                prop_assert!(serde_json::from_str::<Value>(line).unwrap().is_object());
            }
        }
    }

    #[test]
    fn documents_of_a_request_are_the_same_every_time(request in any_request()) {
        let raw = request.encode_to_vec();
        let twice = [(); 2].map(|()| documents(&raw, Shape::Otel, &bulk(true)).text);
        prop_assert_eq!(&twice[0], &twice[1]);
    }
}

#[test]
fn hec_fields_are_flat_and_each_key_stands_once() {
    let attributes = vec![
        pair(
            "m",
            map(vec![pair("a", map(vec![pair("b", int(1)), pair("empty", map(vec![]))])), pair("c", int(2))]),
        ),
        pair("m.c", int(3)),
        pair("twice", int(4)),
        pair("twice", int(5)),
        pair("rows", array(vec![map(vec![pair("k", string("v\""))]), array(vec![int(1)])])),
        pair("list", array(vec![string("a"), int(1), double(0.5)])),
        pair("holes", array(vec![int(1), AnyValue { value: None }])),
        pair("none", AnyValue { value: None }),
        pair("nan", double(f64::NAN)),
        pair("bytes", bytes(&[0, 255])),
        pair("big", int(i64::MIN)),
        pair("com.splunk.hec.access_token", string("never")),
    ];
    let expected = json!({
        "m.a.b": 1, "m.c": 2, "twice": 4, "rows": r#"[{"k":"v\""},[1]]"#, "list": ["a", 1, 0.5], "holes": "[1,null]", "nan": "NaN",
        "bytes": "AP8=", "big": i64::MIN,
    });
    assert_eq!(of_attributes(Shape::Hec, attributes)["fields"], expected);
    assert_eq!(of_attributes(Shape::Hec, vec![]), json!({"event": "b", "host": "unknown"}));
}

#[test]
fn a_record_hides_the_resource_of_the_same_name_in_fields_and_metadata() {
    let resource = vec![
        pair("host.name", string("web")),
        pair("env", string("prod")),
        pair("tier", map(vec![pair("name", string("gold"))])),
        pair("com.splunk.index", string("main")),
    ];
    let own =
        vec![pair("tier.name", int(7)), pair("host.name", string("db")), pair("com.splunk.source", int(5))];
    let made = documents(
        &request(resource, vec![], vec![record("1", own), record("2", vec![])]),
        Shape::Hec,
        &Options::default(),
    );
    let expected = [
        json!({"event": "1", "fields": {"tier.name": 7, "env": "prod"}, "host": "db", "source": "5", "index": "main"}),
        json!({"event": "2", "fields": {"env": "prod", "tier.name": "gold"}, "host": "web", "index": "main"}),
    ];
    assert_eq!(lines(&made), expected);
}

#[test]
fn hec_options_choose_fields_names_and_the_form_of_the_event() {
    let mut record =
        record("hi", vec![pair("http.route", string("/a")), pair("user", string("u")), pair("body", int(1))]);
    (record.severity_text, record.event_name) = ("INFO".into(), "clicked".into());
    let raw = request(vec![pair("env", string("prod"))], vec![], vec![record]);
    let hec = HecOptions {
        fields: Allowed::listed(&["http.*".into(), "level".into()]),
        severity_text_key: "level".into(),
        sourcetype: "otel".into(),
        form: EventForm::Object,
        ..HecOptions::default()
    };
    let made = documents(&raw, Shape::Hec, &Options { hec, ..Options::default() });
    let expected = json!({
        "event": {"body": "hi", "http.route": "/a", "user": "u", "level": "INFO", "event.name": "clicked", "env": "prod"},
        "fields": {"http.route": "/a", "level": "INFO"},
        "host": "unknown",
        "sourcetype": "otel",
    });
    assert_eq!(lines(&made), [expected]);
}

#[test]
fn an_empty_hec_event_is_the_events_name_or_a_dash() {
    let empty = |body| LogRecord { body, ..Default::default() };
    let named = LogRecord { event_name: "clicked".into(), ..Default::default() };
    let raw =
        request(vec![], vec![], vec![empty(None), empty(Some(string(""))), empty(Some(bytes(b""))), named]);
    let made = lines(&documents(&raw, Shape::Hec, &Options::default()));
    let events: Vec<_> = made.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["-", "-", "-", "clicked"]);
}

#[test]
fn otel_documents_have_counts_schemas_points_and_no_routing_attributes() {
    let attributes = vec![
        pair("data_stream.dataset", string("Orders-1")),
        pair("elasticsearch.document_id", string("x")),
        pair("geo.location.lat", double(1.5)),
        pair("geo.location.lon", double(2.5)),
        pair("home.geo.location.lat", double(3.5)),
        pair("a", map(vec![pair("b.c", double(f64::INFINITY)), pair("b.c", int(1))])),
        pair("a.b", bytes(&[10])),
    ];
    let record = LogRecord {
        dropped_attributes_count: 3,
        flags: 1,
        body: Some(array(vec![map(vec![]), map(vec![pair("k", int(1))])])),
        ..record("", attributes)
    };
    let scope = InstrumentationScope { name: "s".into(), dropped_attributes_count: 2, ..Default::default() };
    let scope_logs =
        ScopeLogs { scope: Some(scope), log_records: vec![record], schema_url: "https://a/1".into() };
    let resource = Resource { dropped_attributes_count: 1, ..Default::default() };
    let logs = ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![scope_logs],
        schema_url: "https://a/2".into(),
    };
    let raw = ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec();
    let expected = json!({
        "@timestamp": "0.0",
        "observed_timestamp": "0.0",
        "data_stream": {"type": "logs", "dataset": "orders_1.otel", "namespace": "default"},
        "attributes": {
            "a": {"b.c": null}, "a.b": "0a", "geo.location": [2.5, 1.5], "home.geo.location.lat": 3.5,
        },
        "dropped_attributes_count": 3,
        "resource": {"schema_url": "https://a/2", "dropped_attributes_count": 1},
        "scope": {"schema_url": "https://a/1", "name": "s", "dropped_attributes_count": 2},
        "body": {"structured": [{}, {"k": 1}]},
    });
    assert_eq!(lines(&documents(&raw, Shape::Otel, &Options::default())), [expected]);
}

#[test]
fn ecs_documents_nest_what_dots_separate_and_keep_what_collides() {
    let cases = [
        (
            vec![pair("a", int(1)), pair("a.b", int(2)), pair("a-b", int(3))],
            json!({"a": {"b": 2, "value": 1}, "a-b": 3}),
        ),
        (vec![pair("a", map(vec![pair("b", int(1))])), pair("a.b", int(2))], json!({"a": {"b": 1}})),
        (
            vec![pair("rows", array(vec![map(vec![pair("x.y", int(1)), pair("x", int(2))]), map(vec![])]))],
            json!({"rows": [{"x": {"y": 1, "value": 2}}, null]}),
        ),
        (
            vec![
                pair("error.type.x", int(1)),
                pair("exception.type", string("E")),
                pair("exception.escaped", value(Any::BoolValue(true))),
            ],
            json!({"error": {"type": "E"}, "event": {"error": {"exception": {"handled": true}}}}),
        ),
        (
            vec![
                pair("list", array(vec![])),
                pair("none", AnyValue { value: None }),
                pair("nan", double(f64::NAN)),
            ],
            json!({"nan": null}),
        ),
        (
            vec![pair("message", string("hidden")), pair("event.name", string("e"))],
            json!({"event": {"action": "e"}}),
        ),
    ];
    for (attributes, expected) in cases {
        assert_eq!(added(Shape::Ecs, attributes.clone()), expected, "{attributes:?}");
    }
}

#[test]
fn ecs_renames_what_it_knows_of_a_resource() {
    let resource = vec![
        pair("host.name", string("web")),
        pair("host.hostname", string("own")),
        pair("os.type", string("linux")),
        pair("telemetry.sdk.name", string("left out")),
        pair("k8s.pod.name", string("pod")),
    ];
    let made = documents(
        &request(resource, vec![pair("n", int(1))], vec![record("b", vec![])]),
        Shape::Ecs,
        &Options::default(),
    );
    let document = &lines(&made)[0];
    assert_eq!(document["host"], json!({"name": "web", "hostname": "own", "os": {"platform": "linux"}}));
    assert_eq!((&document["kubernetes"], &document["n"]), (&json!({"pod": {"name": "pod"}}), &json!(1)));
    assert_eq!(document.get("telemetry"), None);
}

#[test]
fn raw_and_flat_documents_have_one_level() {
    let attributes = vec![
        pair("a", int(1)),
        pair("a.b", int(2)),
        pair("body", int(3)),
        pair("m", map(vec![pair("k", int(4))])),
    ];
    assert_eq!(added(Shape::Raw, attributes.clone()), json!({"a.value": 1, "a.b": 2, "body": 3, "m.k": 4}));
    assert_eq!(added(Shape::Flat, attributes), json!({"a.value": 1, "a.b": 2, "m.k": 4}));
    let mut record = record("", vec![]);
    record.body = Some(map(vec![pair("x", int(1)), pair("x.y", int(2))]));
    record.flags = 1;
    let raw = request(vec![pair("env", string("p"))], vec![pair("s", int(5))], vec![record]);
    let expected = json!({
        "@timestamp": "1970-01-01T00:00:00.000000000Z", "body.x.value": 1, "body.x.y": 2, "trace_flags": 1,
        "resource.env": "p", "scope.s": 5,
    });
    assert_eq!(lines(&documents(&raw, Shape::Flat, &Options::default())), [expected]);
}

#[test]
fn ss4o_documents_have_texts_for_body_and_resource() {
    let mut record = record("", vec![pair("a.b", int(1)), pair("data_stream.namespace", string("EU"))]);
    record.body = Some(map(vec![pair("k", string("v"))]));
    (record.event_name, record.severity_number) = ("e".into(), 9);
    let raw = request(vec![pair("n", int(1)), pair("b", bytes(&[1]))], vec![pair("s", int(5))], vec![record]);
    let made = documents(&raw, Shape::Ss4o, &bulk(false));
    let expected = [
        json!({"create": {"_index": "ss4o_logs-generic-eu"}}),
        json!({
            "@timestamp": "1970-01-01T00:00:00.000000000Z",
            "body": r#"{"k":"v"}"#,
            "severity": {"number": 9},
            "event": {"name": "e"},
            "attributes": {"data_stream": {"type": "record", "dataset": "generic", "namespace": "eu"}, "a.b": 1},
            "resource": {"n": "1", "b": "01"},
            "instrumentationScope": {"attributes": {"s": 5}},
        }),
    ];
    assert_eq!(lines(&made), expected);
}

#[test]
fn a_body_that_is_no_map_has_no_bodymap_document_and_is_counted() {
    let mut whole = record("", vec![]);
    whole.body = Some(map(vec![pair("k", int(1))]));
    let raw = request(vec![], vec![], vec![record("text", vec![]), whole, LogRecord::default()]);
    let made = documents(&raw, Shape::Bodymap, &bulk(false));
    assert_eq!(made.text, "{\"create\":{\"_index\":\"logs-generic-default\"}}\n{\"k\":1}\n");
    assert_eq!((made.records.clone(), made.skipped().collect()), (vec![1], vec![("body_not_a_map", 2)]));
}

#[test]
fn attributes_of_record_scope_and_resource_choose_the_index_in_this_order() {
    let dataset = |name: &str| pair("data_stream.dataset", string(name));
    let records = vec![
        record("1", vec![]),
        record("2", vec![dataset("own")]),
        record("3", vec![pair("elasticsearch.index", string("other\"")), dataset("own")]),
        record("4", vec![pair("data_stream.type", string("metrics"))]),
    ];
    let raw = request(
        vec![dataset("outer"), pair("data_stream.namespace", string("ns"))],
        vec![dataset("inner")],
        records,
    );
    let indexes = |shape, options: &Options| -> Vec<String> {
        let made = lines(&documents(&raw, shape, options));
        let actions = made.iter().filter_map(|line| line.get("create"));
        actions.map(|action| action["_index"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        indexes(Shape::Raw, &bulk(true)),
        ["logs-inner-ns", "logs-own-ns", "other\"", "logs-inner-ns"]
    );
    let stream = StreamOptions { index: Some("fixed".into()), ..StreamOptions::default() };
    assert_eq!(indexes(Shape::Otel, &Options { stream, ..bulk(false) }), ["fixed"; 4]);
    let document = &lines(&documents(&raw, Shape::Otel, &Options::default()))[2];
    assert_eq!(document.get("data_stream"), None);
}

#[test]
fn a_document_has_the_records_uid_or_an_id_of_its_content() {
    let uid = |uid: AnyValue| record("same", vec![pair("log.record.uid", uid)]);
    let records = vec![
        uid(string("01ARZ\"")),
        record("same", vec![]),
        record("same", vec![]),
        uid(int(5)),
        uid(string("")),
    ];
    let ids = |raw: &[u8]| -> Vec<String> {
        let made = lines(&documents(raw, Shape::Flat, &bulk(true)));
        made.iter().filter_map(|line| Some(line.get("create")?["_id"].as_str().unwrap().to_owned())).collect()
    };
    let raw = request(vec![], vec![], records.clone());
    let first = ids(&raw);
    assert_eq!(first[0], "01ARZ\"");
    assert!(first[1..].iter().all(|id| id.len() == 22), "{first:?}");
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 5);
    assert_eq!(ids(&raw), first);
    let elsewhere = ids(&request(vec![pair("host.name", string("b"))], vec![], records));
    assert!(elsewhere[1..].iter().all(|id| !first.contains(id)));
}
