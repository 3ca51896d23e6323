//! What capture asks of Python, off the hot path: connected once, by `fapilog.capture`. Thread: caller.

use super::active::Active;
use super::emission::Level;
use super::gil::GilCell;
use crate::decode::severity_short_name;
use crate::record::severity_field;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::ptr;
use std::sync::OnceLock;

/// The Python functions, by the names of the `connect_capture` keywords.
struct Helpers {
    describe_exception: Py<PyAny>,
    unix_nanos: Py<PyAny>,
    wait_for_room: Py<PyAny>,
    on_event_loop: Py<PyAny>,
    on_notice: Py<PyAny>,
    configure_defaults: Py<PyAny>,
}

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

    #[allow(clippy::unused_self)]
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
#[pyo3(signature = (*, describe_exception, unix_nanos, wait_for_room, on_event_loop, on_notice, configure_defaults))]
pub fn connect_capture(
    py: Python<'_>,
    describe_exception: Py<PyAny>,
    unix_nanos: Py<PyAny>,
    wait_for_room: Py<PyAny>,
    on_event_loop: Py<PyAny>,
    on_notice: Py<PyAny>,
    configure_defaults: Py<PyAny>,
) {
    let helpers =
        Helpers { describe_exception, unix_nanos, wait_for_room, on_event_loop, on_notice, configure_defaults };
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

/// True when the calling thread runs an event loop now.
pub fn on_event_loop(py: Python<'_>) -> bool {
    let answer = HELPERS.get(py).and_then(|helpers| helpers.on_event_loop.call0(py).ok());
    answer.is_some_and(|answer| answer.is_truthy(py).unwrap_or(false))
}

/// Hands waiting notices to Python's `on_error` dispatcher, which isolates the application's callback.
#[cold]
pub fn tell_notices(py: Python<'_>, active: &Active) {
    let Some(helpers) = HELPERS.get(py) else { return };
    for notice in active.pipeline.notices().take() {
        ignore(py, helpers.on_notice.call1(py, (notice.code, notice.message)));
    }
}

/// Configures the process from its environment, for a record before `configure_otel()`. Never raises.
#[cold]
pub fn configure_defaults(py: Python<'_>) {
    if let Some(helpers) = HELPERS.get(py) {
        ignore(py, helpers.configure_defaults.call0(py));
    }
}

/// The level that `log(severity, …)` names: an OTel number, a standard-library level above 24, or a name.
pub fn level_of(severity: &Bound<'_, PyAny>) -> Level {
    static FIELDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let fields = FIELDS.get_or_init(|| {
        (0..=24_u8).map(|number| severity_field(number, severity_short_name(i32::from(number)))).collect()
    });
    let number = match severity.extract::<i64>() {
        Ok(number @ 0..=24) => number as u8,
        Ok(25..=34) => 13,
        Ok(35..=44) => 17,
        Ok(_) => 21,
        Err(_) => number_of_name(&severity.to_string()),
    };
    Level { severity: number, field: &fields[usize::from(number)], protected: number >= 17 }
}

/// Severity number of a level name; INFO for an unknown one, so that the record is kept.
fn number_of_name(name: &str) -> u8 {
    match name.to_ascii_lowercase().as_str() {
        "trace" => 1,
        "debug" => 5,
        "warn" | "warning" => 13,
        "error" | "exception" => 17,
        "critical" | "fatal" => 21,
        _ => 9,
    }
}

/// Drops the error of a Python call that must not harm the application; KeyboardInterrupt and SystemExit are put back
/// as pending so that the interpreter raises them at the next opportunity.
pub fn ignore<T>(py: Python<'_>, result: PyResult<T>) {
    if let Err(error) = result {
        if !error.is_instance_of::<PyException>(py) {
            if let Ok(thread) = py.import("_thread") {
                let _ = thread.call_method0("interrupt_main");
            }
        }
    }
}

/// A dict's value extracted as `T`, with the key in the error.
pub fn required<'py, T>(settings: &Bound<'py, PyDict>, key: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    let value = settings.get_item(key)?.ok_or_else(|| pyo3::exceptions::PyKeyError::new_err(key.to_owned()))?;
    value.extract::<T>().map_err(Into::into).map_err(|error: PyErr| {
        pyo3::exceptions::PyTypeError::new_err(format!("setting {key}: {error}"))
    })
}
