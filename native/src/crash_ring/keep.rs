//! Stage 6 of 7, export: what keeps a block's records for the next process while nobody has them. Threads: all.
//!
//! With a crash ring, the bytes that a block was made of stay where a killed process leaves them: in a slot of this process's
//! ring, or in the ring of a dead one. They are let go when the block is settled by all, in the spool, or dropped and counted;
//! never at seal.

use crate::crash_ring::remains::Part;
use crate::crash_ring::torn::BEING_WRITTEN;
use crate::ring::Slot;
use std::path::Path;

/// A block's records, as a dying process leaves them.
#[derive(Debug)]
#[must_use = "what is dropped is recovered later, whatever became of the block"]
pub enum Keep {
    /// In our ring.
    Slot(Slot),
    /// In the ring of a dead process, which we took over.
    Part(Part),
    /// There, and whoever is alive may have taken it over from us.
    Elsewhere,
}

impl Keep {
    /// Notes that one cursor is done with the block, and others are not. A store, or a note.
    pub fn done_by(&mut self, cursor: usize) {
        match self {
            Self::Slot(slot) => slot.done_by(cursor),
            Self::Part(part) => part.done_by(cursor),
            Self::Elsewhere => {}
        }
    }

    /// Notes that the block is being written to the spool: see [`mod@crate::crash_ring::torn`]. A store; of a dead process's ring
    /// nothing is noted.
    pub fn being_written(&mut self) {
        if let Self::Slot(slot) = self {
            slot.done_by(BEING_WRITTEN as usize);
        }
    }

    /// Whether a dead process left it.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(self, Self::Part(_) | Self::Elsewhere)
    }

    /// Whether a dead process left it where a loss of power takes nothing.
    #[must_use]
    pub fn was_forced(&self) -> bool {
        matches!(self, Self::Part(part) if part.was_forced())
    }

    /// The file of a dead process in which it is; `None`: it is in ours, or nobody knows any more.
    #[must_use]
    pub fn left_in(&self) -> Option<&Path> {
        match self {
            Self::Part(part) => Some(part.path()),
            Self::Slot(_) | Self::Elsewhere => None,
        }
    }

    /// The block is settled by all, in the spool, or dropped and counted. Waits for no disk.
    pub fn let_go(self) {
        match self {
            Self::Slot(slot) => slot.recycle(),
            Self::Part(part) => part.let_go(),
            Self::Elsewhere => {}
        }
    }
}
