//! Stage 2 of 7, capture: any Python value as an OTLP `AnyValue`. Thread: caller.
//!
//! The exact types that logs are made of are told apart by pointer; every other type is classified once and its
//! kind kept in a small cache. Nothing here raises: a value that cannot be read becomes `<unprintable T>`. Only
//! KeyboardInterrupt and SystemExit, raised by a user's method, are remembered and raised after the record is done.

use super::gil::GilCell;
use super::text::{text_of, with_utf8};
use crate::record::fields::KeyField;
use crate::record::{tag, RecordWriter};
use crate::redact::lengths::READ_TEXT_BYTES;
use crate::redact::{KeyDecision, Policy, SECRET_MARKER};
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use std::collections::HashSet;
use std::ptr;

/// Containers inside containers, as far as the wire format carries: protobuf decoders stop at 100 nested messages, and a
/// map level costs three (ADR 0006).
pub const MAX_DEPTH: usize = 30;

/// A record that grows beyond this while nested values are read gets no more elements.
pub const MAX_NESTED_BYTES: usize = 1 << 20;
const TYPE_SLOTS: usize = 128;

/// How a type is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Str,
    Bool,
    Int,
    Float,
    None,
    Dict,
    List,
    /// Tuple, set, frozenset and their kind: read through a list of their elements.
    Iterable,
    Bytes,
    /// bytearray, memoryview.
    Buffer,
    /// datetime, date, time: `isoformat()`.
    Iso,
    /// `.value`, encoded in turn.
    Enum,
    /// `.item()`, encoded in turn.
    NumpyScalar,
    /// Dataclass, attrs, pydantic, other mappings: `fapilog.values.to_plain`.
    Object,
    /// Has `get_secret_value`: never looked at.
    Secret,
    /// `str()`.
    Other,
}

static TYPES: GilCell<[(*mut ffi::PyTypeObject, Kind); TYPE_SLOTS]> =
    GilCell::new([(ptr::null_mut(), Kind::Other); TYPE_SLOTS]);
static TO_PLAIN: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

/// Gives capture the Python functions for rare kinds: `classify(type) -> kind name` and `to_plain(value) -> dict`.
#[pyfunction]
pub fn connect_values(_py: Python<'_>, classify: Py<PyAny>, to_plain: Py<PyAny>) {
    // SAFETY: attached; the old values, if any, are dropped after the cells are written.
    let old = unsafe { (CLASSIFY.replace(Some(classify)), TO_PLAIN.replace(Some(to_plain))) };
    drop(old);
}
static CLASSIFY: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

/// Reads values into one record.
pub struct ValueReader<'a, 'py> {
    pub py: Python<'py>,
    pub writer: &'a mut RecordWriter,
    pub policy: &'a Policy,
    /// Containers inside containers that are read; deeper ones become empty values.
    pub depth: usize,
    /// KeyboardInterrupt or SystemExit from a user's method.
    pub interrupt: Option<PyErr>,
    /// Containers being read, to see a cycle.
    path: Vec<*mut ffi::PyObject>,
}

impl<'a, 'py> ValueReader<'a, 'py> {
    pub fn new(py: Python<'py>, writer: &'a mut RecordWriter, policy: &'a Policy, depth: usize) -> Self {
        Self { py, writer, policy, depth, interrupt: None, path: Vec::new() }
    }

    /// Attribute of any value. `field` is the encoded key.
    pub fn attribute(&mut self, field: &KeyField, value: &Bound<'py, PyAny>) {
        let open = self.writer.open_attribute(field);
        self.any(value);
        self.writer.close_attribute(open);
    }

    /// Attribute named by any object; secret names are hidden as at top level.
    pub fn named_attribute(&mut self, name: &str, value: &Bound<'py, PyAny>) {
        let field = KeyField::new(name.as_bytes());
        if self.policy.decide(name) == KeyDecision::Hide {
            self.writer.attribute_str(&field, SECRET_MARKER.as_bytes());
        } else {
            self.attribute(&field, value);
        }
    }

    /// Body of any value.
    pub fn body(&mut self, value: &Bound<'py, PyAny>) {
        let open = self.writer.open_body();
        self.any(value);
        self.writer.close(open);
    }

    /// One value into the message that is open in the writer.
    pub fn any(&mut self, value: &Bound<'py, PyAny>) {
        match kind_of(value) {
            Kind::None => {}
            Kind::Str => self.str(value),
            Kind::Bool => self.writer.any_bool(value.is_truthy().unwrap_or(false)),
            Kind::Int => self.int(value),
            Kind::Float => self.writer.any_double(value.extract().unwrap_or(f64::NAN)),
            Kind::Dict | Kind::Object => self.nested(value, Self::map),
            Kind::List | Kind::Iterable => self.nested(value, Self::array),
            Kind::Bytes | Kind::Buffer => self.bytes(value),
            Kind::Iso => self.text_from(value, value.call_method0(intern!(self.py, "isoformat"))),
            Kind::Enum => self.unwrapped(value, "value", false),
            Kind::NumpyScalar => self.unwrapped(value, "item", true),
            Kind::Secret => self.writer.any_str(SECRET_MARKER.as_bytes()),
            Kind::Other => self.text_from(value, value.str().map(Bound::into_any)),
        }
    }

