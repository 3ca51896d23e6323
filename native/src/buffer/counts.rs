//! Stage 4 of 7, append: what the buffer tells the ledger. Threads: any.

use super::Buffer;
use crate::ledger::{Drops, REFUSALS};

/// The buffer's terms of the ledger at one moment.
#[derive(Debug, Clone, Copy)]
pub struct BufferCounts {
    /// Past stage 3.
    pub accepted: u64,
    /// Not accepted, by reason.
    pub refused: [u64; REFUSALS.len()],
    /// Lost before they reached a block, by reason.
    pub dropped: Drops,
    /// In chunks, sealed or not, or waiting for room.
    pub pending: u64,
    /// Of these, those that the next process finds.
    pub kept: u64,
}

impl Buffer {
    /// The buffer's counts, and what `with` reads while no record can move between buffer and backlog.
    pub fn counts<T>(&self, with: impl FnOnce() -> T) -> (BufferCounts, T) {
        let state = self.lock();
        let waiting = state.waiting.len();
        let in_chunks = state.records() + state.left_records;
        let counts = BufferCounts {
            accepted: state.accepted + waiting,
            refused: state.refused,
            dropped: state.dropped,
            pending: in_chunks + waiting,
            kept: if self.ring.is_some() { in_chunks } else { 0 },
        };
        (counts, with())
    }

    /// Memory in use now, in bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        let state = self.lock();
        self.used_bytes(&state)
    }
}
