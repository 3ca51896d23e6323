//! Stage 6 of 7, export: encoded requests in other forms, for exporters in Python. Thread: any.

use super::settings::unknown;
use crate::encode::{encode, Form};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// One encoded request in another form; see the stub.
#[pyfunction]
#[pyo3(signature = (request, form, *, colour=false))]
pub fn encode_request<'py>(
    py: Python<'py>,
    request: &[u8],
    form: &str,
    colour: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let form = Form::from_name(form).ok_or_else(|| unknown("form", form))?;
    let text = py.detach(|| {
        let mut out = String::new();
        encode(request, form, colour, &mut out);
        out
    });
    Ok(PyBytes::new(py, text.as_bytes()))
}
