//! Stage 6 of 7, export: a spool as people look at it, from the command line. Threads: any.

use crate::spool::disk::real::RealDisk;
use crate::spool::identity::service_of;
use crate::spool::survey::{self, Survey};
use crate::spool::SpoolError;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// The directories of all processes and services; see the stub.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
pub fn spool_directories(root: PathBuf) -> PyResult<Vec<String>> {
    survey::directories(&RealDisk, &root).map_err(raised)
}

/// What is in one directory; see the stub.
#[pyfunction]
#[pyo3(signature = (root, name, *, check))]
#[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
pub fn survey_spool<'py>(
    py: Python<'py>,
    root: PathBuf,
    name: &str,
    check: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let found = py.detach(|| survey::survey(&RealDisk, &root, name, check)).map_err(raised)?;
    plain(py, name, found)
}

/// Removes one directory; see the stub.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
pub fn purge_spool(py: Python<'_>, root: PathBuf, name: &str) -> PyResult<bool> {
    py.detach(|| survey::purge(&RealDisk, &root, name)).map_err(raised)
}

#[allow(clippy::needless_pass_by_value)] // As `map_err` wants it.
fn raised(error: SpoolError) -> PyErr {
    PyOSError::new_err(error.to_string())
}

fn plain<'py>(py: Python<'py>, name: &str, found: Survey) -> PyResult<Bound<'py, PyDict>> {
    let process = name.rsplit('-').nth(1).and_then(|process| process.parse::<u64>().ok());
    let dict = PyDict::new(py);
    dict.set_item("service", service_of(name))?;
    dict.set_item("process", process)?;
    dict.set_item("alive", found.is_alive)?;
    dict.set_item("bytes", found.bytes)?;
    dict.set_item("blocks", found.blocks)?;
    dict.set_item("records", found.records)?;
    dict.set_item("owed", found.owed)?;
    dict.set_item("unprocessed_records", found.unprocessed_records)?;
    dict.set_item("written_nanos", found.written_nanos)?;
    dict.set_item("encrypted_blocks", found.encrypted_blocks)?;
    dict.set_item("key_ids", found.key_ids.into_iter().collect::<Vec<u32>>())?;
    dict.set_item("corrupt_bytes", found.damage.corrupt_bytes)?;
    dict.set_item("corrupt_places", found.damage.corrupt_places)?;
    dict.set_item("torn_bytes", found.damage.torn_bytes)?;
    dict.set_item("torn_records", found.damage.torn_records)?;
    dict.set_item("read_errors", found.damage.read_errors)?;
    dict.set_item("damaged_blocks", found.damaged_blocks)?;
    dict.set_item("damaged_records", found.damaged_records)?;
    dict.set_item("missing_segments", found.missing_segments)?;
    dict.set_item("lost_blocks", found.lost_blocks)?;
    dict.set_item("set_aside", found.set_aside)?;
    dict.set_item("other_versions", found.other_versions)?;
    dict.set_item("positions_lost", found.positions_lost)?;
    Ok(dict)
}
