//! Splitting a request, and the compression that it shares with stage 5.

use crate::sending::{self, block_of, is_error, request, request_of};
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::split::split;
use fapilog_native::seal::compress::{decompress, Compressor};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;

#[cfg(feature = "zstd")]
const CODECS: [Codec; 3] = [Codec::Identity, Codec::Gzip, Codec::Zstd];
#[cfg(not(feature = "zstd"))]
const CODECS: [Codec; 2] = [Codec::Identity, Codec::Gzip];

/// Every record with what surrounds it, in order: what a split must preserve.
fn flat(request: &ExportLogsServiceRequest) -> Vec<(String, LogRecord)> {
    let mut records = Vec::new();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            for record in &scope.log_records {
                let around = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
                records.push((format!("{around:?}"), record.clone()));
            }
        }
    }
    records
}

fn protected(request: &ExportLogsServiceRequest) -> u64 {
    flat(request).iter().filter(|(_, record)| record.severity_number >= 17).count() as u64
}

fn scopes() -> impl Strategy<Value = Vec<(String, Vec<(String, i32)>)>> {
    let records = proptest::collection::vec((".{0,300}", 0i32..25), 0..12);
    proptest::collection::vec(("[a-z]{0,8}", records), 0..6)
}

#[test]
fn one_record_or_none_cannot_be_split() {
    for bodies in [vec![], vec![("only".to_owned(), 9)]] {
        let block = block_of(&request(&[("scope".into(), bodies)]), Codec::Gzip);
        assert_eq!(split(&block, is_error), None);
    }
}

#[test]
fn a_body_that_is_not_what_the_block_says_is_left_alone() {
    let block = sending::numbered_block(8);
    let damaged = |change: fn(&mut Block)| {
        let mut block = block.clone();
        change(&mut block);
        split(&block, is_error)
    };
    assert_eq!(damaged(|block| block.records = 9), None);
    assert_eq!(damaged(|block| block.records = 7), None);
    assert_eq!(damaged(|block| block.body.truncate(20)), None);
    assert_eq!(damaged(|block| block.codec = Codec::Identity), None);
}

#[test]
fn fields_may_come_in_any_order_and_unknown_ones_are_kept() {
    // ScopeLogs: schema_url, a record, the scope, an unknown field 15, another record; then the resource last.
    let scope_logs = [
        b"\x1a\x01s".as_slice(),
        b"\x12\x02\x10\x09",
        b"\x0a\x03\x0a\x01n",
        b"\x78\x05",
        b"\x12\x02\x10\x11",
    ]
    .concat();
    let mut resource_logs = vec![0x12, scope_logs.len() as u8];
    resource_logs.extend_from_slice(&scope_logs);
    resource_logs.extend_from_slice(b"\x0a\x02\x10\x01");
    let mut raw = vec![0x0a, resource_logs.len() as u8];
    raw.extend_from_slice(&resource_logs);
    let whole = ExportLogsServiceRequest { resource_logs: vec![] };
    let block = Block { records: 2, raw_bytes: raw.len(), body: raw, ..block_of(&whole, Codec::Identity) };

    let (first, second) = split(&block, is_error).unwrap();

    assert_eq!(
        first.body,
        b"\x0a\x14\x12\x0e\x1a\x01s\x12\x02\x10\x09\x0a\x03\x0a\x01n\x78\x05\x0a\x02\x10\x01"
    );
    assert_eq!(
        second.body,
        b"\x0a\x14\x12\x0e\x1a\x01s\x0a\x03\x0a\x01n\x78\x05\x12\x02\x10\x11\x0a\x02\x10\x01"
    );
    assert_eq!((first.protected_records, second.protected_records), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_halves_one_after_the_other_are_the_original(scopes in scopes(), codec in 0..CODECS.len()) {
        let whole = request(&scopes);
        let block = block_of(&whole, CODECS[codec]);
        let Some((first, second)) = split(&block, is_error) else {
            prop_assert!(block.records < 2);
            return Ok(());
        };
        let (left, right) = (request_of(&first), request_of(&second));
        prop_assert_eq!([flat(&left), flat(&right)].concat(), flat(&whole));
        prop_assert_eq!(first.records, block.records / 2);
        prop_assert_eq!(first.records + second.records, block.records);
        prop_assert_eq!(flat(&left).len() as u64, first.records);
        prop_assert_eq!((first.protected_records, second.protected_records), (protected(&left), protected(&right)));
        prop_assert_eq!((first.sequence, second.codec), (block.sequence, block.codec));
    }

    #[test]
    fn a_reused_compressor_restores_every_block_and_repeats_itself(
        blocks in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..20), 1..5),
    ) {
        let mut compressor = Compressor::new();
        for parts in &blocks {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let raw = parts.concat();
            for codec in CODECS {
                let body = compressor.compress(codec, &slices).unwrap();
                prop_assert_eq!(&decompress(codec, &body, raw.len()).unwrap(), &raw);
                prop_assert_eq!(&Compressor::new().compress(codec, &slices).unwrap(), &body);
            }
        }
    }
}

#[test]
fn a_large_compressible_block_is_restored_and_a_bomb_is_refused() {
    let raw = b"the same words again and again, ".repeat(100_000);
    for codec in CODECS {
        let body = Compressor::new().compress(codec, &[&raw]).unwrap();
        assert_eq!(decompress(codec, &body, raw.len()).unwrap(), raw);
        let error = decompress(codec, &body, raw.len() - 1).unwrap_err();
        assert_eq!(error.to_string(), "the block holds more than 3199999 bytes");
    }
}

#[cfg(not(feature = "zstd"))]
#[test]
fn zstd_without_the_feature_is_an_error_that_says_what_to_do() {
    let expected = "this build of fapilog has no zstd; use gzip, or build with the feature `zstd`";
    assert_eq!(Compressor::new().compress(Codec::Zstd, &[b"x"]).unwrap_err().to_string(), expected);
    assert_eq!(decompress(Codec::Zstd, b"x", 10).unwrap_err().to_string(), expected);
}
