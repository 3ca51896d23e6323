//! Stage 2 of 7, capture: how a task finds the exchange that it serves, and its records the id. Thread: caller.

use super::bound::BoundAttributes;
use super::trace;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{intern, PyTraverseError, PyVisit};

/// The context variables, and where an exchange stands in its scope.
pub struct Variables {
    /// `ContextVar.set` and `ContextVar.reset` of the exchange.
    exchange: [Py<PyAny>; 2],
    /// `ContextVar.get`, `set` and `reset` of what `bind_context` binds.
    bound: [Py<PyAny>; 3],
    /// The exchange's place in the scope.
    key: Py<PyString>,
    /// The attribute that has the id.
    attribute: Py<PyString>,
}

impl Variables {
    /// Of the two variables.
    pub fn of(
        exchange: &Bound<'_, PyAny>,
        bound: &Bound<'_, PyAny>,
        key: Py<PyString>,
        attribute: Py<PyString>,
    ) -> PyResult<Self> {
        let py = exchange.py();
        let method = |variable: &Bound<'_, PyAny>, name| variable.getattr(name).map(Bound::unbind);
        let (get, set, reset) = (intern!(py, "get"), intern!(py, "set"), intern!(py, "reset"));
        Ok(Self {
            exchange: [method(exchange, set)?, method(exchange, reset)?],
            bound: [method(bound, get)?, method(bound, set)?, method(bound, reset)?],
            key,
            attribute,
        })
    }

    /// Makes an exchange the current one, and binds its id; returns the tokens of both.
    pub fn set(
        &self,
        py: Python<'_>,
        exchange: &Bound<'_, PyAny>,
        id: &Py<PyString>,
    ) -> PyResult<[Py<PyAny>; 2]> {
        trace::watch_bound_context();
        let attributes = PyDict::new(py);
        attributes.set_item(&self.attribute, id)?;
        let base = self.bound[0].call0(py)?;
        let bound = match base.bind(py).cast::<BoundAttributes>() {
            Ok(base) => base.get().with(py, &attributes)?,
            Err(_) => BoundAttributes::of(attributes.unbind()),
        };
        let bound = self.bound[1].call1(py, (Py::new(py, bound)?,))?;
        Ok([self.exchange[0].call1(py, (exchange,))?, bound])
    }

    /// Puts back what was current before; of another task's token it takes no notice.
    pub fn reset(&self, py: Python<'_>, [exchange, bound]: [Py<PyAny>; 2]) -> PyResult<()> {
        for (reset, token) in [(&self.bound[2], bound), (&self.exchange[1], exchange)] {
            match reset.call1(py, (token,)) {
                Err(error) if !error.is_instance_of::<PyValueError>(py) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the exchange out of a scope.
    pub fn forget(&self, scope: &Bound<'_, PyAny>) -> PyResult<()> {
        match scope.del_item(&self.key) {
            Err(error) if !error.is_instance_of::<PyKeyError>(scope.py()) => Err(error),
            _ => Ok(()),
        }
    }

    /// For the collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.exchange.iter().chain(&self.bound).try_for_each(|method| visit.call(method))
    }
}
