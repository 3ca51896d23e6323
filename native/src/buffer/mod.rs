//! Stage 4 of 7, append: bytes in a bounded, recycled chunk. Thread: caller (stores), sealer (takes).
//!
//! Before: `redact`. After: `seal`.
//!
//! One chunk behind one mutex: the lock costs about 5 ns where callers are serialised by the GIL anyway, keeps call
//! order, and needs nothing special when a thread ends or the process forks. Records are complete before the lock
//! is taken, so the critical section is a bounds check and a copy. Whoever holds it never waits and never calls Python.
//!
//! Audit and security records have a chunk of their own (`lane`) and so blocks of their own, which nothing
//! displaces, and a reserve on top of the limit. When full: [`Overflow`]; who waits is in [`crate::buffer::waiting`]. Loses: only
//! what it counts. Length reason: what one lock guards stays together.
//!
//! In this room: [`chunk`] goes to stage 5, `lane` is one open chunk, [`waiting`] holds records without room, `slots` are chunks in the crash ring.

pub mod chunk;
pub(crate) mod lane;
pub mod waiting;

use crate::backlog::Backlog;
use crate::block::Block;
use crate::buffer::chunk::Chunk;
use crate::buffer::lane::Lane;
pub(crate) use crate::buffer::lane::SCOPE_MARK_BYTES;
use crate::buffer::waiting::Queue;
use crate::crash_ring::keep::Keep;
use crate::crash_ring::CrashRing;
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

/// Emptied chunks kept warm, outside of the limit: a page's first touch costs ten times a copy into it.
const WARM_CHUNKS: usize = 4;
/// More chunks than this wait for the sealer: it is behind.
const CHUNKS_BEHIND: usize = 4;
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
    /// No room, and the record is to wait: [`Buffer::park`] it. Not counted yet.
    Full,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Where most records go.
    main: Lane,
    /// Where audit and security records go.
    audit: Lane,
    /// Records that found no room, in the order of their calls.
    pub waiting: Queue,
    /// An audit record waited until its deadline, and no room was seen since: the next one does not.
    pub in_vain: bool,
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
    pub refused: [u64; REFUSALS.len()],
    dropped: Drops,
    pub closed: bool,
}

