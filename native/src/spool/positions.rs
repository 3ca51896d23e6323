//! Stage 6 of 7, export: where each exporter stands, and its bytes. Threads: as the spool. Pure, no files.
//!
//! By an exporter's name, because the list of exporters may change between two runs. Below `low` everything is settled;
//! `above` are settled blocks beyond it, because several requests are in flight. What does not fit into the file is left out:
//! such a block is delivered again after a crash, never lost.

use super::format::{is_intact, put_checksum, u16_at, u32_at, u64_at};
use super::index::Index;
use super::owed::{MAX_EXPORTERS, MAX_NAME_BYTES};
use super::runs::Runs;

/// S8: length of one slot, in bytes.
pub const SLOT_BYTES: usize = 2048;
/// S8: runs of unlinked segments beyond the first one that still exists.
const MAX_RETIRED_RUNS: usize = 32;
const MAGIC: [u8; 4] = *b"FSPP";
const VERSION: u16 = 1;
const FIXED_BYTES: usize = 48;
const SEGMENT_RUN_BYTES: usize = 8;
const BLOCK_RUN_BYTES: usize = 12;
/// What an exporter takes beside its name and its runs: the name's length, `low`, the number of runs.
const EXPORTER_BYTES: usize = 11;

/// One exporter's position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The exporter.
    pub name: String,
    /// Every block below is settled.
    pub low: u64,
    /// Settled blocks from `low` on.
    pub above: Runs,
}

impl Position {
    /// Whether the exporter settled `number`.
    #[must_use]
    pub fn is_settled(&self, number: u64) -> bool {
        number < self.low || self.above.contains(number)
    }
}

/// What one directory remembers beside its blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions {
    /// As in the segments.
    pub instance: [u8; 16],
    /// Every segment below is unlinked, or may be.
    pub first_segment: u32,
    /// The same of segments beyond it.
    pub retired: Runs,
    /// In the order of the bits in a block's header.
    pub exporters: Vec<Position>,
}

impl Positions {
    /// Notes that `exporter` settled `number`. `index` knows what it still owes; `next_number` no block has yet.
    pub fn settle(&mut self, exporter: usize, number: u64, index: &Index, next_number: u64) {
        let Some(position) = self.exporters.get_mut(exporter) else { return };
        position.above.insert(number, number.saturating_add(1));
        position.low = index.next_owed(position.low, exporter).unwrap_or(next_number).max(position.low);
        position.above.remove_below(position.low);
    }

    /// Notes that `segment` holds nothing that anybody needs. False when there is no room to note it yet.
    pub fn retire(&mut self, segment: u32) -> bool {
        self.is_retired(segment) || self.retire_all(u64::from(segment), u64::from(segment) + 1)
    }

    /// As [`Self::retire`] for the segments `start..end`.
    pub(super) fn retire_all(&mut self, start: u64, end: u64) -> bool {
        let mut retired = self.retired.clone();
        retired.insert(start, end);
        let mut first = u64::from(self.first_segment);
        retired.remove_below(first);
        if let Some(end) = retired.end_of(first) {
            first = end;
            retired.remove_below(end);
        }
        if retired.len() > MAX_RETIRED_RUNS {
            return false;
        }
        self.first_segment = u32::try_from(first).unwrap_or(u32::MAX);
        self.retired = retired;
        true
    }

    /// Whether a missing `segment` is no loss.
    #[must_use]
    pub fn is_retired(&self, segment: u32) -> bool {
        segment < self.first_segment || self.retired.contains(u64::from(segment))
    }

