//! The pipeline as Python holds it: made from settings, attached to a handle that loggers follow, reborn after a fork.

use super::active::{Active, Outputs, FORKS, GENERATION};
use super::gil::GilCell;
use super::{helpers, lifecycle, settings, trace};
use crate::ledger::REFUSALS;
use crate::rules::Levels;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::cell::Cell;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One pipeline: stages 2 to 7 behind one object.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Pipeline {
    active: GilCell<Arc<Active>>,
}

#[pymethods]
impl Pipeline {
    #[new]
    fn new(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (native, capture, outputs) = settings::read(settings)?;
        let active = Active::new(Arc::new(native), capture, Arc::new(outputs))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        lifecycle::register(&active.pipeline);
        Ok(Self { active: GilCell::new(active) })
    }

    /// Waits, without the interpreter lock, until nothing accepted before is pending.
    fn force_flush(&self, py: Python<'_>, timeout_millis: u64) -> PyResult<bool> {
        let active = self.active();
        trace::forget_contexts();
        let flushed = py.detach(|| active.pipeline.force_flush(Duration::from_millis(timeout_millis)));
        helpers::tell_notices(py, &active).map_or(Ok(flushed), Err)
    }

    /// Refuses records from now on, drains, stops the threads, and counts what was left as dropped.
    fn shutdown(&self, py: Python<'_>, timeout_millis: u64) -> PyResult<bool> {
        let active = self.active();
        let drained = py.detach(|| active.pipeline.shutdown(Duration::from_millis(timeout_millis)));
        GENERATION.fetch_add(1, Ordering::AcqRel);
        helpers::tell_notices(py, &active).map_or(Ok(drained), Err)
    }

    /// Every term of the ledger at one moment, as plain dicts.
    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let active = self.active();
        let snapshot = active.pipeline.snapshot();
        let ledger = PyDict::new(py);
        let refused = PyDict::new(py);
        for (name, count) in REFUSALS.iter().zip(snapshot.refused) {
            refused.set_item(name, count)?;
        }
        let exporters = PyDict::new(py);
        for counts in &snapshot.exporters {
            let dropped = PyDict::new(py);
            for (name, count) in counts.dropped.iter() {
                dropped.set_item(name, count)?;
            }
            let exporter = PyDict::new(py);
            exporter.set_item("accepted", counts.accepted)?;
            exporter.set_item("delivered", counts.delivered)?;
            exporter.set_item("rejected", counts.rejected)?;
            exporter.set_item("dropped", dropped)?;
            exporter.set_item("pending", counts.pending)?;
            exporters.set_item(&counts.name, exporter)?;
        }
        ledger.set_item("offered", snapshot.offered)?;
        ledger.set_item("filtered", snapshot.filtered)?;
        ledger.set_item("refused", refused)?;
        ledger.set_item("accepted", snapshot.accepted)?;
        ledger.set_item("adopted", snapshot.adopted)?;
        ledger.set_item("exporters", exporters)?;
        ledger.set_item("console", active.pipeline.emit_counts().console_counts())?;
        Ok(ledger)
    }

    /// Memory used by the buffer now, and the severity below which it sheds.
    fn pressure(&self) -> (usize, u8) {
        let active = self.active();
        (active.pipeline.buffer().used(), active.pipeline.buffer().floor())
    }

    /// Replaces the levels at run time, for good or for some seconds.
    #[pyo3(signature = (level, levels, for_seconds=None))]
    fn set_levels(&self, level: u8, levels: Vec<(String, u8)>, for_seconds: Option<f64>) -> PyResult<()> {
        let until = deadline(for_seconds)?;
        let levels = Levels { default: level, by_name: levels };
        // SAFETY: attached.
        unsafe { self.active().change_rules(|all| all.set_levels(levels, until)) };
        Ok(())
    }

    /// Replaces the rules by scope at run time, for good or for some seconds.
    #[pyo3(signature = (rules, for_seconds=None))]
    fn set_rules(
        &self,
        rules: Vec<(String, bool, Option<u8>, bool)>,
        for_seconds: Option<f64>,
    ) -> PyResult<()> {
        let until = deadline(for_seconds)?;
        let rules = settings::rules(rules);
        // SAFETY: attached.
        unsafe { self.active().change_rules(|all| all.set_rules(rules, until)) };
        Ok(())
    }

    /// Fixes the clock that stamps records (nanoseconds since the epoch); 0 gives the system's back.
    fn fix_clock(&self, unix_nanos: u64) {
        self.active().pipeline.clock().fix(unix_nanos);
    }

    /// Calls `tap(record: bytes, scope: str)` on the caller for every accepted record, already redacted.
    fn add_tap(&self, py: Python<'_>, tap: Py<PyAny>) {
        self.change_taps(py, |taps| taps.push(tap));
    }

    /// Removes a tap; unknown ones are ignored. Equal is enough: a bound method is a new object whenever it is read.
    fn remove_tap(&self, py: Python<'_>, tap: &Bound<'_, PyAny>) {
        self.change_taps(py, |taps| taps.retain(|other| !other.bind(py).eq(tap).unwrap_or(false)));
    }
}

