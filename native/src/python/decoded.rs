//! Stage 6 of 7, export: encoded records as Python values, for exporters and processors in Python. Thread: any.
//!
//! Total over all bytes: what cannot be read is left out, never an error. Of a repeated key the first entry counts,
//! as in every encoder of ours.

use crate::decode::request::{resources, ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, KvListView, RecordView};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// One encoded `LogRecord` as a tuple; see the stub for its fields.
#[pyfunction]
pub fn decode_record<'py>(py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
    let view = RecordView::parse(record);
    let body =
        view.body.map_or_else(|| Ok(py.None().into_bound(py)), |body| any(py, &body, Arrays::Lists))?;
    (
        view.time_unix_nanos,
        view.observed_time_unix_nanos,
        view.severity_number,
        view.severity_text,
        body,
        mapping(py, view.attributes, Arrays::Tuples)?,
        view.dropped_attributes_count,
        view.trace_id.map_or(0, |id| u128::from_be_bytes(*id)),
        view.span_id.map_or(0, |id| u64::from_be_bytes(*id)),
        // The W3C trace flags are the low eight bits; the others are reserved.
        view.flags & 0xff,
        view.event_name,
    )
        .into_pyobject(py)
}

/// One encoded `ExportLogsServiceRequest` as nested lists; see the stub for their shape.
#[pyfunction]
pub fn decode_request<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let decoded = PyList::empty(py);
    for resource in resources(request) {
        decoded.append(resource_logs(py, &resource)?)?;
    }
    Ok(decoded)
}

fn resource_logs<'py>(py: Python<'py>, resource: &ResourceLogsView<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let scopes = PyList::empty(py);
    for scope in resource.scopes() {
        scopes.append(scope_logs(py, &scope)?)?;
    }
    (mapping(py, resource.attributes, Arrays::Tuples)?, resource.schema_url, scopes).into_pyobject(py)
}

fn scope_logs<'py>(py: Python<'py>, scope: &ScopeLogsView<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let records = PyList::empty(py);
    for record in scope.records() {
        records.append(decode_record(py, record)?)?;
    }
    let identity =
        (scope.name, scope.version, scope.schema_url, mapping(py, scope.attributes, Arrays::Tuples)?);
    (identity, records).into_pyobject(py)
}

/// What an array becomes: the SDK makes tuples of arrays in attributes, and leaves a body as it was given.
#[derive(Clone, Copy)]
pub enum Arrays {
    /// Attributes.
    Tuples,
    /// Bodies.
    Lists,
}

/// A value as OpenTelemetry's SDK holds it: maps are dicts, no value is `None`.
pub fn any<'py>(py: Python<'py>, value: &AnyView<'_>, arrays: Arrays) -> PyResult<Bound<'py, PyAny>> {
    Ok(match *value {
        AnyView::Empty => py.None().into_bound(py),
        AnyView::Str(text) => PyString::new(py, text).into_any(),
        AnyView::Bool(truth) => truth.into_pyobject(py)?.to_owned().into_any(),
        AnyView::Int(number) => PyInt::new(py, number).into_any(),
        AnyView::Double(number) => PyFloat::new(py, number).into_any(),
        AnyView::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        AnyView::Array(values) => {
            let members =
                values.iter().map(|member| any(py, &member, arrays)).collect::<PyResult<Vec<_>>>()?;
            match arrays {
                Arrays::Tuples => PyTuple::new(py, members)?.into_any(),
                Arrays::Lists => PyList::new(py, members)?.into_any(),
            }
        }
        AnyView::KvList(entries) => mapping(py, entries, arrays)?.into_any(),
    })
}

/// Attributes of a scope, from its `InstrumentationScope.attributes` fields.
pub fn scope_attributes<'py>(py: Python<'py>, fields: &[u8]) -> PyResult<Bound<'py, PyDict>> {
    mapping(py, KvListView::within(fields, 3), Arrays::Tuples)
}

pub fn mapping<'py>(
    py: Python<'py>,
    entries: KvListView<'_>,
    arrays: Arrays,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in entries.unique() {
        dict.set_item(key, any(py, &value, arrays)?)?;
    }
    Ok(dict)
}
