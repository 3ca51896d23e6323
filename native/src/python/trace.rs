//! Stage 2 of 7, capture: the active span's ids and the bound context. Thread: caller.
//!
//! OpenTelemetry keeps one immutable `Context` per change in a context variable, so the object's identity stands
//! for its span: a few entries, each holding a strong reference, replace a lookup of 200 ns by one of 7.

use super::gil::GilCell;
use crate::record::fields::TraceFields;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ptr;

const SLOTS: usize = 8;

/// Where the current span is read; set once by `fapilog.otel_private`.
struct Source {
    /// `ContextVar.get` of the runtime context, or null: then `fallback` is asked every time.
    get: *mut ffi::PyObject,
    span_key: Option<Py<PyAny>>,
    /// `(context | None) -> span context` over the public API.
    fallback: Option<Py<PyAny>>,
    /// `ContextVar.get` of the attributes that `bind_context` binds.
    bound: *mut ffi::PyObject,
    /// Whether `bind_context` was ever used: until then nobody pays for looking.
    binds: bool,
    slots: [(*mut ffi::PyObject, Option<TraceFields>); SLOTS],
}

static SOURCE: GilCell<Source> = GilCell::new(Source {
    get: ptr::null_mut(),
    span_key: None,
    fallback: None,
    bound: ptr::null_mut(),
    binds: false,
    slots: [(ptr::null_mut(), None); SLOTS],
});

/// Connects capture with the context variables it reads. `current_context` and `span_key` may be absent: then `fallback` serves.
#[pyfunction]
#[pyo3(signature = (*, bound, fallback, current_context=None, span_key=None))]
pub fn connect_context(
    bound: Py<PyAny>,
    fallback: Py<PyAny>,
    current_context: Option<Py<PyAny>>,
    span_key: Option<Py<PyAny>>,
) {
    forget_contexts();
    // SAFETY: attached (called from Python); nothing below runs Python code. Old references are leaked on purpose:
    // this happens once per process.
    let source = unsafe { SOURCE.get() };
    source.bound = bound.into_ptr();
    source.fallback = Some(fallback);
    source.get = match (&span_key, current_context) {
        (Some(_), Some(get)) => get.into_ptr(),
        _ => ptr::null_mut(),
    };
    source.span_key = span_key;
}

/// From now on log calls look for bound attributes.
#[pyfunction]
pub fn watch_bound_context() {
    // SAFETY: attached (called from Python).
    unsafe { SOURCE.get().binds = !SOURCE.get().bound.is_null() };
}

/// Lets go of the contexts (and so the spans) that the cache keeps alive.
#[pyfunction]
pub fn forget_contexts() {
    // SAFETY: attached. The slots are emptied before any reference is dropped: a `__del__` may log again.
    let old = unsafe { std::mem::replace(&mut SOURCE.get().slots, [(ptr::null_mut(), None); SLOTS]) };
    for (context, _) in old {
        // SAFETY: the cache owned this reference.
        unsafe { ffi::Py_XDECREF(context) };
    }
}

/// The active span's fields, `None` outside of one.
///
/// # Safety
/// Attached.
#[inline]
pub unsafe fn current(py: Python<'_>) -> Option<TraceFields> {
    // SAFETY: attached; the reference to the source ends before Python code may run.
    unsafe {
        let get = SOURCE.get().get;
        if get.is_null() {
            return ask_public_api(py, None);
        }
        let context = ffi::PyObject_CallNoArgs(get);
        if context.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        let (known, fields) = SOURCE.get().slots[slot(context)];
        if known == context {
            ffi::Py_DECREF(context);
            return fields;
        }
        learn(py, context)
    }
}

