//! Stage 2 of 7, capture: where the call stands in the source. Thread: caller.
//!
//! Attributes `code.file.path`, `code.function.name`, `code.line.number` (stable semantic conventions). File and
//! function are encoded once per code object; what is left per call is the frame and its line.

use super::gil::GilCell;
use crate::record::fields::{EncodedKey, KeyBits, KeyField, SeverityField};
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

/// A place as a record of `logging` names it, and what it was found to be.
struct Recorded {
    path: *mut ffi::PyObject,
    function: *mut ffi::PyObject,
    line: i64,
    fields: Vec<u8>,
}

static RECORDED: GilCell<Vec<Recorded>> = GilCell::new(Vec::new());
/// Frames between a call of `logging` and its handler, with room for those of other libraries.
const FRAMES: usize = 32;

/// Number of attributes that [`write`] adds.
pub const ATTRIBUTES: usize = 3;
/// Their keys as a set.
pub const BITS: KeyBits = KeyBits::of(b"code.file.path")
    .with(KeyBits::of(b"code.function.name"))
    .with(KeyBits::of(b"code.line.number"));

/// What `write` writes, as encoded fields: for a record that has some of them or little room.
#[cold]
pub fn fields(write: impl FnOnce(&mut RecordWriter)) -> Vec<u8> {
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    let head = writer.len();
    write(&mut writer);
    writer.record()[head..].to_vec()
}

/// A place given as text: by a record that was made elsewhere. Without a function where none is known.
pub fn write_given(writer: &mut RecordWriter, path: &str, function: &str, line: i64) {
    writer.encoded_attributes(&place_fields(path, function));
    writer.attribute_int(&LINE_FIELD, line);
}

/// A place as a record of `logging` names it. The record knows the bare name of the function only; the frame that made
/// it, as long as it is running, knows the class and the module.
///
/// # Safety
/// Attached; `path` and `function` are `str`.
pub unsafe fn write_recorded(
    writer: &mut RecordWriter,
    path: &Bound<'_, PyAny>,
    function: &Bound<'_, PyAny>,
    line: i64,
) {
    let index = ((path.as_ptr() as usize >> 4) ^ line as usize) & (SLOTS - 1);
    let same = |place: &&Recorded| {
        ptr::eq(place.path, path.as_ptr()) && ptr::eq(place.function, function.as_ptr()) && place.line == line
    };
    // SAFETY: attached; the borrow ends before Python code runs.
    if let Some(known) = unsafe { RECORDED.get() }.get(index).filter(same) {
        return writer.encoded_attributes(&known.fields);
    }
    let bare = || function.extract::<String>().unwrap_or_default();
    let found = running(path, function, line);
    let fields = fields(|writer| {
        let path = path.extract::<String>().unwrap_or_default();
        write_given(writer, &path, &found.clone().unwrap_or_else(bare), line);
    });
    writer.encoded_attributes(&fields);
    if found.is_some() {
        // SAFETY: attached.
        unsafe { remember(index, path, function, line, fields) };
    }
}

/// The qualified name of the running function that stands at this place.
fn running(path: &Bound<'_, PyAny>, function: &Bound<'_, PyAny>, line: i64) -> Option<String> {
    let py = path.py();
    // SAFETY: attached; lends the running frame.
    let mut frame = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) }?;
    for _ in 0..FRAMES {
        if frame
            .getattr("f_lineno")
            .and_then(|number| number.extract::<i64>())
            .is_ok_and(|number| number == line)
        {
            let code = frame.getattr("f_code").ok()?;
            let is =
                |name: &str, wanted| code.getattr(name).and_then(|value| value.eq(wanted)).unwrap_or(false);
            if is("co_filename", path) && is("co_name", function) {
                let module = frame.getattr("f_globals").and_then(|globals| globals.get_item("__name__"));
                return Some(qualified(&code, module.and_then(|name| name.extract()).ok()));
            }
        }
        frame = frame.getattr("f_back").ok().filter(|back| !back.is_none())?;
    }
    None
}

/// # Safety
/// Attached.
#[cold]
unsafe fn remember(
    index: usize,
    path: &Bound<'_, PyAny>,
    function: &Bound<'_, PyAny>,
    line: i64,
    fields: Vec<u8>,
) {
    let place = |path, function| Recorded { path, function, line, fields };
    // SAFETY: attached. The new objects are held, the slot written, and only then the old ones let go.
    unsafe {
        let recorded = RECORDED.get();
        if recorded.is_empty() {
            let empty =
                || Recorded { path: ptr::null_mut(), function: ptr::null_mut(), line: 0, fields: Vec::new() };
            recorded.resize_with(SLOTS, empty);
        }
        let new = place(path.clone().into_ptr(), function.clone().into_ptr());
        let old = std::mem::replace(&mut recorded[index], new);
        ffi::Py_XDECREF(old.path);
        ffi::Py_XDECREF(old.function);
    }
}

fn place_fields(path: &str, function: &str) -> Vec<u8> {
    fields(|writer| {
        writer.attribute_str(&KeyField::new(b"code.file.path"), path.as_bytes());
        if !function.is_empty() {
            writer.attribute_str(&KeyField::new(b"code.function.name"), function.as_bytes());
        }
    })
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
    let function = qualified(&object, module_name(py));
    let fields = place_fields(&text_attribute(&object, "co_filename"), &function);
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

/// The function of a code object with its module, as the semantic conventions want it.
pub fn qualified(code: &Bound<'_, PyAny>, module: Option<String>) -> String {
    let function = text_attribute(code, "co_qualname");
    module.map_or_else(|| function.clone(), |module| format!("{module}.{function}"))
}

/// An attribute that is text, or nothing.
pub fn text_attribute(object: &Bound<'_, PyAny>, name: &str) -> String {
    object.getattr(name).and_then(|value| value.extract::<String>()).unwrap_or_default()
}

fn module_name(py: Python<'_>) -> Option<String> {
    // SAFETY: lends the globals of the running frame, a dict, or null.
    let globals = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetGlobals()) }?;
    globals.cast::<PyDict>().ok()?.get_item("__name__").ok()??.extract().ok()
}
