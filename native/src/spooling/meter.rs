//! Stage 7 of 7, settle: what the spools of a pipeline hold, and what the disk did to them. Thread: who collects metrics.

use crate::spool::SpoolError;
use crate::spooling::spooler::Spooler;

/// Since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Errors of the disk: reading, writing, no space.
    pub disk_errors: u64,
    /// Directories in which something was lost, those with a damaged block among them.
    pub damaged: u64,
}

/// What they hold, their own and those that were taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// Length of all files.
    pub bytes: u64,
    /// Blocks that somebody has not settled.
    pub blocks: u64,
    /// Age of the oldest of them at most, in nanoseconds.
    pub age_nanos: u64,
    /// What the disk did.
    pub trouble: Trouble,
}

impl Trouble {
    /// Counts an error, if it is one of the disk.
    pub(crate) fn note(&mut self, error: &SpoolError) {
        let is_disk = matches!(
            error,
            SpoolError::NoSpace(_) | SpoolError::ReadOnly(_) | SpoolError::Io(_) | SpoolError::Silent { .. }
        );
        self.disk_errors += u64::from(is_disk);
    }
}

impl Spooler {
    /// What it holds at `now_nanos` since the Unix epoch; what it held a moment ago, while the disk is at work.
    #[must_use]
    pub fn holding(&self, now_nanos: u64) -> Holding {
        let Some(inner) = self.try_lock() else { return self.rooms().holding };
        let mut holding = Holding { trouble: inner.trouble, ..Holding::default() };
        for store in inner.stores.values() {
            let taken = store.spool.occupancy();
            holding.bytes = holding.bytes.saturating_add(taken.bytes);
            holding.blocks += taken.blocks as u64;
            let age = taken.since_nanos.map_or(0, |since| now_nanos.saturating_sub(since));
            holding.age_nanos = holding.age_nanos.max(age);
        }
        drop(inner);
        let mut rooms = self.rooms();
        holding.trouble.disk_errors += rooms.trouble.disk_errors;
        holding.trouble.damaged += rooms.trouble.damaged;
        rooms.holding = holding;
        holding
    }
}