/// OpenTelemetry's current context; `None`: where it is kept is not known.
///
/// # Safety
/// Attached.
pub unsafe fn current_context(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: attached; `get` is a bound method that stays alive.
    unsafe {
        let get = SOURCE.get().get;
        if get.is_null() {
            return None;
        }
        let context = ffi::PyObject_CallNoArgs(get);
        if context.is_null() {
            ffi::PyErr_Clear();
        }
        Bound::from_owned_ptr_or_opt(py, context)
    }
}

/// The attributes of the innermost `bind_context`, as a new reference; null when there are none.
///
/// # Safety
/// Attached.
#[inline]
pub unsafe fn bound() -> *mut ffi::PyObject {
    // SAFETY: attached; `get` is a bound method that stays alive.
    unsafe {
        if !SOURCE.get().binds {
            return ptr::null_mut();
        }
        let value = ffi::PyObject_CallNoArgs(SOURCE.get().bound);
        if value.is_null() {
            ffi::PyErr_Clear();
        } else if value == ffi::Py_None() {
            ffi::Py_DECREF(value);
            return ptr::null_mut();
        }
        value
    }
}

/// The fields of the span in `context`, an OpenTelemetry `Context` or `None` for the current one.
pub fn of_context(py: Python<'_>, context: Option<&Bound<'_, PyAny>>) -> Option<TraceFields> {
    match context {
        // SAFETY: attached, as `py` proves.
        None => unsafe { current(py) },
        Some(context) => {
            // SAFETY: attached; copied out.
            let (known, fields) = unsafe { SOURCE.get().slots[slot(context.as_ptr())] };
            if known == context.as_ptr() {
                fields
            } else {
                read(py, context)
            }
        }
    }
}

fn slot(context: *mut ffi::PyObject) -> usize {
    (context as usize >> 4) & (SLOTS - 1)
}

/// Reads the span of a new context, then publishes it; takes over the reference to `context`.
#[cold]
unsafe fn learn(py: Python<'_>, context: *mut ffi::PyObject) -> Option<TraceFields> {
    // SAFETY: a new reference that we own.
    let object = unsafe { Bound::from_owned_ptr(py, context) };
    let fields = read(py, &object);
    // SAFETY: attached, and no Python code between reading the slot and writing it. The old reference is dropped
    // last: its `__del__` may log again.
    unsafe {
        let place = &mut SOURCE.get().slots[slot(context)];
        let old = std::mem::replace(place, (object.into_ptr(), fields)).0;
        ffi::Py_XDECREF(old);
    }
    fields
}

fn read(py: Python<'_>, context: &Bound<'_, PyAny>) -> Option<TraceFields> {
    // SAFETY: attached; the key is cloned before Python code runs.
    let Some(key) = (unsafe { SOURCE.get().span_key.as_ref().map(|key| key.clone_ref(py)) }) else {
        return ask_public_api(py, Some(context));
    };
    let span = match context.cast::<PyDict>() {
        Ok(dict) => dict.get_item(key).ok()??,
        Err(_) => context.get_item(key).ok()?,
    };
    fields_of(&span.call_method0("get_span_context").ok()?).ok()?
}

#[cold]
fn ask_public_api(py: Python<'_>, context: Option<&Bound<'_, PyAny>>) -> Option<TraceFields> {
    // SAFETY: attached; cloned before the call.
    let fallback = unsafe { SOURCE.get().fallback.as_ref().map(|call| call.clone_ref(py)) }?;
    fields_of(&fallback.bind(py).call1((context,)).ok()?).ok()?
}

fn fields_of(span_context: &Bound<'_, PyAny>) -> PyResult<Option<TraceFields>> {
    if span_context.is_none() || !span_context.getattr("is_valid")?.is_truthy()? {
        return Ok(None);
    }
    let trace_id: u128 = span_context.getattr("trace_id")?.extract()?;
    let span_id: u64 = span_context.getattr("span_id")?.extract()?;
    let flags: u8 = span_context.getattr("trace_flags")?.extract()?;
    Ok(Some(TraceFields::new(trace_id.to_be_bytes(), span_id.to_be_bytes(), flags)))
}
