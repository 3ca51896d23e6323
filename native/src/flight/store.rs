//! Stage 4 of 7, append: what the flight recorder keeps: bounded in bytes, traces, records of a trace, and age. Thread: caller.
//!
//! Traces stand in the order in which they last logged. Over a limit the one that was silent longest leaves first, and
//! within a trace the oldest record. Each trace has one run of bytes, so that a record costs a lookup and a copy; memory of
//! traces that ended is used again. No clock of its own: the caller says what time it is.

use super::Trigger;
use crate::recency::Recency;
use crate::record::Meta;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What a trace takes beside its records: its slot, and its places in the table and the order.
pub const TRACE_BYTES: usize = 256;
/// A trace takes at most this part of all memory, so that an endless one does not push out all others.
const TRACE_SHARE: usize = 4;
/// Memory that a trace begins with.
const FIRST_BYTES: usize = 1024;
/// Memory of an ended trace up to this size is kept for the next one.
const WARM_BYTES: usize = 16 * 1024;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory for everything.
    pub bytes: usize,
    /// Records of one trace.
    pub trace_records: usize,
    /// Traces.
    pub traces: usize,
    /// Older records are never exported.
    pub age: Duration,
}

/// What became of the records that were offered to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kept now.
    pub records: u64,
    /// Memory in use now, what is kept for the next traces included.
    pub bytes: usize,
    /// Traces that are followed now.
    pub traces: u64,
    /// Offered so far.
    pub recorded: u64,
    /// Of these, taken to be exported.
    pub promoted: u64,
    /// Thrown away when their trace ended well.
    pub discarded: u64,
    /// Pushed out, or expired, before that was known.
    pub evicted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    length: u32,
    scope: u32,
    meta: Meta,
    before: u64,
    at: u64,
}

/// The records of one trace, out of the store.
#[derive(Debug, Default)]
pub struct Taken {
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// Older records of the trace that were pushed out.
    pub evicted: u64,
}

/// One record of [`Taken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<'a> {
    /// Without frame and sequence number.
    pub record: &'a [u8],
    /// As stage 3 gave it.
    pub meta: Meta,
    /// Its scope.
    pub scope: u32,
    /// The sequence number that the next exported record got when it was kept.
    pub before: u64,
}

impl Taken {
    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Kept<'_>> {
        let mut at = 0;
        self.entries.iter().map(move |entry| {
            let from = at;
            at += entry.length as usize;
            let record = self.bytes.get(from..at).unwrap_or_default();
            Kept { record, meta: entry.meta, scope: entry.scope, before: entry.before }
        })
    }
}

#[derive(Debug)]
struct Slot {
    trace: u128,
    bytes: VecDeque<u8>,
    entries: VecDeque<Entry>,
    /// Local root spans under way.
    roots: u32,
    trigger: Option<Trigger>,
    evicted: u64,
    /// When it logged or began last.
    touched: u64,
}

impl Slot {
    const fn new() -> Self {
        Self {
            trace: 0,
            bytes: VecDeque::new(),
            entries: VecDeque::new(),
            roots: 0,
            trigger: None,
            evicted: 0,
            touched: 0,
        }
    }

    fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Drops the oldest record.
    fn pop(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.bytes.drain(..entry.length as usize);
        true
    }
}

