//! Stage 6 of 7, export: an id by which a store knows a document again when it is sent twice. Thread: as `encode`.
//!
//! `log.record.uid` when the record has one. Otherwise it is made from the record and what encloses it, so a retry, and
//! another process that sends the same request, come to the same id. Records of one request that are alike byte for
//! byte get different ids: both happened.

use crate::console::json_value::push_string;
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, RecordView};
use crate::record::uid;
use memchr::memmem::Finder;
use ring::digest::{Context, SHA256};
use std::collections::HashMap;

/// Elasticsearch and OpenSearch take no longer ids.
const MAX_UID_BYTES: usize = 512;
/// 128 bits: among 10^15 records the chance of two alike is below 1 in 10^8.
const HASH_BYTES: usize = 16;
/// RFC 4648's alphabet for names, so an id can stand in a path.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes the ids of one request.
pub(super) struct Ids {
    uid: Finder<'static>,
    /// Resource and scope of the records that come.
    enclosing: Context,
    /// How often each hash was seen.
    seen: HashMap<[u8; HASH_BYTES], u64>,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self { uid: Finder::new(uid::KEY), enclosing: Context::new(&SHA256), seen: HashMap::new() }
    }

    pub(super) fn enter(&mut self, logs: &ResourceLogsView<'_>, scope: &ScopeLogsView<'_>) {
        self.enclosing = Context::new(&SHA256);
        let parts = [
            logs.attributes.message(),
            scope.name.as_bytes(),
            scope.version.as_bytes(),
            scope.attributes.message(),
        ];
        for part in parts {
            self.enclosing.update(&(part.len() as u64).to_le_bytes());
            self.enclosing.update(part);
        }
    }

    /// What the record itself has for an id.
    pub(super) fn uid<'a>(&self, record: &[u8], view: &RecordView<'a>) -> AnyView<'a> {
        // One look at its bytes tells of most records that they have none.
        let found = self.uid.find(record).and_then(|_| view.attributes.get(uid::KEY));
        found.unwrap_or(AnyView::Empty)
    }

    /// Appends the id as a JSON string: `uid` if it can be one.
    pub(super) fn push(&mut self, out: &mut String, record: &[u8], uid: &AnyView<'_>) {
        if let AnyView::Str(uid) = uid {
            if (1..=MAX_UID_BYTES).contains(&uid.len()) {
                return push_string(out, uid);
            }
        }
        let hash = self.hash(record);
        out.push('"');
        push_base64_url(out, hash);
        out.push('"');
    }

    fn hash(&mut self, record: &[u8]) -> [u8; HASH_BYTES] {
        let mut context = self.enclosing.clone();
        context.update(record);
        let hash = shortened(context.clone());
        let times = self.seen.entry(hash).or_insert(0);
        *times += 1;
        if *times == 1 {
            return hash;
        }
        context.update(&times.to_le_bytes());
        shortened(context)
    }
}

fn shortened(context: Context) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&context.finish().as_ref()[..HASH_BYTES]);
    hash
}

/// Appends 22 characters of six bits each.
fn push_base64_url(out: &mut String, hash: [u8; HASH_BYTES]) {
    let mut bits = u128::from_be_bytes(hash);
    for _ in 0..22 {
        out.push(char::from(ALPHABET[(bits >> 122) as usize]));
        bits <<= 6;
    }
}
