//! The reader of whole requests against prost's owned one, and against bytes that no encoder makes.

use crate::records::{any_request, pair, string};
use fapilog_native::decode::request::{count_records, resources, ResourceLogsView, ScopeLogsView};
use fapilog_native::decode::{KvListView, RecordView};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proptest::prelude::*;
use prost::Message;

fn keys(attributes: KvListView<'_>) -> Vec<String> {
    attributes.iter().map(|(key, _)| key.to_owned()).collect()
}

/// What the views say, as a text that names every field.
fn shown(request: &[u8]) -> Vec<String> {
    resources(request).flat_map(|resource| shown_resource(&resource)).collect()
}

fn shown_resource(resource: &ResourceLogsView<'_>) -> Vec<String> {
    let head = format!(
        "{} {:?} {} {:?}",
        resource.has_resource,
        keys(resource.attributes),
        resource.dropped_attributes_count,
        resource.schema_url
    );
    std::iter::once(head).chain(resource.scopes().flat_map(|scope| shown_scope(&scope))).collect()
}

fn shown_scope(scope: &ScopeLogsView<'_>) -> Vec<String> {
    let head = format!(
        "{} {:?} {:?} {:?} {} {:?}",
        scope.has_scope,
        scope.name,
        scope.version,
        keys(scope.attributes),
        scope.dropped_attributes_count,
        scope.schema_url
    );
    let records = scope.records().map(|record| format!("{:?}", RecordView::parse(record).event_name));
    std::iter::once(head).chain(records).collect()
}

fn expected(request: &ExportLogsServiceRequest) -> Vec<String> {
    request.resource_logs.iter().flat_map(expected_resource).collect()
}

fn expected_resource(logs: &ResourceLogs) -> Vec<String> {
    let resource = logs.resource.clone().unwrap_or_default();
    let keys: Vec<_> = resource.attributes.iter().map(|pair| pair.key.clone()).collect();
    let dropped = resource.dropped_attributes_count;
    let head = format!("{} {keys:?} {dropped} {:?}", logs.resource.is_some(), logs.schema_url);
    std::iter::once(head).chain(logs.scope_logs.iter().flat_map(expected_scope)).collect()
}

fn expected_scope(logs: &ScopeLogs) -> Vec<String> {
    let scope = logs.scope.clone().unwrap_or_default();
    let keys: Vec<_> = scope.attributes.iter().map(|pair| pair.key.clone()).collect();
    let head = format!(
        "{} {:?} {:?} {keys:?} {} {:?}",
        logs.scope.is_some(),
        scope.name,
        scope.version,
        scope.dropped_attributes_count,
        logs.schema_url
    );
    let records = logs.log_records.iter().map(|record| format!("{:?}", record.event_name));
    std::iter::once(head).chain(records).collect()
}

proptest! {
    #[test]
    fn every_request_reads_as_prost_reads_it(request in any_request()) {
        let bytes = request.encode_to_vec();
        prop_assert_eq!(shown(&bytes), expected(&request));
        let records: usize =
            request.resource_logs.iter().flat_map(|logs| &logs.scope_logs).map(|scope| scope.log_records.len()).sum();
        prop_assert_eq!(count_records(&bytes), records as u64);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        shown(&bytes);
    }

    #[test]
    fn a_request_that_is_cut_off_keeps_the_resources_before_the_cut(
        request in any_request(), at in any::<prop::sample::Index>(),
    ) {
        let bytes = request.encode_to_vec();
        let cut = at.index(bytes.len() + 1);
        let kept = resources(&bytes[..cut]).count();
        let mut whole = ExportLogsServiceRequest::default();
        let mut fitting = 0;
        for logs in request.resource_logs {
            whole.resource_logs.push(logs);
            if whole.encoded_len() <= cut {
                fitting += 1;
            }
        }
        prop_assert_eq!(kept, fitting);
    }
}

#[test]
fn fields_stand_in_any_order_and_the_last_of_a_repeated_one_counts() {
    let scope = |name: &str| InstrumentationScope { name: name.into(), ..Default::default() };
    let first = ScopeLogs { scope: Some(scope("first")), ..Default::default() };
    let second = ScopeLogs {
        scope: Some(InstrumentationScope { attributes: vec![pair("k", string("v"))], ..scope("second") }),
        log_records: vec![LogRecord { event_name: "e".into(), ..Default::default() }],
        ..Default::default()
    };
    let scope_logs = [second.encode_to_vec(), first.encode_to_vec()].concat();
    let resource_logs = ResourceLogs { schema_url: "url".into(), ..Default::default() }.encode_to_vec();
    let mut message = resource_logs;
    message.extend([0x12, scope_logs.len() as u8]);
    message.extend(&scope_logs);
    let mut request = vec![0x0a, message.len() as u8];
    request.extend(&message);
    let expected = ["false [] 0 \"url\"", "true \"first\" \"\" [] 0 \"\"", "\"e\""];
    assert_eq!(shown(&request), expected);
}
