//! Stage 6 of 7, export: where each exporter stands with each block. Threads: as `backlog`, which holds the lock.
//!
//! A state machine without locks, clocks or files. A block is unprocessed, being processed, or ready (at once, without
//! batch processors); a ready one is pending, in flight or settled at each cursor. It is freed when every cursor settled
//! it. Its bytes are in memory or on disk ([`crate::backlog::entries`]); what moves them is in [`crate::backlog::moves`]. Whom a block waits
//! for is in [`crate::backlog::roles`].

use crate::backlog::entries::{Body, Claimed, Entry, Mark, Seen, Side, Spot, Stage};
use crate::backlog::roles::{Duty, Role};
use crate::block::Block;
use crate::crash_ring::keep::Keep;
use crate::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Cursor {
    name: String,
    /// Blocks to deliver, those that were given back included: our own before those that were taken over.
    pub claimable: BTreeSet<(bool, u64)>,
    pub adopted: u64,
    delivered: u64,
    rejected: u64,
    pub dropped: Drops,
    /// Why its blocks are dropped from now on: nobody delivers them any more.
    pub closed: Option<DropReason>,
    pub duty: Duty,
    /// Its fallback gets its blocks.
    pub diverting: bool,
    /// Records that were handed over to it.
    pub handed: u64,
}

/// All blocks and all cursors.
#[derive(Debug, Default)]
pub struct Cursors {
    /// By sequence number; a settled block leaves at once, wherever it stands.
    pub(crate) entries: BTreeMap<u64, Entry>,
    pub(crate) unprocessed: BTreeSet<(bool, u64)>,
    /// Those whose bytes are in memory.
    pub(crate) in_memory: BTreeSet<u64>,
    /// Those that somebody here still has to decide; whether they were taken over, and their number.
    pub(crate) undecided: BTreeSet<(bool, u64)>,
    pub(crate) places: Vec<Cursor>,
    pub(crate) gated: bool,
    pub(crate) end: u64,
    pub(crate) bytes: usize,
    pub(crate) records: u64,
    pub(crate) adopted: u64,
    /// Those in memory that only best-effort exporters have not taken, and what they hold.
    pub(crate) lagging: BTreeSet<u64>,
    pub(crate) lagging_bytes: usize,
    pub(crate) lag_limit: usize,
    /// What whoever keeps blocks on disk has to hear: which cursor is done with which.
    pub(crate) done: Vec<(Spot, usize)>,
    /// What kept records that are safe or counted by now; whoever holds the lock lets it go afterwards.
    pub(crate) released: Vec<Keep>,
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

    /// Records of blocks in memory.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Records taken over from other processes.
    #[must_use]
    pub const fn adopted(&self) -> u64 {
        self.adopted
    }

    /// Sequence number that the next block will get.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// True while a block waits for processors or is with one.
    #[must_use]
    pub fn is_processing(&self) -> bool {
        let waits = |entry: &Entry| entry.stage != Stage::Ready && !self.is_over(entry);
        self.gated && self.entries.values().any(waits)
    }