    fn str(&mut self, value: &Bound<'py, PyAny>) {
        let writer = &mut *self.writer;
        // SAFETY: attached; kind Str means an instance of str; the writer runs no Python code.
        unsafe { with_utf8(value.as_ptr(), |text| writer.any_str(what_is_read(text))) }
    }

    fn int(&mut self, value: &Bound<'py, PyAny>) {
        if let Ok(number) = value.extract::<i64>() {
            return self.writer.any_int(number);
        }
        // Outside of 64 bits: the decimal digits; beyond the interpreter's digit limit: hexadecimal.
        let digits = value.str().or_else(|_| hexadecimal(value));
        self.text_from(value, digits.map(Bound::into_any));
    }

    fn bytes(&mut self, value: &Bound<'py, PyAny>) {
        let bytes = match value.cast::<PyBytes>() {
            Ok(bytes) => Ok(bytes.clone()),
            Err(_) => PyBytes::new(self.py, &[])
                .get_type()
                .call1((value,))
                .and_then(|b| Ok(b.cast_into::<PyBytes>()?)),
        };
        match bytes {
            Ok(bytes) => {
                let all = bytes.as_bytes();
                self.writer.any_bytes(&all[..all.len().min(READ_TEXT_BYTES)]);
            }
            Err(error) => self.unprintable(value, error),
        }
    }

    /// The text of `value` as a method gave it.
    fn text_from(&mut self, value: &Bound<'py, PyAny>, text: PyResult<Bound<'py, PyAny>>) {
        match text {
            Ok(text) if text.is_instance_of::<PyString>() => self.str(&text),
            Ok(_) => self.writer.any_str(unprintable_name(value).as_bytes()),
            Err(error) => self.unprintable(value, error),
        }
    }

    /// An enum's value, a numpy scalar's item.
    fn unwrapped(&mut self, value: &Bound<'py, PyAny>, name: &str, call: bool) {
        let inner = if call { value.call_method0(name) } else { value.getattr(name) };
        match inner {
            Ok(inner) if self.path.len() < self.depth && !inner.is(value) => {
                self.path.push(value.as_ptr());
                self.any(&inner);
                self.path.pop();
            }
            Ok(_) => self.text_from(value, value.str().map(Bound::into_any)),
            Err(error) => self.unprintable(value, error),
        }
    }

    fn nested(&mut self, value: &Bound<'py, PyAny>, read: fn(&mut Self, &Bound<'py, PyAny>)) {
        if self.path.contains(&value.as_ptr()) {
            self.writer.any_str(b"<cycle>");
        } else if self.path.len() < self.depth {
            self.path.push(value.as_ptr());
            read(self, value);
            self.path.pop();
        }
    }

    /// A snapshot of the items is read, so a dict may change meanwhile (another thread, a user's `__str__`).
    fn map(&mut self, value: &Bound<'py, PyAny>) {
        let plain = match value.cast_exact::<PyDict>() {
            Ok(dict) => Ok(dict.clone()),
            Err(_) => to_plain(value),
        };
        match plain.and_then(|dict| dict.copy()) {
            Ok(snapshot) => self.items(&snapshot),
            Err(error) => self.unprintable(value, error),
        }
    }

    fn items(&mut self, dict: &Bound<'py, PyDict>) {
        let list = self.writer.open(tag::KVLIST);
        // Two keys may have one text, 1 and "1"; the first counts, because keys of a map must be unique on export.
        let mut seen = HashSet::new();
        for (key, value) in dict.iter() {
            if self.writer.len() > MAX_NESTED_BYTES {
                break;
            }
            let name = self.name_of(&key);
            if seen.contains(&name) {
                continue;
            }
            let entry = self.writer.open(tag::KEY);
            self.writer.key(name.as_bytes());
            let open = self.writer.open(tag::VALUE);
            if self.policy.decide(&name) == KeyDecision::Hide {
                self.writer.any_str(SECRET_MARKER.as_bytes());
            } else {
                self.any(&value);
            }
            self.writer.close(open);
            self.writer.close(entry);
            seen.insert(name);
        }
        self.writer.close(list);
    }

    fn array(&mut self, value: &Bound<'py, PyAny>) {
        let list = match value.cast_exact::<PyList>() {
            Ok(list) => Ok(list.clone()),
            Err(_) => list_of(value),
        };
        let list = match list {
            Ok(list) => list,
            Err(error) => return self.unprintable(value, error),
        };
        let array = self.writer.open(tag::ARRAY);
        let mut index = 0;
        // By index, asking the length each time: the list may change while an element is read.
        while let Ok(element) = list.get_item(index) {
            if self.writer.len() > MAX_NESTED_BYTES {
                break;
            }
            let open = self.writer.open(tag::KEY);
            self.any(&element);
            self.writer.close(open);
            index += 1;
        }
        self.writer.close(array);
    }

    /// A mapping key, a tag, an event name as text.
    pub fn name_of(&mut self, key: &Bound<'py, PyAny>) -> String {
        text_of(key).unwrap_or_else(|error| {
            self.remember(error);
            unprintable_name(key)
        })
    }

    fn unprintable(&mut self, value: &Bound<'py, PyAny>, error: PyErr) {
        self.remember(error);
        self.writer.any_str(unprintable_name(value).as_bytes());
    }

    /// Keeps what must reach the application; every other error of a user's method ends here.
    pub fn remember(&mut self, error: PyErr) {
        if !error.is_instance_of::<PyException>(self.py) {
            self.interrupt = Some(error);
        }
    }
}

