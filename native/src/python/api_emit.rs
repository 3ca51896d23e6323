//! Stage 1 of 7, emit: `emit` of OpenTelemetry's `Logger`, in both of its forms. Thread: caller.
//!
//! A raw fastcall method, because the API is all keywords and they cost more than the record does. A field of a wrong
//! type becomes text or is left out; nothing is raised but what must reach the application.

use super::active::Call;
use super::emission::is_security;
use super::gil::GilCell;
use super::given::begin;
use super::logger::Logger;
use super::text::{borrowed_utf8, text_of};
use super::values::unprintable_name;
use super::{helpers, trace};
use crate::ledger::Refusal;
use crate::record::fields::TraceFields;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::borrow::Cow;
use std::ptr;

/// The parameters of `emit`; each has the index of its place in [`NAMES`].
const TIMESTAMP: usize = 0;
const OBSERVED: usize = 1;
const CONTEXT: usize = 2;
const SEVERITY_NUMBER: usize = 3;
const SEVERITY_TEXT: usize = 4;
const BODY: usize = 5;
const ATTRIBUTES: usize = 6;
const EVENT_NAME: usize = 7;
const EXCEPTION: usize = 8;
const RECORD: usize = 9;
const PARAMETERS: usize = 10;
/// Those that a `LogRecord` has as attributes.
const FIELDS: usize = RECORD;
const NAMES: [&std::ffi::CStr; PARAMETERS] = [
    c"timestamp",
    c"observed_timestamp",
    c"context",
    c"severity_number",
    c"severity_text",
    c"body",
    c"attributes",
    c"event_name",
    c"exception",
    c"record",
];
/// The names as interned strings: keywords of a call are the same objects.
static INTERNED: GilCell<[*mut ffi::PyObject; PARAMETERS]> = GilCell::new([ptr::null_mut(); PARAMETERS]);
/// Numbers of enumeration members by address, with a reference to each.
static MEMBERS: GilCell<[(*mut ffi::PyObject, u8); 32]> = GilCell::new([(ptr::null_mut(), 0); 32]);

/// Prepares the names; once, at import.
pub fn init(py: Python<'_>) -> PyResult<()> {
    for (index, name) in NAMES.iter().enumerate() {
        // SAFETY: attached; a new reference, kept for the life of the process.
        unsafe {
            let interned = ffi::PyUnicode_InternFromString(name.as_ptr());
            if interned.is_null() {
                return Err(PyErr::fetch(py));
            }
            INTERNED.get()[index] = interned;
        }
    }
    Ok(())
}

/// The fields of one record. None stands for what was not given.
struct Given<'py> {
    fields: [Option<Bound<'py, PyAny>>; FIELDS],
    /// Of a `LogRecord`: trace, span and flags as it has them; 0 for none.
    ids: Option<(u128, u64, u8)>,
}

impl<'py> Given<'py> {
    fn get(&self, index: usize) -> Option<&Bound<'py, PyAny>> {
        self.fields[index].as_ref()
    }

    /// Nanoseconds since the epoch; `None` when they are none.
    fn nanos(&self, index: usize) -> Option<u64> {
        self.get(index)?.extract().ok()
    }

    /// A text, of whatever was given.
    fn text(&self, index: usize) -> PyResult<Cow<'_, str>> {
        let Some(value) = self.get(index) else { return Ok(Cow::Borrowed("")) };
        if value.is_exact_instance_of::<PyString>() {
            // SAFETY: attached; a live str, which `self` holds as long as the borrow.
            if let Some(text) = unsafe { borrowed_utf8(value.as_ptr()) } {
                return Ok(String::from_utf8_lossy(text));
            }
        }
        match text_of(value) {
            Err(error) if error.is_instance_of::<PyException>(value.py()) => {
                Ok(Cow::Owned(unprintable_name(value)))
            }
            text => text.map(Cow::Owned),
        }
    }

    fn severity(&self) -> u8 {
        self.get(SEVERITY_NUMBER).map_or(0, severity_of)
    }

    /// True when the attributes name the category that shedding spares.
    fn is_security(&self) -> bool {
        let category = self.get(ATTRIBUTES).and_then(|all| all.get_item("fapilog.event.category").ok());
        category.is_some_and(|category| is_security(&category))
    }

    /// The span that the record belongs to.
    fn span(&self, py: Python<'py>) -> Option<TraceFields> {
        match self.ids {
            Some((trace, span, flags)) if trace != 0 && span != 0 => {
                Some(TraceFields::new(trace.to_be_bytes(), span.to_be_bytes(), flags))
            }
            Some(_) => None,
            None => trace::of_context(py, self.get(CONTEXT)),
        }
    }
}

