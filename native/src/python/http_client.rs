//! Stage 6 of 7, export: HTTP for exporters in Python, past Python's own sockets and locks. Threads: delivery, workers.

use super::documents::DocumentsPart;
use crate::export::http::client::{Client, ClientError, ClientSettings};
use crate::export::http::tls::Files;
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::time::Duration;

create_exception!(
    fapilog._native,
    HttpError,
    PyOSError,
    "Why a request has no answer; `timeout` tells whether time ran out."
);

/// See the stub.
#[pyclass(frozen, module = "fapilog._native")]
pub struct HttpClient(Client);

/// Status, headers, body.
type Answer<'py> = (u16, Vec<(String, String)>, Bound<'py, PyBytes>);

#[pymethods]
impl HttpClient {
    #[new]
    #[allow(clippy::too_many_arguments)] // keywords on the Python side
    #[pyo3(signature = (*, timeout_millis=10_000, connect_timeout_millis=5_000, certificate=None,
        client_certificate=None, client_key=None, user_agent="fapilog", max_response_bytes=65_536, max_connections=4))]
    fn new(
        timeout_millis: Option<u64>,
        connect_timeout_millis: u64,
        certificate: Option<PathBuf>,
        client_certificate: Option<PathBuf>,
        client_key: Option<PathBuf>,
        user_agent: &str,
        max_response_bytes: usize,
        max_connections: usize,
    ) -> PyResult<Self> {
        let client = Client::new(ClientSettings {
            timeout: timeout_millis.map(Duration::from_millis),
            connect_timeout: Duration::from_millis(connect_timeout_millis),
            tls: Files { certificate, client_certificate, client_key },
            user_agent: user_agent.to_owned(),
            max_response_bytes,
            max_idle_connections: max_connections,
        });
        client.map(Self).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// See the stub.
    #[pyo3(signature = (url, headers, body, *, timeout_millis=None, gzip=false))]
    fn post<'py>(
        &self,
        py: Python<'py>,
        url: &str,
        headers: Vec<(String, String)>,
        body: &Bound<'py, PyAny>,
        timeout_millis: Option<u64>,
        gzip: bool,
    ) -> PyResult<Answer<'py>> {
        let timeout = timeout_millis.map(Duration::from_millis);
        let body = match body.cast::<DocumentsPart>() {
            Ok(part) => part.get().as_bytes(),
            Err(_) => body.extract()?,
        };
        // With the interpreter lock, so that no fork happens meanwhile.
        let connections = self.0.connections();
        let answer = py.detach(|| {
            if gzip {
                self.0.post_gzip(&connections, url, headers, body, timeout)
            } else {
                self.0.post(&connections, url, &headers, body, timeout)
            }
        });
        let response = answer.map_err(|error| raised(py, error))?;
        Ok((response.status, response.headers, PyBytes::new(py, &response.body)))
    }
}

fn raised(py: Python<'_>, error: ClientError) -> PyErr {
    let (message, timeout) = match error {
        ClientError::Invalid(message) => return PyValueError::new_err(message),
        ClientError::Failed { message, timeout } => (message, timeout),
    };
    let error = HttpError::new_err(message);
    match error.value(py).setattr("timeout", timeout) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Adds the exception, whose class says `timeout = False`.
pub fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let kind = module.py().get_type::<HttpError>();
    kind.setattr("timeout", false)?;
    module.add("HttpError", kind)?;
    module.add_class::<HttpClient>()
}
