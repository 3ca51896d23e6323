//! Stage 6 of 7, export: whom a block waits for, and who gets what others do not take. Threads: as `backlog`, which locks.
//!
//! A block waits for required exporters. What only best-effort exporters have not taken lags: it may fill a small share
//! of the memory, goes first when room is needed, is never written to the disk, and nobody waits for it. A fallback
//! gets nothing but what is handed over to it: a block is undecided for it from then on, and decided for the other.

use crate::backlog::cursors::Cursors;
use crate::backlog::entries::{Entry, Mark, Stage};
use crate::ledger::{DropReason, Settlement};
use crate::spool::Exporters;

/// What an exporter is to the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Every block waits for it.
    #[default]
    Required,
    /// It gets what it is fast enough for.
    BestEffort,
    /// It gets what others hand over.
    Fallback,
}

/// One exporter's part in the delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Duty {
    /// What it is to the records.
    pub role: Role,
    /// The cursor of the exporter that gets what this one does not take.
    pub fallback: Option<usize>,
}

impl Cursors {
    /// The same log, whose cursors have these duties in order (missing ones: required). Blocks that only best-effort
    /// exporters have not taken may hold `lag_limit` bytes.
    #[must_use]
    pub fn with_duties(mut self, duties: &[Duty], lag_limit: usize) -> Self {
        for (place, duty) in self.places.iter_mut().zip(duties) {
            place.duty = *duty;
        }
        self.lag_limit = lag_limit;
        self
    }

    /// True when blocks wait for `cursor`.
    pub(crate) fn matters(&self, cursor: usize) -> bool {
        self.places.get(cursor).is_some_and(|place| place.duty.role != Role::BestEffort)
    }

    /// True when nobody here whom blocks wait for will do anything about it any more.
    pub(crate) fn is_over(&self, entry: &Entry) -> bool {
        let mut sides = entry.sides.iter().enumerate();
        sides.all(|(cursor, side)| side.mark.is_done() || side.mark == Mark::Left || !self.matters(cursor))
    }

    /// Whom a block on disk would be read for.
    pub(crate) fn owed(&self, entry: &Entry) -> Exporters {
        let owing = entry.sides.iter().enumerate();
        let wants = |cursor: usize| entry.adopted || self.matters(cursor);
        let owing = owing.filter(|(cursor, side)| !side.mark.is_done() && wants(*cursor));
        owing.fold(Exporters::NONE, |owed, (cursor, _)| owed.with(cursor))
    }

    /// True when a block lies on disk for `cursor`. Our own are written for those that blocks wait for.
    pub(crate) fn is_kept_for(&self, entry: &Entry, cursor: usize) -> bool {
        let is_there = entry.is_on_disk() && entry.sides[cursor].doomed.is_none();
        is_there && (entry.adopted || self.matters(cursor))
    }

    /// Notes that only best-effort exporters have not taken a block, and drops the oldest of such beyond their share.
    pub(crate) fn note_lag(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        let (Some(block), Stage::Ready) = (entry.memory(), entry.stage) else { return };
        if self.lagging.insert(sequence) {
            self.lagging_bytes += block.held_bytes();
        }
        while self.lagging_bytes > self.lag_limit && self.drop_lagging() {}
    }

    /// The memory of a block that lagged is free, or is about to be.
    pub(crate) fn forget_lag(&mut self, sequence: u64) {
        let block = self.entries.get(&sequence).and_then(Entry::memory);
        if let (Some(block), true) = (block, self.lagging.contains(&sequence)) {
            self.lagging_bytes -= block.held_bytes();
            self.lagging.remove(&sequence);
        }
    }

    /// Drops the oldest block that best-effort exporters alone have not taken; not for one that works on it. False when
    /// there is none.
    pub fn drop_lagging(&mut self) -> bool {
        let waits = |entry: &Entry| entry.sides.iter().any(|side| side.mark == Mark::Pending);
        let mut oldest = self.lagging.iter().copied();
        let Some(sequence) = oldest.find(|sequence| self.entries.get(sequence).is_some_and(waits)) else {
            return false;
        };
        self.drop_best_effort(sequence, &[Mark::Pending]);
        true
    }

    /// Drops everything that best-effort exporters have not decided, for the end.
    pub fn give_up_best_effort(&mut self) {
        let sequences: Vec<u64> = self.entries.keys().copied().collect();
        for sequence in sequences {
            self.drop_best_effort(sequence, &[Mark::Pending, Mark::InFlight]);
        }
    }

    /// Drops a block for the best-effort exporters that stand so.
    pub(crate) fn drop_best_effort(&mut self, sequence: u64, marks: &[Mark]) {
        for cursor in 0..self.places.len() {
            let entry = self.entries.get(&sequence);
            let stands =
                |entry: &Entry| marks.contains(&entry.sides[cursor].mark) && !self.is_kept_for(entry, cursor);
            if !self.matters(cursor) && entry.is_some_and(stands) {
                self.drop_side(cursor, sequence, DropReason::BestEffort);
            }
        }
        self.refresh(sequence);
    }
}

