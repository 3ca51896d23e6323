//! Stage 6 of 7, export: what the threads of the spool wait for. Threads: spooler, adopter; any wakes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    pressed: bool,
    stopped: bool,
    looked: bool,
}

/// Woken when blocks take too much memory, and at the end.
#[derive(Debug, Default)]
pub struct Signal {
    state: Mutex<State>,
    /// For the spool's thread alone: it is pressed often.
    pressed: Condvar,
    woken: Condvar,
    /// It was said that records wait for the next process.
    said: AtomicBool,
}

impl Signal {
    /// Waits until [`Self::press`] or [`Self::stop`] was called, or `timeout` passes. False: stop.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> bool {
        let idle = |state: &mut State| !state.pressed && !state.stopped;
        let waited = self.pressed.wait_timeout_while(self.lock(), timeout, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.pressed = false;
        !state.stopped
    }

    /// As [`Self::wait`], whatever blocks take.
    #[must_use]
    pub fn rest(&self, timeout: Duration) -> bool {
        let waited = self.woken.wait_timeout_while(self.lock(), timeout, |state| !state.stopped);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Blocks take more than their share.
    pub fn press(&self) {
        self.lock().pressed = true;
        self.pressed.notify_all();
    }

    /// Lets every wait end for good.
    pub fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// Directories of dead processes were looked for once.
    pub fn looked(&self) {
        self.change(|state| state.looked = true);
    }

    /// True after [`Self::looked`] or [`Self::stop`].
    #[must_use]
    pub fn has_looked(&self) -> bool {
        let state = self.lock();
        state.looked || state.stopped
    }

    /// Waits until [`Self::looked`] was called, so that what was found is in the backlog.
    pub fn wait_looked(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let unknown = |state: &mut State| !state.looked && !state.stopped;
        drop(self.woken.wait_timeout_while(self.lock(), left, unknown));
    }

    /// True the first time: what waits on disk is worth a line.
    #[must_use]
    pub fn may_say(&self) -> bool {
        !self.said.swap(true, Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.pressed.notify_all();
        self.woken.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
