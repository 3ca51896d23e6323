//! Stages 1 to 3 of 7, emit to redact: where a call meets the built-in processors. Thread: caller.
//!
//! Twice: before its body is captured, and, for dedupe, when its record is redacted. While all processors are off a
//! call pays for one flag each time.

use super::active::Active;
use super::emission::{is_security, Emission};
use super::keys::{KeyKind, Reserved};
use super::text::with_utf8;
use crate::clock::monotonic_nanos;
use crate::flight::Fate;
use crate::ledger::Refusal;
use crate::process::dedupe::{Dedupe, Verdict};
use crate::process::{CallFacts, Processors, WEIGHT_KEY};
use crate::record::fields::KeyField;
use crate::record::tag;
use crate::redact::Redacted;
use crate::wire::get_varint;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ptr;

/// Keys of a mapping that its template takes in.
const TEMPLATE_KEYS: usize = 32;

/// What was decided about one record so far.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    /// How many records it stands for.
    weight: f64,
    /// Where its content begins, behind times, severity and span.
    head: usize,
    /// The hash of what makes it equal to others; `None`: dedupe leaves it alone.
    identity: Option<u64>,
    dedupes: bool,
    met: bool,
}

impl Passage {
    /// Of a record that met no processor.
    pub const FREE: Self = Self { weight: 1.0, head: 0, identity: None, dedupes: false, met: false };

    /// Whether the record met a processor.
    #[inline]
    pub const fn has_met(&self) -> bool {
        self.met
    }
}

impl Emission<'_, '_> {
    /// Asks the processors about a call whose record has begun. False: it is refused, and counted.
    ///
    /// `template` is the message before anything is formatted into it; `spared` tells audit and security records.
    ///
    /// # Safety
    /// Attached; `template` is live.
    #[inline]
    pub unsafe fn passes(
        &mut self,
        scope: u32,
        template: Option<*mut ffi::PyObject>,
        spared: impl FnOnce() -> bool,
    ) -> bool {
        match self.active.pipeline.processors() {
            None => true,
            // What is below the level has no part in how much is logged.
            Some(processors) if Fate::of(scope).0 != Fate::Ordinary || processors.is_idle() => true,
            // SAFETY: as the caller's.
            Some(_) if spared() || self.active.pipeline.is_closing() => true,
            // SAFETY: as the caller's.
            Some(processors) => unsafe { self.consult(processors, scope, template) },
        }
    }

    unsafe fn consult(
        &mut self,
        processors: &Processors,
        scope: u32,
        template: Option<*mut ffi::PyObject>,
    ) -> bool {
        let span = self.writer.span();
        let template = match template.filter(|_| processors.looks_at_templates()) {
            // SAFETY: as the caller's.
            Some(template) => unsafe { hash_of(processors, scope, template) },
            None => processors.template(scope, b""),
        };
        let call = CallFacts { severity: self.meta.severity, span: span.as_ref(), template };
        match processors.admit(&call, monotonic_nanos) {
            Ok(weight) => {
                let dedupes = processors.dedupe().is_some();
                self.passage =
                    Passage { weight, head: self.writer.len(), identity: None, dedupes, met: true };
                true
            }
            Err(reason) => {
                self.active.pipeline.refuse(reason);
                // The trace has failed, whoever keeps the record of it back.
                self.trigger();
                // SAFETY: attached.
                unsafe { self.active.put_writer(std::mem::take(&mut self.writer)) };
                false
            }
        }
    }

    /// Behind capture: what makes the record equal to others is what the call and its context brought.
    #[inline]
    pub fn identify(&mut self, scope: u32) {
        if self.passage.dedupes {
            self.passage.identity = self.identity(scope);
        }
    }

    #[cold]
    fn identity(&self, scope: u32) -> Option<u64> {
        let processors = self.active.pipeline.processors()?;
        let content = self.writer.record().get(self.passage.head..).unwrap_or_default();
        let attributes = processors.dedupe().is_some_and(Dedupe::compares_attributes);
        let content = if attributes { content } else { body_of(content) };
        Some(processors.identity(scope, self.meta.severity, content))
    }

