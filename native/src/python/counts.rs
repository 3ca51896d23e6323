//! Stage 7 of 7, settle: the ledger and the meters as plain dicts. Thread: any.

use crate::clock::monotonic_nanos;
use crate::flight::store::Counts;
use crate::ledger::meters::SendMeter;
use crate::ledger::REFUSALS;
use crate::pipeline::Pipeline;
use crate::seal::key_counts::{ByPlace, KeyCounts};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Every term of the ledger at one moment.
pub fn ledger<'py>(py: Python<'py>, pipeline: &Pipeline) -> PyResult<Bound<'py, PyDict>> {
    let snapshot = pipeline.snapshot();
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
        exporter.set_item("adopted", counts.adopted)?;
        exporter.set_item("delivered", counts.delivered)?;
        exporter.set_item("rejected", counts.rejected)?;
        exporter.set_item("dropped", dropped)?;
        exporter.set_item("pending", counts.pending)?;
        exporter.set_item("spooled", counts.spooled)?;
        exporter.set_item("kept", counts.kept)?;
        exporters.set_item(&counts.name, exporter)?;
    }
    ledger.set_item("offered", snapshot.offered)?;
    ledger.set_item("filtered", snapshot.filtered)?;
    ledger.set_item("refused", refused)?;
    ledger.set_item("accepted", snapshot.accepted)?;
    ledger.set_item("recorded", recorded(pipeline).records)?;
    ledger.set_item("adopted", snapshot.adopted)?;
    ledger.set_item("exporters", exporters)?;
    if let Some(violations) = violations(py, pipeline)? {
        ledger.set_item("violations", violations)?;
    }
    ledger.set_item("console", pipeline.emit_counts().console_counts())?;
    Ok(ledger)
}

/// What each stage did, and what memory it holds.
pub fn exporter_stats<'py>(py: Python<'py>, pipeline: &Pipeline) -> PyResult<Bound<'py, PyDict>> {
    let exporters = PyDict::new(py);
    for (counts, exporter) in pipeline.snapshot().exporters.iter().zip(pipeline.exporters()) {
        let meter = exporter.native.as_ref().map(|native| &native.meter);
        let (finished, left_out) = meter.map(SendMeter::take).unwrap_or_default();
        let operations: Vec<_> = finished
            .into_iter()
            .map(|done| (done.duration.as_secs_f64(), done.status, done.error.into_owned(), done.records))
            .collect();
        let side = PyDict::new(py);
        side.set_item("in_flight_records", counts.in_flight)?;
        side.set_item("send_nanos", meter.map_or(0, SendMeter::nanos))?;
        if let Some(native) = &exporter.native {
            let flow = native.pace.flow();
            side.set_item("requests_at_once", flow.limit().min(native.threads))?;
            side.set_item("gap_seconds", flow.gap().as_secs_f64())?;
        }
        side.set_item("operations", operations)?;
        side.set_item("operations_left_out", left_out)?;
        let rejected_by = PyDict::new(py);
        for (error, records) in meter.map(SendMeter::rejections).unwrap_or_default() {
            rejected_by.set_item(error.as_ref(), records)?;
        }
        side.set_item("rejected_by", rejected_by)?;
        exporters.set_item(&counts.name, side)?;
    }
    let (nanos, records) = pipeline.sealing().totals();
    let seal = PyDict::new(py);
    seal.set_item("nanos", nanos)?;
    seal.set_item("records", records)?;
    let blocks = pipeline.backlog().bytes();
    let memory = PyDict::new(py);
    memory.set_item("chunk_bytes", pipeline.buffer().used().saturating_sub(blocks))?;
    memory.set_item("block_bytes", blocks)?;
    memory.set_item("scope_bytes", pipeline.scopes().bytes())?;
    let dead_letters = pipeline.exporters().first().and_then(|exporter| exporter.dead_letters.as_ref());
    let (kept, lost) = dead_letters.map(|letters| letters.counts()).unwrap_or_default();
    let letters = PyDict::new(py);
    letters.set_item("kept", kept)?;
    letters.set_item("lost", lost)?;
    let stats = PyDict::new(py);
    if pipeline.recorder().is_some() {
        let counts = recorded(pipeline);
        memory.set_item("flight_recorder_bytes", counts.bytes)?;
        let flown = recorder_stats(py, &counts)?;
        flown.set_item("below", pipeline.emit_counts().below_count())?;
        stats.set_item("flight_recorder", flown)?;
    }
    stats.set_item("dead_letters", letters)?;
    stats.set_item("exporters", exporters)?;
    stats.set_item("seal", seal)?;
    stats.set_item("memory", memory)?;
    if let Some(values) = pipeline.settings().policy.values() {
        let findings = PyDict::new(py);
        for (kind, count) in values.found().counts().types {
            findings.set_item(kind.as_ref(), count)?;
        }
        stats.set_item("findings", findings)?;
    }
    if let Some(spooler) = pipeline.spooler() {
        let holding = spooler.holding(pipeline.clock().now_nanos());
        let spool = PyDict::new(py);
        spool.set_item("bytes", holding.bytes)?;
        spool.set_item("blocks", holding.blocks)?;
        // A list, because several pipelines' ages are not added up.
        spool.set_item("ages_nanos", [holding.age_nanos])?;
        spool.set_item("disk_errors", holding.trouble.disk_errors)?;
        spool.set_item("damaged_directories", holding.trouble.damaged)?;
        stats.set_item("spool", spool)?;
    }
    Ok(stats)
}

