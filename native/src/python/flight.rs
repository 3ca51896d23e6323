//! Stages 1 and 4 of 7: what the flight recorder does with a call, and how a trace's records go on. Thread: caller.
//!
//! A kept record goes on as any other does from stage 3: processors see it then, console and taps show it then, and it gets
//! its sequence number then. Its times are those of the call.

use super::active::{Active, Call};
use super::backpressure::{stop_waiting, Patience};
use super::emission::Emission;
use super::ending::may_call_python;
use super::outputs::after_append;
use super::settings::unknown;
use super::trace;
use crate::buffer::Appended;
use crate::clock::monotonic_nanos;
use crate::flight::store::Kept;
use crate::flight::{Fate, FlightRecorder, Trigger, BEFORE_KEY, ERROR, EVICTED_KEY, NEVER, REASON_KEY};
use crate::ledger::Refusal;
use crate::record::fields::{KeyField, SeverityField, TraceFields};
use crate::rules::Verdict;
use pyo3::ffi;
use pyo3::prelude::*;

/// What decides about records of a scope that are below its level.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// What levels and rules say about the scope.
    pub verdict: Verdict,
    /// The severity from which records are kept; [`NEVER`]: none is.
    pub records_from: u8,
}

impl Gate {
    /// Of a scope whose records go nowhere yet.
    pub const UNKNOWN: Self = Self { verdict: Verdict::OPEN, records_from: NEVER };

    /// Of a scope whose records go to a pipeline.
    pub fn of(active: Option<&Active>, scope: &str, verdict: Verdict) -> Self {
        let recorder = active.and_then(|active| active.pipeline.recorder());
        Self { verdict, records_from: recorder.map_or(NEVER, |recorder| recorder.floor(scope)) }
    }

    /// The trace that a record below the level would be kept for.
    pub fn trace(self, severity: u8, span: impl FnOnce() -> Option<TraceFields>) -> Option<u128> {
        if severity < self.records_from || severity == 0 || !self.verdict.enabled {
            return None;
        }
        span().filter(|span| !self.verdict.trace_based || span.is_sampled()).map(|span| span.trace())
    }
}

/// What becomes of a call below the level. `None`: it is filtered. A kept one is counted as filtered, too, until it goes on.
#[cold]
pub fn below(
    active: &Active,
    severity: u8,
    gate: Gate,
    span: impl FnOnce() -> Option<TraceFields>,
) -> Option<Fate> {
    let recorder = active.pipeline.recorder();
    let trace = recorder.and_then(|recorder| Some((recorder, gate.trace(severity, span)?)));
    if trace.is_some_and(|(recorder, trace)| recorder.trigger(trace).is_some()) {
        return Some(Fate::Late);
    }
    active.pipeline.emit_counts().filtered();
    trace.map(|_| Fate::Kept)
}

/// Lets out what a trace kept, and lets its later records pass. Returns how many records went on, and an interrupt that a
/// processor, the console, a tap or a wait for room raised.
///
/// It ends whatever is logged meanwhile: that is not kept any more. All records together wait as long as one call may.
///
/// # Safety
/// Attached, inside a [`super::active::Call`].
pub unsafe fn promote(
    py: Python<'_>,
    active: &Active,
    trace: u128,
    trigger: Trigger,
) -> (u64, Option<PyErr>) {
    let (mut promoted, mut interrupt) = (0, None);
    // SAFETY: attached.
    let processes = unsafe { active.extras() }.before_append();
    let Some(recorder) = active.pipeline.recorder().filter(|_| !processes || may_call_python()) else {
        return (0, None);
    };
    let Some(taken) = recorder.take(trace, trigger, monotonic_nanos()) else { return (0, None) };
    let _patience = Patience::of_call();
    for (index, kept) in taken.iter().enumerate() {
        let evicted = if index == 0 { taken.evicted } else { 0 };
        // SAFETY: as the caller's.
        interrupt = unsafe { go_on(py, active, kept, (trigger, evicted)) }.or(interrupt);
        promoted += 1;
        if interrupt.is_some() {
            stop_waiting();
        }
        if active.is_inherited() {
            // A signal handler or a processor forked, and this is the child: the records are the parent's.
            break;
        }
    }
    (promoted, interrupt)
}

