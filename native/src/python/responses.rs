//! Stage 1 of 7, emit: what an application sends to answer a request, observed on its way. Thread: caller.
//!
//! Nothing here raises into the application: an error is counted, and the message goes on as it was.

use super::access;
use super::exchange::{bytes_of, Exchange};
use super::exchange_plan::two;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{intern, PyTraverseError, PyVisit};

const START: &str = "http.response.start";
const BODY: &str = "http.response.body";
/// Two extensions of ASGI that let a server send a file.
const FILES: [&str; 2] = ["http.response.pathsend", "http.response.zerocopysend"];

/// Stands in for the `send` of an HTTP request.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Sender {
    exchange: Py<Exchange>,
    send: Py<PyAny>,
}

#[pymethods]
impl Sender {
    fn __call__<'py>(&self, py: Python<'py>, message: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let exchange = self.exchange.bind(py);
        let message = match observe(exchange, &message) {
            Ok(Some(changed)) => changed,
            Ok(None) => message,
            Err(error) => {
                count(exchange, error)?;
                message
            }
        };
        self.send.bind(py).call1((message,))
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        visit.call(&self.send)
    }
}

impl Sender {
    pub const fn new(exchange: Py<Exchange>, send: Py<PyAny>) -> Self {
        Self { exchange, send }
    }
}

/// Counts an error of ours; interrupts and the end of the process go on.
fn count(exchange: &Bound<'_, Exchange>, error: PyErr) -> PyResult<()> {
    let py = exchange.py();
    if !error.is_instance_of::<PyException>(py) {
        return Err(error);
    }
    let tell = exchange.borrow().rules.get().on_error.clone_ref(py);
    tell.call1(py, (error.into_value(py), "send")).map(drop)
}

/// Notes what a message tells; returns the message that is sent in its place, if another one is.
fn observe<'py>(
    exchange: &Bound<'py, Exchange>,
    message: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = exchange.py();
    let kind = message.get_item(intern!(py, "type"))?;
    let kind = kind.cast::<PyString>()?.to_str()?;
    let mut changed = None;
    if kind == BODY {
        let length = body_bytes(message)?;
        exchange.borrow_mut().response_bytes += length;
    } else if kind == START {
        changed = start(exchange, message)?;
    } else {
        let look = exchange.borrow().rules.get().observe.clone_ref(py);
        look.call1(py, (exchange, message))?;
    }
    let on_send = exchange.borrow().on_send.as_ref().map(|call| call.clone_ref(py));
    if let Some(on_send) = on_send {
        on_send.call1(py, (changed.as_ref().unwrap_or(message),))?;
    }
    if (kind == BODY || FILES.contains(&kind)) && !more_body(message)? {
        complete(exchange)?;
    }
    Ok(changed)
}

fn body_bytes(message: &Bound<'_, PyAny>) -> PyResult<i64> {
    let Some(body) = get(message, intern!(message.py(), "body"))? else { return Ok(0) };
    Ok(match bytes_of(&body) {
        Some(bytes) => bytes.len(),
        None => body.len()?,
    } as i64)
}

fn more_body(message: &Bound<'_, PyAny>) -> PyResult<bool> {
    get(message, intern!(message.py(), "more_body"))?.map_or(Ok(false), |more| more.is_truthy())
}

fn get<'py>(message: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    super::exchange::item(message, name)
}

/// Notes how the response begins; adds the header with the id.
pub fn start<'py>(
    exchange: &Bound<'py, Exchange>,
    message: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = exchange.py();
    let status = get(message, intern!(py, "status"))?.map_or(Ok(101), |status| status.extract())?;
    let name = intern!(py, "headers");
    let given = get(message, name)?;
    let list = match &given {
        Some(given) => given.cast_exact::<PyList>().ok().cloned(),
        None => None,
    };
    let (headers, is_new) = match (list, given) {
        (Some(list), _) => (list, false),
        (None, Some(given)) => {
            let is_new = given.hasattr(intern!(py, "__next__"))?;
            let list = PyList::empty(py);
            for each in given.try_iter()? {
                list.append(each?)?;
            }
            (list, is_new)
        }
        (None, None) => (PyList::empty(py), false),
    };
    let (echo, id) = {
        let mut state = exchange.borrow_mut();
        state.is_started = true;
        state.status = Some(status);
        state.response_headers = headers.clone().into_any().unbind();
        let echo = state.rules.get().echo.as_ref().map(|echo| echo.clone_ref(py));
        (echo, state.correlation_id.clone_ref(py))
    };
    let echo = echo.map(|echo| echo.into_bound(py));
    let echo = match echo {
        Some(echo) if !has(&headers, echo.as_bytes())? => Some(echo),
        _ => None,
    };
    if echo.is_none() && !is_new {
        return Ok(None);
    }
    // A copy: an application may send the same response again and again.
    let copy = PyDict::new(py);
    match message.cast::<PyDict>() {
        Ok(dict) => copy.update(dict.as_mapping())?,
        Err(_) => copy.update(message.cast::<pyo3::types::PyMapping>()?)?,
    }
    let sent = PyList::new(py, headers.iter())?;
    if let Some(echo) = echo {
        let value = pyo3::types::PyBytes::new(py, id.bind(py).to_str()?.as_bytes());
        sent.append(PyTuple::new(py, [echo, value])?)?;
    }
    copy.set_item(name, sent)?;
    Ok(Some(copy.into_any()))
}

/// Whether there is a header of this name, in whatever case.
fn has(headers: &Bound<'_, PyList>, wanted: &[u8]) -> PyResult<bool> {
    for pair in headers.iter() {
        let (name, _) = two(&pair)?;
        if bytes_of(&name).is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The response was handed over: a response without failure is finished here, before background tasks run.
fn complete(exchange: &Bound<'_, Exchange>) -> PyResult<()> {
    let py = exchange.py();
    let rules = exchange.borrow().rules.clone_ref(py);
    let now = rules.get().now_nanos(py)?;
    let finishes = {
        let mut state = exchange.borrow_mut();
        state.is_complete = true;
        // Nanoseconds of one request are exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let seconds = (now - state.started_nanos) as f64 / 1e9;
        state.seconds = Some(seconds);
        !state.is_finished && state.status.is_some_and(|status| status < 500)
    };
    if finishes && !access::written(exchange)? {
        rules.get().finish.call1(py, (exchange,))?;
    }
    Ok(())
}
