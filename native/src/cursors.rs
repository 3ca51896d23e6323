//! Stage 6 of 7, export: where each exporter stands with each block. Threads: as `backlog`, which holds the lock.
//!
//! A state machine without locks or clocks. A block is unprocessed, being processed, or ready (at once, without batch
//! processors); a ready one is pending, in flight or settled at each cursor. It is freed when every cursor settled it.

use crate::block::Block;
use crate::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a block stands before any cursor may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unprocessed,
    Processing,
    Ready,
}

/// Where one exporter stands with one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Pending,
    InFlight,
    Settled,
}

/// One exporter's side of one block.
#[derive(Debug, Clone, Copy)]
struct Side {
    mark: Mark,
    /// Records not decided yet; a split block is settled in parts.
    left: u64,
}

#[derive(Debug)]
struct Entry {
    block: Arc<Block>,
    stage: Stage,
    sides: Vec<Side>,
}

impl Entry {
    fn is_settled(&self) -> bool {
        self.sides.iter().all(|side| side.mark == Mark::Settled)
    }

    /// True while somebody works on it, so that nobody may drop it.
    fn is_busy(&self) -> bool {
        self.stage == Stage::Processing || self.sides.iter().any(|side| side.mark == Mark::InFlight)
    }
}

#[derive(Debug, Default)]
struct Cursor {
    name: String,
    /// Blocks to deliver, those that were given back included.
    claimable: BTreeSet<u64>,
    delivered: u64,
    rejected: u64,
    dropped: Drops,
    /// Why its blocks are dropped from now on: nobody delivers them any more.
    closed: Option<DropReason>,
}

/// All blocks and all cursors.
#[derive(Debug, Default)]
pub struct Cursors {
    /// By sequence number; a settled block leaves at once, wherever it stands.
    entries: BTreeMap<u64, Entry>,
    unprocessed: BTreeSet<u64>,
    places: Vec<Cursor>,
    gated: bool,
    end: u64,
    bytes: usize,
    records: u64,
}

impl Cursors {
    /// One cursor for each of `names`. `gated`: blocks wait for [`Self::processed`] before a cursor sees them.
    #[must_use]
    pub fn new(names: &[&str], gated: bool) -> Self {
        let places = names.iter().map(|name| Cursor { name: (*name).to_owned(), ..Cursor::default() });
        Self { places: places.collect(), gated, ..Self::default() }
    }

    /// Memory held by blocks, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records held by blocks.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Sequence number that the next block will get.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// True while a block waits for processors or is with one.
    #[must_use]
    pub fn is_processing(&self) -> bool {
        self.gated && self.entries.values().any(|entry| entry.stage != Stage::Ready)
    }

    /// Appends a block and gives it the next sequence number; a closed cursor drops its share at once.
    pub fn push(&mut self, mut block: Block) {
        let records = block.records;
        let side = |cursor: &mut Cursor| {
            if let Some(reason) = cursor.closed {
                cursor.dropped.add(reason, records);
                return Side { mark: Mark::Settled, left: 0 };
            }
            Side { mark: Mark::Pending, left: records }
        };
        let sides: Vec<Side> = self.places.iter_mut().map(side).collect();
        if sides.iter().all(|side| side.mark == Mark::Settled) {
            return;
        }
        let sequence = self.end;
        block.sequence = sequence;
        self.end += 1;
        self.bytes += block.body.len();
        self.records += records;
        let stage = if self.gated { Stage::Unprocessed } else { Stage::Ready };
        self.entries.insert(sequence, Entry { block: Arc::new(block), stage, sides });
        if self.gated {
            self.unprocessed.insert(sequence);
        } else {
            self.offer(sequence);
        }
    }

    /// The oldest block that `cursor` has to deliver.
    pub fn claim(&mut self, cursor: usize) -> Option<Arc<Block>> {
        let sequence = self.places[cursor].claimable.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.sides[cursor].mark = Mark::InFlight;
        Some(Arc::clone(&entry.block))
    }

    /// Takes a claimed block back, undelivered. False when it was not claimed.
    pub fn release(&mut self, cursor: usize, sequence: u64) -> bool {
        let Some(side) = self.in_flight(cursor, sequence) else { return false };
        side.mark = Mark::Pending;
        self.places[cursor].claimable.insert(sequence);
        true
    }

    /// Records what became of a claimed block, wholly or in parts. Ignored when it was not claimed.
    pub fn settle(&mut self, cursor: usize, sequence: u64, settlement: Settlement) {
        let Some(side) = self.in_flight(cursor, sequence) else { return };
        let settlement = settlement.at_most(side.left);
        side.left -= settlement.total();
        if side.left == 0 {
            side.mark = Mark::Settled;
        }
        let place = &mut self.places[cursor];
        place.delivered += settlement.delivered;
        place.rejected += settlement.rejected;
        place.dropped.merge(&settlement.dropped);
        self.free_if_settled(sequence);
    }

    /// The oldest block that waits for the batch processors.
    pub fn claim_unprocessed(&mut self) -> Option<Arc<Block>> {
        let sequence = self.unprocessed.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.stage = Stage::Processing;
        Some(Arc::clone(&entry.block))
    }

    /// The block `sequence`, if the batch processors have it.
    #[must_use]
    pub fn processing(&self, sequence: u64) -> Option<Arc<Block>> {
        let entry = self.entries.get(&sequence).filter(|entry| entry.stage == Stage::Processing)?;
        Some(Arc::clone(&entry.block))
    }