/// What one exporter does not take, another one gets.
impl Cursors {
    /// From now on, or until now, the fallback of `cursor` gets its blocks: those in memory that nobody works on. One is
    /// left for it when it works on none, so that somebody sees when it takes blocks again.
    pub fn divert(&mut self, cursor: usize, on: bool) {
        let Some(place) = self.places.get_mut(cursor).filter(|place| place.duty.fallback.is_some()) else {
            return;
        };
        place.diverting = on;
        let waiting: Vec<(bool, u64)> = place.claimable.iter().copied().collect();
        let keep = usize::from(!self.works(cursor));
        if on {
            for (_, sequence) in waiting.into_iter().skip(keep) {
                self.hand_over(cursor, sequence);
            }
        }
    }

    /// True while the fallback of `cursor` gets its blocks.
    #[must_use]
    pub fn is_diverting(&self, cursor: usize) -> bool {
        self.places.get(cursor).is_some_and(|place| place.diverting)
    }

    /// True when a new block is for the fallback of `cursor`.
    pub(crate) fn passes_on(&self, cursor: usize) -> bool {
        let is_tested = |cursor: usize| !self.places[cursor].claimable.is_empty() || self.works(cursor);
        self.is_diverting(cursor) && is_tested(cursor)
    }

    /// True while something may still be handed over to `cursor`.
    pub(crate) fn may_get(&self, cursor: usize) -> bool {
        self.places[cursor].duty.role == Role::Fallback && !self.is_all_settled()
    }

    /// True when an exporter has a fallback.
    pub(crate) fn has_fallbacks(&self) -> bool {
        self.places.iter().any(|place| place.duty.fallback.is_some())
    }

    /// Hands the oldest blocks that wait for `cursor` over, until they are `bytes` long. Returns their records.
    pub fn relieve(&mut self, cursor: usize, bytes: usize) -> u64 {
        let Some(place) = self.places.get(cursor).filter(|place| place.duty.fallback.is_some()) else {
            return 0;
        };
        let waiting: Vec<(bool, u64)> = place.claimable.iter().copied().collect();
        let (mut records, mut freed) = (0, 0);
        for (_, sequence) in waiting {
            let Some(block) = self.entries.get(&sequence).and_then(Entry::memory) else { continue };
            if freed >= bytes {
                break;
            }
            freed += block.held_bytes();
            records += self.hand_over(cursor, sequence);
        }
        records
    }

    /// Hands everything in memory over that exporters with a fallback have not decided, for the end. Returns whether
    /// there was anything.
    pub fn hand_all_over(&mut self) -> bool {
        let sequences: Vec<u64> = self.in_memory.iter().copied().collect();
        let cursors = (0..self.places.len()).filter(|cursor| self.places[*cursor].duty.fallback.is_some());
        let cursors: Vec<usize> = cursors.collect();
        let pairs =
            sequences.iter().flat_map(|sequence| cursors.iter().map(move |cursor| (*cursor, *sequence)));
        pairs.fold(false, |any, (cursor, sequence)| self.hand_over(cursor, sequence) > 0 || any)
    }

    /// What would be dropped because of its age is for the fallback.
    pub(crate) fn divert_expired(
        &mut self,
        cursor: usize,
        sequence: u64,
        mut settlement: Settlement,
    ) -> Settlement {
        let expired = settlement.dropped.get(DropReason::Expired);
        if expired > 0 && self.give_to_fallback(cursor, sequence) {
            settlement.dropped.set(DropReason::Expired, 0);
            settlement.dropped.add(DropReason::Diverted, expired);
        }
        settlement
    }

    /// Decides a block for `cursor` by handing it over. Returns the records, 0 if it cannot be.
    fn hand_over(&mut self, cursor: usize, sequence: u64) -> u64 {
        let Some(entry) = self.entries.get(&sequence) else { return 0 };
        let left = entry.sides[cursor].left;
        let undecided = matches!(entry.sides[cursor].mark, Mark::Pending | Mark::InFlight);
        if !undecided || !self.give_to_fallback(cursor, sequence) {
            return 0;
        }
        self.drop_side(cursor, sequence, DropReason::Diverted);
        self.refresh(sequence);
        left
    }

    /// Lets the fallback of `cursor` see a block, as a whole and once. False when it cannot have it.
    fn give_to_fallback(&mut self, cursor: usize, sequence: u64) -> bool {
        let Some(to) = self.places[cursor].duty.fallback else { return false };
        let Some(entry) = self.entries.get_mut(&sequence) else { return false };
        let Some(records) = entry.memory().map(|block| block.records) else { return false };
        // One that is on disk, or being written there, is there for the other exporter alone.
        let is_theirs = entry.spilling.is_some() || entry.original.is_some();
        if self.places[to].closed.is_some() || entry.stage != Stage::Ready || is_theirs {
            return false;
        }
        let side = &mut entry.sides[to];
        if side.mark == Mark::Idle {
            side.mark = Mark::Pending;
            side.left = records;
            self.places[to].handed += records;
            self.places[to].claimable.insert((entry.adopted, sequence));
        }
        true
    }

    fn works(&self, cursor: usize) -> bool {
        self.entries.values().any(|entry| entry.sides[cursor].mark == Mark::InFlight)
    }
}
