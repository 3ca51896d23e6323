//! The end of the process: who may still run Python code.
//!
//! Before CPython 3.14 a thread that wants the interpreter lock after finalisation is ended by a forced unwind, which
//! aborts the process when it meets our frames. So from Python's atexit on, only the thread that runs it calls Python:
//! other threads still log, but console, taps and values that need Python code are skipped.

use pyo3::prelude::*;
use std::sync::OnceLock;
use std::thread::{self, ThreadId};

static ENDING: OnceLock<ThreadId> = OnceLock::new();

/// From now on only the calling thread may run Python code while it logs.
#[pyfunction]
pub fn begin_exit() {
    // A second call comes from the same thread.
    let _ = ENDING.set(thread::current().id());
}

/// Whether this thread may run Python code; always, until the process ends.
#[inline]
pub fn may_call_python() -> bool {
    ENDING.get().is_none_or(|ending| *ending == thread::current().id())
}