    /// As [`Self::push`]; [`Self::drop_oldest`] passes the block by.
    pub fn push_audited(&mut self, block: Block, keep: Option<Keep>) {
        let sequence = self.end;
        self.push(block, keep);
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.audited = true;
        }
    }

    /// Appends a block and gives it the next sequence number. A closed cursor drops its share at once, unless something
    /// keeps it for the next process.
    pub fn push(&mut self, block: Block, keep: Option<Keep>) {
        let records = block.records;
        let is_kept = keep.is_some();
        let side = |cursor: &mut Cursor| {
            if let Some(reason) = cursor.closed.filter(|_| cursor.duty.role != Role::Fallback) {
                if is_kept && cursor.duty.role == Role::Required {
                    return Side::of(Mark::Left, records);
                }
                cursor.dropped.add(reason, records);
                return Side::of(Mark::Settled, 0);
            }
            match cursor.duty.role {
                Role::Required | Role::BestEffort => Side::of(Mark::Pending, records),
                Role::Fallback => Side::of(Mark::Idle, 0),
            }
        };
        let sides: Vec<Side> = self.places.iter_mut().map(side).collect();
        if sides.iter().any(|side| !side.mark.is_done()) {
            self.insert(block, sides, keep, false);
        }
    }

    /// Where a block begins.
    pub(crate) const fn stage_of(&self, seen: Seen) -> Stage {
        match seen {
            Seen::Unprocessed if self.gated => Stage::Unprocessed,
            Seen::Processed | Seen::Unprocessed => Stage::Ready,
        }
    }

    /// Adds a block in memory, which batch processors have not seen.
    pub(crate) fn insert(&mut self, block: Block, sides: Vec<Side>, keep: Option<Keep>, adopted: bool) {
        let sequence = self.end;
        self.bytes += block.held_bytes();
        self.records += block.records;
        self.in_memory.insert(sequence);
        let body = Body::Memory(Arc::new(Block { sequence, ..block }));
        let stage = self.stage_of(Seen::Unprocessed);
        self.enter(Entry { keep, ..Entry::new(body, stage, sides, adopted) });
    }

    /// Adds an entry.
    pub(crate) fn enter(&mut self, entry: Entry) -> u64 {
        let sequence = self.end;
        self.end += 1;
        let (adopted, stage) = (entry.adopted, entry.stage);
        self.entries.insert(sequence, entry);
        self.undecided.insert((adopted, sequence));
        if stage == Stage::Ready {
            self.offer(sequence);
        } else {
            self.unprocessed.insert((adopted, sequence));
        }
        self.refresh(sequence);
        sequence
    }

    /// The oldest block that `cursor` has to deliver.
    pub fn claim(&mut self, cursor: usize) -> Option<Claimed> {
        let (_, sequence) = self.places[cursor].claimable.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.sides[cursor].mark = Mark::InFlight;
        Some(match &entry.body {
            Body::Memory(block) => Claimed::Block(Arc::clone(block)),
            Body::Disk(spot) => Claimed::Spooled(sequence, *spot),
        })
    }

    /// Takes a claimed block back, undelivered. False when it was not claimed.
    pub fn release(&mut self, cursor: usize, sequence: u64) -> bool {
        let Some(side) = self.in_flight(cursor, sequence) else { return false };
        if let Some(reason) = side.doomed {
            self.drop_side(cursor, sequence, reason);
            self.refresh(sequence);
            return true;
        }
        side.mark = Mark::Pending;
        let Some(entry) = self.entries.get(&sequence) else { return false };
        if entry.memory().is_none() && !self.is_kept_for(entry, cursor) {
            self.drop_best_effort(sequence, &[Mark::Pending]);
        } else if self.passes_on(cursor) {
            self.places[cursor].claimable.insert((entry.adopted, sequence));
            self.divert(cursor, true);
        } else {
            self.places[cursor].claimable.insert((entry.adopted, sequence));
            self.refresh(sequence);
        }
        true
    }

    /// Records of a claimed block that `cursor` has not decided.
    #[must_use]
    pub fn undecided(&self, cursor: usize, sequence: u64) -> u64 {
        let side = self.entries.get(&sequence).and_then(|entry| entry.sides.get(cursor));
        side.filter(|side| side.mark == Mark::InFlight).map_or(0, |side| side.left)
    }

    /// Records what became of a claimed block, wholly or in parts. Ignored when it was not claimed.
    pub fn settle(&mut self, cursor: usize, sequence: u64, settlement: Settlement) {
        let Some(left) = self.in_flight(cursor, sequence).map(|side| side.left) else { return };
        let settlement = self.divert_expired(cursor, sequence, settlement.at_most(left));
        let Some(side) = self.in_flight(cursor, sequence) else { return };
        side.left -= settlement.total();
        let is_done = side.left == 0;
        let place = &mut self.places[cursor];
        place.delivered += settlement.delivered;
        place.rejected += settlement.rejected;
        place.dropped.merge(&settlement.dropped);
        let is_noted = is_done && place.duty.fallback.is_none();
        // What was handed over is not done with: the fallback has it.
        let keep = self.entries.get_mut(&sequence).and_then(|entry| entry.keep.as_mut());
        if let Some(keep) = keep.filter(|_| is_noted) {
            keep.done_by(cursor);
        }
        if is_done {
            self.settle_side(cursor, sequence);
        }
        self.refresh(sequence);
    }

    /// Gives a block up at every cursor: it cannot be read.
    pub fn drop_block(&mut self, sequence: u64, reason: DropReason) {
        for cursor in 0..self.places.len() {
            self.tell(cursor, sequence);
            self.drop_side(cursor, sequence, reason);
        }
        self.refresh(sequence);
    }

    /// Drops the oldest block in memory that nobody works on; one with protected records only if `protected_too`. False
    /// when there is none.
    pub fn drop_oldest(&mut self, protected_too: bool) -> bool {
        let is_droppable = |entry: &Entry| {
            let spared = entry.memory().is_none_or(|block| block.protected_records > 0 && !protected_too);
            !spared && !entry.audited && !entry.is_busy()
        };
        let mut oldest = self.in_memory.iter().copied();
        let found = oldest.find(|sequence| self.entries.get(sequence).is_some_and(is_droppable));
        let Some(sequence) = found else { return false };
        self.drop_block(sequence, DropReason::OverflowOldest);
        true
    }

    /// Drops everything in memory that `cursor` has not decided, and what is pushed later, under `reason`. What is on
    /// disk, or in a crash ring, stays there and pending, for whoever takes it over. A best-effort exporter's reason is
    /// always the same.
    pub fn close(&mut self, cursor: usize, reason: DropReason) {
        let reason = if self.matters(cursor) { reason } else { DropReason::BestEffort };
        self.places[cursor].closed = Some(reason);
        let sequences: Vec<u64> = self.entries.keys().copied().collect();
        for sequence in sequences {
            let Some(entry) = self.entries.get(&sequence) else { continue };
            let in_ring = entry.keep.is_some() && self.matters(cursor);
            let (is_kept, adopted) = (in_ring || self.is_kept_for(entry, cursor), entry.adopted);
            let Some(entry) = self.entries.get_mut(&sequence) else { continue };
            let Side { mark, doomed, .. } = entry.sides[cursor];
            if !is_kept {
                self.drop_side(cursor, sequence, doomed.unwrap_or(reason));
            } else if !mark.is_done() {
                entry.sides[cursor].mark = Mark::Left;
                self.places[cursor].claimable.remove(&(adopted, sequence));
            }
            self.refresh(sequence);
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

    /// True when no block of our own before `end` is undecided at any cursor.
    #[must_use]
    pub fn is_settled(&self, end: u64) -> bool {
        self.undecided.first().is_none_or(|(adopted, first)| *adopted || *first >= end)
    }

    /// True when nothing is undecided at any cursor, blocks that were taken over included.
    #[must_use]
    pub fn is_all_settled(&self) -> bool {
        self.undecided.is_empty()
    }

    /// True when no block of our own before `end` that `cursor` may see is undecided there.
    #[must_use]
    pub fn is_settled_by(&self, cursor: usize, end: u64) -> bool {
        let mut before = self.entries.range(..end).map(|(_, entry)| entry).filter(|entry| !entry.adopted);
        let waits = |mark| matches!(mark, Mark::Pending | Mark::InFlight);
        !before.any(|entry| entry.stage == Stage::Ready && waits(entry.sides[cursor].mark))
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
            let left = |of: &dyn Fn(&Entry) -> bool| -> u64 {
                self.entries.values().filter(|entry| of(entry)).map(|entry| entry.sides[index].left).sum()
            };
            ExporterCounts {
                name: cursor.name.clone(),
                handed_over: (cursor.duty.role == Role::Fallback).then_some(cursor.handed),
                accepted: 0,
                adopted: cursor.adopted,
                delivered: cursor.delivered,
                rejected: cursor.rejected,
                dropped: cursor.dropped,
                pending: left(&|_| true),
                in_flight: left(&|entry| entry.sides[index].mark == Mark::InFlight),
                spooled: left(&|entry| self.is_kept_for(entry, index)),
                kept: left(&|entry| entry.is_kept() && self.matters(index)),
            }
        });
        counts.collect()
    }

    fn in_flight(&mut self, cursor: usize, sequence: u64) -> Option<&mut Side> {
        let side = self.entries.get_mut(&sequence)?.sides.get_mut(cursor)?;
        (side.mark == Mark::InFlight).then_some(side)
    }

    /// Lets every cursor that has not settled the block claim it.
    pub(crate) fn offer(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        let adopted = entry.adopted;
        let pending = |cursor: &usize| entry.sides[*cursor].mark == Mark::Pending;
        let cursors: Vec<usize> = (0..self.places.len()).filter(pending).collect();
        for cursor in cursors {
            let passes_on = self.passes_on(cursor);
            self.places[cursor].claimable.insert((adopted, sequence));
            if passes_on {
                self.divert(cursor, true);
            }
        }
    }

    /// Ends a cursor's side of a block, of which nothing is left.
    pub(crate) fn settle_side(&mut self, cursor: usize, sequence: u64) {
        self.tell(cursor, sequence);
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.sides[cursor] = Side::of(Mark::Settled, 0);
        }
    }

    /// Whoever has the block on disk has to hear that a cursor, which has not settled it, will have done so.
    fn tell(&mut self, cursor: usize, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        if !entry.sides[cursor].mark.is_done() && self.is_kept_for(entry, cursor) {
            self.done.extend(entry.spots().map(|spot| (spot, cursor)));
        }
    }

    pub(crate) fn drop_side(&mut self, cursor: usize, sequence: u64, reason: DropReason) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let side = &mut entry.sides[cursor];
        if side.mark == Mark::Idle {
            return;
        }
        (side.mark, side.doomed) = (Mark::Settled, None);
        let left = std::mem::take(&mut side.left);
        self.places[cursor].dropped.add(reason, left);
        self.places[cursor].claimable.remove(&(entry.adopted, sequence));
    }

    /// Frees a block that every cursor settled; one that is over is not waited for.
    pub(crate) fn refresh(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        let (is_over, is_settled) = (self.is_over(entry), entry.is_settled());
        let is_owed = !self.owed(entry).is_empty();
        if let Some(entry) = self.entries.get_mut(&sequence).filter(|_| !is_owed) {
            // What only best-effort exporters want takes no place in a ring.
            self.released.extend(entry.keep.take());
        }
        let Some(entry) = self.entries.get(&sequence) else { return };
        if is_over {
            self.undecided.remove(&(entry.adopted, sequence));
            self.unprocessed.remove(&(entry.adopted, sequence));
        }
        if !is_settled {
            if is_over {
                self.note_lag(sequence);
            }
            return;
        }
        self.forget_lag(sequence);
        self.in_memory.remove(&sequence);
        if let Some(Entry { body: Body::Memory(block), .. }) = self.entries.remove(&sequence) {
            self.bytes -= block.held_bytes();
            self.records -= block.records;
        }
    }
}
