//! The pipeline as Python holds it: made from settings, reborn after a fork. Each method is a door; rooms are elsewhere.

use super::active::{Active, Outputs, Processors, FORKS, GENERATION};
use super::batch::Batch;
use super::bound::BoundAttributes;
use super::gil::GilCell;
use super::outputs::show;
use super::readable::RecordBuilder;
use super::settings::{self, Read};
use super::stdlib_levels;
use super::{counts, delivery, flight, foreign, helpers, lifecycle, trace};
use crate::export::sender::Refusal;
use crate::rules::Levels;
use crate::seal::key_counts::ByPlace;
use crate::spooling::end::Then;
use crate::spooling::spooler::Only;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::mem;
use std::path::PathBuf;
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
    fn new(py: Python<'_>, settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let Read { native, capture, outputs, on_start } = settings::read(settings)?;
        let on_start = on_start.map(Arc::new);
        let native = Arc::new(native);
        // Without the interpreter lock: the disk of a spool may take its time.
        let pipeline = py
            .detach(|| crate::pipeline::Pipeline::new(native))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let active = Active::around(pipeline, capture, Arc::new(outputs), on_start);
        lifecycle::register(&active.pipeline);
        Ok(Self { active: GilCell::new(active) })
    }

    /// Waits, without the interpreter lock, until nothing accepted before is pending.
    fn force_flush(&self, py: Python<'_>, timeout_millis: u64) -> PyResult<bool> {
        let active = self.active();
        trace::forget_contexts();
        let flushed = py.detach(|| active.pipeline.force_flush(Duration::from_millis(timeout_millis)));
        let interrupt = helpers::tell_notices(py, &active);
        show(py, &active).or(interrupt).map_or(Ok(flushed), Err)
    }

    /// Refuses records from now on, drains, stops the threads, and counts what was left as dropped.
    fn shutdown(&self, py: Python<'_>, timeout_millis: u64) -> PyResult<bool> {
        let active = self.active();
        let drained = py.detach(|| active.pipeline.shutdown(Duration::from_millis(timeout_millis)));
        GENERATION.fetch_add(1, Ordering::AcqRel);
        let interrupt = helpers::tell_notices(py, &active);
        show(py, &active).or(interrupt).map_or(Ok(drained), Err)
    }

    /// Waits until what was taken over from ended processes is delivered.
    fn deliver_adopted(&self, py: Python<'_>, timeout_millis: u64) {
        let active = self.active();
        py.detach(|| active.pipeline.deliver_adopted(Duration::from_millis(timeout_millis)));
    }

    /// Delivers what an ended process left in one directory of the spool.
    fn replay_spool(&self, py: Python<'_>, name: &str, timeout_millis: u64, unprocessed: bool) {
        let active = self.active();
        if let Some(spooler) = active.pipeline.spooler() {
            spooler.adopt_only(Only::Directory { name: name.to_owned(), unprocessed });
        }
        active.start(py);
        py.detach(|| active.pipeline.deliver_adopted(Duration::from_millis(timeout_millis)));
    }

    /// Delivers what an ended process left in its crash ring.
    fn replay_ring(&self, py: Python<'_>, path: PathBuf, timeout_millis: u64) {
        let active = self.active();
        if let Some(spooler) = active.pipeline.spooler() {
            spooler.adopt_only(Only::Ring(path));
        }
        active.start(py);
        py.detach(|| active.pipeline.deliver_adopted(Duration::from_millis(timeout_millis)));
    }

    /// Writes what is pending in memory to the spool, if there is one; for the end of the process.
    fn spool_rest(&self, py: Python<'_>, timeout_millis: u64) -> PyResult<()> {
        let active = self.active();
        py.detach(|| {
            active.pipeline.backlog().give_up_best_effort();
            active.pipeline.spool_rest(Duration::from_millis(timeout_millis), Then::Stay);
        });
        helpers::tell_notices(py, &active).map_or(Ok(()), Err)
    }

    /// Exchanges the keys of the spool, if there is one.
    fn set_spool_keys(&self, keys: &Bound<'_, PyTuple>) -> PyResult<()> {
        let keys = settings::spool_keys(keys)?;
        self.active().pipeline.set_spool_keys(&keys);
        Ok(())
    }

    /// Every term of the ledger at one moment, as plain dicts.
    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts::ledger(py, &self.active().pipeline)
    }

    /// Where values were hidden.
    fn inventory(&self) -> ByPlace {
        counts::inventory(&self.active().pipeline)
    }

    /// What each stage did since the start; the operations of each exporter since the last call.
    fn exporter_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        counts::exporter_stats(py, &self.active().pipeline)
    }

    /// Memory used by the buffer now, and the severity below which it sheds.
    fn pressure(&self) -> (usize, u8) {
        let active = self.active();
        (active.pipeline.buffer().used(), active.pipeline.buffer().floor())
    }

    /// True from the beginning of `shutdown`.
    #[getter]
    fn closing(&self) -> bool {
        self.active().pipeline.is_closing()
    }

    /// The descriptor that polls readable when the delivery loop may have work.
    fn wake_fd(&self) -> PyResult<i32> {
        Ok(self.active().pipeline.wake().fd()?)
    }

    /// Takes back every wake so far.
    fn clear_wake(&self) -> bool {
        self.active().pipeline.wake().clear()
    }

    /// The oldest block that a Python exporter has to deliver.
    fn claim(&self, py: Python<'_>, exporter: &str) -> PyResult<Option<Batch>> {
        delivery::claim(py, &self.active().pipeline, exporter)
    }

    /// What became of a claimed block, or of a part of it.
    #[pyo3(signature = (exporter, sequence, *, delivered=0, rejected=0, dropped=None))]
    fn settle(
        &self,
        py: Python<'_>,
        exporter: &str,
        sequence: u64,
        delivered: u64,
        rejected: u64,
        dropped: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let settlement = delivery::settlement(delivered, rejected, dropped)?;
        delivery::settle(py, &self.active().pipeline, exporter, sequence, settlement)
    }

    /// Gives a claimed block back, undelivered.
    fn release(&self, exporter: &str, sequence: u64) -> PyResult<()> {
        delivery::release(&self.active().pipeline, exporter, sequence)
    }

    /// No call of a Python exporter has succeeded for so many seconds; 0: the last one has.
    fn note_failing(&self, exporter: &str, seconds: f64) -> PyResult<()> {
        delivery::note_failing(&self.active().pipeline, exporter, seconds)
    }

    /// Keeps a block of which a Python exporter's receiver refused `rejected` records.
    fn keep_refused(
        &self,
        py: Python<'_>,
        exporter: &str,
        batch: &Batch,
        rejected: u64,
        error_type: &str,
        cause: &str,
    ) -> PyResult<()> {
        let refusal = Refusal { status: 0, error: error_type, cause, rejected };
        delivery::keep_refused(py, &self.active().pipeline, exporter, batch, &refusal)
    }

    /// Hands over to fallbacks what their exporters did not take, and waits for it; for the end of the process.
    fn hand_over_rest(&self, py: Python<'_>, timeout_millis: u64) {
        let active = self.active();
        let deadline = Instant::now() + Duration::from_millis(timeout_millis);
        py.detach(|| active.pipeline.hand_over_rest(deadline));
    }

    /// The oldest block that waits for the batch processors.
    fn claim_unprocessed(&self, py: Python<'_>) -> Option<Batch> {
        let active = self.active();
        py.detach(|| active.pipeline.backlog().claim_unprocessed()).map(Batch::of)
    }

    /// Gives a block back that the batch processors could not finish.
    fn unprocessed(&self, py: Python<'_>, sequence: u64) {
        let active = self.active();
        py.detach(|| active.pipeline.unprocessed(sequence));
    }

    /// What the batch processors made of a block; `None`: nothing.
    fn processed(&self, py: Python<'_>, sequence: u64, request: Option<&[u8]>) -> PyResult<()> {
        let active = self.active();
        let taken = py.detach(|| active.pipeline.processed(sequence, request));
        taken.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Records of another source as one uncompressed request.
    fn encode<'py>(&self, py: Python<'py>, records: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        foreign::encode(py, &self.active(), records)
    }

    /// Describes the process in blocks that are sealed from now on.
    fn set_resource(&self, resource: Vec<u8>) {
        self.active().set_resource(resource);
    }

    /// Replaces the request headers of a native exporter, from its next attempt on.
    fn set_headers(&self, exporter: &str, headers: Vec<(String, String)>) -> PyResult<()> {
        let set = self.active().set_headers(exporter, headers);
        set.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// True when the endpoint refused the headers as they are now.
    fn headers_refused(&self, exporter: &str) -> PyResult<bool> {
        delivery::headers_refused(&self.active().pipeline, exporter)
    }

    /// Replaces the levels at run time, for good or for some seconds.
    #[pyo3(signature = (level, levels, for_seconds=None))]
    fn set_levels(
        &self,
        py: Python<'_>,
        level: u8,
        levels: Vec<(String, u8)>,
        for_seconds: Option<f64>,
    ) -> PyResult<()> {
        let until = deadline(for_seconds)?;
        let levels = Levels { default: level, by_name: levels, chosen: true };
        // SAFETY: attached.
        unsafe { self.active().change_rules(|all| all.set_levels(levels, until)) };
        stdlib_levels::changed(py);
        Ok(())
    }

    /// Replaces the rules by scope at run time, for good or for some seconds.
    #[pyo3(signature = (rules, for_seconds=None))]
    fn set_rules(
        &self,
        py: Python<'_>,
        rules: Vec<(String, bool, Option<u8>, bool)>,
        for_seconds: Option<f64>,
    ) -> PyResult<()> {
        let until = deadline(for_seconds)?;
        let rules = settings::rules(rules);
        // SAFETY: attached.
        unsafe { self.active().change_rules(|all| all.set_rules(rules, until)) };
        stdlib_levels::changed(py);
        Ok(())
    }

    /// A local root span of a trace began, for the flight recorder.
    fn trace_began(&self, trace_id: u128) {
        flight::began(&self.active(), trace_id);
    }

    /// A local root span of a trace ended; with a reason, what was kept of the trace is exported first.
    #[pyo3(signature = (trace_id, reason=None))]
    fn trace_ended(&self, py: Python<'_>, trace_id: u128, reason: Option<&str>) -> PyResult<()> {
        flight::ended(py, &self.active(), trace_id, reason)
    }

    /// Exports what the flight recorder kept of a trace; `None`: of the current one.
    #[pyo3(signature = (trace_id=None))]
    fn export_recorded(&self, py: Python<'_>, trace_id: Option<u128>) -> PyResult<u64> {
        flight::export(py, &self.active(), trace_id)
    }

    /// Fixes the clock that stamps records (nanoseconds since the epoch); 0 gives the system's back.
    fn fix_clock(&self, unix_nanos: u64) {
        self.active().pipeline.clock().fix(unix_nanos);
    }

    /// Adds these attributes to every record from now on, behind all others; `None`: none.
    #[pyo3(signature = (attributes))]
    fn set_enrichment(&self, py: Python<'_>, attributes: Option<Py<BoundAttributes>>) {
        self.change_outputs(py, |outputs| outputs.enrichers.attributes = attributes);
    }

    /// Asks `enrich() -> mapping | None` on the caller for further attributes of every record; `None`: nobody.
    #[pyo3(signature = (enrich))]
    fn set_record_enrichers(&self, py: Python<'_>, enrich: Option<Py<PyAny>>) {
        self.change_outputs(py, |outputs| outputs.enrichers.enrich = enrich);
    }

    /// Calls `tap(record: bytes, scope: str)` on the caller for every accepted record, already redacted.
    fn add_tap(&self, py: Python<'_>, tap: Py<PyAny>) {
        self.change_outputs(py, |outputs| outputs.taps.push(tap));
    }

    /// Removes a tap; unknown ones are ignored. Equal is enough: a bound method is a new object whenever it is read.
    fn remove_tap(&self, py: Python<'_>, tap: &Bound<'_, PyAny>) {
        let other = |known: &Py<PyAny>| !known.bind(py).eq(tap).unwrap_or(false);
        self.change_outputs(py, |outputs| outputs.taps.retain(other));
    }

    /// Runs `process(record, scope, context)` on the caller between redaction and append.
    fn set_processors(
        &self,
        py: Python<'_>,
        process: Py<PyAny>,
        make_scope: Py<PyAny>,
        records: Py<RecordBuilder>,
    ) {
        let processors = Some(Processors { process, make_scope, records });
        self.change_outputs(py, |outputs| outputs.processors = processors);
    }

    /// Runs no processors any more.
    fn clear_processors(&self, py: Python<'_>) {
        self.change_outputs(py, |outputs| outputs.processors = None);
    }

    /// Whether an accepted record goes anywhere: to an exporter, the console or a tap.
    fn has_destinations(&self) -> bool {
        let active = self.active();
        // SAFETY: attached.
        !active.pipeline.settings().exporters.is_empty() || unsafe { active.extras() }.after_append()
    }

    /// Refuses records from now on; what was accepted is still delivered.
    fn close(&self) {
        self.active().pipeline.close();
        GENERATION.fetch_add(1, Ordering::AcqRel);
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
        let fresh = inherited.reborn();
        let Ok(fresh) = fresh else { return inherited };
        lifecycle::register(&fresh.pipeline);
        // SAFETY: attached.
        let old = unsafe { self.active.replace(Arc::clone(&fresh)) };
        mem::forget((old, inherited));
        fresh
    }

    fn change_outputs(&self, py: Python<'_>, change: impl FnOnce(&mut Outputs)) {
        let active = self.active();
        // SAFETY: attached.
        unsafe {
            let now = active.outputs();
            let mut outputs = Outputs {
                console: now.console.as_ref().map(|console| console.clone_ref(py)),
                taps: now.taps.iter().map(|tap| tap.clone_ref(py)).collect(),
                processors: now.processors.as_ref().map(|processors| processors.clone_ref(py)),
                enrichers: now.enrichers.clone_ref(py),
            };
            change(&mut outputs);
            active.set_outputs(outputs);
        }
    }
}
