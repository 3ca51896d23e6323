//! Stages 2 to 4 of 7, on the caller between redact and append: log record processors of OpenTelemetry. Thread: caller.
//!
//! A processor sees the record without its secrets, as Python values. What it changed is captured again as a record of
//! its own, redacted before the next processor sees it, and again before append. A record that nobody changed goes on
//! as it was encoded first. Nobody pays for this without a processor.

use super::active::{Active, Processors};
use super::emission::Emission;
use super::ending::may_call_python;
use super::level::Level;
use crate::ledger::Refusal;
use crate::record::fields::SeverityField;
use crate::redact::truncate::TRUNCATED_KEY;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::cell::RefCell;

thread_local! {
    /// Pipelines whose processors run on this thread now.
    static RUNNING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Marks that processors of a pipeline run on this thread.
struct Running;

impl Running {
    /// `None`: they run already. A record that a processor logs itself does not pass the processors again.
    fn enter(id: u64) -> Option<Self> {
        RUNNING.with_borrow_mut(|running| {
            let free = !running.contains(&id);
            free.then(|| running.push(id)).map(|()| Self)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| _ = running.pop());
    }
}

/// Lets the processors see and change the record of `emission`. `None`: the record was refused and counted.
///
/// # Safety
/// Attached.
#[cold]
pub unsafe fn process<'a, 'py>(
    mut emission: Emission<'a, 'py>,
    scope: u32,
    context: Option<&Bound<'py, PyAny>>,
) -> Option<Emission<'a, 'py>> {
    let active = emission.active;
    // SAFETY: attached.
    let outputs = unsafe { active.outputs() };
    // While the pipeline closes, append refuses the record anyway.
    let Some(processors) = outputs.processors.as_ref().filter(|_| !active.pipeline.is_closing()) else {
        return Some(emission);
    };
    let Some(_running) = Running::enter(active.id) else { return Some(emission) };
    if !may_call_python() {
        // A processor may be what keeps a secret out: without it the record must not leave.
        active.pipeline.refuse(Refusal::CaptureFailed);
        return None;
    }
    // SAFETY: attached.
    let asked = unsafe { ask(&mut emission, processors, scope, context) };
    // SAFETY: attached.
    unsafe { follow(emission, asked, processors) }
}

/// Takes what processors answer, until none is left. What one of them changed is captured and redacted before the
/// next one sees it.
///
/// # Safety
/// Attached.
unsafe fn follow<'a, 'py>(
    mut emission: Emission<'a, 'py>,
    mut asked: PyResult<Option<Bound<'py, PyAny>>>,
    processors: &Processors,
) -> Option<Emission<'a, 'py>> {
    loop {
        let asked_again = match asked {
            // SAFETY: as the caller's.
            Ok(None) => return unsafe { dropped(emission) },
            Ok(Some(answer)) => Ok(answer),
            Err(error) => Err(error),
        };
        let answer = match asked_again {
            Ok(answer) if answer.is_none() => return Some(emission),
            Ok(answer) => answer.extract::<Answer<'py>>(),
            Err(error) => Err(error),
        };
        let (fields, interrupt, resume) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                emission.remember(error);
                return Some(emission);
            }
        };
        if let Some(fields) = fields {
            // SAFETY: attached.
            emission = unsafe { capture(emission, &fields) };
        }
        if let Some(interrupt) = interrupt {
            emission.interrupt = Some(PyErr::from_value(interrupt));
        }
        let Some(resume) = resume else { return Some(emission) };
        asked = clean_record(&mut emission, processors)
            .and_then(|record| record.map(|record| resume.call1((record,))).transpose());
    }
}

/// A rule of redaction wants the record to go no further: no processor sees it.
///
/// # Safety
/// Attached.
unsafe fn dropped<'a, 'py>(mut emission: Emission<'a, 'py>) -> Option<Emission<'a, 'py>> {
    let active = emission.active;
    active.pipeline.refuse(Refusal::Redacted);
    // SAFETY: as the caller's.
    unsafe { active.put_writer(std::mem::take(&mut emission.writer)) };
    None
}

/// Calls Python with the record.
///
/// # Safety
/// Attached.
unsafe fn ask<'py>(
    emission: &mut Emission<'_, 'py>,
    processors: &Processors,
    scope: u32,
    context: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = emission.py;
    let Some(record) = clean_record(emission, processors)? else { return Ok(None) };
    // SAFETY: attached.
    let scope = unsafe { scope_of(py, emission.active, processors, scope) }?;
    processors.process.bind(py).call1((record, scope, context)).map(Some)
}

/// The record as processors see it: limited, and without secrets. `None`: it goes no further.
fn clean_record<'py>(
    emission: &mut Emission<'_, 'py>,
    processors: &Processors,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if emission.active.pipeline.clean(&mut emission.writer) {
        return Ok(None);
    }
    processors.records.get().single(emission.py, emission.writer.record()).map(Some)
}

