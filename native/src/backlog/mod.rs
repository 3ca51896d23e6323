//! Stage 6 of 7, export: the log of sealed blocks, with one cursor per exporter. Threads: sealer (pushes), senders and
//! Python's delivery loop (claim, settle).
//!
//! Before: `seal`. After: `export`. A slow or dead exporter delays only itself. Blocks may settle in any order, because
//! several requests are in flight. What happens to a block is in [`crate::backlog::cursors`]; who waits for it is here. A block
//! that lies on disk is read by whoever claims it, without the lock.
//!
//! In this room: [`cursors`] (each exporter's place), [`entries`] (one block), [`roles`] (whom it waits for), [`gate`] (batch processors first), [`moves`]
//! (to the disk and back), `resting` (what cannot be read for now), [`shelf`] (what is asked of the disk).
//!
//! reason: one lock guards what all of these methods change; in two files they would share it.

pub mod cursors;
pub mod entries;
pub mod gate;
pub mod moves;
mod resting;
pub mod roles;
pub mod shelf;

use crate::backlog::cursors::Cursors;
use crate::backlog::entries::{Claimed, Seen, Spill, Spot, Which};
use crate::backlog::resting::{Resting, Wait};
use crate::backlog::roles::Duty;
use crate::backlog::shelf::{Shelf, Unread};
use crate::block::Block;
use crate::crash_ring::keep::Keep;
use crate::export::wake::Wake;
use crate::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use crate::spool::Exporters;
use crate::sync::{AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    cursors: Cursors,
    stopped: bool,
    /// Nothing more will be pushed: senders end when nothing is left to claim.
    draining: bool,
    resting: Resting,
}

/// The block log of one pipeline.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<State>,
    ready: Condvar,
    moved: Condvar,
    /// Its own, so that settling a block does not wake every sender that pauses.
    stop: Condvar,
    wake: Arc<Wake>,
    shelf: Option<Arc<dyn Shelf>>,
    bytes: AtomicUsize,
    records: AtomicU64,
}

impl Backlog {
    /// An empty log read by the exporters `names`, one cursor each, in this order. `gated`: blocks wait for
    /// [`Self::processed`] before a cursor sees them. `wake` is told when Python may have work.
    #[must_use]
    pub fn new(names: &[&str], gated: bool, wake: Arc<Wake>) -> Self {
        let state = State { cursors: Cursors::new(names, gated), ..State::default() };
        Self { state: Mutex::new(state), wake, ..Self::default() }
    }

    /// The same log with a place on disk for its blocks.
    #[must_use]
    pub fn with_shelf(mut self, disk: Option<Arc<dyn Shelf>>) -> Self {
        self.shelf = disk;
        self
    }

