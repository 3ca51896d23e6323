//! A request that comes back from outside: its records are counted, and its bytes kept.

use crate::sending::{block_of, request, request_of};
use fapilog_native::block::Codec;
use fapilog_native::export::exporters::is_protected;
use fapilog_native::seal::compress::decompress;
use fapilog_native::seal::reseal::{count, recode, seal_request};
use fapilog_native::wire::put_bytes;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn scopes() -> impl Strategy<Value = Vec<(String, Vec<(String, i32)>)>> {
    vec(("[a-z]{0,3}", vec(("[a-z]{0,9}", 0..25i32), 0..6)), 0..5)
}

proptest! {
    #[test]
    fn every_record_is_counted_whatever_resource_and_scope_it_has(first in scopes(), second in scopes()) {
        let mut whole = request(&first);
        whole.resource_logs.push(ResourceLogs::default());
        whole.resource_logs.extend(request(&second).resource_logs);
        let severities = || first.iter().chain(&second).flat_map(|(_, records)| records).map(|(_, severity)| *severity);
        let protected = severities().filter(|severity| matches!(severity, 10 | 14 | 17..)).count() as u64;
        let expected = (severities().count() as u64, protected);
        prop_assert_eq!(count(&whole.encode_to_vec(), is_protected), Some(expected));
        for codec in [Codec::Identity, Codec::Gzip] {
            let block = seal_request(&whole.encode_to_vec(), expected, codec);
            prop_assert_eq!((block.records, block.protected_records, block.codec), (expected.0, expected.1, codec));
            prop_assert_eq!(request_of(&block), whole.clone());
        }
    }

    #[test]
    fn any_bytes_are_counted_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = count(&bytes, is_protected);
    }

    #[test]
    fn a_request_that_is_cut_off_is_refused(scopes in scopes(), cut in 1..200usize) {
        let mut bytes = request(&scopes).encode_to_vec();
        bytes.truncate(bytes.len().saturating_sub(cut).max(1));
        prop_assert_eq!(count(&bytes, is_protected), None);
    }
}

#[test]
fn an_unknown_field_is_not_a_record() {
    let mut bytes = request(&[("scope".into(), vec![("body".into(), 9)])]).encode_to_vec();
    put_bytes(&mut bytes, (9 << 3) | 2, b"anything");
    assert_eq!(count(&bytes, is_protected), Some((1, 0)));
}

#[test]
fn a_block_under_another_codec_holds_the_same_request() {
    let request = request(&[("scope".into(), vec![("one".into(), 9), ("two".into(), 17)])]);
    let block = block_of(&request, Codec::Gzip);
    for codec in [Codec::Identity, Codec::Gzip] {
        let other = recode(&block, codec);
        assert_eq!((other.codec, other.sequence, other.records), (codec, block.sequence, 2));
        assert_eq!((other.raw_bytes, other.protected_records), (block.raw_bytes, 1));
        assert_eq!(decompress(codec, &other.body, 1 << 20).unwrap(), request.encode_to_vec());
    }
    let damaged = fapilog_native::block::Block { body: vec![1, 2, 3], ..block };
    assert_eq!(recode(&damaged, Codec::Identity), damaged);
}