    /// Writes how many records this one stands for. No limit leaves that out.
    #[inline]
    pub fn weigh(&mut self) {
        // A weight of exactly 1 is none.
        #[allow(clippy::float_cmp)]
        if self.passage.weight != 1.0 && !self.has_key(WEIGHT_KEY) {
            self.writer.attribute_double(&KeyField::new(WEIGHT_KEY.as_bytes()), self.passage.weight);
        }
    }
}

impl Passage {
    /// Behind stage 3: whether the record goes on, or is held back as the repeat of another one, and counted.
    #[inline]
    pub fn goes_on(&self, active: &Active, record: &Redacted<'_>, scope: u32) -> bool {
        let Some(identity) = self.identity else { return true };
        match active.pipeline.processors().and_then(Processors::dedupe) {
            Some(dedupe) => Self::hold(active, dedupe, identity, record, scope),
            None => true,
        }
    }

    #[cold]
    fn hold(active: &Active, dedupe: &Dedupe, identity: u64, record: &Redacted<'_>, scope: u32) -> bool {
        let answer = dedupe.admit(identity, record, scope, monotonic_nanos());
        for summary in answer.ended {
            active.pipeline.send_on(summary);
        }
        if answer.verdict == Verdict::HeldInstead {
            active.pipeline.refuse(Refusal::Deduplicated);
        }
        if answer.verdict != Verdict::First && active.pipeline.is_closing() {
            // The shutdown came while the call was captured, and sent on what was held then.
            active.pipeline.send_held();
        }
        answer.verdict == Verdict::First
    }
}

/// True when a call says `category="security"`.
///
/// # Safety
/// Attached; `names` is null or the tuple of keyword names of the running call, `values` are theirs.
pub unsafe fn says_security(
    py: Python<'_>,
    active: &Active,
    names: *mut ffi::PyObject,
    values: &[*mut ffi::PyObject],
) -> bool {
    let policy = &active.pipeline.settings().policy;
    values.iter().enumerate().any(|(index, value)| {
        // SAFETY: as the caller's; the cache is let go of before the value is looked at.
        unsafe {
            let kind = active.keys.get().kind(ffi::PyTuple_GetItem(names, index as isize), policy);
            kind == KeyKind::Reserved(Reserved::Category)
                && is_security(&Bound::from_borrowed_ptr(py, *value))
        }
    })
}

/// The hash of a template: a text itself; of a mapping its type and keys; of anything else its type.
///
/// # Safety
/// Attached; `template` is live.
unsafe fn hash_of(processors: &Processors, scope: u32, template: *mut ffi::PyObject) -> u64 {
    // SAFETY: as the caller's. Neither exact dicts nor texts run Python code when they are read.
    unsafe {
        if ffi::PyUnicode_Check(template) != 0 {
            return with_utf8(template, |text| processors.template(scope, text));
        }
        let kind = (ffi::Py_TYPE(template) as usize).to_le_bytes();
        let mut hash = processors.template(scope, &kind);
        if ffi::PyDict_CheckExact(template) != 0 {
            let (mut place, mut key, mut left) = (0, ptr::null_mut(), TEMPLATE_KEYS);
            while left > 0 && ffi::PyDict_Next(template, &raw mut place, &raw mut key, ptr::null_mut()) != 0 {
                if ffi::PyUnicode_Check(key) != 0 {
                    // Held: a key that is no UTF-8 makes an exception, which may start the collector and so a finaliser
                    // that changes the dict.
                    ffi::Py_INCREF(key);
                    hash = with_utf8(key, |text| processors.further(hash, text));
                    ffi::Py_DECREF(key);
                }
                left -= 1;
            }
        }
        hash
    }
}

/// The body at the beginning of a record's content; without one the whole content.
fn body_of(content: &[u8]) -> &[u8] {
    let mut at = 1;
    match (content.first(), get_varint(content, &mut at)) {
        (Some(&tag::BODY), Some(length)) => content.get(..at + length as usize).unwrap_or(content),
        _ => content,
    }
}