    /// The same log, whose exporters have these duties: [`Cursors::with_duties`].
    #[must_use]
    pub fn with_duties(self, duties: &[Duty], lag_limit: usize) -> Self {
        let mut state = self.lock();
        state.cursors = std::mem::take(&mut state.cursors).with_duties(duties, lag_limit);
        drop(state);
        self
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
    pub fn push(&self, block: Block) {
        self.push_kept(block, None);
    }

    /// As [`Self::push`], with what keeps the block's records for the next process.
    pub fn push_kept(&self, block: Block, keep: Option<Keep>) {
        self.push_as(block, keep, false);
    }

    /// As [`Self::push_kept`], for audit records: the block is not dropped to make room.
    pub fn push_audited(&self, block: Block, keep: Option<Keep>) {
        self.push_as(block, keep, true);
    }

    fn push_as(&self, block: Block, keep: Option<Keep>, audited: bool) {
        self.change(
            |cursors| if audited { cursors.push_audited(block, keep) } else { cursors.push(block, keep) },
        );
        self.ready.notify_all();
        self.wake.wake();
        if let Some(shelf) = &self.shelf {
            shelf.pushed(self.bytes(), self.records());
        }
    }

    /// The oldest block that `cursor` has to deliver; waits for one. `None` after [`Self::stop`], or when no more can come.
    pub fn claim(&self, cursor: usize) -> Option<Arc<Block>> {
        loop {
            let claimed = self.wait_for_claim(cursor)?;
            if let Some(block) = self.fetch(cursor, claimed) {
                return Some(block);
            }
        }
    }

    /// As [`Self::claim`], without waiting for a block; the disk may be read.
    pub fn try_claim(&self, cursor: usize) -> Option<Arc<Block>> {
        loop {
            let claimed = {
                let mut state = self.lock();
                if state.stopped {
                    return None;
                }
                state.cursors.claim(cursor)?
            };
            if let Some(block) = self.fetch(cursor, claimed) {
                return Some(block);
            }
        }
    }

    fn wait_for_claim(&self, cursor: usize) -> Option<Claimed> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(claimed) = state.cursors.claim(cursor) {
                return Some(claimed);
            }
            let may_come = || self.shelf.as_ref().is_some_and(|shelf| shelf.may_bring());
            let may_get = state.cursors.may_get(cursor);
            if state.draining && !may_get && !state.cursors.is_processing() && !may_come() {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The claimed block, read if it has to be. `None`: it cannot be read now or ever, and that is noted.
    fn fetch(&self, cursor: usize, claimed: Claimed) -> Option<Arc<Block>> {
        let (sequence, spot) = match claimed {
            Claimed::Block(block) => return Some(block),
            Claimed::Spooled(sequence, spot) => (sequence, spot),
        };
        match self.shelf.as_ref().map_or(Err(Unread::Lost), |shelf| shelf.read(spot)) {
            Ok(block) => return Some(Arc::new(Block { sequence, ..block })),
            Err(Unread::Later) => self.rest(Some(cursor), sequence, Wait::Disk),
            Err(Unread::Locked(version)) => self.rest(Some(cursor), sequence, Wait::Keys(version)),
            Err(Unread::Foreign) if self.change(|cursors| cursors.disown(sequence)) => {}
            Err(Unread::Lost | Unread::Foreign) => {
                let mut dropped = Drops::default();
                dropped.add(DropReason::Damaged, u64::MAX);
                self.settle(cursor, sequence, Settlement { dropped, ..Settlement::default() });
            }
        }
        self.moved.notify_all();
        None
    }

    /// Gives a claimed block back, undelivered.
    pub fn release(&self, cursor: usize, sequence: u64) {
        if self.change(|cursors| cursors.release(cursor, sequence)) {
            // All: whom one notification wakes may be waiting for another cursor's blocks.
            self.ready.notify_all();
            self.moved.notify_all();
            self.wake.wake();
        }
    }

    /// Records of a claimed block that `cursor` has not decided.
    #[must_use]
    pub fn undecided(&self, cursor: usize, sequence: u64) -> u64 {
        self.lock().cursors.undecided(cursor, sequence)
    }

    /// Records what became of a claimed block, wholly or in parts; frees it when every cursor is done with it.
    pub fn settle(&self, cursor: usize, sequence: u64, settlement: Settlement) {
        let (waits, is_last) = self.change(|cursors| {
            cursors.settle(cursor, sequence, settlement);
            (cursors.has_unprocessed_on_disk(), cursors.has_fallbacks() && cursors.is_all_settled())
        });
        if waits {
            self.wake.wake();
        }
        if is_last {
            // A fallback's senders wait for others to end.
            self.ready.notify_all();
        }
        self.moved.notify_all();
    }

    /// The oldest block that waits for the batch processors; does not wait for one, but the disk may be read. Blocks on
    /// disk wait while those in memory take more than their share.
    pub fn claim_unprocessed(&self) -> Option<Arc<Block>> {
        let has_room = self.shelf.as_ref().is_some_and(|shelf| shelf.has_room(self.bytes(), self.records()));
        loop {
            let claimed = {
                let mut state = self.lock();
                if state.stopped {
                    return None;
                }
                state.cursors.claim_unprocessed(has_room)?
            };
            if let Some(block) = self.fetch_unprocessed(claimed) {
                return Some(block);
            }
        }
    }

    /// As [`Self::fetch`], for the batch processors.
    fn fetch_unprocessed(&self, claimed: Claimed) -> Option<Arc<Block>> {
        let (sequence, spot) = match claimed {
            Claimed::Block(block) => return Some(block),
            Claimed::Spooled(sequence, spot) => (sequence, spot),
        };
        match self.shelf.as_ref().map_or(Err(Unread::Lost), |shelf| shelf.read(spot)) {
            Ok(block) => {
                let block = Arc::new(Block { sequence, ..block });
                self.change(|cursors| cursors.lend(sequence, &block));
                return Some(block);
            }
            Err(Unread::Later) => self.rest(None, sequence, Wait::Disk),
            Err(Unread::Locked(version)) => self.rest(None, sequence, Wait::Keys(version)),
            Err(Unread::Foreign) if self.change(|cursors| cursors.disown(sequence)) => {}
            Err(Unread::Lost | Unread::Foreign) => {
                self.change(|cursors| cursors.drop_block(sequence, DropReason::Damaged));
            }
        }
        self.ready.notify_all();
        self.moved.notify_all();
        None
    }

    /// Gives a block back that the batch processors had and did nothing to.
    pub fn unprocessed(&self, sequence: u64) {
        self.change(|cursors| cursors.unprocessed(sequence));
        self.wake.wake();
    }

    /// The block `sequence`, if the batch processors have it.
    #[must_use]
    pub fn processing(&self, sequence: u64) -> Option<Arc<Block>> {
        self.lock().cursors.processing(sequence)
    }

    /// Puts what the batch processors made of a block in its place, with no more records than it had, and lets the
    /// cursors see it. Records that it has no longer are dropped as processed.
    pub fn processed(&self, sequence: u64, block: Block) {
        self.change(|cursors| cursors.processed(sequence, block));
        self.ready.notify_all();
        self.moved.notify_all();
        self.wake.wake();
    }

    /// The oldest block that may be written to the disk: [`crate::backlog::cursors::Cursors::begin_spill`].
    pub fn begin_spill(&self, which: Which) -> Option<Spill> {
        self.lock().cursors.begin_spill(which)
    }

    /// It is written: its memory is free. Returns who has not settled it by now.
    pub fn spilled(&self, sequence: u64, spot: Spot) -> Exporters {
        let (owed, waits) =
            self.change(|cursors| (cursors.spilled(sequence, spot), cursors.has_unprocessed_on_disk()));
        if waits {
            self.wake.wake();
        }
        owed
    }

    /// It could not be written.
    pub fn not_spilled(&self, sequence: u64) {
        self.change(|cursors| cursors.not_spilled(sequence));
    }

    /// There is no room for it, and the ring of a dead process keeps it: [`Cursors::stays`].
    pub fn stays(&self, sequence: u64) {
        self.change(|cursors| cursors.stays(sequence));
    }

    /// Appends a block on disk of another process; returns its sequence number here. Batch processors see it first if
    /// they have not. `None`: nobody here delivers it. [`Self::offered`] follows.
    pub fn adopt(&self, records: u64, spot: Spot, owed: Exporters, seen: Seen) -> Option<u64> {
        self.change(|cursors| cursors.adopt(records, spot, owed, seen))
    }

    /// Appends a block of another process that is in memory, for those cursors that `owed` names. [`Self::offered`]
    /// follows.
    pub fn adopt_kept(&self, block: Block, keep: Keep, owed: Exporters) {
        self.change(|cursors| cursors.adopt_kept(block, keep, owed));
    }

    /// Lets go of the rings of dead processes: [`Cursors::leave_rings`].
    pub fn leave_rings(&self) {
        drop(self.change(Cursors::leave_rings));
    }

    /// Where blocks in memory are too: [`Cursors::rings`].
    #[must_use]
    pub fn rings(&self) -> BTreeSet<Option<PathBuf>> {
        self.lock().cursors.rings()
    }

    /// Counts records of another process that could not be read.
    pub fn adopt_damaged(&self, records: u64) {
        self.change(|cursors| cursors.adopt_damaged(records));
    }

    /// Wakes whoever waits for blocks.
    pub fn offered(&self) {
        self.ready.notify_all();
        self.wake.wake();
    }

    /// Gives up what `cursor` has not decided of a block on disk.
    pub fn lose(&self, cursor: usize, sequence: u64, reason: DropReason) {
        self.change(|cursors| cursors.lose(cursor, sequence, reason));
        self.wake_lost(cursor, sequence);
        self.moved.notify_all();
    }

    /// True when everything is delivered and nothing more comes. One that was stopped before is never over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let state = self.lock();
        state.draining && state.cursors.is_all_settled()
    }

    /// Drops the oldest block in memory that nobody works on; one with protected records only if `protected_too`. False when there is none.
    pub fn drop_oldest(&self, protected_too: bool) -> bool {
        let dropped = self.change(|cursors| cursors.drop_oldest(protected_too));
        if dropped {
            self.moved.notify_all();
        }
        dropped
    }

    /// Drops what best-effort exporters alone have not taken, to make room.
    pub fn drop_lagging(&self) {
        if self.change(|cursors| std::iter::from_fn(|| cursors.drop_lagging().then_some(())).count()) > 0 {
            self.moved.notify_all();
        }
    }

    /// Drops everything that best-effort exporters have not decided, for the end.
    pub fn give_up_best_effort(&self) {
        self.change(Cursors::give_up_best_effort);
        self.moved.notify_all();
    }

    /// The fallback of `cursor` gets its blocks, or does not any more: [`Cursors::divert`].
    pub fn divert(&self, cursor: usize, on: bool) {
        self.change(|cursors| cursors.divert(cursor, on));
        self.offered();
        self.moved.notify_all();
    }

    /// Hands the oldest blocks that wait for `cursor` over: [`Cursors::relieve`].
    pub fn relieve(&self, cursor: usize, bytes: usize) -> u64 {
        let records = self.change(|cursors| cursors.relieve(cursor, bytes));
        if records > 0 {
            self.offered();
            self.moved.notify_all();
        }
        records
    }

    /// Hands everything over that can be, for the end. False when there was nothing.
    pub fn hand_all_over(&self) -> bool {
        let handed = self.change(Cursors::hand_all_over);
        self.offered();
        self.moved.notify_all();
        handed
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

    /// Drops everything in memory that is still undecided, and what is pushed later, under `reason`; what is on disk stays
    /// there. For the end of a shutdown.
    pub fn abandon(&self, reason: DropReason) {
        self.change(|cursors| cursors.close_all(reason));
        self.ready.notify_all();
        self.moved.notify_all();
    }

    /// As [`Self::abandon`] for one cursor, which nobody reads any more.
    pub fn abandon_cursor(&self, cursor: usize, reason: DropReason) {
        self.change(|cursors| cursors.close(cursor, reason));
        for waiters in [&self.ready, &self.moved, &self.stop] {
            waiters.notify_all();
        }
    }

    /// Whether a block is not dropped to make room.
    #[must_use]
    pub fn is_audited(&self, sequence: u64) -> bool {
        self.lock().cursors.is_audited(sequence)
    }

    /// Sequence number that the next block will get.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.lock().cursors.end()
    }

    /// Records taken over from other processes, and every cursor's counts, at one moment.
    #[must_use]
    pub fn counts_with_adopted(&self) -> (u64, Vec<ExporterCounts>) {
        let state = self.lock();
        (state.cursors.adopted(), state.cursors.counts())
    }

    /// Waits until nothing is undecided, blocks that were taken over included. False at the deadline or when stopped.
    #[must_use]
    pub fn wait_all_settled(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, Cursors::is_all_settled)
    }

