//! Stage 6 of 7, export: blocks that move to the disk, or come from it. Threads: as `backlog`, which locks.
//!
//! While a block is being written it stays in memory, may be claimed and settled, and is not dropped to make room.

use crate::block::Block;
use crate::cursors::Cursors;
use crate::entries::{Body, Entry, Mark, Side, Spot, Stage};
use crate::keep::Keep;
use crate::ledger::DropReason;
use crate::roles::Role;
use crate::spool::Exporters;
use std::sync::Arc;

impl Cursors {
    /// The oldest block in memory that may be written to the disk, and who has not settled it; [`Self::spilled`] or
    /// [`Self::not_spilled`] follows.
    ///
    /// One that an exporter works on is written too: while the receiver is away, these are the oldest, and who has them may
    /// not come back. Their memory counts as free from then on and is so when they are given back or settled.
    ///
    /// A block that batch processors have not seen is not for the disk: who takes it over would not show it to them.
    pub fn begin_spill(&mut self) -> Option<(Arc<Block>, Exporters)> {
        let fits =
            |entry: &Entry| entry.stage == Stage::Ready && !entry.spilling && !self.owed(entry).is_empty();
        let mut oldest = self.in_memory.iter().copied();
        let sequence = oldest.find(|sequence| self.entries.get(sequence).is_some_and(fits))?;
        let owed = self.entries.get(&sequence).map(|entry| self.owed(entry))?;
        let entry = self.entries.get_mut(&sequence)?;
        let block = Arc::clone(entry.memory()?);
        entry.spilling = true;
        Some((block, owed))
    }

    /// The block is on disk: its memory is free. Returns who has not settled it by now.
    pub fn spilled(&mut self, sequence: u64, spot: Spot) -> Exporters {
        self.forget_lag(sequence);
        let Some(entry) = self.entries.get_mut(&sequence) else { return Exporters::NONE };
        entry.spilling = false;
        if let Body::Memory(block) = &entry.body {
            self.bytes -= block.body.len();
            self.records -= block.records;
        }
        self.in_memory.remove(&sequence);
        entry.body = Body::Disk(spot);
        self.released.extend(entry.keep.take());
        let owed = self.entries.get(&sequence).map_or(Exporters::NONE, |entry| self.owed(entry));
        // What goes to the disk is not for those that blocks do not wait for.
        self.drop_best_effort(sequence, &[Mark::Pending]);
        owed
    }

    /// It could not be written and stays in memory.
    pub fn not_spilled(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.spilling = false;
        }
    }

    /// Appends a block of another process that `owed` have not settled. `None` when nobody here delivers any more.
    pub fn adopt(&mut self, records: u64, spot: Spot, owed: Exporters) -> Option<u64> {
        let is_open = |cursor: usize| self.places.get(cursor).is_some_and(|place| place.closed.is_none());
        if !owed.iter().any(is_open) {
            return None;
        }
        let side = |cursor: usize| match (owed.contains(cursor), is_open(cursor)) {
            (false, _) => Side { mark: Mark::Settled, left: 0 },
            (true, true) => Side { mark: Mark::Pending, left: records },
            (true, false) => Side { mark: Mark::Left, left: records },
        };
        let sides: Vec<Side> = (0..self.places.len()).map(side).collect();
        for (place, side) in self.places.iter_mut().zip(&sides) {
            place.adopted += side.left;
        }
        let sequence = self.end;
        self.end += 1;
        self.adopted += records;
        let (body, stage) = (Body::Disk(spot), Stage::Ready);
        let entry = Entry { body, stage, sides, adopted: true, spilling: false, audited: false, keep: None };
        self.entries.insert(sequence, entry);
        self.undecided.insert((true, sequence));
        self.offer(sequence);
        self.refresh(sequence);
        Some(sequence)
    }

    /// Appends a block of another process that is in memory, for the cursors `owed`. If nobody here wants it, it is let go.
    pub fn adopt_kept(&mut self, block: Block, keep: Keep, owed: Exporters) {
        let side = |cursor: usize| match (owed.contains(cursor), self.is_closed(cursor)) {
            _ if self.places[cursor].duty.role == Role::Fallback => Side { mark: Mark::Idle, left: 0 },
            (false, _) => Side { mark: Mark::Settled, left: 0 },
            (true, false) => Side { mark: Mark::Pending, left: block.records },
            (true, true) => Side { mark: Mark::Left, left: block.records },
        };
        let sides: Vec<Side> = (0..self.places.len()).map(side).collect();
        if sides.iter().all(|side| side.mark.is_done()) {
            self.released.push(keep);
            return;
        }
        for (place, side) in self.places.iter_mut().zip(&sides) {
            place.adopted += side.left;
        }
        self.adopted += block.records;
        self.insert(block, sides, Some(keep), true);
    }

    /// Counts records of another process that could not be read.
    pub fn adopt_damaged(&mut self, records: u64) {
        self.adopted += records;
        for place in self.places.iter_mut().filter(|place| place.duty.role != Role::Fallback) {
            place.adopted += records;
            place.dropped.add(DropReason::Damaged, records);
        }
    }

    /// Gives up what `cursor` has not decided of a block on disk.
    pub fn lose(&mut self, cursor: usize, sequence: u64, reason: DropReason) {
        let is_known = cursor < self.places.len() && self.entries.contains_key(&sequence);
        if is_known {
            self.drop_side(cursor, sequence, reason);
            self.refresh(sequence);
        }
    }

    /// Takes back that a block was taken over: it cannot be read here and waits on disk for somebody else. False when it
    /// is our own.
    pub fn disown(&mut self, sequence: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&sequence).filter(|entry| entry.adopted) else { return false };
        let left = entry.sides.iter().map(|side| side.left).max().unwrap_or(0);
        for (side, place) in entry.sides.iter_mut().zip(&mut self.places) {
            place.adopted -= std::mem::take(&mut side.left);
            place.claimable.remove(&(true, sequence));
            side.mark = Mark::Settled;
        }
        self.adopted -= left;
        self.refresh(sequence);
        true
    }
}