/// By demand, as `audit required user.id|actor`: records that did not meet it.
fn violations<'py>(py: Python<'py>, pipeline: &Pipeline) -> PyResult<Option<Bound<'py, PyDict>>> {
    let broken: Vec<_> = pipeline.looks.fields.counts().filter(|(_, count)| *count > 0).collect();
    if broken.is_empty() {
        return Ok(None);
    }
    let violations = PyDict::new(py);
    for (rule, count) in broken {
        let name = format!("{} {} {}", rule.category, rule.demand.word(), rule.names.join("|"));
        violations.set_item(name, count)?;
    }
    Ok(Some(violations))
}

/// Findings at places that are not kept, of types that are not known: somebody else was counting, or there were too many.
const UNKNOWN_TYPE: &str = "?";

/// Where values were hidden, and names under which nothing was, if they are counted.
pub fn inventory(pipeline: &Pipeline) -> ByPlace {
    let counts =
        pipeline.settings().policy.values().map(|values| values.found().counts()).unwrap_or_default();
    let mut elsewhere: Vec<(String, u64)> = Vec::new();
    let mut unknown = counts.elsewhere;
    for (kind, total) in &counts.types {
        let kept = counts.places.iter().filter(|((_, at), _)| at == kind).map(|(_, count)| count);
        let others = total.saturating_sub(kept.sum());
        if others > 0 {
            unknown = unknown.saturating_sub(others);
            elsewhere.push((kind.as_ref().into(), others));
        }
    }
    if unknown > 0 {
        elsewhere.push((UNKNOWN_TYPE.into(), unknown));
    }
    let places = counts.places.into_iter();
    let places = places.map(|((path, kind), count)| (path.into(), kind.into(), count));
    let (keys, others) = pipeline.looks.keys.as_ref().map(KeyCounts::counts).unwrap_or_default();
    elsewhere.extend(others);
    (places.chain(keys).collect(), elsewhere)
}

/// What the flight recorder did; nothing where there is none.
fn recorded(pipeline: &Pipeline) -> Counts {
    pipeline.recorder().map(|recorder| recorder.counts(monotonic_nanos())).unwrap_or_default()
}

fn recorder_stats<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let stats = PyDict::new(py);
    stats.set_item("records", counts.records)?;
    stats.set_item("traces", counts.traces)?;
    stats.set_item("recorded", counts.recorded)?;
    stats.set_item("promoted", counts.promoted)?;
    stats.set_item("discarded", counts.discarded)?;
    stats.set_item("evicted", counts.evicted)?;
    Ok(stats)
}
