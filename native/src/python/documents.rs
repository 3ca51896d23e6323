//! Stage 6 of 7, export: requests as documents, for exporters in Python. Thread: any.

use super::batch::Batch;
use super::settings::unknown;
use crate::encode::action::BulkOptions;
use crate::encode::documents::{documents, Documents, Options, Shape};
use crate::encode::hec::EventForm;
use crate::encode::members::Allowed;
use crate::encode::timestamp::TimeForm;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::ops::Range;
use std::sync::Arc;

/// The documents of one request; see the stub.
#[pyclass(name = "Documents", frozen, module = "fapilog._native")]
pub struct PyDocuments {
    made: Arc<Documents>,
    bytes: PyOnceLock<Py<PyBytes>>,
}

#[pymethods]
impl PyDocuments {
    #[getter]
    fn bytes(&self, py: Python<'_>) -> Py<PyBytes> {
        self.bytes.get_or_init(py, || PyBytes::new(py, self.made.text.as_bytes()).unbind()).clone_ref(py)
    }

    #[getter]
    fn offsets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.made.offsets)
    }

    fn index(&self, document: usize) -> PyResult<usize> {
        let record = self.made.records.get(document).copied();
        record.ok_or_else(|| PyIndexError::new_err(format!("no document {document} of {}", self.__len__())))
    }

    fn part(&self, start: usize, end: usize) -> PyResult<DocumentsPart> {
        let place = self.made.place(start, end).ok_or_else(|| self.missing(start, end))?;
        Ok(DocumentsPart { documents: Arc::clone(&self.made), place })
    }

    fn fitting(&self, start: usize, end: usize, max_bytes: usize, max_documents: usize) -> PyResult<usize> {
        let found = self.made.fitting(start, end, max_bytes, max_documents);
        found.ok_or_else(|| self.missing(start, end))
    }

    fn larger_than(&self, max_bytes: usize) -> Vec<usize> {
        self.made.larger_than(max_bytes).collect()
    }

    #[getter]
    fn skipped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let skipped = PyDict::new(py);
        for (reason, count) in self.made.skipped() {
            skipped.set_item(reason, count)?;
        }
        Ok(skipped)
    }

    fn __len__(&self) -> usize {
        self.made.records.len()
    }

    fn __repr__(&self) -> String {
        format!("<Documents: {} in {} bytes>", self.__len__(), self.made.text.len())
    }
}

impl PyDocuments {
    fn missing(&self, start: usize, end: usize) -> PyErr {
        PyIndexError::new_err(format!("no documents {start} to {end} of {}", self.__len__()))
    }
}

/// Some of the documents, for a request; see the stub.
#[pyclass(frozen, module = "fapilog._native")]
pub struct DocumentsPart {
    documents: Arc<Documents>,
    place: Range<usize>,
}

impl DocumentsPart {
    /// Their text.
    pub fn as_bytes(&self) -> &[u8] {
        self.documents.text.as_bytes().get(self.place.clone()).unwrap_or_default()
    }
}

#[pymethods]
impl DocumentsPart {
    fn __len__(&self) -> usize {
        self.place.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.as_bytes())
    }

    fn __repr__(&self) -> String {
        format!("<DocumentsPart: {} bytes>", self.place.len())
    }
}

/// One encoded request as documents; see the stub.
#[pyfunction]
#[pyo3(signature = (request, shape, *, bulk=false, **options))]
pub fn encode_documents(
    py: Python<'_>,
    request: &Bound<'_, PyAny>,
    shape: &str,
    bulk: bool,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyDocuments> {
    let shape = Shape::from_name(shape).ok_or_else(|| unknown("shape", shape))?;
    if bulk && shape == Shape::Hec {
        return Err(PyValueError::new_err("bulk: events of HEC have no action lines; ask without bulk=True"));
    }
    let options = read(shape, bulk, options)?;
    let made = if let Ok(batch) = request.cast::<Batch>() {
        let batch = batch.get();
        py.detach(|| batch.request().map(|request| documents(&request, shape, &options)))?
    } else {
        let request: &[u8] = request.extract()?;
        py.detach(|| documents(request, shape, &options))
    };
    Ok(PyDocuments { made: Arc::new(made), bytes: PyOnceLock::new() })
}

/// The options as the encoder takes them. `None` is as good as not given.
fn read(shape: Shape, bulk: bool, given: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let mut options = Options::default();
    let mut action = BulkOptions { ids: true, require_data_stream: None };
    for (name, value) in given.into_iter().flatten() {
        let name: String = name.extract()?;
        if value.is_none() {
            continue;
        }
        let taken = set_common(&mut options, shape, &name, &value)?
            || (bulk && set_action(&mut action, &name, &value)?)
            || (shape == Shape::Hec && set_hec(&mut options, &name, &value)?)
            || (shape != Shape::Hec && set_stream(&mut options, &name, &value)?);
        if !taken {
            let wanted = if bulk { "with bulk=True" } else { "without bulk=True" };
            return Err(PyTypeError::new_err(format!("{name}: no option of this shape {wanted}")));
        }
    }
    options.bulk = bulk.then_some(action);
    Ok(options)
}

fn set_common(options: &mut Options, shape: Shape, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if name != "time" {
        return Ok(false);
    }
    let text: String = value.extract()?;
    let form = TimeForm::from_name(&text).filter(|form| form.fits(shape));
    options.time = Some(form.ok_or_else(|| unknown("time", &text))?);
    Ok(true)
}

fn set_action(action: &mut BulkOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match name {
        "ids" => action.ids = value.extract()?,
        "require_data_stream" => action.require_data_stream = Some(value.extract()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn set_stream(options: &mut Options, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let stream = &mut options.stream;
    match name {
        "index" => stream.index = Some(value.extract()?),
        "data_stream_type" => stream.kind = Some(value.extract()?),
        "dataset" => stream.dataset = value.extract()?,
        "namespace" => stream.namespace = value.extract()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn set_hec(options: &mut Options, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let hec = &mut options.hec;
    match name {
        "host" => hec.host = value.extract()?,
        "source" => hec.source = value.extract()?,
        "sourcetype" => hec.sourcetype = value.extract()?,
        "index" => hec.index = value.extract()?,
        "host_key" => hec.keys[0] = value.extract()?,
        "source_key" => hec.keys[1] = value.extract()?,
        "sourcetype_key" => hec.keys[2] = value.extract()?,
        "index_key" => hec.keys[3] = value.extract()?,
        "severity_text_key" => hec.severity_text_key = value.extract()?,
        "severity_number_key" => hec.severity_number_key = value.extract()?,
        "event_name_key" => hec.event_name_key = value.extract()?,
        "fields" => hec.fields = Allowed::listed(&value.extract::<Vec<String>>()?),
        "empty_event" => hec.empty_event = value.extract()?,
        "event_form" => hec.form = event_form(&value.extract::<String>()?)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn event_form(name: &str) -> PyResult<EventForm> {
    match name {
        "body" => Ok(EventForm::Body),
        "object" => Ok(EventForm::Object),
        _ => Err(unknown("event_form", name)),
    }
}