/// A text without the part of it that is never read; stage 3 applies the limits.
fn what_is_read(text: &[u8]) -> &[u8] {
    let mut end = text.len().min(READ_TEXT_BYTES);
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    &text[..end]
}

pub fn unprintable_name(value: &Bound<'_, PyAny>) -> String {
    let name = value
        .get_type()
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string_lossy().into_owned());
    format!("<unprintable {name}>")
}

fn hexadecimal<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: attached; a new reference or null with an error set.
    let text = unsafe { Bound::from_owned_ptr_or_err(value.py(), ffi::PyNumber_ToBase(value.as_ptr(), 16)) }?;
    Ok(text.cast_into::<PyString>()?)
}

fn list_of<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: attached; a new reference or null with an error set.
    let list = unsafe { Bound::from_owned_ptr_or_err(value.py(), ffi::PySequence_List(value.as_ptr())) }?;
    Ok(list.cast_into::<PyList>()?)
}

fn to_plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    // SAFETY: attached; cloned before the call.
    let convert = unsafe { TO_PLAIN.get().as_ref().map(|convert| convert.clone_ref(value.py())) };
    let plain = match convert {
        Some(convert) => convert.bind(value.py()).call1((value,))?,
        None => value.py().get_type::<PyDict>().call1((value,))?,
    };
    Ok(plain.cast_into::<PyDict>()?)
}

/// True for a member of an enumeration: its value stays what it is.
pub fn is_enum(value: &Bound<'_, PyAny>) -> bool {
    kind_of(value) == Kind::Enum
}

/// The kind of a value; common types by pointer, others through the cache.
fn kind_of(value: &Bound<'_, PyAny>) -> Kind {
    // SAFETY: reading the type pointer of a live object and comparing it with static types.
    let kind = unsafe { ffi::Py_TYPE(value.as_ptr()) };
    let exact = |known: *mut ffi::PyTypeObject| ptr::eq(kind, known);
    if exact(&raw mut ffi::PyUnicode_Type) {
        return Kind::Str;
    }
    if exact(&raw mut ffi::PyLong_Type) {
        return Kind::Int;
    }
    if exact(&raw mut ffi::PyBool_Type) {
        return Kind::Bool;
    }
    if value.is_none() {
        return Kind::None;
    }
    if exact(&raw mut ffi::PyFloat_Type) {
        return Kind::Float;
    }
    if exact(&raw mut ffi::PyList_Type) {
        return Kind::List;
    }
    if exact(&raw mut ffi::PyDict_Type) {
        return Kind::Dict;
    }
    let index = (kind as usize >> 5) & (TYPE_SLOTS - 1);
    // SAFETY: attached; copied out at once.
    let (known, cached) = unsafe { TYPES.get()[index] };
    if ptr::eq(known, kind) {
        return cached;
    }
    classify(value, kind, index)
}

#[cold]
fn classify(value: &Bound<'_, PyAny>, kind: *mut ffi::PyTypeObject, index: usize) -> Kind {
    // SAFETY: attached; cloned before the call.
    let ask = unsafe { CLASSIFY.get().as_ref().map(|ask| ask.clone_ref(value.py())) };
    let name = ask.and_then(|ask| ask.bind(value.py()).call1((value.get_type(),)).ok());
    // A failure (at the recursion limit, say) is this value's, not its type's: it must not be remembered.
    let Some(name) = name.and_then(|name| name.extract::<String>().ok()) else { return Kind::Other };
    let found = match name.as_str() {
        "str" => Kind::Str,
        "int" => Kind::Int,
        "float" => Kind::Float,
        "iterable" => Kind::Iterable,
        "bytes" => Kind::Bytes,
        "buffer" => Kind::Buffer,
        "iso" => Kind::Iso,
        "enum" => Kind::Enum,
        "numpy" => Kind::NumpyScalar,
        "object" => Kind::Object,
        "secret" => Kind::Secret,
        _ => Kind::Other,
    };
    // SAFETY: attached. The new type is held, the slot written, and only then the old type let go.
    unsafe {
        ffi::Py_INCREF(kind.cast());
        let old = std::mem::replace(&mut TYPES.get()[index], (kind, found)).0;
        ffi::Py_XDECREF(old.cast());
    }
    found
}
