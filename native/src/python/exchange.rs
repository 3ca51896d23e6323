//! Stage 1 of 7, emit: `Exchange`, the state of one HTTP request or WebSocket connection. Thread: caller.
//!
//! What almost every request needs is here, because each line of Python that runs once per request costs more than
//! its instructions: between two requests the caches have forgotten it. The rest is in Python
//! (`fapilog_instrumentation_fastapi.exchange`), whose class derives from this one.

use super::asgi::{headers_of, item};
use super::exchange_plan::ExchangePlan;
use super::gil::GilCell;
use super::responses::{start, Sender};
use super::trace;
use crate::clock::Clock;
use crate::record::correlation::Ids;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use pyo3::{intern, PyTraverseError, PyVisit};

static IDS: GilCell<Option<Ids>> = GilCell::new(None);

/// One request or WebSocket connection; see the stub.
#[pyclass(subclass, weakref, module = "fapilog._native")]
#[allow(clippy::struct_excessive_bools)] // What happened so far, each by itself.
pub struct Exchange {
    pub rules: Py<ExchangePlan>,
    #[pyo3(get, set)]
    pub scope: Py<PyAny>,
    #[pyo3(get)]
    pub plan: Py<PyAny>,
    #[pyo3(get)]
    pub correlation_id: Py<PyString>,
    #[pyo3(get)]
    pub context: Py<PyAny>,
    #[pyo3(get)]
    pub headers: Py<PyList>,
    #[pyo3(get)]
    pub path: Py<PyAny>,
    #[pyo3(get, set)]
    pub started_nanos: i64,
    #[pyo3(get, set)]
    pub seconds: Option<f64>,
    #[pyo3(get, set)]
    pub status: Option<i64>,
    #[pyo3(get, set)]
    pub response_headers: Py<PyAny>,
    #[pyo3(get, set)]
    pub request_bytes: i64,
    #[pyo3(get, set)]
    pub response_bytes: i64,
    #[pyo3(get, set)]
    pub is_started: bool,
    #[pyo3(get, set)]
    pub is_complete: bool,
    #[pyo3(get, set)]
    pub is_disconnected: bool,
    #[pyo3(get, set)]
    pub is_excluded: bool,
    #[pyo3(get, set)]
    pub is_finished: bool,
    #[pyo3(get, set)]
    pub error: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    pub attributes: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    pub on_receive: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    pub on_send: Option<Py<PyAny>>,
    /// Of the two context variables, while it is entered.
    tokens: Option<[Py<PyAny>; 2]>,
}

#[pymethods]
impl Exchange {
    #[new]
    fn new(scope: &Bound<'_, PyAny>, rules: &Bound<'_, ExchangePlan>) -> PyResult<Self> {
        let py = scope.py();
        let plan = rules.get();
        let headers = plan.wanted_of(&headers_of(scope)?)?;
        let path = item(scope, intern!(py, "path"))?.ok_or_else(|| PyKeyError::new_err("path"))?;
        Ok(Self {
            correlation_id: plan.correlation_id(&headers)?,
            context: current_context(py)?.unbind(),
            headers: headers.unbind(),
            path: path.unbind(),
            started_nanos: plan.now_nanos(py)?,
            rules: rules.clone().unbind(),
            scope: scope.clone().unbind(),
            plan: plan.plan.clone_ref(py),
            response_headers: plan.no_headers.clone_ref(py),
            seconds: None,
            status: None,
            request_bytes: 0,
            response_bytes: 0,
            is_started: false,
            is_complete: false,
            is_disconnected: false,
            is_excluded: false,
            is_finished: false,
            error: None,
            attributes: None,
            on_receive: None,
            on_send: None,
            tokens: None,
        })
    }

    fn enter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (rules, id) = {
            let state = slf.try_borrow()?;
            (state.rules.clone_ref(py), state.correlation_id.clone_ref(py))
        };
        let tokens = rules.get().variables.set(py, slf.as_any(), &id)?;
        slf.try_borrow_mut()?.tokens = Some(tokens);
        Ok(())
    }

    /// What a task that outlives the request keeps holds no bodies, and no circle of references is left.
    fn leave(slf: &Bound<'_, Self>, scope: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let (rules, tokens, own, _held) = {
            let mut state = slf.try_borrow_mut()?;
            let held = (state.on_receive.take(), state.on_send.take());
            (state.rules.clone_ref(py), state.tokens.take(), state.scope.clone_ref(py), held)
        };
        let variables = &rules.get().variables;
        if let Some(tokens) = tokens {
            variables.reset(py, tokens)?;
        }
        variables.forget(scope)?;
        if !own.is(scope) {
            variables.forget(own.bind(py))?;
        }
        Ok(())
    }

    fn sender(slf: Py<Self>, send: Py<PyAny>) -> Sender {
        Sender::new(slf, send)
    }

    fn start<'py>(slf: &Bound<'py, Self>, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Ok(start(slf, message)?.unwrap_or_else(|| message.clone()))
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for each in [&self.scope, &self.plan, &self.context, &self.path, &self.response_headers] {
            visit.call(each)?;
        }
        for each in [&self.error, &self.attributes, &self.on_receive, &self.on_send] {
            visit.call(each)?;
        }
        // A token holds its context, and that may hold the exchange.
        for token in self.tokens.iter().flatten() {
            visit.call(token)?;
        }
        visit.call(&self.headers)?;
        visit.call(&self.rules)
    }

    fn __clear__(&mut self) {
        // The circles that there can be lead through these.
        self.error = None;
        self.attributes = None;
        self.on_receive = None;
        self.on_send = None;
    }
}

/// A new id: 32 hexadecimal digits.
#[pyfunction]
pub fn new_correlation_id(py: Python<'_>) -> Bound<'_, PyString> {
    // SAFETY: attached; nothing below runs Python code while the cell is borrowed.
    let id = unsafe {
        let known = IDS.get();
        if known.as_ref().is_none_or(Ids::are_inherited) {
            *known = Some(Ids::draw());
        }
        known.as_mut().map(|ids| ids.next(Clock::default().now_nanos()))
    };
    // Digits are ASCII.
    PyString::new(py, std::str::from_utf8(&id.unwrap_or_default()).unwrap_or_default())
}

/// OpenTelemetry's current context.
fn current_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: attached, as `py` proves.
    if let Some(context) = unsafe { trace::current_context(py) } {
        return Ok(context);
    }
    py.import(intern!(py, "opentelemetry.context"))?.call_method0(intern!(py, "get_current"))
}
