//! Stage 1 of 7, emit: `fapilog.Logger`, the gate, and what of a call becomes a record. Thread: caller.
//!
//! What a logger knows about its pipeline is looked up again only when [`GENERATION`] says that something changed;
//! a call below the level costs two loads and a compare.

use super::active::{retire, Active, Call, GENERATION};
use super::arguments::{format_body, names_security, reserved};
use super::bound::BoundAttributes;
use super::emission::Emission;
use super::flight::{below, Gate};
use super::gil::GilCell;
use super::given::Foreign;
use super::handle::PipelineHandle;
use super::level::Level;
use super::level_methods::Arguments;
use super::muted::is_muted;
use super::passage::says_security;
use super::resolved::{Resolved, CLOSER};
use super::stdlib_levels;
use super::{helpers, surroundings, trace};
use crate::ledger::Refusal;
use crate::record::fields::TraceFields;
use crate::redact::scope_secrets::without_secrets;
use crate::rules::{Rules, Verdict};
use crate::scopes::Scope;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

/// A named source of records.
#[pyclass(frozen, weakref, module = "fapilog", name = "Logger")]
pub struct Logger {
    handle: Py<PipelineHandle>,
    scope: Scope,
    bound: Option<Py<BoundAttributes>>,
    /// What a `LoggerConfigurator` said, beside the rules of the pipeline.
    config: GilCell<Verdict>,
    /// Whether it serves the OpenTelemetry API, where the default of the specification counts.
    api: bool,
    resolved: GilCell<Resolved>,
}

