//! Stage 6 of 7, export: one request that is too large becomes two. Thread: sender.
//!
//! Works on the encoded request: containers (`ResourceLogs`, `ScopeLogs`) are rebuilt around the records that
//! each half keeps, every other field is copied as it stands. Field order does not matter. Rare, so it copies.

use super::unpack::unpack;
use crate::block::Block;
use crate::seal::compress::Compressor;
use crate::wire::{put_bytes, Fields, Value, LENGTH};
use std::ops::Range;

/// Field that holds the next level: request → `ResourceLogs` → `ScopeLogs` → `LogRecord`.
const CHILD_FIELD: [u8; 3] = [1, 2, 2];
/// Level whose children are the records.
const SCOPE_LOGS: usize = 2;

/// Splits `block` into two requests with half of the records each, in order, of the same sequence number.
///
/// Resource, scopes and schema URLs are kept in both halves. `is_protected` tells from an encoded `LogRecord`
/// whether shedding must spare it. `None` when there is nothing to split: a single record, or a body that is
/// not the request that the block describes.
#[must_use]
pub fn split(block: &Block, is_protected: fn(&[u8]) -> bool) -> Option<(Block, Block)> {
    let request = unpack(block).ok()?;
    let [first, second] = split_request(&request, block.records, is_protected)?;
    let mut compressor = Compressor::new();
    let mut sealed = |half: Half| {
        let Half { records, protected_records, raw } = half;
        let body = compressor.compress(block.codec, &[&raw]).ok()?;
        Some(Block { records, protected_records, raw_bytes: raw.len(), body, ..empty(block) })
    };
    Some((sealed(first)?, sealed(second)?))
}

/// One of the two requests that a request was split into, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// Records in it.
    pub records: u64,
    /// Those of them that shedding must spare.
    pub protected_records: u64,
    /// The encoded request.
    pub raw: Vec<u8>,
}

/// Splits an uncompressed request of so many records; the contract is that of `split`.
#[must_use]
pub fn split_request(request: &[u8], records: u64, is_protected: fn(&[u8]) -> bool) -> Option<[Half; 2]> {
    if records < 2 {
        return None;
    }
    let half = |wanted: Range<u64>| {
        let mut cut = Cut { wanted, seen: 0, protected: 0, is_protected };
        let mut raw = Vec::with_capacity(request.len() / 2 + 256);
        cut.copy(request, 0, &mut raw)?;
        // Counts must keep adding up: a body with other records than announced is not taken apart.
        (cut.seen == records).then_some(())?;
        let wanted = cut.wanted.end - cut.wanted.start;
        Some(Half { records: wanted, protected_records: cut.protected, raw })
    };
    Some([half(0..records / 2)?, half(records / 2..records)?])
}

/// The fields that both halves share.
const fn empty(block: &Block) -> Block {
    Block {
        sequence: block.sequence,
        records: 0,
        protected_records: 0,
        raw_bytes: 0,
        codec: block.codec,
        body: Vec::new(),
    }
}

/// One walk over a request that keeps the records whose index is wanted.
struct Cut {
    wanted: Range<u64>,
    seen: u64,
    protected: u64,
    is_protected: fn(&[u8]) -> bool,
}

impl Cut {
    /// Appends what is wanted of `message`; true when a record was among it, `None` when it is malformed.
    fn copy(&mut self, message: &[u8], level: usize, out: &mut Vec<u8>) -> Option<bool> {
        let mut kept = false;
        let mut fields = Fields::new(message);
        loop {
            let start = fields.offset();
            let Some((number, value)) = fields.next() else { break };
            let verbatim = &message[start..fields.offset()];
            match value {
                Value::Bytes(record) if level == SCOPE_LOGS && number == u32::from(CHILD_FIELD[level]) => {
                    if self.keeps(record) {
                        out.extend_from_slice(verbatim);
                        kept = true;
                    }
                }
                Value::Bytes(inner) if number == u32::from(CHILD_FIELD[level]) => {
                    let mut child = Vec::new();
                    if self.copy(inner, level + 1, &mut child)? {
                        put_bytes(out, (CHILD_FIELD[level] << 3) | LENGTH, &child);
                        kept = true;
                    }
                }
                _ => out.extend_from_slice(verbatim),
            }
        }
        (!fields.malformed()).then_some(kept)
    }

    fn keeps(&mut self, record: &[u8]) -> bool {
        let keep = self.wanted.contains(&self.seen);
        self.seen += 1;
        if keep && (self.is_protected)(record) {
            self.protected += 1;
        }
        keep
    }
}
