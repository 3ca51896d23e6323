//! Stage 1 of 7, emit: what the exchanges of one application have in common. Thread: caller.

use super::access::AccessTemplate;
use super::access_key::{KeptKey, Key};
use super::asgi::{bytes_of, two};
use super::exchange::{new_correlation_id, Exchange};
use super::exchange_context::Variables;
use super::gil::GilCell;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::collections::HashMap;

/// As many as `fapilog_instrumentation_fastapi.remembering` keeps; a full memory begins anew.
const TEMPLATES_LIMIT: usize = 1_024;

/// By the hash of what they depend on. `None`: Python writes these.
type Templates = HashMap<u64, (KeptKey, Option<Py<AccessTemplate>>)>;

/// See the stub.
#[pyclass(frozen, module = "fapilog._native")]
pub struct ExchangePlan {
    pub plan: Py<PyAny>,
    /// Names of headers, in lower case.
    wanted: Vec<Vec<u8>>,
    /// How many of them, from the first, may have the caller's id.
    ids: usize,
    choose: Py<PyAny>,
    clock: Py<PyAny>,
    pub echo: Option<Py<PyBytes>>,
    pub user_agent: usize,
    pub content_length: usize,
    pub host: usize,
    /// Names of query parameters that were judged: true for secrets.
    pub judged: Py<PyDict>,
    template: Py<PyAny>,
    pub finish: Py<PyAny>,
    pub observe: Py<PyAny>,
    pub on_error: Py<PyAny>,
    pub no_headers: Py<PyAny>,
    pub variables: Variables,
    templates: GilCell<Templates>,
}

#[pymethods]
impl ExchangePlan {
    #[new]
    #[pyo3(signature = (
        plan, *, current, bound, key, attribute, wanted, ids, choose, clock, echo, user_agent, content_length, host, judged, template, finish, observe,
        on_error
    ))]
    #[allow(clippy::too_many_arguments)] // Keywords of Python.
    fn new(
        py: Python<'_>,
        plan: Py<PyAny>,
        current: &Bound<'_, PyAny>,
        bound: &Bound<'_, PyAny>,
        key: Py<PyString>,
        attribute: Py<PyString>,
        wanted: Vec<Vec<u8>>,
        ids: usize,
        choose: Py<PyAny>,
        clock: Py<PyAny>,
        echo: Option<Py<PyBytes>>,
        user_agent: usize,
        content_length: usize,
        host: usize,
        judged: Py<PyDict>,
        template: Py<PyAny>,
        finish: Py<PyAny>,
        observe: Py<PyAny>,
        on_error: Py<PyAny>,
    ) -> PyResult<Self> {
        let no_headers = PyTuple::empty(py).into_any().unbind();
        let templates = GilCell::default();
        let variables = Variables::of(current, bound, key, attribute)?;
        Ok(Self {
            plan,
            wanted,
            ids,
            choose,
            clock,
            echo,
            user_agent,
            content_length,
            host,
            judged,
            template,
            finish,
            observe,
            on_error,
            no_headers,
            variables,
            templates,
        })
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for each in [&self.plan, &self.choose, &self.template, &self.finish, &self.observe, &self.on_error] {
            visit.call(each)?;
        }
        // SAFETY: the collector is attached, and visits run no Python code; none starts while the map is borrowed
        // elsewhere, because nothing there makes a Python object.
        for (key, template) in unsafe { self.templates.get() }.values() {
            key.traverse(&visit)?;
            visit.call(template)?;
        }
        self.variables.traverse(&visit)
    }
}

impl ExchangePlan {
    /// The first value of each wanted header; None where there is none.
    pub fn wanted_of<'py>(&self, headers: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyList>> {
        let py = headers.py();
        let found = PyList::new(py, self.wanted.iter().map(|_| py.None()))?;
        for pair in headers.iter() {
            let (name, value) = two(&pair)?;
            let place = bytes_of(&name).and_then(|name| self.wanted.iter().position(|wanted| wanted == name));
            if let Some(place) =
                place.filter(|place| found.get_item(*place).is_ok_and(|known| known.is_none()))
            {
                found.set_item(place, value)?;
            }
        }
        Ok(found)
    }

    /// The caller's id, if it sent a valid one; else a new one.
    pub fn correlation_id(&self, headers: &Bound<'_, PyList>) -> PyResult<Py<PyString>> {
        let py = headers.py();
        if headers.iter().take(self.ids).all(|value| value.is_none()) {
            return Ok(new_correlation_id(py).unbind());
        }
        Ok(self.choose.bind(py).call1((headers,))?.cast_into::<PyString>()?.unbind())
    }

    /// Nanoseconds of the clock that Python measures with.
    pub fn now_nanos(&self, py: Python<'_>) -> PyResult<i64> {
        self.clock.bind(py).call0()?.extract()
    }

    /// What the access records of an exchange's route have in common; `None`: they are written in Python.
    pub fn template_of(
        &self,
        exchange: &Bound<'_, Exchange>,
        key: &Key<'_, '_>,
    ) -> PyResult<Option<Py<AccessTemplate>>> {
        let py = exchange.py();
        let hash = key.hash();
        // SAFETY: attached; to compare keys runs no Python code, and what is found is copied.
        let known = unsafe {
            let found = self.templates.get().get(&hash).filter(|(known, _)| key.is(known));
            found.map(|(_, template)| template.as_ref().map(|template| template.clone_ref(py)))
        };
        if let Some(template) = known {
            return Ok(template);
        }
        let made: Option<Py<AccessTemplate>> = self.template.bind(py).call1((exchange,))?.extract()?;
        let kept = made.as_ref().map(|template| template.clone_ref(py));
        // SAFETY: attached; what is replaced is dropped when nothing is borrowed.
        let _old = unsafe {
            let templates = self.templates.get();
            let full =
                if templates.len() >= TEMPLATES_LIMIT { std::mem::take(templates) } else { HashMap::new() };
            (full, templates.insert(hash, (key.kept(), kept)))
        };
        Ok(made)
    }
}
