//! Stage 2 of 7, capture: one record of `logging`, read from its parts. Thread: caller.
//!
//! What is odd (a level that is no number, a time before 1970, arguments of a type of their own) is left to the careful
//! path in `fapilog/bridges/stdlib.py`; [`Plain::of`] tells.

use super::active::Active;
use super::emission::{is_security, Emission};
use super::ending::may_call_python;
use super::keys::Role;
use super::level::{from_stdlib, Level};
use super::location;
use super::nested::Nested;
use super::record_parts::{Part, Parts};
use super::text::with_utf8;
use super::{given, helpers, trace};
use pyo3::exceptions::PyBaseException;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString, PyTuple};
use std::ptr;

/// Microseconds since the epoch whose nanoseconds have 64 bits: a little less than 2^64 / 1,000.
const LATEST_MICROS: f64 = 1.844e16;

/// `logging.LogRecord.getMessage`, unless somebody replaced it before us.
static GET_MESSAGE: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();

/// A record that can be read as it is.
pub struct Plain<'a, 'py> {
    parts: &'a Parts<'py>,
    pub level: i64,
    time_unix_nano: u64,
    /// Whether `getMessage` is that of `logging`.
    stock_message: bool,
}

impl<'a, 'py> Plain<'a, 'py> {
    /// `None`: odd.
    #[inline]
    pub fn of(record: &Bound<'py, PyAny>, parts: &'a Parts<'py>) -> Option<Self> {
        let level = parts.get(Part::Level)?.cast::<PyInt>().ok()?.extract::<i64>().ok()?;
        let time_unix_nano = nanos(parts.get(Part::Created)?)?;
        let arguments = parts.get(Part::Arguments);
        let usual = arguments
            .is_none_or(|all| all.is_exact_instance_of::<PyTuple>() || all.is_exact_instance_of::<PyDict>());
        let whole = parts.has(Part::Message) && parts.has(Part::Arguments) && !parts.has(Part::Structlog);
        let stock_message = has_stock_message(record);
        (usual && whole).then_some(Self { parts, level, time_unix_nano, stock_message })
    }

    pub fn severity(&self) -> u8 {
        from_stdlib(self.level)
    }

    /// Whether the record names the category that shedding spares.
    pub fn is_security(&self) -> bool {
        let named = |key: &Bound<'_, PyAny>| key.eq("fapilog.event.category").unwrap_or(false);
        self.parts.extras().any(|(key, value)| named(key) && is_security(value))
    }

    /// Stages 2 to 4. The result is what a log call returns: an awaitable, or null when an interrupt is to be raised.
    ///
    /// # Safety
    /// Attached, inside a `Call`.
    pub unsafe fn emit(&self, record: &Bound<'py, PyAny>, active: &Active, scope: u32) -> *mut ffi::PyObject {
        let py = record.py();
        // SAFETY: attached, for every call below; the parts are held.
        unsafe {
            let mut emission = self.begin(py, active);
            let template = self.parts.get(Part::Message).map(Bound::as_ptr);
            if !emission.passes(scope, template, || self.is_security()) {
                return helpers::done();
            }
            self.body(&mut emission, record);
            let event_name = self.extras(&mut emission, active);
            self.exception(&mut emission);
            if let Some(name) = event_name {
                let name = emission.name_of(&name);
                emission.event_name(&name);
            }
            if active.capture().threads {
                self.thread(&mut emission);
            }
            emission.bound_context();
            if emission.wants_location() {
                self.location(&mut emission);
            }
            emission.finish(scope, None)
        }
    }

