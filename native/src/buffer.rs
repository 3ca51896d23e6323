//! Stage 4 of 7, append: bytes in a bounded, recycled chunk. Thread: caller (stores), sealer (takes).
//!
//! Before: `redact`. After: `seal`.
//!
//! One chunk behind one mutex: the lock costs about 5 ns where callers are serialised by the GIL anyway, keeps call
//! order, and needs nothing special when a thread ends or the process forks. Records are complete before the lock
//! is taken, so the critical section is a bounds check and a copy. Whoever holds it never waits and never calls Python.
//!
//! When full: [`Overflow`]. Loses: only what it counts.

use crate::backlog::Backlog;
use crate::block::Block;
use crate::chunk::{Chunk, SCOPE_MARK};
use crate::crash_ring::CrashRing;
use crate::keep::Keep;
use crate::ledger::{DropReason, Drops, Refusal, REFUSALS};
use crate::record::{patch_sequence, Meta};
use crate::redact::Redacted;
use crate::settings::{BufferSettings, Overflow};
use crate::sync::{AtomicU8, Condvar, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

mod counts;
mod slots;

pub use counts::BufferCounts;

pub(crate) const SCOPE_MARK_BYTES: usize = 5;
/// Emptied chunks kept warm, outside of the limit: a page's first touch costs ten times a copy into it.
const WARM_CHUNKS: usize = 4;
/// Fill ratio in percent, and the severity below which records are shed from there on.
const FLOORS: [(usize, u8); 3] = [(95, 17), (90, 13), (75, 9)];

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// In the buffer (or, without a buffered exporter, only counted), under this sequence number.
    Stored(u64),
    /// Accepted and lost at once; counted with its reason.
    Dropped,
    /// Not accepted; counted with its reason.
    Refused,
    /// No room, and the policy is to wait: wait for room and call again. Not counted yet.
    Full,
}

#[derive(Debug, Default)]
struct State {
    active: Chunk,
    /// Bytes and records that still fit into `active`; both 0 when the slow path must decide.
    space_bytes: usize,
    space_records: u64,
    scope: u32,
    full: VecDeque<Chunk>,
    warm: Vec<Vec<u8>>,
    /// Records and bytes of the chunk that the sealer works on, and its number.
    sealing_records: u64,
    sealing_bytes: usize,
    sealing: Option<u64>,
    rotated_chunks: u64,
    /// Records that were left in the ring, for the next process.
    left_records: u64,
    next_sequence: u64,
    accepted: u64,
    refused: [u64; REFUSALS.len()],
    dropped: Drops,
    closed: bool,
}

/// The bounded memory between callers and the sealer.
#[derive(Debug)]
pub struct Buffer {
    settings: BufferSettings,
    stores: bool,
    chunk_bytes: usize,
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    floor: AtomicU8,
    backlog: Arc<Backlog>,
    /// Where chunks are that have to outlive the process.
    ring: Option<Arc<CrashRing>>,
}

impl Buffer {
    /// A buffer that feeds `backlog`. Without `stores` (no exporter reads blocks) records are only counted.
    #[must_use]
    pub fn new(settings: BufferSettings, backlog: Arc<Backlog>, stores: bool) -> Self {
        Self {
            chunk_bytes: settings.real_chunk_bytes(),
            settings,
            stores,
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            floor: AtomicU8::new(0),
            backlog,
            ring: None,
        }
    }

    /// Severity below which unprotected records are shed now; 0 without pressure. One relaxed load.
    #[inline]
    #[must_use]
    pub fn floor(&self) -> u8 {
        self.floor.load(Ordering::Relaxed)
    }

    /// Stores one record in call order.
    #[inline]
    pub fn append(&self, record: &mut Redacted<'_>, scope: u32) -> Appended {
        let mut state = self.lock();
        let mark = if state.scope == scope { 0 } else { SCOPE_MARK_BYTES };
        let need = record.frame().len() + mark;
        if need > state.space_bytes || state.space_records == 0 {
            if let Some(answer) = self.append_elsewhere(&mut state, record, scope) {
                return answer;
            }
        }
        let stored = state.store(record, scope);
        if state.space_records == 0 {
            // A block that is full by its number of records goes at once, as the SDK's batches do.
            self.hand_over(&mut state);
        }
        stored
    }

