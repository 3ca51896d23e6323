//! Stage 5 of 7, seal: what batch processors leave of a request becomes a block. Thread: Python's delivery loop.
//!
//! The request comes from outside, so it is walked once: records are counted, not believed.

use crate::block::{Block, Codec};
use crate::seal::compress::{decompress, Compressor};
use crate::wire::{Fields, Value};

/// Field that holds the next level: request → `ResourceLogs` → `ScopeLogs` → `LogRecord`.
const CHILD_FIELD: [u32; 3] = [1, 2, 2];
/// Level whose children are the records.
const SCOPE_LOGS: usize = 2;

/// Log records in an uncompressed request, and how many of them `is_protected`. `None` when it is not one.
#[must_use]
pub fn count(request: &[u8], is_protected: fn(&[u8]) -> bool) -> Option<(u64, u64)> {
    let mut counts = (0, 0);
    walk(request, 0, &mut |record| {
        counts.0 += 1;
        counts.1 += u64::from(is_protected(record));
    })?;
    Some(counts)
}

fn walk(message: &[u8], level: usize, record: &mut impl FnMut(&[u8])) -> Option<()> {
    let mut fields = Fields::new(message);
    for (number, value) in fields.by_ref() {
        match value {
            Value::Bytes(inner) if number == CHILD_FIELD[level] && level == SCOPE_LOGS => record(inner),
            Value::Bytes(inner) if number == CHILD_FIELD[level] => walk(inner, level + 1, record)?,
            _ => {}
        }
    }
    (!fields.malformed()).then_some(())
}

/// A block of `request`, which was counted before.
#[must_use]
pub fn seal_request(request: &[u8], counts: (u64, u64), codec: Codec) -> Block {
    let (codec, body) = match Compressor::new().compress(codec, &[request]) {
        Ok(body) => (codec, body),
        // As in `seal`: the records still go out, uncompressed.
        Err(_) => (Codec::Identity, request.to_vec()),
    };
    let (records, protected_records) = counts;
    Block { sequence: 0, records, protected_records, raw_bytes: request.len(), codec, body }
}

/// The same block under another codec; as it is when its body is damaged.
#[must_use]
pub fn recode(block: &Block, codec: Codec) -> Block {
    let raw = match block.codec {
        known if known == codec => return block.clone(),
        _ => decompress(block.codec, &block.body, block.raw_bytes),
    };
    match raw {
        Ok(raw) => Block {
            sequence: block.sequence,
            ..seal_request(&raw, (block.records, block.protected_records), codec)
        },
        Err(_) => block.clone(),
    }
}
