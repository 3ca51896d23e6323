//! Stage 1 of 7, emit: records of `logging` that are made because a level or a rule of ours wants them. Thread: caller.
//!
//! `fapilog/bridges/stdlib_levels.py` lets `logging` make records below the level that the application set. Other
//! handlers must not get those, and `logging`, which remembers answers, must forget them when levels change.

use super::gil::GilCell;
use super::stdlib_hook::root;
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Called without arguments when levels or rules changed.
static WATCHER: GilCell<Option<Py<PyAny>>> = GilCell::new(None);
/// Set when a time box ended where no Python code may run.
static REVERTED: AtomicBool = AtomicBool::new(false);
/// Set while some logger lets more records pass than the application asked for.
static DIFFER: AtomicBool = AtomicBool::new(false);
/// `was_logged(record) -> bool`: a log call made the record, so that the level of a logger counts.
static WAS_LOGGED: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

/// Calls `watcher()` whenever levels or rules of any pipeline have changed; `None`: nobody.
#[pyfunction]
#[pyo3(signature = (watcher, /))]
pub fn watch_levels(watcher: Option<Py<PyAny>>) {
    // SAFETY: attached (called from Python); the old one is dropped after the cell is written.
    drop(unsafe { WATCHER.replace(watcher) });
}

/// Keeps records from other handlers that only we asked for, those of which `was_logged(record)` is true; `None`: there
/// are none any more.
#[pyfunction]
#[pyo3(signature = (was_logged, /))]
pub fn levels_differ(was_logged: Option<Py<PyAny>>) {
    DIFFER.store(was_logged.is_some(), Ordering::Relaxed);
    // SAFETY: attached (called from Python); the old one is dropped after the cell is written.
    drop(unsafe { WAS_LOGGED.replace(was_logged) });
}

/// Says that levels or rules changed.
pub fn changed(py: Python<'_>) {
    // SAFETY: attached; cloned before the call.
    let watcher = unsafe { WATCHER.get().as_ref().map(|watcher| watcher.clone_ref(py)) };
    if let Some(Err(error)) = watcher.map(|watcher| watcher.call0(py)) {
        error.write_unraisable(py, None);
    }
}

/// Notes that a time box ended; who may run Python code next says it.
pub fn reverted() {
    REVERTED.store(true, Ordering::Relaxed);
}

/// Says what was noted.
#[inline]
pub fn follow(py: Python<'_>) {
    if REVERTED.load(Ordering::Relaxed) && REVERTED.swap(false, Ordering::Relaxed) {
        changed(py);
    }
}

/// Whether other handlers get a record: its level is one that the application asked for, or nobody asked for a level.
#[inline]
pub fn is_for_others(logger: &Bound<'_, PyAny>, record: &Bound<'_, PyAny>, level: Option<i64>) -> bool {
    !DIFFER.load(Ordering::Relaxed) || is_wanted(logger, record, level).unwrap_or(true)
}

fn is_wanted(logger: &Bound<'_, PyAny>, record: &Bound<'_, PyAny>, level: Option<i64>) -> PyResult<bool> {
    let py = logger.py();
    let level = match level {
        Some(level) => level,
        None => record.getattr(intern!(py, "levelno"))?.extract()?,
    };
    if level >= level_of(logger)? {
        return Ok(true);
    }
    // SAFETY: attached; cloned before the call.
    let was_logged = unsafe { WAS_LOGGED.get().as_ref().map(|function| function.clone_ref(py)) };
    let Some(was_logged) = was_logged else { return Ok(true) };
    Ok(!was_logged.call1(py, (record,))?.is_truthy(py)?)
}

/// The level that the application gave to a logger, or to the nearest one above it.
fn level_of(logger: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = logger.py();
    let root = root(py)?;
    let mut here = logger.clone();
    loop {
        let level: i64 = here.getattr(intern!(py, "level"))?.extract()?;
        if level != 0 || here.is(root) {
            return Ok(level);
        }
        here = here.getattr(intern!(py, "parent"))?;
        if here.is_none() {
            return Ok(0);
        }
    }
}
