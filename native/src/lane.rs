//! Stage 4 of 7, append: one open chunk and what still fits into it. Thread: caller, under the buffer's lock.

use crate::chunk::{Chunk, SCOPE_MARK};
use crate::record::{patch_sequence, Meta};
use crate::redact::Redacted;

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
    /// Bytes and records that still fit; both 0 when the slow path must decide.
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