#[pymethods]
impl Logger {
    #[new]
    #[pyo3(signature = (
        handle, name="", *, version="", schema_url="", scope_attributes=None, bound=None, api=false
    ))]
    #[allow(clippy::too_many_arguments)] // Keywords of Python.
    fn new(
        py: Python<'_>,
        handle: Py<PipelineHandle>,
        name: &str,
        version: &str,
        schema_url: &str,
        scope_attributes: Option<&Bound<'_, PyDict>>,
        bound: Option<Py<BoundAttributes>>,
        api: bool,
    ) -> Self {
        let attributes = scope_attributes.map(|dict| surroundings::scope_attributes(py, dict));
        let scope = Scope {
            name: name.to_owned(),
            version: version.to_owned(),
            schema_url: schema_url.to_owned(),
            attributes: attributes.unwrap_or_default(),
        };
        Self { api, ..Self::with(handle, scope, bound) }
    }

    /// The instrumentation scope's name.
    #[getter]
    fn name(&self) -> &str {
        &self.scope.name
    }

    /// Restricts this logger beyond the rules of its pipeline.
    fn configure(&self, enabled: bool, minimum_severity: u8, trace_based: bool) {
        // SAFETY: attached; a verdict holds no Python object.
        unsafe { *self.config.get() = Verdict { enabled, threshold: minimum_severity, trace_based } };
        GENERATION.fetch_add(1, Ordering::AcqRel);
    }

    #[pyo3(signature = (**attributes))]
    fn bind(&self, py: Python<'_>, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let bound = match (attributes, &self.bound) {
            (None, bound) => bound.as_ref().map(|bound| bound.clone_ref(py)),
            (Some(more), Some(bound)) => Some(Py::new(py, bound.get().with(py, more)?)?),
            (Some(more), None) => Some(Py::new(py, BoundAttributes::of(more.copy()?.unbind()))?),
        };
        Ok(Self { api: self.api, ..Self::with(self.handle.clone_ref(py), self.scope.clone(), bound) })
    }

    #[pyo3(signature = (severity, context=None))]
    fn is_enabled_for(&self, py: Python<'_>, severity: i64, context: Option<&Bound<'_, PyAny>>) -> bool {
        let severity = severity.clamp(-1, i64::from(CLOSER) - 1);
        // SAFETY: attached, as `py` proves.
        let _call = unsafe { Call::begin() };
        // SAFETY: attached, inside a call.
        let resolved = unsafe { self.resolve(py) };
        let Some(active) = resolved.active.as_ref().filter(|active| !active.pipeline.is_closing()) else {
            return false;
        };
        let (threshold, floor) = (resolved.threshold, active.pipeline.buffer().floor());
        let Ok(severity) = u8::try_from(severity) else { return false };
        let gate = resolved.gate;
        let span = || trace::of_context(py, context);
        let kept = if threshold == CLOSER {
            // SAFETY: attached, inside a call.
            unsafe { self.look_closer(py, severity, span) }
        } else {
            severity == 0 || severity >= threshold
        };
        if kept {
            return severity >= floor;
        }
        gate.trace(severity, span).is_some()
    }

    /// Loggers are shared, not copied.
    const fn __copy__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// As `__copy__`: a dataclass that holds a logger can be copied.
    fn __deepcopy__<'py>(slf: PyRef<'py, Self>, memo: &Bound<'py, PyAny>) -> PyRef<'py, Self> {
        let _ = memo; // The name is part of the Python signature.
        slf
    }

    /// Emits a `LogEvent`.
    fn emit(&self, py: Python<'_>, event: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let read = || -> PyResult<(Option<String>, Foreign<'_, '_>)> {
            let record = event.call_method0("to_record")?;
            Ok((record.getattr("scope_name")?.extract()?, Foreign::of_event(&record)?))
        };
        match read() {
            Err(error) => self.refuse(py, error),
            Ok((Some(name), foreign)) if !name.is_empty() && name != self.scope.name => {
                let bound = self.bound.as_ref().map(|bound| bound.clone_ref(py));
                let other =
                    Self::with(self.handle.clone_ref(py), Scope { name, ..self.scope.clone() }, bound);
                other.emit_foreign(py, &foreign)
            }
            Ok((_, foreign)) => self.emit_foreign(py, &foreign),
        }
    }

    /// Emits a record given field by field: the door for the OTel API, `logging` and other libraries.
    #[pyo3(signature = (*, body=None, severity_number=0, severity_text="", time_unix_nano=None,
        observed_time_unix_nano=None, attributes=None, event_name=None, context=None, exception=None, protected=false,
        level_name=None, location=None, thread=None, template=None))]
    #[allow(clippy::too_many_arguments)] // keywords on the Python side
    fn emit_record(
        &self,
        py: Python<'_>,
        body: Option<Bound<'_, PyAny>>,
        severity_number: i64,
        severity_text: &str,
        time_unix_nano: Option<u64>,
        observed_time_unix_nano: Option<u64>,
        attributes: Option<Bound<'_, PyAny>>,
        event_name: Option<String>,
        context: Option<&Bound<'_, PyAny>>,
        exception: Option<&Bound<'_, PyAny>>,
        protected: bool,
        level_name: Option<String>,
        location: Option<&Bound<'_, PyAny>>,
        thread: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        template: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let foreign = Foreign {
            time_unix_nano,
            observed_time_unix_nano,
            severity_number: severity_number.clamp(0, 24) as u8,
            severity_text: severity_text.to_owned(),
            body,
            attributes,
            event_name,
            context,
            exception,
            protected,
            level_name,
            location,
            thread,
            template,
        };
        self.emit_foreign(py, &foreign)
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handle)?;
        visit.call(&self.bound)
    }

    fn __repr__(&self) -> String {
        format!("<fapilog.Logger {:?}>", self.scope.name)
    }
}

impl Logger {
    pub fn with(handle: Py<PipelineHandle>, scope: Scope, bound: Option<Py<BoundAttributes>>) -> Self {
        let (config, resolved) = (GilCell::new(Verdict::OPEN), GilCell::new(Resolved::NOTHING));
        Self { handle, scope, bound, config, api: false, resolved }
    }

    /// What the logger knows of its pipeline, looked up anew when something changed.
    ///
    /// # Safety
    /// Attached, inside a [`Call`]; the borrow ends before Python code may run.
    #[inline]
    unsafe fn resolve(&self, py: Python<'_>) -> &Resolved {
        // SAFETY: attached.
        unsafe {
            if self.resolved.get().generation != GENERATION.load(Ordering::Acquire) {
                self.look_up(py);
            }
            self.resolved.get()
        }
    }