/// Records by trace.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    age_nanos: u64,
    places: HashMap<u128, u32>,
    /// Those of traces, in the order in which these logged last, and others.
    slots: Recency<Slot>,
    /// Slots without a trace whose memory is kept, and counts.
    warm: Vec<u32>,
    /// Slots without a trace and without memory.
    free: Vec<u32>,
    triggered: usize,
    counts: Counts,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            age_nanos: u64::try_from(limits.age.as_nanos()).unwrap_or(u64::MAX),
            places: HashMap::new(),
            slots: Recency::default(),
            warm: Vec::new(),
            free: Vec::new(),
            triggered: 0,
            counts: Counts::default(),
        }
    }

    /// Keeps one record, given with its meta, scope and the next sequence number.
    pub fn keep(&mut self, trace: u128, record: &[u8], about: (Meta, u32, u64), now_nanos: u64) {
        self.counts.recorded += 1;
        self.expire(now_nanos);
        let place = self.touch(trace, now_nanos);
        let Ok(length) = u32::try_from(record.len()) else { return self.push_out(place) };
        if !self.make_room(place, record.len()) {
            return self.push_out(place);
        }
        let (meta, scope, before) = about;
        let slot = &mut self.slots[place];
        slot.bytes.extend(record);
        slot.entries.push_back(Entry { length, scope, meta, before, at: now_nanos });
        self.counts.records += 1;
    }

    /// Why the records of a trace go on at once.
    #[must_use]
    pub fn trigger(&self, trace: u128) -> Option<Trigger> {
        self.slots[*self.places.get(&trace)?].trigger
    }

    /// Traces whose records go on at once.
    #[must_use]
    pub fn triggered(&self) -> usize {
        self.triggered
    }

    /// Marks a trace and takes what it kept. `None`: it kept nothing.
    pub fn take(&mut self, trace: u128, trigger: Trigger, now_nanos: u64) -> Option<Taken> {
        self.expire(now_nanos);
        let place = self.touch(trace, now_nanos);
        let oldest = now_nanos.saturating_sub(self.age_nanos);
        while self.slots[place].entries.front().is_some_and(|entry| entry.at < oldest) {
            self.pop(place);
        }
        let slot = &mut self.slots[place];
        if slot.trigger.replace(trigger).is_none() {
            self.triggered += 1;
        }
        if slot.entries.is_empty() {
            return None;
        }
        let memory = slot.memory();
        let taken = Taken {
            bytes: std::mem::take(&mut slot.bytes).into(),
            entries: std::mem::take(&mut slot.entries),
            evicted: std::mem::take(&mut slot.evicted),
        };
        self.counts.bytes -= memory;
        self.counts.records -= taken.entries.len() as u64;
        self.counts.promoted += taken.entries.len() as u64;
        Some(taken)
    }

    /// Counts a local root span of a trace.
    pub fn begin(&mut self, trace: u128, now_nanos: u64) {
        self.expire(now_nanos);
        let place = self.touch(trace, now_nanos);
        self.slots[place].roots += 1;
    }

    /// Counts the end of a local root span; the last one ends the trace.
    pub fn end(&mut self, trace: u128) {
        let Some(place) = self.places.get(&trace).copied() else { return };
        let slot = &mut self.slots[place];
        slot.roots = slot.roots.saturating_sub(1);
        if slot.roots == 0 {
            self.counts.discarded += self.remove(place);
        }
    }

    /// Throws out traces that were silent for too long.
    pub fn expire(&mut self, now_nanos: u64) {
        let oldest = now_nanos.saturating_sub(self.age_nanos);
        while let Some(silent) = self.slots.oldest().filter(|place| self.slots[*place].touched < oldest) {
            self.counts.evicted += self.remove(silent);
        }
    }

    /// What is kept, and what became of the rest.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { traces: self.places.len() as u64, ..self.counts }
    }

    /// Throws everything away, memory too.
    pub fn clear(&mut self) {
        let Counts { records, recorded, promoted, discarded, evicted, .. } = self.counts;
        *self = Self::new(self.limits);
        self.counts = Counts { recorded, promoted, evicted, discarded: discarded + records, ..self.counts };
    }

    /// The slot of a trace, now the one that logged last.
    fn touch(&mut self, trace: u128, now_nanos: u64) -> u32 {
        if let Some(place) = self.places.get(&trace).copied() {
            self.slots[place].touched = now_nanos;
            self.slots.touch(place);
            return place;
        }
        while let Some(oldest) = self.slots.oldest().filter(|_| self.places.len() >= self.limits.traces) {
            self.counts.evicted += self.remove(oldest);
        }
        let place = self.warm.pop().or_else(|| self.free.pop());
        let place = place.unwrap_or_else(|| self.slots.add(Slot::new()));
        let slot = &mut self.slots[place];
        (slot.trace, slot.touched) = (trace, now_nanos);
        self.places.insert(trace, place);
        self.counts.bytes += TRACE_BYTES;
        self.slots.link_newest(place);
        while self.counts.bytes > self.limits.bytes && self.free_something(place) {}
        place
    }

    /// Room for a record of this many bytes at the end of a trace, at the expense of what is oldest. False: it is too large.
    fn make_room(&mut self, place: u32, length: usize) -> bool {
        let share = self.limits.bytes / TRACE_SHARE;
        if length + size_of::<Entry>() > share || self.limits.trace_records == 0 {
            return false;
        }
        loop {
            let slot = &self.slots[place];
            let filled = slot.bytes.len() + (slot.entries.len() + 1) * size_of::<Entry>();
            if slot.entries.len() < self.limits.trace_records && filled + length <= share {
                break;
            }
            self.pop(place);
        }
        let slot = &self.slots[place];
        let bytes = grown(slot.bytes.len(), slot.bytes.capacity(), length, FIRST_BYTES);
        let entries = grown(slot.entries.len(), slot.entries.capacity(), 1, FIRST_BYTES / size_of::<Entry>());
        let more = bytes + entries * size_of::<Entry>() - slot.memory();
        while more > 0 && self.counts.bytes + more > self.limits.bytes {
            if !self.free_something(place) {
                return self.counts.bytes + more <= self.limits.bytes;
            }
        }
        let slot = &mut self.slots[place];
        let before = slot.memory();
        slot.bytes.reserve_exact(bytes - slot.bytes.len());
        slot.entries.reserve_exact(entries - slot.entries.len());
        self.counts.bytes += slot.memory() - before;
        true
    }

    /// Gives memory back: of ended traces, else of the trace that was silent longest. False: there is none but this one's.
    fn free_something(&mut self, place: u32) -> bool {
        if let Some(warm) = self.warm.pop() {
            let slot = std::mem::replace(&mut self.slots[warm], Slot::new());
            self.counts.bytes -= slot.memory();
            self.free.push(warm);
            return true;
        }
        let Some(oldest) = self.slots.oldest().filter(|oldest| *oldest != place) else { return false };
        self.counts.evicted += self.remove(oldest);
        true
    }

    /// Drops the oldest record of a trace.
    fn pop(&mut self, place: u32) {
        if self.slots[place].pop() {
            self.counts.records -= 1;
            self.push_out(place);
        }
    }

    /// Counts a record of a trace that is not kept, or not any more.
    fn push_out(&mut self, place: u32) {
        self.slots[place].evicted += 1;
        self.counts.evicted += 1;
    }

    /// Forgets a trace; the answer is how many records it had.
    fn remove(&mut self, place: u32) -> u64 {
        self.slots.unlink(place);
        let slot = &mut self.slots[place];
        let records = slot.entries.len() as u64;
        self.triggered -= usize::from(slot.trigger.is_some());
        self.places.remove(&slot.trace);
        let memory = slot.memory();
        let mut fresh = Slot::new();
        if memory <= WARM_BYTES {
            (fresh.bytes, fresh.entries) =
                (std::mem::take(&mut slot.bytes), std::mem::take(&mut slot.entries));
            fresh.bytes.clear();
            fresh.entries.clear();
            self.warm.push(place);
        } else {
            self.counts.bytes -= memory;
            self.free.push(place);
        }
        self.slots[place] = fresh;
        self.counts.bytes -= TRACE_BYTES;
        self.counts.records -= records;
        records
    }
}

/// The capacity that takes `more` beside what is there: the same, or twice as much.
fn grown(length: usize, capacity: usize, more: usize, first: usize) -> usize {
    if length + more <= capacity {
        capacity
    } else {
        (2 * capacity).max(length + more).max(first)
    }
}
