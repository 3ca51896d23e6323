//! Stage 6 of 7, export: blocks that move to the disk, or come from it. Threads: as `backlog`, which locks.
//!
//! While a block is being written it stays in memory, may be claimed and settled, and is not dropped to make room.

use crate::backlog::cursors::Cursors;
use crate::backlog::entries::{Body, Entry, Mark, Seen, Side, Spill, Spot, Stage, Which};
use crate::backlog::roles::Role;
use crate::block::Block;
use crate::crash_ring::keep::Keep;
use crate::ledger::DropReason;
use crate::spool::Exporters;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Cursors {
    /// The oldest block in memory that may be written to the disk; [`Self::spilled`] or [`Self::not_spilled`] follows.
    ///
    /// One that an exporter works on is written too: while the receiver is away, these are the oldest, and who has them may
    /// not come back. Their memory counts as free from then on and is so when they are given back or settled.
    ///
    /// One that batch processors have not seen is written only at the end ([`Which::Rest`]), as such: who takes it over shows it to
    /// his.
    pub fn begin_spill(&mut self, which: Which) -> Option<Spill> {
        let fits = |entry: &Entry| {
            let is_due = match which {
                Which::Rest => !entry.stays,
                Which::Oldest => !entry.stays && entry.stage == Stage::Ready,
                Which::Left => entry.stage == Stage::Ready && entry.is_left(),
            };
            is_due && entry.spilling.is_none() && !self.is_over(entry) && !self.owed(entry).is_empty()
        };
        let mut oldest = self.in_memory.iter().copied();
        let sequence = oldest.find(|sequence| self.entries.get(sequence).is_some_and(fits))?;
        let owed = self.entries.get(&sequence).map(|entry| self.owed(entry))?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.keep.iter_mut().for_each(Keep::being_written);
        let seen = entry.stage.seen();
        let block = Arc::clone(entry.memory()?);
        entry.spilling = Some(seen);
        let was_forced = entry.keep.as_ref().is_some_and(Keep::was_forced);
        Some(Spill { block, owed, seen, is_left: entry.is_left(), was_forced })
    }

    /// The block is on disk: its memory is free, unless the processors made another one of it meanwhile. Returns who has
    /// not settled it by now.
    pub fn spilled(&mut self, sequence: u64, spot: Spot) -> Exporters {
        self.forget_lag(sequence);
        let owed = self.entries.get(&sequence).map_or(Exporters::NONE, |entry| self.owed(entry));
        let Some(entry) = self.entries.get_mut(&sequence) else { return Exporters::NONE };
        let seen = entry.spilling.take();
        self.released.extend(entry.keep.take());
        let Body::Memory(block) = &entry.body else { return owed };
        if seen == Some(Seen::Unprocessed) && entry.stage == Stage::Ready {
            entry.original = Some(spot);
            self.refresh(sequence);
            return owed;
        }
        self.bytes -= block.held_bytes();
        self.records -= block.records;
        self.in_memory.remove(&sequence);
        if entry.stage == Stage::Processing {
            entry.lent = Some(Arc::clone(block));
        }
        entry.body = Body::Disk(spot);
        if let Some(original) = entry.original.take() {
            self.done.extend(owed.iter().map(|cursor| (original, cursor)));
        }
        // What goes to the disk is not for those that blocks do not wait for.
        self.drop_best_effort(sequence, &[Mark::Pending]);
        owed
    }

    /// Whether a block holds audit or security records.
    #[must_use]
    pub fn is_audited(&self, sequence: u64) -> bool {
        self.entries.get(&sequence).is_some_and(|entry| entry.audited)
    }

    /// It could not be written and stays in memory.
    pub fn not_spilled(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.spilling = None;
        }
    }

    /// The spool has no room for it: the ring of the dead process keeps it, until [`Which::Left`] asks again.
    pub fn stays(&mut self, sequence: u64) {
        self.not_spilled(sequence);
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.stays = true;
        }
    }

    /// Appends a block on disk of another process that `owed` have not settled; batch processors see it first if they have
    /// not. `None` when nobody here delivers any more.
    pub fn adopt(&mut self, records: u64, spot: Spot, owed: Exporters, seen: Seen) -> Option<u64> {
        let sides = self.adopted_sides(records, owed)?;
        let stage = self.stage_of(seen);
        Some(self.enter(Entry::new(Body::Disk(spot), stage, sides, true)))
    }

    /// Where exporters stand with a block on disk that is taken over. One that delivers no more leaves its share there.
    fn adopted_sides(&mut self, records: u64, owed: Exporters) -> Option<Vec<Side>> {
        let is_open = |cursor: usize| self.places.get(cursor).is_some_and(|place| place.closed.is_none());
        if !owed.iter().any(is_open) {
            return None;
        }
        let side = |cursor: usize| match (owed.contains(cursor), is_open(cursor)) {
            (false, _) => Side::of(Mark::Settled, 0),
            (true, true) => Side::of(Mark::Pending, records),
            (true, false) => Side::of(Mark::Left, records),
        };
        let sides: Vec<Side> = (0..self.places.len()).map(side).collect();
        for (place, side) in self.places.iter_mut().zip(&sides) {
            place.adopted += side.left;
        }
        self.adopted += records;
        Some(sides)
    }

    /// Appends a block of another process that is in memory, for the cursors `owed`. If nobody here wants it, it is let go.
    pub fn adopt_kept(&mut self, block: Block, keep: Keep, owed: Exporters) {
        let side = |cursor: usize| match (owed.contains(cursor), self.is_closed(cursor)) {
            _ if self.places[cursor].duty.role == Role::Fallback => Side::of(Mark::Idle, 0),
            (false, _) => Side::of(Mark::Settled, 0),
            (true, false) => Side::of(Mark::Pending, block.records),
            (true, true) => Side::of(Mark::Left, block.records),
        };
        let sides: Vec<Side> = (0..self.places.len()).map(side).collect();
        if sides.iter().all(|side| side.mark.is_done()) {
            self.released.push(keep);
            return;
        }
        if !sides.iter().any(|side| side.mark == Mark::Pending) {
            // Nobody delivers here any more: it stays in its ring, for whoever takes that over.
            return;
        }
        for (place, side) in self.places.iter_mut().zip(&sides) {
            place.adopted += side.left;
        }
        self.adopted += block.records;
        self.insert(block, sides, Some(keep), true);
    }

    /// Lets go of the rings of dead processes, for the end: their records stay counted as kept, and whoever is alive takes them
    /// over. Drop what it returns without the lock.
    pub fn leave_rings(&mut self) -> Vec<Keep> {
        let keeps = self.entries.values_mut().filter_map(|entry| entry.keep.as_mut());
        let left = keeps.filter(|keep| keep.is_left());
        left.map(|keep| std::mem::replace(keep, Keep::Elsewhere)).collect()
    }

    /// The crash rings in which blocks in memory are; `None` is our own.
    #[must_use]
    pub fn rings(&self) -> BTreeSet<Option<PathBuf>> {
        let kept = self.entries.values().filter(|entry| entry.is_kept());
        let keeps = kept.filter_map(|entry| entry.keep.as_ref());
        keeps
            .filter(|keep| !matches!(keep, Keep::Elsewhere))
            .map(|keep| keep.left_in().map(Path::to_owned))
            .collect()
    }

    /// Counts records of another process that could not be read.
    pub fn adopt_damaged(&mut self, records: u64) {
        self.adopted += records;
        for place in self.places.iter_mut().filter(|place| place.duty.role != Role::Fallback) {
            place.adopted += records;
            place.dropped.add(DropReason::Damaged, records);
        }
    }

    /// Gives up what `cursor` has not decided of a block on disk. Who has it in his hands may still deliver it.
    pub fn lose(&mut self, cursor: usize, sequence: u64, reason: DropReason) {
        let Some(entry) = self.entries.get_mut(&sequence).filter(|entry| cursor < entry.sides.len()) else {
            return;
        };
        if entry.memory().is_some() {
            // What the processors made of it is here.
            entry.original = None;
            return;
        }
        let side = &mut entry.sides[cursor];
        if side.mark == Mark::InFlight {
            side.doomed = Some(reason);
            return;
        }
        self.drop_side(cursor, sequence, reason);
        self.refresh(sequence);
    }

    /// Where a block lies, if on disk.
    #[must_use]
    pub fn spot(&self, sequence: u64) -> Option<Spot> {
        self.entries.get(&sequence).and_then(Entry::spot)
    }

    /// Whether who claimed a block (`None`: the batch processors) still is to have it.
    #[must_use]
    pub fn is_wanted(&self, cursor: Option<usize>, sequence: u64) -> bool {
        let Some(entry) = self.entries.get(&sequence) else { return false };
        match cursor.and_then(|cursor| entry.sides.get(cursor)) {
            Some(side) => side.mark == Mark::InFlight && side.doomed.is_none(),
            None => cursor.is_none() && entry.stage == Stage::Processing,
        }
    }

    /// Takes back that a block was taken over: it cannot be read here and waits on disk for somebody else. False when it
    /// is our own.
    pub fn disown(&mut self, sequence: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&sequence).filter(|entry| entry.adopted) else { return false };
        let left = entry.sides.iter().map(|side| side.left).max().unwrap_or(0);
        for (side, place) in entry.sides.iter_mut().zip(&mut self.places) {
            place.adopted -= side.left;
            place.claimable.remove(&(true, sequence));
            *side = Side::of(Mark::Settled, 0);
        }
        self.adopted -= left;
        self.refresh(sequence);
        true
    }
}
