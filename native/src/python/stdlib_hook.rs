//! Stage 1 of 7, emit: what a hooked `logging.Logger.callHandlers` asks. Thread: caller.
//!
//! A handler on the root logger is lost whenever somebody configures `logging` anew, is unseen by loggers that do not
//! propagate, makes `basicConfig()` do nothing and silences `logging.lastResort`. So the bridge puts no handler
//! anywhere: it is offered every record on its way to the handlers, and finds out whether a handler on root, or on one of
//! the known loggers, would have got it.

use super::gil::GilCell;
use super::level_methods::{new_method, slice_of};
use super::stdlib::{method, Fate, RecordHandler};
use super::stdlib_levels;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyType};
use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

/// Loggers of servers that set `propagate = False`, so that a handler on root never sees their records. `celery` stands
/// for everything below it, too.
const KNOWN: [&str; 5] = ["uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access"];
const CELERY: &str = "celery";

/// The handlers that are offered every record.
static HOOKED: GilCell<Vec<Py<RecordHandler>>> = GilCell::new(Vec::new());
/// The method that the hook took the place of.
static ORIGINAL: GilCell<Option<Py<PyAny>>> = GilCell::new(None);
static METHOD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

thread_local! {
    /// Records of `logging` that this thread is passing on, one within the other.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}
/// Records deeper than this are refused: a value that logs itself is read by us and by every other handler, and the
/// number of readings would double with each level.
const MAX_DEPTH: u8 = 4;

/// One record on its way through `logging`.
struct OnItsWay;

impl OnItsWay {
    /// The record, and how deep it is.
    fn begin() -> (Self, u8) {
        let depth = DEPTH.get().saturating_add(1);
        DEPTH.set(depth);
        (Self, depth)
    }
}

/// Whether this thread passes a record on.
pub fn is_on_its_way() -> bool {
    DEPTH.get() > 0
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}
/// The names of the module `logging`, and the root logger, which never changes.
static LOGGING: PyOnceLock<(Py<PyDict>, Py<PyAny>)> = PyOnceLock::new();

/// Serves these handlers from now on.
#[pyfunction]
pub fn hook_handlers(handlers: Vec<Py<RecordHandler>>) {
    // SAFETY: attached (called from Python); the old ones are dropped after the cell is written.
    drop(unsafe { HOOKED.replace(handlers) });
}

/// The method that takes the place of `callHandlers` of a class of loggers, which it calls in turn.
#[pyfunction]
pub fn call_handlers(class: &Bound<'_, PyType>, original: Py<PyAny>) -> PyResult<Py<PyAny>> {
    // SAFETY: attached (called from Python); the old one is dropped after the cell is written.
    drop(unsafe { ORIGINAL.replace(Some(original)) });
    let make = || new_method(class, method!("callHandlers", called));
    METHOD.get_or_try_init(class.py(), make).map(|method| method.clone_ref(class.py()))
}

/// `callHandlers(record)` of `logging.Logger`, as CPython calls it.
unsafe extern "C" fn called(
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter, attached, on an instance of the class (the method descriptor checked it).
    unsafe {
        let py = Python::assume_attached();
        let [record] = slice_of(arguments, count, names) else {
            PyTypeError::new_err("callHandlers() takes one argument, a record").restore(py);
            return ptr::null_mut();
        };
        let (_record, depth) = OnItsWay::begin();
        let offered = || match depth {
            0..=MAX_DEPTH => {
                offer(&Bound::from_borrowed_ptr(py, slf), &Bound::from_borrowed_ptr(py, *record))
            }
            _ => Ok(refuse(py)),
        };
        // A panic is a defect of ours; it must not cross into the application.
        match catch_unwind(AssertUnwindSafe(offered)) {
            Ok(Err(interrupt)) => {
                interrupt.restore(py);
                ptr::null_mut()
            }
            Ok(Ok(false)) => py.None().into_ptr(),
            Ok(Ok(true)) | Err(_) => {
                let Some(original) = ORIGINAL.get().as_ref().map(|original| original.bind(py).clone()) else {
                    return py.None().into_ptr();
                };
                ffi::PyObject_CallFunctionObjArgs(
                    original.as_ptr(),
                    slf,
                    *record,
                    ptr::null_mut::<ffi::PyObject>(),
                )
            }
        }
    }
}

/// Counts a record that is too deep. True: `logging` goes on with it.
#[cold]
fn refuse(py: Python<'_>) -> bool {
    for handler in handlers(py) {
        handler.get().refuse(py);
    }
    true
}

/// The hooked handlers.
fn handlers(py: Python<'_>) -> Vec<Py<RecordHandler>> {
    // SAFETY: attached; cloned before anything runs.
    unsafe { HOOKED.get().iter().map(|handler| handler.clone_ref(py)).collect() }
}

/// Takes a record of `logger` for the hooked handlers. True when the handlers of `logging` are to be called: when there
/// are any, or when the record is to reach `logging.lastResort`.
fn offer(logger: &Bound<'_, PyAny>, record: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: attached.
    if unsafe { HOOKED.get().is_empty() } {
        return Ok(true);
    }
    let py = logger.py();
    let Ok((ours, others)) = path(logger) else { return Ok(true) };
    if !ours {
        return Ok(true);
    }
    let (mut level, mut ignored) = (None, false);
    // By index, asking the length each time: handlers may come and go while a record is read.
    let mut index = 0;
    // SAFETY: attached; cloned before anything runs.
    while let Some(handler) = unsafe { HOOKED.get().get(index).map(|handler| handler.clone_ref(py)) } {
        // Bound: a raw method is no place where PyO3 lets go of a `Py` at once.
        let handler = handler.into_bound(py);
        match RecordHandler::offer(&handler, record, others)? {
            Fate::Decided(known) => level = known.or(level),
            Fate::Ignored | Fate::Odd => ignored = true,
        }
        index += 1;
    }
    stdlib_levels::follow(py);
    let wanted = others || ignored || reaches_last_resort(py, level) && !has_console(py);
    Ok(wanted && stdlib_levels::is_for_others(logger, record, level))
}

/// Whether the hook takes the records of a logger as its place in the tree is now.
#[pyfunction]
#[pyo3(signature = (logger, /))]
pub fn is_offered(logger: &Bound<'_, PyAny>) -> bool {
    path(logger).is_ok_and(|(ours, _)| ours)
}

/// Whether a handler on root or on a known logger would get the record, and whether there is any handler on its way.
fn path(logger: &Bound<'_, PyAny>) -> PyResult<(bool, bool)> {
    let py = logger.py();
    let (_, root) = logging(py)?;
    let mut others = false;
    let mut here = logger.clone();
    loop {
        if !others {
            let handlers = here.getattr(intern!(py, "handlers"))?;
            others = !handlers.cast_exact::<PyList>().is_ok_and(PyListMethods::is_empty);
        }
        if here.is(root) {
            return Ok((true, others));
        }
        if !here.getattr(intern!(py, "propagate"))?.is_truthy()? {
            return Ok((is_known(&here.getattr(intern!(py, "name"))?), others));
        }
        here = here.getattr(intern!(py, "parent"))?;
        if here.is_none() {
            // A logger that nobody got from `logging.getLogger`.
            return Ok((false, others));
        }
    }
}

/// The root logger.
pub fn root(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    logging(py).map(|(_, root)| root)
}

fn logging(py: Python<'_>) -> PyResult<&(Py<PyDict>, Py<PyAny>)> {
    LOGGING.get_or_try_init(py, || {
        let module = py.import("logging")?;
        Ok((module.dict().unbind(), module.getattr("root")?.unbind()))
    })
}

fn is_known(name: &Bound<'_, PyAny>) -> bool {
    let name = name.cast::<PyString>().ok().and_then(|name| name.to_str().ok()).unwrap_or_default();
    let below = |rest: &str| rest.is_empty() || rest.starts_with('.');
    KNOWN.contains(&name) || name.strip_prefix(CELERY).is_some_and(below)
}

/// Whether a pipeline of a hooked handler shows its records on a console.
#[cold]
fn has_console(py: Python<'_>) -> bool {
    handlers(py).iter().any(|handler| handler.get().has_console(py))
}

/// Whether `logging.lastResort` shows a record that no handler gets, or complains that there is none.
fn reaches_last_resort(py: Python<'_>, level: Option<i64>) -> bool {
    let last =
        logging(py).map(|(names, _)| names.bind(py).get_item(intern!(py, "lastResort")).ok().flatten());
    let floor = last.ok().flatten().and_then(|last| last.getattr(intern!(py, "level")).ok());
    match (level, floor.and_then(|level| level.extract::<i64>().ok())) {
        (Some(level), Some(floor)) => level >= floor,
        _ => true,
    }
}
