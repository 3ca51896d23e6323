//! Threads whose records are dropped: those that deliver to exporters written in Python. Thread: caller.
//!
//! What an exporter logs would come back to it as a new record, and so on for ever. Such a record is not even counted
//! as offered. A process without such a thread pays one load per call.

use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set with the first muted thread, for good.
static ANY: AtomicBool = AtomicBool::new(false);

thread_local! {
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// From now on records of the calling thread are dropped, of every logger; for good.
#[pyfunction]
pub fn mute_thread() {
    MUTED.set(true);
    ANY.store(true, Ordering::Relaxed);
}

/// Whether records of the calling thread are dropped.
#[inline]
pub fn is_muted() -> bool {
    ANY.load(Ordering::Relaxed) && is_muted_thread()
}

/// Of its own, because a thread's variable is found by a call.
#[cold]
#[inline(never)]
fn is_muted_thread() -> bool {
    MUTED.get()
}
