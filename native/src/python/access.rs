//! Stages 1 and 2 of 7, emit and capture: the access record of an ordinary request. Thread: caller.
//!
//! Ordinary is a response without failure, of a route whose parameters are no secrets, of which nobody asks for more.
//! Python says once per route, host and status what such records have in common; here one is written from that and
//! from what differs. Every other record is written in Python, which knows all the cases.

use super::access_key::Key;
use super::active::Call;
use super::asgi::{bytes_of, item};
use super::bound::BoundAttributes;
use super::emission::Emission;
use super::exchange::Exchange;
use super::exchange_plan::ExchangePlan;
use super::level::Level;
use super::logger::Logger;
use super::trace;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};
use pyo3::{intern, PyTraverseError, PyVisit};

/// As many as `fapilog_instrumentation_fastapi.queries` shows.
const MOST_PARAMETERS: usize = 1_000;

/// What the access records of one route, host and status have in common; see the stub.
#[pyclass(frozen, module = "fapilog._native")]
#[allow(clippy::struct_excessive_bools)] // What settings say, each by itself.
pub struct AccessTemplate {
    logger: Py<Logger>,
    severity: u8,
    event_name: String,
    body: Py<PyString>,
    attributes: BoundAttributes,
    slow_seconds: f64,
    path_parameters: Py<PyTuple>,
    has_marks: bool,
    has_body: bool,
    query: bool,
    client: bool,
    user_agent: bool,
}

#[pymethods]
impl AccessTemplate {
    #[new]
    #[pyo3(signature = (
        logger, severity, event_name, body, attributes, *, slow_seconds, path_parameters, has_marks, has_body, query,
        client, user_agent
    ))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)] // Keywords of Python.
    fn new(
        logger: Py<Logger>,
        severity: u8,
        event_name: String,
        body: Py<PyString>,
        attributes: &Bound<'_, PyDict>,
        slow_seconds: f64,
        path_parameters: Py<PyTuple>,
        has_marks: bool,
        has_body: bool,
        query: bool,
        client: bool,
        user_agent: bool,
    ) -> PyResult<Self> {
        Ok(Self {
            logger,
            severity,
            event_name,
            body,
            attributes: BoundAttributes::of(attributes.copy()?.unbind()),
            slow_seconds,
            path_parameters,
            has_marks,
            has_body,
            query,
            client,
            user_agent,
        })
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.logger)
    }
}

/// Writes the access record of an exchange that is complete. False: it is none of the ordinary ones.
pub fn written(exchange: &Bound<'_, Exchange>) -> PyResult<bool> {
    let py = exchange.py();
    let state = exchange.try_borrow()?;
    let status = state.status.unwrap_or(500);
    if status >= 400
        || state.is_excluded
        || state.is_disconnected
        || state.error.is_some()
        || state.attributes.is_some()
    {
        return Ok(false);
    }
    let rules = state.rules.clone_ref(py);
    let plan = rules.get();
    let (scope, headers) = (state.scope.clone_ref(py).into_bound(py), state.headers.bind(py).clone());
    drop(state);
    let Ok(scope) = scope.cast_into::<PyDict>() else { return Ok(false) };
    let host = headers.get_item(plan.host)?;
    let Some(host) = bytes_of(&host) else { return Ok(false) };
    if plan.plan.bind(py).getattr(intern!(py, "on_response"))?.is_truthy()? {
        return Ok(false);
    }
    let Some(key) = Key::of(&scope, status, host)? else { return Ok(false) };
    let Some(template) = plan.template_of(exchange, &key)? else { return Ok(false) };
    let template = template.get();
    let seconds = exchange.try_borrow()?.seconds.unwrap_or(0.0);
    if seconds >= template.slow_seconds || !template.shows_path(&scope)? {
        return Ok(false);
    }
    let query = match template.query(&scope, plan)? {
        Query::Hidden => return Ok(false),
        Query::Shown(query) => Some(query),
        Query::Absent => None,
    };
    exchange.try_borrow_mut()?.is_finished = true;
    Differing { exchange, scope: &scope, plan, seconds, query }.write(template)?;
    Ok(true)
}

impl AccessTemplate {
    /// Whether the path's parameters are those that were judged.
    fn shows_path(&self, scope: &Bound<'_, PyDict>) -> PyResult<bool> {
        let py = scope.py();
        let judged = self.path_parameters.bind(py);
        let Some(found) = scope.get_item(intern!(py, "path_params"))? else { return Ok(judged.is_empty()) };
        let Ok(found) = found.cast::<PyDict>() else { return Ok(false) };
        if found.len() != judged.len() {
            return Ok(false);
        }
        for name in judged.iter() {
            if !found.contains(name)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the record has of the query string.
    fn query<'py>(&self, scope: &Bound<'py, PyDict>, plan: &ExchangePlan) -> PyResult<Query<'py>> {
        let py = scope.py();
        let Some(given) = scope.get_item(intern!(py, "query_string"))? else { return Ok(Query::Absent) };
        let Some(given) = bytes_of(&given) else { return Ok(Query::Hidden) };
        if given.is_empty() {
            return Ok(Query::Absent);
        }
        if self.has_marks {
            return Ok(Query::Hidden);
        }
        let judged = plan.judged.bind(py);
        for (place, part) in given.split(|byte| *byte == b'&').enumerate() {
            if place >= MOST_PARAMETERS {
                return Ok(Query::Hidden);
            }
            let Some(equals) = memchr::memchr(b'=', part) else { continue };
            match judged.get_item(PyBytes::new(py, &part[..equals]))? {
                Some(secret) if !secret.is_truthy()? => {}
                _ => return Ok(Query::Hidden),
            }
        }
        // Also where records have none: the span may have it, and Python looks after that.
        Ok(if self.query { Query::Shown(latin_1(py, given)) } else { Query::Absent })
    }
}

