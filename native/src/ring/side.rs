//! Stage 4 of 7, append: scopes and resources, so that a dead process's frames can be decoded alone (R5). Threads: any; pure.

use super::layout::u32_at;
use std::collections::BTreeMap;

const MAGIC: &[u8; 4] = b"FRSE";
const HEADER_BYTES: usize = 16;
const ALIGNMENT: usize = 8;
/// Checksums looked at, in lengths of the area: many false starts must not make a start-up slow.
const EFFORT: usize = 32;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ResourceLogs` fields other than the scopes.
    Resource = 1,
    /// `ScopeLogs` fields other than the records.
    Scope = 2,
    /// Name of an exporter.
    Exporter = 3,
}

/// One entry as it is written.
#[must_use]
pub fn entry(kind: Kind, id: u32, fields: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity((HEADER_BYTES + fields.len()).next_multiple_of(ALIGNMENT));
    entry.extend_from_slice(MAGIC);
    entry.extend_from_slice(&[0; 4]);
    entry.extend_from_slice(&id.to_le_bytes());
    // Longer ones do not fit into any area, which has at most 2^24 bytes.
    entry.extend_from_slice(&((kind as u32) << 24 | fields.len() as u32 & 0x00ff_ffff).to_le_bytes());
    entry.extend_from_slice(fields);
    let checksum = crc32fast::hash(&entry[8..]);
    entry[4..8].copy_from_slice(&checksum.to_le_bytes());
    entry.resize(entry.len().next_multiple_of(ALIGNMENT), 0);
    entry
}

/// What was found in an area.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// By number.
    pub resources: BTreeMap<u32, Vec<u8>>,
    /// By id.
    pub scopes: BTreeMap<u32, Vec<u8>>,
    /// By number.
    pub exporters: BTreeMap<u32, Vec<u8>>,
    /// Bytes that are no entry and not zero, in steps of 8.
    pub damaged_bytes: u64,
}

/// Reads an area, and looks for the next intact entry wherever there is none.
#[must_use]
pub fn read(area: &[u8]) -> Found {
    let mut found = Found::default();
    let mut effort = area.len().saturating_mul(EFFORT);
    let mut at = 0;
    while let Some(rest) = area.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some((id, kind, fields)) = intact(rest, &mut effort) {
            let by_id = match kind {
                Kind::Resource => &mut found.resources,
                Kind::Scope => &mut found.scopes,
                Kind::Exporter => &mut found.exporters,
            };
            by_id.insert(id, fields.to_vec());
            at += (HEADER_BYTES + fields.len()).next_multiple_of(ALIGNMENT);
            continue;
        }
        let step = &rest[..rest.len().min(ALIGNMENT)];
        if step.iter().any(|byte| *byte != 0) {
            found.damaged_bytes += step.len() as u64;
        }
        at += ALIGNMENT;
    }
    found
}

fn intact<'a>(bytes: &'a [u8], effort: &mut usize) -> Option<(u32, Kind, &'a [u8])> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let length_and_kind = u32_at(bytes, 12);
    let kind = match length_and_kind >> 24 {
        1 => Kind::Resource,
        2 => Kind::Scope,
        3 => Kind::Exporter,
        _ => return None,
    };
    let fields = bytes.get(HEADER_BYTES..HEADER_BYTES + (length_and_kind & 0x00ff_ffff) as usize)?;
    *effort = effort.checked_sub(HEADER_BYTES + fields.len())?;
    let is_intact = crc32fast::hash(&bytes[8..HEADER_BYTES + fields.len()]) == u32_at(bytes, 4);
    is_intact.then(|| (u32_at(bytes, 8), kind, fields))
}
