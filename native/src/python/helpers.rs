//! What capture asks of Python, off the hot path: connected once, by `fapilog.capture`. Thread: caller.

use super::active::Active;
use super::gil::GilCell;
use super::level::Level;
use crate::decode::severity_short_name;
use crate::ledger::notices::Notices;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::ptr;

/// The Python functions, by the names of the `connect_capture` keywords.
struct Helpers {
    describe_exception: Py<PyAny>,
    severity_number: Py<PyAny>,
    unix_nanos: Py<PyAny>,
    wait_for_room: Py<PyAny>,
    must_not_block: Py<PyAny>,
    on_notice: Py<PyAny>,
    say: Py<PyAny>,
    thread: Py<PyAny>,
    configure_defaults: Py<PyAny>,
}

/// What a severity that nobody knows becomes.
const INFO: u8 = 9;

static HELPERS: PyOnceLock<Helpers> = PyOnceLock::new();
/// The awaitable that almost every log call returns.
static DONE: GilCell<*mut ffi::PyObject> = GilCell::new(ptr::null_mut());

/// Result of a log call whose record is decided: awaiting it returns at once.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Completed;

#[pymethods]
impl Completed {
    const fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[allow(clippy::unused_self)] // a method on the Python side
    const fn __next__(&self) -> Option<()> {
        None
    }
}

/// Makes the shared awaitable; once, at import.
pub fn init(py: Python<'_>) -> PyResult<()> {
    let done = Py::new(py, Completed)?;
    // SAFETY: attached; the reference lives as long as the process.
    unsafe { *DONE.get() = done.into_ptr() };
    Ok(())
}

/// Connects capture with the Python functions it needs now and then.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // keywords on the Python side
#[pyo3(signature = (*, describe_exception, severity_number, unix_nanos, wait_for_room, must_not_block, on_notice, say, thread, configure_defaults))]
pub fn connect_capture(
    py: Python<'_>,
    describe_exception: Py<PyAny>,
    severity_number: Py<PyAny>,
    unix_nanos: Py<PyAny>,
    wait_for_room: Py<PyAny>,
    must_not_block: Py<PyAny>,
    on_notice: Py<PyAny>,
    say: Py<PyAny>,
    thread: Py<PyAny>,
    configure_defaults: Py<PyAny>,
) {
    let helpers = Helpers {
        describe_exception,
        severity_number,
        unix_nanos,
        wait_for_room,
        must_not_block,
        on_notice,
        say,
        thread,
        configure_defaults,
    };
    // A second call (module reloaded) keeps the first connection.
    let _ = HELPERS.set(py, helpers);
}

/// A new reference to the completed awaitable.
#[inline]
pub fn done() -> *mut ffi::PyObject {
    // SAFETY: attached (every caller serves a Python call); set at import and never changed.
    unsafe {
        let done = *DONE.get();
        ffi::Py_INCREF(done);
        done
    }
}

type Description<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Type, message and stack of an exception as `exc_info=` names it; `None` when there is none.
pub fn describe_exception<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Description<'py>>> {
    let Some(helpers) = HELPERS.get(value.py()) else { return Ok(None) };
    helpers.describe_exception.bind(value.py()).call1((value,))?.extract()
}

/// Nanoseconds since the epoch of a datetime, an int (nanoseconds) or a float (seconds).
pub fn unix_nanos(value: &Bound<'_, PyAny>) -> Option<u64> {
    let helpers = HELPERS.get(value.py())?;
    helpers.unix_nanos.bind(value.py()).call1((value,)).ok()?.extract().ok()
}

/// An iterator that yields to the event loop until `pending` is decided.
pub fn wait_for_room(py: Python<'_>, pending: Py<PyAny>) -> PyResult<Py<PyAny>> {
    match HELPERS.get(py) {
        Some(helpers) => helpers.wait_for_room.call1(py, (pending,))?.call_method0(py, "__await__"),
        None => Ok(Py::new(py, Completed)?.into_any()),
    }
}

