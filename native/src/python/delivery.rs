//! Stages 6 and 7 of 7, for exporters written in Python: their cursor of the backlog. Thread: delivery loop.

use super::batch::Batch;
use crate::export::exporters::Exporter;
use crate::export::sender::Refusal;
use crate::export::watch;
use crate::ledger::{DropReason, Settlement, DROPS};
use crate::pipeline::Pipeline;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use std::time::Duration;

/// The oldest block that `exporter` has to deliver. One on disk is read without the interpreter lock.
pub fn claim(py: Python<'_>, pipeline: &Pipeline, exporter: &str) -> PyResult<Option<Batch>> {
    let cursor = python_cursor(pipeline, exporter)?;
    let block = py.detach(|| pipeline.try_claim(cursor));
    Ok(block.inspect(|block| watch::block("python", block)).map(Batch::of))
}

/// Takes a claimed block back, undelivered.
pub fn release(pipeline: &Pipeline, exporter: &str, sequence: u64) -> PyResult<()> {
    let cursor = python_cursor(pipeline, exporter)?;
    pipeline.backlog().release(cursor, sequence);
    Ok(())
}

/// Counts what became of a claimed block.
pub fn settle(
    py: Python<'_>,
    pipeline: &Pipeline,
    exporter: &str,
    sequence: u64,
    settlement: Settlement,
) -> PyResult<()> {
    let cursor = python_cursor(pipeline, exporter)?;
    py.detach(|| pipeline.settle(cursor, sequence, settlement));
    Ok(())
}

/// Says for how long no call has succeeded; 0: the last one has.
pub fn note_failing(pipeline: &Pipeline, exporter: &str, seconds: f64) -> PyResult<()> {
    let cursor = python_cursor(pipeline, exporter)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(so_long) if !so_long.is_zero() => pipeline.failing(cursor, so_long),
        _ => pipeline.answered(cursor),
    }
    Ok(())
}

/// Keeps a block of which the exporter's receiver refused so many records.
pub fn keep_refused(
    py: Python<'_>,
    pipeline: &Pipeline,
    exporter: &str,
    batch: &Batch,
    refusal: &Refusal<'_>,
) -> PyResult<()> {
    let cursor = python_cursor(pipeline, exporter)?;
    py.detach(|| pipeline.keep_refused(cursor, batch.block(), refusal));
    Ok(())
}

/// Reads what Python says became of a block.
pub fn settlement(delivered: u64, rejected: u64, dropped: Option<&Bound<'_, PyAny>>) -> PyResult<Settlement> {
    let mut settlement = Settlement { delivered, rejected, ..Settlement::default() };
    let Some(dropped) = dropped else { return Ok(settlement) };
    for item in PyIterator::from_object(&dropped.call_method0("items")?)? {
        let (name, records): (String, u64) = item?.extract()?;
        let reason = DropReason::from_name(&name).ok_or_else(|| {
            PyValueError::new_err(format!("drop reason {name:?} is unknown; use one of {}", DROPS.join(", ")))
        })?;
        settlement.dropped.add(reason, records);
    }
    Ok(settlement)
}

/// True when the endpoint refused the headers as they are now.
pub fn headers_refused(pipeline: &Pipeline, exporter: &str) -> PyResult<bool> {
    let (_, exporter) = find(pipeline, exporter)?;
    Ok(exporter.native.as_ref().is_some_and(|native| native.transport.headers_refused()))
}

fn python_cursor(pipeline: &Pipeline, name: &str) -> PyResult<usize> {
    match find(pipeline, name)? {
        (cursor, exporter) if exporter.native.is_none() => Ok(cursor),
        _ => Err(PyValueError::new_err(format!("exporter {name:?} is native and takes its blocks itself"))),
    }
}

fn find<'a>(pipeline: &'a Pipeline, name: &str) -> PyResult<(usize, &'a Exporter)> {
    let mut exporters = pipeline.exporters().iter().enumerate();
    exporters.find(|(_, exporter)| exporter.name == name).ok_or_else(|| {
        PyValueError::new_err(format!("exporter {name:?} is not one of this pipeline; name one that is"))
    })
}
