//! Stage 6 of 7, export: what is to be written into rings of dead processes. Threads: any adds; spooler, who ends write.
//!
//! Who settles or drops a block may be a caller that holds the buffer's lock, and the disk may take its time. So it is noted
//! here, and a thread that may wait writes it. Who is killed in between leaves duplicates, no losses.

use crate::ring::{place, Recovered};
use crate::spooling::signal::Signal;
use std::sync::atomic::{fence, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A dead process's ring, of which blocks wait here.
#[derive(Debug)]
pub(crate) struct Left {
    pub ring: Recovered,
    /// Chunks that are not settled yet.
    pub parts: AtomicUsize,
    /// Its records survive a loss of power.
    pub was_forced: bool,
    /// By cursor: its exporter's number in the dead process. Empty when there is only one, which settles the block at once.
    pub numbers: Vec<Option<u32>>,
}

/// One thing to write.
#[derive(Debug)]
pub(crate) enum Chore {
    /// These exporters, one bit each, are done with the records of a slot.
    Done(Arc<Left>, u32, u32),
    /// All are.
    LetGo(Arc<Left>, u32),
}

/// What is to be written, in order.
#[derive(Debug, Default)]
pub struct Chores {
    signal: Arc<Signal>,
    waiting: Mutex<Vec<Chore>>,
}

impl Chores {
    /// None yet. `signal` wakes who does them.
    #[must_use]
    pub fn new(signal: &Arc<Signal>) -> Self {
        Self { signal: Arc::clone(signal), waiting: Mutex::default() }
    }

    /// Notes one. Waits for nothing.
    pub(crate) fn add(&self, chore: Chore) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(chore);
        self.signal.press();
    }

    /// Whether no chore waits, and no part of a dead ring is left here that could bring one. Only the spooler and the parts
    /// share this.
    pub(crate) fn is_over(self: &Arc<Self>) -> bool {
        let parts = Arc::strong_count(self) - 1;
        // What a part noted before it went is seen.
        fence(Ordering::Acquire);
        parts == 0 && self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Does them. May wait for a disk.
    pub fn run(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Chore::run);
    }
}

impl Chore {
    /// What fails here makes duplicates, no losses.
    fn run(self) {
        match self {
            Self::Done(left, slot, done) => drop(left.ring.note_done(slot, done)),
            Self::LetGo(left, _) if left.parts.fetch_sub(1, Ordering::AcqRel) == 1 => remove(&left.ring),
            Self::LetGo(left, slot) => drop(left.ring.recycle(slot)),
        }
    }
}

/// Removes a ring in which nothing is any more.
pub(crate) fn remove(ring: &Recovered) {
    // What cannot be removed is found again, empty.
    let _ = ring.remove();
    place::tidy(ring.path());
}
