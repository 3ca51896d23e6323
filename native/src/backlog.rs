//! Stage 6 of 7, export: the log of sealed blocks, with one cursor per exporter. Threads: sealer (pushes), senders (claim, settle).
//!
//! Before: `seal`. After: `export`. A block is freed when every cursor has settled it; a slow or dead exporter
//! delays only itself. Blocks may settle in any order, because several requests are in flight.

use crate::block::Block;
use crate::ledger::{DropReason, Drops, ExporterCounts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where one exporter stands with one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Pending,
    InFlight,
    Settled,
}

#[derive(Debug)]
struct Entry {
    block: Arc<Block>,
    marks: Vec<Mark>,
    /// Records not decided yet, per cursor; a split block is settled in parts.
    left: Vec<u64>,
}

#[derive(Debug, Default)]
struct Cursor {
    name: String,
    /// First block that was never claimed.
    next: u64,
    /// Blocks that were claimed and given back.
    released: BTreeSet<u64>,
    delivered: u64,
    rejected: u64,
    dropped: Drops,
}

#[derive(Debug, Default)]
struct State {
    /// By sequence number; a settled block leaves at once, wherever it stands.
    entries: BTreeMap<u64, Entry>,
    end: u64,
    cursors: Vec<Cursor>,
    stopped: bool,
    /// Nothing more will be pushed: senders end when nothing is left to claim.
    draining: bool,
    /// Why blocks are dropped that a late sealer still pushes.
    abandoned: Option<DropReason>,
}

/// What became of a block, or of a part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Acknowledged records.
    pub delivered: u64,
    /// Records the receiver refused for good.
    pub rejected: u64,
    /// Records given up.
    pub dropped: Drops,
}

impl Settlement {
    /// Records this settlement decides.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered + self.rejected + self.dropped.total()
    }

    /// The part that a block with `left` undecided records can take, so that no record is decided twice.
    fn at_most(self, mut left: u64) -> Self {
        let mut take = |records: u64| {
            let taken = records.min(left);
            left -= taken;
            taken
        };
        let (delivered, rejected) = (take(self.delivered), take(self.rejected));
        let mut dropped = Drops::default();
        for reason in DropReason::ALL {
            dropped.add(reason, take(self.dropped.get(reason)));
        }
        Self { delivered, rejected, dropped }
    }
}

/// The block log of one pipeline.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<State>,
    ready: Condvar,
    moved: Condvar,
    /// Its own, so that settling a block does not wake every sender that pauses.
    stop: Condvar,
    bytes: AtomicUsize,
    records: AtomicU64,
}