    #[cold]
    unsafe fn look_up(&self, py: Python<'_>) {
        let generation = GENERATION.load(Ordering::Acquire);
        let active = self.handle.get().resolve(py);
        // Configuring on the first record changes the generation; then the newer one is what was looked up.
        let generation = if active.is_some() { GENERATION.load(Ordering::Acquire) } else { generation };
        let rules = active.as_ref().map(|active| &active.capture().rules);
        let judge = if self.api { Rules::api_verdict } else { Rules::verdict };
        let verdict = rules.map_or(Verdict::OPEN, |rules| judge(rules, &self.scope.name));
        // SAFETY: attached; copied out.
        let verdict = verdict.and(unsafe { *self.config.get() });
        let until = rules.and_then(Rules::until);
        let threshold = if verdict.is_plain() && until.is_none() { verdict.threshold } else { CLOSER };
        let scope = active.as_ref().map_or(0, |active| {
            let policy = &active.pipeline.settings().policy;
            active.pipeline.scopes().id(&without_secrets(&self.scope, policy))
        });
        let gate = Gate::of(active.as_deref(), &self.scope.name, verdict);
        let plain =
            if threshold == CLOSER || active.is_none() { 0 } else { threshold.min(gate.records_from) };
        let resolved = Resolved { generation, threshold, plain, scope, active, gate, until };
        // SAFETY: attached. A call on this thread or another may still use the old pipeline.
        unsafe { retire(self.resolved.replace(resolved).active) };
    }

    /// Whether a record is kept by rules that are more than a threshold: disabled, trace based, in a time box.
    ///
    /// # Safety
    /// Attached, inside a [`Call`]; `span` reads the span that the record belongs to.
    #[cold]
    unsafe fn look_closer(
        &self,
        py: Python<'_>,
        severity: u8,
        span: impl FnOnce() -> Option<TraceFields>,
    ) -> bool {
        // SAFETY: attached; what is needed is copied out.
        let (mut verdict, until) = unsafe { (self.resolved.get().gate.verdict, self.resolved.get().until) };
        let now = Instant::now();
        if until.is_some_and(|until| until <= now) {
            // SAFETY: attached, inside a call. No Python code ran since the caller looked the pipeline up, so that the
            // same one is found again, and the caller's borrow stays good.
            unsafe {
                if let Some(active) = self.resolved.get().active.clone() {
                    active.change_rules(|rules| rules.expire(now));
                    stdlib_levels::reverted();
                }
                verdict = self.resolve(py).gate.verdict;
            }
        }
        verdict.keeps(severity, || span().is_some_and(|span| !span.is_sampled()))
    }

    /// Counts a record that could not be read, and tells why.
    fn refuse(&self, py: Python<'_>, error: PyErr) -> PyResult<Py<PyAny>> {
        // SAFETY: attached.
        let _call = unsafe { Call::begin() };
        // SAFETY: attached, inside a call.
        if let Some(active) = unsafe { self.resolve(py) }.active.clone() {
            active.pipeline.refuse(Refusal::CaptureFailed);
            active.pipeline.notices().keep("capture-failed", format!("a record could not be read: {error}"));
        }
        match helpers::interrupt_of::<()>(py, Err(error)) {
            Some(interrupt) => Err(interrupt),
            None => Self::completed(py),
        }
    }

    pub fn completed(py: Python<'_>) -> PyResult<Py<PyAny>> {
        // SAFETY: a new reference.
        unsafe { Bound::from_owned_ptr_or_err(py, helpers::done()).map(Bound::unbind) }
    }

    /// The pipeline that records go to now.
    ///
    /// # Safety
    /// Attached, inside a [`Call`].
    pub unsafe fn active(&self, py: Python<'_>) -> Option<Arc<Active>> {
        // SAFETY: as the caller's.
        unsafe { self.resolve(py) }.active.clone()
    }

    /// The instrumentation scope's name, as it was given.
    pub fn scope_name(&self) -> &str {
        &self.scope.name
    }

