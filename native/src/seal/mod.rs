//! Stage 5 of 7, seal: a chunk becomes one compressed, counted request body. Thread: sealer.
//!
//! Before: `buffer`. After: `backlog`. Records are grouped by scope; their bytes are fed to the compressor as
//! slices of the chunk, never copied or encoded again.
//!
//! In this room: [`compress`], [`reseal`] for what batch processors leave of a block, and [`fields`], which looks at records
//! on their way out.

pub mod compress;
pub mod field_names;
pub mod fields;
pub mod key_counts;
pub mod looks;
pub mod reseal;

use crate::block::{Block, Codec};
use crate::buffer::chunk::{Chunk, SCOPE_MARK};
use crate::record::tag;
use crate::seal::compress::Compressor;
use crate::wire::{get_varint, put_varint, varint_len};
use std::ops::Range;

/// `ExportLogsServiceRequest.resource_logs = 1`
const RESOURCE_LOGS: u8 = 0x0a;
/// `ResourceLogs.scope_logs = 2`
const SCOPE_LOGS: u8 = 0x12;

/// Encoded prefixes: the resource's fields of `ResourceLogs`, and for each scope id its fields of `ScopeLogs`.
pub trait Prefixes {
    /// `ResourceLogs` fields other than the scopes.
    fn resource(&self) -> &[u8];
    /// `ScopeLogs` fields other than the records.
    fn scope(&self, id: u32) -> Vec<u8>;
}

/// Turns chunks into blocks; keeps the compressor's state between them.
pub struct Sealer {
    codec: Codec,
    compressor: Compressor,
}

/// The records of one scope inside a chunk, as runs of neighbouring frames.
struct Group {
    scope: u32,
    runs: Vec<Range<usize>>,
    bytes: usize,
}

impl Sealer {
    /// A sealer that compresses with `codec`.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, compressor: Compressor::new() }
    }

    /// Seals one chunk. `None` when it holds no record.
    pub fn seal(&mut self, chunk: &Chunk, prefixes: &impl Prefixes) -> Option<Block> {
        let bytes = chunk.content();
        let groups = group_by_scope(bytes);
        if groups.is_empty() {
            return None;
        }
        let headers = headers(&groups, prefixes);
        let mut parts: Vec<&[u8]> = Vec::with_capacity(groups.len() * 2);
        for (group, header) in groups.iter().zip(&headers) {
            parts.push(header);
            parts.extend(group.runs.iter().map(|run| &bytes[run.clone()]));
        }
        let raw_bytes = parts.iter().map(|part| part.len()).sum();
        let (codec, body) = match self.compressor.compress(self.codec, &parts) {
            Ok(body) => (self.codec, body),
            // Memory is the only thing that can fail here; the records still go out, uncompressed.
            Err(_) => (Codec::Identity, parts.concat()),
        };
        let (records, protected_records) = (chunk.records, chunk.protected_records);
        Some(Block { sequence: 0, records, protected_records, raw_bytes, codec, body })
    }
}

/// Walks the frames once and collects runs per scope, scopes in order of appearance.
fn group_by_scope(bytes: &[u8]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut current = usize::MAX;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        if bytes[at] == SCOPE_MARK && at + 5 <= bytes.len() {
            let scope = u32::from_le_bytes([bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]]);
            current = position(&mut groups, scope);
            at += 5;
            continue;
        }
        at += 1;
        let Some(length) = get_varint(bytes, &mut at) else { break };
        let Some(end) = at.checked_add(length as usize).filter(|end| *end <= bytes.len()) else { break };
        at = end;
        let Some(group) = groups.get_mut(current) else { break };
        group.bytes += at - start;
        match group.runs.last_mut() {
            Some(run) if run.end == start => run.end = at,
            _ => group.runs.push(start..at),
        }
    }
    groups
}

fn position(groups: &mut Vec<Group>, scope: u32) -> usize {
    groups.iter().position(|group| group.scope == scope).unwrap_or_else(|| {
        groups.push(Group { scope, runs: Vec::new(), bytes: 0 });
        groups.len() - 1
    })
}

/// What stands before each group's records; the first header also opens the request and the resource.
fn headers(groups: &[Group], prefixes: &impl Prefixes) -> Vec<Vec<u8>> {
    let scopes: Vec<Vec<u8>> = groups.iter().map(|group| prefixes.scope(group.scope)).collect();
    let lengths: Vec<u64> =
        groups.iter().zip(&scopes).map(|(group, scope)| (scope.len() + group.bytes) as u64).collect();
    let inner: u64 = lengths.iter().map(|length| 1 + varint_len(*length) as u64 + length).sum();
    let mut first = vec![RESOURCE_LOGS];
    put_varint(&mut first, prefixes.resource().len() as u64 + inner);
    first.extend_from_slice(prefixes.resource());

    let mut headers = Vec::with_capacity(groups.len());
    for (length, scope) in lengths.iter().zip(&scopes) {
        let mut header = std::mem::take(&mut first);
        header.push(SCOPE_LOGS);
        put_varint(&mut header, *length);
        header.extend_from_slice(scope);
        headers.push(header);
    }
    headers
}

/// The tag that every frame starts with, here so that the walk above and the writer agree.
const _: () = assert!(tag::FRAME == 0x12 && SCOPE_MARK != tag::FRAME);
