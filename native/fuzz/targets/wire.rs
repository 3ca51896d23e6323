//! What comes from outside: answers of receivers, requests, compressed bodies.

use fapilog_native::block::Codec;
use fapilog_native::decode::request::{count_records, resources};
use fapilog_native::decode::{AnyView, KvListView, RecordView};
use fapilog_native::encode::action::BulkOptions;
use fapilog_native::encode::documents::{documents as documents_of, Options, Shape, SHAPES};
use fapilog_native::encode::hec::{EventForm, HecOptions};
use fapilog_native::encode::members::Allowed;
use fapilog_native::encode::{encode, encode_lines, Form};
use fapilog_native::export::http::answer::{classify, Answer};
use fapilog_native::export::http::echo::Echo;
use fapilog_native::export::split::split_request;
use fapilog_native::seal::compress::{decompress, Compressor};
use fapilog_native::seal::reseal::count;
use std::slice;
use std::time::{Duration, UNIX_EPOCH};

const FORMS: [&str; 5] = ["otlp_json", "json", "logfmt", "pretty", "minimal"];
const CODECS: [Codec; 3] = [Codec::Identity, Codec::Gzip, Codec::Zstd];
const TYPES: [Option<&str>; 4] =
    [Some("application/x-protobuf"), Some("application/json"), Some("text/plain"), None];
const UNPACKED_BYTES: usize = 100_000;

/// An answer: status (u16), kind of body, length of `Retry-After`, `Retry-After`, body.
pub fn answer(data: &[u8]) {
    let [low, high, kind, length, rest @ ..] = data else { return };
    let status = u16::from_le_bytes([*low, *high]);
    let (after, body) = rest.split_at(usize::from(*length).min(rest.len()));
    let after = std::str::from_utf8(after).ok();
    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let (text, retried) = match classify(status, after, content_type, body, now, &Echo::default()) {
        Answer::Delivered { warning, rejected_records } => {
            assert!((200..300).contains(&status));
            assert!(i64::try_from(rejected_records).is_ok() || content_type == TYPES[1]);
            (warning, false)
        }
        Answer::Retry { cause, .. } => (Some(cause), true),
        Answer::TooLarge { cause } | Answer::Rejected { cause } => (Some(cause), false),
    };
    assert_eq!(retried, matches!(status, 429 | 502..=504));
    if let Some(text) = text {
        assert!(!text.chars().any(char::is_control), "a server forges lines: {text:?}");
        assert!(text.len() < 4_000, "{}", text.len());
    }
}

pub fn answers() -> Vec<Vec<u8>> {
    let answer = |status: u16, kind: u8, after: &str, body: &[u8]| {
        let head = [&status.to_le_bytes()[..], &[kind, after.len() as u8], after.as_bytes()].concat();
        [&head, body].concat()
    };
    vec![
        answer(200, 0, "", &[0x0a, 9, 0x08, 3, 0x12, 5, b'q', b'u', b'o', b't', b'a']),
        answer(200, 1, "", br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"quota"}}"#),
        answer(429, 0, "120", &[0x08, 8, 0x12, 4, b'b', b'u', b's', b'y']),
        answer(503, 3, "Sun, 06 Nov 1994 08:49:37 GMT", b""),
        answer(401, 1, "", br#"{"code":16,"message":"no token"}"#),
        answer(413, 2, "", b"too large\r\nX-Forged: 1"),
    ]
}

/// A request: whatever is in it can be read, counted, split and written in every form.
pub fn request(data: &[u8]) {
    let records = count_records(data);
    let mut seen = 0;
    for resource in resources(data) {
        visit(resource.attributes);
        for scope in resource.scopes() {
            visit(scope.attributes);
            for record in scope.records() {
                let record = RecordView::parse(record);
                visit(record.attributes);
                record.body.iter().for_each(|body| value(*body));
                seen += 1;
            }
        }
    }
    assert_eq!(seen, records);
    let mut out = String::new();
    for form in FORMS.map(|name| Form::from_name(name).unwrap()) {
        out.clear();
        encode(data, form, true, &mut out);
        encode_lines(data, form, 1_000, &mut out);
    }
    out.clear();
    encode(data, Form::OtlpJson, false, &mut out);
    let read: Result<serde_json::Value, _> = serde_json::from_str(&out);
    assert!(read.is_ok(), "no JSON: {out}");
    // Only a whole request is split or taken from a batch processor.
    let Some((found, _)) = count(data, |_| false) else { return };
    if let Some([first, second]) = split_request(data, found, |_| false) {
        assert_eq!(first.records + second.records, found);
        assert_eq!(count_records(&first.raw) + count_records(&second.raw), found);
    }
}

