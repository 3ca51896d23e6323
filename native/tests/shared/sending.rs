//! Requests, blocks and settings that the tests of stage 6 share.
#![allow(dead_code)] // Each test binary uses a part.

use fapilog_native::block::{Block, Codec};
use fapilog_native::seal::compress::{decompress, Compressor};
use fapilog_native::settings::{HttpProtocol, OtlpSettings, RetrySettings};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::time::Duration;

pub fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }
}

pub fn record(body: &str, severity_number: i32) -> LogRecord {
    LogRecord { body: Some(text(body)), severity_number, time_unix_nano: 1, ..Default::default() }
}

/// One resource with the given scopes: name, and body and severity of each record.
pub fn request(scopes: &[(String, Vec<(String, i32)>)]) -> ExportLogsServiceRequest {
    let key = KeyValue { key: "service.name".into(), value: Some(text("shop")), ..Default::default() };
    let scope_logs = scopes
        .iter()
        .map(|(name, records)| ScopeLogs {
            scope: Some(InstrumentationScope { name: name.clone(), ..Default::default() }),
            log_records: records.iter().map(|(body, severity)| record(body, *severity)).collect(),
            schema_url: format!("https://schema/{name}"),
        })
        .collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: vec![key], ..Default::default() }),
            scope_logs,
            schema_url: "https://schema/resource".into(),
        }],
    }
}

/// Errors and above, as the severity of a record says.
pub fn is_error(record: &[u8]) -> bool {
    LogRecord::decode(record).unwrap().severity_number >= 17
}

pub fn block_of(request: &ExportLogsServiceRequest, codec: Codec) -> Block {
    let raw = request.encode_to_vec();
    let records: Vec<_> = request
        .resource_logs
        .iter()
        .flat_map(|resource| &resource.scope_logs)
        .flat_map(|scope| &scope.log_records)
        .collect();
    Block {
        sequence: 7,
        records: records.len() as u64,
        protected_records: records.iter().filter(|record| record.severity_number >= 17).count() as u64,
        raw_bytes: raw.len(),
        codec,
        body: Compressor::new().compress(codec, &[&raw]).unwrap(),
    }
}

pub fn request_of(block: &Block) -> ExportLogsServiceRequest {
    let raw = decompress(block.codec, &block.body, block.raw_bytes).unwrap();
    assert_eq!(raw.len(), block.raw_bytes);
    ExportLogsServiceRequest::decode(raw.as_slice()).unwrap()
}

/// A block of `records` numbered records in one scope.
pub fn numbered_block(records: u64) -> Block {
    let records = (0..records).map(|number| (format!("record {number}"), 9)).collect();
    block_of(&request(&[("scope".into(), records)]), Codec::Gzip)
}

pub fn retry_settings() -> RetrySettings {
    RetrySettings {
        initial_backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(30),
        max_retry_after: Duration::from_secs(300),
        max_elapsed: None,
    }
}

pub fn otlp_settings(endpoint: &str) -> OtlpSettings {
    OtlpSettings {
        protocol: HttpProtocol::Protobuf,
        endpoint: endpoint.to_owned(),
        headers: vec![("x-tenant".into(), "blue".into())],
        timeout: Some(Duration::from_secs(10)),
        connect_timeout: Duration::from_secs(5),
        codec: Codec::Gzip,
        max_in_flight: 4,
        adaptive: true,
        merge_bytes: 4 * 1024 * 1024,
        certificate: None,
        client_certificate: None,
        client_key: None,
        user_agent: "fapilog/1.0.0 OTel-OTLP-Exporter-Python/1.45.1".into(),
        max_request_bytes: 64 * 1024 * 1024,
        max_response_bytes: 4 * 1024 * 1024,
        retry: retry_settings(),
        refreshes_headers: false,
    }
}
