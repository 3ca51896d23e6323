//! Counters of stage 1 and of exporters that run on the caller. Thread: caller. Imports nothing of ours.

use std::sync::atomic::{AtomicU64, Ordering};

/// Plain adds: the interpreter lock serialises writers.
#[derive(Debug, Default)]
pub struct EmitCounts {
    filtered: AtomicU64,
    /// Filtered calls that the flight recorder kept, and that count elsewhere now.
    promoted: AtomicU64,
    console: AtomicU64,
    console_failed: AtomicU64,
}

impl EmitCounts {
    /// Counts a call below the logger's level.
    #[inline]
    pub fn filtered(&self) {
        self.filtered.store(self.filtered.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Takes one of them back, because its record goes on.
    pub fn promoted(&self) {
        self.promoted.store(self.promoted.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// Calls below the logger's level so far, without those whose records went on.
    #[must_use]
    pub fn filtered_count(&self) -> u64 {
        let promoted = self.promoted.load(Ordering::Acquire);
        self.below_count().saturating_sub(promoted)
    }

    /// Calls below the logger's level so far.
    #[must_use]
    pub fn below_count(&self) -> u64 {
        self.filtered.load(Ordering::Relaxed)
    }

    /// Counts a record that went to the console, or failed to.
    pub fn console(&self, written: bool) {
        let counter = if written { &self.console } else { &self.console_failed };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Records written to the console, and records that could not be.
    #[must_use]
    pub fn console_counts(&self) -> (u64, u64) {
        (self.console.load(Ordering::Relaxed), self.console_failed.load(Ordering::Relaxed))
    }
}
