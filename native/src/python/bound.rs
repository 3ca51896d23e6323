//! Stage 2 of 7, capture: attributes bound to a logger or to the context, encoded once per pipeline. Thread: caller.

use super::active::Active;
use super::gil::GilCell;
use super::keys::{KeyKind, Looked};
use super::nested::Nested;
use super::values::ValueReader;
use crate::record::encoded_attributes::EncodedAttributes;
use crate::record::fields::{KeyField, SeverityField};
use crate::record::own::is_note;
use crate::record::RecordWriter;
use crate::redact::SECRET_MARKER;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};

/// What a pipeline makes of bound attributes.
struct Encoded {
    /// The pipeline whose policy decided; another one encodes anew.
    active_id: u64,
    attributes: EncodedAttributes,
}

/// Attributes that `bind` and `bind_context` carry. Nobody takes any away or changes one; `extend` adds.
#[pyclass(frozen, module = "fapilog._native")]
pub struct BoundAttributes {
    /// Replaced by a longer one, never changed: somebody may be reading it.
    attributes: GilCell<Py<PyDict>>,
    encoded: GilCell<Option<Encoded>>,
}

/// Stands for no pipeline: what was encoded serves the record under way, and the next one encodes anew.
const NOBODY: u64 = 0;

#[pymethods]
impl BoundAttributes {
    #[new]
    #[pyo3(signature = (attributes, base=None))]
    fn new(py: Python<'_>, attributes: &Bound<'_, PyDict>, base: Option<&Self>) -> PyResult<Self> {
        let merged = match base {
            Some(base) => base.held(py).bind(py).copy()?,
            None => PyDict::new(py),
        };
        merged.update(attributes.as_mapping())?;
        Ok(Self::of(merged.unbind()))
    }

    /// A copy of the attributes.
    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.held(py).bind(py).copy()
    }

    /// Adds attributes, for everybody who holds these.
    fn extend(&self, py: Python<'_>, attributes: &Bound<'_, PyDict>) -> PyResult<()> {
        let before = self.held(py);
        let merged = before.bind(py).copy()?;
        merged.update(attributes.as_mapping())?;
        // SAFETY: attached; the old values are dropped behind this, and nothing is borrowed then.
        let _old = unsafe { (self.attributes.replace(merged.unbind()), self.encoded.replace(None)) };
        Ok(())
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector is attached, and a visit runs no Python code.
        visit.call(unsafe { &*self.attributes.get() })
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("BoundAttributes({} keys)", self.held(py).bind(py).len())
    }
}

impl BoundAttributes {
    /// Takes a dict that nobody else holds.
    pub fn of(attributes: Py<PyDict>) -> Self {
        Self { attributes: GilCell::new(attributes), encoded: GilCell::new(None) }
    }

    /// The attributes as they are now.
    fn held(&self, py: Python<'_>) -> Py<PyDict> {
        // SAFETY: attached; the reference ends here.
        unsafe { self.attributes.get() }.clone_ref(py)
    }

    /// These attributes with `more` on top.
    pub fn with(&self, py: Python<'_>, more: &Bound<'_, PyDict>) -> PyResult<Self> {
        let merged = self.held(py).bind(py).copy()?;
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
        let read = self.held(py);
        for (key, value) in read.bind(py).iter() {
            // SAFETY: as the caller's.
            match unsafe { known(active, &key) } {
                Some((field, KeyKind::Plain)) => reader.attribute(&field, &value),
                Some((field, KeyKind::Secret)) => {
                    reader.writer.attribute_str(&field, SECRET_MARKER.as_bytes());
                }
                Some((_, KeyKind::Note)) => {}
                _ => {
                    let name = reader.name_of(&key);
                    if !is_note(&name) {
                        reader.named_attribute(&name, &value);
                    }
                }
            }
        }
        let interrupt = reader.interrupt;
        let attributes = EncodedAttributes::new(writer.record()[head..].to_vec());
        // The method of a value may have let another thread extend them.
        let is_whole = read.is(self.held(py));
        let active_id = if is_whole { active.id } else { NOBODY };
        // SAFETY: attached; the old value holds no Python object.
        unsafe { self.encoded.replace(Some(Encoded { active_id, attributes })) };
        interrupt
    }
}

/// What the key cache knows of a name: to judge one anew costs more than all else that is done for a request.
///
/// # Safety
/// Attached.
unsafe fn known(active: &Active, name: &Bound<'_, PyAny>) -> Option<(KeyField, KeyKind)> {
    let name = name.cast_exact::<PyString>().ok()?.as_ptr();
    // SAFETY: attached; a live `str`; what is needed of the cache is copied before a value is read.
    match unsafe { active.keys.get().look_up(name, &active.pipeline.settings().policy) } {
        Looked::Plan(plan) => Some((plan.key.to_field(), plan.kind)),
        Looked::Long(..) => None,
    }
}
