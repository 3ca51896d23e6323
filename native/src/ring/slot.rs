//! Stage 4 of 7, append: one chunk in the ring. Threads: its holder, one at a time: callers, then the sealer.

use super::layout::{committed, word};
use super::mapping::{Mapping, Region};
use super::store::{Free, Shared};
use std::sync::atomic::{fence, Ordering};
use std::sync::Arc;

/// A slot that its holder fills, reads, and gives back.
///
/// What was committed is recovered when the process dies, until [`Self::recycle`]. A slot that is dropped instead keeps its
/// records, and its place, for as long as the process lives: the safe side.
#[derive(Debug)]
#[must_use = "a slot that is dropped is lost to this process; recycle it when its records are safe elsewhere"]
pub struct Slot {
    shared: Arc<Shared>,
    index: u32,
    region: Region,
    /// Bytes copied, and those of them that are committed.
    staged: usize,
    length: usize,
    records: u32,
    protected_records: u32,
    /// Exporters that are done with the records, one bit each.
    done: u32,
}

impl Slot {
    /// Opens a slot of `free`. `None` when there is none.
    pub(super) fn open(shared: &Arc<Shared>, free: &mut Free, first_sequence: u64) -> Option<Self> {
        if free.closed {
            return None;
        }
        let (index, region) = free.regions.pop()?;
        free.epoch += 1;
        let slot = Self {
            shared: Arc::clone(shared),
            index,
            region,
            staged: 0,
            length: 0,
            records: 0,
            protected_records: 0,
            done: 0,
        };
        // `COMMITTED` is 0 since the slot was made or recycled: nobody reads the words before the first commit.
        slot.put(word::PROTECTED, 0);
        slot.put(word::FIRST_SEQUENCE, first_sequence);
        slot.put(word::RESOURCE, u64::from(free.resource));
        slot.put(word::PROCESS, u64::from(shared.process));
        slot.put(word::EPOCH, free.epoch);
        // Who still reads the old bytes, for a checkpoint, sees the new epoch afterwards.
        fence(Ordering::SeqCst);
        Some(slot)
    }

    /// Copies and commits one whole frame: when this returns true, the record outlives the process.
    ///
    /// About a copy and a store; no lock, no system call. False, and nothing is stored, when it does not fit or the process was forked.
    #[inline]
    #[must_use]
    pub fn append(&mut self, frame: &[u8], protected: bool) -> bool {
        let is_staged = self.stage(frame);
        if is_staged {
            self.commit(1, u32::from(protected));
        }
        is_staged
    }

    /// Copies bytes behind those that are there, without committing them: a scope mark, before the frame it belongs to.
    #[inline]
    #[must_use]
    pub fn stage(&mut self, bytes: &[u8]) -> bool {
        let fits = self.region.write(self.staged, bytes);
        if fits {
            self.staged += bytes.len();
        }
        fits
    }

    /// Commits what was staged: `records` whole frames. One release store.
    #[inline]
    pub fn commit(&mut self, records: u32, protected_records: u32) {
        self.length = self.staged;
        self.records = self.records.saturating_add(records);
        if protected_records > 0 {
            self.protected_records = self.protected_records.saturating_add(protected_records);
            self.put(word::PROTECTED, u64::from(self.protected_records));
        }
        self.put(word::COMMITTED, committed(self.length as u32, self.records));
    }

    /// Notes that the records belong to the resource that was defined last, not to that of the moment when the slot was taken.
    pub fn use_newest_resource(&mut self) {
        let resource = self.shared.free().resource;
        self.put(word::RESOURCE, u64::from(resource));
    }

    /// Notes that an exporter is done with all records, so that it does not get them again. Its number is that of
    /// [`super::Ring::define_exporter`]; beyond 31 nothing is noted.
    pub fn done_by(&mut self, exporter: usize) {
        if exporter < u32::BITS as usize {
            self.done |= 1 << exporter;
            self.put(word::PROCESS, u64::from(self.done) << 32 | u64::from(self.shared.process));
        }
    }

    /// What was committed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.region.read(self.length)
    }

    /// Bytes that still fit.
    #[inline]
    #[must_use]
    pub fn room(&self) -> usize {
        self.region.capacity() - self.staged
    }

    /// Records inside.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Gives the slot back, when its records are delivered, or written elsewhere as safely. They are recovered no more.
    pub fn recycle(self) {
        self.put(word::COMMITTED, 0);
        let Self { shared, index, region, .. } = self;
        if shared.mapping.is_owner() {
            shared.free().regions.push((index, region));
        }
    }

    #[inline]
    fn put(&self, number: usize, value: u64) {
        put(&self.shared.mapping, self.index, number, value);
    }
}

/// Stores a word of slot `index`. In a forked child nothing happens.
#[inline]
pub(super) fn put(mapping: &Mapping, index: u32, number: usize, value: u64) {
    if let Some(word) = mapping.word(index as usize * word::COUNT + number) {
        word.store(value.to_le(), Ordering::Release);
    }
}

/// Reads a word of slot `index`; 0 in a forked child.
pub(super) fn get(mapping: &Mapping, index: u32, number: usize) -> u64 {
    let word = mapping.word(index as usize * word::COUNT + number);
    word.map_or(0, |word| u64::from_le(word.load(Ordering::Acquire)))
}
