//! Stages 2 and 3 of 7, for records of other sources: captured and redacted like ours, into one request. Thread: any.
//!
//! The answer is what `seal` makes of a chunk, except that it may hold several resources. One bad record costs itself
//! only; a bad field costs the field.

use super::active::{Active, Call};
use super::emission::Emission;
use super::level::Level;
use super::surroundings::scope_attributes;
use crate::record::fields::SeverityField;
use crate::redact::scope_secrets::{resource_without_secrets, without_secrets};
use crate::redact::{redact, FrameSettings};
use crate::scopes::Scope;
use crate::wire::put_bytes;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// `ExportLogsServiceRequest.resource_logs = 1`
const RESOURCE_LOGS: u8 = 0x0a;
/// `ResourceLogs.scope_logs = 2`
const SCOPE_LOGS: u8 = 0x12;
/// Fields of one record, see `_native.pyi`.
const FIELDS: usize = 16;
/// Those that say where the record belongs.
const HOME: usize = 5;

/// Records of one scope, as frames.
struct ScopeGroup {
    scope: Scope,
    frames: Vec<u8>,
}

/// Records of one resource.
struct ResourceGroup {
    resource: Vec<u8>,
    scopes: Vec<ScopeGroup>,
}

/// A request that grows, groups in order of first appearance.
#[derive(Default)]
struct Request<'py> {
    groups: Vec<ResourceGroup>,
    /// The record before: where it belongs is often where the next one does.
    last: Option<(Bound<'py, PyTuple>, usize, usize)>,
}

/// Encodes `records` under the policy and limits of `active`.
pub fn encode<'py>(
    py: Python<'py>,
    active: &Active,
    records: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut request = Request::default();
    for record in records.try_iter()? {
        let record = record?;
        // SAFETY: attached, as `py` proves.
        let _call = unsafe { Call::begin() };
        match request.add(py, active, &record) {
            Ok(None) => {}
            Ok(Some(interrupt)) => return Err(interrupt),
            Err(error) => {
                let message = format!("a record could not be read: {error}");
                active.pipeline.notices().keep("capture-failed", message);
            }
        }
    }
    Ok(PyBytes::new(py, &request.finish()))
}

impl<'py> Request<'py> {
    /// Adds one record. Returns an interrupt that a value's method raised.
    fn add(
        &mut self,
        py: Python<'py>,
        active: &Active,
        record: &Bound<'py, PyAny>,
    ) -> PyResult<Option<PyErr>> {
        let record = record.cast::<PyTuple>().map_err(PyErr::from)?;
        if record.len() != FIELDS {
            let what = format!("a record has {FIELDS} fields, this one has {}", record.len());
            return Err(pyo3::exceptions::PyValueError::new_err(what));
        }
        let (resource, scope) = self.home(py, active, record)?;
        let frames = &mut self.groups[resource].scopes[scope].frames;
        // SAFETY: attached, as `py` proves; `encode` holds a `Call`.
        unsafe { write(py, active, record, frames) }
    }

    /// The group a record belongs to.
    fn home(
        &mut self,
        py: Python<'py>,
        active: &Active,
        record: &Bound<'py, PyTuple>,
    ) -> PyResult<(usize, usize)> {
        if let Some((last, resource, scope)) = &self.last {
            let same = |index| Ok::<_, PyErr>(last.get_item(index)?.is(&record.get_item(index)?));
            if (0..HOME).try_fold(true, |all, index| Ok::<_, PyErr>(all && same(index)?))? {
                return Ok((*resource, *scope));
            }
        }
        let attributes = py.get_type::<PyDict>().call1((record.get_item(3)?,));
        let scope = Scope {
            name: field(record, 0)?,
            version: field(record, 1)?,
            schema_url: field(record, 2)?,
            attributes: match attributes.and_then(|all| Ok(all.cast_into::<PyDict>()?)) {
                Ok(attributes) => scope_attributes(py, &attributes),
                Err(_) => Vec::new(),
            },
        };
        let scope = without_secrets(&scope, &active.pipeline.settings().policy);
        let resource =
            resource_without_secrets(&field::<Vec<u8>>(record, 4)?, &active.pipeline.settings().policy);
        let at = place(
            &mut self.groups,
            |group| group.resource == resource,
            || ResourceGroup { resource: resource.clone(), scopes: Vec::new() },
        );
        let scopes = &mut self.groups[at].scopes;
        let within = place(
            scopes,
            |group| group.scope == scope,
            || ScopeGroup { scope: scope.clone(), frames: Vec::new() },
        );
        self.last = Some((record.clone(), at, within));
        Ok((at, within))
    }

    fn finish(self) -> Vec<u8> {
        let mut request = Vec::new();
        for group in self.groups {
            let mut resource_logs = group.resource;
            for scope in group.scopes.iter().filter(|scope| !scope.frames.is_empty()) {
                let mut scope_logs = scope.scope.fields();
                scope_logs.extend_from_slice(&scope.frames);
                put_bytes(&mut resource_logs, SCOPE_LOGS, &scope_logs);
            }
            if group.scopes.iter().any(|scope| !scope.frames.is_empty()) {
                put_bytes(&mut request, RESOURCE_LOGS, &resource_logs);
            }
        }
        request
    }
}

/// The index of the item that `is` the one, which `make` appends when there is none.
fn place<T>(items: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    items.iter().position(is).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    })
}

/// A field of the record, or its default when it is of another type.
fn field<'py, T>(record: &Bound<'py, PyTuple>, index: usize) -> PyResult<T>
where
    T: Default + for<'a> FromPyObject<'a, 'py>,
{
    Ok(record.get_item(index)?.extract::<T>().unwrap_or_default())
}

/// Appends one record to `frames`: captured, redacted and cut like a record of ours, without a sequence number.
///
/// # Safety
/// Attached, inside a [`Call`].
unsafe fn write<'py>(
    py: Python<'py>,
    active: &Active,
    record: &Bound<'py, PyTuple>,
    frames: &mut Vec<u8>,
) -> PyResult<Option<PyErr>> {
    let severity = field::<u8>(record, 7)?.min(24);
    let text: String = field(record, 8)?;
    let long = text.len() > SeverityField::TEXT_BYTES;
    let level = Level::new(severity, if long { "" } else { &text }, false);
    let (body, attributes) = (record.get_item(9)?, record.get_item(10)?);
    // SAFETY: as the caller's, for every call in the block.
    let mut emission = unsafe {
        let times = (field(record, 5)?, field(record, 6)?);
        let mut emission = Emission::begin_at(py, active, &level, times, None);
        if long {
            emission.writer.severity_text(text.as_bytes());
        }
        emission.writer.trace_context(field(record, 12)?, field(record, 13)?, field(record, 14)?);
        emission.body(body.as_ptr());
        emission
    };
    // Exporters in Python hand back what they were given.
    emission.again = true;
    if !attributes.is_none() {
        emission.mapping(&attributes);
    }
    emission.event_name(&field::<String>(record, 11)?);
    let mut writer = std::mem::take(&mut emission.writer);
    writer.dropped_attributes(emission.dropped.saturating_add(field(record, 15)?));
    let record_bytes = active.pipeline.settings().buffer.record_bytes;
    let settings = FrameSettings { record_bytes, sequenced: false };
    let policy = &active.pipeline.settings().policy;
    let redacted = redact(&mut writer, emission.meta, policy, settings);
    if !redacted.is_dropped() {
        frames.extend_from_slice(redacted.frame());
    }
    // SAFETY: as the caller's.
    unsafe { active.put_writer(writer) };
    Ok(emission.interrupt)
}
