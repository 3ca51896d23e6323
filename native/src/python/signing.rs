//! Signatures of reports for Python. Thread: any.

use crate::signing;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

const NO_KEY: &str = "this is no private key of Ed25519 in PKCS #8";

/// A new private key.
#[pyfunction]
pub fn ed25519_new_key(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let key = signing::new_key().ok_or_else(|| PyOSError::new_err("the system gives no random bytes"))?;
    Ok(PyBytes::new(py, &key))
}

/// The public key of a private one.
#[pyfunction]
pub fn ed25519_public_key<'py>(py: Python<'py>, private: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let public = signing::public_key(private).ok_or_else(|| PyValueError::new_err(NO_KEY))?;
    Ok(PyBytes::new(py, &public))
}

/// The signature of `message`.
#[pyfunction]
pub fn ed25519_sign<'py>(py: Python<'py>, private: &[u8], message: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let signature = signing::sign(private, message).ok_or_else(|| PyValueError::new_err(NO_KEY))?;
    Ok(PyBytes::new(py, &signature))
}

/// Whether `signature` is one of `message`.
#[pyfunction]
pub fn ed25519_is_signed(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    signing::is_signed(public, message, signature)
}
