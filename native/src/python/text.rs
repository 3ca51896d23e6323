//! Stage 2 of 7, capture: a Python `str` as valid UTF-8. Thread: caller.

use crate::redact::lengths::READ_TEXT_BYTES;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::slice;

/// Above this many characters the UTF-8 copy is temporary: `PyUnicode_AsUTF8AndSize` would keep one inside a
/// non-ASCII object for its whole life (1,000 characters: +2 to +3 KB).
const CACHED_CHARACTERS: isize = 128;

/// The UTF-8 bytes inside a short, well-formed `str`. `None`: take [`owned_utf8`]. Runs no Python code.
///
/// # Safety
/// Attached; `text` is a live `str` that outlives the borrow.
#[inline]
pub unsafe fn borrowed_utf8<'a>(text: *mut ffi::PyObject) -> Option<&'a [u8]> {
    // SAFETY: `text` is a str; the pointer lives as long as the object, which the caller holds.
    unsafe {
        if ffi::PyUnicode_GetLength(text) > CACHED_CHARACTERS {
            return None;
        }
        let mut size = 0;
        let data = ffi::PyUnicode_AsUTF8AndSize(text, &raw mut size);
        if data.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(slice::from_raw_parts(data.cast(), size as usize))
    }
}

/// Calls `with` on the UTF-8 form of `text`; lone surrogates become backslash escapes.
///
/// # Safety
/// Attached; `text` is a live `str`.
#[inline]
pub unsafe fn with_utf8<T>(text: *mut ffi::PyObject, with: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: as the caller's.
    match unsafe { borrowed_utf8(text) } {
        Some(bytes) => with(bytes),
        // SAFETY: as the caller's.
        None => with(unsafe { owned_utf8(text) }.as_bytes()),
    }
}

/// The UTF-8 form as a string of our own.
///
/// # Safety
/// Attached; `text` is a live `str`.
#[cold]
pub unsafe fn owned_utf8(text: *mut ffi::PyObject) -> String {
    // SAFETY: plain calls of the C API on a live str; every new reference is dropped here.
    unsafe {
        let mut bytes = ffi::PyUnicode_AsUTF8String(text);
        if bytes.is_null() {
            ffi::PyErr_Clear();
            bytes = ffi::PyUnicode_AsEncodedString(text, c"utf-8".as_ptr(), c"backslashreplace".as_ptr());
        }
        if bytes.is_null() {
            ffi::PyErr_Clear();
            return String::new();
        }
        let data = ffi::PyBytes_AsString(bytes);
        let size = (ffi::PyBytes_Size(bytes).max(0) as usize).min(READ_TEXT_BYTES);
        let owned = String::from_utf8_lossy(slice::from_raw_parts(data.cast(), size)).into_owned();
        ffi::Py_DECREF(bytes);
        owned
    }
}

/// `str(value)` as a string of our own; of a `str`, subclasses included, its own text, whatever `__str__` says.
pub fn text_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = match value.cast::<PyString>() {
        Ok(text) => text.clone(),
        Err(_) => value.str()?,
    };
    // SAFETY: attached, as the bound object proves; a live str.
    Ok(unsafe { owned_utf8(text.as_ptr()) })
}