    unsafe fn begin<'b>(&self, py: Python<'py>, active: &'b Active) -> Emission<'b, 'py> {
        let times = (self.time_unix_nano, active.pipeline.clock().now_nanos());
        let severity = self.severity();
        // SAFETY: attached.
        unsafe {
            let span = trace::current(py);
            let level = Level::of(severity);
            let source = active.capture().source_level_names;
            let name = if source { self.parts.ask(Part::LevelName) } else { None };
            match name.filter(PyAnyMethods::is_exact_instance_of::<PyString>) {
                Some(name) => with_utf8(name.as_ptr(), |name| {
                    let name = String::from_utf8_lossy(name);
                    given::begin(py, active, (severity, &name, level.protected), times, span.as_ref())
                }),
                None => Emission::begin_at(py, active, level, times, span.as_ref()),
            }
        }
    }

    /// The message with its arguments, as `logging` formats it. Without arguments it keeps its type; when formatting fails,
    /// the template and the arguments are both kept.
    unsafe fn body(&self, emission: &mut Emission<'_, 'py>, record: &Bound<'py, PyAny>) {
        let message = self.parts.get(Part::Message);
        let arguments = self.parts.get(Part::Arguments).filter(|all| !all.is_empty().unwrap_or(true));
        let formatted = match (message, arguments) {
            (message, None) if self.stock_message => {
                // SAFETY: attached; held.
                return message.map_or((), |message| unsafe { emission.body(message.as_ptr()) });
            }
            (Some(message), Some(arguments)) if self.stock_message => read(|| format(message, arguments)),
            _ => read(|| record.call_method0(intern!(record.py(), "getMessage"))),
        };
        match formatted {
            // SAFETY: attached.
            Ok(text) => unsafe { emission.body(text.as_ptr()) },
            Err(error) => {
                emission.remember(error);
                if let Some(message) = message {
                    // SAFETY: attached; held.
                    unsafe { emission.body(message.as_ptr()) };
                }
                if let Some(arguments) = arguments {
                    emission.named("fapilog.format_arguments", arguments);
                }
            }
        }
    }

    /// Attributes; returns what one of them gives as the event name.
    unsafe fn extras(&self, emission: &mut Emission<'_, 'py>, active: &Active) -> Option<Bound<'py, PyAny>> {
        let (mut name, mut old_name) = (None, None);
        for (key, value) in self.parts.extras() {
            // SAFETY: type pointers of live objects; keys and values are held.
            unsafe {
                if !ptr::eq(ffi::Py_TYPE(key.as_ptr()), &raw mut ffi::PyUnicode_Type) {
                    emission.pair(key, value, "");
                    continue;
                }
                match active.keys.get().role(key.as_ptr(), &active.pipeline.settings().policy) {
                    Role::Attribute => emission.extra(key.as_ptr(), value.as_ptr()),
                    Role::EventName => name = Some(value.clone()).filter(|name| !name.is_none()),
                    Role::OldEventName => old_name = Some(value.clone()).filter(|name| !name.is_none()),
                    Role::Known(_) => {}
                }
            }
        }
        name.or(old_name)
    }

    /// The exception, or what is left of it when the record came through a queue or a socket; and the stack.
    fn exception(&self, emission: &mut Emission<'_, 'py>) {
        let given = |part| self.parts.get(part).filter(|text| !is_empty_text(text));
        if let Some(stack) = given(Part::Stack) {
            emission.named("code.stacktrace", stack);
        }
        if let Some(info) = self.parts.get(Part::Exception) {
            let raised = info.cast::<PyTuple>().ok().filter(|info| info.len() == 3);
            let raised = raised.and_then(|info| info.get_item(1).ok());
            if let Some(raised) = raised.filter(PyAnyMethods::is_instance_of::<PyBaseException>) {
                emission.exception(&raised);
            }
        }
        if let Some(text) = given(Part::ExceptionText) {
            emission.named("exception.stacktrace", text);
        }
    }

    fn thread(&self, emission: &mut Emission<'_, 'py>) {
        if let Some(identifier) = self.parts.ask(Part::Thread) {
            emission.named("thread.id", &identifier);
        }
        if let Some(name) = self.parts.get(Part::ThreadName) {
            emission.named("thread.name", name);
        }
    }

    fn location(&self, emission: &mut Emission<'_, 'py>) {
        let text = |part| self.parts.ask(part).filter(PyAnyMethods::is_exact_instance_of::<PyString>);
        let line = self.parts.ask(Part::Line).and_then(|line| line.extract::<i64>().ok());
        let (Some(path), Some(function), Some(line)) = (text(Part::Path), text(Part::Function), line) else {
            return;
        };
        // SAFETY: attached; both are text.
        emission.place(|writer| unsafe { location::write_recorded(writer, &path, &function, line) });
    }
}

fn is_empty_text(value: &Bound<'_, PyAny>) -> bool {
    value.cast_exact::<PyString>().is_ok_and(|text| text.len().is_ok_and(|length| length == 0))
}

/// `created` in nanoseconds, by whole microseconds: the float has no room for more.
fn nanos(created: &Bound<'_, PyAny>) -> Option<u64> {
    let known = created.is_exact_instance_of::<PyFloat>() || created.is_exact_instance_of::<PyInt>();
    let micros = created.extract::<f64>().ok().filter(|_| known)? * 1e6;
    (0.0..LATEST_MICROS).contains(&micros).then(|| micros.round_ties_even() as u64 * 1_000)
}

fn has_stock_message(record: &Bound<'_, PyAny>) -> bool {
    let py = record.py();
    let find = || -> PyResult<Option<Py<PyAny>>> {
        let found = py.import("logging")?.getattr("LogRecord")?.getattr("getMessage")?;
        let stock = found.getattr("__module__")?.eq("logging")?;
        Ok(stock.then(|| found.unbind()))
    };
    let Ok(stock) = GET_MESSAGE.get_or_try_init(py, find) else { return false };
    // SAFETY: attached; a type lives as long as its instance; a new reference, or null with an error set.
    let mine = unsafe {
        let kind = ffi::Py_TYPE(record.as_ptr()).cast();
        let name = intern!(py, "getMessage").as_ptr();
        Bound::from_owned_ptr_or_err(py, ffi::PyObject_GetAttr(kind, name))
    };
    mine.is_ok_and(|mine| stock.as_ref().is_some_and(|stock| mine.is(stock)))
}

fn format<'py>(message: &Bound<'py, PyAny>, arguments: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if message.is_exact_instance_of::<PyString>() {
        return message.rem(arguments);
    }
    message.str()?.rem(arguments)
}

/// Runs code of the application's values, unless this thread is too deep in it or the process ends.
fn read<'py>(call: impl FnOnce() -> PyResult<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    match Nested::enter().filter(|_| may_call_python()) {
        Some(_level) => call(),
        None => Err(pyo3::exceptions::PyRecursionError::new_err("records within records")),
    }
}
