//! Stage 1 of 7, emit: how scopes and messages of ASGI are read. Thread: caller.

use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

/// What a scope or a message has under a name; `None` is nothing.
pub fn item<'py>(
    mapping: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let found = match mapping.cast_exact::<PyDict>() {
        Ok(dict) => dict.get_item(name)?,
        // ASGI says that it is a dict; some frameworks pass a mapping.
        Err(_) => Some(mapping.call_method1(intern!(mapping.py(), "get"), (name,))?),
    };
    Ok(found.filter(|found| !found.is_none()))
}

/// The request's headers, as a list; ASGI allows what can be read only once, which is replaced in the scope then.
pub fn headers_of<'py>(scope: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let py = scope.py();
    let name = intern!(py, "headers");
    let given = item(scope, name)?.ok_or_else(|| PyKeyError::new_err("headers"))?;
    if let Ok(list) = given.cast_exact::<PyList>() {
        return Ok(list.clone());
    }
    let list = PyList::empty(py);
    for each in given.try_iter()? {
        list.append(each?)?;
    }
    if given.hasattr(intern!(py, "__next__"))? {
        scope.set_item(name, &list)?;
    }
    Ok(list)
}

/// Name and value of a header.
pub fn two<'py>(pair: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if let Ok(pair) = pair.cast_exact::<PyTuple>() {
        return Ok((pair.get_item(0)?, pair.get_item(1)?));
    }
    Ok((pair.get_item(0)?, pair.get_item(1)?))
}

/// The bytes of an object, if it is `bytes`.
pub fn bytes_of<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    value.cast::<PyBytes>().ok().map(PyBytesMethods::as_bytes)
}