/// The number of a `SeverityNumber`, or of a plain integer; 0, unspecified, for anything else.
fn severity_of(value: &Bound<'_, PyAny>) -> u8 {
    let index = (value.as_ptr() as usize >> 4) & 31;
    // SAFETY: attached; copied out.
    let (known, number) = unsafe { MEMBERS.get()[index] };
    if ptr::eq(known, value.as_ptr()) {
        return number;
    }
    let plain = value.getattr(intern!(value.py(), "value"));
    let number = plain.as_ref().unwrap_or(value).extract::<i64>().unwrap_or(0).clamp(0, 24) as u8;
    if plain.is_ok() && super::values::is_enum(value) {
        // SAFETY: attached. The member is held, the slot written, and only then the old one let go.
        unsafe {
            let old = std::mem::replace(&mut MEMBERS.get()[index], (value.clone().into_ptr(), number)).0;
            ffi::Py_XDECREF(old);
        }
    }
    number
}

/// `emit(record=None, *, timestamp=None, ...)`.
///
/// # Safety
/// As the fastcall convention gives `arguments` and `names`; attached.
pub unsafe fn emit(
    logger: &Logger,
    py: Python<'_>,
    arguments: &[*mut ffi::PyObject],
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller's.
    let emitted =
        unsafe { read(py, arguments, names) }.and_then(|given| unsafe { pass_on(logger, py, &given) });
    let interrupt = match emitted {
        Ok(()) => None,
        Err(error) => lost(logger, py, &error).or_else(|| helpers::interrupt_of::<()>(py, Err(error))),
    };
    if let Some(interrupt) = interrupt {
        interrupt.restore(py);
        return ptr::null_mut();
    }
    none()
}

/// A new reference to None: what `emit` returns.
pub fn none() -> *mut ffi::PyObject {
    // SAFETY: every caller serves a Python call and is attached.
    unsafe {
        ffi::Py_INCREF(ffi::Py_None());
        ffi::Py_None()
    }
}

/// Counts a record that could not be read, and says why.
#[cold]
fn lost(logger: &Logger, py: Python<'_>, error: &PyErr) -> Option<PyErr> {
    if !error.is_instance_of::<PyException>(py) {
        return None;
    }
    // SAFETY: attached.
    let _call = unsafe { Call::begin() };
    // SAFETY: attached, inside a call.
    if let Some(active) = unsafe { logger.active(py) } {
        active.pipeline.refuse(Refusal::CaptureFailed);
    }
    let name = logger.scope_name();
    helpers::say(
        py,
        "otel-record-lost",
        &format!("a record of logger '{name}' is not one of OpenTelemetry's: {error}"),
        name,
    )
}

/// What the call gave.
///
/// # Safety
/// As the fastcall convention gives `arguments` and `names`; attached.
unsafe fn read<'py>(
    py: Python<'py>,
    arguments: &[*mut ffi::PyObject],
    names: *mut ffi::PyObject,
) -> PyResult<Given<'py>> {
    let mut given = Given { fields: [const { None }; FIELDS], ids: None };
    // SAFETY: `names` is null or a tuple.
    let keywords = if names.is_null() { 0 } else { (unsafe { ffi::PyTuple_Size(names) }) as usize };
    let (positional, values) = arguments.split_at(arguments.len() - keywords);
    // SAFETY: live objects of the running call.
    let object = |value: *mut ffi::PyObject| unsafe { Bound::from_borrowed_ptr(py, value) };
    let mut record = positional.first().map(|record| object(*record)).filter(|record| !record.is_none());
    for (index, value) in values.iter().enumerate() {
        // SAFETY: a name of the running call, borrowed; comparing with None.
        let (name, none) =
            unsafe { (ffi::PyTuple_GetItem(names, index as isize), ptr::eq(*value, ffi::Py_None())) };
        if none {
            continue;
        }
        match place_of(py, name) {
            Some(RECORD) => record = Some(object(*value)),
            Some(place) => given.fields[place] = Some(object(*value)),
            None => {
                // SAFETY: a str of the running call.
                let name = unsafe { super::text::owned_utf8(name) };
                let message = format!("emit() does not know the keyword {name:?}; it is ignored");
                if let Some(interrupt) = helpers::say(py, "otel-keyword-unknown", &message, &name) {
                    return Err(interrupt);
                }
            }
        }
    }
    match record {
        Some(record) => of_record(&record),
        None => Ok(given),
    }
}