/// A request: whatever is in it, its documents are lines of JSON, and their offsets partition the text.
pub fn documents(data: &[u8]) {
    let records = count_records(data);
    for (name, shape) in SHAPES {
        let bulk = (shape != Shape::Hec).then_some(BulkOptions { ids: true, require_data_stream: None });
        let lines = 1 + usize::from(bulk.is_some());
        let hec = HecOptions {
            fields: Allowed::listed(&["k*".into()]),
            form: EventForm::Object,
            ..HecOptions::default()
        };
        for options in [Options { bulk, ..Options::default() }, Options { hec, ..Options::default() }] {
            let lines = if options.bulk.is_some() { lines } else { 1 };
            let made = documents_of(data, shape, &options);
            let skipped: u64 = made.skipped().map(|(_, count)| count).sum();
            assert_eq!(made.records.len() as u64 + skipped, records, "{name}");
            assert_eq!((made.offsets.first(), made.offsets.last()), (Some(&0), Some(&made.text.len())));
            for place in made.offsets.windows(2) {
                let document = &made.text[place[0]..place[1]];
                assert_eq!(document.lines().count(), lines, "{name}: {document}");
                for line in document.lines() {
                    let read: Result<serde_json::Value, _> = serde_json::from_str(line);
                    assert!(read.is_ok_and(|read| read.is_object()), "{name}, no JSON: {line}");
                }
            }
        }
    }
}

fn visit(attributes: KvListView<'_>) {
    attributes.iter().for_each(|(_, one)| value(one));
    attributes.unique().for_each(drop);
}

fn value(any: AnyView<'_>) {
    match any {
        AnyView::Array(array) => array.iter().for_each(value),
        AnyView::KvList(members) => visit(members),
        _ => {}
    }
}

pub fn requests() -> Vec<Vec<u8>> {
    let record = |body: &[u8]| {
        let mut record = vec![0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 9, 0x2a, body.len() as u8];
        record.extend_from_slice(body);
        record.extend_from_slice(&[0x32, 8, 0x0a, 1, b'k', 0x12, 3, 0x0a, 1, b'v']);
        [vec![0x12, record.len() as u8], record].concat()
    };
    let scope = |records: &[Vec<u8>]| {
        let body = [vec![0x0a, 3, 0x0a, 1, b's'], records.concat()].concat();
        [vec![0x12, body.len() as u8], body].concat()
    };
    let resource = |scopes: &[Vec<u8>]| {
        let inner = [vec![0x0a, 10, 0x0a, 8, 0x0a, 1, b'r', 0x12, 3, 0x18, 42, 0], scopes.concat()].concat();
        [vec![0x0a, inner.len() as u8], inner].concat()
    };
    let text = record(&[0x0a, 2, b'h', b'i']);
    let nested = record(&[0x2a, 6, 0x0a, 4, 0x2a, 2, 0x0a, 0]);
    let map = record(&[0x32, 9, 0x0a, 7, 0x0a, 1, b'm', 0x12, 2, 0x10, 1]);
    let attribute = |key: &str| {
        let head = [0x32, key.len() as u8 + 7, 0x0a, key.len() as u8];
        [&head, key.as_bytes(), &[0x12, 3, 0x0a, 1, b'v']].concat()
    };
    let keys = ["a", "a.b", "data_stream.dataset", "log.record.uid", "host.name", ""].map(attribute).concat();
    let dotted = [vec![0x12, keys.len() as u8], keys].concat();
    vec![
        resource(&[scope(slice::from_ref(&dotted))]),
        resource(&[scope(slice::from_ref(&text))]),
        resource(&[scope(&[text.clone(), nested]), scope(&[map])]),
        [resource(&[scope(slice::from_ref(&text))]), resource(&[])].concat(),
        Vec::new(),
    ]
}

/// A compressed body: the first byte names the codec. Also the way back of whatever the bytes are.
pub fn unpack(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let codec = CODECS[usize::from(*first) % CODECS.len()];
    if let Ok(raw) = decompress(codec, body, UNPACKED_BYTES) {
        assert!(raw.len() <= UNPACKED_BYTES);
    }
    let packed = Compressor::new().compress(codec, &[body]).unwrap();
    assert_eq!(decompress(codec, &packed, body.len()).unwrap(), body);
    assert!(body.is_empty() || decompress(codec, &packed, body.len() - 1).is_err());
}

pub fn packed() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0, 1, 2, 3]];
    for (first, codec) in CODECS.iter().enumerate().skip(1) {
        for raw in [vec![b'a'; 300], requests().concat()] {
            let packed = Compressor::new().compress(*codec, &[&raw]).unwrap();
            seeds.push([vec![first as u8], packed].concat());
        }
    }
    seeds
}
