//! Stage 3 of 7, redact: whether a log record processor changed a record, found out without encoding it. Thread: caller.
//!
//! Compares objects, not values: an equal one of another type (`1`, `True`, `1.0`) is a change. Containers that can be
//! changed in place are compared with a copy, member by member and in order.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

/// Deeper than any value that is decoded: what a processor nests deeper, or in a circle, counts as changed.
const MAX_DEPTH: usize = 70;
/// More objects than any record holds: what a processor put there may hold itself many times over.
const MAX_OBJECTS: usize = 1 << 16;

/// What two dicts hold, their members included.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Snapshot(Kept, Kept);

#[pymethods]
impl Snapshot {
    #[new]
    fn new(first: &Bound<'_, PyDict>, second: &Bound<'_, PyDict>) -> Self {
        let of = |dict: &Bound<'_, PyDict>| Kept::of(dict, 0, &mut { MAX_OBJECTS });
        Self(of(first), of(second))
    }

    /// Whether both hold the same objects still.
    fn holds(&self, first: &Bound<'_, PyDict>, second: &Bound<'_, PyDict>) -> bool {
        self.0.is(first) && self.1.is(second)
    }

    /// Whether no member of the first can be changed in place.
    #[getter]
    fn fixed(&self) -> bool {
        match &self.0 {
            Kept::Dict(members) => members.iter().all(|(_, member)| member.is_fixed()),
            _ => false,
        }
    }

    /// The second as it was, in containers of its own.
    fn second<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.1.again(py)
    }
}

/// One object, and what is in it as far as that can change.
enum Kept {
    Same(Py<PyAny>),
    Dict(Vec<(Py<PyAny>, Self)>),
    List(Vec<Self>),
    Tuple(Vec<Self>),
    /// Too deep, or too many, to tell.
    Unknown(Py<PyAny>),
}

impl Kept {
    /// `room`: how many objects may still be looked at.
    fn of(value: &Bound<'_, PyAny>, depth: usize, room: &mut usize) -> Self {
        if depth > MAX_DEPTH || *room == 0 {
            return Self::Unknown(value.clone().unbind());
        }
        *room -= 1;
        let mut inside = |member: Bound<'_, PyAny>| Self::of(&member, depth + 1, room);
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            Self::Dict(dict.iter().map(|(key, member)| (key.unbind(), inside(member))).collect())
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            Self::List(list.iter().map(inside).collect())
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            Self::Tuple(tuple.iter().map(inside).collect())
        } else {
            Self::Same(value.clone().unbind())
        }
    }

    fn is(&self, now: &Bound<'_, PyAny>) -> bool {
        match self {
            Self::Same(before) => before.is(now),
            Self::Dict(before) => now.cast_exact::<PyDict>().is_ok_and(|now| {
                let same = |((key, member), (key_now, member_now)): (
                    &(Py<PyAny>, Self),
                    (Bound<'_, _>, Bound<'_, _>),
                )| { key.is(&key_now) && member.is(&member_now) };
                now.len() == before.len() && before.iter().zip(now.iter()).all(same)
            }),
            Self::List(before) => now
                .cast_exact::<PyList>()
                .is_ok_and(|now| now.len() == before.len() && before.iter().zip(now).all(|(a, b)| a.is(&b))),
            Self::Tuple(before) => now
                .cast_exact::<PyTuple>()
                .is_ok_and(|now| now.len() == before.len() && before.iter().zip(now).all(|(a, b)| a.is(&b))),
            Self::Unknown(_) => false,
        }
    }

    /// A value that holds the same, in new containers.
    fn again<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let all =
            |members: &[Self]| members.iter().map(|member| member.again(py)).collect::<PyResult<Vec<_>>>();
        Ok(match self {
            Self::Same(value) | Self::Unknown(value) => value.bind(py).clone(),
            Self::List(members) => PyList::new(py, all(members)?)?.into_any(),
            Self::Tuple(members) => PyTuple::new(py, all(members)?)?.into_any(),
            Self::Dict(members) => {
                let dict = PyDict::new(py);
                for (key, member) in members {
                    dict.set_item(key, member.again(py)?)?;
                }
                dict.into_any()
            }
        })
    }

    fn is_fixed(&self) -> bool {
        match self {
            Self::Same(_) => true,
            Self::Tuple(members) => members.iter().all(Self::is_fixed),
            Self::Dict(_) | Self::List(_) | Self::Unknown(_) => false,
        }
    }
}
