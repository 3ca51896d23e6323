//! Stage 5: a sealed block holds every record of its chunk once, in order within its scope.

use crate::core::{buffer_settings, id_of, sequence_of, Entry, Store};
use fapilog_native::block::{Block, Codec};
use fapilog_native::buffer::chunk::Chunk;
use fapilog_native::scopes::{Scope, Scopes, OVERFLOW_NAME};
use fapilog_native::seal::compress::decompress;
use fapilog_native::seal::Sealer;
use fapilog_native::settings::{BufferSettings, Overflow};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

#[cfg(feature = "zstd")]
const CODECS: [Codec; 3] = [Codec::Identity, Codec::Gzip, Codec::Zstd];
#[cfg(not(feature = "zstd"))]
const CODECS: [Codec; 2] = [Codec::Identity, Codec::Gzip];
const SCOPES: u32 = 5;

fn attribute(key: &str, text: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

fn resource() -> Resource {
    Resource { attributes: vec![attribute("service.name", "shop")], ..Resource::default() }
}

/// `ResourceLogs` fields other than the scopes.
fn resource_fields() -> Vec<u8> {
    let message = resource().encode_to_vec();
    let mut fields = vec![0x0a, message.len() as u8];
    fields.extend_from_slice(&message);
    fields.extend_from_slice(b"\x1a\x08schema/r");
    fields
}

/// Scope 0 has nothing but a name, scope 1 not even that, the others have everything.
fn scope_of(id: u32) -> InstrumentationScope {
    match id {
        0 => InstrumentationScope { name: "scope0".into(), ..InstrumentationScope::default() },
        1 => InstrumentationScope::default(),
        _ => InstrumentationScope {
            name: format!("scope{id}"),
            version: format!("{id}.0"),
            attributes: vec![attribute("number", &id.to_string())],
            ..InstrumentationScope::default()
        },
    }
}

fn schema_url_of(id: u32) -> String {
    if id < 2 {
        String::new()
    } else {
        format!("schema/{id}")
    }
}

fn scopes() -> Scopes {
    let scopes = Scopes::default();
    for id in 0..SCOPES {
        let InstrumentationScope { name, version, attributes, .. } = scope_of(id);
        let attributes =
            InstrumentationScope { attributes, ..InstrumentationScope::default() }.encode_to_vec();
        let scope = Scope { name, version, schema_url: schema_url_of(id), attributes };
        assert_eq!(scopes.id(&scope), id);
        assert_eq!(scopes.id(&scope), id, "the same for an equal scope");
    }
    scopes
}

fn settings() -> BufferSettings {
    BufferSettings { limit_bytes: 1 << 20, chunk_bytes: 8 * 1024, ..buffer_settings(Overflow::DropNewest) }
}

/// The chunks that `entries` fill.
fn chunks(entries: &[Entry]) -> Vec<Chunk> {
    let mut store = Store::new(settings(), &["otlp"]);
    for entry in entries {
        store.append(*entry);
    }
    store.buffer.close();
    std::iter::from_fn(|| store.buffer.next_chunk(&|| None)).collect()
}

fn request_of(block: &Block) -> ExportLogsServiceRequest {
    let raw = decompress(block.codec, &block.body, block.raw_bytes).unwrap();
    assert_eq!(raw.len(), block.raw_bytes);
    ExportLogsServiceRequest::decode(raw.as_slice()).unwrap()
}

/// Position, id and severity of each record of a scope, as they were decoded.
fn contents(scope: &ScopeLogs) -> Vec<(i64, u64, i32)> {
    scope
        .log_records
        .iter()
        .map(|record| (sequence_of(record), id_of(record), record.severity_number))
        .collect()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (0..SCOPES, 1..25u8, any::<bool>(), 0..200usize);
    vec(entry, 0..300).prop_map(|entries| {
        let numbered = entries.into_iter().zip(0..);
        numbered
            .map(|((scope, severity, protected, size), id)| Entry { id, severity, protected, size, scope })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_record_is_sealed_once_under_its_scope_in_order(entries in entries(), codec in 0..CODECS.len()) {
        let (scopes, resource_fields) = (scopes(), resource_fields());
        let mut sealer = Sealer::new(CODECS[codec]);
        let mut sealed: Vec<i64> = Vec::new();
        for chunk in chunks(&entries) {
            let block = sealer.seal(&chunk, &scopes.prefixes(&resource_fields)).unwrap();
            let request = request_of(&block);
            prop_assert_eq!(request.resource_logs.len(), 1);
            let logs = &request.resource_logs[0];
            // Audit records have chunks of their own, so the numbers of a chunk may have gaps.
            let mut numbers: Vec<i64> =
                logs.scope_logs.iter().flat_map(|scope| &scope.log_records).map(sequence_of).collect();
            numbers.sort_unstable();
            sealed.extend(&numbers);
            let inside: Vec<_> = numbers.iter().map(|number| (&entries[*number as usize], *number)).collect();
            let protected = inside.iter().filter(|(entry, _)| entry.protected).count() as u64;
            prop_assert_eq!(
                (block.records, block.protected_records, block.codec),
                (inside.len() as u64, protected, CODECS[codec])
            );
            prop_assert_eq!((&logs.resource, logs.schema_url.as_str()), (&Some(resource()), "schema/r"));

            let mut order: Vec<u32> = Vec::new();
            for (entry, _) in &inside {
                if !order.contains(&entry.scope) {
                    order.push(entry.scope);
                }
            }
            prop_assert_eq!(logs.scope_logs.len(), order.len());
            for (scope, id) in logs.scope_logs.iter().zip(order) {
                let mine = inside.iter().filter(|(entry, _)| entry.scope == id);
                let expected: Vec<_> =
                    mine.map(|(entry, number)| (*number, entry.id, i32::from(entry.severity))).collect();
                prop_assert_eq!(contents(scope), expected);
                prop_assert_eq!((&scope.scope, &scope.schema_url), (&Some(scope_of(id)), &schema_url_of(id)));
            }
        }
        sealed.sort_unstable();
        prop_assert_eq!(sealed, (0..entries.len() as i64).collect::<Vec<_>>(), "each record is in one chunk");
    }

    #[test]
    fn a_damaged_chunk_never_panics(
        entries in entries(), at in any::<prop::sample::Index>(), byte in any::<u8>(), length in any::<prop::sample::Index>(),
    ) {
        let (scopes, mut sealer) = (scopes(), Sealer::new(Codec::Identity));
        for mut chunk in chunks(&entries) {
            let at = at.index(chunk.bytes.len());
            chunk.bytes[at] = byte;
            chunk.bytes.truncate(length.index(chunk.bytes.len() + 1));
            let _ = sealer.seal(&chunk, &scopes.prefixes(&[]));
        }
    }
}

#[test]
fn a_chunk_without_records_makes_no_block() {
    assert_eq!(Sealer::new(Codec::Gzip).seal(&Chunk::default(), &scopes().prefixes(&[])), None);
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_codec_that_is_not_built_in_still_sends_the_records() {
    let chunk = chunks(&[Entry::info(1)]).pop().unwrap();
    let block = Sealer::new(Codec::Zstd).seal(&chunk, &scopes().prefixes(&[])).unwrap();
    assert_eq!(block.codec, Codec::Identity);
    assert_eq!(id_of(&request_of(&block).resource_logs[0].scope_logs[0].log_records[0]), 1);
}

#[test]
fn scopes_beyond_the_limit_share_one_that_says_so() {
    let scopes = Scopes::default();
    let named = |number: u32| Scope { name: number.to_string(), ..Scope::default() };
    let kept = 1 << 16;
    for number in 0..kept {
        assert_eq!(scopes.id(&named(number)), number);
    }
    for number in kept..kept + 3 {
        assert_eq!(scopes.id(&named(number)), kept);
    }
    assert_eq!((scopes.id(&named(7)), scopes.name(7)), (7, "7".to_owned()));
    assert_eq!((scopes.name(kept).as_str(), scopes.name(kept + 1).as_str()), (OVERFLOW_NAME, ""));
}
