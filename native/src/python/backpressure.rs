//! Stage 4 of 7, append: what a call does whose record has to wait for room. Thread: caller.
//!
//! The record waits in the queue of [`crate::buffer::waiting`]. Off an event loop the call blocks, without the interpreter lock,
//! until the record is stored or its deadline passes; a signal ends the wait, not the record. On a loop the call never
//! blocks: it returns an awaitable; awaiting it yields to the loop until the record is decided. An awaitable that is
//! thrown away leaves its record in the queue, while such records are few. A thread that holds a lock of others is treated
//! as a loop. A call that lets several records out waits for all of them as long as for one.

use super::active::Active;
use super::helpers;
use crate::buffer::waiting::{Bell, Fate, Turn};
use crate::buffer::Appended;
use crate::redact::Redacted;
use pyo3::ffi;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a blocked call looks for signals.
const SLICE: Duration = Duration::from_millis(50);

/// How long a call may still wait, which lets out more than its own record.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// Nothing waited so far.
    Whole,
    /// The deadline of the first record that waited.
    Until(Instant),
    /// An interrupt is on its way to the application: nothing waits any more.
    Over,
}

thread_local! {
    /// Of the outermost such call of this thread.
    static LIMIT: Cell<Option<Limit>> = const { Cell::new(None) };
}

/// While it lives, all that this thread logs waits until one deadline: the kept records, the call's own, and what
/// processors, taps and signal handlers log meanwhile.
pub struct Patience {
    outermost: bool,
}

impl Patience {
    /// Begins with the call, or joins the one around it.
    pub fn of_call() -> Self {
        let outermost = LIMIT.get().is_none();
        if outermost {
            LIMIT.set(Some(Limit::Whole));
        }
        Self { outermost }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        if self.outermost {
            LIMIT.set(None);
        }
    }
}

/// Lets nothing wait for the rest of the call, which was interrupted.
pub fn stop_waiting() {
    LIMIT.set(LIMIT.get().map(|_| Limit::Over));
}

/// What tells one event loop that records were decided.
#[pyclass(frozen, module = "fapilog._native")]
pub struct RoomBell {
    bell: Arc<Bell>,
}

#[pymethods]
impl RoomBell {
    #[new]
    fn new() -> Self {
        Self { bell: Arc::default() }
    }

    /// The descriptor that is readable when there is something to take. It stays ours.
    fn fd(&self) -> PyResult<i32> {
        Ok(self.bell.fd()?)
    }

    /// The numbers of the records that were decided since the last call.
    fn take(&self) -> Vec<u64> {
        self.bell.take()
    }
}

/// The record of a call on an event loop that found no room.
#[pyclass(frozen, module = "fapilog._native")]
pub struct PendingRecord {
    active: Arc<Active>,
    turn: Arc<Turn>,
    deadline: Instant,
}

#[pymethods]
impl PendingRecord {
    /// The record's number in its queue, unique in the process.
    #[getter]
    fn number(&self) -> u64 {
        self.turn.number()
    }

    /// Seconds until the deadline.
    #[getter]
    fn seconds_left(&self) -> f64 {
        self.deadline.saturating_duration_since(Instant::now()).as_secs_f64()
    }

    /// Whether the record is decided: stored, or given up, now if its deadline has passed.
    fn is_decided(&self) -> bool {
        // A forked child's copy: the record is the parent's.
        if self.active.is_inherited() || self.turn.fate() != Fate::Waiting {
            return true;
        }
        Instant::now() >= self.deadline && self.active.pipeline.buffer().expire(&self.turn) != Fate::Waiting
    }

    /// Lets `bell` ring when the record is decided; False: it is.
    fn listen(&self, bell: &RoomBell) -> bool {
        !self.active.is_inherited() && self.active.pipeline.buffer().listen(&self.turn, &bell.bell)
    }

    fn __await__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        helpers::wait_for_room(py, slf.into_any())
    }
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        if !self.active.is_inherited() && self.turn.fate() == Fate::Waiting {
            self.active.pipeline.buffer().leave(&self.turn);
        }
    }
}

/// Waits as the place allows. Returns what the log call returns and what became of the record (`Full`: it waits); an
/// error when a signal handler raised.
pub fn wait(
    py: Python<'_>,
    active: &Active,
    record: &Redacted<'_>,
    scope: u32,
) -> PyResult<(*mut ffi::PyObject, Appended)> {
    let buffer = active.pipeline.buffer();
    let limit = LIMIT.get();
    let deadline = match limit {
        Some(Limit::Until(deadline)) => deadline,
        _ => Instant::now() + active.pipeline.settings().buffer.wait_timeout,
    };
    let turn = buffer.park(record, scope, deadline);
    match limit {
        Some(Limit::Over) => {
            buffer.leave(&turn);
            return Ok((helpers::done(), Appended::Full));
        }
        _ if helpers::must_not_block(py) => {
            let Some(active) = active.strong() else {
                buffer.leave(&turn);
                return Ok((helpers::done(), Appended::Full));
            };
            let pending = PendingRecord { active, turn, deadline };
            return Ok((Py::new(py, pending)?.into_ptr(), Appended::Full));
        }
        Some(Limit::Whole) => LIMIT.set(Some(Limit::Until(deadline))),
        _ => {}
    }
    block(py, active, &turn, deadline)
}

/// Waits off an event loop, and handles signals meanwhile.
fn block(
    py: Python<'_>,
    active: &Active,
    turn: &Turn,
    deadline: Instant,
) -> PyResult<(*mut ffi::PyObject, Appended)> {
    let buffer = active.pipeline.buffer();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let fate = match py.detach(|| buffer.wait_for(turn, left.min(SLICE))) {
            Fate::Waiting if left.is_zero() => buffer.expire(turn),
            fate => fate,
        };
        match fate {
            Fate::Stored(sequence) => return Ok((helpers::done(), Appended::Stored(sequence))),
            Fate::Lost => return Ok((helpers::done(), Appended::Dropped)),
            Fate::Waiting => {}
        }
        if let Err(signal) = py.check_signals() {
            if !active.is_inherited() {
                buffer.leave(turn);
            }
            stop_waiting();
            return Err(signal);
        }
        // The signal handler forked, and this is the child: the record is the parent's.
        if active.is_inherited() {
            return Ok((helpers::done(), Appended::Refused));
        }
    }
}