/// Which parameter a keyword names.
fn place_of(py: Python<'_>, name: *mut ffi::PyObject) -> Option<usize> {
    // SAFETY: attached; copied out.
    let interned = unsafe { *INTERNED.get() };
    let place = interned.iter().position(|known| ptr::eq(*known, name));
    // A name that was made at run time (`emit(**fields)`) may be another object.
    place.or_else(|| {
        // SAFETY: a live str.
        let name = unsafe { Bound::from_borrowed_ptr(py, name) };
        NAMES.iter().position(|known| name.eq(known.to_string_lossy()).unwrap_or(false))
    })
}

/// The fields of a `LogRecord`, or of the one inside a `ReadWriteLogRecord`.
#[cold]
fn of_record<'py>(record: &Bound<'py, PyAny>) -> PyResult<Given<'py>> {
    let py = record.py();
    let inner = record.getattr(intern!(py, "log_record"));
    let record = inner.as_ref().unwrap_or(record);
    let mut given = Given { fields: [const { None }; FIELDS], ids: None };
    // SAFETY: attached; copied out.
    let names = unsafe { *INTERNED.get() };
    for (index, name) in names.into_iter().take(FIELDS).enumerate() {
        // SAFETY: attached; the names live as long as the process. A new reference, or null with an error set.
        let value = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyObject_GetAttr(record.as_ptr(), name)) };
        // Younger fields may be missing; a record without a body is no record.
        let value = if index == BODY { Some(value?) } else { value.ok() };
        given.fields[index] = value.filter(|value| !value.is_none());
    }
    let trace = record.getattr(intern!(py, "trace_id")).ok().and_then(|id| trace_id(&id));
    if let Some(trace) = trace {
        let span = record.getattr(intern!(py, "span_id")).ok().and_then(|id| id.extract().ok());
        let flags = record.getattr(intern!(py, "trace_flags")).ok().and_then(|id| id.extract().ok());
        given.ids = Some((trace, span.unwrap_or(0), flags.unwrap_or(0)));
    }
    Ok(given)
}

/// An integer of 16 bytes; most records without a span have 0.
fn trace_id(id: &Bound<'_, PyAny>) -> Option<u128> {
    if let Ok(small) = id.extract::<u64>() {
        return Some(u128::from(small));
    }
    let bytes = id.call_method1(intern!(id.py(), "to_bytes"), (16, intern!(id.py(), "big"))).ok()?;
    bytes.extract::<[u8; 16]>().ok().map(u128::from_be_bytes)
}

/// Stages 1 to 4 of a record that was read.
///
/// # Safety
/// Attached.
unsafe fn pass_on<'py>(logger: &Logger, py: Python<'py>, given: &Given<'py>) -> PyResult<()> {
    let severity = given.severity();
    // SAFETY: as the caller's, for every call below.
    unsafe {
        let _call = Call::begin();
        let spared = || given.is_security();
        let Some((active, scope)) = logger.admit(py, severity, spared, || given.span(py)) else {
            return Ok(());
        };
        let text = given.text(SEVERITY_TEXT)?;
        let event_name = given.text(EVENT_NAME)?;
        let observed = given.nanos(OBSERVED).unwrap_or_else(|| active.pipeline.clock().now_nanos());
        let times = (given.nanos(TIMESTAMP).unwrap_or(0), observed);
        let span = given.span(py);
        let level = (severity, text.as_ref(), severity >= 17);
        let mut emission = begin(py, active, level, times, span.as_ref());
        if let (None, Some((trace, _, flags))) = (&span, given.ids) {
            emission.writer.trace_context(trace, 0, u32::from(flags));
        }
        if !emission.passes(scope, given.get(BODY).map(Bound::as_ptr), spared) {
            return Ok(());
        }
        if let Some(body) = given.get(BODY) {
            emission.body(body.as_ptr());
        }
        if let Some(attributes) = given.get(ATTRIBUTES) {
            emission.mapping(attributes);
        }
        if let Some(exception) = given.get(EXCEPTION) {
            emission.exception(exception);
        }
        emission.event_name(&event_name);
        logger.bound_attributes(&mut emission);
        emission.bound_context();
        let done = emission.finish(scope, given.get(CONTEXT));
        if done.is_null() {
            return Err(PyErr::fetch(py));
        }
        ffi::Py_DECREF(done);
    }
    Ok(())
}
