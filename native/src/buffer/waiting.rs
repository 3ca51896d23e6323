//! Stage 4 of 7, append: records that wait for room, in the order of their calls. Threads: caller (waits), sealer, senders
//! and Python's delivery loop (whoever frees memory stores the next ones).
//!
//! A record that waits is out of its caller's hands: the thread that frees memory puts it into the chunk, first come, first
//! served, audit records first. So nobody races for room, one wake is for one record, and a caller that is slow to wake
//! delays nobody. A caller may stop waiting (cancelled, interrupted, never awaited): its record stays for as long as such
//! records take no more than one chunk. It is pending in the ledger all the while.

use crate::buffer::{Appended, Buffer, State};
use crate::export::wake::Wake;
use crate::ledger::{DropReason, Refusal};
use crate::redact::{Parked, Redacted};
use crate::sync::Condvar;
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the sealer looks for deadlines while records wait.
const LOOK: Duration = Duration::from_millis(50);

/// What became of a record that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It still waits.
    Waiting,
    /// It is in the buffer, under this sequence number.
    Stored(u64),
    /// It is lost, and counted with its reason.
    Lost,
}

const WAITING: u64 = u64::MAX;
const LOST: u64 = u64::MAX - 1;

/// One record's place in the queue, for whoever waits for it.
#[derive(Debug)]
pub struct Turn {
    number: u64,
    audit: bool,
    /// Its sequence number, or one of the two above.
    fate: AtomicU64,
    decided: Condvar,
}

impl Turn {
    /// What became of the record so far.
    #[must_use]
    pub fn fate(&self) -> Fate {
        match self.fate.load(Ordering::Acquire) {
            WAITING => Fate::Waiting,
            LOST => Fate::Lost,
            sequence => Fate::Stored(sequence),
        }
    }

    /// Unique in the process: what [`Bell::take`] names.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    fn key(&self) -> (bool, u64) {
        (!self.audit, self.number)
    }
}

/// Tells an event loop, by a descriptor, which records were decided; one for all that wait on the loop.
#[derive(Debug, Default)]
pub struct Bell {
    wake: Wake,
    rung: Mutex<Vec<u64>>,
}

impl Bell {
    /// The descriptor to poll. It stays ours.
    pub fn fd(&self) -> std::io::Result<RawFd> {
        self.wake.fd()
    }

    /// The numbers of the turns that were decided since the last call, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        self.wake.clear();
        std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ring(&self, number: u64) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        self.wake.wake();
    }
}

#[derive(Debug)]
struct Waiting {
    record: Parked,
    scope: u32,
    deadline: Instant,
    turn: Arc<Turn>,
    bell: Option<Arc<Bell>>,
    /// Nobody waits for it any more.
    left: bool,
}

impl Waiting {
    fn decide(self, fate: u64) {
        self.turn.fate.store(fate, Ordering::Release);
        self.turn.decided.notify_all();
        if let Some(bell) = self.bell {
            bell.ring(self.turn.number);
        }
    }
}

