//! Stage 6 of 7, export: encoded records as objects of OpenTelemetry's SDK, for exporters in Python. Thread: any.
//!
//! Blocks hold thousands of records, so this fills instances in without their constructors, keeps the text of keys, and
//! keeps the collector of cycles from looking at the same growing heap again and again. Total over all bytes, as `decoded`.

use super::decoded::{any, mapping, Arrays};
use crate::decode::request::{resources, ScopeLogsView};
use crate::decode::{KvListView, RecordView};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use std::collections::HashMap;

/// Makes records of the SDK's classes; `fapilog.batch` makes one of it.
#[pyclass(frozen, module = "fapilog._native")]
pub struct RecordBuilder {
    /// `object.__new__`.
    blank: Py<PyAny>,
    record: Py<PyType>,
    readable: Py<PyType>,
    /// Attributes of both kinds with their defaults.
    record_defaults: Py<PyDict>,
    readable_defaults: Py<PyDict>,
    /// By number; missing ones are `None`.
    severities: Py<PyDict>,
    /// All 256 trace flags.
    flags: Py<PyTuple>,
    make_resource: Py<PyAny>,
    make_scope: Py<PyAny>,
    /// Attributes with a count of those that were dropped.
    make_counted: Py<PyAny>,
}

type Decoded<'py> = (Bound<'py, PyTuple>, Bound<'py, PyTuple>, Bound<'py, PyTuple>);

#[pymethods]
impl RecordBuilder {
    #[new]
    #[pyo3(signature = (*, record, readable, record_defaults, readable_defaults, severities, flags, make_resource,
        make_scope, make_counted))]
    #[allow(clippy::too_many_arguments)] // keywords on the Python side
    fn new(
        py: Python<'_>,
        record: Py<PyType>,
        readable: Py<PyType>,
        record_defaults: Py<PyDict>,
        readable_defaults: Py<PyDict>,
        severities: Py<PyDict>,
        flags: Py<PyTuple>,
        make_resource: Py<PyAny>,
        make_scope: Py<PyAny>,
        make_counted: Py<PyAny>,
    ) -> PyResult<Self> {
        let blank = py.import("builtins")?.getattr("object")?.getattr("__new__")?.unbind();
        Ok(Self {
            blank,
            record,
            readable,
            record_defaults,
            readable_defaults,
            severities,
            flags,
            make_resource,
            make_scope,
            make_counted,
        })
    }

    /// Resources, scopes and records of one encoded request, in wire order.
    fn decode<'py>(&self, py: Python<'py>, request: &[u8]) -> PyResult<Decoded<'py>> {
        let (mut made_resources, mut scopes, mut records) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = Known::default();
        for resource in resources(request) {
            let attributes = mapping(py, resource.attributes, Arrays::Tuples)?;
            let made = self.make_resource.bind(py).call1((attributes, resource.schema_url))?;
            for scope in resource.scopes() {
                let attributes = mapping(py, scope.attributes, Arrays::Tuples)?;
                let names = (scope.name, scope.version, scope.schema_url, attributes);
                let home = (made.clone(), self.make_scope.bind(py).call1(names)?);
                self.records(py, &scope, &home, &mut known, &mut records)?;
                scopes.push(home.1);
            }
            made_resources.push(made);
        }
        Ok((PyTuple::new(py, made_resources)?, PyTuple::new(py, scopes)?, PyTuple::new(py, records)?))
    }
}

impl RecordBuilder {
    fn records<'a, 'py>(
        &self,
        py: Python<'py>,
        scope: &ScopeLogsView<'a>,
        home: &(Bound<'py, PyAny>, Bound<'py, PyAny>),
        known: &mut Known<'a, 'py>,
        records: &mut Vec<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let _pause = CollectorPause::begin();
        for record in scope.records() {
            let fields = self.readable_defaults.bind(py).copy()?;
            fields.set_item(intern!(py, "log_record"), self.record(py, record, known)?)?;
            fields.set_item(intern!(py, "resource"), &home.0)?;
            fields.set_item(intern!(py, "instrumentation_scope"), &home.1)?;
            records.push(self.instance(py, &self.readable, &fields)?);
        }
        Ok(())
    }