/// True when the calling thread runs an event loop now, or holds a lock that others wait for.
pub fn must_not_block(py: Python<'_>) -> bool {
    let answer = HELPERS.get(py).and_then(|helpers| helpers.must_not_block.call0(py).ok());
    answer.is_some_and(|answer| answer.is_truthy(py).unwrap_or(false))
}

/// Hands waiting notices to Python's `on_error` dispatcher, which isolates the application's callback.
#[cold]
#[must_use]
pub fn tell_notices(py: Python<'_>, active: &Active) -> Option<PyErr> {
    let helpers = HELPERS.get(py)?;
    let mut interrupt = None;
    for notice in active.pipeline.notices().take() {
        let told = helpers.on_notice.call1(py, (notice.code, notice.message));
        interrupt = interrupt.or(interrupt_of(py, told));
    }
    interrupt
}

/// Calls a function of ours that starts something on the Python side. An interrupt that arrives meanwhile is put back
/// for the interpreter to raise; any other error is a notice.
#[cold]
pub fn call_isolated(py: Python<'_>, function: &Py<PyAny>, notices: &Notices) {
    let called = function.call0(py);
    if let Err(error) = &called {
        notices.say("start-failed", format!("Python exporters and processors do not run: {error}"));
    }
    if interrupt_of(py, called).is_some() {
        let _ = py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main"));
    }
}

type Thread<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Identifier and name of the calling thread.
pub fn thread(py: Python<'_>) -> PyResult<Option<Thread<'_>>> {
    let Some(helpers) = HELPERS.get(py) else { return Ok(None) };
    helpers.thread.bind(py).call0()?.extract().map(Some)
}

/// Says one line on stderr, once a minute for each `about`. Returns an interrupt that arrived meanwhile.
#[cold]
pub fn say(py: Python<'_>, code: &str, message: &str, about: &str) -> Option<PyErr> {
    HELPERS.get(py).and_then(|helpers| interrupt_of(py, helpers.say.call1(py, (code, message, about))))
}

/// Configures the process from its environment, for a record before `configure_otel()`. The Python side says what
/// is wrong and raises nothing; an interrupt that arrives meanwhile is put back for the interpreter to raise.
#[cold]
pub fn configure_defaults(py: Python<'_>) {
    let interrupt =
        HELPERS.get(py).and_then(|helpers| interrupt_of(py, helpers.configure_defaults.call0(py)));
    if interrupt.is_some() {
        let _ = py.import("_thread").and_then(|thread| thread.call_method0("interrupt_main"));
    }
}

/// The level that `log(severity, …)` names: 1 to 24 are known here, everything else by the tables of Python.
pub fn level_of(severity: &Bound<'_, PyAny>) -> Level {
    let number = match severity.extract::<i64>() {
        Ok(number @ 1..=24) => number as u8,
        _ => ask_severity_number(severity).unwrap_or(INFO),
    };
    Level::new(number, severity_short_name(i32::from(number)), number >= 17)
}

/// The number of a `logging` level or of a name; `None` when it cannot be told, so that the record is kept.
#[cold]
fn ask_severity_number(severity: &Bound<'_, PyAny>) -> Option<u8> {
    let helpers = HELPERS.get(severity.py())?;
    let number: u8 = helpers.severity_number.bind(severity.py()).call1((severity,)).ok()?.extract().ok()?;
    (number <= 24).then_some(number)
}

/// What of a Python call's failure must reach the application: KeyboardInterrupt and SystemExit. Everything else ends here.
pub fn interrupt_of<T>(py: Python<'_>, result: PyResult<T>) -> Option<PyErr> {
    result.err().filter(|error| !error.is_instance_of::<PyException>(py))
}

/// A dict's value extracted as `T`, with the key in the error.
pub fn required<'py, T>(settings: &Bound<'py, PyDict>, key: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    let value =
        settings.get_item(key)?.ok_or_else(|| pyo3::exceptions::PyKeyError::new_err(key.to_owned()))?;
    value
        .extract::<T>()
        .map_err(Into::into)
        .map_err(|error: PyErr| pyo3::exceptions::PyTypeError::new_err(format!("setting {key}: {error}")))
}