/// The moment that many seconds from now; `None` for good.
fn deadline(seconds: Option<f64>) -> PyResult<Option<Instant>> {
    let Some(seconds) = seconds else { return Ok(None) };
    let until = Duration::try_from_secs_f64(seconds).ok().and_then(|wait| Instant::now().checked_add(wait));
    until.map(Some).ok_or_else(|| PyValueError::new_err(format!("{seconds} is no number of seconds")))
}

impl Pipeline {
    /// The pipeline of this process: after a fork a new one from the same settings.
    pub fn active(&self) -> Arc<Active> {
        // SAFETY: attached (a Python call brought us here); cloning an Arc runs no Python code.
        let active = unsafe { Arc::clone(self.active.get()) };
        if active.forks == FORKS.load(Ordering::Acquire) {
            return active;
        }
        self.reborn(active)
    }

    /// The child forgets the parent's pipeline without touching it: its records, threads and connections are the parent's.
    #[cold]
    fn reborn(&self, inherited: Arc<Active>) -> Arc<Active> {
        // SAFETY: attached.
        let outputs = unsafe { inherited.outputs() };
        let settings = Arc::clone(inherited.pipeline.settings());
        let fresh = Active::new(settings, inherited.capture().clone(), outputs);
        let Ok(fresh) = fresh else { return inherited };
        lifecycle::register(&fresh.pipeline);
        // SAFETY: attached.
        let old = unsafe { self.active.replace(Arc::clone(&fresh)) };
        mem::forget((old, inherited));
        fresh
    }

    fn change_taps(&self, py: Python<'_>, change: impl FnOnce(&mut Vec<Py<PyAny>>)) {
        let active = self.active();
        // SAFETY: attached.
        unsafe {
            let now = active.outputs();
            let mut taps = now.taps.iter().map(|tap| tap.clone_ref(py)).collect();
            change(&mut taps);
            let console = now.console.as_ref().map(|(settings, write)| (*settings, write.clone_ref(py)));
            active.set_outputs(Outputs { console, taps });
        }
    }
}

thread_local! {
    /// True while this thread configures the process.
    static CONFIGURING: Cell<bool> = const { Cell::new(false) };
}

/// Where loggers find their pipeline: none yet, one, or another one later.
#[pyclass(frozen, module = "fapilog._native")]
pub struct PipelineHandle {
    pipeline: GilCell<Option<Py<Pipeline>>>,
    /// True for the process-wide handle: its first record may configure the process.
    configures_itself: bool,
}

#[pymethods]
impl PipelineHandle {
    #[new]
    #[pyo3(signature = (*, configures_itself=false))]
    fn new(configures_itself: bool) -> Self {
        Self { pipeline: GilCell::new(None), configures_itself }
    }

    /// Makes every logger of this handle use `pipeline`; `None`: log nothing.
    #[pyo3(signature = (pipeline))]
    fn attach(&self, pipeline: Option<Py<Pipeline>>) {
        // SAFETY: attached; the old reference is dropped after the cell is written.
        let old = unsafe { self.pipeline.replace(pipeline) };
        GENERATION.fetch_add(1, Ordering::AcqRel);
        drop(old);
    }

    /// The attached pipeline.
    #[getter]
    fn pipeline(&self, py: Python<'_>) -> Option<Py<Pipeline>> {
        // SAFETY: attached.
        unsafe { self.pipeline.get().as_ref().map(|pipeline| pipeline.clone_ref(py)) }
    }
}

impl PipelineHandle {
    /// Configures the process from its environment. Threads that come here together wait for the first one, which
    /// holds a lock in Python; what that one logs meanwhile goes nowhere instead of round and round.
    #[cold]
    fn configure(py: Python<'_>) {
        if !CONFIGURING.replace(true) {
            helpers::configure_defaults(py);
            CONFIGURING.set(false);
        }
    }

    /// The pipeline to log to, started; `None`: nowhere.
    pub fn resolve(&self, py: Python<'_>) -> Option<Arc<Active>> {
        if self.pipeline(py).is_none() && self.configures_itself {
            Self::configure(py);
        }
        let active = self.pipeline(py)?.get().active();
        active.pipeline.start();
        Some(active)
    }
}