    /// S8: one slot.
    #[must_use]
    pub fn encode(&self, generation: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.exporters.len().min(MAX_EXPORTERS) as u16).to_le_bytes());
        bytes.extend_from_slice(&self.first_segment.to_le_bytes());
        bytes.extend_from_slice(&generation.to_le_bytes());
        bytes.extend_from_slice(&self.instance);
        let retired: Vec<(u64, u64)> = self.retired.iter().take(MAX_RETIRED_RUNS).collect();
        bytes.extend_from_slice(&(retired.len() as u16).to_le_bytes());
        bytes.resize(FIXED_BYTES, 0);
        for (start, end) in retired {
            bytes.extend_from_slice(&(start as u32).to_le_bytes());
            bytes.extend_from_slice(&((end - start) as u32).to_le_bytes());
        }
        self.encode_exporters(&mut bytes);
        bytes.resize(SLOT_BYTES, 0);
        put_checksum(&mut bytes);
        bytes
    }

    fn encode_exporters(&self, bytes: &mut Vec<u8>) {
        let exporters = &self.exporters[..self.exporters.len().min(MAX_EXPORTERS)];
        let fixed: usize =
            exporters.iter().map(|one| EXPORTER_BYTES + one.name.len().min(MAX_NAME_BYTES)).sum();
        let room = SLOT_BYTES.saturating_sub(bytes.len() + fixed) / BLOCK_RUN_BYTES;
        for (position, share) in exporters.iter().zip(shares(exporters, room)) {
            let runs: Vec<(u64, u64)> = position.above.iter().take(share).collect();
            let name = position.name.as_bytes();
            let name = &name[..name.len().min(MAX_NAME_BYTES)];
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(&position.low.to_le_bytes());
            bytes.extend_from_slice(&(runs.len() as u16).to_le_bytes());
            for (start, end) in runs {
                bytes.extend_from_slice(&start.to_le_bytes());
                bytes.extend_from_slice(&u32::try_from(end - start).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
    }

    /// Reads a slot and its generation; `None` when it is damaged or was never written.
    #[must_use]
    pub fn parse(slot: &[u8]) -> Option<(u64, Self)> {
        let slot = slot.get(..SLOT_BYTES)?;
        if !slot.starts_with(&MAGIC) || !is_intact(slot) || u16_at(slot, 8)? != VERSION {
            return None;
        }
        let exporters = usize::from(u16_at(slot, 10)?);
        let mut positions = Self {
            instance: slot.get(24..40)?.try_into().ok()?,
            first_segment: u32_at(slot, 12)?,
            ..Self::default()
        };
        let mut at = FIXED_BYTES;
        for _ in 0..u16_at(slot, 40)? {
            let start = u64::from(u32_at(slot, at)?);
            positions.retired.insert(start, start + u64::from(u32_at(slot, at + 4)?));
            at += SEGMENT_RUN_BYTES;
        }
        for _ in 0..exporters {
            positions.exporters.push(parse_exporter(slot, &mut at)?);
        }
        Some((u64_at(slot, 16)?, positions))
    }
}

/// How many runs of each exporter are written, of `room` in all: as many as there are, or an equal share of what the
/// others leave.
fn shares(exporters: &[Position], mut room: usize) -> Vec<usize> {
    let mut shares: Vec<usize> = exporters.iter().map(|position| position.above.len()).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| shares[*index]);
    for (done, index) in order.into_iter().enumerate() {
        shares[index] = shares[index].min(room / (exporters.len() - done));
        room -= shares[index];
    }
    shares
}

fn parse_exporter(slot: &[u8], at: &mut usize) -> Option<Position> {
    let length = usize::from(*slot.get(*at)?);
    let name = slot.get(*at + 1..*at + 1 + length)?;
    *at += 1 + length;
    let mut position = Position {
        name: String::from_utf8(name.to_vec()).ok()?,
        low: u64_at(slot, *at)?,
        above: Runs::default(),
    };
    let runs = u16_at(slot, *at + 8)?;
    *at += 10;
    for _ in 0..runs {
        let start = u64_at(slot, *at)?;
        position.above.insert(start, start.saturating_add(u64::from(u32_at(slot, *at + 8)?)));
        *at += BLOCK_RUN_BYTES;
    }
    Some(position)
}