    /// The number that the next record will get.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.lock().next_sequence
    }
    /// Counts a record that the severity floor shed. It takes a number, so that the gap is visible.
    pub fn shed(&self) {
        let mut state = self.lock();
        state.refused[Refusal::Shed as usize] += 1;
        state.next_sequence += 1;
    }

    /// Counts a record that was not accepted.
    pub fn refuse(&self, reason: Refusal) {
        self.lock().refused[reason as usize] += 1;
    }

    /// Counts a record as accepted and lost, for a caller that gave up after [`Appended::Full`].
    pub fn give_up(&self, reason: DropReason) {
        self.lock().drop_newest(reason);
    }

    /// Waits until a record may fit, at most `timeout`. The caller must not hold the interpreter lock.
    #[must_use]
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while !self.has_room(&state) && !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Hands the open chunk to the sealer; the answer names the last chunk handed over so far.
    pub fn rotate(&self) -> u64 {
        let mut state = self.lock();
        self.hand_over(&mut state);
        state.rotated_chunks
    }

    /// Waits until every chunk up to `ticket` (from [`Self::rotate`]) has become blocks. False at the deadline.
    #[must_use]
    pub fn wait_sealed(&self, ticket: u64, deadline: Instant) -> bool {
        let mut state = self.lock();
        while state.is_waiting(ticket) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Refuses records from now on and lets the sealer finish what is there.
    pub fn close(&self) {
        let mut state = self.lock();
        self.hand_over(&mut state);
        state.closed = true;
        state.space_bytes = 0;
        self.update_floor(&state);
        self.work.notify_all();
        self.room.notify_all();
    }

    /// The next chunk to seal: a full one, or whatever is there when the schedule delay has passed. `None`: closed and empty.
    /// `meanwhile` runs before every wait, without the lock, and may shorten it.
    pub fn next_chunk(&self, meanwhile: &dyn Fn() -> Option<Duration>) -> Option<Chunk> {
        let mut since = Instant::now();
        loop {
            let shortest = meanwhile();
            let mut state = self.lock();
            if let Some(chunk) = state.full.pop_front() {
                state.sealing_records = chunk.records;
                state.sealing_bytes = chunk.content().len();
                state.sealing = Some(chunk.number);
                return Some(chunk);
            }
            if state.closed {
                return None;
            }
            let left = self.settings.schedule_delay.saturating_sub(since.elapsed());
            let wait = left.min(shortest.unwrap_or(left));
            state = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            if since.elapsed() >= self.settings.schedule_delay && state.full.is_empty() {
                self.hand_over(&mut state);
                since = Instant::now();
            }
        }
    }

    /// Moves a sealed chunk's records into the backlog and recycles its memory.
    pub fn sealed(&self, mut chunk: Chunk, block: Option<Block>) {
        let mut state = self.lock();
        state.sealing_records = 0;
        state.sealing_bytes = 0;
        state.sealing = None;
        if let Some(block) = block {
            self.backlog.push_kept(block, chunk.slot.take().map(Keep::Slot));
        }
        state.recycle(chunk);
        self.update_floor(&state);
        self.room.notify_all();
    }

    /// Drops what is still here, under `reason`, but for what is in a crash ring. For the end of a shutdown.
    pub fn abandon(&self, reason: DropReason) {
        let mut state = self.lock();
        self.hand_over(&mut state);
        for chunk in std::mem::take(&mut state.full) {
            if chunk.slot.is_some() {
                // The next process finds it: it stays pending.
                state.left_records += chunk.records;
            } else {
                state.dropped.add(reason, chunk.records);
            }
        }
        self.room.notify_all();
    }

    /// Called when an exporter settled a block: memory may have become free.
    pub fn settled(&self) {
        let state = self.lock();
        if !self.has_room(&state) {
            // What exporters left that matter to nobody here must not keep callers waiting.
            self.backlog.drop_lagging();
        }
        self.update_floor(&state);
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a chunk, or answers what happens to a record that finds no room.
    fn make_room(&self, state: &mut State, meta: Meta) -> Option<Appended> {
        if state.closed {
            state.refused[Refusal::ShutDown as usize] += 1;
            return Some(Appended::Refused);
        }
        if !self.stores {
            return Some(state.count_only());
        }
        self.hand_over(state);
        if !self.has_room(state) {
            self.backlog.drop_lagging();
        }
        if !self.has_room(state) {
            let answer = self.overflow(state, meta);
            self.update_floor(state);
            if answer.is_some() {
                return answer;
            }
        }
        self.open_chunk(state);
        self.update_floor(state);
        if self.ring.is_some() && state.active.slot.is_none() {
            // The ring was left: the process ends, and this record would not outlive it.
            state.drop_newest(DropReason::Shutdown);
            return Some(Appended::Dropped);
        }
        None
    }

    fn overflow(&self, state: &mut State, meta: Meta) -> Option<Appended> {
        let make_room = match self.settings.overflow {
            Overflow::Wait => return Some(Appended::Full),
            Overflow::DropOldest => true,
            Overflow::DropNewest => meta.protected,
        };
        // A protected record makes room at the expense of any other, an unprotected one only of its equals.
        while make_room && !self.has_room(state) && self.drop_oldest(state, meta.protected) {}
        if self.has_room(state) {
            return None;
        }
        state.drop_newest(DropReason::OverflowNewest);
        Some(Appended::Dropped)
    }

    /// Drops the oldest block that nobody is sending, else the oldest chunk; such with protected records last, and
    /// only if `protected_too`. False when there is none.
    fn drop_oldest(&self, state: &mut State, protected_too: bool) -> bool {
        if self.backlog.drop_oldest(false) {
            return true;
        }
        let unprotected = state.full.iter().position(|chunk| chunk.protected_records == 0);
        if unprotected.is_none() && (!protected_too || self.backlog.drop_oldest(true)) {
            return protected_too;
        }
        let Some(chunk) = state.full.remove(unprotected.unwrap_or(0)) else { return false };
        state.dropped.add(DropReason::OverflowOldest, chunk.records);
        state.recycle(chunk);
        true
    }

    fn hand_over(&self, state: &mut State) {
        if state.active.records > 0 {
            state.rotated_chunks += 1;
            let mut chunk = std::mem::take(&mut state.active);
            chunk.number = state.rotated_chunks;
            state.full.push_back(chunk);
            self.work.notify_one();
        }
        state.space_bytes = 0;
    }

    fn open_chunk(&self, state: &mut State) {
        state.scope = u32::MAX;
        if let Some(ring) = &self.ring {
            // `space_bytes` stays 0: it is about memory, so that a record for memory pays nothing for the ring.
            state.active.slot = ring.take_slot(state.next_sequence);
        } else {
            if state.active.bytes.capacity() == 0 {
                state.active.bytes = state.warm.pop().unwrap_or_else(|| Vec::with_capacity(self.chunk_bytes));
            }
            // The scope mark of the first record is not in the caller's estimate of `need`.
            state.space_bytes = self.chunk_bytes;
        }
        let queued = self.queued_records(state);
        state.space_records =
            self.settings.block_records.min(self.settings.limit_records.saturating_sub(queued));
    }

    fn used_bytes(&self, state: &State) -> usize {
        let waiting: usize = state.full.iter().map(|chunk| chunk.content().len()).sum();
        waiting + state.active.content().len() + state.sealing_bytes + self.backlog.bytes()
    }

    fn queued_records(&self, state: &State) -> u64 {
        if self.settings.limit_records == u64::MAX {
            return 0;
        }
        let waiting: u64 = state.full.iter().map(|chunk| chunk.records).sum();
        state.active.records + waiting + state.sealing_records + self.backlog.records()
    }

    fn has_room(&self, state: &State) -> bool {
        self.used_bytes(state) + self.chunk_bytes <= self.settings.limit_bytes
            && self.queued_records(state) < self.settings.limit_records
            && self.ring.as_ref().is_none_or(|ring| ring.has_free_slot())
    }

    /// Sets the severity floor from the fill ratio. `wait` promises to lose nothing, so it sheds nothing; a closed
    /// buffer refuses everything for another reason.
    fn update_floor(&self, state: &State) {
        let percent = self.used_bytes(state) * 100 / self.settings.limit_bytes.max(1);
        let records = self.queued_records(state).saturating_mul(100) / self.settings.limit_records.max(1);
        let slots = self.ring.as_ref().map_or(0, |ring| ring.percent_used());
        let percent = percent.max(usize::try_from(records).unwrap_or(0)).max(slots);
        let shedding = self.settings.overflow != Overflow::Wait && !state.closed;
        let floor =
            FLOORS.iter().find(|(from, _)| shedding && percent >= *from).map_or(0, |(_, floor)| *floor);
        self.floor.store(floor, Ordering::Relaxed);
    }
}

impl State {
    #[inline]
    fn store(&mut self, record: &mut Redacted<'_>, scope: u32) -> Appended {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.accepted += 1;
        if self.scope != scope {
            self.active.bytes.push(SCOPE_MARK);
            self.active.bytes.extend_from_slice(&scope.to_le_bytes());
            self.scope = scope;
            self.space_bytes -= SCOPE_MARK_BYTES;
        }
        if record.sequenced() {
            patch_sequence(record.frame_mut(), sequence);
        }
        self.active.bytes.extend_from_slice(record.frame());
        self.active.records += 1;
        self.active.protected_records += u64::from(record.meta().protected);
        self.space_bytes -= record.frame().len();
        self.space_records -= 1;
        Appended::Stored(sequence)
    }

    /// True while a chunk up to `ticket` has not become a block.
    fn is_waiting(&self, ticket: u64) -> bool {
        let oldest = self.sealing.or_else(|| self.full.front().map(|chunk| chunk.number));
        oldest.is_some_and(|number| number <= ticket)
    }

    fn count_only(&mut self) -> Appended {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.accepted += 1;
        Appended::Stored(sequence)
    }

    fn drop_newest(&mut self, reason: DropReason) {
        self.next_sequence += 1;
        self.accepted += 1;
        self.dropped.add(reason, 1);
    }

    fn recycle(&mut self, chunk: Chunk) {
        let Chunk { mut bytes, slot, .. } = chunk;
        if let Some(slot) = slot {
            slot.recycle();
        } else if self.warm.len() < WARM_CHUNKS {
            bytes.clear();
            self.warm.push(bytes);
        }
    }
}
