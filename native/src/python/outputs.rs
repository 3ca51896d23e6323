//! Stages 4 and 6 of 7, on the caller after append: waiting for room, the console line, the taps. Thread: caller.

use super::active::{Active, Console};
use super::ending::may_call_python;
use super::{backpressure, helpers};
use crate::buffer::Appended;
use crate::console;
use crate::export::watch;
use crate::redact::Redacted;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// The rare ends of an emission: no room under `wait`, console, taps. Returns what the log call returns, and an
/// interrupt that a stream or a tap raised.
///
/// # Safety
/// Attached.
#[cold]
pub unsafe fn after_append(
    py: Python<'_>,
    active: &Active,
    redacted: &Redacted<'_>,
    scope: u32,
    appended: Appended,
) -> (*mut ffi::PyObject, Option<PyErr>) {
    let (result, appended) = match appended {
        Appended::Full => match backpressure::wait(py, active, redacted, scope) {
            Ok(waited) => waited,
            Err(signal) => return (helpers::done(), Some(signal)),
        },
        decided => (helpers::done(), decided),
    };
    if appended == Appended::Refused || !may_call_python() {
        return (result, None);
    }
    active.pipeline.looks.shown(redacted);
    (result, tell(py, active, redacted.record(), scope))
}

/// Hands what went on without a caller to console and taps. Returns an interrupt that one of them raised.
#[cold]
#[must_use]
pub fn show(py: Python<'_>, active: &Active) -> Option<PyErr> {
    let mut interrupt = None;
    for (record, scope) in active.pipeline.summaries().take_unshown() {
        if may_call_python() {
            interrupt = interrupt.or(tell(py, active, &record, scope));
        }
    }
    interrupt
}

/// The console line and the taps of one record.
fn tell(py: Python<'_>, active: &Active, record: &[u8], scope: u32) -> Option<PyErr> {
    // SAFETY: attached, as `py` proves.
    let outputs = unsafe { active.outputs() };
    let scope = active.pipeline.scopes().name(scope);
    let mut interrupt = None;
    if let Some(console) = &outputs.console {
        interrupt = write_line(py, active, console, record, &scope);
    }
    for tap in &outputs.taps {
        let record = PyBytes::new(py, record);
        let called = tap.call1(py, (&record, &scope));
        interrupt = interrupt.or(helpers::interrupt_of(py, called));
    }
    interrupt
}

/// The console line. What its own policy cannot be applied to is not shown.
fn write_line(
    py: Python<'_>,
    active: &Active,
    console: &Console,
    record: &[u8],
    scope: &str,
) -> Option<PyErr> {
    let mut line = String::with_capacity(256);
    match &console.stricter {
        None => console::render(record, scope, &console.settings, &mut line),
        Some(stricter) => {
            let Some((record, scope)) = stricter.shown(record, scope) else {
                active.pipeline.emit_counts().console(false);
                return None;
            };
            console::render(&record, &scope, &console.settings, &mut line);
        }
    }
    watch::text("console", &line);
    let line = PyString::new(py, &line);
    let written = console.write.call1(py, (&line,));
    active.pipeline.emit_counts().console(written.is_ok());
    helpers::interrupt_of(py, written)
}
