//! Where loggers find their pipeline: the handle they share, which may get another pipeline later. Thread: caller.

use super::active::{Active, GENERATION};
use super::gil::GilCell;
use super::helpers;
use super::pipeline::Pipeline;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

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
    /// Calls that went nowhere because configuring failed.
    unheard: AtomicU64,
}

#[pymethods]
impl PipelineHandle {
    #[new]
    #[pyo3(signature = (*, configures_itself=false))]
    fn new(configures_itself: bool) -> Self {
        Self { pipeline: GilCell::new(None), configures_itself, unheard: AtomicU64::new(0) }
    }

    /// Makes every logger of this handle use `pipeline`; `None`: log nothing.
    #[pyo3(signature = (pipeline))]
    fn attach(&self, pipeline: Option<Py<Pipeline>>) {
        // SAFETY: attached; the old reference is dropped after the cell is written.
        let old = unsafe { self.pipeline.replace(pipeline) };
        GENERATION.fetch_add(1, Ordering::AcqRel);
        drop(old);
    }

    /// How many calls went nowhere since this was asked last, because configuring failed.
    fn take_unheard(&self) -> u64 {
        self.unheard.swap(0, Ordering::Relaxed)
    }

    /// The attached pipeline.
    #[getter]
    pub fn pipeline(&self, py: Python<'_>) -> Option<Py<Pipeline>> {
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

    /// Counts a call that found no pipeline. What is logged while the process is being configured is none.
    #[cold]
    pub fn nobody_heard(&self) {
        if self.configures_itself && !CONFIGURING.get() {
            self.unheard.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The pipeline to log to, started; `None`: nowhere.
    pub fn resolve(&self, py: Python<'_>) -> Option<Arc<Active>> {
        if self.pipeline(py).is_none() && self.configures_itself {
            Self::configure(py);
        }
        let active = self.pipeline(py)?.get().active();
        active.start(py);
        Some(active)
    }
}
