//! Stage 2 of 7, capture: attributes bound to a logger or to the context, encoded once per pipeline. Thread: caller.

use super::active::Active;
use super::gil::GilCell;
use super::keys::bit_of;
use super::nested::Nested;
use super::values::ValueReader;
use crate::fields::SeverityField;
use crate::record::RecordWriter;
use crate::wire::{Fields, Value};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

/// What a pipeline makes of bound attributes.
pub struct Encoded {
    /// The pipeline whose policy decided; another one encodes anew.
    active_id: u64,
    /// `LogRecord.attributes` fields, ready to copy.
    pub bytes: Vec<u8>,
    /// Bit set of the keys inside.
    pub bits: u64,
    /// Number of attributes.
    pub count: usize,
}

/// Immutable attributes that `bind` and `bind_context` carry.
#[pyclass(frozen, module = "fapilog._native")]
pub struct BoundAttributes {
    attributes: Py<PyDict>,
    encoded: GilCell<Option<Encoded>>,
}

#[pymethods]
impl BoundAttributes {
    #[new]
    #[pyo3(signature = (attributes, base=None))]
    fn new(py: Python<'_>, attributes: &Bound<'_, PyDict>, base: Option<&Self>) -> PyResult<Self> {
        let merged = match base {
            Some(base) => base.attributes.bind(py).copy()?,
            None => PyDict::new(py),
        };
        merged.update(attributes.as_mapping())?;
        Ok(Self::of(merged.unbind()))
    }

    /// A copy of the attributes.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.attributes.bind(py).copy()
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.attributes)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("BoundAttributes({} keys)", self.attributes.bind(py).len())
    }
}

impl BoundAttributes {
    /// Takes a dict that nobody else holds.
    pub fn of(attributes: Py<PyDict>) -> Self {
        Self { attributes, encoded: GilCell::new(None) }
    }

    /// These attributes with `more` on top.
    pub fn with(&self, py: Python<'_>, more: &Bound<'_, PyDict>) -> PyResult<Self> {
        let merged = self.attributes.bind(py).copy()?;
        merged.update(more.as_mapping())?;
        Ok(Self::of(merged.unbind()))
    }

    /// The encoded form under `active`'s policy, after [`Self::prepare`].
    ///
    /// # Safety
    /// Attached; the borrow ends before Python code may run.
    #[inline]
    pub unsafe fn encoded(&self) -> Option<&Encoded> {
        // SAFETY: as the caller's.
        unsafe { self.encoded.get().as_ref() }
    }

    /// Encodes the attributes for `active`, unless that was done. Returns an interrupt that a value's method raised.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn prepare(&self, py: Python<'_>, active: &Active) -> Option<PyErr> {
        // SAFETY: as the caller's; only a number is read.
        let ready = unsafe { self.encoded().is_some_and(|encoded| encoded.active_id == active.id) };
        // SAFETY: as the caller's.
        if ready {
            None
        } else {
            unsafe { self.encode(py, active) }
        }
    }

    #[cold]
    unsafe fn encode(&self, py: Python<'_>, active: &Active) -> Option<PyErr> {
        // A bound value whose method logs to the same logger comes here again; then the attributes are left out.
        let _level = Nested::enter()?;
        let mut writer = RecordWriter::new();
        writer.begin(0, 0, &SeverityField::NONE, None);
        let head = writer.len();
        let mut count = 0;
        let policy = &active.pipeline.settings().policy;
        let mut reader = ValueReader::new(py, &mut writer, policy, active.capture().values);
        for (key, value) in self.attributes.bind(py).iter() {
            let name = reader.name_of(&key);
            reader.named_attribute(&name, &value);
            count += 1;
        }
        let interrupt = reader.interrupt;
        let bytes = writer.record()[head..].to_vec();
        let bits = keys(&bytes).fold(0, |bits, key| bits | bit_of(key));
        // SAFETY: attached; the old value holds no Python object.
        unsafe { self.encoded.replace(Some(Encoded { active_id: active.id, bytes, bits, count })) };
        interrupt
    }
}

/// What [`append_unique`] did.
pub struct Written {
    pub added: usize,
    /// Over the attribute limit.
    pub left_out: u32,
}

/// Copies those of `fields` (encoded attributes) whose key is not in the record yet, at most `room`.
pub fn append_unique(writer: &mut RecordWriter, fields: &[u8], room: usize) -> Written {
    let present: Vec<Vec<u8>> = keys(writer.record()).map(<[u8]>::to_vec).collect();
    let mut walk = Fields::new(fields);
    let mut written = Written { added: 0, left_out: 0 };
    loop {
        let start = walk.offset();
        let Some((_, Value::Bytes(attribute))) = walk.next() else { return written };
        if key_of(attribute).is_some_and(|key| present.iter().any(|other| other == key)) {
            continue;
        }
        if written.added == room {
            written.left_out += 1;
            continue;
        }
        writer.encoded_attributes(&fields[start..walk.offset()]);
        written.added += 1;
    }
}

/// True when `record` has an attribute called `name`.
pub fn has_key(record: &[u8], name: &str) -> bool {
    keys(record).any(|key| key == name.as_bytes())
}

/// The keys of the attributes in `fields`, a record or a run of attribute fields.
fn keys(fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields::new(fields).filter_map(|field| match field {
        (6, Value::Bytes(attribute)) => key_of(attribute),
        _ => None,
    })
}

fn key_of(attribute: &[u8]) -> Option<&[u8]> {
    Fields::new(attribute).find_map(|field| match field {
        (1, Value::Bytes(key)) => Some(key),
        _ => None,
    })
}
