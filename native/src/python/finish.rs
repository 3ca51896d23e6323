//! Stages 3 and 4 of 7, redact and append: the end of one record; then console and taps. Thread: caller.
//!
//! Most records meet nothing here but redaction and the buffer. What the others need is in functions of its own.

use super::active::Extras;
use super::backpressure::Patience;
use super::emission::Emission;
use super::helpers;
use super::outputs::{after_append, show};
use super::processing::process;
use crate::buffer::Appended;
use crate::flight::Fate;
use crate::ledger::Refusal;
use crate::record::RecordWriter;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ptr;

impl<'py> Emission<'_, 'py> {
    /// Stages 3 and 4, then what runs on the caller after append. Returns what the log call returns; the record is spent
    /// then. `context`: what processors find in the record; `None`: the current one.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn finish(&mut self, scope: u32, context: Option<&Bound<'py, PyAny>>) -> *mut ffi::PyObject {
        // SAFETY: attached, for every call below.
        unsafe {
            let extras = self.active.extras();
            if extras.before() || self.passage.has_met() || self.dropped > 0 {
                return self.finish_slowly(extras, scope, context);
            }
            self.conclude(extras, scope)
        }
    }

    /// The end of a record that needs something before stage 3.
    ///
    /// # Safety
    /// Attached.
    #[cold]
    #[inline(never)]
    unsafe fn finish_slowly(
        &mut self,
        extras: Extras,
        scope: u32,
        context: Option<&Bound<'py, PyAny>>,
    ) -> *mut ffi::PyObject {
        let _patience = extras.records().then(Patience::of_call);
        // SAFETY: attached, for every call below.
        unsafe {
            match self.complete(extras, scope, context) {
                // In a child that was forked meanwhile: the record is the parent's.
                Some(scope) if !self.active.is_inherited() => self.conclude(extras, scope),
                _ => self.end((helpers::done(), None)),
            }
        }
    }

    /// Stages 3 and 4, then what runs on the caller after append.
    ///
    /// # Safety
    /// Attached.
    #[inline(always)]
    #[allow(clippy::inline_always)] // A call of its own would cost every record.
    unsafe fn conclude(&mut self, extras: Extras, scope: u32) -> *mut ffi::PyObject {
        let active = self.active;
        let mut redacted = active.pipeline.redact(&mut self.writer, self.meta);
        if redacted.is_dropped() {
            active.pipeline.refuse(Refusal::Redacted);
            // SAFETY: attached.
            return unsafe { self.end((helpers::done(), None)) };
        }
        let kept = self.passage.goes_on(active, &redacted, scope);
        let appended = if kept { active.pipeline.append(&mut redacted, scope) } else { Appended::Refused };
        // SAFETY: attached.
        unsafe {
            if appended == Appended::Full || extras.after_append() {
                let told = after_append(self.py, active, &redacted, scope, appended);
                return self.end(told);
            }
            if self.interrupt.is_some() || active.pipeline.is_waiting() {
                return self.end((helpers::done(), None));
            }
            active.put_writer(std::mem::take(&mut self.writer));
        }
        helpers::done()
    }

    /// What some records need before stage 3: enrichers, their weight, what was left out, the flight recorder, processors.
    /// The answer is the record's scope. `None`: it goes no further, because a processor refused it or it is kept.
    ///
    /// # Safety
    /// Attached.
    unsafe fn complete(
        &mut self,
        extras: Extras,
        scope: u32,
        context: Option<&Bound<'py, PyAny>>,
    ) -> Option<u32> {
        let (fate, scope) = Fate::of(scope);
        self.identify(scope);
        if extras.before_append() {
            self.thread();
        }
        if extras.enriches() {
            // SAFETY: attached.
            unsafe { self.enrich() };
        }
        self.weigh();
        if self.dropped > 0 {
            self.note_dropped(scope);
        }
        // SAFETY: attached.
        if extras.records() && unsafe { self.record(fate, scope) } {
            return None;
        }
        // SAFETY: attached.
        let goes_on = !extras.before_append() || unsafe { self.processed(scope, context) };
        if goes_on {
            self.give_uid();
        }
        goes_on.then_some(scope)
    }

    /// The record as processors leave it. False: one of them refused it.
    ///
    /// # Safety
    /// Attached.
    pub unsafe fn processed(&mut self, scope: u32, context: Option<&Bound<'py, PyAny>>) -> bool {
        let spent = Self::with(self.py, self.active, RecordWriter::default(), self.meta);
        // SAFETY: attached.
        match unsafe { process(std::mem::replace(self, spent), scope, context) } {
            Some(processed) => *self = processed,
            None => return false,
        }
        true
    }

    /// `log.record.uid`, where records have one: last, so that processors that make a new record do not lose it.
    pub fn give_uid(&mut self) {
        let active = self.active;
        if let Some(uids) = &active.uids {
            uids.identify(&mut self.writer);
        }
    }

    /// The end of a record that has something to tell.
    ///
    /// # Safety
    /// Attached.
    #[cold]
    #[inline(never)]
    unsafe fn end(&mut self, (result, interrupt): (*mut ffi::PyObject, Option<PyErr>)) -> *mut ffi::PyObject {
        let active = self.active;
        // SAFETY: attached.
        unsafe { active.put_writer(std::mem::take(&mut self.writer)) };
        let mut interrupt = self.interrupt.take().or(interrupt);
        // A forked child asks nothing of what is its parent's.
        let ours = !active.is_inherited();
        if ours && active.pipeline.notices().waiting() {
            interrupt = interrupt.or(helpers::tell_notices(self.py, active));
        }
        if ours && active.pipeline.summaries().waiting() {
            interrupt = interrupt.or(show(self.py, active));
        }
        match interrupt {
            None => result,
            Some(interrupt) => {
                interrupt.restore(self.py);
                // SAFETY: the reference that would have been returned.
                unsafe { ffi::Py_XDECREF(result) };
                ptr::null_mut()
            }
        }
    }
}
