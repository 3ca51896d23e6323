//! Stage 4 of 7, append: one open chunk and what still fits into it. Thread: caller, under the buffer's lock.

use crate::buffer::chunk::{Chunk, SCOPE_MARK};
use crate::record::{patch_sequence, Meta};
use crate::redact::Redacted;
use crate::ring::Slot;

/// Written where the scope changes.
pub(crate) const SCOPE_MARK_BYTES: usize = 5;

impl Meta {
    /// True for audit and security records below ERROR, which have a chunk and a reserve of their own.
    #[inline]
    #[must_use]
    pub const fn is_audit(self) -> bool {
        self.protected && self.severity < 17
    }
}

/// An open chunk.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub chunk: Chunk,
    /// Bytes that still fit into memory, and records; both 0 when the slow path must decide. With a slot of a ring there are
    /// no bytes, so that a record for memory pays nothing for the ring.
    pub space_bytes: usize,
    pub space_records: u64,
    scope: u32,
}

impl Lane {
    /// Whether a record may be [`Self::put`].
    #[inline]
    pub fn fits(&self, record: &Redacted<'_>, scope: u32) -> bool {
        let mark = if self.scope == scope { 0 } else { SCOPE_MARK_BYTES };
        record.frame().len() + mark <= self.space_bytes && self.space_records != 0
    }

    /// Copies a record that fits, under its number.
    #[inline]
    pub fn put(&mut self, record: &mut Redacted<'_>, scope: u32, sequence: u64) {
        if self.scope != scope {
            self.chunk.bytes.push(SCOPE_MARK);
            self.chunk.bytes.extend_from_slice(&scope.to_le_bytes());
            self.scope = scope;
            self.space_bytes -= SCOPE_MARK_BYTES;
        }
        if record.sequenced() {
            patch_sequence(record.frame_mut(), sequence);
        }
        self.chunk.bytes.extend_from_slice(record.frame());
        self.chunk.records += 1;
        self.space_bytes -= record.frame().len();
        self.space_records -= 1;
    }

    /// Whether a record may be [`Self::put_slowly`].
    pub fn takes(&self, record: &Redacted<'_>, scope: u32) -> bool {
        let Some(slot) = &self.chunk.slot else { return self.fits(record, scope) };
        let mark = if self.scope == scope { 0 } else { SCOPE_MARK_BYTES };
        self.space_records > 0 && slot.room() >= record.frame().len() + mark
    }

    /// As [`Self::put`], for a record that [`Self::takes`] took, protected or not, into memory or a slot. False: nothing was
    /// copied.
    pub fn put_slowly(&mut self, record: &mut Redacted<'_>, scope: u32, sequence: u64) -> bool {
        let protected = record.meta().protected;
        if self.chunk.slot.is_some() {
            if !self.put_into_slot(record, scope, sequence, protected) {
                return false;
            }
        } else {
            self.put(record, scope, sequence);
        }
        self.chunk.protected_records += u64::from(protected);
        true
    }

    /// When this returns, the record outlives the process.
    fn put_into_slot(
        &mut self,
        record: &mut Redacted<'_>,
        scope: u32,
        sequence: u64,
        protected: bool,
    ) -> bool {
        if record.sequenced() {
            patch_sequence(record.frame_mut(), sequence);
        }
        let is_new_scope = self.scope != scope;
        let copied = self.chunk.slot.as_mut().is_some_and(|slot| {
            let is_marked = !is_new_scope || {
                let [a, b, c, d] = scope.to_le_bytes();
                slot.stage(&[SCOPE_MARK, a, b, c, d])
            };
            is_marked && slot.append(record.frame(), protected)
        });
        if copied {
            self.scope = scope;
            self.chunk.records += 1;
            self.space_records -= 1;
        }
        copied
    }

    /// Opens a slot of a ring; `None`: the ring was left.
    pub fn open_slot(&mut self, slot: Option<Slot>, records: u64) {
        self.chunk.slot = slot;
        self.scope = u32::MAX;
        self.space_records = records;
    }

    /// Whether it has no memory.
    pub fn is_cold(&self) -> bool {
        self.chunk.bytes.capacity() == 0
    }

    /// Opens a chunk, in memory that was used before if there is some.
    pub fn open(&mut self, warm: Option<Vec<u8>>, bytes: usize, records: u64) {
        if self.is_cold() {
            self.chunk.bytes = warm.unwrap_or_else(|| Vec::with_capacity(bytes));
        }
        self.scope = u32::MAX;
        // The scope mark of the first record is not in the caller's estimate of what it needs.
        self.space_bytes = bytes;
        self.space_records = records;
    }

    /// What is in it, if anything; nothing fits then.
    pub fn close(&mut self) -> Option<Chunk> {
        self.space_bytes = 0;
        (self.chunk.records > 0).then(|| std::mem::take(&mut self.chunk))
    }
}