    /// True when a plain comparison filters a call, which is counted then: what most calls below the level end with.
    /// False: ask [`Self::admit`].
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn filters(&self, severity: u8) -> bool {
        // SAFETY: attached; no Python code runs here.
        let resolved = unsafe { self.resolved.get() };
        if severity >= resolved.plain
            || severity == 0
            || resolved.generation != GENERATION.load(Ordering::Acquire)
            || is_muted()
        {
            return false;
        }
        let Some(active) = &resolved.active else { return false };
        active.pipeline.emit_counts().filtered();
        true
    }

    /// The gate every record passes. `None`: filtered or shed, and counted; nowhere to go; of a muted thread.
    ///
    /// # Safety
    /// Attached, and inside a [`Call`] that outlives the pipeline's borrow.
    #[inline]
    pub unsafe fn admit<'a>(
        &self,
        py: Python<'_>,
        severity: u8,
        protected: impl FnOnce() -> bool,
        span: impl Fn() -> Option<TraceFields>,
    ) -> Option<(&'a Active, u32)> {
        if is_muted() {
            return None;
        }
        // SAFETY: attached; what is needed is copied out.
        let resolved = unsafe { self.resolve(py) };
        let Some(active) = resolved.active.as_ref() else {
            self.handle.get().nobody_heard();
            return None;
        };
        // SAFETY: the pipeline outlives the borrow: the caller holds a `Call`, and `retire` waits for it.
        let (active, threshold, scope) =
            unsafe { (&*Arc::as_ptr(active), resolved.threshold, resolved.scope) };
        if severity < threshold {
            // Severity 0 is "unspecified" and passes every level (OTel logs SDK, Enabled).
            let kept = if threshold == CLOSER {
                // SAFETY: attached, inside the caller's call.
                unsafe { self.look_closer(py, severity, &span) }
            } else {
                severity == 0
            };
            if !kept {
                // SAFETY: attached.
                let gate = unsafe { self.resolved.get() }.gate;
                return below(active, severity, gate, span).map(|fate| (active, fate.mark(scope)));
            }
        }
        // Nobody knows how much an unspecified severity matters: only a full buffer takes such a record.
        if severity < active.pipeline.buffer().floor() && severity != 0 && !protected() {
            active.pipeline.buffer().shed();
            return None;
        }
        Some((active, scope))
    }

    /// The attributes of `bind`.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn bound_attributes(&self, emission: &mut Emission<'_, '_>) {
        if let Some(bound) = &self.bound {
            // SAFETY: as the caller's.
            unsafe { emission.bound(bound.get()) };
        }
    }

    /// Stages 1 to 4 of one level method call.
    ///
    /// # Safety
    /// Attached; the arguments belong to the running call.
    #[inline]
    pub unsafe fn log(
        &self,
        py: Python<'_>,
        level: &Level,
        with_exception: bool,
        Arguments { positional, values, names }: Arguments<'_>,
    ) -> *mut ffi::PyObject {
        // SAFETY: as the caller's, for every call below.
        unsafe {
            let _call = Call::begin();
            let protected = || level.protected || names_security(py, values, names);
            let Some((active, scope)) = self.admit(py, level.severity, protected, || trace::current(py))
            else {
                return helpers::done();
            };
            let mut emission = Emission::begin(py, active, level);
            let spared = || level.spared() || says_security(py, active, names, values);
            if !emission.passes(scope, positional.first().copied(), spared) {
                return helpers::done();
            }
            match positional {
                [] => {}
                [message] => emission.body(*message),
                [message, rest @ ..] => format_body(&mut emission, *message, rest),
            }
            for (index, value) in values.iter().enumerate() {
                emission.keyword(ffi::PyTuple_GetItem(names, index as isize), *value);
            }
            if emission.has_reserved() {
                reserved(&mut emission, names, values);
            }
            if with_exception && !emission.described_exception() {
                emission.exception(&pyo3::types::PyBool::new(py, true).to_owned().into_any());
            }
            self.bound_attributes(&mut emission);
            emission.bound_context();
            emission.location();
            emission.finish(scope, None)
        }
    }
}
