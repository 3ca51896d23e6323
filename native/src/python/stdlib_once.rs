//! Stage 1 of 7, emit: a record of `logging` is taken once, however many of our handlers it passes. Thread: caller.
//!
//! What tells records apart is identity, and an address is used again at once. So each thread keeps a weak reference to
//! the last record it passed on, and which pipelines took it.

use super::gil::GilCell;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads remembered at a time; two that share a place may forget, never confuse.
const SLOTS: usize = 64;

struct Last {
    record: Py<PyWeakrefReference>,
    /// Addresses of the pipelines that took it.
    pipelines: Vec<usize>,
}

static LAST: GilCell<[Option<Last>; SLOTS]> = GilCell::new([const { None }; SLOTS]);
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SLOT: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed) % SLOTS;
}

/// True the first time that a pipeline (whose address `pipeline` gives) sees this record on this thread. Only a record
/// that `goes_on` to other handlers can come again, and is remembered; one that cannot be referenced weakly is new every
/// time.
pub fn first_time(record: &Bound<'_, PyAny>, goes_on: bool, pipeline: impl FnOnce() -> usize) -> bool {
    let slot = SLOT.with(|slot| *slot);
    // SAFETY: attached; the borrow ends before Python code may run: `pipeline` reads two cells.
    let known = unsafe { LAST.get()[slot].as_mut() }.filter(|last| {
        let last = last.record.bind(record.py());
        last.upgrade().is_some_and(|last| last.is(record))
    });
    if let Some(last) = known {
        let pipeline = pipeline();
        let first = !last.pipelines.contains(&pipeline);
        if first {
            last.pipelines.push(pipeline);
        }
        return first;
    }
    if !goes_on {
        return true;
    }
    if let Ok(weak) = PyWeakrefReference::new(record) {
        let last = Last { record: weak.unbind(), pipelines: vec![pipeline()] };
        // SAFETY: attached; the old value is dropped after the cell is written.
        drop(unsafe { LAST.get()[slot].replace(last) });
    }
    true
}
