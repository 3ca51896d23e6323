//! Stage 6 of 7, export: a request that is too large for a receiver, for exporters in Python. Threads: any.

use crate::export::split;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Two encoded requests with half of the records each; the contract is in the stub.
#[pyfunction]
pub fn split_request<'py>(
    py: Python<'py>,
    request: &[u8],
    records: u64,
) -> Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let [first, second] = split::split_request(request, records, |_| false)?;
    Some((PyBytes::new(py, &first.raw), PyBytes::new(py, &second.raw)))
}
