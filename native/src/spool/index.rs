//! Stage 6 of 7, export: what the spool holds, in memory: each undecided block and each segment. Threads: as the spool.
//!
//! Recomputed from the files when a directory is opened. No files, no clocks.

use super::owed::{Exporters, MAX_EXPORTERS};
use std::collections::BTreeMap;

/// Where a block lies. Small and copied freely; it says nothing about whether the block still is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The block's number in this spool; what is settled.
    pub number: u64,
    /// Number of the segment file.
    pub segment: u32,
    /// Offset of the block's header in it.
    pub offset: u64,
}

/// A block that somebody has not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Number of the segment file.
    pub segment: u32,
    /// Offset of the block's header in it.
    pub offset: u64,
    /// Length of the payload in the file.
    pub payload_bytes: u32,
    /// Log records inside.
    pub records: u32,
    /// Of these, records that shedding must spare.
    pub protected_records: u32,
    /// Who has not settled it.
    pub owed: Exporters,
    /// Batch processors have not seen it.
    pub unprocessed: bool,
    /// False when this process has no key for it, or does not know how it is stored.
    pub readable: bool,
}

impl Held {
    /// Where the block called `number` lies.
    #[must_use]
    pub const fn place(&self, number: u64) -> Place {
        Place { number, segment: self.segment, offset: self.offset }
    }
}

/// One segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Length of the file.
    pub bytes: u64,
    /// Blocks inside that somebody has not settled.
    pub live: usize,
    /// When its first block was written, or the file made.
    pub begun_nanos: u64,
    /// When its last block was written.
    pub written_nanos: u64,
    /// What its blocks repeat; `None`: the header was lost, and no block is left that says it.
    pub salt: Option<u32>,
}

/// All blocks and segments of one directory.
#[derive(Debug, Default)]
pub struct Index {
    held: BTreeMap<u64, Held>,
    segments: BTreeMap<u32, Segment>,
    pending: [u64; MAX_EXPORTERS],
}

impl Index {
    /// Notes a segment file.
    pub fn add_segment(&mut self, number: u32, segment: Segment) {
        self.segments.insert(number, segment);
    }

    /// Forgets a segment file, which is gone.
    pub fn remove_segment(&mut self, number: u32) {
        self.segments.remove(&number);
    }

    /// A segment, to change what is known of its file.
    pub fn segment_mut(&mut self, number: u32) -> Option<&mut Segment> {
        self.segments.get_mut(&number)
    }

    /// Every segment, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = (u32, &Segment)> + '_ {
        self.segments.iter().map(|(number, segment)| (*number, segment))
    }

    /// A segment.
    #[must_use]
    pub fn segment(&self, number: u32) -> Option<&Segment> {
        self.segments.get(&number)
    }

    /// Length of all segment files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.values().fold(0, |sum, segment| sum.saturating_add(segment.bytes))
    }

    /// Notes a block in a known segment that somebody is owed. False when its number is taken.
    pub fn insert(&mut self, number: u64, held: Held) -> bool {
        if self.held.contains_key(&number) {
            return false;
        }
        if let Some(segment) = self.segments.get_mut(&held.segment).filter(|_| !held.owed.is_empty()) {
            segment.live += 1;
            held.owed.iter().for_each(|exporter| self.pending[exporter] += u64::from(held.records));
            self.held.insert(number, held);
        }
        true
    }

    /// Takes `exporter` off a block; returns the block as it was, if the exporter had not settled it.
    pub fn settle(&mut self, number: u64, exporter: usize) -> Option<Held> {
        let held = self.held.get_mut(&number).filter(|held| held.owed.contains(exporter))?;
        let before = *held;
        held.owed = held.owed.without(exporter);
        self.pending[exporter] = self.pending[exporter].saturating_sub(u64::from(before.records));
        if held.owed.is_empty() {
            self.held.remove(&number);
            if let Some(segment) = self.segments.get_mut(&before.segment) {
                segment.live = segment.live.saturating_sub(1);
            }
        }
        Some(before)
    }

    /// A block that somebody has not settled.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Held> {
        self.held.get(&number)
    }

    /// Every such block, in order.
    pub fn held(&self) -> impl Iterator<Item = (u64, &Held)> + '_ {
        self.held.iter().map(|(number, held)| (*number, held))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether everything is settled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Numbers of the blocks in a segment that somebody has not settled.
    #[must_use]
    pub fn in_segment(&self, segment: u32) -> Vec<u64> {
        let blocks = self.held.iter().filter(|(_, held)| held.segment == segment);
        blocks.map(|(number, _)| *number).collect()
    }

    /// The first block from `number` on that `exporter` has not settled.
    #[must_use]
    pub fn next_owed(&self, number: u64, exporter: usize) -> Option<u64> {
        self.held.range(number..).find(|(_, held)| held.owed.contains(exporter)).map(|(number, _)| *number)
    }

    /// Records that `exporter` has not settled.
    #[must_use]
    pub fn pending_records(&self, exporter: usize) -> u64 {
        self.pending.get(exporter).copied().unwrap_or(0)
    }
}
