//! Keys of actions for Python: what makes tokens, and what seals. Threads: the configuring one, key watcher.

use super::helpers::required;
use crate::redact::actions::seal::open::{KeyPair, NotOpened};
use crate::redact::actions::seal::Sealer;
use crate::redact::actions::token::{TokenKey, TokenKeys as Native};
use crate::redact::actions::Action;
use crate::scan::kind::Kind;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::sync::Arc;

/// The key that makes tokens, in all policies that were compiled with it.
#[pyclass(frozen, module = "fapilog._native")]
pub struct TokenKeys {
    keys: Arc<Native>,
    namespace: String,
}

#[pymethods]
impl TokenKeys {
    #[new]
    fn new(key_id: u32, key: &[u8], namespace: String) -> Self {
        let keys = Arc::new(Native::new(TokenKey::new(key_id, key, &namespace)));
        Self { keys, namespace }
    }

    /// Makes new tokens with this key from now on. False: the one before cannot be exchanged in this forked process.
    fn replace(&self, key_id: u32, key: &[u8]) -> bool {
        self.keys.replace(TokenKey::new(key_id, key, &self.namespace))
    }

    /// Id of the key that makes new tokens.
    #[getter]
    fn key_id(&self) -> u32 {
        self.keys.current().id()
    }

    /// The token of a value, in any of its spellings.
    fn token(&self, kind: &str, value: &str) -> PyResult<String> {
        let kind =
            Kind::from_id(kind).ok_or_else(|| PyValueError::new_err(format!("there is no type {kind:?}")))?;
        Ok(self.keys.current().token(kind, value))
    }
}

/// What actions need that have a key.
#[derive(Default)]
pub struct ActionKeys {
    token: Option<Arc<Native>>,
    seal: Option<Arc<Sealer>>,
}

/// What a policy says under a key, if anything.
fn optional<'py, T>(dict: &Bound<'py, PyDict>, key: &str) -> PyResult<Option<T>>
where
    T: for<'a> FromPyObject<'a, 'py>,
    for<'a> <T as FromPyObject<'a, 'py>>::Error: Into<PyErr>,
{
    Ok(if dict.contains(key)? { required::<Option<T>>(dict, key)? } else { None })
}

impl ActionKeys {
    /// Reads `token_key` and `seal_key`, where they are.
    pub fn read(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let token: Option<PyRef<'_, TokenKeys>> = optional(dict, "token_key")?;
        let public: Option<Bound<'_, PyBytes>> = optional(dict, "seal_key")?;
        let seal = public.map(|public| sealer(public.as_bytes())).transpose()?;
        Ok(Self { token: token.map(|token| Arc::clone(&token.keys)), seal })
    }

    /// The action of this name, if it is one with a key, and there is the key.
    pub fn action(&self, name: &str) -> Option<Action> {
        match name {
            "token" => Some(Action::Token(Arc::clone(self.token.as_ref()?))),
            "seal" => Some(Action::Seal(Arc::clone(self.seal.as_ref()?))),
            _ => None,
        }
    }
}

fn sealer(public: &[u8]) -> PyResult<Arc<Sealer>> {
    let sealer = Sealer::new(public);
    sealer.map(Arc::new).ok_or_else(|| {
        PyValueError::new_err("redaction.seal_to is no public key; make one with `fapilog seal new-key`")
    })
}

/// A new pair of keys for `seal`: the private one, the public one, and the id of both.
#[pyfunction]
pub fn seal_new_key(py: Python<'_>) -> PyResult<(Bound<'_, PyBytes>, Bound<'_, PyBytes>, String)> {
    let pair = KeyPair::generate()
        .ok_or_else(|| PyRuntimeError::new_err("the system gives no random bytes; try again"))?;
    Ok((PyBytes::new(py, &pair.private()), PyBytes::new(py, pair.public()), pair.key_id()))
}

/// Opens the entries of one record with a private key: path, type and value of each.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // What Python gives is extracted into a value.
pub fn seal_open(private: &[u8], entries: Vec<String>) -> PyResult<Vec<(String, String, String)>> {
    let pair =
        KeyPair::from_private(private).ok_or_else(|| PyValueError::new_err("a private key has 32 bytes"))?;
    let said = |(index, why): (usize, NotOpened)| {
        let why = match why {
            NotOpened::Damaged => "is damaged or was cut".to_owned(),
            NotOpened::OtherKey(id) => format!("was sealed to key {id}, and this is key {}", pair.key_id()),
            NotOpened::Changed => "was changed, or belongs to another record".to_owned(),
        };
        PyValueError::new_err(format!("sealed value {} {why}", index + 1))
    };
    let opened = pair.open(&entries).map_err(said)?;
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    Ok(opened.into_iter().map(|each| (each.path, each.kind, text(each.value))).collect())
}