    /// One record, for who has no others.
    pub fn single<'py>(&self, py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        self.record(py, record, &mut Known::default())
    }

    fn record<'a, 'py>(
        &self,
        py: Python<'py>,
        record: &'a [u8],
        known: &mut Known<'a, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let view = RecordView::parse(record);
        let fields = self.record_defaults.bind(py).copy()?;
        if view.time_unix_nanos != 0 {
            fields.set_item(intern!(py, "timestamp"), view.time_unix_nanos)?;
        }
        fields.set_item(intern!(py, "observed_timestamp"), view.observed_time_unix_nanos)?;
        if let Some(trace_id) = view.trace_id {
            let (trace_id, span_id) = known.span(py, trace_id, view.span_id.unwrap_or(&NO_SPAN_ID))?;
            fields.set_item(intern!(py, "trace_id"), trace_id)?;
            fields.set_item(intern!(py, "span_id"), span_id)?;
        }
        // The W3C trace flags are the low eight bits; the others are reserved.
        let flags = self.flags.bind(py).get_item((view.flags & 0xff) as usize)?;
        fields.set_item(intern!(py, "trace_flags"), flags)?;
        if let Some(severity) = self.severities.bind(py).get_item(view.severity_number)? {
            fields.set_item(intern!(py, "severity_number"), severity)?;
        }
        if !view.severity_text.is_empty() {
            fields.set_item(intern!(py, "severity_text"), known.text(py, view.severity_text))?;
        }
        if let Some(body) = view.body {
            fields.set_item(intern!(py, "body"), any(py, &body, Arrays::Lists)?)?;
        }
        if !view.event_name.is_empty() {
            fields.set_item(intern!(py, "event_name"), known.text(py, view.event_name))?;
        }
        let attributes = known.mapping(py, view.attributes)?.into_any();
        let attributes = match view.dropped_attributes_count {
            0 => attributes,
            dropped => self.make_counted.bind(py).call1((attributes, dropped))?,
        };
        fields.set_item(intern!(py, "attributes"), attributes)?;
        self.instance(py, &self.record, &fields)
    }

    /// An instance with these attributes. Its constructor does not run, nor a `__setattr__` that refuses.
    fn instance<'py>(
        &self,
        py: Python<'py>,
        kind: &Py<PyType>,
        fields: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let instance = self.blank.bind(py).call1((kind.bind(py),))?;
        let name = intern!(py, "__dict__");
        // SAFETY: attached; three live objects, none of which is taken over.
        let failed =
            unsafe { ffi::PyObject_GenericSetAttr(instance.as_ptr(), name.as_ptr(), fields.as_ptr()) };
        if failed == 0 {
            Ok(instance)
        } else {
            Err(PyErr::fetch(py))
        }
    }
}

/// Values that come again in the records of one request.
#[derive(Default)]
struct Known<'a, 'py> {
    texts: HashMap<&'a str, Bound<'py, PyString>>,
    span: Option<Span<'a, 'py>>,
}

/// The ids of the record before, encoded and as Python's integers.
struct Span<'a, 'py> {
    trace: (&'a [u8; 16], Bound<'py, PyAny>),
    span: (&'a [u8; 8], Bound<'py, PyAny>),
}

const NO_SPAN_ID: [u8; 8] = [0; 8];
/// Texts remembered at most: names come from outside, so memory needs a bound.
const MAX_TEXTS: usize = 1024;

impl<'a, 'py> Known<'a, 'py> {
    /// A text that probably comes again.
    fn text(&mut self, py: Python<'py>, text: &'a str) -> Bound<'py, PyString> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let made = PyString::new(py, text);
        if self.texts.len() < MAX_TEXTS {
            self.texts.insert(text, made.clone());
        }
        made
    }

    fn mapping(&mut self, py: Python<'py>, entries: KvListView<'a>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (key, value) in entries.unique() {
            dict.set_item(self.text(py, key), any(py, &value, Arrays::Tuples)?)?;
        }
        Ok(dict)
    }

    fn span(
        &mut self,
        py: Python<'py>,
        trace_id: &'a [u8; 16],
        span_id: &'a [u8; 8],
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let same = self.span.as_ref().filter(|known| known.trace.0 == trace_id && known.span.0 == span_id);
        if let Some(known) = same {
            return Ok((known.trace.1.clone(), known.span.1.clone()));
        }
        let trace = u128::from_be_bytes(*trace_id).into_pyobject(py)?.into_any();
        let span = u64::from_be_bytes(*span_id).into_pyobject(py)?.into_any();
        self.span = Some(Span { trace: (trace_id, trace.clone()), span: (span_id, span.clone()) });
        Ok((trace, span))
    }
}

/// Keeps Python's collector of cycles from running while nothing but new objects is made.
struct CollectorPause(bool);

impl CollectorPause {
    fn begin() -> Self {
        // SAFETY: attached, as everybody who makes Python objects is.
        Self(unsafe { ffi::PyGC_Disable() } == 1)
    }
}

impl Drop for CollectorPause {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: as above.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}
