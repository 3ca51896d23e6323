//! Stage 2 of 7, capture: the attributes in a mapping. Thread: caller.
//!
//! A dict of plain values, which instrumentation gives, is read in place: nothing on that path runs Python code. With
//! the first value that may run some, the rest is read from a copy.

use super::emission::Emission;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyDict, PyList};
use std::ptr;

/// True for a value whose reading runs no Python code: an exact str, int, float, bool, or None.
///
/// # Safety
/// `value` is live.
#[inline]
unsafe fn is_simple(value: *mut ffi::PyObject) -> bool {
    // SAFETY: reading the type pointer of a live object and comparing it with static types.
    unsafe {
        let kind = ffi::Py_TYPE(value);
        ptr::eq(kind, &raw mut ffi::PyUnicode_Type)
            || ptr::eq(kind, &raw mut ffi::PyLong_Type)
            || ptr::eq(kind, &raw mut ffi::PyFloat_Type)
            || ptr::eq(kind, &raw mut ffi::PyBool_Type)
            || ptr::eq(value, ffi::Py_None())
    }
}

impl<'py> Emission<'_, 'py> {
    /// Attributes from any mapping, in its order.
    pub fn mapping(&mut self, attributes: &Bound<'py, PyAny>) {
        if let Ok(dict) = attributes.cast_exact::<PyDict>() {
            return self.dict(dict);
        }
        if let Some((dict, dropped)) = bounded(attributes) {
            self.dropped = self.dropped.saturating_add(dropped);
            return self.dict(&dict);
        }
        // A list of the items: the mapping may change while a value is read.
        let items =
            attributes.call_method0("items").and_then(|items| PyList::type_object(self.py).call1((items,)));
        match items.and_then(|items| items.try_iter()) {
            Ok(items) => self.pairs(items, ""),
            Err(error) => self.remember(error),
        }
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) {
        let read = self.simple_items(dict);
        if read == dict.len() {
            return;
        }
        match dict.copy() {
            Ok(copy) => copy.iter().skip(read).for_each(|(key, value)| self.pair(&key, &value, "")),
            Err(error) => self.remember(error),
        }
    }

    /// Reads items up to the first that may run Python code; tells how many.
    fn simple_items(&mut self, dict: &Bound<'py, PyDict>) -> usize {
        let (mut position, mut read) = (0, 0);
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        // With attributes there already, a name may be one of theirs.
        let alone = self.attributes == 0;
        // SAFETY: attached; `PyDict_Next` lends key and value. They are held while they are read, because a string that
        // is no UTF-8 makes an exception, which may start the collector and so a finaliser that changes the dict.
        unsafe {
            while ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) != 0 {
                if !ptr::eq(ffi::Py_TYPE(key), &raw mut ffi::PyUnicode_Type) || !is_simple(value) {
                    break;
                }
                ffi::Py_INCREF(key);
                ffi::Py_INCREF(value);
                if alone || !self.has_name(key) {
                    self.extra(key, value);
                }
                ffi::Py_DECREF(value);
                ffi::Py_DECREF(key);
                read += 1;
            }
        }
        read
    }
}

/// The dict inside OpenTelemetry's `BoundedAttributes`, and how many attributes it has dropped.
fn bounded<'py>(attributes: &Bound<'py, PyAny>) -> Option<(Bound<'py, PyDict>, u32)> {
    let py = attributes.py();
    let dropped = attributes.getattr(intern!(py, "dropped")).ok()?.extract().ok()?;
    let copy = attributes.call_method0(intern!(py, "copy")).ok()?;
    Some((copy.cast_into_exact::<PyDict>().ok()?, dropped))
}