/// What a record has of a query string.
enum Query<'py> {
    Absent,
    Shown(Bound<'py, PyString>),
    /// Something of it may have to be hidden, or nobody judged its names yet.
    Hidden,
}

/// What one request's record has of its own.
struct Differing<'a, 'py> {
    exchange: &'a Bound<'py, Exchange>,
    scope: &'a Bound<'py, PyDict>,
    plan: &'a ExchangePlan,
    seconds: f64,
    query: Option<Bound<'py, PyString>>,
}

impl<'py> Differing<'_, 'py> {
    /// Stages 1 to 4.
    fn write(&self, template: &AccessTemplate) -> PyResult<()> {
        let py = self.exchange.py();
        let pairs = self.pairs(template)?;
        let context = self.exchange.try_borrow()?.context.clone_ref(py).into_bound(py);
        let logger = template.logger.get();
        let level = Level::of(template.severity);
        let body = template.body.bind(py);
        // SAFETY: attached, as `py` proves, for every call below.
        unsafe {
            let _call = Call::begin();
            let span = || trace::of_context(py, Some(&context));
            let Some((active, scope)) = logger.admit(py, level.severity, || false, span) else {
                return Ok(());
            };
            let now = active.pipeline.clock().now_nanos();
            let mut emission = Emission::begin_at(py, active, level, (now, now), span().as_ref());
            if !emission.passes(scope, Some(body.as_ptr()), || false) {
                return Ok(());
            }
            emission.body(body.as_ptr());
            emission.bound(&template.attributes);
            for (name, value) in &pairs {
                emission.extra(name.as_ptr(), value.as_ptr());
            }
            emission.event_name(&template.event_name);
            logger.bound_attributes(&mut emission);
            emission.bound_context();
            let done = emission.finish(scope, Some(&context));
            Bound::from_owned_ptr_or_err(py, done).map(drop)
        }
    }

    /// Names and values.
    fn pairs(&self, template: &AccessTemplate) -> PyResult<Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>> {
        let py = self.exchange.py();
        // Nothing is borrowed while objects of the server are asked: they may ask the exchange.
        let (headers, path, received, sent) = {
            let state = self.exchange.try_borrow()?;
            let (headers, path) = (state.headers.clone_ref(py), state.path.clone_ref(py));
            (headers.into_bound(py), path.into_bound(py), state.request_bytes, state.response_bytes)
        };
        let mut pairs = Vec::with_capacity(8);
        let mut put =
            |name: &Bound<'py, PyString>, value: Bound<'py, PyAny>| pairs.push((name.clone(), value));
        put(intern!(py, "url.path"), path);
        put(intern!(py, "fapilog.http.server.request.duration"), PyFloat::new(py, self.seconds).into_any());
        let said = headers.get_item(self.plan.content_length)?;
        let size = bytes_of(&said).and_then(number).unwrap_or(received);
        put(intern!(py, "http.request.body.size"), PyInt::new(py, size).into_any());
        // Servers send no body in answer to HEAD, whatever the application gave them.
        let size = if template.has_body { sent } else { 0 };
        put(intern!(py, "http.response.body.size"), PyInt::new(py, size).into_any());
        if let Some(query) = &self.query {
            put(intern!(py, "url.query"), query.clone().into_any());
        }
        if let Some(client) =
            template.client.then(|| item(self.scope, intern!(py, "client"))).transpose()?.flatten()
        {
            if client.is_truthy()? {
                put(intern!(py, "client.address"), client.get_item(0)?);
                let port = client.get_item(1)?;
                if port.is_truthy()? {
                    put(intern!(py, "client.port"), port);
                }
            }
        }
        let agent = headers.get_item(self.plan.user_agent)?;
        if let Some(agent) = bytes_of(&agent).filter(|_| template.user_agent) {
            put(intern!(py, "user_agent.original"), latin_1(py, agent).into_any());
        }
        Ok(pairs)
    }
}

/// As much as a `Content-Length` says, if it says a number of at most 18 digits.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// A string of bytes that are Latin-1, as headers are.
fn latin_1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()) {
        Some(text) => PyString::new(py, text),
        None => PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}