/// The bounded memory between callers and the sealer.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) settings: BufferSettings,
    stores: bool,
    pub(crate) chunk_bytes: usize,
    state: Mutex<State>,
    pub(crate) work: Condvar,
    /// Chunks became blocks, records in a queue were decided.
    pub(crate) moved: Condvar,
    floor: AtomicU8,
    backlog: Arc<Backlog>,
    /// Where chunks are that have to outlive the process.
    pub(crate) ring: Option<Arc<CrashRing>>,
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
            moved: Condvar::new(),
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
        if record.meta().protected || !state.main.fits(record, scope) {
            return self.append_slowly(&mut state, record, scope, false);
        }
        let sequence = state.next();
        state.main.put(record, scope, sequence);
        if state.main.space_records == 0 {
            // A block that is full by its number of records goes at once, as the SDK's batches do.
            self.hand_over(&mut state, false);
        }
        Appended::Stored(sequence)
    }

    /// As [`Self::append`], for records that are protected, go into a ring, find the chunk full, or `waited`.
    #[inline(never)]
    pub(crate) fn append_slowly(
        &self,
        state: &mut State,
        record: &mut Redacted<'_>,
        scope: u32,
        waited: bool,
    ) -> Appended {
        let meta = record.meta();
        let audit = meta.is_audit();
        if !state.lane(audit).takes(record, scope) {
            if let Some(answer) = self.make_room(state, meta, waited) {
                if let (Appended::Stored(sequence), true) = (answer, record.sequenced()) {
                    patch_sequence(record.frame_mut(), sequence);
                }
                return answer;
            }
        }
        let sequence = state.next_sequence;
        if !state.lane(audit).put_slowly(record, scope, sequence) {
            // Only in a forked child, which has a pipeline of its own.
            state.drop_newest(DropReason::OverflowNewest);
            return Appended::Dropped;
        }
        state.next();
        if state.lane(audit).space_records == 0 || state.closed {
            self.hand_over(state, audit);
        }
        Appended::Stored(sequence)
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

    /// Hands the open chunks to the sealer; the answer names the last chunk handed over so far.
    pub fn rotate(&self) -> u64 {
        let mut state = self.lock();
        self.hand_over_all(&mut state);
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
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Refuses records from now on and lets the sealer finish what is there; what waits for room was logged before.
    pub fn close(&self) {
        let mut state = self.lock();
        self.hand_over_all(&mut state);
        state.closed = true;
        self.update_floor(&state);
        self.work.notify_all();
        self.moved.notify_all();
    }

    /// The next chunk to seal: a full one, or whatever is there when the schedule delay has passed. `None`: closed and empty.
    /// `meanwhile` runs before every wait, without the lock, and may shorten it.
    pub fn next_chunk(&self, meanwhile: &dyn Fn() -> Option<Duration>) -> Option<Chunk> {
        let mut since = Instant::now();
        loop {
            let shortest = meanwhile();
            let mut state = self.lock();
            let soon = self.attend(&mut state);
            if let Some(chunk) = state.full.pop_front() {
                state.sealing_records = chunk.records;
                state.sealing_bytes = chunk.content().len() + Block::PLACE_BYTES;
                state.sealing = Some(chunk.number);
                return Some(chunk);
            }
            if state.closed && state.waiting.is_empty() {
                return None;
            }
            let left = self.settings.schedule_delay.saturating_sub(since.elapsed());
            let wait = left.min(shortest.unwrap_or(left)).min(soon.unwrap_or(left));
            state = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            if since.elapsed() >= self.settings.schedule_delay && state.full.is_empty() {
                self.hand_over_all(&mut state);
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
            let keep = chunk.slot.take().map(Keep::Slot);
            if chunk.audited {
                self.backlog.push_audited(block, keep);
            } else {
                self.backlog.push_kept(block, keep);
            }
        }
        state.recycle(chunk);
        self.admit(&mut state);
        self.update_floor(&state);
        self.moved.notify_all();
    }

    /// Drops what is still here, under `reason`, but for what is in a crash ring. For the end of a shutdown.
    pub fn abandon(&self, reason: DropReason) {
        let mut state = self.lock();
        self.hand_over_all(&mut state);
        for chunk in std::mem::take(&mut state.full) {
            if chunk.slot.is_some() {
                // The next process finds it: it stays pending.
                state.left_records += chunk.records;
            } else {
                state.dropped.add(reason, chunk.records);
            }
        }
        state.give_up_waiting(reason);
        self.work.notify_all();
        self.moved.notify_all();
    }

    /// Called when an exporter settled a block: memory may have become free.
    pub fn settled(&self) {
        let mut state = self.lock();
        if !self.has_room(&state, false) {
            // What exporters left that matter to nobody here must not keep callers waiting.
            self.backlog.drop_lagging();
        }
        self.admit(&mut state);
        self.update_floor(&state);
        self.moved.notify_all();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a chunk, or answers what happens to a record that finds no room.
    #[cold]
    fn make_room(&self, state: &mut State, meta: Meta, waited: bool) -> Option<Appended> {
        if state.closed && !waited {
            state.refused[Refusal::ShutDown as usize] += 1;
            return Some(Appended::Refused);
        }
        if !self.stores {
            return Some(Appended::Stored(state.next()));
        }
        let audit = meta.is_audit();
        self.hand_over(state, audit);
        let is_behind = !waited && state.waiting.is_before(audit);
        if is_behind && self.settings.overflow == Overflow::Wait {
            return Some(Appended::Full);
        }
        if !self.has_room(state, audit) {
            self.backlog.drop_lagging();
        }
        if !self.has_room(state, audit) {
            let answer = self.overflow(state, meta);
            self.update_floor(state);
            if answer.is_some() {
                return answer;
            }
        }
        self.open_chunk(state, audit);
        self.update_floor(state);
        if self.ring.is_some() && state.lane(audit).chunk.slot.is_none() {
            // The ring was left: the process ends, and this record would not outlive it.
            state.drop_newest(DropReason::Shutdown);
            return Some(Appended::Dropped);
        }
        None
    }

    fn overflow(&self, state: &mut State, meta: Meta) -> Option<Appended> {
        let audit = meta.is_audit();
        let (waits, make_room) = match self.settings.overflow {
            Overflow::Wait => (true, false),
            Overflow::DropOldest => (audit && !state.in_vain, true),
            Overflow::DropNewest => (audit && !state.in_vain, meta.protected),
        };
        // A protected record makes room at the expense of any other, an unprotected one only of its equals. Under `drop_newest`
        // what is there stays before its equals, but for audit records.
        let protected_too = meta.protected && (audit || self.settings.overflow != Overflow::DropNewest);
        while make_room && !self.has_room(state, audit) && self.drop_oldest(state, protected_too) {}
        if self.has_room(state, audit) {
            return None;
        }
        if waits {
            return Some(Appended::Full);
        }
        state.drop_newest(DropReason::OverflowNewest);
        Some(Appended::Dropped)
    }

    /// Drops the oldest block that nobody is sending, else the oldest chunk; such with protected records last, and
    /// only if `protected_too`; audit records never. False when there is none.
    fn drop_oldest(&self, state: &mut State, protected_too: bool) -> bool {
        if self.backlog.drop_oldest(false) {
            return true;
        }
        let unprotected = state.full.iter().position(|chunk| chunk.protected_records == 0);
        if unprotected.is_none() && (!protected_too || self.backlog.drop_oldest(true)) {
            return protected_too;
        }
        let oldest = unprotected.or_else(|| state.full.iter().position(|chunk| !chunk.audited));
        let Some(chunk) = oldest.and_then(|index| state.full.remove(index)) else { return false };
        state.dropped.add(DropReason::OverflowOldest, chunk.records);
        state.recycle(chunk);
        true
    }

    fn hand_over_all(&self, state: &mut State) {
        self.hand_over(state, false);
        self.hand_over(state, true);
    }

    fn hand_over(&self, state: &mut State, audit: bool) {
        if let Some(mut chunk) = state.lane(audit).close() {
            state.rotated_chunks += 1;
            (chunk.number, chunk.audited) = (state.rotated_chunks, audit);
            if state.full.len() > CHUNKS_BEHIND {
                // What is not used of it would not be counted: a chunk may be closed for its number of records.
                chunk.bytes.shrink_to_fit();
            }
            state.full.push_back(chunk);
            self.work.notify_one();
        }
    }

    fn open_chunk(&self, state: &mut State, audit: bool) {
        let records = self.settings.block_records;
        let left = |state: &State| self.settings.limit_records.saturating_sub(self.queued_records(state));
        let room = records.min(if audit { records } else { left(state) });
        if let Some(ring) = &self.ring {
            let slot = ring.take_slot(state.next_sequence);
            state.lane(audit).open_slot(slot, room);
        } else {
            let warm = if state.lane(audit).is_cold() { state.warm.pop() } else { None };
            state.lane(audit).open(warm, self.chunk_bytes, room);
        }
    }

    fn used_bytes(&self, state: &State) -> usize {
        let held = |chunk: &Chunk| chunk.content().len() + Block::PLACE_BYTES;
        let waiting: usize = state.full.iter().map(held).sum();
        let open = state.main.chunk.content().len() + state.audit.chunk.content().len();
        waiting + open + state.sealing_bytes + self.backlog.bytes()
    }

    fn queued_records(&self, state: &State) -> u64 {
        if self.settings.limit_records == u64::MAX {
            return 0;
        }
        state.records() + self.backlog.records()
    }

    /// True when an audit record finds room that nothing must leave.
    #[must_use]
    pub fn has_room_for_audit(&self) -> bool {
        self.has_room(&self.lock(), true)
    }

    /// Audit records have the reserve too, in which their number does not matter. It holds at least one chunk, because
    /// theirs may be open while the last one of the others is. A ring has no more slots for them.
    pub(crate) fn has_room(&self, state: &State, audit: bool) -> bool {
        if self.ring.as_ref().is_some_and(|ring| !ring.has_free_slot()) {
            return false;
        }
        let used = self.used_bytes(state) + self.chunk_bytes + Block::PLACE_BYTES;
        if audit {
            let reserve = self.settings.reserve_bytes.max(self.chunk_bytes);
            return used + state.main.space_bytes <= self.settings.limit_bytes.saturating_add(reserve);
        }
        used <= self.settings.limit_bytes && self.queued_records(state) < self.settings.limit_records
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
    fn lane(&mut self, audit: bool) -> &mut Lane {
        if audit {
            &mut self.audit
        } else {
            &mut self.main
        }
    }

    /// The number of a record that is accepted.
    #[inline]
    fn next(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.accepted += 1;
        sequence
    }

    /// Records in chunks.
    fn records(&self) -> u64 {
        let waiting: u64 = self.full.iter().map(|chunk| chunk.records).sum();
        self.main.chunk.records + self.audit.chunk.records + waiting + self.sealing_records
    }

    /// True while a chunk up to `ticket` has not become a block.
    fn is_waiting(&self, ticket: u64) -> bool {
        let oldest = self.sealing.or_else(|| self.full.front().map(|chunk| chunk.number));
        oldest.is_some_and(|number| number <= ticket)
    }

    pub(crate) fn drop_newest(&mut self, reason: DropReason) {
        self.next();
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
