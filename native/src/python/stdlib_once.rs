//! Stage 1 of 7, emit: a record of `logging` is taken once, however many of our handlers it passes. Thread: caller.
//!
//! What tells records apart is identity, and an address is used again at once. So each thread keeps a weak reference to
//! the last record it passed on, and which pipelines took it.

use super::gil::GilCell;
use super::handle::PipelineHandle;
use super::stdlib_hook::is_on_its_way;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Threads remembered at a time; two that share a place may forget, never confuse.
const SLOTS: usize = 64;

struct Last {
    record: Py<PyWeakrefReference>,
    /// The address of the pipeline that took it first, and of those that took it later: mostly none, and then nothing is
    /// allocated.
    first: usize,
    later: Vec<usize>,
}

impl Last {
    fn was_taken_by(&self, pipeline: usize) -> bool {
        self.first == pipeline || self.later.contains(&pipeline)
    }
}

static LAST: GilCell<[Option<Last>; SLOTS]> = GilCell::new([const { None }; SLOTS]);
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

/// Set with the first event that goes on to `logging`, for good: a process without one pays one load per record.
static ANY_GOES_ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The pipeline that took the event which another library now hands to `logging` on this thread; 0: none.
    static GOES_ON: Cell<usize> = const { Cell::new(0) };
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
        let first = !last.was_taken_by(pipeline);
        if first {
            last.later.push(pipeline);
        }
        return first;
    }
    if !goes_on {
        return true;
    }
    if let Ok(weak) = PyWeakrefReference::new(record) {
        let last = Last { record: weak.unbind(), first: pipeline(), later: Vec::new() };
        // SAFETY: attached; the old value is dropped after the cell is written.
        let old = unsafe { LAST.get()[slot].replace(last) };
        // Bound: a raw method is no place where PyO3 lets go of a `Py` at once.
        drop(old.map(|old| old.record.into_bound(record.py())));
    }
    true
}

/// What tells the pipelines of handles apart.
pub fn address_of(handle: &Bound<'_, PipelineHandle>) -> usize {
    let pipeline = handle.get().pipeline(handle.py()).map(|pipeline| pipeline.into_bound(handle.py()));
    pipeline.map_or(handle.as_ptr() as usize, |pipeline| pipeline.as_ptr() as usize)
}

/// Says that the pipeline of `handle` took an event that its library hands on to `logging` next, on this thread; `None`:
/// nothing of the kind any more.
#[pyfunction]
#[pyo3(signature = (handle, /))]
pub fn goes_on_to_logging(handle: Option<&Bound<'_, PipelineHandle>>) {
    GOES_ON.set(handle.map_or(0, address_of));
    ANY_GOES_ON.store(true, Ordering::Relaxed);
}

/// Whether the next record of this thread may be an event that this pipeline took already.
#[inline]
pub fn may_be_taken(pipeline: impl FnOnce() -> usize) -> bool {
    ANY_GOES_ON.load(Ordering::Relaxed) && GOES_ON.get() != 0 && GOES_ON.get() == pipeline()
}

/// The record that the handlers of `logging` are looking at on this thread, if the pipeline of `handle` took it through
/// the hook.
#[pyfunction]
#[pyo3(signature = (handle, /))]
pub fn record_on_its_way<'py>(handle: &Bound<'py, PipelineHandle>) -> Option<Bound<'py, PyAny>> {
    if !is_on_its_way() {
        return None;
    }
    let slot = SLOT.with(|slot| *slot);
    let pipeline = address_of(handle);
    // SAFETY: attached; the borrow ends before Python code may run.
    let last = unsafe { LAST.get()[slot].as_ref() }.filter(|last| last.was_taken_by(pipeline))?;
    last.record.bind(handle.py()).upgrade()
}
