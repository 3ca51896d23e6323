//! Stage 2 of 7, capture: what is rare in the arguments of a level method. Thread: caller.
//!
//! `%`-formatting, reserved keywords, and the category that shedding spares. `logger` reads the usual arguments itself.

use super::emission::{is_security, Emission};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// True when a call says `category="security"`; asked only while the buffer sheds.
///
/// # Safety
/// Attached; `values` and `names` belong to the running call.
#[cold]
pub unsafe fn names_security(
    py: Python<'_>,
    values: &[*mut ffi::PyObject],
    names: *mut ffi::PyObject,
) -> bool {
    if names.is_null() {
        return false;
    }
    // SAFETY: names and values of the running call, borrowed.
    unsafe {
        let names = Bound::from_borrowed_ptr(py, names);
        let Some(index) =
            names.call_method1("index", ("category",)).ok().and_then(|i| i.extract::<usize>().ok())
        else {
            return false;
        };
        values.get(index).is_some_and(|value| is_security(&Bound::from_borrowed_ptr(py, *value)))
    }
}

/// `%`-formatting as `logging` does it; when it fails, template and arguments are both kept.
///
/// # Safety
/// Attached; `template` and `rest` belong to the running call.
#[cold]
pub unsafe fn format_body(
    emission: &mut Emission<'_, '_>,
    template: *mut ffi::PyObject,
    rest: &[*mut ffi::PyObject],
) {
    let py = emission.py;
    // SAFETY: live objects of the running call.
    let (template, rest) = unsafe {
        let rest: Vec<_> = rest.iter().map(|argument| Bound::from_borrowed_ptr(py, *argument)).collect();
        (Bound::from_borrowed_ptr(py, template), rest)
    };
    let formatted = match rest.as_slice() {
        // One non-empty mapping is the mapping of `%(name)s`.
        [only] if only.is_instance_of::<PyDict>() && only.is_truthy().unwrap_or(false) => template.rem(only),
        _ => PyTuple::new(py, &rest).and_then(|arguments| template.rem(arguments)),
    };
    match formatted {
        // SAFETY: attached.
        Ok(text) if text.is_instance_of::<PyString>() => unsafe { emission.body(text.as_ptr()) },
        other => {
            if let Err(error) = other {
                emission.remember(error);
            }
            // SAFETY: attached.
            unsafe { emission.body(template.as_ptr()) };
            if let Ok(arguments) = PyTuple::new(py, &rest) {
                emission.named("fapilog.format_arguments", &arguments.into_any());
            }
        }
    }
}

/// Reads the keywords again for those with a meaning of their own.
///
/// # Safety
/// Attached; `names` and `values` belong to the running call.
#[cold]
pub unsafe fn reserved(
    emission: &mut Emission<'_, '_>,
    names: *mut ffi::PyObject,
    values: &[*mut ffi::PyObject],
) {
    for (index, value) in values.iter().enumerate() {
        // SAFETY: names and values of the running call, borrowed.
        let (name, value) = unsafe {
            let name = Bound::from_borrowed_ptr(emission.py, ffi::PyTuple_GetItem(names, index as isize));
            (name, Bound::from_borrowed_ptr(emission.py, *value))
        };
        emission.reserved(&name, &value);
    }
}
