//! Stage 4 of 7, append: what dedupe held back goes on, with its number. Threads: sealer; callers that flush or end a window.
//!
//! Under `wait` the buffer may have no room. Nobody waits here: such a record is tried again when the sealer comes by.

use crate::buffer::Appended;
use crate::clock::monotonic_nanos;
use crate::ledger::DropReason;
use crate::pipeline::Pipeline;
use crate::process::dedupe::{Dedupe, Summary};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Records kept for want of room, and records kept for the console; beyond, the oldest leave.
const KEEP: usize = 1024;

/// A record that went on without a caller: the record, redacted, and its scope.
pub type Unshown = (Vec<u8>, u32);

/// Summaries that are not where they belong yet.
#[derive(Debug, Default)]
pub struct Summaries {
    without_room: Mutex<VecDeque<Summary>>,
    /// Whether anybody wants to see what went on: a console or a tap, which run on callers only.
    watched: AtomicBool,
    waiting: AtomicBool,
    unshown: Mutex<VecDeque<Unshown>>,
}

impl Summaries {
    /// Keeps what goes on for [`Self::take_unshown`], or not.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// True when [`Self::take_unshown`] would return something. One relaxed load.
    #[inline]
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The records that went on since the last call and that no caller has shown, oldest first.
    pub fn take_unshown(&self) -> Vec<Unshown> {
        let mut unshown = locked(&self.unshown);
        self.waiting.store(false, Ordering::Relaxed);
        unshown.drain(..).collect()
    }

    fn show(&self, record: &[u8], scope: u32) {
        if self.watched.load(Ordering::Relaxed) {
            let mut unshown = locked(&self.unshown);
            if unshown.len() == KEEP {
                unshown.pop_front();
            }
            unshown.push_back((record.to_vec(), scope));
            self.waiting.store(true, Ordering::Relaxed);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipeline {
    /// Sends on what the windows that have ended held back. Returns the time until it should be asked again.
    pub fn end_windows(&self) -> Option<Duration> {
        let dedupe = self.dedupe()?;
        self.retry_without_room();
        for summary in dedupe.take_ended(monotonic_nanos()) {
            self.send_on(summary);
        }
        // A window may open while the sealer waits: so it never waits longer than one is open.
        let next = dedupe.next_end().map(|end| Duration::from_nanos(end.saturating_sub(monotonic_nanos())));
        Some(next.unwrap_or(dedupe.window()).min(dedupe.window()).max(Duration::from_millis(1)))
    }

    /// Sends on what every window holds back now. False when there was no room for all.
    pub fn send_held(&self) -> bool {
        let Some(dedupe) = self.dedupe() else { return true };
        self.retry_without_room();
        for summary in dedupe.take_held() {
            self.send_on(summary);
        }
        locked(&self.summaries().without_room).is_empty()
    }

    /// Sends one record on with its number.
    pub fn send_on(&self, summary: Summary) {
        let mut counted = summary.counted();
        let mut record = counted.redacted();
        match self.append(&mut record, summary.scope) {
            Appended::Full => self.keep(summary),
            Appended::Refused => {}
            Appended::Stored(_) | Appended::Dropped => self.summaries().show(record.record(), summary.scope),
        }
    }

    /// Counts what never found room as lost.
    pub fn give_up_summaries(&self, reason: DropReason) {
        for _ in locked(&self.summaries().without_room).drain(..) {
            self.buffer().give_up(reason);
        }
    }

    /// Whether records may be held back, so that somebody has to come by when their windows end.
    #[must_use]
    pub fn holds_windows(&self) -> bool {
        self.dedupe().is_some()
    }

    fn dedupe(&self) -> Option<&Dedupe> {
        self.processors()?.dedupe()
    }

    fn keep(&self, summary: Summary) {
        let mut waiting = locked(&self.summaries().without_room);
        if waiting.len() == KEEP {
            waiting.pop_front();
            self.buffer().give_up(DropReason::WaitTimeout);
        }
        waiting.push_back(summary);
    }

    fn retry_without_room(&self) {
        let waiting = std::mem::take(&mut *locked(&self.summaries().without_room));
        for summary in waiting {
            self.send_on(summary);
        }
    }
}