impl Backlog {
    /// An empty log read by the exporters `names`, one cursor each, in this order.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        let cursors =
            names.iter().map(|name| Cursor { name: (*name).to_owned(), ..Cursor::default() }).collect();
        Self { state: Mutex::new(State { cursors, ..State::default() }), ..Self::default() }
    }

    /// Memory held by blocks, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records held by blocks.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Appends a block and gives it the next sequence number.
    pub fn push(&self, mut block: Block) {
        let mut state = self.lock();
        let cursors = state.cursors.len();
        if cursors == 0 {
            return;
        }
        if let Some(reason) = state.abandoned {
            state.cursors.iter_mut().for_each(|cursor| cursor.dropped.add(reason, block.records));
            return;
        }
        block.sequence = state.end;
        state.end += 1;
        self.bytes.fetch_add(block.body.len(), Ordering::Relaxed);
        self.records.fetch_add(block.records, Ordering::Relaxed);
        let left = vec![block.records; cursors];
        let marks = vec![Mark::Pending; cursors];
        state.entries.insert(block.sequence, Entry { block: Arc::new(block), marks, left });
        self.ready.notify_all();
    }

    /// The oldest block that `cursor` has to deliver; waits for one. `None` after [`Self::stop`].
    pub fn claim(&self, cursor: usize) -> Option<Arc<Block>> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(block) = state.claim(cursor) {
                return Some(block);
            }
            if state.draining {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a claimed block back, undelivered.
    pub fn release(&self, cursor: usize, sequence: u64) {
        let mut state = self.lock();
        if let Some(entry) =
            state.entries.get_mut(&sequence).filter(|entry| entry.marks[cursor] == Mark::InFlight)
        {
            entry.marks[cursor] = Mark::Pending;
            state.cursors[cursor].released.insert(sequence);
            // All: whom one notification wakes may be waiting for another cursor's blocks.
            self.ready.notify_all();
        }
    }

    /// Records what became of a claimed block, wholly or in parts; frees it when every cursor is done with it.
    pub fn settle(&self, cursor: usize, sequence: u64, settlement: Settlement) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&sequence).filter(|entry| entry.left[cursor] > 0) else {
            return;
        };
        let settlement = settlement.at_most(entry.left[cursor]);
        entry.left[cursor] -= settlement.total();
        if entry.left[cursor] == 0 {
            entry.marks[cursor] = Mark::Settled;
        }
        state.cursors[cursor].count(settlement);
        self.free_settled(&mut state, sequence);
        self.moved.notify_all();
    }

    /// Drops the oldest block that is not being sent; one with protected records only if `protected_too`. False when there is none.
    pub fn drop_oldest(&self, protected_too: bool) -> bool {
        let mut state = self.lock();
        let oldest = state.entries.iter().find(|(_, entry)| {
            let spared = entry.block.protected_records > 0 && !protected_too;
            !spared && !entry.marks.contains(&Mark::InFlight)
        });
        let Some(sequence) = oldest.map(|(sequence, _)| *sequence) else { return false };
        self.drop_entry(&mut state, sequence, DropReason::OverflowOldest);
        self.moved.notify_all();
        true
    }

    /// Lets senders end once every block is claimed; the last call of a sealer that has nothing more to push.
    pub fn drain(&self) {
        self.lock().draining = true;
        self.ready.notify_all();
    }

    /// Wakes all senders to end; what is not settled stays counted as pending.
    pub fn stop(&self) {
        self.lock().stopped = true;
        for waiters in [&self.ready, &self.moved, &self.stop] {
            waiters.notify_all();
        }
    }

    /// Drops everything that is still undecided, and what is pushed later, under `reason`. For the end of a shutdown.
    pub fn abandon(&self, reason: DropReason) {
        let mut state = self.lock();
        state.abandoned = Some(reason);
        let left: Vec<u64> = state.entries.keys().copied().collect();
        for sequence in left {
            self.drop_entry(&mut state, sequence, reason);
        }
        self.moved.notify_all();
    }

    /// Sequence number that the next block will get.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.lock().end
    }

    /// Waits until every block before `end` is settled by every cursor. False at the deadline or when stopped.
    #[must_use]
    pub fn wait_settled(&self, end: u64, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.entries.first_key_value().is_some_and(|(first, _)| *first < end) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stopped {
                return false;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sleeps for `duration` unless the log is stopped first. False when it is stopped.
    #[must_use]
    pub fn pause(&self, duration: Duration) -> bool {
        let state = self.lock();
        let waited = self.stop.wait_timeout_while(state, duration, |state| !state.stopped);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Every cursor's counts; `accepted` and the buffer's share are the caller's to add.
    #[must_use]
    pub fn counts(&self) -> Vec<ExporterCounts> {
        let state = self.lock();
        let counts = state.cursors.iter().enumerate().map(|(index, cursor)| ExporterCounts {
            name: cursor.name.clone(),
            accepted: 0,
            delivered: cursor.delivered,
            rejected: cursor.rejected,
            dropped: cursor.dropped,
            pending: state.entries.values().map(|entry| entry.left[index]).sum(),
        });
        counts.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_entry(&self, state: &mut State, sequence: u64, reason: DropReason) {
        for cursor in 0..state.cursors.len() {
            let Some(entry) = state.entries.get_mut(&sequence) else { return };
            let left = std::mem::take(&mut entry.left[cursor]);
            entry.marks[cursor] = Mark::Settled;
            state.cursors[cursor].dropped.add(reason, left);
        }
        self.free_settled(state, sequence);
    }

    fn free_settled(&self, state: &mut State, sequence: u64) {
        let settled = |entry: &Entry| entry.marks.iter().all(|mark| *mark == Mark::Settled);
        if !state.entries.get(&sequence).is_some_and(settled) {
            return;
        }
        if let Some(entry) = state.entries.remove(&sequence) {
            self.bytes.fetch_sub(entry.block.body.len(), Ordering::Relaxed);
            self.records.fetch_sub(entry.block.records, Ordering::Relaxed);
        }
    }
}

impl State {
    fn claim(&mut self, cursor: usize) -> Option<Arc<Block>> {
        loop {
            let place = &mut self.cursors[cursor];
            let sequence = if let Some(released) = place.released.pop_first() {
                released
            } else {
                let next = *self.entries.range(place.next..).next()?.0;
                place.next = next + 1;
                next
            };
            if let Some(entry) =
                self.entries.get_mut(&sequence).filter(|entry| entry.marks[cursor] == Mark::Pending)
            {
                entry.marks[cursor] = Mark::InFlight;
                return Some(Arc::clone(&entry.block));
            }
        }
    }
}

impl Cursor {
    fn count(&mut self, settlement: Settlement) {
        self.delivered += settlement.delivered;
        self.rejected += settlement.rejected;
        self.dropped.merge(&settlement.dropped);
    }
}