    /// Puts what the batch processors made of a block in its place and lets the cursors see it. Records that it has
    /// no longer are dropped as processed. Ignored when they do not have it.
    pub fn processed(&mut self, sequence: u64, mut block: Block) {
        let Some(entry) = self.entries.get_mut(&sequence).filter(|entry| entry.stage == Stage::Processing)
        else {
            return;
        };
        let gone = entry.block.records.saturating_sub(block.records);
        for (side, cursor) in entry.sides.iter_mut().zip(&mut self.places) {
            if side.mark == Mark::Pending {
                cursor.dropped.add(DropReason::Processed, gone);
                side.left -= gone;
                if side.left == 0 {
                    side.mark = Mark::Settled;
                }
            }
        }
        block.sequence = sequence;
        self.bytes = self.bytes - entry.block.body.len() + block.body.len();
        self.records -= gone;
        entry.block = Arc::new(block);
        entry.stage = Stage::Ready;
        self.offer(sequence);
        self.free_if_settled(sequence);
    }

    /// Drops the oldest block that nobody works on; one with protected records only if `protected_too`. False when
    /// there is none.
    pub fn drop_oldest(&mut self, protected_too: bool) -> bool {
        let oldest = self.entries.iter().find(|(_, entry)| {
            let spared = entry.block.protected_records > 0 && !protected_too;
            !spared && !entry.is_busy()
        });
        let Some(sequence) = oldest.map(|(sequence, _)| *sequence) else { return false };
        for cursor in 0..self.places.len() {
            self.drop_side(cursor, sequence, DropReason::OverflowOldest);
        }
        self.free_if_settled(sequence);
        true
    }

    /// Drops everything that `cursor` has not decided, and what is pushed later, under `reason`.
    pub fn close(&mut self, cursor: usize, reason: DropReason) {
        self.places[cursor].closed = Some(reason);
        let sequences: Vec<u64> = self.entries.keys().copied().collect();
        for sequence in sequences {
            self.drop_side(cursor, sequence, reason);
            self.free_if_settled(sequence);
        }
    }

    /// True after [`Self::close`].
    #[must_use]
    pub fn is_closed(&self, cursor: usize) -> bool {
        self.places.get(cursor).is_some_and(|place| place.closed.is_some())
    }

    /// [`Self::close`] for all cursors.
    pub fn close_all(&mut self, reason: DropReason) {
        for cursor in 0..self.places.len() {
            self.close(cursor, reason);
        }
    }

    /// True when no block before `end` is undecided at any cursor.
    #[must_use]
    pub fn is_settled(&self, end: u64) -> bool {
        self.entries.first_key_value().is_none_or(|(first, _)| *first >= end)
    }

    /// True when no block before `end` that `cursor` may see is undecided there.
    #[must_use]
    pub fn is_settled_by(&self, cursor: usize, end: u64) -> bool {
        let mut before = self.entries.range(..end).map(|(_, entry)| entry);
        !before.any(|entry| entry.stage == Stage::Ready && entry.sides[cursor].mark != Mark::Settled)
    }

    /// Every cursor's drops.
    #[must_use]
    pub fn dropped(&self) -> Vec<Drops> {
        self.places.iter().map(|cursor| cursor.dropped).collect()
    }

    /// Every cursor's counts; `accepted` and the buffer's share are the caller's to add.
    #[must_use]
    pub fn counts(&self) -> Vec<ExporterCounts> {
        let counts = self.places.iter().enumerate().map(|(index, cursor)| {
            let sides = || self.entries.values().map(|entry| entry.sides[index]);
            let in_flight = sides().filter(|side| side.mark == Mark::InFlight);
            ExporterCounts {
                name: cursor.name.clone(),
                accepted: 0,
                delivered: cursor.delivered,
                rejected: cursor.rejected,
                dropped: cursor.dropped,
                pending: sides().map(|side| side.left).sum(),
                in_flight: in_flight.map(|side| side.left).sum(),
            }
        });
        counts.collect()
    }

    fn in_flight(&mut self, cursor: usize, sequence: u64) -> Option<&mut Side> {
        let side = self.entries.get_mut(&sequence)?.sides.get_mut(cursor)?;
        (side.mark == Mark::InFlight).then_some(side)
    }

    /// Lets every cursor that has not settled the block claim it.
    fn offer(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        for (side, cursor) in entry.sides.iter().zip(&mut self.places) {
            if side.mark == Mark::Pending {
                cursor.claimable.insert(sequence);
            }
        }
    }

    fn drop_side(&mut self, cursor: usize, sequence: u64, reason: DropReason) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let side = &mut entry.sides[cursor];
        side.mark = Mark::Settled;
        let left = std::mem::take(&mut side.left);
        self.places[cursor].dropped.add(reason, left);
        self.places[cursor].claimable.remove(&sequence);
    }

    fn free_if_settled(&mut self, sequence: u64) {
        if !self.entries.get(&sequence).is_some_and(Entry::is_settled) {
            return;
        }
        self.unprocessed.remove(&sequence);
        if let Some(entry) = self.entries.remove(&sequence) {
            self.bytes -= entry.block.body.len();
            self.records -= entry.block.records;
        }
    }
}
