//! Stage 1 of 7, emit: what an application sends to answer a request, observed on its way. Thread: caller.
//!
//! Nothing here raises into the application: an error is counted, and the message goes on as it was.

use super::access;
use super::asgi::{bytes_of, item, two};
use super::exchange::Exchange;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyList, PyString, PyTuple};
use pyo3::{intern, PyTraverseError, PyVisit};

const START: &str = "http.response.start";
const BODY: &str = "http.response.body";
/// Two extensions of ASGI that let a server send a file.
const FILES: [&str; 2] = ["http.response.pathsend", "http.response.zerocopysend"];

/// Stands in for the `send` of an HTTP request.
#[pyclass(frozen, weakref, module = "fapilog._native")]
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
    let tell = exchange.try_borrow()?.rules.get().on_error.clone_ref(py);
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
        exchange.try_borrow_mut()?.response_bytes += length;
    } else if kind == START {
        changed = start(exchange, message)?;
    } else {
        let look = exchange.try_borrow()?.rules.get().observe.clone_ref(py);
        look.call1(py, (exchange, message))?;
    }
    let on_send = exchange.try_borrow()?.on_send.as_ref().map(|call| call.clone_ref(py));
    if let Some(on_send) = on_send {
        on_send.call1(py, (changed.as_ref().unwrap_or(message),))?;
    }
    if (kind == BODY || FILES.contains(&kind)) && !more_body(message)? {
        complete(exchange)?;
    }
    Ok(changed)
}

fn body_bytes(message: &Bound<'_, PyAny>) -> PyResult<i64> {
    let Some(body) = item(message, intern!(message.py(), "body"))? else { return Ok(0) };
    Ok(match bytes_of(&body) {
        Some(bytes) => bytes.len(),
        None => body.len()?,
    } as i64)
}

fn more_body(message: &Bound<'_, PyAny>) -> PyResult<bool> {
    item(message, intern!(message.py(), "more_body"))?.map_or(Ok(false), |more| more.is_truthy())
}

/// Notes how the response begins; adds the header with the id.
pub fn start<'py>(
    exchange: &Bound<'py, Exchange>,
    message: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = exchange.py();
    exchange.try_borrow_mut()?.is_started = true;
    let status = item(message, intern!(py, "status"))?.map_or(Ok(101), |status| status.extract())?;
    exchange.try_borrow_mut()?.status = Some(status);
    let name = intern!(py, "headers");
    let given = item(message, name)?;
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
    // What was there is dropped when nothing is borrowed.
    let (echo, id, _before) = {
        let mut state = exchange.try_borrow_mut()?;
        let noted = headers.clone().into_any().unbind();
        let before = std::mem::replace(&mut state.response_headers, noted);
        let echo = state.rules.get().echo.as_ref().map(|echo| echo.clone_ref(py));
        (echo, state.correlation_id.clone_ref(py), before)
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
    let copy = py.get_type::<PyDict>().call1((message,))?;
    let sent = PyList::new(py, headers.iter())?;
    if let Some(echo) = echo {
        let value = pyo3::types::PyBytes::new(py, id.bind(py).to_str()?.as_bytes());
        sent.append(PyTuple::new(py, [echo, value])?)?;
    }
    copy.set_item(name, sent)?;
    Ok(Some(copy))
}

/// Whether there is a header of this name, in whatever case.
fn has(headers: &Bound<'_, PyList>, wanted: &[u8]) -> PyResult<bool> {
    for pair in headers.iter() {
        let (name, _) = two(&pair)?;
        let is_it = match name.cast::<PyByteArray>() {
            Ok(name) => name.to_vec().eq_ignore_ascii_case(wanted),
            Err(_) => bytes_of(&name).is_some_and(|name| name.eq_ignore_ascii_case(wanted)),
        };
        if is_it {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The response was handed over: a response without failure is finished here, before background tasks run.
fn complete(exchange: &Bound<'_, Exchange>) -> PyResult<()> {
    let py = exchange.py();
    let rules = exchange.try_borrow()?.rules.clone_ref(py);
    let now = rules.get().now_nanos(py)?;
    let finishes = {
        let mut state = exchange.try_borrow_mut()?;
        state.is_complete = true;
        // Nanoseconds of one request are exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let seconds = (now - state.started_nanos) as f64 / 1e9;
        state.seconds = Some(seconds);
        !state.is_finished && state.status.is_some_and(|status| status < 500)
    };
    if !finishes {
        return Ok(());
    }
    let is_written = match access::written(exchange) {
        Ok(is_written) => is_written,
        Err(error) => {
            count(exchange, error)?;
            exchange.try_borrow()?.is_finished
        }
    };
    if !is_written {
        rules.get().finish.call1(py, (exchange,))?;
    }
    Ok(())
}