/// The scope as Python has it, made once.
///
/// # Safety
/// Attached.
unsafe fn scope_of(py: Python<'_>, active: &Active, processors: &Processors, id: u32) -> PyResult<Py<PyAny>> {
    // SAFETY: attached; cloned before Python code may run.
    if let Some(known) = unsafe { active.scopes.get().get(&id).map(|scope| scope.clone_ref(py)) } {
        return Ok(known);
    }
    let scope = active.pipeline.scopes().get(id).unwrap_or_default();
    let attributes = super::decoded::scope_attributes(py, &scope.attributes)?;
    let made =
        processors.make_scope.call1(py, (&scope.name, &scope.version, &scope.schema_url, attributes))?;
    // SAFETY: attached; what was there, if anything, is dropped after the map is written.
    drop(unsafe { active.scopes.get().insert(id, made.clone_ref(py)) });
    Ok(made)
}

/// What came back from processors: the fields if they changed, an exception for the application, and what to call
/// with the record to go on; see the stub of `set_processors`.
type Answer<'py> = (Option<Bound<'py, PyTuple>>, Option<Bound<'py, PyAny>>, Option<Bound<'py, PyAny>>);

/// The fields of a record, by their place in the tuple of `decode_record`.
struct Fields<'a, 'py>(&'a Bound<'py, PyTuple>);

impl<'py> Fields<'_, 'py> {
    fn get(&self, index: usize) -> Option<Bound<'py, PyAny>> {
        self.0.get_item(index).ok().filter(|item| !item.is_none())
    }

    /// A field of the right type; a processor may have put anything there.
    fn read<T>(&self, index: usize) -> Option<T>
    where
        T: for<'b> FromPyObject<'b, 'py>,
    {
        self.get(index).and_then(|item| item.extract().ok())
    }
}

/// A record from the fields that came back. It keeps what the first one knew beside them.
///
/// # Safety
/// Attached.
unsafe fn capture<'a, 'py>(mut first: Emission<'a, 'py>, fields: &Bound<'py, PyTuple>) -> Emission<'a, 'py> {
    let (py, active, found) = (first.py, first.active, Fields(fields));
    let severity = found.read::<u8>(2).filter(|number| *number <= 24).unwrap_or(0);
    let text = found.get(3).map(|text| first.name_of(&text)).unwrap_or_default();
    let long = text.len() > SeverityField::TEXT_BYTES;
    let protected = first.meta.protected || severity >= 17;
    let level = Level::new(severity, if long { "" } else { &text }, protected);
    let observed = found.read(1).unwrap_or_else(|| active.pipeline.clock().now_nanos());
    // SAFETY: attached.
    let mut second =
        unsafe { Emission::begin_at(py, active, &level, (found.read(0).unwrap_or(0), observed), None) };
    let flags = found.read::<u8>(9).unwrap_or(0);
    let (trace_id, span_id) = (found.read(7).unwrap_or(0), found.read(8).unwrap_or(0));
    // A span without its trace says nothing (data model: SpanId needs TraceId).
    let span_id = if trace_id == 0 { 0 } else { span_id };
    second.writer.trace_context(trace_id, span_id, u32::from(flags));
    if long {
        second.writer.severity_text(text.as_bytes());
    }
    if let Some(body) = found.get(4) {
        // SAFETY: attached; a live object.
        unsafe { second.body(body.as_ptr()) };
    }
    second.again = true;
    if let Some(attributes) = found.get(5) {
        attributes_again(&mut second, &attributes);
    }
    let name = found.get(10).map(|name| second.name_of(&name)).unwrap_or_default();
    second.event_name(&name);
    let dropped = second.dropped.saturating_add(found.read(6).unwrap_or(0));
    second.writer.dropped_attributes(dropped);
    second.passage = first.passage;
    second.interrupt = second.interrupt.take().or(first.interrupt.take());
    // SAFETY: attached.
    unsafe { active.put_writer(std::mem::take(&mut first.writer)) };
    second
}

/// The attributes, of which the mark of a cut record is no attribute that a limit counts.
fn attributes_again<'py>(emission: &mut Emission<'_, 'py>, attributes: &Bound<'py, PyAny>) {
    let mark = attributes.cast_exact::<PyDict>().ok().and_then(|dict| {
        let mark = dict.get_item(TRUNCATED_KEY).ok().flatten();
        mark.filter(|_| dict.del_item(TRUNCATED_KEY).is_ok())
    });
    emission.mapping(attributes);
    if let Some(mark) = mark {
        emission.uncounted(TRUNCATED_KEY, &mark);
    }
}