/// The records that wait: audit records first, then by the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    records: BTreeMap<(bool, u64), Waiting>,
    /// Bytes of those that nobody waits for.
    left_bytes: usize,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Whether somebody is before a record of this kind.
    pub fn is_before(&self, audit: bool) -> bool {
        self.records.first_key_value().is_some_and(|((later, _), _)| !audit || !later)
    }

    fn remove(&mut self, key: (bool, u64)) -> Option<Waiting> {
        let waiting = self.records.remove(&key)?;
        if waiting.left {
            self.left_bytes -= waiting.record.bytes();
        }
        Some(waiting)
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Buffer {
    /// Lets a record wait that [`Self::append`] found no room for.
    pub fn park(&self, record: &Redacted<'_>, scope: u32, deadline: Instant) -> Arc<Turn> {
        let turn = Arc::new(Turn {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            audit: record.meta().is_audit(),
            fate: AtomicU64::new(WAITING),
            decided: Condvar::new(),
        });
        let record = record.park();
        let waiting = Waiting { record, scope, deadline, turn: Arc::clone(&turn), bell: None, left: false };
        let mut state = self.lock();
        if state.closed {
            // Closed since room was asked for: the sealer may have ended.
            state.refused[Refusal::ShutDown as usize] += 1;
            waiting.decide(LOST);
            return turn;
        }
        state.waiting.records.insert(turn.key(), waiting);
        // Room may have come since it was asked for.
        self.admit(&mut state);
        turn
    }

    /// Waits until the record of `turn` is decided, at most `timeout`. The caller must not hold the interpreter lock.
    #[must_use]
    pub fn wait_for(&self, turn: &Turn, timeout: Duration) -> Fate {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while turn.fate() == Fate::Waiting {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = turn.decided.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        turn.fate()
    }

    /// Lets `bell` ring when the record of `turn` is decided. False when it is.
    #[must_use]
    pub fn listen(&self, turn: &Turn, bell: &Arc<Bell>) -> bool {
        let mut state = self.lock();
        let waiting = state.waiting.records.get_mut(&turn.key());
        waiting.map(|waiting| waiting.bell = Some(Arc::clone(bell))).is_some()
    }

    /// Gives up the record of `turn` at its deadline, unless it is decided.
    pub fn expire(&self, turn: &Turn) -> Fate {
        self.lock().lose(turn.key(), DropReason::WaitTimeout);
        self.moved.notify_all();
        turn.fate()
    }

    /// Nobody waits for the record of `turn` any more. It stays until its deadline while such records are few.
    pub fn leave(&self, turn: &Turn) {
        let mut state = self.lock();
        let room = self.chunk_bytes.saturating_sub(state.waiting.left_bytes);
        let Some(waiting) = state.waiting.records.get_mut(&turn.key()).filter(|waiting| !waiting.left) else {
            return;
        };
        let bytes = waiting.record.bytes();
        if bytes > room {
            state.lose(turn.key(), DropReason::NotAwaited);
            self.moved.notify_all();
            return;
        }
        (waiting.left, waiting.bell) = (true, None);
        state.waiting.left_bytes += bytes;
    }

    /// After [`Self::rotate`] gave `ticket`: waits until every record is decided that waits now, and hands them over too.
    /// False at the deadline; and the new ticket.
    #[must_use]
    pub fn take_in(&self, ticket: u64, deadline: Instant) -> (bool, u64) {
        let admitted = self.wait_admitted(deadline);
        (admitted, self.rotate().max(ticket))
    }

    fn wait_admitted(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        let end = NEXT.load(Ordering::Relaxed);
        while state.waiting.records.keys().any(|(_, number)| *number < end) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Drops every record that waits, under `reason`.
    pub fn give_up_waiting(&self, reason: DropReason) {
        self.lock().give_up_waiting(reason);
        self.moved.notify_all();
        self.work.notify_all();
    }

    /// Stores what there is room for. Called whenever memory may have become free.
    pub(crate) fn admit(&self, state: &mut State) {
        if state.in_vain && self.has_room(state, true) {
            state.in_vain = false;
        }
        while let Some((key, _)) = state.waiting.records.first_key_value() {
            let key = *key;
            let Some(mut waiting) = state.waiting.remove(key) else { return };
            let appended = self.append_slowly(state, &mut waiting.record.redacted(), waiting.scope, true);
            match appended {
                Appended::Full => {
                    state.waiting.left_bytes += if waiting.left { waiting.record.bytes() } else { 0 };
                    state.waiting.records.insert(key, waiting);
                    return;
                }
                Appended::Stored(sequence) => waiting.decide(sequence),
                Appended::Dropped | Appended::Refused => waiting.decide(LOST),
            }
            self.moved.notify_all();
        }
    }

    /// What time asks for. Returns when it has to be called again; `None`: nothing waits.
    pub(crate) fn attend(&self, state: &mut State) -> Option<Duration> {
        if state.waiting.is_empty() {
            return None;
        }
        self.admit(state);
        let now = Instant::now();
        let over = state.waiting.records.iter().filter(|(_, waiting)| waiting.deadline <= now);
        let over: Vec<(bool, u64)> = over.map(|(key, _)| *key).collect();
        for key in &over {
            state.lose(*key, DropReason::WaitTimeout);
        }
        if !over.is_empty() {
            self.moved.notify_all();
        }
        Some(LOOK)
    }
}

impl State {
    fn lose(&mut self, key: (bool, u64), reason: DropReason) {
        let Some(waiting) = self.waiting.remove(key) else { return };
        self.drop_newest(reason);
        let (later, _) = key;
        self.in_vain |= !later && reason == DropReason::WaitTimeout;
        waiting.decide(LOST);
    }

    pub(crate) fn give_up_waiting(&mut self, reason: DropReason) {
        while let Some((key, _)) = self.waiting.records.first_key_value() {
            self.lose(*key, reason);
        }
    }
}