/// Stages 3 and 4 of a record that was kept.
///
/// # Safety
/// As [`promote`].
unsafe fn go_on(
    py: Python<'_>,
    active: &Active,
    kept: Kept<'_>,
    (trigger, evicted): (Trigger, u64),
) -> Option<PyErr> {
    // SAFETY: attached, for every call below.
    unsafe {
        let mut writer = active.take_writer();
        writer.begin(0, 0, &SeverityField::NONE, None);
        writer.replace(kept.record);
        let mut emission = Emission::with(py, active, writer, kept.meta);
        emission.say_why(trigger);
        if active.pipeline.settings().sequenced {
            emission.number(BEFORE_KEY, kept.before);
        }
        if evicted > 0 {
            emission.number(EVICTED_KEY, evicted);
        }
        let extras = active.extras();
        let buffer = active.pipeline.buffer();
        active.pipeline.emit_counts().promoted();
        if kept.meta.severity < buffer.floor() && !kept.meta.protected {
            buffer.shed();
        } else if (!extras.before_append() || emission.processed(kept.scope, None)) && !active.is_inherited()
        {
            emission.give_uid();
            let mut redacted = active.pipeline.redact(&mut emission.writer, emission.meta);
            let appended = if redacted.is_dropped() {
                active.pipeline.refuse(Refusal::Redacted);
                Appended::Refused
            } else {
                buffer.append(&mut redacted, kept.scope)
            };
            if appended == Appended::Full || extras.after_append() {
                let (done, interrupt) = after_append(py, active, &redacted, kept.scope, appended);
                // Nobody awaits it: without room it waits as such records do.
                ffi::Py_XDECREF(done);
                emission.interrupt = emission.interrupt.take().or(interrupt);
            }
        }
        active.put_writer(std::mem::take(&mut emission.writer));
        emission.interrupt
    }
}

/// A local root span of a trace began.
pub fn began(active: &Active, trace: u128) {
    if let Some(recorder) = active.pipeline.recorder() {
        recorder.begin(trace, monotonic_nanos());
    }
}

/// A local root span of a trace ended; with a reason, what was kept goes on first.
pub fn ended(py: Python<'_>, active: &Active, trace: u128, reason: Option<&str>) -> PyResult<()> {
    let Some(recorder) = active.pipeline.recorder() else { return Ok(()) };
    let trigger = reason.map(|reason| Trigger::from_name(reason).ok_or_else(|| unknown("reason", reason)));
    let exported = trigger.transpose()?.map_or(Ok(0), |trigger| let_out(py, active, trace, trigger));
    recorder.end(trace);
    exported.map(|_| ())
}

/// Lets out what was kept of a trace, or of the current one.
pub fn export(py: Python<'_>, active: &Active, trace: Option<u128>) -> PyResult<u64> {
    let trace = trace.or_else(|| trace::of_context(py, None).map(|span| span.trace()));
    trace.map_or(Ok(0), |trace| let_out(py, active, trace, Trigger::Asked))
}

fn let_out(py: Python<'_>, active: &Active, trace: u128, trigger: Trigger) -> PyResult<u64> {
    // SAFETY: attached, as `py` proves.
    let (promoted, interrupt) = unsafe {
        let _call = Call::begin();
        promote(py, active, trace, trigger)
    };
    interrupt.map_or(Ok(promoted), Err)
}

impl Emission<'_, '_> {
    /// The flight recorder's part of a record. True: it is kept, and goes no further now.
    ///
    /// # Safety
    /// Attached, inside a [`super::active::Call`].
    #[cold]
    pub unsafe fn record(&mut self, fate: Fate, scope: u32) -> bool {
        let active = self.active;
        self.trigger();
        let Some(recorder) = active.pipeline.recorder() else { return false };
        let trace = match fate {
            Fate::Ordinary => return false,
            _ => self.writer.span().map(|span| span.trace()),
        };
        match (fate, trace) {
            (Fate::Late, trace) => {
                let reason = trace.and_then(|trace| recorder.trigger(trace));
                self.say_why(reason.unwrap_or(Trigger::Error));
                false
            }
            (_, None) => true,
            // SAFETY: as the caller's.
            (_, Some(trace)) => unsafe { self.keep(recorder, trace, scope) },
        }
    }

    unsafe fn keep(&mut self, recorder: &FlightRecorder, trace: u128, scope: u32) -> bool {
        let active = self.active;
        let redacted = active.pipeline.redact(&mut self.writer, self.meta);
        if !redacted.is_dropped() && active.pipeline.record(trace, &redacted, scope) {
            // The trace failed while the call was captured.
            self.let_out(recorder.trigger(trace).unwrap_or(Trigger::Error), trace);
        }
        true
    }

    /// Lets the trace's records out if this one says that it failed.
    pub fn trigger(&mut self) {
        if self.meta.severity >= ERROR && self.active.pipeline.recorder().is_some() {
            if let Some(span) = self.writer.span() {
                self.let_out(Trigger::Error, span.trace());
            }
        }
    }

    fn let_out(&mut self, trigger: Trigger, trace: u128) {
        // SAFETY: attached, as `py` proves; every emission is made inside a call.
        let (_, interrupt) = unsafe { promote(self.py, self.active, trace, trigger) };
        self.interrupt = self.interrupt.take().or(interrupt);
    }

    fn say_why(&mut self, trigger: Trigger) {
        self.writer.attribute_str(&KeyField::new(REASON_KEY.as_bytes()), trigger.name().as_bytes());
    }

    fn number(&mut self, key: &str, value: u64) {
        self.writer.attribute_int(&KeyField::new(key.as_bytes()), i64::try_from(value).unwrap_or(i64::MAX));
    }
}
