//! Stage 6 of 7, export: one sealed block as Python's delivery loop sees it. Thread: delivery loop.

use crate::block::Block;
use crate::seal::compress::decompress;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::Arc;

/// A frozen view of one sealed block; shares its memory.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Batch {
    block: Arc<Block>,
}

impl Batch {
    pub fn of(block: Arc<Block>) -> Self {
        Self { block }
    }

    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The uncompressed request. Needs no interpreter.
    pub fn request(&self) -> PyResult<Vec<u8>> {
        let block = &self.block;
        decompress(block.codec, &block.body, block.raw_bytes)
            .map_err(|error| PyValueError::new_err(format!("the block is damaged: {error}")))
    }
}

#[pymethods]
impl Batch {
    #[getter]
    fn sequence(&self) -> u64 {
        self.block.sequence
    }

    #[getter]
    fn records(&self) -> u64 {
        self.block.records
    }

    #[getter]
    fn raw_bytes(&self) -> usize {
        self.block.raw_bytes
    }

    #[getter]
    fn encoding(&self) -> &'static str {
        self.block.codec.content_encoding().unwrap_or("")
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.block.body)
    }

    fn otlp_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let request = py.detach(|| self.request())?;
        Ok(PyBytes::new(py, &request))
    }

    fn __repr__(&self) -> String {
        let Block { sequence, records, .. } = *self.block;
        format!("Batch(sequence={sequence}, records={records}, encoding={:?})", self.encoding())
    }
}
