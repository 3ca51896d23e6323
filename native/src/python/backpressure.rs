//! Stage 4 of 7, append: what a call does under `overflow = "wait"` when there is no room. Thread: caller.
//!
//! Off an event loop the call blocks, without the interpreter lock, until there is room or its deadline. On a loop it
//! never blocks: it returns an awaitable that holds the record; awaiting it yields to the loop until there is room.
//! Such an awaitable that is thrown away makes one last attempt and is counted.

use super::active::Active;
use super::gil::GilCell;
use super::helpers;
use crate::buffer::Appended;
use crate::ledger::DropReason;
use crate::redact::{Parked, Redacted};
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a blocked call looks for signals.
const SLICE: Duration = Duration::from_millis(50);

/// The record of a call on an event loop that found no room.
#[pyclass(frozen, module = "fapilog._native")]
pub struct PendingRecord {
    active: Arc<Active>,
    parked: GilCell<Option<Parked>>,
    scope: u32,
    deadline: Instant,
}

#[pymethods]
impl PendingRecord {
    /// Tries again; True when the record is decided: stored, or given up at its deadline.
    fn attempt(&self) -> bool {
        if self.active.is_inherited() {
            return true;
        }
        // SAFETY: attached; appending runs no Python code.
        let Some(parked) = (unsafe { self.parked.get() }) else { return true };
        let full = self.active.pipeline.append(&mut parked.redacted(), self.scope) == Appended::Full;
        if full && Instant::now() < self.deadline {
            return false;
        }
        if full {
            self.active.pipeline.buffer().give_up(DropReason::WaitTimeout);
        }
        // SAFETY: attached.
        drop(unsafe { self.parked.replace(None) });
        true
    }

    fn __await__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        helpers::wait_for_room(py, slf.into_any())
    }
}

impl Drop for PendingRecord {
    /// Runs with the interpreter lock held, when the last reference goes.
    fn drop(&mut self) {
        if !self.attempt() {
            self.active.pipeline.buffer().give_up(DropReason::NotAwaited);
        }
    }
}

/// Waits as the place allows. Returns what the log call returns and what became of the record (`Full`: it waits in the
/// awaitable); an error when a signal handler raised.
pub fn wait(
    py: Python<'_>,
    active: &Active,
    record: &mut Redacted<'_>,
    scope: u32,
) -> PyResult<(*mut ffi::PyObject, Appended)> {
    let deadline = Instant::now() + active.pipeline.settings().buffer.wait_timeout;
    if let (true, Some(active)) = (helpers::on_event_loop(py), active.strong()) {
        let parked = GilCell::new(Some(record.park()));
        let pending = PendingRecord { active, parked, scope, deadline };
        return Ok((Py::new(py, pending)?.into_ptr(), Appended::Full));
    }
    loop {
        let buffer = active.pipeline.buffer();
        let left = deadline.saturating_duration_since(Instant::now()).min(SLICE);
        let _ = py.detach(|| buffer.wait_for_room(left));
        if let Err(signal) = py.check_signals() {
            buffer.give_up(DropReason::WaitTimeout);
            return Err(signal);
        }
        let appended = active.pipeline.append(record, scope);
        if appended != Appended::Full {
            return Ok((helpers::done(), appended));
        }
        if Instant::now() >= deadline {
            buffer.give_up(DropReason::WaitTimeout);
            return Ok((helpers::done(), Appended::Dropped));
        }
    }
}
