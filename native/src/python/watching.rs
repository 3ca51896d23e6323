//! Stage 6 of 7, export: what leaves the process, for tests. Thread: any.

use crate::export::watch;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Begins to keep copies of what leaves, or stops and forgets them.
#[pyfunction]
pub fn watch_exports(py: Python<'_>, on: bool) {
    py.detach(|| watch::switch(on));
}

/// The copies since the last call, each with its way, and how many pieces were not kept.
#[pyfunction]
#[allow(clippy::type_complexity)] // one list of pairs, spelled out once
pub fn watched_exports(py: Python<'_>) -> (Vec<(&'static str, Bound<'_, PyBytes>)>, u64) {
    let shown = py.detach(watch::take);
    let pieces = shown.pieces.iter().map(|(way, piece)| (*way, PyBytes::new(py, piece))).collect();
    (pieces, shown.left_out)
}
