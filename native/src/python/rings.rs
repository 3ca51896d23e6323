//! Stage 4 of 7, append: crash rings as people look at them, from the command line. Threads: any.

use crate::ring::survey::{self, State, Survey};
use crate::ring::{place, RingError};
use crate::spool::identity::{service_of, Identity};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::{Path, PathBuf};

/// The directories of this user's rings in memory; see the stub.
#[pyfunction]
pub fn ring_memory() -> Vec<PathBuf> {
    place::memory_directories()
}

/// The rings in some directories; see the stub.
#[pyfunction]
pub fn ring_files(directories: Vec<PathBuf>) -> PyResult<Vec<PathBuf>> {
    let mut found = Vec::new();
    for directory in directories {
        found.extend(place::all_in(&directory).map_err(raised)?);
    }
    Ok(found)
}

/// What is in one ring; see the stub.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
pub fn survey_ring(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyDict>>> {
    let boot = Identity::of_this_process("").boot;
    let found = py.detach(|| survey::survey(&path, boot)).map_err(raised)?;
    found.map(|found| plain(py, &path, found)).transpose()
}

/// Removes one ring; see the stub.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
pub fn purge_ring(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    py.detach(|| survey::purge(&path)).map_err(raised)
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` wants it.
fn raised(error: RingError) -> PyErr {
    PyOSError::new_err(error.to_string())
}

/// The service in a file's name, as it stands there.
fn service(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let identity = name.strip_suffix(".corrupt").unwrap_or(name).strip_suffix(".ring")?;
    service_of(identity)
}

fn plain<'py>(py: Python<'py>, path: &Path, found: Survey) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("service", service(path))?;
    dict.set_item("process", found.owner.map(|owner| owner.process))?;
    dict.set_item("alive", found.is_alive)?;
    dict.set_item("bytes", found.bytes)?;
    dict.set_item("slots", found.slots)?;
    dict.set_item("records", found.records)?;
    dict.set_item("owed", found.owed)?;
    dict.set_item("logged_nanos", found.logged_nanos)?;
    dict.set_item("header_damaged", found.state == State::Damaged)?;
    dict.set_item("other_version", found.state == State::OtherVersion)?;
    dict.set_item("missing_records", found.report.missing_records)?;
    dict.set_item("unsynced_records", found.report.unsynced_records)?;
    dict.set_item("damaged_bytes", found.report.damaged_bytes + found.report.damaged_side_bytes)?;
    dict.set_item("unreadable_slots", found.report.unreadable_slots)?;
    Ok(dict)
}
