//! Stage 2 of 7, capture: attributes bound to a logger or to the context, encoded once per pipeline. Thread: caller.

use super::active::Active;
use super::gil::GilCell;
use super::nested::Nested;
use super::values::ValueReader;
use crate::record::encoded_attributes::EncodedAttributes;
use crate::record::fields::SeverityField;
use crate::record::own::is_note;
use crate::record::RecordWriter;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

/// What a pipeline makes of bound attributes.
struct Encoded {
    /// The pipeline whose policy decided; another one encodes anew.
    active_id: u64,
    attributes: EncodedAttributes,
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
    pub unsafe fn encoded(&self) -> Option<&EncodedAttributes> {
        // SAFETY: as the caller's.
        unsafe { self.encoded.get().as_ref() }.map(|encoded| &encoded.attributes)
    }

    /// Encodes the attributes for `active`, unless that was done. Returns an interrupt that a value's method raised.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn prepare(&self, py: Python<'_>, active: &Active) -> Option<PyErr> {
        // SAFETY: as the caller's; only a number is read.
        let ready =
            unsafe { self.encoded.get().as_ref() }.is_some_and(|encoded| encoded.active_id == active.id);
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
        // Requests bind an id of their own each, so this is no rare path.
        let mut writer = RecordWriter::for_attributes();
        writer.begin(0, 0, &SeverityField::NONE, None);
        let head = writer.len();
        let policy = &active.pipeline.settings().policy;
        let mut reader = ValueReader::new(py, &mut writer, policy, active.capture().max_depth);
        for (key, value) in self.attributes.bind(py).iter() {
            let name = reader.name_of(&key);
            if !is_note(&name) {
                reader.named_attribute(&name, &value);
            }
        }
        let interrupt = reader.interrupt;
        let attributes = EncodedAttributes::new(writer.record()[head..].to_vec());
        // SAFETY: attached; the old value holds no Python object.
        unsafe { self.encoded.replace(Some(Encoded { active_id: active.id, attributes })) };
        interrupt
    }
}
