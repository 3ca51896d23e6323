//! Stage 6 of 7, export: claimed blocks on disk that cannot be read for now. Threads: as `backlog`, which holds the lock;
//! spooler wakes them.
//!
//! Nobody has them in his hands. They are claimed all the same, so that the next ones get their turn.

use crate::backlog::Backlog;
use std::collections::BTreeMap;

/// By sequence number and cursor (`None`: the batch processors).
pub(super) type Resting = BTreeMap<(u64, Option<usize>), Wait>;

/// What a block waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The disk.
    Disk,
    /// Other keys than those of this version, which were tried.
    Keys(u64),
}

impl Backlog {
    /// Notes a claimed block that cannot be read for now. One that was given up meanwhile waits for nothing.
    pub(super) fn rest(&self, cursor: Option<usize>, sequence: u64, wait: Wait) {
        let mut state = self.lock();
        if state.cursors.is_wanted(cursor, sequence) {
            state.resting.insert((sequence, cursor), wait);
            return;
        }
        drop(state);
        self.give_back(cursor, sequence);
    }

    /// Lets blocks be claimed again that could not be read, unless their disk is to be left alone.
    pub fn retry_reads(&self) {
        let Some(disk) = &self.shelf else { return };
        disk.next_round();
        let due: Vec<_> = {
            let state = self.lock();
            let due = state.resting.iter().filter(|(_, wait)| **wait == Wait::Disk);
            due.map(|((sequence, cursor), _)| (*sequence, *cursor, state.cursors.spot(*sequence))).collect()
        };
        for (sequence, cursor, spot) in due {
            if spot.is_none_or(|spot| disk.may_read(spot)) {
                self.wake_one(cursor, sequence);
            }
        }
    }

    /// Lets blocks be claimed again that were tried with other keys than those of `version`.
    pub fn retry_locked(&self, version: u64) {
        let is_due = |wait: &Wait| matches!(wait, Wait::Keys(tried) if *tried != version);
        let due: Vec<_> = {
            let state = self.lock();
            state.resting.iter().filter(|(_, wait)| is_due(wait)).map(|(key, _)| *key).collect()
        };
        for (sequence, cursor) in due {
            self.wake_one(cursor, sequence);
        }
    }

    /// A block is given up at `cursor`: if it rests, nobody will say any more what became of it.
    pub(super) fn wake_lost(&self, cursor: usize, sequence: u64) {
        self.wake_one(Some(cursor), sequence);
        let mut state = self.lock();
        if !state.cursors.is_wanted(None, sequence) {
            state.resting.remove(&(sequence, None));
        }
    }

    fn wake_one(&self, cursor: Option<usize>, sequence: u64) {
        if self.lock().resting.remove(&(sequence, cursor)).is_some() {
            self.give_back(cursor, sequence);
        }
    }

    fn give_back(&self, cursor: Option<usize>, sequence: u64) {
        match cursor {
            Some(cursor) => self.release(cursor, sequence),
            None => self.unprocessed(sequence),
        }
    }
}
