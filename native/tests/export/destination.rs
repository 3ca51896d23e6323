//! What an exporter with a policy of its own claims: rewritten, or dropped and counted, never as it is.

use crate::core::{buffer_settings, default_policy};
use crate::records::string;
use crate::wiring::{exporter, pipeline_of};
use fapilog_native::block::{Block, Codec};
use fapilog_native::ledger::{DropReason, ExporterCounts, Settlement};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::redact::stricter::Stricter;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::scan::Settings;
use fapilog_native::seal::compress::{decompress, Compressor};
use fapilog_native::settings::{ExporterKind, ExporterSettings, Overflow};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use std::sync::Arc;

const CARD: &str = "4111 1111 1111 1111";

/// Two exporters: the first one has a policy of its own.
fn pipeline() -> Arc<Pipeline> {
    let kind = || ExporterKind::Python { codec: Codec::Identity };
    let policy = default_policy(&[]).with_values(ValuePolicy::new(Settings::default(), []));
    let strict = ExporterSettings { stricter: Some(Stricter::new(policy)), ..exporter("strict", kind()) };
    pipeline_of(buffer_settings(Overflow::DropOldest), vec![strict, exporter("open", kind())], false)
}

fn request(bodies: &[&str]) -> Vec<u8> {
    let record = |body: &&str| LogRecord { body: Some(string(body)), ..LogRecord::default() };
    let log_records = bodies.iter().map(record).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// A request whose last record is none.
fn with_a_broken_record(bodies: &[&str]) -> Vec<u8> {
    let mut raw = request(bodies);
    raw.extend([0x0a, 0x08, 0x12, 0x06, 0x12, 0x04, 0x32, 0x02, 0x0a, 0x7f]);
    raw
}

fn push(pipeline: &Pipeline, records: u64, raw: &[u8], codec: Codec) {
    let body = Compressor::new().compress(codec, &[raw]).unwrap();
    let block = Block { sequence: 0, records, protected_records: 0, raw_bytes: raw.len(), codec, body };
    pipeline.backlog().push(block);
}

fn raw(block: &Block) -> Vec<u8> {
    decompress(block.codec, &block.body, block.raw_bytes).unwrap()
}

fn side(pipeline: &Pipeline, cursor: usize) -> ExporterCounts {
    pipeline.backlog().counts()[cursor].clone()
}

fn settle(pipeline: &Pipeline, cursor: usize, block: &Block) {
    pipeline.settle(cursor, block.sequence, Settlement { delivered: block.records, ..Settlement::default() });
}

#[test]
fn each_exporter_gets_what_its_policy_lets_through_of_one_block() {
    for codec in [
        Codec::Identity,
        Codec::Gzip,
        #[cfg(feature = "zstd")]
        Codec::Zstd,
    ] {
        let pipeline = pipeline();
        push(&pipeline, 2, &request(&["started", CARD]), codec);
        let (strict, open) = (pipeline.try_claim(0).unwrap(), pipeline.try_claim(1).unwrap());
        assert_eq!(raw(&open), request(&["started", CARD]));
        assert_eq!((strict.records, strict.sequence), (2, open.sequence));
        let read = ExportLogsServiceRequest::decode(raw(&strict).as_slice()).unwrap();
        let records = &read.resource_logs[0].scope_logs[0].log_records;
        assert_eq!(records[1].body, Some(string("[REDACTED:pan]")));
        settle(&pipeline, 0, &strict);
        settle(&pipeline, 1, &open);
        assert_eq!((side(&pipeline, 0).delivered, pipeline.backlog().bytes()), (2, 0));
    }
}

#[test]
fn a_block_in_which_nothing_is_hidden_is_shared() {
    let pipeline = pipeline();
    let sealed = {
        push(&pipeline, 1, &request(&["started"]), Codec::Gzip);
        pipeline.try_claim(1).unwrap()
    };
    // The encoder writes the empty scope out, the test's does not: a second pass is as it was.
    let first = pipeline.try_claim(0).unwrap();
    push(&pipeline, 1, &raw(&first), Codec::Gzip);
    settle(&pipeline, 1, &sealed);
    let (strict, open) = (pipeline.try_claim(0).unwrap(), pipeline.try_claim(1).unwrap());
    assert!(Arc::ptr_eq(&strict, &open));
}

#[test]
fn a_record_that_cannot_be_read_is_counted_once_also_when_the_block_comes_again() {
    let pipeline = pipeline();
    push(&pipeline, 3, &with_a_broken_record(&["one", CARD]), Codec::Gzip);
    for _ in 0..3 {
        let block = pipeline.try_claim(0).unwrap();
        assert_eq!(block.records, 2);
        pipeline.backlog().release(0, block.sequence);
        assert_eq!((side(&pipeline, 0).pending, side(&pipeline, 1).pending), (2, 3));
    }
    let block = pipeline.try_claim(0).unwrap();
    settle(&pipeline, 0, &block);
    let counts = side(&pipeline, 0);
    assert_eq!((counts.delivered, counts.dropped.get(DropReason::Unredacted), counts.pending), (2, 1, 0));
    assert_eq!(counts.dropped.total(), 1);
    assert_eq!(
        pipeline.notices().take().iter().map(|notice| notice.code).collect::<Vec<_>>(),
        ["unredacted"]
    );
}

#[test]
fn what_is_no_request_goes_nowhere_and_the_next_block_is_claimed() {
    let pipeline = pipeline();
    push(&pipeline, 5, b"\x0a\x7fcard 4111 1111 1111 1111", Codec::Gzip);
    let damaged = Block {
        sequence: 0,
        records: 4,
        protected_records: 0,
        raw_bytes: 9,
        codec: Codec::Gzip,
        body: CARD.into(),
    };
    pipeline.backlog().push(damaged);
    push(&pipeline, 1, &request(&["next"]), Codec::Gzip);
    let block = pipeline.try_claim(0).unwrap();
    assert_eq!((block.sequence, block.records), (2, 1));
    let counts = side(&pipeline, 0);
    assert_eq!((counts.dropped.get(DropReason::Unredacted), counts.pending), (9, 1));
    assert!(pipeline.try_claim(0).is_none());
}
