//! Records that are alike but for their values become the same documents side by side as each alone.

use crate::records::{any_text, any_value, int, pair, string};
use fapilog_native::encode::action::BulkOptions;
use fapilog_native::encode::documents::{documents, Options, Shape, SHAPES};
use fapilog_native::encode::hec::{EventForm, HecOptions};
use fapilog_native::encode::members::Allowed;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// Keys with which an encoder does something, and others.
const KEYS: [&str; 16] = [
    "a",
    "b",
    "a.b",
    "a.b.value",
    "user_id",
    "é\"\\",
    "",
    "trace_id",
    "event.name",
    "host.name",
    "com.splunk.index",
    "log.record.uid",
    "exception.type",
    "data_stream.dataset",
    "elasticsearch.index",
    "geo.location.lat",
];
const MOST: usize = 6;

/// Records of a few calls, each with keys of its own and always other values.
fn any_records() -> impl Strategy<Value = Vec<LogRecord>> {
    let keys = vec(prop::sample::select(KEYS.to_vec()), 0..MOST);
    let record = (0..4usize, vec(any_leaf(), MOST), any_leaf(), any_fields());
    (vec(keys, 4), vec(record, 1..16)).prop_map(|(calls, records)| {
        let numbered = records.into_iter().enumerate();
        numbered
            .map(|(number, (call, values, body, mut record))| {
                let pairs = calls[call].iter().zip(values);
                record.attributes = pairs.map(|(key, value)| pair(key, value)).collect();
                record.body = Some(body);
                // No two are the same, so that none gets another id for it.
                record.observed_time_unix_nano = number as u64;
                record
            })
            .collect()
    })
}

fn any_leaf() -> impl Strategy<Value = AnyValue> {
    prop_oneof![6 => any_text().prop_map(|text| string(&text)), 4 => any::<i64>().prop_map(int), 1 => any_value()]
}

fn any_fields() -> impl Strategy<Value = LogRecord> {
    let id = |length| prop_oneof![vec(any::<u8>(), length), Just(vec![])];
    let names = (
        prop_oneof![Just(String::new()), any_text()],
        prop_oneof![4 => Just(String::new()), 1 => any_text()],
    );
    (0..2u64, 0..3i32, names, (id(16), id(8)), 0..2u32).prop_map(
        |(time, severity_number, names, ids, dropped_attributes_count)| LogRecord {
            time_unix_nano: time * 1_795_219_200_000_001_500,
            severity_number,
            severity_text: names.0,
            event_name: names.1,
            trace_id: ids.0,
            span_id: ids.1,
            dropped_attributes_count,
            ..Default::default()
        },
    )
}

fn request(resource: &[KeyValue], log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope = InstrumentationScope { name: "orders".into(), ..Default::default() };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records, ..Default::default() };
    let resource = Resource { attributes: resource.to_vec(), ..Default::default() };
    let logs = ResourceLogs { resource: Some(resource), scope_logs: vec![scope_logs], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec()
}

/// Each shape, with its options in a few ways.
fn cases() -> Vec<(Shape, Options)> {
    let plain = SHAPES.into_iter().map(|(_, shape)| (shape, Options::default()));
    let bulk = || Some(BulkOptions { ids: true, require_data_stream: None });
    let with_actions = SHAPES.into_iter().filter(|(_, shape)| *shape != Shape::Hec);
    let with_actions = with_actions.map(|(_, shape)| (shape, Options { bulk: bulk(), ..Options::default() }));
    let listed = Allowed::listed(&["a*".to_owned(), "trace_id".to_owned()]);
    let hec = |form, fields| {
        (
            Shape::Hec,
            Options { hec: HecOptions { form, fields, ..HecOptions::default() }, ..Options::default() },
        )
    };
    let hecs = [
        hec(EventForm::Object, Allowed::All),
        hec(EventForm::Object, listed.clone()),
        hec(EventForm::Body, listed),
    ];
    plain.chain(with_actions).chain(hecs).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn records_side_by_side_become_the_same_documents_as_each_alone(records in any_records(), host: bool) {
        let resource: &[KeyValue] = if host { &[pair("host.name", string("web-3")), pair("a", int(1))] } else { &[] };
        let whole = request(resource, records.clone());
        for (shape, options) in cases() {
            let together = documents(&whole, shape, &options);
            let alone: String = records
                .iter()
                .map(|record| documents(&request(resource, vec![record.clone()]), shape, &options).text)
                .collect();
            prop_assert_eq!(&together.text, &alone, "{:?}", shape);
            prop_assert_eq!(together.offsets.last().copied(), Some(alone.len()));
        }
    }
}

#[test]
fn records_of_more_kinds_than_there_are_templates_become_documents_too() {
    let records: Vec<_> = (0..400)
        .map(|number: usize| LogRecord {
            attributes: vec![pair(&format!("key-{}", number % 200), int(number as i64))],
            time_unix_nano: number as u64 + 1,
            ..Default::default()
        })
        .collect();
    for (shape, options) in cases().into_iter().filter(|(shape, _)| *shape != Shape::Bodymap) {
        let together = documents(&request(&[], records.clone()), shape, &options);
        let alone =
            records.iter().map(|record| documents(&request(&[], vec![record.clone()]), shape, &options).text);
        assert_eq!(together.text, alone.collect::<String>(), "{shape:?}");
    }
}
