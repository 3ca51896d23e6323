//! Stage 1 of 7, emit: what a hooked `logging.Logger.callHandlers` asks. Thread: caller.
//!
//! A handler on the root logger is lost whenever somebody configures `logging` anew, is unseen by loggers that do not
//! propagate, makes `basicConfig()` do nothing and silences `logging.lastResort`. So the bridge puts no handler
//! anywhere: it is offered every record on its way to the handlers, and finds out whether a handler on root, or on one of
//! the known loggers, would have got it.

use super::gil::GilCell;
use super::stdlib::RecordHandler;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};

/// Loggers of servers that set `propagate = False`, so that a handler on root never sees their records. `celery` stands
/// for everything below it, too.
const KNOWN: [&str; 5] = ["uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access"];
const CELERY: &str = "celery";

/// The handlers that are offered every record.
static HOOKED: GilCell<Vec<Py<RecordHandler>>> = GilCell::new(Vec::new());
static LOGGING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// How many handlers the hook serves.
pub fn hooked() -> usize {
    // SAFETY: attached, as every caller is.
    unsafe { HOOKED.get().len() }
}

/// Serves these handlers from now on.
#[pyfunction]
pub fn hook_handlers(handlers: Vec<Py<RecordHandler>>) {
    // SAFETY: attached (called from Python); the old ones are dropped after the cell is written.
    drop(unsafe { HOOKED.replace(handlers) });
}

/// Takes a record of `logger` for the hooked handlers. True when the handlers of `logging` are to be called: when there
/// are any, or when the record is to reach `logging.lastResort`.
#[pyfunction]
pub fn offer_record(logger: &Bound<'_, PyAny>, record: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = logger.py();
    let Ok((ours, others)) = path(logger) else { return Ok(true) };
    if !ours {
        return Ok(true);
    }
    let (mut level, mut shown) = (None, false);
    // By index, asking the length each time: handlers may come and go while a record is read.
    let mut index = 0;
    // SAFETY: attached; cloned before anything runs.
    while let Some(handler) = unsafe { HOOKED.get().get(index).map(|handler| handler.clone_ref(py)) } {
        let handler = handler.bind(py);
        level = RecordHandler::offer(handler, record)?.or(level);
        shown = shown || !others && handler.get().has_console(py);
        index += 1;
    }
    Ok(others || !shown && reaches_last_resort(py, level))
}

/// Whether a handler on root or on a known logger would get the record, and whether there is any handler on its way.
fn path(logger: &Bound<'_, PyAny>) -> PyResult<(bool, bool)> {
    let py = logger.py();
    let mut others = false;
    let mut here = logger.clone();
    loop {
        let handlers = here.getattr(intern!(py, "handlers"))?;
        others = others || !handlers.cast_exact::<PyList>().is_ok_and(PyListMethods::is_empty);
        let parent = here.getattr(intern!(py, "parent"))?;
        if parent.is_none() {
            return Ok((is_root(&here)?, others));
        }
        if !here.getattr(intern!(py, "propagate"))?.is_truthy()? {
            return Ok((is_known(&here.getattr(intern!(py, "name"))?), others));
        }
        here = parent;
    }
}

fn logging(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    LOGGING.get_or_try_init(py, || py.import("logging").map(Bound::unbind)).map(|module| module.bind(py))
}

fn is_root(logger: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(logging(logger.py())?.getattr(intern!(logger.py(), "root"))?.is(logger))
}

fn is_known(name: &Bound<'_, PyAny>) -> bool {
    let name = name.cast::<PyString>().ok().and_then(|name| name.to_str().ok()).unwrap_or_default();
    let below = |rest: &str| rest.is_empty() || rest.starts_with('.');
    KNOWN.contains(&name) || name.strip_prefix(CELERY).is_some_and(below)
}

/// Whether `logging.lastResort` shows a record that no handler gets, or complains that there is none.
fn reaches_last_resort(py: Python<'_>, level: Option<i64>) -> bool {
    let last = logging(py).and_then(|logging| logging.getattr(intern!(py, "lastResort")));
    let floor =
        last.and_then(|last| last.getattr(intern!(py, "level"))).and_then(|level| level.extract::<i64>());
    match (level, floor) {
        (Some(level), Ok(floor)) => level >= floor,
        _ => true,
    }
}