    /// Waits until every block of our own before `end` is settled by every cursor. False at the deadline or when stopped.
    #[must_use]
    pub fn wait_settled(&self, end: u64, deadline: Instant) -> bool {
        self.wait_until(deadline, |cursors| cursors.is_settled(end))
    }

    /// As [`Self::wait_settled`] for some cursors, and for blocks that wait for no batch processor.
    #[must_use]
    pub fn wait_settled_by(&self, some: &[usize], end: u64, deadline: Instant) -> bool {
        self.wait_until(deadline, |cursors| some.iter().all(|cursor| cursors.is_settled_by(*cursor, end)))
    }

    /// Sleeps for `duration` unless the log is stopped, or `cursor` abandoned, first. False when it is.
    #[must_use]
    pub fn pause(&self, cursor: usize, duration: Duration) -> bool {
        let goes_on = |state: &State| !state.stopped && !state.cursors.is_closed(cursor);
        let waited = self.stop.wait_timeout_while(self.lock(), duration, |state| goes_on(state));
        goes_on(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Every cursor's drops; unlike [`Self::counts`], no block is looked at.
    #[must_use]
    pub fn dropped(&self) -> Vec<Drops> {
        self.lock().cursors.dropped()
    }

    /// Every cursor's counts; `accepted` and the buffer's share are the caller's to add.
    #[must_use]
    pub fn counts(&self) -> Vec<ExporterCounts> {
        self.lock().cursors.counts()
    }

    fn wait_until(&self, deadline: Instant, done: impl Fn(&Cursors) -> bool) -> bool {
        let mut state = self.lock();
        while !done(&state.cursors) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stopped {
                return false;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Changes the state under the lock, and tells the buffer's readers what memory is held after it.
    fn change<T>(&self, change: impl FnOnce(&mut Cursors) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.cursors);
        self.bytes.store(state.cursors.bytes(), Ordering::Relaxed);
        self.records.store(state.cursors.records(), Ordering::Relaxed);
        let done = std::mem::take(&mut state.cursors.done);
        let released = std::mem::take(&mut state.cursors.released);
        drop(state);
        if let Some(shelf) = self.shelf.as_ref().filter(|_| !done.is_empty()) {
            shelf.settle(&done);
        }
        released.into_iter().for_each(Keep::let_go);
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
