//! Stage 2 of 7, capture: where the call stands in the source. Thread: caller.
//!
//! Attributes `code.file.path`, `code.function.name`, `code.line.number` (stable semantic conventions). File and
//! function are encoded once per code object; what is left per call is the frame and its line.

use super::gil::GilCell;
use super::keys::bit_of;
use crate::fields::{EncodedKey, KeyField, SeverityField};
use crate::record::RecordWriter;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ptr;

const SLOTS: usize = 256;
const LINE_FIELD: EncodedKey = EncodedKey(b"\x0a\x10code.line.number");

struct Place {
    code: *mut ffi::PyCodeObject,
    fields: Vec<u8>,
}

static PLACES: GilCell<Vec<Place>> = GilCell::new(Vec::new());

/// Number of attributes that [`write`] adds.
pub const ATTRIBUTES: usize = 3;
/// Their keys as bits of a set.
pub const BITS: u64 = bit_of(b"code.file.path") | bit_of(b"code.function.name") | bit_of(b"code.line.number");

/// The same attributes as encoded fields, for a record that has some of them or little room.
///
/// # Safety
/// As [`write`].
#[cold]
pub unsafe fn fields(py: Python<'_>) -> Vec<u8> {
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    let head = writer.len();
    // SAFETY: as the caller's.
    unsafe { write(py, &mut writer) };
    writer.record()[head..].to_vec()
}

/// Writes the location of the Python frame that is running.
///
/// # Safety
/// Attached, called from a native function that Python called: the running frame is the logger's caller.
pub unsafe fn write(py: Python<'_>, writer: &mut RecordWriter) {
    // SAFETY: `PyEval_GetFrame` lends the running frame; `PyFrame_GetCode` gives a new reference.
    unsafe {
        let frame = ffi::PyEval_GetFrame();
        if frame.is_null() {
            return;
        }
        let code = ffi::PyFrame_GetCode(frame);
        let line = ffi::PyFrame_GetLineNumber(frame);
        let index = (code as usize >> 5) & (SLOTS - 1);
        let known = PLACES.get().get(index).is_some_and(|place| ptr::eq(place.code, code));
        if known {
            writer.encoded_attributes(&PLACES.get()[index].fields);
        } else {
            writer.encoded_attributes(&learn(py, code, index));
        }
        writer.attribute_int(&LINE_FIELD, i64::from(line));
        ffi::Py_DECREF(code.cast());
    }
}

#[cold]
unsafe fn learn(py: Python<'_>, code: *mut ffi::PyCodeObject, index: usize) -> Vec<u8> {
    // SAFETY: a live code object.
    let object = unsafe { Bound::<PyAny>::from_borrowed_ptr(py, code.cast()) };
    let text =
        |name: &str| object.getattr(name).and_then(|value| value.extract::<String>()).unwrap_or_default();
    let function = match module_name(py) {
        Some(module) => format!("{module}.{}", text("co_qualname")),
        None => text("co_qualname"),
    };
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    let head = writer.len();
    writer.attribute_str(&KeyField::new(b"code.file.path"), text("co_filename").as_bytes());
    writer.attribute_str(&KeyField::new(b"code.function.name"), function.as_bytes());
    let fields = writer.record()[head..].to_vec();
    // SAFETY: attached. The new object is held, the slot written, and only then the old one let go.
    unsafe {
        let places = PLACES.get();
        if places.is_empty() {
            places.resize_with(SLOTS, || Place { code: ptr::null_mut(), fields: Vec::new() });
        }
        ffi::Py_INCREF(code.cast());
        let old = std::mem::replace(&mut places[index], Place { code, fields: fields.clone() });
        ffi::Py_XDECREF(old.code.cast());
    }
    fields
}

fn module_name(py: Python<'_>) -> Option<String> {
    // SAFETY: lends the globals of the running frame, a dict, or null.
    let globals = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetGlobals()) }?;
    globals.cast::<PyDict>().ok()?.get_item("__name__").ok()??.extract().ok()
}
